"""Which teacher an estimator has, and how its student is taught by it."""

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from skdistill._ensemble import EnsembleTeacher
from skdistill._sklearn import _routing_enabled
from skdistill._targets.out_of_fold import (
    OutOfFold,
    calibrates_itself,
    stratified_folds,
)
from skdistill._targets.teacher import check_teacher, taught_once, unfitted_teacher

N_CALIBRATION_FOLDS = 5


def chosen_teacher(estimator):
    """Return the teacher that an estimator was given, or that None stands for."""
    if estimator.teacher is not None:
        return estimator.teacher
    teacher = EnsembleTeacher(device=estimator.device)
    if _routing_enabled():
        teacher.set_fit_request(sample_weight=True)
    return teacher


def routing_to_teacher(estimator):
    """Return the router of an estimator with a `teacher`."""
    return (
        MetadataRouter(owner=estimator)
        .add_self_request(estimator)
        .add(
            teacher=chosen_teacher(estimator),
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )
    )


def check_teaching(estimator, soft_targets=None):
    """Raise if the teacher of `estimator` cannot teach as its parameters say."""
    check_teacher(estimator.teacher)
    frozen = isinstance(estimator.teacher, FrozenEstimator)
    done = soft_targets is not None or frozen
    what = "soft_targets" if soft_targets is not None else "a FrozenEstimator"
    if estimator.target_cv is not None and done:
        raise ValueError(
            "The 'target_cv' parameter must be None with "
            f"{what}: it fits the teacher anew without each of the folds."
        )
    calibrated = soft_targets is None and calibrates_itself(estimator.teacher)
    if estimator.calibrate is True and done and not calibrated:
        raise ValueError(
            f"The 'calibrate' parameter cannot be True with {what}: it fits the "
            "teacher anew without each of several folds. Calibrate what you give, or "
            "use calibrate='auto' or False."
        )


def teach(estimator, X, y, fit_params, sample_weight, seeds):
    """Fit the teacher of an estimator, and ask it what the student is to learn.

    Parameters
    ----------
    estimator : DistilledClassifier
        With the form of the data.
    X, y : array-like
        The caller's own rows, and the labels.
    fit_params : dict
        What else the teacher is fitted with.
    sample_weight : ndarray of shape (n_samples,) or None
        As `validate_classification` returns it.
    seeds : (int, int)
        Of the teacher, and of the folds that further teachers leave out.

    Returns
    -------
    tuple
        What `taught` returns.
    """
    given, random_state = chosen_teacher(estimator), estimator.random_state
    teacher = unfitted_teacher(given, random_state=random_state, seed=seeds[0])
    plan = _out_of_fold_plan(estimator, X, y, sample_weight, seeds[1])
    return taught_once(
        estimator.memory,
        given,
        random_state,
        teacher,
        X,
        y,
        fit_params,
        estimator.classes_,
        plan,
    )


def asks_others(estimator):
    """Tell whether, beside its teacher, `estimator` fits others on part of the rows."""
    return estimator.target_cv is not None or _is_calibrated_here(estimator)


def _is_calibrated_here(estimator):
    teacher = chosen_teacher(estimator)
    frozen = isinstance(teacher, FrozenEstimator)
    return bool(estimator.calibrate) and not (frozen or calibrates_itself(teacher))


def _out_of_fold_plan(estimator, X, y, sample_weight, seed):
    """Return what is asked of further teachers, or None."""
    calibrate = _is_calibrated_here(estimator)
    folds = []
    if estimator.target_cv is not None:
        cv = check_cv(estimator.target_cv, y, classifier=True)
        folds = [test for _, test in cv.split(X, y)]
        times = np.bincount(np.concatenate(folds), minlength=len(y))
        if (times != 1).any():
            row = int((times != 1).argmax())
            raise ValueError(
                "The 'target_cv' parameter must leave out every row once. Got "
                f"{estimator.target_cv!r}, which does so {times[row]} times with row "
                f"{row}."
            )
    elif calibrate:
        kept = np.arange(len(y))
        if sample_weight is not None:
            kept = np.flatnonzero(sample_weight)
        index = np.searchsorted(estimator.classes_, y[kept])
        # Without its only row, a class would be unknown.
        known = np.bincount(index)[index] > 1
        kept, index = kept[known], index[known]
        folds = [
            kept[fold]
            for fold in stratified_folds(index, N_CALIBRATION_FOLDS, seed)
            if len(fold)
        ]
    if not folds:
        return None
    return OutOfFold(
        folds,
        calibrate,
        estimator.target_cv is not None,
        sample_weight,
        estimator.n_jobs,
    )
