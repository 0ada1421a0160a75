"""Which teacher an estimator has, and how its student is taught by it."""

import warnings
from copy import deepcopy
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import validate_data

from skdistill._ensemble import EnsembleTeacher
from skdistill._sklearn import BaseSearchCV, _routing_enabled
from skdistill._students.network import NETWORK_PARAMETERS
from skdistill._targets.cache import computed_once, content_key
from skdistill._targets.logits import teacher_logits
from skdistill._targets.out_of_fold import (
    fitted_weights,
    innermost,
    stratified_folds,
)
from skdistill._targets.teacher import (
    VERSIONS,
    check_teacher,
    taught_once,
    unfitted_teacher,
)
from skdistill._targets.transfer import with_made
from skdistill._training.budget import budget_of
from skdistill._training.loss import UNLABELLED
from skdistill._validation import draw_seeds, n_weighty

N_CALIBRATION_FOLDS = 5
NOISY = 0.1
"""Share of rows that may be wrong out of fold before "auto" learns from there."""
N_PEERS = 6
"""As many as an ensemble has folds, so that each row is left out by one."""


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
    what = None
    if soft_targets is not None:
        what = "soft_targets, which come from no teacher"
    elif innermost(estimator.teacher)[1]:
        what = "a FrozenEstimator, which may have seen all rows"
    if what is not None and _has_folds(estimator):
        raise ValueError(
            f"The 'target_cv' parameter must be 'auto' or None with {what}: it fits "
            "the teacher anew without each of the folds."
        )
    calibrated = soft_targets is None and _calibrates_itself(estimator.teacher)
    if what is not None and estimator.calibrate is True and not calibrated:
        raise ValueError(
            f"The 'calibrate' parameter cannot be True with {what}: it fits the "
            "teacher anew without each of several folds. Calibrate what you give, or "
            "use calibrate='auto' or False."
        )
    if soft_targets is not None and estimator.transfer is not None:
        raise ValueError(
            "The 'transfer' parameter must be None with soft_targets: there is no "
            f"teacher to label further rows. Got {estimator.transfer!r}."
        )
    blends = soft_targets is None and _blends(estimator)
    if estimator.blend is True and not blends:
        raise ValueError(
            "The 'blend' parameter can be True only where `fit` calibrates the "
            "teacher and the student is a StudentModel: with `calibrate`, for a "
            "teacher that is neither frozen nor calibrates itself, without `student` "
            "and `soft_targets`. Use blend='auto' or False."
        )


class Lesson(NamedTuple):
    """What a student learns from: the teacher's logits over a temperature, and peers'.

    `logits` are ``teacher's / temperature + peer_weight * peers'``; `out_of_fold` is
    whether these are of models that left out the row. Without peers, they are None.
    """

    teacher: object = None
    logits: np.ndarray | None = None
    temperature: float = 1.0
    peer_weight: float = 0.0
    out_of_fold: bool = False
    peers: object = None

    def logits_of(self, rows, classes):
        """Return what the student is to learn of `FurtherRows`."""
        logits = teacher_logits(self.teacher, rows.X, classes) / self.temperature
        if self.peers is not None:
            logits += self.peer_weight * self.peers.predict_logits(rows.X_student)
        return logits.astype(np.float32)


class FurtherRows(NamedTuple):
    """Rows that `transfer` made, as teachers get them and as networks do."""

    X: object
    X_student: np.ndarray


def further_rows(estimator, X, sample_weight, seeds):
    """Return what `transfer` makes of rows of positive weight, or None.

    Parameters
    ----------
    estimator : DistilledClassifier
        With the form of the data.
    X : array-like
        The caller's own rows.
    sample_weight : ndarray of shape (n_samples,) or None
    seeds : Seeds
    """
    if estimator.transfer is None or estimator.alpha == 0:
        return None
    if sample_weight is not None:
        X = _safe_indexing(X, np.flatnonzero(sample_weight))
    made = estimator.transfer.sample(X, random_state=seeds.transfer)
    for_networks = validate_data(estimator, made, reset=False, dtype=np.float32)
    return FurtherRows(made, np.ascontiguousarray(for_networks))


