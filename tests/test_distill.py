"""A fitted model in, a fitted student out: who is asked what, and how often."""

import copy
import functools
import io
import pickle
import sys
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdistill import DistilledClassifier, EnsembleTeacher, MixupTransfer, distill
from tests.nets import global_random_states, small_teacher

SMALL = {
    "hidden_layer_sizes": (8,),
    "max_epochs": 3,
    "lr": 0.01,
    "batch_size": 16,
    "random_state": 0,
}
small_distill = functools.partial(distill, **SMALL)


class Asked(LogisticRegression):
    """A model that remembers, by its class, what it was asked; or is cut off."""

    asked = []
    allowed = np.inf

    def predict_proba(self, X):
        if len(Asked.asked) >= Asked.allowed:
            raise KeyboardInterrupt
        Asked.asked.append(X)
        return super().predict_proba(X)


@pytest.fixture
def asked(monkeypatch):
    monkeypatch.setattr(Asked, "asked", [])
    return Asked.asked


@pytest.fixture
def model(blobs):
    X, y = blobs
    return Asked().fit(X[::2], y[::2])


@pytest.fixture
def unlabelled():
    return np.random.default_rng(3).normal(size=(70, 4)).astype(np.float32)


class Client:
    """What asks a server, and cannot be pickled."""

    def __init__(self, model):
        self.connection = threading.Lock()
        self.model = model
        self.classes_ = model.classes_.tolist()
        self.n_rows = 0

    def predict_proba(self, X):
        self.n_rows += len(X)
        return self.model.predict_proba(X).tolist()


# --- What is learned ----------------------------------------------------------------


@pytest.mark.parametrize("alpha", [None, 0.8])
@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(5, random_state=0),
        make_pipeline(StandardScaler(), small_teacher(random_state=0)),
    ],
    ids=["probabilities", "logits"],
)
def test_same_as_a_frozen_teacher(blobs, unlabelled, model, more, alpha):
    X, y = blobs
    model.fit(X[:60], y[:60])
    params = {} if alpha is None else {"alpha": alpha}
    further = unlabelled if more else None
    weight = np.linspace(0, 2, 90)
    student = small_distill(
        model, X, y, X_unlabelled=further, sample_weight=weight, chunk_size=7, **params
    )
    params = {**SMALL, **params, "transfer": further}
    expected = DistilledClassifier(FrozenEstimator(model), **params)
    expected.fit(X, y, sample_weight=weight)
    assert student.classes_.tolist() == ["a", "b", "c"]
    assert student.alpha == expected.alpha == (alpha or 0.5)
    np.testing.assert_allclose(
        student.predict_proba(X), expected.predict_proba(X), atol=1e-5
    )


def test_without_labels_the_model_is_all_there_is(blobs, unlabelled, model):
    X, _ = blobs
    student = small_distill(model, X)
    assert student.alpha == 1.0
    expected = DistilledClassifier(FrozenEstimator(model), alpha=1.0, **SMALL)
    # Whatever the labels are.
    expected.fit(X, np.resize(["c", "a", "a", "b"], len(X)))
    np.testing.assert_array_equal(student.predict_proba(X), expected.predict_proba(X))
    again = small_distill(model, X, alpha=1)
    np.testing.assert_array_equal(student.predict_proba(X), again.predict_proba(X))
    more = small_distill(model, X, X_unlabelled=unlabelled, transfer_share=0.9)
    expected = DistilledClassifier(
        FrozenEstimator(model),
        alpha=1.0,
        transfer=unlabelled,
        transfer_share=0.9,
        **SMALL,
    ).fit(X, np.resize(["a", "b", "c"], len(X)))
    np.testing.assert_array_equal(more.predict_proba(X), expected.predict_proba(X))


def test_a_student_learns_what_the_model_says(blobs):
    X, y = blobs
    model = LogisticRegression().fit(X, y)
    student = distill(model, X, max_epochs=200, batch_size=16, random_state=0)
    gap = np.abs(student.predict_proba(X) - model.predict_proba(X)).max()
    assert gap < 0.03


def test_classes_that_the_model_predicts_nowhere(blobs):
    X, y = blobs
    model = LogisticRegression().fit(X, y)
    of_a = X[y == "a"]
    student = small_distill(model, of_a)
    assert set(model.predict(of_a)) == {"a"}
    assert student.classes_.tolist() == ["a", "b", "c"]
    # With labels, what these know.
    labelled = y != "b"
    student = small_distill(model, X[labelled], y[labelled])
    assert student.classes_.tolist() == ["a", "c"]


