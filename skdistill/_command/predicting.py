"""`predict`: the rows of a file in, their labels and probabilities out."""

import gzip
from contextlib import contextmanager

import pandas as pd
from tqdm import tqdm

from skdistill._command.files import check_output, replacing
from skdistill._command.models import expected_of, load_model
from skdistill._command.rows import RowsFile
from skdistill._inspection.errors import InputError
from skdistill._inspection.tables import NO_PARQUET, is_parquet

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
        replacing(output) as part,
        _writer(part) as write,
        rows.chunks(bar) as chunks,
    ):
        for start, X, others in chunks:
            write(_scored(model, X, others, out_names, start, data))
            n_rows = start + len(others)
    return n_rows


def _scored(model, X, others, names, start, path):
    """Return the output for a chunk of rows."""
    classes = model.classes_
    label, *of_class = names
    others = others.reset_index(drop=True)
    if X is None:
        empty = pd.DataFrame(
            {label: classes[:0]} | dict.fromkeys(of_class, classes[:0])
        )
        return pd.concat(
            [others, empty.astype(dict.fromkeys(of_class, "float32"))], axis=1
        )
    try:
        proba = model.predict_proba(X)
    except (ValueError, TypeError) as error:
        end = start + len(others)
        raise InputError(f"rows {start + 1:,} to {end:,} of {path}: {error}") from error
    scores = {label: classes[proba.argmax(axis=1)]}
    scores |= dict(zip(of_class, proba.T, strict=True))
    return pd.concat([others, pd.DataFrame(scores)], axis=1)


@contextmanager
def _writer(path):
    """Yield a function that writes a DataFrame behind those that came before."""
    if is_parquet(path):
        with _parquet_writer(path) as write:
            yield write
        return
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        is_first = True

        def write(frame):
            nonlocal is_first
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

    def write(frame):
        nonlocal writer
        if writer is None:
            table = pyarrow.Table.from_pandas(frame, preserve_index=False)
            writer = ParquetWriter(path, table.schema)
        else:
            table = pyarrow.Table.from_pandas(
                frame, schema=writer.schema, preserve_index=False
            )
        writer.write_table(table)

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()
