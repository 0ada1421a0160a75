"""How the student of an estimator is taught: the teacher, what it says, and peers."""

import warnings
from copy import deepcopy
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import process_routing

from skdistill._ensemble import EnsembleTeacher
from skdistill._sklearn import BaseSearchCV, _routing_enabled
from skdistill._students.network import NETWORK_PARAMETERS
from skdistill._targets.cache import computed_once, content_key
from skdistill._targets.logits import proba_to_logits, teacher_logits, without_zeros
from skdistill._targets.out_of_fold import fitted_weights, stratified_folds
from skdistill._targets.teacher import VERSIONS, taught_once
from skdistill._teaching_settings import (
    blends,
    chosen_teacher,
    has_folds,
    is_calibrated_here,
)
from skdistill._training.budget import NOISY, budget_of
from skdistill._validation import draw_seeds, n_weighty, seeded_clone

N_CALIBRATION_FOLDS = 5
N_PEERS = 6
"""As many as an ensemble has folds, so that each row is left out by one."""


class Lesson(NamedTuple):
    """What a student learns from: the teacher's logits over a temperature, and peers'.

    `logits` are ``teacher's / temperature + peer_weight * peers'``; `out_of_fold` is
    whether these are of models that left out the row. `error` is the share of rows that
    such models get wrong, or None without them; `teacher_score` is the accuracy of the
    teacher among them. Without peers, they are None.
    """

    teacher: object = None
    logits: np.ndarray | None = None
    temperature: float = 1.0
    peer_weight: float = 0.0
    out_of_fold: bool = False
    error: float | None = None
    teacher_score: float | None = None
    peers: object = None

    def answers_of(self, rows, classes):
        """Return what the teacher says of `FurtherRows`."""
        blocks = [teacher_logits(self.teacher, X, classes) for X in rows.blocks()]
        (answers,) = without_zeros(np.concatenate(blocks))
        return answers

    def logits_of(self, rows, answers):
        """Return what the student is to learn of `FurtherRows`."""
        logits = answers / self.temperature
        if self.peers is not None:
            logits += self.peer_weight * self.peers.predict_logits(rows.X_student)
        return logits.astype(np.float32)


class Seeds(NamedTuple):
    """Of all that `fit` draws; `transfer` only where that is given."""

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
    estimator.teacher_score_ = lesson.teacher_score


def given_lesson(soft_targets):
    """Return what a student learns from soft targets that are given, checked."""
    (logits,) = without_zeros(proba_to_logits(soft_targets).astype(np.float32))
    return Lesson(logits=logits)


class Answers(NamedTuple):
    """What a teacher says of its training rows.

    `out_of_fold` is what others of its kind say, each of the rows that it left out, or
    None without such.
    """

    teacher: object
    logits: np.ndarray
    out_of_fold: np.ndarray | None = None


def ask_teacher(estimator, X, y, fit_params, sample_weight, seeds, for_folds):
    """Fit the teacher of an estimator, and ask it about the rows it was fitted on.

    Nothing of this depends on the student.

    Parameters
    ----------
    estimator : DistilledClassifier
        With the form of the data.
    X : array-like
        The caller's own rows.
    y : ndarray of shape (n_samples,)
        The labels.
    fit_params : dict
        What else the teacher is fitted with.
    sample_weight : ndarray of shape (n_samples,) or None
        As `validate_classification` returns it.
    seeds : Seeds
    for_folds : dict
        The metadata that `target_cv` takes.

    Returns
    -------
    Answers
    """
    given, random_state = chosen_teacher(estimator), estimator.random_state
    index = np.searchsorted(estimator.classes_, y)
    if has_folds(estimator):
        folds = _folds_of_target_cv(estimator, X, y, for_folds)
    else:
        folds = _folds_of_calibration(estimator, index, sample_weight, seeds.others)
    teacher, logits, out_of_fold = taught_once(
        estimator.memory,
        given,
        random_state,
        estimator.target_cv,
        seeded_clone(given, random_state=random_state, seed=seeds.teacher),
        X,
        y,
        fit_params,
        estimator.classes_,
        folds,
        n_jobs=estimator.n_jobs,
    )
    return Answers(teacher, logits, out_of_fold)


