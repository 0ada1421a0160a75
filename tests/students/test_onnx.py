import importlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_blobs, make_classification
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from skdistill import (
    DistilledClassifier,
    EnsembleTeacher,
    TablePreprocessor,
    to_onnx,
)
from tests.nets import (
    LogitModule,
    small_distilled,
    small_net,
    small_search,
    small_teacher,
)

onnxruntime = pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")
shape_calculator = pytest.importorskip("skl2onnx.common.shape_calculator")
protobuf = pytest.importorskip("google.protobuf")


def outputs(model, feed):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    assert names == ["label", "probabilities"]
    return session.run(None, feed)


def assert_same(estimator, model, X, feed=None):
    """Assert that an ONNX model predicts what an estimator does: many rows, and one."""
    feed = {"X": X} if feed is None else feed
    for n_rows in (len(X), 1):
        label, proba = outputs(model, {name: x[:n_rows] for name, x in feed.items()})
        np.testing.assert_array_equal(label, estimator.predict(X[:n_rows]))
        expected = estimator.predict_proba(X[:n_rows])
        np.testing.assert_allclose(proba, expected, rtol=0, atol=1e-5)


def forest():
    return RandomForestClassifier(5, random_state=0)


@pytest.fixture(scope="module")
def two():
    """80 rows, 6 features, 2 classes."""
    X, y = make_classification(n_samples=80, n_features=6, random_state=0)
    return X.astype(np.float32), y


@pytest.fixture(scope="module")
def three():
    """90 rows, 4 features, 3 classes, as text."""
    X, y = make_blobs(n_samples=90, n_features=4, centers=3, random_state=0)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X.astype(np.float32), np.array(["a", "b", "c"])[y]


@pytest.fixture(scope="module")
def fitted(two):
    return small_distilled(forest()).fit(*two)


# --- Kinds of models ----------------------------------------------------------------


def test_two_classes(fitted, two):
    X, _ = two
    assert_same(fitted, to_onnx(fitted), X)


def test_three_classes_of_text(three):
    X, y = three
    estimator = small_distilled(forest()).fit(X, y)
    assert_same(estimator, to_onnx(estimator), X)


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ([3, 7], np.int64),
        (np.array([3, 7], dtype=np.uint8), np.int64),
        ([False, True], np.int64),
        ([0.5, 1.5], np.float64),
        (np.array(["no", "yes"], dtype=object), object),
    ],
)
def test_labels_of_any_kind(fitted, two, labels, kind):
    X, _ = two
    estimator = fitted.compact()
    estimator.classes_ = np.asarray(labels)
    label, _ = outputs(to_onnx(estimator), {"X": X})
    assert label.dtype == kind
    np.testing.assert_array_equal(label, estimator.predict(X))


def test_labels_that_onnx_does_not_have(fitted):
    estimator = fitted.compact()
    estimator.classes_ = np.array([b"no", b"yes"])
    with pytest.raises(ValueError, match=r"numbers, booleans or text. Got .* \|S3: b'"):
        to_onnx(estimator)
    estimator.classes_ = np.array([1, 2**64 - 1], dtype=np.uint64)
    with pytest.raises(ValueError, match=r"int64 can hold. Got .*uint64: .*\d{20}"):
        to_onnx(estimator)


def test_compact_copy(fitted, two):
    copy = fitted.compact()
    assert_same(copy, to_onnx(copy), two[0])


def test_search(three):
    X, y = three
    search = small_search(forest(), cv=2, max_epochs=2).fit(X, y)
    assert_same(search, to_onnx(search), X)


@pytest.mark.parametrize("averaging", ["logits", "proba"])
def test_teacher(three, averaging):
    X, y = three
    params = {"averaging": averaging, "calibrate": True, "random_state": 0}
    teacher = small_teacher(n_estimators=3, **params).fit(X, y)
    assert teacher.temperature_ != 1
    assert_same(teacher, to_onnx(teacher), X)


def test_teacher_with_a_preprocessor(two):
    X, y = two
    teacher = small_teacher(dropout=0.5, preprocessor="auto").fit(X, y)
    assert_same(teacher, to_onnx(teacher, X), X)


STUDENTS = {
    "tree": DecisionTreeClassifier(max_depth=4, random_state=0),
    "booster": GradientBoostingClassifier(n_estimators=5, random_state=0),
    "linear": LogisticRegression(),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
}


def with_student(student, **params):
    return DistilledClassifier(
        forest(), student=student, calibrate=False, random_state=0, **params
    )


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("preprocessor", [None, StandardScaler()])
def test_student_of_scikit_learn(three, student, preprocessor):
    X, y = three
    estimator = with_student(STUDENTS[student], preprocessor=preprocessor).fit(X, y)
    assert_same(estimator, to_onnx(estimator), X)
    assert_same(estimator, to_onnx(estimator.compact()), X)


