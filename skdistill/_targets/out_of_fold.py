"""Logits of rows that a model was not fitted on, and the weights they call for."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples

from skdistill._sklearn import BaseSearchCV
from skdistill._targets.encoded import EncodedTeacher
from skdistill._targets.logits import teacher_logits

SMALLEST_WEIGHT = 0.01
"""What logits are multiplied by at least: a temperature of 100; at most its inverse."""


def stratified_folds(y, n_folds, seed):
    """Return the rows of each fold, with a like share of every class.

    Unlike scikit-learn's `StratifiedKFold`, it takes classes of any size.
    """
    order = np.random.RandomState(seed).permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    return [np.sort(order[start::n_folds]) for start in range(n_folds)]


def fitted_weights(logits, y, sample_weight=None):
    """Return what logits are to be multiplied by, to be as sure as they may be.

    The weights minimize the log-loss of the sum: that of the logits of one model is
    the inverse of its temperature [1]_, and several models are stacked [2]_.

    The labels are smoothed by ``1 / n_samples``, as if one row in all had a random
    label, in the spirit of [3]_: a model that is right about all of them would get the
    largest weight there is otherwise, as if it never erred. No weight is below
    `SMALLEST_WEIGHT`, which leaves next to nothing of the logits: 0 has no inverse, and
    a negative one would turn the classes round.

    Parameters
    ----------
    logits : list of ndarray of shape (n_samples, n_classes)
        Of each model, for rows that it was not fitted on.
    y : ndarray of shape (n_samples,), dtype int64
        Indices of the classes.
    sample_weight : ndarray of shape (n_samples,), default=None

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural
       Networks", ICML 2017, arXiv:1706.04599.
    .. [2] D. Wolpert, "Stacked Generalization", Neural Networks 5, 1992.
    .. [3] J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
    """
    logits = np.stack(logits).astype(np.float64)
    n_classes = logits.shape[2]
    smoothing = 1 / len(y)
    target = np.eye(n_classes)[y] * (1 - smoothing) + smoothing / n_classes

    def loss_and_gradient(weights):
        log_proba = log_softmax(np.tensordot(weights, logits, 1), axis=1)
        loss = np.average(-(target * log_proba).sum(axis=1), weights=sample_weight)
        excess = np.exp(log_proba) - target
        gradient = [
            np.average((excess * of_model).sum(axis=1), weights=sample_weight)
            for of_model in logits
        ]
        return loss, np.array(gradient)

    start = np.full(len(logits), 1 / len(logits))
    bounds = [(SMALLEST_WEIGHT, 1 / SMALLEST_WEIGHT)] * len(logits)
    return minimize(loss_and_gradient, start, jac=True, bounds=bounds).x


def out_of_fold_logits(teacher, X, y, fit_params, classes, folds, n_jobs):
    """Return the logits of every row from a teacher that was fitted without it.

    Those of rows in none of the `folds` are NaN.
    """
    fits = Parallel(n_jobs=n_jobs)(
        delayed(_logits_of_fold)(clone(teacher), (X, y), fit_params, classes, rows)
        for rows in folds
    )
    logits = np.full((len(y), len(classes)), np.nan, dtype=np.float32)
    for rows, of_fold in zip(folds, fits, strict=True):
        logits[rows] = of_fold
    return logits


def _logits_of_fold(teacher, data, fit_params, classes, rows):
    X, y = data
    others = np.setdiff1d(np.arange(len(y)), rows)
    fit_params = fit_params_of_rows(fit_params, others, len(y))
    try:
        X_others = _safe_indexing(X, others)
        teacher = fitted_teacher(teacher, X_others, y[others], fit_params)
        return teacher_logits(teacher, _safe_indexing(X, rows), classes)
    except Exception as error:
        raise ValueError(
            f"The teacher {type(teacher).__name__} cannot do with the {len(others)} of "
            f"{len(y)} rows that one fold leaves: {str(error).rstrip('.')}. Use "
            "calibrate=False, or another target_cv."
        ) from error


def innermost(teacher):
    """Return what predicts in pipelines and searches, and whether it is frozen.

    Returns
    -------
    model : classifier
        Fitted or not.
    is_frozen : bool
    """
    is_frozen = False
    while True:
        match teacher:
            case FrozenEstimator():
                teacher, is_frozen = teacher.estimator, True
            case BaseSearchCV():
                teacher = teacher.estimator
            case Pipeline():
                teacher = teacher.steps[-1][1]
            case _:
                return teacher, is_frozen


def fitted_teacher(teacher, X, y, fit_params):
    """Fit a teacher, and return it; in an `EncodedTeacher` if it needs that.

    Raises
    ------
    ValueError
        If it is frozen, and a label is none of the indices that it was fitted on.
    """
    model, is_frozen = innermost(teacher)
    if isinstance(model, CalibratedClassifierCV):
        model, is_frozen = innermost(model.estimator)
    if any(kind.__module__.startswith("xgboost.") for kind in type(model).__mro__):
        labels = np.unique(y).tolist()
        if is_frozen:
            _check_frozen_labels(model, labels)
        elif labels != list(range(len(labels))):
            teacher = EncodedTeacher(teacher)
    return teacher.fit(X, y, **fit_params)


def _check_frozen_labels(model, labels):
    known = np.asarray(model.classes_).tolist()
    if not set(labels) <= set(known):
        raise ValueError(
            f"The frozen teacher {type(model).__name__} was fitted on the indices "
            f"{known} in place of labels, while y has {labels}: it cannot be told "
            "which is which. Give fit the same indices as y, or freeze no teacher: "
            "one that is fitted here is given indices by itself."
        )


def fit_params_of_rows(fit_params, rows, n_samples):
    """Return the parameters of `fit` for some of the rows: what has rows is cut."""

    def has_rows(value):
        # scikit-learn's _check_method_params raises for a numpy scalar; an array of no
        # dimensions has a __len__ that raises.
        if isinstance(value, str) or getattr(value, "shape", None) == ():
            return False
        return hasattr(value, "__len__") and _num_samples(value) == n_samples

    return {
        name: _safe_indexing(value, rows) if has_rows(value) else value
        for name, value in fit_params.items()
    }
