"""How long nets are trained, by the number of rows."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from skdistill import DistilledClassifier
from skdistill._training.budget import (
    STEPS,
    Budget,
    batch_size_for,
    budget,
    warn_unconverged,
)
from tests.nets import small_distilled, small_teacher

AUTO = {"max_epochs": "auto", "batch_size": "auto", "weight_decay": "auto"}


@pytest.mark.parametrize(
    ("n_rows", "expected"),
    [
        (2, (2000, 64)),  # no more epochs than these
        (500, (750, 64)),
        (4_000, (96, 64)),
        (20_000, (39, 128)),
        (100_000, (31, 512)),
        (1_000_000, (5, 512)),  # no less than these
    ],
)
def test_a_budget_of_steps_is_bounded_in_epochs(n_rows, expected):
    assert budget(n_rows, 6000, **AUTO)[:2] == expected


def test_batches_grow_with_the_table():
    sizes = [batch_size_for(n_rows) for n_rows in np.logspace(0, 7, 200).astype(int)]
    assert sizes == sorted(sizes)
    assert set(sizes) == {64, 128, 256, 512}


def test_weight_decay_is_shared_by_the_rows():
    for n_rows in (2, 90, 4000, 10**6):
        decay = budget(n_rows, 6000, **AUTO).weight_decay
        assert 0.7 < decay * n_rows < 1.42
    # Folds that differ by a row are to train as one stack.
    assert len({budget(n, 6000, **AUTO).weight_decay for n in (800, 801)}) == 1


@pytest.mark.parametrize(
    ("error", "share"), [(None, 1), (0.0, 1), (0.1, 1), (0.2, 2), (0.4, 4)]
)
def test_noisy_rows_call_for_more_decay(error, share):
    decay = budget(1024, 6000, error, **AUTO).weight_decay
    assert decay == share / 1024


def test_numbers_mean_what_they_say():
    given = {"max_epochs": 3, "batch_size": 7, "weight_decay": 0.0}
    assert budget(500, 6000, **given) == Budget(**given)
    assert budget(500, 6000, **{**AUTO, "batch_size": 500})[:2] == (2000, 500)
    assert budget(500, 6000, **{**AUTO, "max_epochs": 3})[:2] == (3, 64)


def test_estimators_train_for_their_budget(binary, monkeypatch):
    monkeypatch.setattr("skdistill._training.budget.MAX_EPOCHS", 7)
    teacher = small_teacher(max_epochs="auto", batch_size="auto")
    model = small_distilled(teacher, **AUTO).fit(*binary)
    assert model.n_iter_ == len(model.teacher_.estimators_[0].history) == 7
    assert model.student_.batch_size == 64


def test_rows_of_weight_0_are_not_in_the_budget(monkeypatch):
    monkeypatch.setattr("skdistill._training.budget.MIN_EPOCHS", 1)
    monkeypatch.setitem(STEPS, "student", 6)
    X = np.random.default_rng(0).normal(size=(300, 3))
    y = (X[:, 0] > 0).astype(int)
    model = small_distilled(LogisticRegression(), **AUTO)
    assert model.fit(X, y).n_iter_ == 2  # of 5 batches
    assert model.fit(X, y, sample_weight=np.arange(300) < 128).n_iter_ == 3


@pytest.mark.parametrize("engine", ["vectorized", "joblib"])
def test_the_learning_rate_falls_along_a_cosine(binary, engine):
    params = {"lr_schedule": "cosine", "max_epochs": 4, "lr": 0.02}
    teacher = small_teacher(engine=engine, random_state=0, **params).fit(*binary)
    constant = small_teacher(
        engine=engine, random_state=0, **{**params, "lr_schedule": "constant"}
    ).fit(*binary)
    # Neither the first epoch nor the generators know of the schedule.
    first, last = (
        [
            abs(a.history[epoch, "train_loss"] - b.history[epoch, "train_loss"])
            for a, b in zip(teacher.estimators_, constant.estimators_, strict=True)
        ]
        for epoch in (0, -1)
    )
    np.testing.assert_allclose(first, 0, atol=1e-6)
    assert min(last) > 1e-4


def test_both_engines_follow_the_schedule_alike(binary):
    params = {"lr_schedule": "cosine", "dropout": 0.0, "random_state": 0}
    logits = [
        small_teacher(engine=engine, **params).fit(*binary).predict_logits(binary[0])
        for engine in ("vectorized", "joblib")
    ]
    np.testing.assert_allclose(*logits, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("engine", ["vectorized", "joblib"])
def test_the_last_epochs_hardly_move(binary, engine):
    """A cosine of 30 epochs spends its last at a thousandth of the learning rate."""
    params = {"max_epochs": 30, "lr": 0.01, "dropout": 0.0, "random_state": 0}
    spread = {}
    for schedule in ("cosine", "constant"):
        teacher = small_teacher(engine=engine, lr_schedule=schedule, **params)
        losses = teacher.fit(*binary).estimators_[0].history[:, "train_loss"]
        spread[schedule] = abs(losses[-1] - losses[-2])
    assert spread["cosine"] < 0.2 * spread["constant"]


@pytest.mark.parametrize(
    "params", [{"max_epochs": 0}, {"max_epochs": "all"}, {"lr_schedule": "linear"}]
)
def test_bad_values_name_the_parameter(binary, params, no_training):
    (name,) = params
    for model in (small_teacher(**params), DistilledClassifier(**params)):
        with pytest.raises(ValueError, match=f"'{name}' parameter of"):
            model.fit(*binary)


@pytest.mark.parametrize(
    ("losses", "warned"),
    [
        ([1.0], False),  # which nobody can tell
        ([1.0, 0.5], True),
        ([1.0, 0.9, 0.8, 0.7, 0.6], True),
        ([1.0, 0.3, 0.2, 0.15, 0.1], False),
        ([1.0, 0.4, 0.5, 0.4, 0.5], False),
        ([1.0, 0.999, 0.998, 0.997, 0.996], False),  # which began at its floor
        ([1.0, 2.0, 3.0], False),
    ],
)
def test_a_loss_that_falls_to_the_end_is_warned_about(losses, warned):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_unconverged("the student", losses)
    assert len(caught) == warned


def test_estimators_warn_of_a_fit_that_is_too_short(blobs):
    few, many = {"max_epochs": 3, "lr": 1e-3}, {"max_epochs": 60, "lr": 0.01}
    for build in (
        small_teacher,
        lambda **p: small_distilled(LogisticRegression(), **p),
    ):
        with pytest.warns(ConvergenceWarning, match="in the second half of 3 epochs"):
            build(**few, random_state=0).fit(*blobs)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            build(**many, lr_schedule="cosine", random_state=0).fit(*blobs)
