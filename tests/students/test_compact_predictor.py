"""A model in a file answers by numpy alone, as the estimator that wrote it does."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import CompactPredictor, DistilledClassifier, compact
from tests.students.small import assert_same, quick, run_without

NAMES = [*"abcdef"]


@pytest.fixture
def loaded(binary, tmp_path):
    """A function that fits a student, and reads its file as a CompactPredictor."""

    def load(X=binary[0], y=binary[1], **params):
        small = quick(**params).fit(X, y).compact()
        small.save(tmp_path / "model")
        return small, CompactPredictor.load(tmp_path / "model")

    return load


@pytest.mark.parametrize(
    "given",
    [
        np.asarray,
        np.ndarray.tolist,
        np.asfortranarray,
        np.float32,
        lambda X: X.astype(object),
        lambda X: X[:1],
        lambda X: np.tile(X, (60, 1)),  # more than a chunk
        pd.DataFrame,
    ],
)
def test_the_same_answers(binary, loaded, given):
    small, model = loaded()
    assert_same(model, small, given(binary[0]))


def test_the_same_answers_to_tables(mixed, loaded):
    X, y = mixed
    small, model = loaded(X, y, preprocessor="auto")
    assert_same(model, small, X)
    assert_same(model, small, X[[*X.columns[::-1]]])
    many = pd.concat([X] * 40, ignore_index=True)
    assert_same(model, small, many)
    rows = X.astype(object).where(X.notna(), None).to_dict("records")
    assert_same(model, small, rows)
    assert_same(model, small, rows[0])
    assert_same(model, small, [[*row.values()] for row in rows])
    same = model.predict_proba(tuple((*row.values(),) for row in rows))
    np.testing.assert_array_equal(same, model.predict_proba(rows))


@pytest.mark.parametrize("preprocessor", [None, "auto"])
def test_tables_of_pyarrow_and_polars(binary, loaded, preprocessor):
    X, y = binary
    frame = pd.DataFrame(X, columns=NAMES)
    _, model = loaded(frame, y, preprocessor=preprocessor)
    expected = model.predict_proba(frame)
    pyarrow, polars = map(pytest.importorskip, ("pyarrow", "polars"))
    mixed_up = frame[NAMES[::-1]]
    for table in (
        pyarrow.Table.from_pandas(mixed_up, preserve_index=False),
        polars.DataFrame({name: mixed_up[name].to_numpy() for name in mixed_up}),
    ):
        np.testing.assert_allclose(model.predict_proba(table), expected, rtol=1e-6)


@pytest.mark.parametrize("preprocessor", [None, "auto", StandardScaler()])
def test_the_same_answers_to_named_numbers(binary, loaded, preprocessor):
    X, y = binary
    frame = pd.DataFrame(5 * X + 2, columns=NAMES)
    small, model = loaded(frame, y, preprocessor=preprocessor)
    assert_same(model, small, frame)
    assert_same(model, small, frame.to_dict("records"))
    np.testing.assert_array_equal(
        model.predict_proba(frame.to_numpy()), model.predict_proba(frame)
    )
    if preprocessor == "auto":
        frame.iloc[3, 2] = np.nan  # stands for the median
        assert_same(model, small, frame)
        assert_same(model, small, frame.convert_dtypes())
        assert_same(model, small, {**frame.iloc[0], "c": pd.NA})


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones(6), r"two dimensions, rows and columns. Got shape \(6,\)"),
        (np.ones((0, 6)), r"Found array with 0 sample\(s\)"),
        ([], "two dimensions"),
        (np.ones((2, 5)), "X has 5 features, but CompactPredictor is expecting 6"),
        ([[0, 1, 2, 3, 4, np.nan]], "Input X contains NaN"),
        ([[0, 1, 2, 3, 4, 1e60]], "Input X contains infinity or a value too large"),
        ([[0, 1, 2, 3, 4, "red"]], "X must hold numbers only. Got 'red'"),
        ([[0, 1, 2, 3, 4, 1j]], "X must hold numbers only"),
        ([["1"] * 6], "X must hold numbers only. Got '1'"),
        (None, "Got NoneType"),
        ("rows", "Got str"),
        (np.full((2, 6), "1"), "X must hold numbers only. Got an array of <U1"),
        (sparse.eye(6), "two dimensions.* Got dia_"),
        ({"a": 1.0}, "Rows can be dicts only where"),
    ],
)
def test_bad_rows_are_refused(loaded, X, message):
    _, model = loaded()
    with pytest.raises(ValueError, match=message):
        model.predict_proba(X)


def test_other_columns_are_refused(binary, loaded):
    X, y = binary
    frame = pd.DataFrame(X, columns=NAMES)
    _, model = loaded(frame, y)
    with pytest.raises(ValueError, match=r"Missing: \['f'\]; not seen in fit: \['F'\]"):
        model.predict(frame.rename(columns={"f": "F"}))
    with pytest.raises(ValueError, match=r"lacks \['a'\]"):
        model.predict(dict.fromkeys(NAMES[1:], 0.0))
    row = dict.fromkeys(NAMES, 0.0)
    with pytest.raises(ValueError, match="Row 1 of X must be a dict, as row 0 is. Got"):
        model.predict([row, None])


def test_one_without_a_model_says_so():
    with pytest.raises(AttributeError, match=r"CompactPredictor.load\(path\) reads"):
        CompactPredictor().predict([[0.0]])
    assert repr(CompactPredictor()) == "CompactPredictor()"


def test_numpy_and_safetensors_are_all_it_imports(binary, mixed, tmp_path):
    """In a fresh interpreter, without what most of a start-up goes into."""
    X, y = binary
    pipeline = make_pipeline(StandardScaler(), quick()).fit(9 * X + 5, y)
    compact(pipeline, merge_scaler=True).save(tmp_path / "scaled")
    table, labels = mixed
    small = quick(preprocessor="auto").fit(table, labels).compact()
    small.save(tmp_path / "table")
    row = {"size": 1000.0, "colour": "red", "level": 2, "grade": None, "age": 4}
    row |= {"moment": "2024-01-03", "day": "2024-01-03", "zoned": "2024-01-03T10:00Z"}
    row |= {"flag": True, "nothing": None, "count": 3}
    printed = run_without(
        {"sklearn", "scipy", "pandas", "joblib", "torch", "skorch", "tqdm"},
        f"""
