import copy
import datetime
import decimal
import pickle
import re
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from skdistill import TablePreprocessor
from skdistill._preprocessing import FAR, linear_part

N = 40
# What a value, a missing one and a greater one become.
SCALED = [[-(1.5**0.5), 0], [0, 1], [1.5**0.5, 0]]


@pytest.fixture
def table():
    """A column of each kind, with holes in most."""
    rng = np.random.default_rng(0)
    holes = np.arange(N) % 5 == 0
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(N), unit="D")
    size = rng.normal(50, 5, N)
    return pd.DataFrame(
        {
            "size": np.where(holes, np.nan, size),
            "count": np.arange(N) % 7,
            "colour": np.where(holes, None, np.array(["red", "green"] * 20, object)),
            "shape": pd.Categorical(["square", "round", "round", "oval"] * 10),
            "new": [True, False, False, True] * 10,
            "old": pd.array([True, None] * 20, dtype="boolean"),
            "rooms": pd.array([1, 2, None, 4] * 10, dtype="Int64"),
            "built": pd.Series(days).where(~holes),
            "seen": pd.Series(days).dt.tz_localize("Europe/Berlin"),
            "stay": pd.to_timedelta(np.arange(N) % 3, unit="h"),
        }
    )


def names(preprocessor):
    return preprocessor.get_feature_names_out().tolist()


def fitted_on(values, **params):
    return TablePreprocessor(**params).fit(pd.DataFrame({"x": values}))


# --- What each kind of column becomes ----------------------------------------------


def test_the_kinds_of_columns_and_the_names_of_what_they_become(table):
    preprocessor = TablePreprocessor().fit(table)
    kinds = dict(zip(table.columns, preprocessor.kinds_, strict=True))
    assert kinds == {
        "size": "number",
        "count": "number",
        "colour": "category",
        "shape": "category",
        "new": "boolean",
        "old": "boolean",
        "rooms": "number",
        "built": "date",
        "seen": "date",
        "stay": "duration",
    }
    assert names(preprocessor) == [
        *["size", "count", "rooms", "built", "seen", "stay"],
        *["missingindicator_size", "missingindicator_rooms", "missingindicator_built"],
        *["colour_green", "colour_red", "colour_None"],
        *["shape_oval", "shape_round", "shape_square"],
        *["new_False", "new_True", "old_True", "old_None"],
    ]


def test_the_result_is_floats_of_mean_zero_and_variance_one(table):
    out = TablePreprocessor().fit_transform(table)
    assert out.dtype == np.float64
    assert out.flags.c_contiguous
    assert out.shape == (N, 19)
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out[:, :6].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(out[:, :6].std(axis=0), 1)
    assert set(out[:, 6:].ravel()) == {0, 1}


def test_missing_numbers_become_the_median_and_are_marked():
    values = np.array([1.0, np.nan, 2.0, 9.0])
    preprocessor = fitted_on(values)
    filled = np.array([1.0, 2.0, 2.0, 9.0])
    expected = [(filled - filled.mean()) / filled.std(), np.isnan(values)]
    out = preprocessor.transform(pd.DataFrame({"x": values}))
    np.testing.assert_allclose(out, np.transpose(expected))
    assert preprocessor.medians_.tolist() == [2]


def test_a_number_missing_only_in_transform_becomes_the_median():
    preprocessor = fitted_on([1.0, 2.0, 9.0])
    out = preprocessor.transform(pd.DataFrame({"x": [np.nan, 2.0]}))
    assert names(preprocessor) == ["x"]
    assert out[0] == out[1]


@pytest.mark.parametrize("far", [-999.0, 1e6])
def test_what_is_far_from_all_others_is_clipped(far):
    values = np.append(np.linspace(0, 1, 101), [np.nan, 2.0, far])
    table = pd.DataFrame({"x": values, "as it is": np.linspace(0, 1, 104) ** 3})
    preprocessor = TablePreprocessor().fit(table)
    assert preprocessor.limits_[:, 1].tolist() == [-np.inf, np.inf]
    lower, upper = np.nanpercentile(values, [25, 75])
    limits = lower - FAR * (upper - lower), upper + FAR * (upper - lower)
    np.testing.assert_allclose(preprocessor.limits_[:, 0], limits)
    assert preprocessor.medians_[0] == np.nanmedian(values)
    clipped = np.nan_to_num(values, nan=np.nanmedian(values)).clip(*limits)
    out = preprocessor.transform(table)[:, 0]
    np.testing.assert_allclose(out, (clipped - clipped.mean()) / clipped.std())
    new = preprocessor.transform(table.assign(x=2 * far))[:, 0]
    np.testing.assert_allclose(new, out[-1])


