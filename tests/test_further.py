"""Further rows for a teacher to label: the user's own, checked, asked for, weighed."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from skdistill import MixupTransfer, SwapTransfer, TablePreprocessor
from skdistill._further import is_generator, with_made
from tests.nets import small_distilled, small_search
from tests.test_search import assert_same_results, grid_search


class AskedTeacher(LogisticRegression):
    """A teacher that remembers, by its class, what it was asked."""

    asked = []

    def predict_proba(self, X):
        type(self).asked.append(X)
        return super().predict_proba(X)


@pytest.fixture
def asked(monkeypatch):
    monkeypatch.setattr(AskedTeacher, "asked", [])
    return AskedTeacher.asked


@pytest.fixture
def unlabelled():
    return np.random.default_rng(7).normal(size=(150, 6))


class Given:
    """A generator that makes rows which are there already."""

    def __init__(self, rows):
        self.rows = rows

    def sample(self, X, random_state=None):
        return self.rows


@pytest.mark.parametrize("kind", [np.asarray, list, pd.DataFrame, "memmap"])
def test_rows_are_labelled_as_those_of_a_generator_are(
    binary, unlabelled, kind, tmp_path
):
    X, y = binary
    if kind == "memmap":
        rows = np.memmap(tmp_path / "rows", np.float32, "w+", shape=unlabelled.shape)
        rows[:] = unlabelled
    else:
        rows = kind(unlabelled)
    if kind is pd.DataFrame:
        X, rows = pd.DataFrame(X), pd.DataFrame(unlabelled)
    params = {"transfer_share": 0.7, "alpha": 0.8}
    weight = np.linspace(0, 2, 80)
    models = [
        small_distilled(LogisticRegression(), transfer=transfer, **params).fit(
            X, y, sample_weight=weight
        )
        for transfer in (rows, Given(rows))
    ]
    first, second = (model.predict_proba(X) for model in models)
    np.testing.assert_array_equal(first, second)
    assert models[0].transfer is rows
    assert models[0].get_params()["transfer"] is rows
    plain = small_distilled(LogisticRegression(), alpha=0.8)
    assert (first != plain.fit(X, y, sample_weight=weight).predict_proba(X)).any()


def test_the_teacher_gets_a_large_table_in_blocks(
    binary, unlabelled, asked, tmp_path, monkeypatch
):
    monkeypatch.setattr("skdistill._further.N_AT_ONCE", 40)
    rows = np.memmap(tmp_path / "rows", np.float64, "w+", shape=unlabelled.shape)
    rows[:] = unlabelled
    model = small_distilled(AskedTeacher(), transfer=rows).fit(*binary)
    assert [len(X) for X in asked] == [80, 40, 40, 40, 30]
    assert all(isinstance(X, np.memmap) for X in asked[1:])
    np.testing.assert_array_equal(np.concatenate(asked[1:]), unlabelled)
    whole = small_distilled(LogisticRegression(), transfer=unlabelled).fit(*binary)
    np.testing.assert_allclose(
        model.predict_proba(unlabelled), whole.predict_proba(unlabelled), atol=1e-5
    )


def test_a_data_frame_reaches_the_teacher_as_one(binary, unlabelled, asked):
    X, y = binary
    names = list("abcdef")
    rows = pd.DataFrame(unlabelled, columns=names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        small_distilled(AskedTeacher(), transfer=rows).fit(
            pd.DataFrame(X, columns=names), y
        )
    pd.testing.assert_frame_equal(asked[1], rows)


@pytest.mark.parametrize("make", [small_distilled, small_search])
def test_the_teacher_gets_columns_in_the_order_of_x(binary, unlabelled, asked, make):
    X, y = binary
    names = list("abcdef")
    rows = pd.DataFrame(unlabelled, columns=names)
    make(
        AskedTeacher(),
        preprocessor="auto",
        calibrate=False,
        transfer=rows[names[::-1]],
    ).fit(pd.DataFrame(X, columns=names), y)
    assert {tuple(table.columns) for table in asked} == {tuple(names)}


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_rows_made_of_a_table_keep_the_names_of_its_columns(binary, asked, kind):
    package = pytest.importorskip(kind)
    X, y = binary
    columns = dict(zip("abcdef", X.T, strict=True)) | {"text": ["u", "v"] * 40}
    table = package.DataFrame(columns) if kind == "polars" else package.table(columns)
    make = make_pipeline(TablePreprocessor(), AskedTeacher())
    model = small_distilled(make, preprocessor="auto", transfer=SwapTransfer())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(table, y)
    assert list(SwapTransfer().sample(table)) == [*columns]


def test_what_has_rows_is_no_generator(unlabelled):
    # A DataFrame has a method `sample`, which draws some of its rows.
    assert not is_generator(pd.DataFrame(unlabelled))
    assert not is_generator(unlabelled)
    assert not is_generator(unlabelled.tolist())
    assert is_generator(MixupTransfer())


@pytest.mark.parametrize("make", [small_distilled, small_search])
def test_rows_unlike_those_of_x_stop_it_before_training(
    binary, unlabelled, make, no_training
):
    X, y = binary
    names = list("abcdef")
    frame = pd.DataFrame(X, columns=names)
    for rows, given, message in [
        (unlabelled[:, :5], X, "has 5 features, but .* expecting 6"),
        (unlabelled[:0], X, "0 sample"),
        (unlabelled[0], X, "Expected 2D array"),
        ([["x"] * 6], X, "could not convert"),
        (pd.DataFrame(unlabelled, columns=names[::-1]), frame, "feature names"),
    ]:
        expected = (
            f"'transfer' parameter .*X_unlabelled.* like those of X: [^\0]*{message}"
        )
        with pytest.raises(ValueError, match=expected):
            make(LogisticRegression(), transfer=rows).fit(given, y)


def test_without_a_teacher_they_are_not_looked_at(binary):
    model = small_distilled(alpha=0.0, transfer=[["x"]]).fit(*binary)
    expected = small_distilled(alpha=0.0).fit(*binary).predict_proba(binary[0])
    np.testing.assert_array_equal(model.predict_proba(binary[0]), expected)


def test_rows_are_for_no_soft_targets(binary, unlabelled, no_training):
    model = small_distilled(transfer=unlabelled)
    with pytest.raises(ValueError, match="'transfer' .* None .* Got a ndarray"):
        model.fit(*binary, soft_targets=np.full((80, 2), 0.5))


def test_a_class_in_place_of_an_instance_is_refused(binary, no_training):
    with pytest.raises(ValueError, match=r"'transfer' .* write MixupTransfer\(\)\."):
        small_distilled(transfer=MixupTransfer).fit(*binary)


def test_cloned_with_a_copy_of_the_rows(unlabelled):
    model = clone(small_distilled(transfer=unlabelled))
    np.testing.assert_array_equal(model.transfer, unlabelled)
    assert model.transfer is not unlabelled


def test_the_same_rows_serve_every_fold_of_a_search(binary, unlabelled):
    X, y = binary
    model = small_search(
        LogisticRegression(),
        scoring="neg_log_loss",
        transfer=unlabelled,
        transfer_share=0.7,
    )
    weight = np.linspace(0, 2, len(y))
    plain = grid_search(clone(model)).fit(X, y, sample_weight=weight)
    model.fit(X, y, sample_weight=weight)
    assert_same_results(model, plain)
    assert model.best_index_ == plain.best_index_


def test_the_teacher_of_a_fold_is_asked_once_about_them(binary, unlabelled, asked):
    students = [None, DecisionTreeClassifier(max_depth=2, random_state=0)]
    small_search(
        AskedTeacher(),
        transfer=unlabelled,
        calibrate=False,
        param_grid={"student": students, "preprocessor": [None, "auto"]},
        alphas=[0.5, 1.0],
        refit=False,
        cv=2,
    ).fit(*binary)
    assert sorted(map(len, asked)) == [40, 40, 150, 150]


def test_a_search_holds_the_rows_once(binary, unlabelled, monkeypatch):
    from skdistill import _search_stacks

    taken = []
    train = _search_stacks.train_replicas

    def counted(net, X, *args, **params):
        taken.append(len(X))
        return train(net, X, *args, **params)

    monkeypatch.setattr(_search_stacks, "train_replicas", counted)
    small_search(LogisticRegression(), transfer=unlabelled).fit(*binary)
    assert set(taken) == {80 + 150}


@pytest.mark.parametrize("weight", [None, np.array([0.5, 1.5, 4.0], np.float32)])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.9])
def test_further_rows_have_their_share_of_the_weights(weight, share):
    rows = {"teacher_logits": np.zeros((3, 2), np.float32)}
    if weight is not None:
        rows["sample_weight"] = weight
    joined = with_made(rows, np.ones((5, 2), np.float32), share)
    total = joined["sample_weight"]
    assert total.dtype == np.float32
    assert total.mean() == pytest.approx(1)
    assert total[3:].sum() / total.sum() == pytest.approx(share, rel=1e-5)
    assert len(set(total[3:])) == 1
    expected = np.ones(3) if weight is None else weight
    np.testing.assert_allclose(total[:3] / total[0], expected / expected[0], rtol=1e-6)
    assert joined["teacher_logits"].tolist() == [[0, 0]] * 3 + [[1, 1]] * 5
