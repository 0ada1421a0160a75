"""Logits of rows that a model was not fitted on, and the temperature they call for."""

from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from skdistill._sklearn import BaseSearchCV
from skdistill._targets.logits import teacher_logits

LARGEST_TEMPERATURE = 100.0


def stratified_folds(y, n_folds, seed):
    """Return the rows of each fold, with a like share of every class.

    Unlike scikit-learn's `StratifiedKFold`, it takes classes of any size.
    """
    order = np.random.RandomState(seed).permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    return [np.sort(order[start::n_folds]) for start in range(n_folds)]


def fitted_temperature(logits, y, sample_weight=None):
    """Return the number that logits are to be divided by, to be as sure as they may be.

    It minimizes the log-loss [1]_. The labels are smoothed by one row's worth, as in
    [2]_, or a model without an error would be taken for one that makes none.

    Parameters
    ----------
    logits : ndarray of shape (n_samples, n_classes)
        Of rows that the model was not fitted on.
    y : ndarray of shape (n_samples,), dtype int64
        Indices of the classes.
    sample_weight : ndarray of shape (n_samples,), default=None

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural
       Networks", ICML 2017, arXiv:1706.04599.
    .. [2] J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
    """
    logits = logits.astype(np.float64)
    smoothing = 1 / len(y)

    def loss(log_temperature):
        surprise = -log_softmax(logits / np.exp(log_temperature), axis=1)
        rows = (1 - smoothing) * surprise[np.arange(len(y)), y]
        rows += smoothing * surprise.mean(axis=1)
        return np.average(rows, weights=sample_weight)

    bound = np.log(LARGEST_TEMPERATURE)
    found = minimize_scalar(loss, bounds=(-bound, bound), method="bounded")
    return float(np.exp(found.x))


class OutOfFold(NamedTuple):
    """What is asked of further teachers, each fitted without one fold of the rows.

    `calibrate` is whether the temperature is fitted to their logits for it,
    `as_targets` whether the student learns from these; `folds` are the rows of each
    fold. `sample_weight` counts in the temperature.
    """

    folds: list
    calibrate: bool
    as_targets: bool
    sample_weight: np.ndarray | None
    n_jobs: int | None


def out_of_fold_logits(teacher, X, y, fit_params, classes, plan):
    """Return the logits of every row from a teacher that was fitted without it."""
    n_samples = len(y)
    fits = Parallel(n_jobs=plan.n_jobs)(
        delayed(_logits_of_fold)(clone(teacher), (X, y), fit_params, classes, rows)
        for rows in plan.folds
    )
    logits = np.zeros((n_samples, len(classes)), dtype=np.float32)
    for rows, of_fold in zip(plan.folds, fits, strict=True):
        logits[rows] = of_fold
    return logits


def _logits_of_fold(teacher, data, fit_params, classes, rows):
    X, y = data
    others = np.setdiff1d(np.arange(len(y)), rows)
    fit_params = fit_params_of_rows(fit_params, others, len(y))
    teacher.fit(_safe_indexing(X, others), y[others], **fit_params)
    return teacher_logits(teacher, _safe_indexing(X, rows), classes)


def calibrates_itself(teacher):
    """Tell whether a teacher's logits are calibrated already, out of fold.

    It is looked for at the end of pipelines and in searches, fitted or not.
    """
    while True:
        match teacher:
            case FrozenEstimator() | BaseSearchCV():
                teacher = teacher.estimator
            case Pipeline():
                teacher = teacher.steps[-1][1]
            case CalibratedClassifierCV():
                return True
            case _:
                # An EnsembleTeacher, which is not known here.
                alone = getattr(teacher, "n_estimators", None) == 1
                return bool(getattr(teacher, "calibrate", False)) and not alone


def fit_params_of_rows(fit_params, rows, n_samples):
    """Return the parameters of `fit` for some of the rows: what has rows is cut."""

    def has_rows(value):
        # scikit-learn's _check_method_params raises for a numpy scalar.
        return hasattr(value, "__len__") and _num_samples(value) == n_samples

    return {
        name: _safe_indexing(value, rows) if has_rows(value) else value
        for name, value in fit_params.items()
    }