@pytest.mark.skipif(
    protobuf.__version__ >= "7", reason="skl2onnx gives it booleans for integers"
)
@pytest.mark.filterwarnings("ignore:Field onnx.AttributeProto:DeprecationWarning")
def test_student_is_a_histogram_booster(three):
    X, y = three
    student = HistGradientBoostingClassifier(max_iter=5, early_stopping=False)
    estimator = with_student(student).fit(X, y)
    assert_same(estimator, to_onnx(estimator), X)


@pytest.mark.parametrize(
    ("package", "kind", "converter"),
    [
        ("lightgbm", "LGBMClassifier", "LightGbm.convert_lightgbm"),
        ("xgboost", "XGBClassifier", "XGBoost.convert_xgboost"),
    ],
)
def test_student_with_a_converter_of_another_package(
    two, three, package, kind, converter
):
    pytest.importorskip("onnxmltools")
    kind = getattr(pytest.importorskip(package), kind)
    module, name = converter.split(".")
    module = f"onnxmltools.convert.{package}.operator_converters.{module}"
    skl2onnx.update_registered_converter(
        kind,
        f"tests.{kind.__name__}",
        shape_calculator.calculate_linear_classifier_output_shapes,
        getattr(importlib.import_module(module), name),
        options={"nocl": [True, False], "zipmap": [True, False]},
    )
    for X, y in (two, three):
        estimator = with_student(kind(n_estimators=5, n_jobs=1)).fit(X, y)
        assert_same(estimator, to_onnx(estimator, opset={"": 15, "ai.onnx.ml": 3}), X)


def test_student_that_knows_fewer_classes(three):
    X, y = three
    estimator = with_student(STUDENTS["tree"], alpha=0)
    weight = (y != "b").astype(float)
    estimator.fit(X, y, sample_weight=weight)
    assert_same(estimator, to_onnx(estimator), X)
    _, proba = outputs(to_onnx(estimator), {"X": X})
    assert (proba[:, 1] < 1e-30).all()


def test_student_that_skl2onnx_does_not_know(two):
    class Own(LogisticRegression):
        pass

    estimator = with_student(Own()).fit(*two)
    with pytest.raises(Exception, match=r"shape calculator for type .*Own"):
        to_onnx(estimator)


class Layers(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))


class ScaledLayers(Layers):
    def forward(self, X):
        return super().forward(X / 2)


def test_student_with_a_module_of_ones_own(two):
    X, y = two
    estimator = with_student(small_net(Layers)).fit(X, y)
    assert_same(estimator, to_onnx(estimator), X)


@pytest.mark.parametrize("module", [LogitModule, ScaledLayers])
def test_module_that_is_not_known_to_be_layers(two, module):
    estimator = with_student(small_net(module)).fit(*two)
    message = rf"to_onnx\(\) take .* Got the module {module.__name__}\."
    with pytest.raises(ValueError, match=message):
        to_onnx(estimator)


def test_teacher_with_a_module_of_ones_own(two):
    X, y = two
    teacher = EnsembleTeacher(small_net(Layers), n_estimators=2).fit(X, y)
    assert_same(teacher, to_onnx(teacher), X)
    teacher = EnsembleTeacher(small_net(LogitModule), n_estimators=2).fit(X, y)
    with pytest.raises(ValueError, match=r"to_onnx\(\) take .* the module LogitModule"):
        to_onnx(teacher)


# --- Pipelines ----------------------------------------------------------------------


def test_pipeline(two):
    X, y = two
    X = X.astype(np.float64) * 3 + 100
    pipeline = make_pipeline(StandardScaler(), small_distilled(forest())).fit(X, y)
    assert_same(pipeline, to_onnx(pipeline, X), X)
    narrow = X.astype(np.float32)
    assert_same(pipeline, to_onnx(pipeline), narrow)


def test_pipeline_in_a_search_and_frozen(two):
    X, y = two
    pipeline = make_pipeline(StandardScaler(), small_distilled(forest(), max_epochs=2))
    search = GridSearchCV(pipeline, {"distilledclassifier__alpha": [0.5, 1.0]}, cv=2)
    search.fit(X, y)
    assert_same(search, to_onnx(FrozenEstimator(search)), X)
    frozen = make_pipeline(StandardScaler(), FrozenEstimator(small_distilled(forest())))
    frozen[-1].estimator.fit(X, y)
    frozen[:-1].fit(X)
    assert_same(frozen, to_onnx(frozen), X)


def test_steps_of_the_pipeline_stay(two):
    pipeline = make_pipeline(StandardScaler(), small_distilled(forest(), max_epochs=1))
    steps = [*pipeline.fit(*two).steps]
    to_onnx(pipeline)
    assert pipeline.steps == steps