def join(estimator, lesson, further, X, y, values):
    """Return the rows of a student, their labels and values, with `further` rows."""
    if further is None:
        return X, y, values
    logits = lesson.logits_of(further, estimator.classes_)
    return (
        np.concatenate([X, further.X_student]),
        np.append(y, np.full(len(logits), UNLABELLED)),
        with_made(values, logits, estimator.transfer_share),
    )


class Seeds(NamedTuple):
    """Of all that `fit` draws; `transfer` only where it is given."""

    teacher: int
    student: int
    others: int
    transfer: int | None = None


def seeds_of(estimator, random_state):
    """Return the seeds that an estimator draws from its `random_state`, or a copy."""
    n_seeds = 3 if estimator.transfer is None else 4
    return Seeds(*draw_seeds(random_state, n_seeds))


def keep_lesson(estimator, lesson):
    """Set what `fit` learns, on `estimator`, from the lesson of its student."""
    estimator.teacher_ = lesson.teacher
    estimator.teacher_temperature_ = lesson.temperature
    estimator.peer_weight_ = lesson.peer_weight
    estimator.out_of_fold_ = lesson.out_of_fold


def teach(estimator, X, X_student, y, fit_params, sample_weight, seeds):
    """Fit the teacher of an estimator, and ask it what the student is to learn.

    Parameters
    ----------
    estimator : DistilledClassifier
        With the form of the data.
    X : array-like
        The caller's own rows.
    X_student : ndarray of shape (n_samples, n_features), dtype float32
        The same as networks take them.
    y : ndarray of shape (n_samples,)
        The labels.
    fit_params : dict
        What else the teacher is fitted with.
    sample_weight : ndarray of shape (n_samples,) or None
        As `validate_classification` returns it.
    seeds : Seeds

    Returns
    -------
    Lesson
    """
    given, random_state = chosen_teacher(estimator), estimator.random_state
    index = np.searchsorted(estimator.classes_, y)
    folds = _folds(estimator, X, y, index, sample_weight, seeds.others)
    teacher, logits, out_of_fold = taught_once(
        estimator.memory,
        given,
        random_state,
        estimator.target_cv,
        unfitted_teacher(given, random_state=random_state, seed=seeds.teacher),
        X,
        y,
        fit_params,
        estimator.classes_,
        folds,
        n_jobs=estimator.n_jobs,
    )
    if not folds:
        return plain_lesson(estimator, teacher, logits, index, sample_weight)
    sources, peers = [(logits, out_of_fold)], None
    if _blends(estimator):
        peers = _peers(estimator, X_student, index, sample_weight, seeds.others)
        sources.append((peers.predict_logits(X_student), peers.oof_logits_))
    weights = np.ones(1)
    if _is_calibrated_here(estimator):
        seen = np.concatenate(folds)
        if sample_weight is not None:
            seen = seen[sample_weight[seen] > 0]
        weights = fitted_weights(
            [honest[seen] for _, honest in sources],
            index[seen],
            None if sample_weight is None else sample_weight[seen],
        )
    logits, honest = (
        sum(w * z for w, z in zip(weights, of_sources, strict=True)).astype(np.float32)
        for of_sources in zip(*sources, strict=True)
    )
    # Of the only row of a class, nobody can say anything without having seen it.
    honest = np.where(np.isnan(honest), logits, honest)
    is_honest = _has_folds(estimator) or _prefers(
        estimator, honest, index, sample_weight
    )
    return Lesson(
        teacher,
        honest if is_honest else logits,
        float(1 / weights[0]),
        float(weights[1]) if len(weights) > 1 else 0.0,
        is_honest,
        peers,
    )


def plain_lesson(estimator, teacher, logits, index, sample_weight):
    """Return what a teacher teaches that is neither calibrated here nor blended.

    Parameters
    ----------
    estimator : DistilledClassifier
    teacher : classifier
        Fitted.
    logits : ndarray of shape (n_samples, n_classes)
        The teacher's.
    index : ndarray of shape (n_samples,)
        The labels, as indices of classes.
    sample_weight : ndarray of shape (n_samples,) or None
    """
    honest = _out_of_fold_of(teacher)
    if honest is None or not _prefers(estimator, honest, index, sample_weight):
        return Lesson(teacher, logits)
    return Lesson(teacher, honest, out_of_fold=True)


