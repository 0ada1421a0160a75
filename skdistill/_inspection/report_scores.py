"""The figures of a report: scores of probabilities, overall, by class and by row."""

import numpy as np
import pandas as pd
from scipy.special import rel_entr
from sklearn.metrics import accuracy_score, log_loss, recall_score, roc_auc_score

from skdistill._inspection.reliability import calibration_error, confidence_bins

ROW_SCORES = ("accuracy", "log_loss", "brier", "agreement", "kl")
"""What is a mean over rows, and so has an interval."""
N_LARGEST = 10


def row_scores(proba, y, teacher=None):
    """Return the scores of every row, in the order of `ROW_SCORES`.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
    y : ndarray of shape (n_samples,)
        The true classes, as indices.
    teacher : ndarray of shape (n_samples, n_classes), default=None
        The teacher's probabilities. Without, the last two scores are NaN.

    Returns
    -------
    ndarray of shape (5, n_samples)
    """
    rows = np.arange(len(y))
    # As scikit-learn's log_loss does.
    eps = np.finfo(proba.dtype).eps
    loss = -np.log(np.clip(proba[rows, y], eps, 1 - eps), dtype=np.float64)
    error = proba.astype(np.float64)
    error[rows, y] -= 1
    # Of two classes scikit-learn counts one.
    brier = np.square(error).sum(axis=1) / (2 if proba.shape[1] == 2 else 1)
    predicted = proba.argmax(axis=1)
    agreement = kl = np.full(len(y), np.nan)
    if teacher is not None:
        agreement = predicted == teacher.argmax(axis=1)
        kl = rel_entr(_clipped(teacher, 0), _clipped(proba, eps)).sum(axis=1)
    return np.stack([predicted == y, loss, brier, agreement, kl])


def _clipped(proba, smallest):
    proba = np.maximum(proba, smallest, dtype=np.float64)
    return proba / proba.sum(axis=1, keepdims=True)


def figures(proba, y):
    """Return the figures of one model that are scikit-learn's, and the ECE.

    Classes that are not among `y` are left out of means over classes.
    """
    n_classes = proba.shape[1]
    predicted, present = proba.argmax(axis=1), np.unique(y)
    return {
        "log_loss": float(log_loss(y, proba, labels=np.arange(n_classes))),
        "accuracy": float(accuracy_score(y, predicted)),
        # This is balanced_accuracy_score, without its warning of absent classes.
        "balanced_accuracy": float(
            recall_score(y, predicted, labels=present, average="macro", zero_division=0)
        ),
        "brier": float(row_scores(proba, y)[ROW_SCORES.index("brier")].mean()),
        "ece": calibration_error(confidence_bins(y, proba)),
        "roc_auc": _roc_auc(proba, y, present),
    }


def _roc_auc(proba, y, present):
    """Return the area under the ROC curve, of many classes the mean of one-vs-rest."""
    if len(present) < 2:
        return np.nan
    if proba.shape[1] == 2:
        present = [1]
    areas = [roc_auc_score(y == label, proba[:, label]) for label in present]
    return float(np.mean(areas))


def disagreement(proba, y, classes):
    """Return, for every class, how well models do and how student and teacher agree.

    Parameters
    ----------
    proba : dict of str to ndarray of shape (n_samples, n_classes)
        Of the `"student"`, and of `"teacher"` and `"baseline"` where these exist.
    y : ndarray of shape (n_samples,)
        The true classes, as indices.
    classes : ndarray of shape (n_classes,)
        The classes.

    Returns
    -------
    DataFrame
        A row for every class that is among `y`; the ones that student and teacher
        disagree about most come first.
    """
    by_class = pd.Series(y).groupby(y)
    table = {"rows": by_class.size()}
    teacher = proba.get("teacher")
    if teacher is not None:
        scores = row_scores(proba["student"], y, teacher)
        for name in ("agreement", "kl"):
            values = pd.Series(scores[ROW_SCORES.index(name)])
            table[name] = values.groupby(y).mean()
    for name in ("teacher", "student", "baseline"):
        if name in proba:
            correct = pd.Series(proba[name].argmax(axis=1) == y)
            table[f"{name}_accuracy"] = correct.groupby(y).mean()
    table = pd.DataFrame(table)
    if teacher is not None:
        table = table.sort_values("agreement", kind="stable")
    table.index = pd.Index(classes[table.index], name="class")
    return table


def largest_divergence(student, teacher, y, classes):
    """Return the test rows in which student and teacher differ most, as a table."""
    kl = row_scores(student, y, teacher)[ROW_SCORES.index("kl")]
    rows = np.argsort(-kl, kind="stable")[:N_LARGEST]
    table = {"kl": kl[rows], "true": classes[y[rows]]}
    for name, proba in {"teacher": teacher[rows], "student": student[rows]}.items():
        table[name] = classes[proba.argmax(axis=1)]
        table[f"{name}_proba"] = proba.max(axis=1).astype(np.float64)
    return pd.DataFrame(table, pd.Index(rows, name="row"))