def test_opset(fitted, two):
    model = to_onnx(fitted, opset=15)
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == 15
    assert_same(fitted, model, two[0])


@pytest.mark.parametrize("options", [None, {"zipmap": False}])
def test_what_skl2onnx_converts_by_itself(two, options):
    X, y = two
    # A class that nothing has registered.
    subclass = type("Subclass", (DistilledClassifier,), {})
    estimator = subclass(forest(), max_epochs=2, calibrate=False, random_state=0)
    pipeline = make_pipeline(StandardScaler(), estimator).fit(X, y)
    for _ in range(2):
        assert_same(pipeline, skl2onnx.to_onnx(pipeline, X, options=options), X)


# --- Tables -------------------------------------------------------------------------


def table(n_rows=120):
    rng = np.random.default_rng(0)
    days = pd.to_timedelta(rng.integers(0, 1000, n_rows), "D")
    X = pd.DataFrame(
        {
            "the size": rng.normal(1000, 3, n_rows),
            "rooms": rng.integers(0, 9, n_rows),
            "colour": rng.choice(["red", "green", "blue"], n_rows),
            "code": pd.Categorical(rng.choice([1, 2, 3], n_rows)),
            "new": rng.random(n_rows) < 0.4,
            "sold": np.where(rng.random(n_rows) < 0.2, None, rng.random(n_rows) < 0.5),
            "day": pd.Timestamp("2020-01-01") + days,
            "took": days,
            "constant": 1.0,
        }
    )
    X.loc[3, "colour"] = "mauve"
    X.loc[::5, "colour"] = None
    X.loc[::7, "the size"] = np.nan
    X.loc[::9, "day"] = pd.NaT
    X.loc[10, "the size"] = -999.0
    y = ((X["the size"].fillna(1000) > 1000) ^ (X["colour"] == "red")).astype(int)
    return X, y.to_numpy()


def as_tensors(X):
    """Return the columns of `table` in the form that ONNX takes them."""
    day = pd.Timedelta(1, "D")
    X = X.assign(
        colour=X["colour"].astype(object).where(X["colour"].notna(), ""),
        code=X["code"].astype(str).astype(object),
        sold=X["sold"].astype(np.float32),
        day=(X["day"] - pd.Timestamp(0)) / day,
        took=X["took"] / day,
    )
    return {name: X[[name]].to_numpy() for name in X}


@pytest.fixture(scope="module")
def of_table():
    X, y = table()
    teacher = make_pipeline(TablePreprocessor(), forest())
    return small_distilled(teacher, preprocessor="auto").fit(X, y)


def test_table(of_table):
    X, _ = table()
    feed = as_tensors(X)
    model = to_onnx(of_table, X)
    assert [x.name for x in model.graph.input] == [*X.columns]
    assert_same(of_table, model, X, feed)
    assert_same(of_table, to_onnx(of_table.compact(), X[X.columns[::-1]]), X, feed)


def test_table_with_what_fit_has_not_seen(of_table):
    X = table()[0].assign(colour="violet", new=True, code="17", rooms=-5)
    assert_same(of_table, to_onnx(of_table, table()[0]), X, as_tensors(X))


def test_table_without_sample(of_table):
    X, _ = table()
    feed = as_tensors(X)
    feed["rooms"] = feed["rooms"].astype(np.float64)
    assert_same(of_table, to_onnx(of_table), X, feed)


def test_table_preprocessor_as_a_step():
    X, y = table()
    estimator = with_student(DecisionTreeClassifier(max_depth=4, random_state=0))
    pipeline = make_pipeline(TablePreprocessor(), estimator).fit(X, y)
    assert_same(pipeline, to_onnx(pipeline, X), X, as_tensors(X))


def test_array_of_all_kinds():
    X, y = table()
    X = X[["rooms", "colour", "new"]]
    feed = as_tensors(table()[0])
    estimator = small_distilled(
        make_pipeline(TablePreprocessor(), forest()), preprocessor="auto"
    ).fit(X.astype(object).to_numpy(), y)
    feed = {f"x{j}": feed[name] for j, name in enumerate(X)}
    feed["x0"] = feed["x0"].astype(np.float64)
    assert_same(estimator, to_onnx(estimator), X.astype(object).to_numpy(), feed)


@pytest.mark.parametrize("at_first", [True, False])
def test_missing_numbers(two, at_first):
    X, y = two[0].copy(), two[1]
    seen = X.copy()
    if at_first:
        seen[::3, 1] = np.nan
    X[::4, 1] = np.nan
    estimator = small_distilled(
        make_pipeline(TablePreprocessor(), forest()), preprocessor="auto"
    ).fit(seen, y)
    assert_same(estimator, to_onnx(estimator, X), X)