import json
from pathlib import Path
from skdistill import CompactPredictor
folder = Path({str(tmp_path)!r})
scaled = CompactPredictor.load(folder / "scaled").predict_proba({(9 * X + 5).tolist()})
table = CompactPredictor.load(folder / "table").predict_proba({row})
print(json.dumps([scaled.tolist(), table.tolist()]))
""",
    )
    scaled, table = json.loads(printed)
    np.testing.assert_allclose(scaled, pipeline.predict_proba(9 * X + 5), atol=1e-5)
    np.testing.assert_allclose(table, small.predict_proba(row), rtol=1e-5)


# --- compact(pipeline, merge_scaler=True) ---------------------------------------------


@pytest.mark.parametrize("names", [None, NAMES])
@pytest.mark.parametrize(
    "scaler", [StandardScaler(), StandardScaler(with_mean=False)], ids=str
)
def test_a_scaler_in_the_first_layer(binary, tmp_path, names, scaler):
    X, y = binary
    X = pd.DataFrame(9 * X + 4, columns=names)
    steps = ("nothing", None), ("passthrough", "passthrough"), ("scaler", scaler)
    pipeline = Pipeline([*steps, ("student", quick())]).fit(X, y)
    before = pipeline.predict_proba(X)
    for given in (pipeline, compact(pipeline), FrozenEstimator(pipeline)):
        merged = compact(given, merge_scaler=True)
        assert [*getattr(merged, "feature_names_in_", [])] == (names or [])
        np.testing.assert_allclose(merged.predict_proba(X), before, rtol=1e-5)
        # What was given is as it was.
        np.testing.assert_allclose(given.predict_proba(X), before, rtol=1e-6)
    merged.save(tmp_path / "model")
    model = CompactPredictor.load(tmp_path / "model")
    assert [*getattr(model, "feature_names_in_", [])] == (names or [])
    assert_same(model, merged, X)


def test_names_that_a_scaler_makes_up(binary):
    X, y = binary
    scaler = StandardScaler().set_output(transform="pandas")
    pipeline = make_pipeline(scaler, quick()).fit(X, y)
    merged = compact(pipeline, merge_scaler=True)
    assert not hasattr(merged, "feature_names_in_")
    np.testing.assert_allclose(
        merged.predict_proba(X), pipeline.predict_proba(X), rtol=1e-5
    )


def test_few_bits_far_from_zero(binary, tmp_path):
    """The rounding of weights is made up for at the means, of the fit that merged."""
    X, y = binary
    X = X + 500.0
    pipeline = make_pipeline(StandardScaler(), quick()).fit(X, y)
    before = pipeline.predict_proba(X)
    merged = compact(pipeline, merge_scaler=True)
    pipeline.fit(1000 * X, y)
    merged.save(tmp_path / "model", dtype="float16")
    model = CompactPredictor.load(tmp_path / "model")
    np.testing.assert_allclose(model.predict_proba(X), before, atol=2e-3)


def test_merging_reaches_into_searches(binary):
    X, y = binary
    pipeline = make_pipeline(StandardScaler(), quick())
    search = GridSearchCV(pipeline, {"distilledclassifier__max_epochs": [1]}, cv=2)
    merged = compact(search.fit(X, y), merge_scaler=True)
    np.testing.assert_allclose(
        merged.predict_proba(X), search.predict_proba(X), rtol=1e-5
    )


def test_what_cannot_be_merged(binary):
    X, y = binary
    tree = DistilledClassifier(GaussianNB(), student=DecisionTreeClassifier())
    for steps in (
        [MinMaxScaler(), quick()],
        [StandardScaler(), StandardScaler(), quick()],
        [StandardScaler(), quick(preprocessor="auto")],
        [StandardScaler(), tree],
        [quick()],
    ):
        pipeline = make_pipeline(*steps).fit(X, y)
        with pytest.raises(ValueError, match="takes a Pipeline of a Standard"):
            compact(pipeline, merge_scaler=True)
    pipeline = make_pipeline(StandardScaler(), quick()).fit(X + 1e6, y)
    with pytest.raises(ValueError, match=r"1000 standard deviations.* of up to 1e\+06"):
        compact(pipeline, merge_scaler=True)
    for steps in ([("a", "passthrough")], [("a", quick().fit(X, y)), ("b", None)]):
        with pytest.raises(TypeError, match="takes a fitted DistilledClassifier"):
            compact(Pipeline(steps), merge_scaler=True)
    alone = quick().fit(X, y)
    assert_same(compact(alone, merge_scaler=True), alone, X)
