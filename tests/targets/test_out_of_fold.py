"""Weights of logits of unseen rows, and the folds that leave these out."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import EnsembleTeacher
from skdistill._targets.out_of_fold import (
    SMALLEST_WEIGHT,
    fit_params_of_rows,
    fitted_weights,
    stratified_folds,
)
from skdistill._teaching_settings import _calibrates_itself
from tests.nets import small_distilled, small_search, small_teacher


def simulated(n_rows, scale, n_classes=3):
    """Return logits of a model, and labels drawn with the probabilities it means."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(n_rows, n_classes)) * scale
    draws = rng.random((n_rows, 1))
    return logits, (softmax(logits, axis=1).cumsum(axis=1) < draws).sum(axis=1)


def log_loss(weights, logits, y):
    log_proba = log_softmax(np.tensordot(weights, logits, 1), axis=1)
    return -log_proba[np.arange(len(y)), y].mean()


@pytest.mark.parametrize("temperature", [0.2, 1.0, 3.0, 30.0])
def test_the_temperature_of_a_model_is_found(temperature):
    logits, y = simulated(20_000, scale=2)
    (weight,) = fitted_weights([logits * temperature], y)
    assert 1 / weight == pytest.approx(temperature, rel=0.03)


def test_a_model_that_knows_nothing_has_no_weight():
    logits, y = simulated(20_000, scale=2)
    noise = np.random.default_rng(1).normal(size=logits.shape) * 2
    useful, useless = fitted_weights([logits, noise], y)
    assert useful == pytest.approx(1, rel=0.03)
    assert useless < 0.03


def test_a_model_that_is_wrong_has_the_smallest_weight():
    logits, y = simulated(2_000, scale=2)
    (weight,) = fitted_weights([-logits], y)
    assert weight == SMALLEST_WEIGHT


def test_two_halves_of_a_model_have_their_weights():
    logits, y = simulated(20_000, scale=2)
    part = np.random.default_rng(1).normal(size=logits.shape)
    first, second = fitted_weights([part, (logits - part) / 2], y)
    assert first == pytest.approx(1, rel=0.05)
    assert second == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_no_weights_of_a_grid_are_better(scale):
    logits, y = simulated(3_000, scale=2)
    noise = np.random.default_rng(1).normal(size=(2, *logits.shape))
    models = [(logits + noise[0]) * scale, (logits + 2 * noise[1]) * scale]
    found = fitted_weights(models, y)
    grid = np.linspace(0, 1, 51)[1:] / scale
    losses = {(a, b): log_loss([a, b], models, y) for a in grid for b in grid}
    best = min(losses, key=losses.get)
    # The labels are smoothed by a row's worth.
    assert log_loss(found, models, y) < losses[best] + 1e-4
    np.testing.assert_allclose(found * scale, np.array(best) * scale, atol=0.03)


def test_weights_of_rows_count_like_repetitions():
    logits, y = simulated(3_000, scale=2)
    times = np.where(logits.argmax(axis=1) == y, 1, 3)
    (weighted,) = fitted_weights([logits], y, times.astype(np.float32))
    (repeated,) = fitted_weights([logits.repeat(times, axis=0)], y.repeat(times))
    (plain,) = fitted_weights([logits], y)
    assert weighted == pytest.approx(repeated, rel=0.005)
    assert abs(plain / repeated - 1) > 0.5


@pytest.mark.parametrize("n_rows", [2, 50, 5_000])
def test_without_an_error_a_model_is_not_taken_for_one_that_makes_none(n_rows):
    y = np.arange(n_rows) % 2
    (weight,) = fitted_weights([np.eye(2)[y]], y)
    # As if half a row had another label than the model says.
    assert np.log(1 / softmax([weight, 0])[1]) == pytest.approx(
        np.log(2 * n_rows), rel=5e-3
    )


# --- Folds ----------------------------------------------------------------------------


@pytest.mark.parametrize("n_folds", [1, 2, 5, 6])
def test_folds_leave_out_every_row_once(n_folds):
    y = np.random.default_rng(0).integers(4, size=101)
    folds = stratified_folds(y, n_folds, seed=0)
    assert len(folds) == n_folds
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), np.arange(101))
    for fold in folds:
        np.testing.assert_array_equal(fold, np.sort(fold))


def test_folds_differ_by_a_row_of_every_class():
    y = np.random.default_rng(0).choice(3, p=[0.7, 0.25, 0.05], size=203)
    folds = stratified_folds(y, 5, seed=0)
    counts = np.array([np.bincount(y[fold], minlength=3) for fold in folds])
    assert np.ptp(counts, axis=0).max() <= 1
    assert np.ptp(counts.sum(axis=1)) <= 1


def test_classes_may_have_fewer_rows_than_there_are_folds():
    y = np.repeat([0, 1, 2, 3], [10, 3, 2, 1])
    folds = stratified_folds(y, 5, seed=0)
    assert sum(map(len, folds)) == 16
    for rare in (1, 2, 3):
        assert max(np.count_nonzero(y[fold] == rare) for fold in folds) == 1


def test_the_seed_decides_who_is_in_which_fold():
    y = np.arange(60) % 3
    first, same, other = (stratified_folds(y, 3, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert (np.array(first) != np.array(other)).any()
    # Nor has a fold rows that are next to each other in the table.
    assert np.diff(first[0]).max() > 3


# --- Who calibrates itself ------------------------------------------------------------


def test_fit_params_without_rows_are_left_alone():
    weight = np.arange(4.0)
    alone = {"number": np.array(4), "scalar": np.float64(4), "name": "four", "no": None}
    cut = fit_params_of_rows({"weight": weight, **alone}, [0, 2], 4)
    np.testing.assert_array_equal(cut.pop("weight"), [0, 2])
    assert {name: cut[name] is value for name, value in alone.items()} == dict.fromkeys(
        alone, True
    )


CALIBRATED = CalibratedClassifierCV(LogisticRegression())


@pytest.mark.parametrize(
    ("teacher", "expected"),
    [
        (EnsembleTeacher(), True),
        (EnsembleTeacher(calibrate=True), True),
        (EnsembleTeacher(calibrate=False), False),
        (EnsembleTeacher(n_estimators=1), False),
        (CALIBRATED, True),
        (LogisticRegression(), False),
        (make_pipeline(StandardScaler(), CALIBRATED), True),
        (make_pipeline(StandardScaler(), LogisticRegression()), False),
        (make_pipeline(StandardScaler(), "passthrough"), False),
        (GridSearchCV(make_pipeline(StandardScaler(), CALIBRATED), {}), True),
        (GridSearchCV(LogisticRegression(), {}), False),
        (FrozenEstimator(CALIBRATED), True),
        (FrozenEstimator(small_teacher()), False),
        (small_distilled(calibrate="auto"), False),
        (small_search(), False),
    ],
    ids=lambda value: getattr(type(value), "__name__", value),
)
def test_who_calibrates_itself(teacher, expected):
    assert _calibrates_itself(teacher) is expected
