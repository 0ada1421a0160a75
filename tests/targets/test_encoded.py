"""XGBoost as a teacher: labels of any kind, and folds that lack a class."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.nets import small_distilled, small_search

xgboost = pytest.importorskip("xgboost")


def booster(**params):
    return xgboost.XGBClassifier(n_estimators=3, n_jobs=1, **params)


@pytest.fixture(params=["text", "gaps", "negative"])
def table(request, blobs):
    """X, labels that XGBoost refuses, and their indices."""
    X, y = blobs
    labels = {"text": ["x", "y", "z"], "gaps": [1, 2, 5], "negative": [-1, 0, 1]}
    index = np.searchsorted(["a", "b", "c"], y)
    return X, np.array(labels[request.param])[index], index


def test_labels_of_any_kind(table):
    X, y, index = table
    model = small_distilled(booster()).fit(X, y)
    alone = booster().fit(X, index)
    np.testing.assert_array_equal(model.teacher_.classes_, np.unique(y))
    np.testing.assert_array_equal(model.teacher_.predict(X), y)
    np.testing.assert_allclose(model.teacher_.predict_proba(X), alone.predict_proba(X))
    assert model.teacher_.score(X, y) == 1
    assert model.teacher_.estimator_.classes_.tolist() == [0, 1, 2]
    same = small_distilled(booster()).fit(X, index)
    np.testing.assert_array_equal(model.predict_proba(X), same.predict_proba(X))


def test_rows_for_early_stopping_have_the_labels_too(table):
    X, y, index = table
    early = booster(early_stopping_rounds=2)
    shifted = np.roll(np.arange(len(y)), 7)
    given = [(X, y[shifted])]
    model = small_distilled(early).fit(X, y, eval_set=given, verbose=False)
    same = [(X, index[shifted])]
    alone = clone(early).fit(X, index, eval_set=same, verbose=False)
    assert model.teacher_.best_score == alone.best_score
    assert model.teacher_.best_iteration == alone.best_iteration
    assert given[0][1].dtype == y.dtype
    with pytest.raises(ValueError, match="'eval_set' of fit must .* Got a tuple of"):
        small_distilled(early).fit(X, y, eval_set=given[0], verbose=False)
    wrong = [(X, np.full(len(y), y.dtype.type(77)))]
    with pytest.raises(ValueError, match=r"The labels of 'eval_set' must be among"):
        small_distilled(early).fit(X, y, eval_set=wrong, verbose=False)


def test_indices_need_no_code(blobs):
    X, y = blobs
    model = small_distilled(booster()).fit(X, np.searchsorted(["a", "b", "c"], y))
    assert type(model.teacher_) is xgboost.XGBClassifier


class OwnBooster(xgboost.XGBClassifier):
    """One that somebody has made of it."""


@pytest.mark.parametrize(
    "wrapped",
    [
        make_pipeline(StandardScaler(), booster()),
        GridSearchCV(booster(), {"max_depth": [1, 2]}, cv=2),
        CalibratedClassifierCV(booster(), cv=2),
        OwnBooster(n_estimators=3, n_jobs=1),
    ],
    ids=["pipeline", "search", "calibrated", "subclass"],
)
def test_inside_others_too(blobs, wrapped):
    X, y = blobs
    model = small_distilled(wrapped, calibrate="auto", max_epochs=2).fit(X, y)
    assert model.teacher_.classes_.tolist() == ["a", "b", "c"]
    assert model.teacher_.score(X, y) > 0.9


def test_others_get_the_labels_as_they_are(blobs):
    """A voting classifier gives its members indices by itself."""
    X, y = blobs
    voting = VotingClassifier([("one", booster())], voting="soft")
    model = small_distilled(voting).fit(X, y)
    assert type(model.teacher_) is VotingClassifier
    assert model.teacher_.predict(X).tolist() == y.tolist()


def test_what_it_has_beside_is_there(blobs):
    X, y = blobs
    teacher = small_distilled(booster()).fit(X, y).teacher_
    assert teacher.feature_importances_.shape == (4,)
    assert teacher.get_booster().num_boosted_rounds() == 3
    with pytest.raises(AttributeError, match="best_params_"):
        teacher.best_params_  # noqa: B018
    loaded = pickle.loads(pickle.dumps(teacher))
    np.testing.assert_array_equal(loaded.predict(X), y)
    assert b"_targets" not in pickle.dumps(teacher, protocol=2)


def test_the_callers_own_stays_as_it_was(blobs):
    teacher = booster()
    small_distilled(teacher).fit(*blobs)
    assert not hasattr(teacher, "n_classes_")


@pytest.mark.parametrize("labels", [[0, 1, 2], ["a", "b", "c"]])
def test_folds_may_lack_a_class(blobs, labels):
    X, y = blobs
    order = np.argsort(y, kind="stable")
    X, y = X[order], np.array(labels)[np.searchsorted(["a", "b", "c"], y[order])]
    model = small_distilled(booster(), target_cv=KFold(3), calibrate="auto")
    model.fit(X, y)  # each fold is a class
    assert np.isfinite(model.predict_proba(X)).all()
    search = small_search(booster(), cv=KFold(3), error_score="raise").fit(X, y)
    assert search.predict_proba(X).shape == (90, 3)


def test_the_only_row_of_a_class(blobs):
    X, y = blobs
    y = np.where(y == "b", "a", y)
    y[7] = "b"  # in the middle
    model = small_distilled(booster(), calibrate=True).fit(X, y)
    assert model.classes_.tolist() == ["a", "b", "c"]


def test_weights_and_other_parameters_reach_it(blobs):
    X, y = blobs
    weight = np.where(y == "a", 100.0, 0.01)
    params = {"sample_weight": weight}
    model = small_distilled(booster(), max_epochs=1).fit(X, y, **params)
    alone = booster().fit(X, np.searchsorted(["a", "b", "c"], y), **params)
    np.testing.assert_allclose(model.teacher_.predict_proba(X), alone.predict_proba(X))
    margin = np.random.default_rng(0).normal(size=(90, 3))
    moved = small_distilled(booster()).fit(X, y, base_margin=margin)
    plain = small_distilled(booster()).fit(X, y)
    found, other = (one.teacher_.predict_proba(X) for one in (moved, plain))
    assert np.abs(found - other).max() > 1e-3


@pytest.mark.parametrize("labels", [["a", "b", "c"], [1, 2, 3]])
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_what_is_frozen_knows_indices_only(blobs, labels, in_pipeline, no_training):
    """Of 1, 2 and 3 it knows two, which are not the ones that it was fitted on."""
    X, y = blobs
    index = np.searchsorted(["a", "b", "c"], y)
    frozen = FrozenEstimator(booster().fit(X, index))
    teacher = make_pipeline("passthrough", frozen) if in_pipeline else frozen
    with pytest.raises(ValueError, match=r"fitted on the indices \[0, 1, 2\] in place"):
        small_distilled(teacher).fit(X, np.array(labels)[index])


def test_what_is_frozen_teaches_its_indices(blobs):
    X, y = blobs
    index = np.searchsorted(["a", "b", "c"], y)
    fitted = booster().fit(X, index)
    model = small_distilled(FrozenEstimator(fitted)).fit(X, index)
    assert model.teacher_.estimator is fitted


def test_a_kept_teacher_is_the_same(blobs, tmp_path):
    X, y = blobs
    models = [
        small_distilled(booster(), memory=tmp_path).fit(X, y).teacher_ for _ in range(2)
    ]
    np.testing.assert_array_equal(
        models[0].predict_proba(X), models[1].predict_proba(X)
    )
    assert models[1].predict(X).tolist() == y.tolist()
