"""A table's columns are taken as `TablePreprocessor` takes them, without pandas."""

import numpy as np
import pandas as pd
import pytest

from skdistill import CompactPredictor
from tests.students.small import assert_same, quick


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


def test_numbers_that_are_far_are_clipped_everywhere(binary, tmp_path):
    X, y = binary
    far = X.copy()
    far[3, 0], far[5, 1] = -999, 1e6
    model = quick(preprocessor="auto").fit(far, y)
    assert model._row_preprocessor is None  # the first layer has its place
    limits = model.preprocessor_.limits_
    assert np.isfinite(limits).any(axis=0).tolist() == [True, True, *[False] * 4]
    rows = np.vstack([far, 1e4 * far]).astype(np.float64)
    rows[0, 0] = np.nan
    clean = quick(preprocessor="auto").fit(far.clip(*limits), y)
    expected = clean.predict_proba(rows.clip(*limits))
    path = tmp_path / "model"
    model.compact().save(path)
    for one in (model, model.compact(), CompactPredictor.load(path)):
        np.testing.assert_allclose(one.predict_proba(rows), expected, atol=1e-6)
        huge = one.predict_proba(np.where(rows == 1e10, 1e300, rows))
        np.testing.assert_allclose(huge, expected, atol=1e-6)
        with pytest.raises(ValueError, match="infinity"):
            one.predict(np.where(rows == 1e10, np.inf, rows))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("size", "large", "Column 'size' of X must hold numbers"),
        ("size", np.inf, "infinity"),
        ("size", 10**400, "Column 'size' of X must hold numbers"),
        ("size", np.timedelta64(3, "D"), "Column 'size' of X must hold numbers"),
        ("age", 10**400, "Column 'age' of X must hold durations"),
        (
            "zoned",
            "0001-01-01T00:00:00+05:00",
            "Column 'zoned' of X must hold dates.*Got '0001",
        ),
        ("flag", 10**400, "Column 'flag' of X must hold booleans"),
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


@pytest.mark.parametrize("kind", [np.ndarray, list])
def test_rows_without_names(mixed, kind):
    X, y = mixed
    X = X[["size", "colour", "moment", "flag"]].astype(object).to_numpy()
    model = quick(preprocessor="auto").fit(X, y)
    small = model.compact()
    rows = X if kind is np.ndarray else X.tolist()
    assert_same(small, model, rows)
    with pytest.raises(ValueError, match="Reshape your data"):
        small.predict(rows[0])
    with pytest.raises(ValueError, match="Column None of X must hold numbers"):
        small.predict([["large", *rows[0][1:]]])


@pytest.mark.parametrize(
    "values",
    [
        pd.to_datetime(["2024-01-05", "2024-02-01", "2024-03-07"]),
        pd.date_range("2024-01-05 10:30", periods=3, freq="h"),
        pd.to_datetime(["2024-01-05", "2024-02-01", "2024-03-07"], utc=True),
        pd.to_timedelta([1, 2, 3], unit="D"),
        pd.period_range("2024-01", periods=3, freq="M"),
        pd.interval_range(0, 3),
        pd.Index([0.1, 0.2, 0.3], dtype=np.float32),
        np.array([0.1, 0.2, 3.0]),
        np.int8([1, 2, 3]),
        np.array([True, False]),
        np.array(["a", "b", "c"], dtype=object),
        np.array([1, "b", 2.0], dtype=object),
    ],
    ids=lambda values: f"{values.dtype}",
)
def test_categories_of_any_dtype(values):
    places = np.arange(60) % len(values)
    missing = np.where(np.arange(60) % 7 == 0, -1, places)
    column = pd.Categorical.from_codes(missing, categories=values)
    X = pd.DataFrame({"m": column, "x": np.arange(60) % 5})
    model = quick(preprocessor="auto", max_epochs=40).fit(X, places == 0)
    small = model.compact()
    assert_same(small, model, X)
    values = [*values, None]
    rows = [
        {"m": values[code], "x": x} for code, x in zip(missing, X["x"], strict=True)
    ]
    np.testing.assert_allclose(
        small.predict_proba(rows), model.predict_proba(X), rtol=1e-5
    )


def test_numbers_in_a_column_of_text():
    X = pd.DataFrame({"m": ["0.10000000149011612", "b", "c"] * 20, "x": range(60)})
    model = quick(preprocessor="auto", max_epochs=40).fit(X, X["m"] == "b")
    new = X.assign(m=np.full(60, 0.1, dtype=np.float32))
    assert_same(model.compact(), model, new)


def test_durations_are_no_numbers(mixed):
    X, y = mixed
    model = quick(preprocessor="auto").fit(X, y)
    new = X.assign(size=pd.to_timedelta(np.arange(len(X)), unit="D"))
    for one in (model, model.compact()):
        with pytest.raises(ValueError, match="Column 'size' of X must hold numbers"):
            one.predict(new)
