"""Other people's software driving our estimators."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr, get_tags

from skdistill import DistilledClassifier
from tests.nets import small_distilled, small_teacher


@pytest.fixture
def pipeline():
    return make_pipeline(StandardScaler(), small_distilled(max_epochs=15))


def test_pipeline_scales_predicts_and_scores(pipeline, blobs):
    X, y = blobs
    raw = X * [1, 100, 1e4, 1e-3] + 50
    assert pipeline.fit(raw, y).score(raw, y) > 0.9
    proba = pipeline.predict_proba(raw)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)


def test_pipeline_passes_feature_names_with_set_output(pipeline, blobs):
    X, y = blobs
    frame = pd.DataFrame(X, columns=list("pqrs"))
    pipeline.set_output(transform="pandas").fit(frame, y)
    assert pipeline[-1].feature_names_in_.tolist() == list("pqrs")
    assert pipeline[-1].teacher_.feature_names_in_.tolist() == list("pqrs")


def test_cross_val_score_and_predict(pipeline, blobs):
    X, y = blobs
    scores = cross_val_score(pipeline, X, y, cv=3, scoring="neg_log_loss")
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()
    proba = cross_val_predict(pipeline, X, y, cv=3, method="predict_proba")
    assert proba.shape == (90, 3)


def test_cross_validate_in_processes_gives_the_same(pipeline, blobs):
    X, y = blobs
    alone, parallel = (
        cross_validate(pipeline, X, y, cv=3, n_jobs=n_jobs, return_estimator=True)
        for n_jobs in (None, 2)
    )
    np.testing.assert_array_equal(alone["test_score"], parallel["test_score"])
    for one, other in zip(alone["estimator"], parallel["estimator"], strict=True):
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_over_temperature_alpha_and_the_teacher(pipeline, blobs, n_jobs):
    X, y = blobs
    grid = {
        "distilledclassifier__temperature": [1.0, 4.0],
        "distilledclassifier__alpha": [0.0, 1.0],
        "distilledclassifier__teacher__n_estimators": [1, 2],
    }
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs, error_score="raise")
    search.fit(X, y)
    assert len(search.cv_results_["params"]) == 8
    best = search.best_estimator_[-1]
    assert best.temperature == search.best_params_["distilledclassifier__temperature"]
    assert search.score(X, y) > 0.8


def test_halving_grid_search(pipeline, blobs):
    search = HalvingGridSearchCV(
        pipeline,
        {"distilledclassifier__temperature": [1.0, 2.0, 5.0]},
        cv=2,
        min_resources=40,
        random_state=0,
        error_score="raise",
    )
    assert search.fit(*blobs).best_score_ > 0.5


def test_calibration(blobs):
    X, y = blobs
    calibrated = CalibratedClassifierCV(small_distilled(), method="sigmoid", cv=2)
    assert calibrated.fit(X, y).predict_proba(X).shape == (90, 3)


def test_isotonic_calibration(blobs):
    X, y = blobs
    calibrated = CalibratedClassifierCV(small_distilled(), method="isotonic", cv=2)
    assert np.isfinite(calibrated.fit(X, y).predict_proba(X)).all()


@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_voting(blobs, voting):
    X, y = blobs
    members = [("distilled", small_distilled()), ("linear", LogisticRegression())]
    vote = VotingClassifier(members, voting=voting, n_jobs=2).fit(X, y)
    assert vote.score(X, y) > 0.8


def test_stacking(blobs):
    X, y = blobs
    members = [("distilled", small_distilled()), ("teacher", small_teacher())]
    stack = StackingClassifier(members, cv=2).fit(X, y)
    assert stack.score(X, y) > 0.8


def test_permutation_importance(pipeline, blobs):
    X, y = blobs
    noise = np.random.default_rng(0).normal(size=(90, 1)).astype(np.float32)
    X = np.hstack([X, noise])
    pipeline.set_params(distilledclassifier__max_epochs=40).fit(X, y)
    importance = permutation_importance(pipeline, X, y, n_repeats=3, random_state=0)
    assert importance.importances_mean[:4].max() > importance.importances_mean[4] + 0.1


def test_params_are_reached_at_any_depth():
    pipe = make_pipeline(StandardScaler(), DistilledClassifier(small_teacher()))
    pipe.set_params(
        distilledclassifier__teacher__lr=0.5, distilledclassifier__alpha=0.25
    )
    assert pipe[-1].teacher.lr == 0.5
    copy = clone(pipe)
    assert copy[-1].alpha == 0.25
    assert copy[-1].teacher is not pipe[-1].teacher
    assert copy.get_params()["distilledclassifier__teacher__lr"] == 0.5


def test_html_repr_and_tags(pipeline):
    html = estimator_html_repr(pipeline)
    assert "DistilledClassifier" in html
    assert "EnsembleTeacher" in html
    tags = get_tags(pipeline)
    assert tags.estimator_type == "classifier"
    assert not tags.input_tags.allow_nan
