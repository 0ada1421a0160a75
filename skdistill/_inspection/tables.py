"""Tables of the user's: read, their classes counted, and split."""

import bz2
import gzip
import lzma
import os
import re
from contextlib import contextmanager

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from skdistill._inspection.columns import numbers_of_text
from skdistill._inspection.errors import InputError
from skdistill._values import text_of

MIN_PER_CLASS = 5
MANY_CLASSES = 20
SEPARATORS = ",;\t|"
NO_PARQUET = "Parquet files take pyarrow; pip install 'skdistill[parquet]'"
MERGED = "other"
"""The class that `with_rare_classes` makes of rare ones."""


def is_parquet(path):
    """Tell by its name whether a file is one of Parquet."""
    return os.fspath(path).lower().endswith((".parquet", ".pq"))


@contextmanager
def opened(path):
    """Open a file that may be compressed, and yield it and a file of what is in it.

    How far the first one has been read says how much there is to come.
    """
    opener = opener_of(path)
    with open(path, "rb") as raw:
        if opener is open:
            yield raw, raw
        else:
            with opener(raw) as file:
                yield raw, file


def opener_of(path):
    """Return what opens a file for reading and writing, by its name, or raise."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in _UNKNOWN:
        raise InputError(
            f"{path}: files may be compressed as {', '.join(_OPENERS)}, not as {suffix}"
        )
    return _OPENERS.get(suffix, open)


_OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_UNKNOWN = {".7z", ".br", ".lz4", ".lzma", ".rar", ".tar", ".tgz", ".z", ".zip", ".zst"}


def separator_of(path):
    """Return what separates the columns of a CSV file, by its first line."""
    if "://" in path or path.lower().endswith((".tar", ".tgz", ".zip", ".zst")):
        return ","
    with opened(path) as (_, file):
        line = file.readline().decode("utf-8", "replace")
    unquoted = re.sub('"[^"]*"', "", line)
    return max(SEPARATORS, key=unquoted.count)


def no_column(wanted, path, columns):
    """Return the error for a column that a file has not."""
    shown = ", ".join(map(str, columns[:20])) + ", ..." * (len(columns) > 20)
    return InputError(f"no column {wanted!r} in {path}; its columns are: {shown}")


def load_table(path, target):
    """Return the features and the labels of a file, and a note on what is left out.

    The note is text, empty where there is nothing to say.
    """
    # Labels such as "None" and "NA" are no holes. pandas 3 makes holes of them, even
    # after a converter, hence the mark in front, which comes off below.
    try:
        if is_parquet(path):
            table = pd.read_parquet(path)
        else:
            table = pd.read_csv(
                path,
                sep=separator_of(os.fspath(path)),
                low_memory=False,
                converters={target: "=".__add__},
            )
    except ImportError as error:
        raise InputError(NO_PARQUET) from error
    except Exception as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {path}: {why}") from error
    if target not in table.columns:
        raise no_column(target, path, list(table.columns))
    y = table.pop(target)
    y = y.map(text_of, na_action="ignore") if is_parquet(path) else y.str[1:]
    known = y.notna() & (y != "")
    n_dropped = len(y) - known.sum()
    dropped = f"Dropped {n_dropped:,} of {len(y):,} rows, which have no {target!r}."
    table = table[known]
    if table.dropna(axis="columns", how="all").empty:
        raise InputError(f"{path} has no rows, or no features beside {target!r}")
    y = labels_of_text(y[known].astype(object))
    for column, values in [*table.items(), (target, y)]:
        if values.isin([np.inf, -np.inf]).any():
            raise InputError(f"column {column!r} of {path} has infinite values")
    return table, y.to_numpy(), dropped if n_dropped else ""


def labels_of_text(y):
    """Return whole numbers or booleans if all labels are such, and text otherwise."""
    if y.isin(["True", "TRUE", "true", "False", "FALSE", "false"]).all():
        return y.str.lower() == "true"
    numbers = pd.to_numeric(y, errors="coerce")
    if numbers.isna().any():
        return y.astype(object)
    if pd.api.types.is_integer_dtype(numbers) or np.isinf(numbers).any():
        return numbers
    if (numbers % 1 != 0).any():
        return numbers.astype(str).astype(object)
    # Beyond 2**53, floats of different whole numbers can be the same.
    return numbers.astype("int64") if (abs(numbers) < 2**53).all() else y.astype(object)


def with_rare_classes(X, y, policy, *, max_rows, target="y"):
    """Return a table whose classes can be split, and a note on what was done.

    Parameters
    ----------
    X : DataFrame
    y : ndarray
    policy : {"error", "drop", "merge"}
        Whether rows of classes too rare to split are an error, left out, or become
        one class, named `MERGED`.
    max_rows : int
        The number of rows, at most, that are to be split.
    target : str
        The name of `y`, for the messages.

    Raises
    ------
    InputError
        If classes are too rare, or if `y` looks like a target for regression.
    """
    n_rows = min(len(y), max_rows)
    counts = pd.Series(y).value_counts()
    # A list has Python's own numbers, which read better in a message.
    classes = counts.index.tolist()
    rare = counts[counts * n_rows < MIN_PER_CLASS * len(y)].index.tolist()
    if not rare or len(classes) < 2:
        return X, y, ""
    if looks_like_regression(classes, len(y)):
        raise InputError(
            f"column {target!r} looks like a target for regression, with "
            f"{len(classes):,} different numbers in {len(y):,} rows; skdistill learns "
            "classes: give a --target with few, or bin this one"
        )
    if policy == "error":
        rarest, count = classes[-1], counts.iloc[-1]
        raise InputError(
            f"class {rarest!r} of the target has {count:,} of {len(y):,} rows, too few "
            f"to split {n_rows:,}: each class needs {MIN_PER_CLASS} among those; try "
            "--rare-classes drop or merge"
        )
    is_rare = np.isin(y, rare)
    if policy == "merge" and is_rare.sum() * n_rows < MIN_PER_CLASS * len(y):
        raise InputError(
            f"the rare classes have {is_rare.sum():,} of {len(y):,} rows together, too "
            f"few to split {n_rows:,}: a class needs {MIN_PER_CLASS} among those; try "
            "--rare-classes drop"
        )
    named = ", ".join(map(repr, rare[:5])) + ", ..." * (len(rare) > 5)
    n_classes = f"{len(rare)} rare class" + "es" * (len(rare) > 1)
    if policy == "drop":
        note = f"Dropped {is_rare.sum():,} of {len(y):,} rows, of {n_classes}: {named}."
        return X[~is_rare], y[~is_rare], note
    note = f"Merged {n_classes}, {is_rare.sum():,} rows, into {MERGED!r}: {named}."
    y = np.array([text_of(label) for label in y.tolist()], dtype=object)
    y[is_rare] = MERGED
    return X, y, note


def table_splits(X, y, seeds, plan, target="y"):
    """Return one stratified split of a table, four to one, per seed."""
    classes = pd.unique(y).tolist()
    if len(classes) < 2:
        raise InputError(f"the target has a single class, {classes[0]!r}")
    with_rare_classes(X, y, "error", max_rows=plan.max_rows, target=target)
    n_rows = min(len(y), plan.max_rows)
    sizes = {"train_size": n_rows - n_rows // 5, "test_size": n_rows // 5}
    return [
        train_test_split(X, y, **sizes, stratify=y, random_state=seed) for seed in seeds
    ]


def looks_like_regression(classes, n_rows):
    """Return whether the classes are numbers, and too many for names of classes."""
    _, wrong = numbers_of_text(pd.Series(classes, dtype=object))
    return not wrong.any() and len(classes) > min(MANY_CLASSES, n_rows / 2)