def test_labels_that_the_model_does_not_know(blobs):
    X, y = blobs
    model = LogisticRegression().fit(X[y != "b"], y[y != "b"])
    student = small_distill(model, X, y)
    expected = DistilledClassifier(FrozenEstimator(model), **SMALL).fit(X, y)
    np.testing.assert_array_equal(student.predict_proba(X), expected.predict_proba(X))


def test_generators_make_rows_for_the_model(blobs, model, asked):
    student = small_distill(model, blobs[0], transfer=MixupTransfer(n_rows=0.5))
    assert [len(X) for X in asked] == [90, 45]
    assert student.transfer.n_rows == 0.5


def test_nothing_of_the_callers_changes(blobs, model, unlabelled):
    X, y = blobs
    before = pickle.dumps((vars(model), X, y, unlabelled))
    states = global_random_states()
    small_distill(model, X, y, X_unlabelled=unlabelled)
    assert global_random_states() == states
    assert pickle.dumps((vars(model), X, y, unlabelled)) == before


# --- Who is asked -------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame, list, "memmap"])
def test_every_row_is_asked_once_in_chunks(
    blobs, model, asked, unlabelled, kind, tmp_path
):
    X, y = blobs
    if kind == "memmap":
        tables = []
        for name, rows in {"X": X, "more": unlabelled}.items():
            tables.append(
                np.memmap(tmp_path / name, rows.dtype, "w+", shape=rows.shape)
            )
            tables[-1][:] = rows
    else:
        tables = [kind(X), kind(unlabelled)]
    student = small_distill(model, tables[0], y, X_unlabelled=tables[1], chunk_size=32)
    assert [len(rows) for rows in asked] == [32, 32, 26, 32, 32, 6]
    kinds = {"memmap": np.memmap, pd.DataFrame: pd.DataFrame, list: (np.ndarray, list)}
    assert all(isinstance(rows, kinds.get(kind, np.ndarray)) for rows in asked)
    everything = np.concatenate([np.asarray(rows) for rows in asked])
    np.testing.assert_array_equal(everything, np.r_[X, unlabelled])
    assert student.n_features_in_ == 4


def test_names_of_columns_reach_model_and_student(blobs, asked, unlabelled):
    X, y = blobs
    names = ["p", "q", "r", "s"]
    X, more = (pd.DataFrame(rows, columns=names) for rows in (X, unlabelled))
    model = Asked().fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        student = small_distill(model, X, X_unlabelled=more, chunk_size=50)
    assert all(rows.columns.tolist() == names for rows in asked)
    assert student.feature_names_in_.tolist() == names


@pytest.mark.parametrize("y_given", [False, True])
def test_an_interrupted_run_goes_on_from_memory(
    blobs, model, asked, unlabelled, tmp_path, monkeypatch, y_given
):
    X, y = blobs[0], blobs[1] if y_given else None
    run = functools.partial(
        small_distill, model, X, y, X_unlabelled=unlabelled, chunk_size=40
    )
    expected = run().predict_proba(X)
    for allowed, n_rows in [(2, [40, 40]), (2, [10, 40]), (9, [30]), (0, [])]:
        asked.clear()
        monkeypatch.setattr(Asked, "allowed", allowed)
        if allowed == 2:
            with pytest.raises(KeyboardInterrupt):
                run(memory=tmp_path)
        else:
            student = run(memory=tmp_path)
            np.testing.assert_array_equal(student.predict_proba(X), expected)
        assert [len(rows) for rows in asked] == n_rows


def test_other_rows_and_other_models_are_asked_anew(blobs, model, asked, tmp_path):
    X, y = blobs
    other = Asked(C=0.01).fit(X, y)
    for answering, rows in [(model, X), (other, X), (model, X + 1), (model, X)]:
        small_distill(answering, rows, memory=tmp_path)
    assert len(asked) == 3
    # What is known under a name is that of whatever has it.
    small_distill(other, X, memory=tmp_path, model_key="first")
    small_distill(model, X, memory=tmp_path, model_key="first")
    assert len(asked) == 4
    small_distill(model, X, memory=tmp_path, model_key="second")
    assert len(asked) == 5