@pytest.mark.parametrize(("n_far", "is_clipped"), [(0, False), (5, True), (6, False)])
def test_what_one_row_in_twenty_has_is_no_exception(n_far, is_clipped):
    values = np.linspace(0, 1, 100)
    values[:n_far] = 500
    assert np.isfinite(fitted_on(values).limits_).all() == is_clipped


def test_quartiles_that_differ_by_rounding_are_no_measure():
    values = np.where(np.arange(100) % 2, 0.3, 0.1 + 0.2)
    values[0] = 0.5
    assert np.isinf(fitted_on(values).limits_).all()


def test_of_a_number_that_most_rows_have_nothing_is_far():
    values = np.array([0.0] * 90 + [5e9] * 10)
    preprocessor = fitted_on(values)
    assert np.isinf(preprocessor.limits_).all()
    assert np.unique(preprocessor.transform(pd.DataFrame({"x": values}))).size == 2


def test_dates_that_are_far_are_clipped():
    days = pd.Series(pd.date_range("2020-01-01", periods=60))
    days[0] = pd.Timestamp("1900-01-01")
    out = TablePreprocessor().fit_transform(pd.DataFrame({"x": days}))
    assert np.ptp(out[1:]) > 1


def test_large_offsets_keep_their_differences():
    values = 1e12 + np.array([[0.0], [1.0], [2.0]])
    out = TablePreprocessor().fit_transform(values)
    np.testing.assert_allclose(out.ravel(), [-(1.5**0.5), 0, 1.5**0.5])


def test_rare_and_unknown_categories_share_a_column():
    values = ["a"] * 6 + ["b"] * 6 + ["c", "d"]
    preprocessor = fitted_on(values, min_frequency=2)
    assert names(preprocessor) == ["x_a", "x_b", "x_infrequent_sklearn"]
    out = preprocessor.transform(pd.DataFrame({"x": ["b", "c", "new", None]}))
    assert out.tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]]


def test_without_rare_categories_an_unknown_one_is_all_zeros():
    preprocessor = fitted_on(["a", "b"] * 3)
    out = preprocessor.transform(pd.DataFrame({"x": ["a", "new", None]}))
    assert out.tolist() == [[1, 0], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("n_rows", "min_frequency", "rare"),
    [(20, 5, 1), (20, 1, 0), (350, 5, 3), (350, 2, 1), (2000, 5, 4), (2000, 9, 8)],
)
def test_from_how_many_rows_a_category_is_rare(n_rows, min_frequency, rare):
    # One category in one row, one in two, and so on.
    values = np.repeat(np.arange(1, 11).astype(str), np.arange(1, 11))
    values = [*values, *["common"] * (n_rows - len(values))][-n_rows:]
    counts = pd.Series(values).value_counts()
    encoder = fitted_on(values, min_frequency=min_frequency).encoder_
    (infrequent,) = encoder.infrequent_categories_
    rarest = [] if infrequent is None else infrequent
    assert {counts[value] for value in rarest} == {
        count for count in counts if count <= rare
    }


def test_max_categories_bounds_the_columns():
    values = np.repeat(["a", "b", "c", "d"], [4, 3, 2, 2])
    preprocessor = fitted_on(values, max_categories=3)
    assert names(preprocessor) == ["x_a", "x_b", "x_infrequent_sklearn"]


@pytest.mark.parametrize("dtype", [object, "string", "category"])
def test_missing_is_one_category_however_it_is_spelt(dtype):
    missing = [None, np.nan, pd.NA]
    values = ["a"] * 3 + (missing if dtype is object else [None] * 3)
    preprocessor = fitted_on(pd.Series(values, dtype=dtype))
    assert names(preprocessor) == ["x_a", "x_None"]
    for value in missing:
        rows = pd.DataFrame({"x": pd.Series([value, "a"], dtype=object)})
        assert preprocessor.transform(rows).tolist() == [[0, 1], [1, 0]]


