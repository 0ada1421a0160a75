"""`predict`: the rows of a file in, their labels and probabilities out."""

from contextlib import contextmanager

import pandas as pd
from tqdm import tqdm

from skdistill._command.files import check_output, check_table_name, written
from skdistill._command.models import expected_of, load_model
from skdistill._command.rows import RowsFile
from skdistill._inspection.errors import InputError
from skdistill._inspection.tables import NO_PARQUET, is_parquet, opener_of

LABEL, PROBABILITY = "prediction", "probability_{}"


def predict_file(
    model_path, data, output, *, copied=(), chunk_size=50_000, trust_pickle=False
):
    """Write the predictions for each row of a file to another one, in its order.

    Parameters
    ----------
    model_path, data, output : path-like
        The model, the rows, and what is written: the copied columns, the label, and a
        probability for each class.
    copied : sequence of str
        Columns of `data` to write in front, such as an identifier.
    chunk_size : int
        Number of rows that are read, predicted and written at once.
    trust_pickle : bool
        See `load_model`.

    Returns
    -------
    int
        The number of rows.

    Raises
    ------
    InputError
        If anything is wrong with a file. Nothing is written then.
    """
    check_output(output, "--output", data, model_path)
    opener_of(data)  # raises for what it does not know
    check_table_name(output, "--output")
    model = load_model(model_path, trust_pickle=trust_pickle)
    copied = [*dict.fromkeys(copied)]
    out_names = [LABEL, *map(PROBABILITY.format, model.classes_.tolist())]
    for name in copied:
        if name in out_names:
            raise InputError(f"--copy {name}: the output has a column of that name")
    rows = RowsFile(str(data), expected_of(model), copied, chunk_size)
    n_rows = 0
    with (
        tqdm(disable=None) as bar,
        written(output) as part,
        _writer(part) as write,
        rows.chunks(bar) as chunks,
    ):
        for start, X, others in chunks:
            write(others, _scored(model, X, out_names, start, data))
            n_rows = start + (0 if X is None else len(X))
    return n_rows


def _scored(model, X, names, start, path):
    """Return labels and probabilities for a chunk of rows."""
    classes = model.classes_
    label, *of_class = names
    if X is None:
        empty = pd.DataFrame(
            {label: classes[:0]} | dict.fromkeys(of_class, classes[:0])
        )
        return empty.astype(dict.fromkeys(of_class, "float32"))
    try:
        proba = model.predict_proba(X)
    except (ValueError, TypeError) as error:
        end = start + len(X)
        raise InputError(f"rows {start + 1:,} to {end:,} of {path}: {error}") from error
    scores = {label: classes[proba.argmax(axis=1)]}
    scores |= dict(zip(of_class, proba.T, strict=True))
    return pd.DataFrame(scores)


@contextmanager
def _writer(path):
    """Yield a function that writes copied columns and scores behind earlier ones."""
    if is_parquet(path):
        with _parquet_writer(path) as write:
            yield write
        return
    with opener_of(path)(path, "wt", encoding="utf-8", newline="") as file:
        is_first = True

        def write(copied, scores):
            nonlocal is_first
            if not isinstance(copied, pd.DataFrame):
                # A column has whole numbers in all chunks, also beside a null.
                copied = copied.to_pandas(integer_object_nulls=True)
            frame = pd.concat([copied.reset_index(drop=True), scores], axis=1)
            frame.to_csv(file, index=False, header=is_first, lineterminator="\n")
            is_first = False

        yield write


@contextmanager
def _parquet_writer(path):
    try:
        import pyarrow
        from pyarrow.parquet import ParquetWriter
    except ImportError as error:
        raise InputError(NO_PARQUET) from error
    writer = None

    def write(copied, scores):
        nonlocal writer
        if isinstance(copied, pd.DataFrame):
            texts = {
                name: pyarrow.array(copied[name], pyarrow.string()) for name in copied
            }
            table = pyarrow.table(texts)
        else:
            table = copied
        for name in scores:
            values = pyarrow.array(scores[name])
            # No column at all has no rows, to which one could be appended.
            table = (
                table.append_column(name, values)
                if table.num_columns
                else pyarrow.table({name: values})
            )
        try:
            if writer is None:
                writer = ParquetWriter(path, table.schema)
            writer.write_table(table)
        except (pyarrow.ArrowException, ValueError) as error:
            raise InputError(f"cannot write Parquet: {error}") from error

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()
