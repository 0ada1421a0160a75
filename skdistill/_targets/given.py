"""Soft targets that the caller brings, checked."""

import warnings

import numpy as np
import pandas as pd
from sklearn.utils import check_array

from skdistill._targets.logits import align_proba


def checked_soft_targets(soft_targets, n_samples, classes):
    """Return the probabilities, a column for each of `classes`, or raise.

    Columns that have names are lined up as those of a teacher are.
    """
    proba = check_array(
        soft_targets, dtype=np.float64, input_name="soft_targets", ensure_2d=False
    )
    names = _names(soft_targets)
    n_columns = len(classes) if names is None else len(names)
    if proba.shape != (n_samples, n_columns):
        raise ValueError(
            f"soft_targets must have shape {(n_samples, n_columns)}: a row for every "
            f"row of X, a column for each of the classes {classes.tolist()}. Got shape "
            f"{proba.shape}. Where a class may be missing, as in a fold, give a "
            "DataFrame with its columns named as the classes."
        )
    wrong = (proba < 0).any(axis=1) | (np.abs(proba.sum(axis=1) - 1) > 1e-3)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            "soft_targets must be a probability distribution in every row: values "
            f">= 0 that sum to 1. Got {proba[row].tolist()} in row {row}."
        )
    if names is None:
        names = classes.tolist()
    if not set(names) & set(classes.tolist()):
        raise ValueError(
            "soft_targets must have its columns named as the classes in y, "
            f"{classes.tolist()}, or not at all. Got {names}."
        )
    missing, unused = (
        sorted(set(a) - set(b), key=str)
        for a, b in ((classes.tolist(), names), (names, classes.tolist()))
    )
    if missing and unused:
        warnings.warn(
            f"soft_targets have no column for the classes {missing} in y, while their "
            f"columns {unused} are no classes in y: is one of them misspelt?",
            UserWarning,
        )
    return align_proba(proba, np.array(names, dtype=object), classes)


def _names(soft_targets):
    """Return the names of the columns, None where they are only counted."""
    columns = getattr(soft_targets, "columns", None)
    if columns is None:
        return None
    counted = isinstance(columns, pd.RangeIndex) and columns.equals(
        pd.RangeIndex(len(columns))
    )
    return None if counted else list(columns)