def test_text_mixed_with_other_things_is_text():
    values = ["a", 1, 1.0, 2.5, ("b",), True, None, {"c": 1}] * 2
    preprocessor = fitted_on(pd.Series(values, dtype=object))
    assert names(preprocessor) == [
        *["x_('b',)", "x_1", "x_2.5", "x_True", "x_a", "x_{'c': 1}", "x_None"]
    ]


@pytest.mark.parametrize("later", [int, float, object, "category", "Int64"])
def test_codes_that_are_a_category_are_found_in_every_dtype(later):
    preprocessor = fitted_on(pd.Series([1, 2, 3] * 3, dtype="category"))
    rows = pd.DataFrame({"x": pd.Series([3, 1], dtype=later)})
    assert preprocessor.transform(rows).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_codes_that_are_no_category_stay_numbers():
    assert fitted_on([1, 2, 3] * 3).kinds_ == ["number"]


def test_the_categories_of_a_dtype_may_differ_in_transform():
    train = pd.Categorical(["a", "b"] * 3, categories=["z", "b", "a"])
    preprocessor = fitted_on(train)
    assert names(preprocessor) == ["x_a", "x_b"]
    rows = pd.Categorical(["b", "c", "a"], categories=["c", "a", "b"])
    out = preprocessor.transform(pd.DataFrame({"x": rows}))
    assert out.tolist() == [[0, 1], [0, 0], [1, 0]]


@pytest.mark.parametrize(
    "values",
    [
        [True, False, True],
        pd.Series([True, False, True], dtype=object),
        pd.array([True, False, True], dtype="boolean"),
        [1, 0, 1],
        [1.0, 0.0, 1.0],
    ],
    ids=["bool", "object", "boolean", "int", "float"],
)
def test_booleans_are_found_in_every_dtype(values):
    preprocessor = fitted_on([True, False, True, False])
    out = preprocessor.transform(pd.DataFrame({"x": values}))
    assert out.tolist() == [[0, 1], [1, 0], [0, 1]]


@pytest.mark.parametrize(
    "values",
    [
        pd.array([1, None, 3], dtype="Int64"),
        pd.array([1, None, 3], dtype="Float64"),
        pd.Series([1, pd.NA, 3], dtype=object),
        pd.Series([decimal.Decimal(1), None, decimal.Decimal(3)], dtype=object),
        pd.array([1, np.nan, 3], dtype="Sparse[float]"),
        [1.0, np.nan, 3.0],
    ],
    ids=["Int64", "Float64", "object", "Decimal", "sparse", "float"],
)
def test_numbers_of_every_dtype_are_the_same(values):
    preprocessor = fitted_on(values)
    assert preprocessor.kinds_ == ["number"]
    out = preprocessor.transform(pd.DataFrame({"x": values}))
    np.testing.assert_allclose(out, SCALED, atol=1e-9)


@pytest.mark.parametrize(
    "values",
    [
        pd.to_datetime(["2020-01-01", None, "2020-01-04"]),
        pd.to_datetime(["2020-01-01", None, "2020-01-04"], utc=True),
        [datetime.date(2020, 1, 1), None, datetime.date(2020, 1, 4)],
        [datetime.datetime(2020, 1, 1), pd.NaT, datetime.datetime(2020, 1, 4)],
        np.array(["2020-01-01", "NaT", "2020-01-04"], dtype="datetime64[s]"),
    ],
    ids=["naive", "aware", "date", "datetime", "numpy"],
)
def test_dates_are_days(values):
    preprocessor = fitted_on(pd.Series(values))
    assert preprocessor.kinds_ == ["date"]
    assert preprocessor.medians_.tolist() == [18262 + 1.5]
    out = preprocessor.transform(pd.DataFrame({"x": values}))
    np.testing.assert_allclose(out, SCALED, atol=1e-9)


def test_dates_with_a_time_zone_are_moments():
    berlin = pd.Series(pd.to_datetime(["2020-01-01 01:00", "2020-01-02 01:00"]))
    preprocessor = fitted_on(berlin.dt.tz_localize("Europe/Berlin"))
    assert preprocessor.medians_.tolist() == [18262.5]


