"""What ships predicts what was trained, without what trained it."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
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
from skdistill._students.network import NETWORK_PARAMETERS
from tests.nets import small_distilled, small_search

METHODS = "predict", "predict_proba", "predict_log_proba", "predict_logits"


def quick(**params):
    """Return an estimator whose student learns from labels, in milliseconds."""
    return small_distilled(LogisticRegression(), **{"alpha": 0.0, **params})


def assert_same(small, model, X):
    """Check that both predict the same of some rows, by every method."""
    for method in METHODS:
        ours, theirs = (getattr(one, method)(X) for one in (small, model))
        assert ours.dtype == theirs.dtype
        if method == "predict":
            np.testing.assert_array_equal(ours, theirs)
        else:
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.fixture
def mixed():
    """A table of many kinds of columns, and labels."""
    rng = np.random.default_rng(0)
    n = 120
    colour = rng.choice(["red", "green", "blue", None], n).astype(object)
    colour[:3] = "rare", "rarer", "rarest"
    size = rng.normal(1000, 50, n)
    moments = pd.Timestamp("2024-01-01 12:30") + pd.to_timedelta(rng.random(n) * 9, "D")
    X = pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, size),
            "colour": colour,
            "level": pd.Categorical(rng.choice([1, 2, 3], n)),
            "grade": rng.choice([1.0, 2.5, np.nan], n).astype(object),
            "moment": moments,
            "day": pd.Series(moments.date),
            "zoned": moments.tz_localize("Europe/Paris"),
            "age": pd.to_timedelta(rng.integers(99, size=n), "D"),
            "flag": rng.random(n) < 0.5,
            "nothing": None,
            "count": pd.array(rng.integers(9, size=n), dtype="Int64"),
        }
    )
    X["grade"] = pd.Categorical(X["grade"])
    X.loc[5:7, "count"] = pd.NA
    X.loc[9, "moment"] = pd.NaT
    return X, np.where((colour == "red") | (size > 1040), "yes", "no")


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


def test_a_sequential_of_the_users(binary):
    X, y = binary
    def sequential(activation):
        layers = nn.Linear(6, 5), activation, nn.Dropout(0.1), nn.Linear(5, 2)
        return nn.Sequential(nn.Sequential(*layers))

    net = NeuralNetClassifier(
        sequential(nn.ReLU()),
        criterion=nn.CrossEntropyLoss,
        train_split=None,
        max_epochs=2,
        verbose=0,
    )
    model = small_distilled(LogisticRegression(), student=net, max_epochs="auto")
    for name in NETWORK_PARAMETERS:
        model.set_params(**{name: getattr(DistilledClassifier(), name)})
    model.fit(X, y)
    assert_same(model.compact(), model, X)
    net.module = sequential(nn.Tanh())
    model.fit(X, y)
    with pytest.raises(ValueError, match="Linear layers with ReLU .* Sequential"):
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


@pytest.mark.parametrize("convert", [None, "records", "reversed", "objects", "polars"])
def test_a_table_of_all_kinds(mixed, convert):
    X, y = mixed
    model = quick(preprocessor="auto", max_epochs=30).fit(X, y)
    small = model.compact()
    proba = model.predict_proba(X)
    assert_same(small, model, X)
    rows = X
    if convert == "records":
        rows = X.astype(object).to_dict("records")
        rows[0]["moment"] = rows[0]["moment"].isoformat()
        rows[0]["zoned"] = rows[0]["zoned"].isoformat()
        rows[0]["day"] = str(rows[0]["day"])
        rows[0]["age"] = rows[0]["age"].days
        one = small.predict_proba({**rows[3], "further": "ignored"})
        np.testing.assert_allclose(one, proba[3:4], rtol=1e-5)
    elif convert == "reversed":
        rows = X[[*X.columns[::-1]]]
    elif convert == "objects":
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            small.predict(X.to_numpy(dtype=object))
        return
    elif convert == "polars":
        polars = pytest.importorskip("polars")
        rows = polars.DataFrame(
            {
                name: values.astype(object).where(values.notna(), None).tolist()
                for name, values in X.items()
                if name not in ("zoned",)
            },
            strict=False,
        )
        X = X.drop(columns="zoned")
        model = quick(preprocessor="auto", max_epochs=30).fit(X, y)
        small, proba = model.compact(), model.predict_proba(X)
    np.testing.assert_allclose(small.predict_proba(rows), proba, rtol=1e-5)


def test_new_values_are_taken_as_the_estimator_takes_them(mixed):
    X, y = mixed
    model = quick(preprocessor="auto").fit(X, y)
    new = X.head(4).copy()
    new["colour"] = ["unheard of", None, "red", "rare"]
    new["size"] = [np.nan, 1e6, -5, 0]
    new["flag"] = [True, False, True, True]
    new["age"] = pd.Series(pd.NaT, new.index, dtype="timedelta64[ns]")
    assert_same(model.compact(), model, new)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("size", "large", "Column 'size' of X must hold numbers"),
        ("size", np.inf, "infinity"),
        ("moment", "not a date", "Column 'moment' of X must hold dates"),
        ("moment", 3.5, "Column 'moment' of X must hold dates"),
        ("flag", "yes", "Column 'flag' of X must hold booleans"),
    ],
)
def test_values_of_another_kind_are_refused(mixed, name, value, message):
    X, y = mixed
    small = quick(preprocessor="auto").fit(X, y).compact()
    row = {**X.astype(object).iloc[0].to_dict(), name: value}
    with pytest.raises(ValueError, match=message):
        small.predict(row)


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
    with pytest.raises(ValueError, match="could not convert|must be real"):
        small.predict({**rows[0], "a": "text"})
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


def test_a_preprocessor_of_the_users_ships_as_it_is(mixed):
    X, y = mixed
    encoder = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["level"]), (StandardScaler(), ["count"])
    )
    X = X[["level", "count"]].fillna({"count": 0}).astype({"count": float})
    model = quick(preprocessor=encoder).fit(X, y)
    assert_same(model.compact(), model, X)


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


def test_the_pickle_is_the_weights_and_little_more(binary):
    X, y = binary
    X = np.tile(X, (1, 4))[:, :20]
    small = quick(hidden_layer_sizes=(64, 32)).fit(X, y).compact()
    data = pickle.dumps(small)
    assert len(data) < 4 * 3490 + 2000
    np.testing.assert_array_equal(
        pickle.loads(data).predict_proba(X), small.predict_proba(X)
    )
    assert b"torch" not in data.replace(b"'torch'", b"").replace(b"\x05torch", b"")
    with pytest.warns(InconsistentVersionWarning, match="CompactClassifier"):
        pickle.loads(data.replace(b"0.1.0.dev0", b"0.0.9.dev0"))


def test_it_is_never_fitted(binary):
    X, y = binary
    small = quick().fit(X, y).compact()
    assert clone(small) is small
    with pytest.raises(TypeError, match="cannot be fitted"):
        small.fit(X, y)
    with pytest.raises(TypeError, match="cannot be fitted"):
        make_pipeline(StandardScaler(), small).fit(X, y)
    with pytest.raises(NotFittedError):
        CompactClassifier().predict(X)
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
    assert found["temperature"], found["alpha"] == (2.0, 0.25)
    assert found["n_samples"] == len(X)
    assert found["versions"]["torch"] == torch.__version__
    assert copy.deepcopy(found) == found
    frozen = FrozenEstimator(LogisticRegression().fit(X, y))
    model = small_distilled(frozen).fit(X, y)
    assert model.compact().provenance_["teacher"] == "LogisticRegression"


@pytest.mark.parametrize("of", ["numbers", "table"])
def test_a_fresh_interpreter_needs_neither_torch_nor_pandas(
    binary, mixed, tmp_path, of
):
    """It loads a pickle and a file, and predicts."""
    X, y = binary
    if of == "table":
        X, y = mixed
    model = quick(preprocessor="auto" if of == "table" else None).fit(X, y)
    path = tmp_path / "model"
    model.compact().save(path)
    path.with_suffix(".pickle").write_bytes(pickle.dumps(model.compact()))
    row = X[:1].tolist() if of == "numbers" else X.astype(object).iloc[0].to_dict()
    if of == "table":
        row = {name: str(value) for name, value in row.items()}
        row |= {"size": 1000.0, "flag": True, "count": 3, "age": 4, "nothing": None}
    code = f"""
import pickle, sys
class Missing:
    """As if they were not installed: scikit-learn itself takes pandas where it is."""
    def find_spec(self, name, *args):
        if name.split(".")[0] in ("torch", "skorch", "pandas", "matplotlib"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
from skdistill import CompactClassifier
row = {row!r}
small = CompactClassifier.load({str(path)!r})
with open({str(path) + ".pickle"!r}, "rb") as file:
    again = pickle.load(file)
assert (small.predict_proba(row) == again.predict_proba(row)).all()
print(small.predict_proba(row).ravel().tolist())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(
        np.array(eval(done.stdout)), model.compact().predict_proba(row)[0]
    )
