"""Tables as floats: numbers as they are, whatever else a cell holds as a code."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype
from sklearn.utils import check_array

from skdistill._columns import as_pandas_or_array

FLOATS = (np.float64, np.float32, np.float16)


class Table(NamedTuple):
    """The cells of a table as floats, and what makes others of their kind of them.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
        Numbers, NaN where one is missing, and the codes of other cells.
    is_number : ndarray of shape (n_features,), dtype bool
        Which columns have numbers.
    frame : DataFrame or None
        The table, where it is none of plain numbers.
    first_rows : dict of int to ndarray of int
        By the column, for each code a row of `frame` that has it.
    dtype : dtype or None
        That of an array which `frame` has been made of.
    """

    values: np.ndarray
    is_number: np.ndarray
    frame: pd.DataFrame | None
    first_rows: dict[int, np.ndarray]
    dtype: Any

    def like(self, values):
        """Return rows of such floats as the caller's table has them."""
        if self.frame is None:
            return values
        columns = {}
        for place in range(values.shape[1]):
            if place in self.first_rows:
                rows = self.first_rows[place][values[:, place].astype(np.intp)]
                columns[place] = self.frame.iloc[rows, place].reset_index(drop=True)
            else:
                columns[place] = values[:, place]
        made = pd.DataFrame(columns)
        if self.dtype is not None:
            return made.to_numpy(dtype=object).astype(self.dtype)
        made.columns = self.frame.columns
        return made


def table_of(X, *, all_coded=False):
    """Return an array or a DataFrame as a `Table`, or raise.

    Cells that are no numbers get codes; those of a DataFrame all do with `all_coded`.
    One of polars or pyarrow is one of pandas from here on.
    """
    X = as_pandas_or_array(X)
    frame, dtype = X, None
    if not isinstance(X, pd.DataFrame):
        X = X if hasattr(X, "dtype") else np.asarray(X)
        if X.dtype.kind not in "OSU":
            values = _numbers(X)
            return Table(values, np.ones(values.shape[1], bool), None, {}, None)
        X = check_array(X, dtype=None, ensure_all_finite="allow-nan")
        frame, dtype = pd.DataFrame(X, dtype=object).infer_objects(), X.dtype
    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise ValueError(
            f"Further rows are made of a table with rows and columns. Got {frame.shape}"
            " for their numbers."
        )
    is_number = np.array([_has_numbers(column) for column in frame.dtypes])
    is_number &= not all_coded
    if is_number.all():
        return Table(_numbers(frame), is_number, frame, {}, dtype)
    # Codes are exact in float64, if not in less.
    values = np.empty(frame.shape, dtype=np.float64)
    if is_number.any():
        values[:, is_number] = _numbers(frame.loc[:, is_number])
    first_rows = {}
    for place in np.flatnonzero(~is_number).tolist():
        values[:, place], first_rows[place] = _codes(frame.iloc[:, place])
    return Table(values, is_number, frame, first_rows, dtype)


def _numbers(X):
    return check_array(X, dtype=FLOATS, ensure_all_finite="allow-nan")


def _has_numbers(dtype):
    """Tell whether a column is to be calculated with."""
    is_number = is_numeric_dtype(dtype) and not is_bool_dtype(dtype)
    return is_number and not is_complex_dtype(dtype)


def _codes(column):
    """Return a code for every cell, and for every code a row that has it."""
    try:
        codes, _ = pd.factorize(column, use_na_sentinel=False)
    except TypeError as error:
        raise ValueError(
            "Rows can be made of cells that can be told apart: numbers, strings, "
            f"categories, dates and the like. Got column {column.name!r} with others: "
            f"{error}."
        ) from error
    _, rows = np.unique(codes, return_index=True)
    return codes, rows


def alike(a, b):
    """Tell for each pair of cells whether they are the same, missing ones included."""
    return (a == b) | (np.isnan(a) & np.isnan(b))


def differing(table):
    """Return the index of a row that differs from the first one, or raise."""
    row = int((~alike(table.values, table.values[0])).any(axis=1).argmax())
    if row == 0:
        raise ValueError(
            "Further rows are made of rows that differ: two at least are needed. All "
            f"{len(table.values)} rows of X are the same."
        )
    return row


def spread(table):
    """Return the standard deviation of every column of numbers, 0 of a constant.

    That of other columns is 0, too.
    """
    columns = zip(table.values.T, table.is_number, strict=True)
    return np.array([_deviation(c[~np.isnan(c)]) if n else 0.0 for c, n in columns])


def _deviation(column):
    # Exactly 0, which rounding may keep numpy's from being.
    if len(column) == 0 or (column == column[0]).all():
        return 0.0
    return column.std(dtype=np.float64)
