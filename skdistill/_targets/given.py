"""Soft targets that the caller brings, checked."""

import numpy as np
from sklearn.utils import check_array


def checked_soft_targets(soft_targets, n_samples, classes):
    """Return the probabilities, a column for each of `classes`, or raise."""
    proba = check_array(
        soft_targets, dtype=np.float64, input_name="soft_targets", ensure_2d=False
    )
    expected = (n_samples, len(classes))
    if proba.shape != expected:
        raise ValueError(
            f"soft_targets must have shape {expected}: a row for every row of X, a "
            f"column for each of the classes {classes.tolist()}. Got shape "
            f"{proba.shape}."
        )
    names = list(getattr(soft_targets, "columns", range(len(classes))))
    classes = classes.tolist()
    if set(names) == set(classes):
        proba = proba[:, [names.index(label) for label in classes]]
    elif names != list(range(len(names))):  # as without names
        raise ValueError(
            "soft_targets must have its columns named as the classes in y, "
            f"{classes}, or not at all. Got {names}."
        )
    wrong = (proba < 0).any(axis=1) | (np.abs(proba.sum(axis=1) - 1) > 1e-3)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            "soft_targets must be a probability distribution in every row: values "
            f">= 0 that sum to 1. Got {proba[row].tolist()} in row {row}."
        )
    return proba
