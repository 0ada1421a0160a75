"""How far confidence is from accuracy, in bins of confidence."""

from typing import NamedTuple

import numpy as np

N_BINS = 15
"""As many as in the paper that named the error: Guo et al., ICML 2017."""


class Bins(NamedTuple):
    """What is in bins of equal width; NaN where a bin is empty.

    `confidence` is the mean probability of the predicted class, `accuracy` the share
    of the rows that are of that class.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    counts: np.ndarray


def confidence_bins(y, proba, n_bins=N_BINS):
    """Return the bins of a model's predictions.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The true classes, as indices of columns.
    proba : ndarray of shape (n_samples, n_classes)
    n_bins : int

    Returns
    -------
    Bins
        Each of shape (n_bins,).
    """
    confidence = proba.max(axis=1).astype(np.float64)
    correct = proba.argmax(axis=1) == y
    # A bin holds its upper end, as in the paper.
    bins = np.clip(np.ceil(confidence * n_bins).astype(np.intp) - 1, 0, n_bins - 1)
    counts = np.bincount(bins, minlength=n_bins)
    sums = [np.bincount(bins, each, n_bins) for each in (confidence, correct)]
    means = [np.full(n_bins, np.nan) for _ in sums]
    for mean, total in zip(means, sums, strict=True):
        np.divide(total, counts, out=mean, where=counts > 0)
    return Bins(*means, counts)


def calibration_error(bins):
    """Return the expected calibration error: the mean gap, weighted by counts."""
    gaps = np.nan_to_num(abs(bins.confidence - bins.accuracy))
    return float(gaps @ bins.counts / bins.counts.sum())