def _out_of_fold_of(teacher):
    """Return what an EnsembleTeacher said of rows out of fold, or None."""
    while True:
        match teacher:
            case Pipeline():
                teacher = teacher.steps[-1][1]
            case BaseSearchCV():
                teacher = teacher.best_estimator_
            case EnsembleTeacher():
                return teacher.oof_logits_
            case _:
                return None


def _prefers(estimator, honest, index, sample_weight):
    """Tell whether "auto" takes out-of-fold logits for soft targets.

    Where they are often wrong, labels are noise for the most part, and what a teacher
    says of rows that it was fitted on is that noise.
    """
    if not isinstance(estimator.target_cv, str):
        return False
    known = np.isfinite(honest).all(axis=1)
    if sample_weight is not None:
        known &= sample_weight > 0
    wrong = honest[known].argmax(axis=1) != index[known]
    weight = None if sample_weight is None else sample_weight[known]
    return bool(np.average(wrong, weights=weight) > NOISY)


def _peers(estimator, X, y, sample_weight, seed):
    """Return networks like the student that learn from labels alone, fitted."""
    names = (*NETWORK_PARAMETERS, "verbose")
    peers = EnsembleTeacher(
        n_estimators=N_PEERS,
        dropout=0.0,
        calibrate=True,
        random_state=seed,
        **{name: getattr(estimator, name) for name in names},
    )
    budget = budget_of(estimator, n_weighty(X, sample_weight), "student")
    peers.set_params(**budget._asdict())

    def compute():
        with warnings.catch_warnings():
            # The student, which is trained alike, says it itself.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return peers.fit(X, y, sample_weight=sample_weight)

    if estimator.memory is None or not isinstance(estimator.random_state, Integral):
        return compute()
    key = content_key(VERSIONS, peers, X, y, sample_weight)
    return computed_once(estimator.memory, key, compute)


def asks_others(estimator):
    """Tell whether, beside its teacher, `estimator` fits others on part of the rows."""
    return _has_folds(estimator) or _is_calibrated_here(estimator)


def _has_folds(estimator):
    """Tell whether the user has given the folds of `target_cv`."""
    cv = estimator.target_cv
    return cv is not None and not isinstance(cv, str)


def _is_calibrated_here(estimator):
    teacher = chosen_teacher(estimator)
    is_done = innermost(teacher)[1] or _calibrates_itself(teacher)
    return bool(estimator.calibrate) and not is_done


def _calibrates_itself(teacher):
    """Tell whether a teacher's logits are calibrated already, out of fold."""
    model, _ = innermost(teacher)
    if isinstance(model, EnsembleTeacher):
        return bool(model.calibrate) and model.n_estimators > 1
    return isinstance(model, CalibratedClassifierCV)


def _blends(estimator):
    of_own = estimator.student is None
    return bool(estimator.blend) and of_own and _is_calibrated_here(estimator)


def _folds(estimator, X, y, index, sample_weight, seed):
    """Return the rows that further teachers leave out, of each fold."""
    if _has_folds(estimator):
        # A copy, whose RandomState starts anew for each fold of a search.
        cv = check_cv(deepcopy(estimator.target_cv), y, classifier=True)
        rows = np.arange(len(y))
        folds = [rows[test] for _, test in cv.split(X, y)]  # or masks
        times = np.bincount(np.concatenate(folds), minlength=len(y))
        if (times != 1).any():
            row = int((times != 1).argmax())
            raise ValueError(
                "The 'target_cv' parameter must leave out every row once. Got "
                f"{estimator.target_cv!r}, which does so {times[row]} times with row "
                f"{row}."
            )
        return folds
    if not _is_calibrated_here(estimator):
        return []
    kept = np.arange(len(y))
    if sample_weight is not None:
        kept = np.flatnonzero(sample_weight)
    # Without its only row, a class would be unknown.
    kept = kept[np.bincount(index[kept])[index[kept]] > 1]
    folds = stratified_folds(index[kept], N_CALIBRATION_FOLDS, seed)
    return [kept[fold] for fold in folds if len(fold)]
