"""Further rows for a teacher to label: made of those of a table, or the user's own."""

from typing import NamedTuple

import numpy as np
from sklearn.utils import _safe_indexing, gen_batches
from sklearn.utils.validation import _num_samples

from skdistill._network_rows import in_order, network_rows
from skdistill._training.loss import UNLABELLED

N_AT_ONCE = 2**16
"""Rows that a teacher is asked for at once, so that a memmap stays on disk."""


class FurtherRows(NamedTuple):
    """Rows without labels, as teachers get them and as networks do."""

    X: object
    X_student: np.ndarray

    def blocks(self):
        """Iterate over `X`, some rows at a time."""
        n_rows = _num_samples(self.X)
        if n_rows <= N_AT_ONCE:
            yield self.X
            return
        for batch in gen_batches(n_rows, N_AT_ONCE):
            yield _safe_indexing(self.X, batch)


def is_generator(transfer):
    """Tell what makes rows of a table from rows, whose `sample` draws some of them."""
    return hasattr(transfer, "sample") and not hasattr(transfer, "shape")


def further_rows(estimator, X, sample_weight, seed):
    """Return the rows that `transfer` is, or makes of those of positive weight.

    Without such, return None.

    Parameters
    ----------
    estimator : DistilledClassifier
        With the form of the data.
    X : array-like
        The caller's own rows.
    sample_weight : ndarray of shape (n_samples,) or None
    seed : int

    Raises
    ------
    ValueError
        If they are not like those of `X`.
    """
    if estimator.transfer is None or estimator.alpha == 0:
        return None
    rows = estimator.transfer
    if is_generator(rows):
        if sample_weight is not None:
            X = _safe_indexing(X, np.flatnonzero(sample_weight))
        rows = rows.sample(X, random_state=seed)
    if estimator.preprocessor is not None:
        rows = in_order(estimator, rows)  # for the teacher, too
    try:
        return FurtherRows(rows, network_rows(estimator, rows))
    except (TypeError, ValueError) as error:
        raise ValueError(
            "The rows of the 'transfer' parameter (of distill: X_unlabelled) must be "
            f"like those of X: {error}"
        ) from error


def join(estimator, lesson, further, *rows):
    """Ask the teacher of a lesson about `further` rows, and return `joined` rows."""
    if further is None:
        return rows
    logits = lesson.logits_of(further, lesson.answers_of(further, estimator.classes_))
    return joined(further, logits, estimator.transfer_share, *rows)


def joined(further, logits, share, X, y, values):
    """Return the rows of a student, their labels and values, with `further` rows."""
    return (
        np.concatenate([X, further.X_student]),
        np.append(y, np.full(len(logits), UNLABELLED)),
        with_made(values, logits, share),
    )


def with_made(rows, logits, share):
    """Return values per row for a table with further rows behind its own.

    Parameters
    ----------
    rows : dict of str to ndarray
        The `teacher_logits` and, unless all are equal, `sample_weight` of the table.
    logits : ndarray of shape (n_made, n_classes)
        Those of the further rows.
    share : float
        What the weights of these make of the sum.

    Returns
    -------
    dict of str to ndarray
        The same for all rows, with weights of a mean of one.
    """
    n_made, n_rows = len(logits), len(rows["teacher_logits"]) + len(logits)
    weight = rows.get("sample_weight", np.ones(n_rows - n_made)).astype(np.float64)
    weight *= (1 - share) * n_rows / weight.sum()
    weight = np.append(weight, np.full(n_made, share * n_rows / n_made))
    return {
        "sample_weight": weight.astype(np.float32),
        "teacher_logits": np.concatenate([rows["teacher_logits"], logits]),
    }
