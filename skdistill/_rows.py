"""The rows of a caller: their form, and their order of columns. Numpy only."""

import numpy as np

from skdistill._values import is_missing, number_of


def n_rows_of(X):
    """Return the number of rows of an array, a table, or a list of rows."""
    return X.shape[0] if hasattr(X, "shape") else len(X)


def check_form_of_table(estimator, X):
    """Raise if `X`, which a preprocessor is to check otherwise, has not a row."""
    shape = X.shape if hasattr(X, "shape") else np.asarray(X, dtype=object).shape
    if len(shape) != 2:
        raise ValueError(
            f"X must have two dimensions, rows and columns. Got shape {shape}. Reshape "
            "your data by X.reshape(1, -1) if it is one row."
        )
    if shape[0] == 0:
        raise ValueError(
            f"Found array with 0 sample(s) (shape={shape}) while a minimum of 1 is "
            f"required by {type(estimator).__name__}."
        )


def in_order(estimator, X):
    """Return a table with named columns in the order that `fit` got them in."""
    names, given = getattr(estimator, "feature_names_in_", None), None
    if names is not None and hasattr(X, "columns"):
        given = _names_of(X)
    if given is None or given == [*names] or {*given} != {*names}:
        return X
    return X.select([*names]) if _is_arrow(X) else X[[*names]]


def check_names(estimator, X):
    """Raise if the columns of a table are not named as those that `fit` got."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None or _names_of(X) == [*names]:
        return
    missing = [name for name in names if name not in _names_of(X)]
    unknown = [name for name in _names_of(X) if name not in [*names]]
    raise ValueError(
        "The feature names should match those that were passed during fit, each of "
        f"them once. Missing: {missing}; not seen in fit: {unknown}."
    )


def _names_of(X):
    return X.column_names if _is_arrow(X) else [*X.columns]


def _is_arrow(X):
    """Tell a table of pyarrow, whose `columns` are the data."""
    return hasattr(X, "schema") and hasattr(X, "column_names")


def numbers_of(X):
    """Return an array as numbers, with NaN for what is missing, or raise."""
    if X.dtype.kind in "buif":
        return X
    if X.dtype.kind != "O":
        raise ValueError(f"X must hold numbers only. Got an array of {X.dtype}.")
    numbers = np.full(X.shape, np.nan)
    for place, value in np.ndenumerate(X):
        if is_missing(value):
            continue
        try:
            numbers[place] = number_of(value)
        except TypeError as error:
            raise ValueError(f"X must hold numbers only. Got {value!r}.") from error
        except OverflowError as error:
            raise ValueError(
                "X must hold numbers that a float can hold. Got a whole number that is "
                "too large."
            ) from error
    return numbers


def filled(estimator, X):
    """Return rows without what a preprocessor would fill, or clip.

    It is for one that the first layer has taken the place of. Infinity stays.
    """
    preprocessor = vars(estimator).get("preprocessor_")
    if not hasattr(preprocessor, "medians_"):
        return X
    X = np.where(np.isnan(X), preprocessor.medians_, X)
    if preprocessor._limits is None:
        return X
    return np.where(np.isinf(X), X, X.clip(*preprocessor.limits_))


def limits_of_rows(limits):
    """Return what a preprocessor clips to, as float32, or None if it does not clip.

    It is kept as `_limits`, for where the first layer has taken the place of it.
    """
    if not np.isfinite(limits).any():
        return None
    with np.errstate(over="ignore"):
        return limits.astype(np.float32)


def as_float32(X):
    """Return rows as C-contiguous float32 that torch takes without a warning."""
    if type(X) is np.ndarray and X.dtype == np.float32:
        flags = X.flags
        if flags.c_contiguous and flags.writeable:
            return X
    with np.errstate(over="ignore", invalid="ignore"):
        return np.require(X, np.float32, ["C", "W"])