def test_durations_are_days():
    preprocessor = fitted_on(pd.to_timedelta([12, 36, None], unit="h"))
    assert preprocessor.kinds_ == ["duration"]
    assert preprocessor.medians_.tolist() == [1]


@pytest.mark.parametrize("column", ["size", "colour", "old", "rooms", "built", "stay"])
def test_a_column_may_be_all_missing_in_transform(column, table):
    preprocessor = TablePreprocessor().fit(table)
    out = preprocessor.transform(table.assign(**{column: None}))
    assert np.isfinite(out).all()
    np.testing.assert_array_equal(
        out, preprocessor.transform(table.assign(**{column: np.nan}))
    )


# --- What is left out ---------------------------------------------------------------


def test_columns_without_information_are_left_out(table):
    table = table.assign(
        empty=np.nan, nothing=None, same=1.5, one="x", yes=True, zero=pd.Timestamp(0)
    )
    preprocessor = TablePreprocessor().fit(table)
    kept = TablePreprocessor().fit(table.iloc[:, :10])
    assert names(preprocessor) == names(kept)
    changed = table.assign(empty=3.0, same=np.nan, one="y")
    np.testing.assert_array_equal(
        preprocessor.transform(changed), kept.transform(table.iloc[:, :10])
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7.0, np.nan, 7.0, 7.0], ["missingindicator_x"]),
        (["a", None, "a", None], ["x_a", "x_None"]),
        ([True, None, True, None], ["x_True", "x_None"]),
    ],
    ids=["number", "text", "boolean"],
)
def test_a_constant_with_holes_has_information(values, expected):
    preprocessor = fitted_on(pd.Series(values))
    assert names(preprocessor) == expected
    out = preprocessor.transform(pd.DataFrame({"x": pd.Series(values)}))
    np.testing.assert_array_equal(out[:, -1], pd.isna(values))


def test_columns_like_ids_are_left_out_with_one_warning(table):
    ids = [f"id {i}" for i in range(N)]
    with_ids = table.assign(id=ids, name=[f"name {i // 2}" for i in range(N)], key=ids)
    with pytest.warns(
        UserWarning, match=r"2 rows or more.*: \['id', 'key'\]"
    ) as caught:
        preprocessor = TablePreprocessor().fit(with_ids)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert [n for n in names(preprocessor) if n.startswith(("id", "key"))] == []
    assert "name_name 3" in names(preprocessor)
    assert preprocessor.transform(with_ids[::-1]).shape == (N, 19 + 20)


def test_no_warning_where_nothing_is_left_out(table):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TablePreprocessor().fit(table)
        fitted_on([f"id {i}" for i in range(N)], min_frequency=1)


def test_text_with_holes_and_no_common_value_says_what_is_missing():
    values = [*[f"id {i}" for i in range(10)], *[None] * 10]
    assert names(fitted_on(values)) == ["x_None", "x_infrequent_sklearn"]


@pytest.mark.parametrize(
    "X",
    [
        np.ones((5, 2)),
        np.full((5, 2), np.nan),
        pd.DataFrame({"a": ["x"] * 5, "b": [None] * 5}),
        pd.DataFrame({"a": list("abcde"), "b": 1}),
        pd.DataFrame({"a": ["x"], "b": [2.0]}),
    ],
    ids=["constant", "missing", "both", "ids", "one row"],
)
def test_a_table_of_which_nothing_is_left(X):
    message = f"needs a column .* all 2 columns of X, with n_samples={len(X)}, "
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message):
            TablePreprocessor().fit(X)


# --- Forms of the table -------------------------------------------------------------


def test_columns_are_found_by_their_names(table):
    preprocessor = TablePreprocessor().fit(table)
    shuffled = table.assign(further="x")[["further", *table.columns[::-1]]]
    np.testing.assert_array_equal(
        preprocessor.transform(shuffled), preprocessor.transform(table)
    )


@pytest.mark.parametrize("lost", [["size"], ["size", "colour"]])
def test_missing_columns_are_named(lost, table):
    preprocessor = TablePreprocessor().fit(table)
    message = "yet now missing:\n" + "".join(f"- {name}\n" for name in sorted(lost))
    with pytest.raises(ValueError, match=message):
        preprocessor.transform(table.drop(columns=lost))


