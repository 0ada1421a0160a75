"""EnsembleTeacher(calibrate=...): networks are checked on rows that they left out."""

import pickle

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss

from skdistill import EnsembleTeacher
from tests.nets import small_net, small_teacher


@pytest.fixture(params=["vectorized", "joblib"])
def calibrated(request):
    """A small ensemble of either engine, none of whose networks is dead."""
    params = {"n_estimators": 4, "hidden_layer_sizes": (16,), "random_state": 0}
    return small_teacher(engine=request.param, calibrate=True, **params)


def logits_of(nets, X):
    return np.stack([net.forward(X).numpy() for net in nets])


def those_without(row, teacher, X, y):
    """Return the networks that stay as they are when a row changes."""
    changed = X.copy()
    changed[row] += 3
    before = teacher.fit(X, y).estimators_
    after = teacher.fit(changed, y).estimators_
    pairs = zip(logits_of(before, X), logits_of(after, X), strict=True)
    same = [np.abs(a - b).max() < 1e-5 for a, b in pairs]
    return [net for net, alike in zip(before, same, strict=True) if alike]


@pytest.mark.parametrize(("n_estimators", "n_unseen"), [(2, 1), (3, 1), (12, 2)])
@pytest.mark.parametrize("averaging", ["logits", "proba"])
def test_every_row_is_judged_by_those_that_left_it_out(
    binary, calibrated, n_estimators, n_unseen, averaging
):
    X, y = binary
    calibrated.set_params(n_estimators=n_estimators, averaging=averaging)
    teacher = clone(calibrated).fit(X, y)
    assert teacher.oof_logits_.shape == (80, 2)
    for row in (0, 79):
        unseen = those_without(row, calibrated, X, y)
        assert len(unseen) == n_unseen
        votes = logits_of(unseen, X[[row]])[:, 0]
        vote = votes.mean(axis=0)
        if averaging == "proba":
            vote = np.log(np.exp(log_softmax(votes, axis=1)).mean(axis=0))
        np.testing.assert_allclose(
            teacher.oof_logits_[row] * teacher.temperature_, vote, atol=1e-4
        )


def test_the_vote_is_divided_by_the_temperature(blobs, calibrated):
    X, y = blobs
    teacher = calibrated.fit(X, y)
    assert teacher.temperature_ != 1
    np.testing.assert_allclose(
        teacher.predict_logits(X) * teacher.temperature_,
        logits_of(teacher.estimators_, X).mean(axis=0),
        atol=1e-4,
    )
    np.testing.assert_allclose(
        np.log(teacher.predict_proba(X)),
        log_softmax(teacher.predict_logits(X), axis=1),
        atol=1e-4,
    )


def test_overconfidence_is_taken_back():
    X, y = make_classification(1300, n_features=8, flip_y=0.5, random_state=0)
    X = X.astype(np.float32)
    params = {"hidden_layer_sizes": (64,), "dropout": 0.0, "max_epochs": 60}
    teacher = small_teacher(n_estimators=3, calibrate=True, random_state=0, **params)
    teacher.fit(X[:300], y[:300])
    assert teacher.temperature_ > 1.5
    logits = teacher.predict_logits(X[300:]) * teacher.temperature_
    without = log_loss(y[300:], np.exp(log_softmax(logits, axis=1)))
    assert log_loss(y[300:], teacher.predict_proba(X[300:])) < without - 0.1


def test_no_temperature_has_a_lower_loss_on_unseen_rows(binary, calibrated):
    X, y = binary
    logits = calibrated.fit(X, y).oof_logits_

    def loss(factor):
        return -log_softmax(logits * factor, axis=1)[np.arange(80), y].mean()

    # Up to the smoothing of the labels.
    assert loss(1) < min(loss(0.7), loss(1.4))


def test_rows_of_weight_0_are_judged_by_nobody(binary, calibrated):
    X, y = binary
    weight = np.ones(80)
    weight[::5] = 0
    kept = weight > 0
    weighted = clone(calibrated).fit(X, y, sample_weight=weight)
    assert np.isnan(weighted.oof_logits_[~kept]).all()
    without = calibrated.fit(X[kept], y[kept])
    np.testing.assert_allclose(
        weighted.oof_logits_[kept], without.oof_logits_, rtol=1e-3, atol=1e-4
    )
    assert weighted.temperature_ == pytest.approx(without.temperature_, rel=1e-3)


def test_weights_count_in_the_temperature(binary, calibrated):
    X, y = binary
    # Without a weight in training: the networks stay as they are.
    calibrated.set_params(lr=1e-12)
    plain = calibrated.fit(X, y).temperature_
    right = calibrated.oof_logits_.argmax(axis=1) == y
    weighted = calibrated.fit(X, y, sample_weight=np.where(right, 4.0, 1.0))
    assert weighted.temperature_ < 0.9 * plain


