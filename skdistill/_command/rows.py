"""Rows of a file for a model, in chunks, as it got them in training."""

import os
import re
from contextlib import contextmanager

import numpy as np
import pandas as pd

from skdistill._command.commas import numbers_with_commas
from skdistill._inspection.columns import dates_of_text, numbers_of_text
from skdistill._inspection.errors import InputError
from skdistill._inspection.tables import (
    NO_PARQUET,
    is_parquet,
    no_column,
    opened,
    separator_of,
)
from skdistill._values import text_of

TRUTH = {
    **dict.fromkeys(("True", "TRUE", "true", "1", "1.0"), True),
    **dict.fromkeys(("False", "FALSE", "false", "0", "0.0"), False),
}
MISSING = frozenset(
    [
        "",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
    ]
)
"""What pandas takes for a missing value in a CSV file."""
_FLOAT = re.compile(r"-?\d+(\.0+|(\.\d+)?e\+\d+)")


class RowsFile:
    """A CSV or Parquet file, read in chunks.

    Parameters
    ----------
    path : str
    expected : Expected
        What the model expects.
    copied : list of str
        Further columns to read.
    chunk_size : int
        Number of rows that are read at once. A CSV file for a model that does not say
        what its columns hold is read at once: a chunk alone does not tell.

    Attributes
    ----------
    columns : list of str
        The columns of the file that the model gets, in its order.
    """

    def __init__(self, path, expected, copied, chunk_size):
        self.path, self.expected, self.copied = path, expected, copied
        self.chunk_size = chunk_size
        self._is_parquet = is_parquet(path)
        try:
            names = self._names()
        except ImportError as error:
            raise InputError(NO_PARQUET) from error
        except OSError as error:
            raise InputError(
                f"cannot read {path}: {error.strerror or error}"
            ) from error
        except Exception as error:
            raise InputError(f"cannot read {path}: {error}") from error
        for name in copied:
            if name not in names:
                raise no_column(name, path, names)
        self.columns = self._chosen(names)

    def _names(self):
        if self._is_parquet:
            from pyarrow.parquet import read_schema

            return read_schema(self.path).names
        self._separator = separator_of(self.path)
        return [*pd.read_csv(self.path, sep=self._separator, nrows=0).columns]

    def _chosen(self, names):
        wanted = self.expected.names
        if wanted is not None:
            missing = [name for name in wanted if name not in names]
            if missing:
                shown = ", ".join(map(repr, missing[:10])) + ", ..." * (
                    len(missing) > 10
                )
                s = "s" * (len(missing) > 1)
                raise InputError(
                    f"{self.path} lacks the column{s} {shown} of the model"
                )
            return wanted
        rest = [name for name in names if name not in self.copied]
        n_features = self.expected.n_features
        if len(rest) != n_features:
            raise InputError(
                f"the model does not know its columns by name and takes "
                f"{n_features:,}; {self.path} has {len(rest):,}"
            )
        return rest

    @contextmanager
    def chunks(self, bar):
        """Yield an iterator over starts, rows for the model, and copied columns.

        The copied columns are as they are in the file: text in a DataFrame, or a table
        of pyarrow. The bar is moved, and its total and unit are set.
        """
        read = [*dict.fromkeys([*self.columns, *self.copied])]
        if self._is_parquet:
            tables = self._from_parquet(read, bar)
        elif self.expected.kinds is None:
            tables = self._at_once(bar)
        else:
            tables = self._from_csv(read, bar)
        try:
            yield self._pairs(tables)
        finally:
            tables.close()

    def _pairs(self, tables):
        start = 0
        while True:
            try:
                pair = next(tables, None)
            except (OSError, ValueError, NotImplementedError) as error:
                raise InputError(f"cannot read {self.path}: {error}") from error
            if pair is None:
                return
            table, copied = pair
            if len(table):
                yield start, self._for_model(table, start), copied
            else:
                yield start, None, copied
            start += len(table)

    def _from_csv(self, read, bar):
        bar.total, bar.unit = os.path.getsize(self.path), "B"
        bar.unit_scale = True
        with (
            opened(self.path) as (raw, file),
            pd.read_csv(
                file,
                sep=self._separator,
                usecols=read,
                **_AS_IT_IS,
                chunksize=self.chunk_size,
            ) as reader,
        ):
            for table in reader:
                yield self._with_holes(table[self.columns]), table[self.copied]
                bar.update(raw.tell() - bar.n)

    def _with_holes(self, table):
        """Return text without what stands for a missing value, and is no category."""
        table = table.copy()
        for name, known in zip(self.columns, self.expected.categories, strict=True):
            holes = MISSING.difference(known or ())
            table[name] = table[name].mask(table[name].isin(holes))
        return table

    def _at_once(self, bar):
        of_file = {"filepath_or_buffer": self.path, "sep": self._separator}
        table = pd.read_csv(**of_file, usecols=self.columns, low_memory=False)
        table = table[self.columns]
        copied = pd.DataFrame(index=table.index)
        if self.copied:
            copied = pd.read_csv(**of_file, usecols=self.copied, **_AS_IT_IS)
            copied = copied[self.copied]
        bar.total, bar.unit = len(table), "row"
        for start in range(0, max(len(table), 1), self.chunk_size):
            chunk = slice(start, start + self.chunk_size)
            yield table[chunk], copied[chunk]
            bar.update(len(table[chunk]))

    def _from_parquet(self, read, bar):
        from pyarrow import Table
        from pyarrow.parquet import ParquetFile

        with ParquetFile(self.path) as file:
            bar.total, bar.unit = file.metadata.num_rows, "row"
            if bar.total == 0:
                yield self._of_arrow(file.read(columns=read))
            for batch in file.iter_batches(batch_size=self.chunk_size, columns=read):
                yield self._of_arrow(Table.from_batches([batch]))
                bar.update(batch.num_rows)

    def _of_arrow(self, table):
        # What pandas noted of its index in the file is about all of the columns.
        copied = table.select(self.copied).replace_schema_metadata(None)
        return table.select(self.columns).to_pandas()[self.columns], copied

    def _for_model(self, table, start):
        kinds = self.expected.kinds
        if kinds is not None:
            table = pd.DataFrame(
                {
                    name: self._converted(table[name], kind, known, start)
                    for name, kind, known in zip(
                        self.columns, kinds, self.expected.categories, strict=True
                    )
                }
            )
        if self.expected.names is not None:
            return table
        plain = kinds is not None and {*kinds} == {"number"}
        return table.to_numpy(dtype=np.float64 if plain else object)

    def _converted(self, values, kind, categories, start):
        """Return a column as what it held in training, or raise."""
        if not _is_text(values):
            return values
        if kind == "category":
            return _known_text(values, categories or ())
        if kind not in _READ:
            return values
        read = _READ[kind]
        if kind == "number" and values.name in self.expected.commas:
            read = numbers_with_commas
        converted, wrong = read(values)
        if wrong.any():
            place = int(np.flatnonzero(wrong)[0])
            raise InputError(
                f"column {values.name!r} of {self.path} must hold {kind}s, as it did "
                f"in training; row {start + place + 1:,} has {values.iloc[place]!r}"
            )
        return converted


def _is_text(values):
    return pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values)


def _durations(values):
    durations = pd.to_timedelta(values, errors="coerce")
    return durations, values.notna() & durations.isna()


def _booleans(values):
    known = values.notna()
    truth = values.map(lambda value: TRUTH.get(str(value)), na_action="ignore")
    truth = truth.astype(object).where(known, None)
    return truth, known & truth.isna()


def _known_text(values, categories):
    """Return text with "1" for "1.0" and the like where that is the category."""
    categories = {*categories}
    known = {}
    for text in values.dropna().unique():
        if isinstance(text, str) and text not in categories and _FLOAT.fullmatch(text):
            whole = text_of(float(text))
            if whole in categories:
                known[text] = whole
    if not known:
        return values
    return values.map(lambda text: known.get(text, text), na_action="ignore")


_AS_IT_IS = {"dtype": str, "na_filter": False}
_READ = {
    "number": numbers_of_text,
    "date": dates_of_text,
    "duration": _durations,
    "boolean": _booleans,
}
"""What makes values of text, and tells where it is none, by the kind of the column."""