def test_a_client_is_asked_once_and_named(blobs, tmp_path):
    X, y = blobs
    client = Client(LogisticRegression().fit(X, y))
    with pytest.raises(
        ValueError, match="'model_key' .* must name this model, .*pickle"
    ):
        small_distill(client, X, memory=tmp_path)
    assert client.n_rows == 0
    for _ in range(2):
        student = small_distill(client, X, memory=tmp_path, model_key="2026-11")
        assert client.n_rows == 90
    assert student.classes_.tolist() == ["a", "b", "c"]
    expected = small_distill(client.model, X)
    np.testing.assert_array_equal(student.predict_proba(X), expected.predict_proba(X))


def test_a_function_is_model_enough(blobs, tmp_path):
    X, y = blobs
    model = LogisticRegression().fit(X, y)
    expected = small_distill(model, X).predict_proba(X)
    student = small_distill(model.predict_proba, X, classes=model.classes_)
    np.testing.assert_array_equal(student.predict_proba(X), expected)
    # Columns are in the order of the classes that are given.
    student = small_distill(
        lambda X: model.predict_proba(X)[:, ::-1], X, classes=["c", "b", "a"]
    )
    assert student.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(student.predict_proba(X), expected)
    with pytest.raises(ValueError, match="'model_key' .* a function says nothing"):
        small_distill(model.predict_proba, X, classes=list("abc"), memory=tmp_path)


def test_frozen_model(blobs, model, asked):
    student = small_distill(FrozenEstimator(model), blobs[0])
    assert len(asked) == 1
    expected = small_distill(model, blobs[0]).predict_proba(blobs[0])
    np.testing.assert_array_equal(student.predict_proba(blobs[0]), expected)


