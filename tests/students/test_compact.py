"""What ships predicts what was trained, without what trained it."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from skorch import NeuralNetClassifier
from torch import nn

from skdistill import (
    CompactClassifier,
    DistilledClassifier,
    EnsembleTeacher,
    compact,
)
from tests.nets import ProbaModule, small_distilled, small_net, small_search
from tests.students.small import assert_same, quick


@pytest.mark.parametrize(
    "labels", [[0, 1], [7, -3, 2], ["no", "yes"], [False, True], [1.0, 2.0]], ids=str
)
def test_it_predicts_what_the_estimator_does(binary, labels):
    X, y = binary
    y = np.array(labels)[np.arange(len(y)) % len(labels)]
    model = quick().fit(X, y)
    small = model.compact()
    assert_same(small, model, X)
    assert_same(small, model, X[:1])
    assert_same(small, model, np.tile(X, (200, 1)))
    np.testing.assert_array_equal(small.classes_, model.classes_)
    assert small.score(X, y) == model.score(X, y)


def test_a_search_has_one_of_its_best(binary):
    X, y = binary
    model = small_search(LogisticRegression()).fit(X, y)
    assert_same(model.compact(), model, X)
    chosen = {name: model.best_params_[name] for name in ("temperature", "alpha")}
    assert chosen.items() <= model.compact().provenance_.items()
    model.set_params(refit=False).fit(X, y)
    with pytest.raises(AttributeError, match="'compact' is not available"):
        model.compact()


@pytest.mark.parametrize("sizes", [(), (5,), (7, 6, 5)])
def test_networks_of_any_depth(binary, sizes):
    X, y = binary
    model = quick(hidden_layer_sizes=sizes).fit(X, y)
    assert len(model.compact().coefs_) == len(sizes) + 1
    assert_same(model.compact(), model, X)


def sequential_student(activation):
    """Return a net of the user's own with some activation between two layers."""
    layers = nn.Linear(6, 5), activation, nn.Dropout(0.1), nn.Linear(5, 2)
    return NeuralNetClassifier(
        nn.Sequential(nn.Sequential(*layers)),
        criterion=nn.CrossEntropyLoss,
        train_split=None,
        max_epochs=2,
        verbose=0,
    )


def test_a_sequential_of_the_users(binary):
    X, y = binary
    student = sequential_student(nn.ReLU())
    model = DistilledClassifier(alpha=0.0, student=student, random_state=0).fit(X, y)
    assert_same(model.compact(), model, X)


@pytest.mark.parametrize(
    ("student", "name"),
    [
        (sequential_student(nn.Tanh()), "Sequential"),
        (small_net(), "LogitModule"),
        (small_net(ProbaModule, nn.NLLLoss), "ProbaModule"),
    ],
    ids=["activation", "module", "probabilities"],
)
def test_a_network_that_cannot_be_copied(binary, student, name):
    X, y = binary
    model = DistilledClassifier(alpha=0.0, student=student, random_state=0).fit(X, y)
    message = f"Sequential of Linear layers with ReLU .* Got .*the module {name}"
    with pytest.raises(ValueError, match=message):
        model.compact()


def test_a_student_of_another_kind_ships_as_it_is(binary):
    X, y = binary
    y = np.array(["no", "yes"])[y]
    model = DistilledClassifier(
        GaussianNB(), student=DecisionTreeClassifier(max_depth=3), random_state=0
    ).fit(X, y)
    small = model.compact()
    assert small.student_ is model.student_
    assert_same(small, model, X)
    assert small.provenance_["temperature"] == 1.0


def test_rows_as_dicts(binary):
    X, y = binary
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = quick().fit(frame, y)
    small = model.compact()
    rows = frame.to_dict("records")
    np.testing.assert_allclose(
        small.predict_proba(rows), model.predict_proba(frame), rtol=1e-5
    )
    with pytest.raises(ValueError, match=r"Row 1 of X must have .* lacks \['c'\]"):
        small.predict([rows[0], {k: v for k, v in rows[0].items() if k != "c"}])
    with pytest.raises(ValueError, match="must hold numbers only. Got 'text'"):
        small.predict({**rows[0], "a": "text"})
    with pytest.raises(ValueError, match="a whole number that is too large"):
        small.predict({**rows[0], "a": 10**400})
    with pytest.raises(ValueError, match="contains NaN"):
        small.predict({**rows[0], "a": None})
    with pytest.raises(ValueError, match="dicts only where .* named columns"):
        quick().fit(X, y).compact().predict(rows)


def test_scaling_that_the_first_layer_does(binary):
    X, y = binary
    X = X * 30 + 5
    for preprocessor in ("auto", StandardScaler()):
        model = quick(preprocessor=preprocessor).fit(X, y)
        assert_same(model.compact(), model, X)
    model.set_params(preprocessor="auto").fit(X, y)
    X[0, 0] = np.nan
    assert_same(model.compact(), model, X)