def test_a_table_without_names_goes_by_position(table):
    nameless = table.set_axis(range(table.shape[1]), axis=1)
    preprocessor = TablePreprocessor().fit(nameless)
    assert not hasattr(preprocessor, "feature_names_in_")
    assert names(preprocessor)[:2] == ["x0", "x1"]
    np.testing.assert_array_equal(
        preprocessor.transform(nameless), TablePreprocessor().fit_transform(table)
    )
    with pytest.raises(ValueError, match="9 features, but TablePreprocessor is exp"):
        preprocessor.transform(nameless.iloc[:, 1:])


@pytest.mark.parametrize("form", ["array", "list", "tuples"])
def test_objects_have_a_kind_per_column(form, table):
    expected = TablePreprocessor().fit_transform(table)
    values = table.astype(object).to_numpy()
    rows = {"array": values, "list": values.tolist(), "tuples": [*map(tuple, values)]}
    preprocessor = TablePreprocessor().fit(rows[form])
    assert preprocessor.kinds_ == TablePreprocessor().fit(table).kinds_
    np.testing.assert_allclose(preprocessor.transform(rows[form]), expected)
    np.testing.assert_allclose(preprocessor.transform(rows[form][:3]), expected[:3])


def test_numbers_beside_text_in_a_list_stay_numbers():
    preprocessor = TablePreprocessor().fit([["a", 1], ["b", 2.5]] * 3)
    assert preprocessor.kinds_ == ["category", "number"]


def test_an_array_of_text():
    X = np.array([["a", "1"], ["b", "2"]] * 3)
    preprocessor = TablePreprocessor().fit(X)
    assert names(preprocessor) == ["x0_a", "x0_b", "x1_1", "x1_2"]
    assert preprocessor.transform(X[:1]).tolist() == [[1, 0, 1, 0]]


def test_an_array_of_dates():
    X = np.array([["2020-01-01", "2020-01-02"], ["2020-01-03", "NaT"]], "datetime64[D]")
    preprocessor = TablePreprocessor().fit(X)
    assert preprocessor.medians_.tolist() == [18263, 18263]
    assert names(preprocessor) == ["x0", "missingindicator_x1"]


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.float16, np.float32])
def test_arrays_of_numbers_of_every_dtype(dtype):
    X = np.array([[0, 1], [1, 1], [0, 0]], dtype=dtype)
    expected = StandardScaler().fit_transform(X.astype(float))
    np.testing.assert_allclose(TablePreprocessor().fit_transform(X), expected)


def test_an_array_may_stand_for_a_table_of_booleans_and_codes():
    table = pd.DataFrame({"a": [True, False] * 3, "b": [1, 2, 2] * 2})
    table = table.astype({"b": "category"})
    preprocessor = TablePreprocessor().fit(table)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        out = preprocessor.transform(np.array([[1.0, 2.0], [0.0, 1.0]]))
    assert out.tolist() == [[0, 1, 0, 1], [1, 0, 1, 0]]


@pytest.mark.parametrize("form", [np.asfortranarray, lambda X: X[::-1, ::-1]])
def test_the_result_is_contiguous_whatever_comes_in(form):
    X = form(np.random.default_rng(0).normal(size=(20, 3)))
    preprocessor = TablePreprocessor().fit(X)
    out = preprocessor.transform(X)
    assert out.flags.c_contiguous
    np.testing.assert_allclose(out, StandardScaler().fit_transform(X))


def test_polars():
    polars = pytest.importorskip("polars", reason="polars is not installed")
    days = [datetime.datetime(2020, 1, day) for day in (1, 2, 5, 9)]
    columns = {
        "size": [0.5, None, 2.5, 7.5],
        "count": [1, 2, None, 4],
        "colour": ["red", None, "green", "red"],
        "new": [True, False, None, True],
        "built": [*days[:3], None],
        "seen": days,
        "day": [day.date() for day in days],
        "stay": [datetime.timedelta(hours=h) for h in (1, 2, 3, 5)],
        "price": [decimal.Decimal("1.5"), None, decimal.Decimal("2.5"), None],
        "empty": [None] * 4,
    }
    frame = polars.DataFrame(columns).with_columns(
        polars.col("colour").cast(polars.Categorical).alias("hue"),
        polars.col("seen").dt.replace_time_zone("Europe/Berlin"),
    )
    preprocessor = TablePreprocessor(min_frequency=1).fit(frame)
    assert preprocessor.feature_names_in_.tolist() == frame.columns
    table = pd.DataFrame({**columns, "hue": columns["colour"]})
    table["seen"] = table["seen"].dt.tz_localize("Europe/Berlin")
    expected = TablePreprocessor(min_frequency=1).fit(table)
    assert names(preprocessor) == names(expected)
    reversed_ = frame.select(frame.columns[::-1])
    np.testing.assert_allclose(
        preprocessor.transform(reversed_), expected.transform(table), atol=1e-12
    )