def test_progress_counts_what_is_asked(blobs, model, monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", stream)
    small_distill(model, blobs[0], chunk_size=10, verbose=1)
    assert "90 rows for the teacher" in stream.getvalue()
    assert "student: 100%" in stream.getvalue()
    assert "12/12" in stream.getvalue()  # nine chunks, three epochs
    stream.truncate(0)
    small_distill(model, blobs[0])
    assert "teacher" not in stream.getvalue()


# --- What is handed back ------------------------------------------------------------


def test_a_pickle_has_neither_model_nor_rows(blobs):
    X, y = blobs
    forest = RandomForestClassifier(200, random_state=0).fit(X, y)
    rows = np.zeros((10_000, 4), np.float32)
    student = small_distill(forest, X, y, X_unlabelled=rows)
    assert student.transfer is None
    assert student.teacher_.estimator.model is forest
    packed = pickle.dumps(student)
    assert len(packed) < 20_000
    loaded = pickle.loads(packed)
    np.testing.assert_array_equal(loaded.predict_proba(X), student.predict_proba(X))
    assert loaded.get_params().keys() == student.get_params().keys()
    with pytest.raises(ValueError, match="was left out when it was saved"):
        loaded.fit(X, y)
    with pytest.raises(ValueError, match="was left out when it was saved"):
        loaded.teacher_.predict(X)
    pickle.dumps(small_distill(Client(forest), X))


def test_teacher_can_be_compared_with(blobs):
    X, y = blobs
    forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    student = small_distill(forest, X)
    teacher = student.teacher_
    np.testing.assert_allclose(
        teacher.predict_proba(X), forest.predict_proba(X), atol=1e-4
    )
    assert teacher.score(X, y) == forest.score(X, y)
    assert teacher.classes_.tolist() == ["a", "b", "c"]


def test_a_clone_has_the_same_model(blobs, model):
    X, y = blobs
    student = small_distill(model, X, y)
    expected = student.predict_proba(X)
    twin = clone(student)
    assert twin.teacher.estimator.model is model
    np.testing.assert_array_equal(twin.fit(X, y).predict_proba(X), expected)
    twin = copy.deepcopy(student)
    assert twin.teacher_.estimator.model is None
    np.testing.assert_array_equal(twin.predict_proba(X), expected)


# --- Warnings and errors ------------------------------------------------------------


class TabPFNLike(LogisticRegression):
    __module__ = "tabpfn.classifier"


@pytest.mark.parametrize(
    "model",
    [
        KNeighborsClassifier(1),
        KNeighborsClassifier(weights="distance"),
        make_pipeline(StandardScaler(), KNeighborsClassifier(1)),
        GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1]}),
        FrozenEstimator(KNeighborsClassifier(1)),
        TabPFNLike(),
    ],
    ids=repr,
)
def test_models_that_hand_back_labels_are_warned_about(blobs, model):
    X, y = blobs
    getattr(model, "estimator", model).fit(X, y)
    model.fit(X, y)
    with pytest.warns(UserWarning, match="it hands back the labels.* target_cv=5"):
        small_distill(model, X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        small_distill(model, X)


@pytest.mark.parametrize("model", [KNeighborsClassifier(), LogisticRegression()])
def test_others_are_not_warned_about(blobs, model):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        small_distill(model.fit(*blobs), *blobs)


class Ensemble(BaseEstimator):
    def fit(self, X, y):
        self.fitted_ = True
        return self


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda X, y: Asked(), NotFittedError, "not fitted"),
        (lambda X, y: EnsembleTeacher(), NotFittedError, "not fitted"),
        (lambda X, y: Ensemble().fit(X, y), ValueError, "'model' .* fitted classifier"),
        (lambda X, y: SVC().fit(X, y), ValueError, "'model' .* with predict_proba"),
        (lambda X, y: Asked, ValueError, "'model' .* fitted classifier"),
        (lambda X, y: "forest", ValueError, "'model' .* Got 'forest'"),
        (
            lambda X, y: lambda X: X,
            ValueError,
            "'classes' .* function without classes_",
        ),
    ],
)
def test_bad_models(blobs, no_training, make, error, message):
    with pytest.raises(error, match=message):
        small_distill(make(*blobs), blobs[0])


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"classes": list("abc")}, ValueError, "None for any other.*with classes_"),
        ({"alpha": 0.5}, ValueError, "'alpha' .* 1 without y.* Got 0.5"),
        ({"teacher": None}, TypeError, "unexpected keyword argument 'teacher'"),
        ({"temprature": 2}, TypeError, "'temprature'. .*'temperature'"),
        ({"temperature": 0}, ValueError, "'temperature' parameter"),
        ({"chunk_size": 0}, ValueError, "'chunk_size' .* 1 or more. Got 0"),
        ({"chunk_size": 0.5}, ValueError, "'chunk_size' .* Got 0.5"),
        ({"calibrate": True}, ValueError, "'calibrate' .* FrozenEstimator"),
        ({"target_cv": 5}, ValueError, "'target_cv' .* FrozenEstimator"),
        (
            {"X_unlabelled": np.ones((3, 5))},
            ValueError,
            "X_unlabelled.* has 5 features",
        ),
        ({"X_unlabelled": np.ones((0, 4))}, ValueError, "X_unlabelled.* 0 sample"),
        ({"X_unlabelled": [["x"] * 4]}, ValueError, "X_unlabelled.* could not convert"),
        ({"X": np.ones((0, 4))}, ValueError, "as many rows as .* 3, .* Got 0"),
        ({"X": np.ones((2, 4))}, ValueError, "as many rows as .* 3, .* Got 2"),
        ({"X": np.ones((0, 4)), "y": []}, ValueError, "0 sample"),
        ({"y": ["a"] * 89}, ValueError, "inconsistent numbers of samples"),
        ({"y": np.r_[np.nan, np.ones(89)]}, ValueError, "Input y contains NaN"),
        ({"y": ["a"] * 90}, ValueError, "at least 2 classes"),
        ({"y": ["d", "e"] * 45}, ValueError, "must know the classes in y"),
        ({"y": ["a", "b"] * 45, "alpha": 0}, ValueError, "'alpha' .* above 0"),
        (
            {"X_unlabelled": np.ones((3, 4)), "transfer": MixupTransfer()},
            ValueError,
            "either X_unlabelled or transfer. Got both, transfer a MixupTransfer",
        ),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_before_the_model_is_asked(
    blobs, model, asked, no_training, params, error, message
):
    params = {"X": blobs[0], **params}
    with pytest.raises(error, match=message):
        small_distill(model, **params)
    assert asked == []


@pytest.mark.parametrize("classes", [["a"], ["a", "a"], [["a", "b"]], "ab"])
def test_bad_classes(blobs, classes):
    with pytest.raises(ValueError, match="a list of two or more, none of them twice"):
        small_distill(lambda X: X, blobs[0], classes=classes)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.full((90, 2), 0.5), "one column for each of its 3 classes_"),
        (np.full((1, 3), 1 / 3), "Of 90 rows it gave 1"),
        (np.full((90, 3), np.nan), "finite values"),
        (-np.ones((90, 3)), "must be >= 0"),
    ],
)
def test_bad_answers(blobs, no_training, answer, message):
    with pytest.raises(ValueError, match=message):
        small_distill(lambda X: answer, blobs[0], classes=list("abc"))