def test_both_engines_calibrate_alike(binary):
    params = {"n_estimators": 4, "calibrate": True, "dropout": 0.0, "random_state": 0}
    stacked, alone = (
        small_teacher(engine=engine, **params).fit(*binary)
        for engine in ("vectorized", "joblib")
    )
    assert stacked.temperature_ == pytest.approx(alone.temperature_, rel=1e-3)
    np.testing.assert_allclose(
        stacked.oof_logits_, alone.oof_logits_, rtol=1e-3, atol=1e-4
    )


def test_without_calibration_every_network_sees_every_row(binary, calibrated):
    X, y = binary
    calibrated.set_params(calibrate=False)
    assert those_without(0, calibrated, X, y) == []
    assert calibrated.temperature_ == 1.0
    assert calibrated.oof_logits_ is None
    np.testing.assert_allclose(
        calibrated.predict_logits(X),
        logits_of(calibrated.estimators_, X).mean(axis=0),
        atol=1e-5,
    )


def test_networks_start_from_the_same_weights_with_and_without(binary):
    still = {"lr": 1e-12, "n_estimators": 3, "random_state": 0}
    plain, calibrated = (
        small_teacher(calibrate=calibrate, **still).fit(*binary)
        for calibrate in (False, True)
    )
    np.testing.assert_allclose(
        logits_of(plain.estimators_, binary[0]),
        logits_of(calibrated.estimators_, binary[0]),
        atol=1e-6,
    )


def test_one_network_is_not_calibrated(binary):
    X, y = binary
    alone, plain = (
        small_teacher(n_estimators=1, calibrate=calibrate, random_state=0).fit(X, y)
        for calibrate in ("auto", False)
    )
    assert alone.temperature_ == 1.0
    assert alone.oof_logits_ is None
    np.testing.assert_array_equal(alone.predict_logits(X), plain.predict_logits(X))


def test_one_network_that_is_to_be_calibrated_is_refused(binary, no_training):
    with pytest.raises(ValueError, match="'calibrate' .* cannot be True .* for the o"):
        small_teacher(n_estimators=1, calibrate=True).fit(*binary)


def test_calibrate_is_a_bool_or_auto(binary, no_training):
    with pytest.raises(ValueError, match="'calibrate' .* Got 'always'"):
        small_teacher(calibrate="always").fit(*binary)


def test_a_net_of_the_users_is_calibrated(blobs):
    X, y = blobs
    teacher = EnsembleTeacher(small_net(), n_estimators=3, random_state=0).fit(X, y)
    np.testing.assert_allclose(
        teacher.predict_logits(X) * teacher.temperature_,
        logits_of(teacher.estimators_, X).mean(axis=0),
        atol=1e-4,
    )
    assert np.isfinite(teacher.oof_logits_).all()


def test_classes_of_a_single_row_are_no_problem(blobs):
    X, y = blobs
    y = np.where(y == "c", "b", y)
    y[7] = "s"
    teacher = small_teacher(n_estimators=6, calibrate=True, random_state=0).fit(X, y)
    assert teacher.classes_.tolist() == ["a", "b", "s"]
    assert np.isfinite(teacher.oof_logits_).all()


@pytest.mark.parametrize("n_rows", [2, 5])
def test_there_may_be_fewer_rows_than_networks(binary, n_rows):
    X, y = binary[0][:n_rows], np.arange(n_rows) % 2
    teacher = small_teacher(n_estimators=12, calibrate=True, random_state=0).fit(X, y)
    assert np.isfinite(teacher.oof_logits_).all()
    assert np.isfinite(teacher.predict_proba(X)).all()


def test_what_calibration_learned_is_pickled(binary):
    X, y = binary
    teacher = small_teacher(n_estimators=3, calibrate=True, random_state=0).fit(X, y)
    loaded = pickle.loads(pickle.dumps(teacher))
    assert loaded.temperature_ == teacher.temperature_
    np.testing.assert_array_equal(loaded.oof_logits_, teacher.oof_logits_)
    np.testing.assert_array_equal(loaded.predict_proba(X), teacher.predict_proba(X))


def test_chunks_do_not_change_the_judgement(binary, monkeypatch):
    teacher = small_teacher(n_estimators=3, calibrate=True, random_state=0)
    at_once = teacher.fit(*binary).oof_logits_
    monkeypatch.setattr("skdistill._ensemble_members.PREDICT_CHUNK", 7)
    np.testing.assert_allclose(teacher.fit(*binary).oof_logits_, at_once, atol=1e-5)