def test_pandas_output(table):
    preprocessor = TablePreprocessor().set_output(transform="pandas")
    rows = table.set_axis([f"row {i}" for i in range(N)])
    out = preprocessor.fit_transform(rows)
    assert out.columns.tolist() == names(preprocessor)
    assert out.index.tolist() == rows.index.tolist()


def test_an_index_with_repeats(table):
    expected = TablePreprocessor().fit_transform(table)
    out = TablePreprocessor().fit_transform(table.set_axis([0] * N))
    np.testing.assert_array_equal(out, expected)


# --- Errors -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"min_frequency": 0}, "'min_frequency' .* must be an int in the range \\[1"),
        ({"min_frequency": 0.1}, "'min_frequency' .* must be an int"),
        ({"max_categories": 1}, "'max_categories' .* must be an int in the range \\[2"),
    ],
)
def test_invalid_parameters(params, message, table):
    with pytest.raises(ValueError, match=message):
        TablePreprocessor(**params).fit(table)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("size", "big", "Column 'size' of X must hold numbers, .* Got 'big'"),
        ("rooms", pd.Timestamp(0), "Column 'rooms' of X must hold numbers"),
        ("new", "yes", "Column 'new' of X must hold booleans, .* Got 'yes'"),
        ("built", 3.5, "Column 'built' of X must hold dates, .* Got .*3.5"),
        ("seen", "2020-01-01", "Column 'seen' of X must hold dates"),
        ("stay", 1, "Column 'stay' of X must hold durations"),
    ],
)
def test_a_column_of_another_kind_in_transform(column, value, message, table):
    preprocessor = TablePreprocessor().fit(table)
    with pytest.raises(ValueError, match=message):
        preprocessor.transform(table.assign(**{column: value}))


@pytest.mark.parametrize("form", [lambda X: X, lambda X: X[["size"]].to_numpy()])
def test_infinity_is_an_error(form, table):
    preprocessor = TablePreprocessor().fit(form(table))
    table.loc[3, "size"] = np.inf
    for method in (TablePreprocessor().fit, preprocessor.transform):
        with pytest.raises(ValueError, match="Input X contains infinity"):
            method(form(table))


@pytest.mark.parametrize(
    ("columns", "n_rows"), [(["size"], 0), (["size", "colour"], 0), ([], 5)]
)
def test_no_rows_or_no_columns(columns, n_rows, table):
    X = table[columns][:n_rows]
    message = re.escape(f"one row and one column. Got X of shape {X.shape}")
    with pytest.raises(ValueError, match=message):
        TablePreprocessor().fit(X)


def test_sparse_is_an_error():
    with pytest.raises(TypeError, match="[Ss]parse data was passed"):
        TablePreprocessor().fit(csr_matrix(np.eye(3)))


def test_a_single_column_must_be_a_table(table):
    with pytest.raises(ValueError, match="Expected a 2-dimensional container|2D array"):
        TablePreprocessor().fit(table["size"])


def test_not_fitted_yet(table):
    for method in ("transform", "get_feature_names_out"):
        with pytest.raises(NotFittedError):
            getattr(TablePreprocessor(), method)(table)


# --- Copies -------------------------------------------------------------------------


def test_nothing_of_the_callers_is_written_to(table):
    before = copy.deepcopy(table)
    objects = table.astype(object).to_numpy()
    objects_before = objects.copy()
    preprocessor = TablePreprocessor().fit(table)
    preprocessor.transform(table)[:] = 7
    TablePreprocessor().fit_transform(objects)[:] = 7
    pd.testing.assert_frame_equal(table, before)
    assert all(
        a is b for a, b in zip(objects.ravel(), objects_before.ravel(), strict=True)
    )