def test_a_missing_number_is_no_reason_to_warn_of_names(binary):
    X, y = binary
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = quick(preprocessor="auto").fit(frame, y)
    frame.loc[0, "a"] = np.nan
    small = model.compact()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(small, model, frame)
        small.predict({**frame.iloc[1].to_dict(), "b": None})


def test_a_preprocessor_of_the_users_ships_as_it_is(mixed):
    X, y = mixed
    encoder = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["level"]), (StandardScaler(), ["count"])
    )
    X = X[["level", "count"]].fillna({"count": 0}).astype({"count": float})
    model = quick(preprocessor=encoder).fit(X, y)
    small = model.compact()
    assert_same(small, model, X)
    rows = X.astype(object).to_dict("records")
    proba = model.predict_proba(X)
    np.testing.assert_allclose(small.predict_proba(rows), proba, rtol=1e-5)
    one = small.predict_proba({**rows[3], "further": "ignored"})
    np.testing.assert_allclose(one, proba[3:4], rtol=1e-5)


def test_form_is_checked_as_by_the_estimator(binary):
    X, y = binary
    frame = pd.DataFrame(X, columns=list("abcdef"))
    small = quick().fit(frame, y).compact()
    assert small.feature_names_in_.tolist() == list("abcdef")
    with pytest.raises(ValueError, match="feature names should match"):
        small.predict(frame[list("bacdef")])
    with pytest.raises(ValueError, match="X has 5 features, but CompactClassifier"):
        small.predict(X[:, :5])
    with pytest.raises(ValueError, match="contains NaN"):
        small.predict(np.full((2, 6), np.nan))


def test_nothing_of_the_callers_is_changed(binary):
    X, y = (values.copy() for values in binary)
    model = quick().fit(X, y)
    small, before = model.compact(), X.copy()
    logits = small.predict_logits(X)
    np.testing.assert_array_equal(X, before)
    # Further training of the estimator leaves the copy as it is.
    with torch.no_grad():
        for weight in model.student_.module_.parameters():
            weight.zero_()
    np.testing.assert_array_equal(small.predict_logits(X), logits)


def test_it_is_never_fitted(binary):
    X, y = binary
    small = quick().fit(X, y).compact()
    assert clone(small) is small
    with pytest.raises(TypeError, match="cannot be fitted"):
        small.fit(X, y)
    with pytest.raises(TypeError, match="cannot be fitted"):
        make_pipeline(StandardScaler(), small).fit(X, y)
    for rows in (X, {"a": 1}):
        with pytest.raises(NotFittedError):
            CompactClassifier().predict(rows)
    with pytest.raises(NotFittedError):
        CompactClassifier().save("nowhere")
    scores = cross_val_score(FrozenEstimator(small), X, y)
    assert len(scores) == 5
    assert "CompactClassifier" in small._repr_html_()


def test_the_last_step_of_a_pipeline_is_swapped(binary):
    X, y = binary
    model = make_pipeline(StandardScaler(), quick()).fit(X, y)
    small = compact(model)
    assert [*small.named_steps] == ["standardscaler", "compactclassifier"]
    assert small[0] is model[0]
    assert isinstance(model[-1], DistilledClassifier)
    assert_same(small[-1], model[-1], model[0].transform(X))
    np.testing.assert_allclose(
        small.predict_proba(X), model.predict_proba(X), rtol=1e-5
    )
    named = Pipeline([("distilled_student", quick())]).fit(X, y)
    assert [*compact(named).named_steps] == ["distilled_student"]
    nested = make_pipeline(StandardScaler(), make_pipeline(quick())).fit(X, y)
    np.testing.assert_array_equal(compact(nested).predict(X), nested.predict(X))
    search = GridSearchCV(model, {"distilledclassifier__alpha": [0.0]}, cv=2).fit(X, y)
    np.testing.assert_array_equal(compact(search).predict(X), search.predict(X))
    assert compact(FrozenEstimator(model[-1])).classes_.tolist() == [0, 1]
    assert compact(small[-1]) is small[-1]


def test_what_cannot_be_compacted_is_named(binary):
    X, y = binary
    with pytest.raises(TypeError, match="Got EnsembleTeacher"):
        compact(EnsembleTeacher())
    with pytest.raises(TypeError, match="Got LogisticRegression"):
        compact(make_pipeline(LogisticRegression()).fit(X, y))
    with pytest.raises(NotFittedError):
        compact(quick())


def test_provenance(binary):
    X, y = binary
    model = small_distilled(LogisticRegression(), temperature=2.0, alpha=0.25)
    found = model.fit(X, y).compact().provenance_
    assert found["teacher"] == "LogisticRegression"
    assert (found["temperature"], found["alpha"]) == (2.0, 0.25)
    assert found["n_samples"] == len(X)
    assert found["versions"]["torch"] == torch.__version__
    assert copy.deepcopy(found) == found
    frozen = FrozenEstimator(LogisticRegression().fit(X, y))
    model = small_distilled(frozen).fit(X, y)
    assert model.compact().provenance_["teacher"] == "LogisticRegression"