def test_numbers_that_are_far(two):
    X, y = two
    far = X.copy()
    far[3, 0] = -999
    estimator = small_distilled(forest(), preprocessor="auto").fit(far, y)
    far[4, 0] = 1e6
    assert_same(estimator, to_onnx(estimator), far)


def test_columns_for_a_column_transformer():
    X, y = table()
    X = X.assign(rooms=X["rooms"].astype(np.float32))[["rooms", "colour"]]
    X["colour"] = X["colour"].astype(object).where(X["colour"].notna(), "none")
    columns = ColumnTransformer(
        [
            ("scale", StandardScaler(), ["rooms"]),
            ("encode", OneHotEncoder(handle_unknown="ignore"), ["colour"]),
        ],
        sparse_threshold=0,
    )
    feed = {name: X[[name]].to_numpy() for name in X}
    pipeline = make_pipeline(columns, small_distilled(forest())).fit(X, y)
    assert_same(pipeline, to_onnx(pipeline, X), X, feed)
    own = small_distilled(make_pipeline(columns, forest()), preprocessor=columns)
    assert_same(own.fit(X, y), to_onnx(own, X), X, feed)
    with pytest.raises(
        ValueError, match=r"X_sample.* as ColumnTransformer does.* None"
    ):
        to_onnx(pipeline)


@pytest.mark.parametrize("with_sample", [True, False])
def test_named_columns_of_numbers(two, with_sample):
    X, y = pd.DataFrame(two[0], columns=["a 1", "b", "c", "d", "e", "f"]), two[1]
    feed = {name: X[[name]].to_numpy() for name in X}
    sample = X[X.columns[::-1]] if with_sample else None
    for steps in ([], [StandardScaler()]):
        pipeline = make_pipeline(*steps, small_distilled(forest())).fit(X, y)
        assert_same(pipeline, to_onnx(pipeline, sample), X, feed)


# --- What is refused ----------------------------------------------------------------


def test_dates_as_text(of_table):
    X, _ = table()
    sample = X.assign(day=X["day"].astype(str))
    with pytest.raises(
        ValueError, match=r"'day' was a date .* days since 1970-01-01 .* type STRING"
    ):
        to_onnx(of_table, sample)


def test_empty_text_is_no_category():
    X, y = table()
    X = X[["rooms"]].assign(colour=np.where(y == 1, "", "red"))
    estimator = small_distilled(
        make_pipeline(TablePreprocessor(), forest()), preprocessor="auto"
    ).fit(X, y)
    with pytest.raises(ValueError, match="'colour' has the empty text among its"):
        to_onnx(estimator, X)


@pytest.mark.parametrize("names", [["a b", "a_b"], ["size", "label"]])
def test_columns_that_onnx_cannot_tell_apart(two, names):
    X, y = pd.DataFrame(two[0][:, :2], columns=names), two[1]
    estimator = small_distilled(forest(), max_epochs=1).fit(X, y)
    message = f"column '{names[1]}' cannot have its name in ONNX"
    with pytest.raises(ValueError, match=message):
        to_onnx(estimator)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (np.ones((2, 5)), r"the 6 columns .* Got shape \(2, 5\)"),
        (np.ones(6), r"two dimensions .* Got shape \(6,\)"),
        (np.full((2, 6), 1, dtype=object), "DataFrame, or an array .* dtype object"),
        (pd.DataFrame({"a": [1.0]}), r"the 6 columns .* Got shape \(1, 1\)"),
    ],
)
def test_sample_that_does_not_fit(fitted, sample, message):
    with pytest.raises(ValueError, match=f"X_sample.*{message}"):
        to_onnx(fitted, sample)


def test_sample_that_lacks_columns(of_table):
    with pytest.raises(ValueError, match=r"X_sample.* It lacks \['day', 'took'\]"):
        to_onnx(of_table, table()[0].drop(columns=["day", "took"]))


def test_no_estimator(fitted):
    with pytest.raises(TypeError, match="'model' .* fitted estimator.* Got 'model'"):
        to_onnx("model")
    with pytest.raises(NotFittedError):
        to_onnx(small_distilled())
    with pytest.raises(NotFittedError):
        to_onnx(make_pipeline(StandardScaler(), small_distilled()))


@pytest.mark.parametrize("package", ["onnx", "skl2onnx"])
def test_without_the_packages(fitted, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"{package} is not installed: pip install 'skdistill\[onnx\]'"
    with pytest.raises(ImportError, match=message):
        to_onnx(fitted)


def test_nothing_loads_onnx_before():
    code = """
import sys, skdistill
for name in skdistill.__all__:
    getattr(skdistill, name)
print(sorted({"onnx", "onnxruntime", "skl2onnx"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