def lesson_from(estimator, answers, X_student, y, sample_weight, seeds):
    """Return what the student of an estimator learns from the answers of a teacher.

    Parameters
    ----------
    estimator : DistilledClassifier
        With the form of the data.
    answers : Answers
    X_student : ndarray of shape (n_samples, n_columns), dtype float32
        The rows as networks see them.
    y : ndarray of shape (n_samples,), dtype int64
        Indices of the classes.
    sample_weight : ndarray of shape (n_samples,) or None
        As `validate_classification` returns it.
    seeds : Seeds

    Returns
    -------
    Lesson
    """
    teacher, logits, out_of_fold = answers
    if out_of_fold is None:
        out_of_fold = _out_of_fold_of(teacher, len(y))
        if out_of_fold is None:
            return Lesson(teacher, logits)
    teacher_score = 1 - _error(out_of_fold, y, sample_weight)
    sources, peers = [(logits, out_of_fold)], None
    if blends(estimator):
        peers = _peers(estimator, X_student, y, sample_weight, seeds.others)
        sources.append((peers.predict_logits(X_student), peers.oof_logits_))
    weights = np.ones(1)
    if is_calibrated_here(estimator) or peers is not None:
        known = _known(sum(left_out for _, left_out in sources), sample_weight)
        weights = fitted_weights(
            [left_out[known] for _, left_out in sources],
            y[known],
            None if sample_weight is None else sample_weight[known],
        )
    logits, out_of_fold = (
        sum(w * z for w, z in zip(weights, of_sources, strict=True)).astype(np.float32)
        for of_sources in zip(*sources, strict=True)
    )
    error = _error(out_of_fold, y, sample_weight)
    # Of the only row of a class, nobody can say anything without having seen it.
    out_of_fold = np.where(np.isnan(out_of_fold), logits, out_of_fold)
    is_out_of_fold = has_folds(estimator) or _is_noise(estimator, error)
    return Lesson(
        teacher,
        out_of_fold if is_out_of_fold else logits,
        float(1 / weights[0]),
        float(weights[1]) if len(weights) > 1 else 0.0,
        is_out_of_fold,
        error,
        teacher_score,
        peers,
    )


def _out_of_fold_of(teacher, n_rows):
    """Return what an EnsembleTeacher said of these rows out of fold, or None."""
    while True:
        match teacher:
            case Pipeline():
                teacher = teacher.steps[-1][1]
            case BaseSearchCV():
                teacher = teacher.best_estimator_
            case EnsembleTeacher():
                logits = teacher.oof_logits_
                # A step before it may have drawn other rows.
                is_of_rows = logits is not None and len(logits) == n_rows
                return logits if is_of_rows else None
            case _:
                return None


def _is_noise(estimator, error):
    """Tell whether "auto" takes out-of-fold logits for soft targets.

    Where they are often wrong, labels are noise for the most part, and what a teacher
    says of rows that it was fitted on is that noise.
    """
    return isinstance(estimator.target_cv, str) and error > NOISY


def _known(out_of_fold, sample_weight):
    """Tell which rows some model left out, of those that are there."""
    known = np.isfinite(out_of_fold).all(axis=1)
    return known if sample_weight is None else known & (sample_weight > 0)


def _error(out_of_fold, y, sample_weight):
    """Return the share of rows that are wrong out of fold, of those that are there."""
    known = _known(out_of_fold, sample_weight)
    wrong = out_of_fold[known].argmax(axis=1) != y[known]
    weight = None if sample_weight is None else sample_weight[known]
    return float(np.average(wrong, weights=weight))


def _peers(estimator, X, y, sample_weight, seed):
    """Return networks like the student that learn from labels alone, fitted."""
    peers = EnsembleTeacher(
        n_estimators=N_PEERS,
        dropout=0.0,
        calibrate=True,
        random_state=seed,
        **{name: getattr(estimator, name) for name in NETWORK_PARAMETERS},
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


def _folds_of_target_cv(estimator, X, y, metadata):
    """Return the rows that further teachers leave out, of each fold of `target_cv`."""
    if _routing_enabled():
        metadata = process_routing(estimator, "fit", **metadata).target_splitter.split
    # A copy, whose RandomState starts anew for each fold of a search.
    cv = check_cv(deepcopy(estimator.target_cv), y, classifier=True)
    rows = np.arange(len(y))
    folds = [rows[test] for _, test in cv.split(X, y, **metadata)]  # or masks
    times = np.bincount(np.concatenate(folds), minlength=len(y))
    if (times != 1).any():
        row = int((times != 1).argmax())
        raise ValueError(
            "The 'target_cv' parameter must leave out every row once. Got "
            f"{estimator.target_cv!r}, which does so {times[row]} times with row {row}."
        )
    return folds


def _folds_of_calibration(estimator, index, sample_weight, seed):
    """Return the rows that further teachers leave out to be calibrated, if they are."""
    if not is_calibrated_here(estimator):
        return []
    kept = np.arange(len(index))
    if sample_weight is not None:
        kept = np.flatnonzero(sample_weight)
    # Without its only row, a class would be unknown.
    kept = kept[np.bincount(index[kept])[index[kept]] > 1]
    folds = stratified_folds(index[kept], N_CALIBRATION_FOLDS, seed)
    return [kept[fold] for fold in folds if len(fold)]
