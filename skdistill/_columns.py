"""What a column of a table holds, and how it becomes numbers or text."""

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype

from skdistill._values import text_of

_KINDS = {
    "boolean": "boolean",
    "integer": "number",
    "floating": "number",
    "mixed-integer-float": "number",
    "decimal": "number",
    "date": "date",
    "datetime": "date",
    "datetime64": "date",
    "timedelta": "duration",
    "timedelta64": "duration",
    "empty": "empty",
}


def as_pandas_or_array(X):
    """Return polars and pyarrow as pandas, and a list of rows as an array."""
    if hasattr(X, "get_columns"):
        # By itself, polars would need pyarrow for this.
        return pd.DataFrame({c.name: c.to_numpy() for c in X.get_columns()})
    if hasattr(X, "column_names") and hasattr(X, "to_pandas"):
        return X.to_pandas()
    if isinstance(X, pd.DataFrame) or hasattr(X, "dtype"):
        return X
    values = np.asarray(X)
    # Numbers beside text in a list have become text.
    return np.asarray(X, dtype=object) if values.dtype.kind in "US" else values


def is_plain(dtype):
    """Tell whether a dtype is one of numpy's numbers, booleans not among them."""
    return isinstance(dtype, np.dtype) and dtype.kind in "iuf"


def kind_of(column):
    """Return what a column of a DataFrame holds, a key below or ``"empty"``."""
    return _KINDS.get(infer_dtype(column, skipna=True), "category")


def check_kind(column, kind):
    """Raise if a column cannot be what it was in `fit`."""
    actual = kind_of(column)
    takes = {"number": {"boolean"}, "boolean": {"number"}}.get(kind, set())
    if kind in ("category", "empty", actual) or actual in takes or column.isna().all():
        return
    example = column[column.notna().to_numpy()].iloc[0]
    raise ValueError(
        f"Column {column.name!r} of X must hold {kind}s, as it did in fit. Got "
        f"{example!r}."
    )


def _numbers(column):
    known = column.notna().to_numpy()
    numbers = np.full(len(column), np.nan)
    numbers[known] = np.asarray(column[known], dtype=np.float64)
    return numbers


def _days_of_dates(column):
    # Only for pandas below 2 are there dates too far away, which become missing.
    dates = pd.to_datetime(column, utc=True, errors="coerce").dt.tz_localize(None)
    moments = dates.to_numpy().astype("datetime64[us]")
    return (moments - np.datetime64(0, "us")) / np.timedelta64(1, "D")


def _days_of_durations(column):
    durations = pd.to_timedelta(column, errors="coerce").to_numpy()
    return durations.astype("timedelta64[us]") / np.timedelta64(1, "D")


def _texts(column):
    """Return a column as text, with None for what is missing."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        texts = [*map(text_of, column.cat.categories), None]
        return np.array(texts, dtype=object)[column.cat.codes]
    texts = np.full(len(column), None, dtype=object)
    known = column.notna().to_numpy()
    # As objects, which take no more room than each of them needs.
    texts[known] = np.array([text_of(value) for value in column[known]], dtype=object)
    return texts


def _texts_of_booleans(column):
    numbers = _numbers(column)
    # Like all missing texts, what is neither is None.
    texts = np.full(len(column), None, dtype=object)
    texts[numbers == 0] = "False"
    texts[numbers == 1] = "True"
    return texts


TO_NUMBERS = {
    "number": _numbers,
    "date": _days_of_dates,
    "duration": _days_of_durations,
}
"""Functions that make floats of a column, NaN where it is missing, by its kind."""

TO_TEXT = {"category": _texts, "boolean": _texts_of_booleans}
"""Functions that make text of a column, None where it is missing, by its kind."""
