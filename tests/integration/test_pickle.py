"""What is saved in one process predicts the same bits in another."""

import copy
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdistill
from tests.nets import small_distilled, small_search, small_teacher

MODELS = {
    "teacher": small_teacher(random_state=0),
    "distilled": small_distilled(),
    "pipeline": make_pipeline(StandardScaler(), small_distilled(LogisticRegression())),
}


def test_fresh_interpreter_predicts_the_same_bits(tmp_path, binary):
    X, y = binary
    np.save(tmp_path / "X.npy", X)
    expected = {}
    for name, model in MODELS.items():
        fitted = clone(model).fit(X, y)
        expected[name] = fitted.predict_proba(X)
        joblib.dump(fitted, tmp_path / f"{name}.joblib")
        (tmp_path / f"{name}.pickle").write_bytes(pickle.dumps(fitted))
        joblib.dump(clone(model), tmp_path / f"{name}-unfitted.joblib")
    np.savez(tmp_path / "expected.npz", y=y, **expected)
    code = f"""
import joblib, numpy as np, pickle, torch
torch.set_num_threads(1)
X, expected = np.load("X.npy"), np.load("expected.npz")
for name in {list(MODELS)}:
    dumped = joblib.load(f"{{name}}.joblib")
    with open(f"{{name}}.pickle", "rb") as file:
        pickled = pickle.load(file)
    refitted = joblib.load(f"{{name}}-unfitted.joblib").fit(X, expected["y"])
    for model in (dumped, pickled, refitted):
        assert (model.predict_proba(X) == expected[name]).all(), name
print("same")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.strip() == "same", done.stderr


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_pickle_protocol(binary, protocol):
    X, y = binary
    model = small_distilled(LogisticRegression()).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model, protocol))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_file_holds_the_weights_and_little_else(binary):
    """Adam's state is twice the weights, skorch's batch history more than that."""
    X, y = binary
    params = {"hidden_layer_sizes": (256, 128, 64), "max_epochs": 10, "random_state": 0}
    teacher = small_teacher(n_estimators=3, **params).fit(X, y)
    n_weights = sum(
        weights.numel()
        for net in teacher.estimators_
        for weights in net.module_.parameters()
    )
    assert len(pickle.dumps(teacher)) < 1.1 * 4 * n_weights + 3 * 15_000


def test_copy_of_a_fitted_estimator_can_be_fitted_again(binary):
    X, y = binary
    model = small_distilled().fit(X, y)
    loaded = pickle.loads(pickle.dumps(model)).fit(X, y)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_pickles_name_no_private_module(binary):
    """Or a file could not be moved without losing what people have saved."""
    X, y = binary
    estimators = [small_teacher(), small_distilled(), small_search()]
    parts = [
        skdistill.DistillationLoss(),
        skdistill.StudentModel(6, 2),
        skdistill.TeacherModel(6, 2),
        skdistill.SearchDisplay(np.zeros((1, 1)), np.ones((1, 1), bool), [0.5], [1.0]),
    ]
    fitted = [clone(estimator).fit(X, y) for estimator in estimators]
    everything = [getattr(skdistill, name) for name in skdistill.__all__]
    for value in [*everything, *parts, *estimators, *fitted]:
        pickled = pickle.dumps(value)
        assert b"skdistill._" not in pickled, value
        assert b"skdistill" in pickled


@pytest.mark.parametrize(
    "estimator", [small_teacher(), small_distilled(LogisticRegression())]
)
def test_another_version_warns(monkeypatch, estimator):
    with monkeypatch.context() as patch:
        patch.setattr("skdistill._pickling.__version__", "0.0.9")
        pickled = pickle.dumps(estimator)
    name = f"skdistill.{type(estimator).__name__} from version 0.0.9"
    with pytest.warns(InconsistentVersionWarning, match=name):
        loaded = pickle.loads(pickled)
    assert vars(loaded).keys() == vars(estimator).keys()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, clone])
def test_the_same_version_does_not_warn(copied, recwarn):
    estimator = small_distilled()
    assert vars(copied(estimator)).keys() == vars(estimator).keys()
    assert not recwarn.list