def test_the_result_is_no_view_of_the_table():
    X = np.array([[-1.0], [1.0]])
    TablePreprocessor().fit_transform(X)[:] = 7
    assert X.ravel().tolist() == [-1, 1]


def test_a_pickle_transforms_alike(table):
    preprocessor = TablePreprocessor().fit(table)
    data = pickle.dumps(preprocessor)
    assert b"_preprocessing" not in data
    out = pickle.loads(data).transform(table)
    np.testing.assert_array_equal(out, preprocessor.transform(table))


def test_it_takes_no_torch():
    code = """
import sys, skdistill
skdistill.TablePreprocessor().fit([[1], [2]])
print("torch" in sys.modules)
"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


# --- The linear part ----------------------------------------------------------------


@pytest.fixture
def numbers():
    X = np.random.default_rng(0).normal([3, -200, 0], [1, 2, 30], size=(50, 3))
    return np.insert(X, 1, 5.0, axis=1)


@pytest.mark.parametrize(
    "preprocessor",
    [
        TablePreprocessor(),
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        StandardScaler(with_mean=False, with_std=False),
    ],
    ids=str,
)
def test_the_linear_part_does_what_transform_does(preprocessor, numbers):
    weight, bias = linear_part(preprocessor.fit(numbers))
    out = preprocessor.transform(numbers)
    assert weight.shape == (out.shape[1], 4)
    assert bias.shape == (out.shape[1],)
    assert weight.dtype == bias.dtype == np.float64
    np.testing.assert_allclose(numbers @ weight.T + bias, out, atol=1e-12)


def test_the_linear_part_holds_in_float32(numbers):
    preprocessor = TablePreprocessor()
    numbers[:, 0] += 990 * numbers[:, 0].std()
    weight, bias = map(np.float32, linear_part(preprocessor.fit(numbers)))
    out = numbers.astype(np.float32) @ weight.T + bias
    np.testing.assert_allclose(out, preprocessor.transform(numbers), atol=5e-4)


def test_the_linear_part_of_a_dataframe_of_numbers(numbers):
    frame = pd.DataFrame(numbers, columns=list("abcd")).astype({"a": "Float64"})
    preprocessor = TablePreprocessor().fit(frame)
    weight, bias = linear_part(preprocessor)
    np.testing.assert_allclose(
        numbers @ weight.T + bias, preprocessor.transform(frame), atol=1e-12
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.assign(text=["x", "y"] * 25),
        lambda frame: frame.assign(text="x"),
        lambda frame: frame.assign(new=[True, False] * 25),
        lambda frame: frame.assign(built=pd.date_range("2020", periods=50)),
        lambda frame: frame.assign(a=frame["a"].where(frame["a"] > 3)),
        lambda frame: frame.assign(empty=np.nan),
        lambda frame: frame.assign(a=frame["a"] + 1e5),
    ],
    ids=["text", "constant text", "boolean", "date", "missing", "empty", "offset"],
)
def test_what_has_no_linear_part(change, numbers):
    frame = change(pd.DataFrame(numbers, columns=list("abcd")))
    assert linear_part(TablePreprocessor().fit(frame)) is None


def test_other_transformers_have_no_linear_part(numbers):
    assert linear_part(PCA().fit(numbers)) is None
    assert linear_part(StandardScaler().fit(numbers + 1e6)) is None


@pytest.mark.parametrize("preprocessor", [TablePreprocessor(), StandardScaler()])
def test_the_linear_part_takes_a_fitted_one(preprocessor):
    with pytest.raises(NotFittedError, match=re.escape("not fitted yet")):
        linear_part(preprocessor)


def test_medians_fill_rows_for_the_linear_part(numbers):
    preprocessor = TablePreprocessor().fit(numbers)
    rows = numbers[:3].copy()
    rows[0, 0] = rows[1, 1] = np.nan
    weight, bias = linear_part(preprocessor)
    filled = np.where(np.isnan(rows), preprocessor.medians_, rows)
    np.testing.assert_allclose(
        filled @ weight.T + bias, preprocessor.transform(rows), atol=1e-12
    )
