"""Further rows for the teacher: what they are made of, and what they weigh."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import pairwise_distances

from skdistill import GaussianTransfer, MixupTransfer, MungeTransfer, SwapTransfer
from tests.nets import global_random_states

KINDS = [MixupTransfer, SwapTransfer, MungeTransfer, GaussianTransfer]
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def table():
    return np.random.default_rng(0).normal(size=(200, 3)) * [1, 10, 100] + [0, 5, 0]


class Recorded:
    """What a generator has made, each row beside its source."""

    def __init__(self, transfer, X, seed=0):
        taken = []
        make = transfer._made

        def recorded(table, sources, *others):
            taken.append((table, sources))
            return make(table, sources, *others)

        transfer._made = recorded
        self.made = transfer.sample(X, random_state=seed)
        del transfer._made
        ((self.table, self.rows),) = taken
        self.sources = self.table.values[self.rows]


GENERATORS = [
    MixupTransfer(),
    MixupTransfer(alpha=1e-3),
    SwapTransfer(),
    SwapTransfer(p=1.0),
    SwapTransfer(p=1e-9),
    MungeTransfer(),
    MungeTransfer(p=1e-9),
    MungeTransfer(s=1e300),
    GaussianTransfer(),
    GaussianTransfer(scale=1e-30),
]
rng = np.random.default_rng(1)
TABLES = {
    "one column": rng.normal(size=(50, 1)),
    "three columns": rng.normal(size=(50, 3)),
    "few values": rng.integers(2, size=(300, 2)),
    "a constant": np.c_[rng.integers(3, size=60), np.full(60, 0.1)],
    "nearly all the same": np.r_[np.zeros((5000, 2)), [[0, 1]]],
    "two rows": np.array([[1, 2], [1, 3]]),
    "large": 1e8 + 8 * rng.integers(3, size=(50, 2)).astype(np.float32),
    "many": rng.integers(3, size=(3000, 4)).astype(np.float32),
    "half": rng.normal(size=(50, 2)).astype(np.float16),
}


@pytest.mark.parametrize("transfer", GENERATORS, ids=repr)
@pytest.mark.parametrize("X", TABLES.values(), ids=TABLES)
def test_every_row_differs_from_its_source(transfer, X):
    for seed in range(3):
        rows = Recorded(clone(transfer), X, seed)
        assert (rows.made != rows.sources).any(axis=1).all()
        assert np.isfinite(rows.made).all()
        assert rows.made.shape == X.shape
        constant = np.ptp(X, axis=0) == 0
        assert (rows.made[:, constant] == rows.sources[0, constant]).all()


@each_kind
@pytest.mark.parametrize(
    ("n_rows", "expected"), [(1.0, 200), (0.1, 20), (2, 400), (1.234, 247), (1e-9, 1)]
)
def test_number_of_rows(kind, table, n_rows, expected):
    assert kind(n_rows=n_rows).sample(table).shape == (expected, 3)


@each_kind
def test_every_row_is_a_source_before_one_is_again(kind, table):
    sources = Recorded(kind(n_rows=2), table).sources
    _, counts = np.unique(sources, axis=0, return_counts=True)
    assert counts.tolist() == [2] * 200


@each_kind
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.float32, np.float32),
        (np.float16, np.float16),
        (np.float64, np.float64),
        (np.int64, np.float64),
        (np.uint8, np.float64),
    ],
)
def test_rows_have_the_float_type_of_the_table(kind, table, given, expected):
    assert kind().sample(np.abs(table).astype(given)).dtype == expected


@each_kind
def test_a_data_frame_has_its_columns_back(kind, table):
    X = pd.DataFrame(table, columns=["a", "b", "c"], index=range(7, 207))
    X["b"] = X["b"].astype(int)
    made = kind().sample(X, random_state=0)
    assert made.columns.tolist() == ["a", "b", "c"]
    assert made.index.equals(pd.RangeIndex(200))
    array = kind().sample(X.to_numpy(dtype=float), random_state=0)
    np.testing.assert_array_equal(made, array)


@each_kind
def test_numbers_of_a_data_frame_become_floats_unless_they_are_only_moved(kind):
    X = pd.DataFrame({"a": np.arange(30), "b": np.arange(30) % 4})
    X = X.astype({"a": "int8", "b": "Int64"})
    moved = kind is SwapTransfer
    assert kind().sample(X).dtypes.equals(X.dtypes) == moved
    assert moved or set(kind().sample(X).dtypes) == {np.dtype(np.float64)}


@each_kind
def test_same_seed_same_rows_and_no_global_state(kind, table):
    before, given = global_random_states(), table.copy()
    first, again, other = (kind().sample(table, random_state=s) for s in (0, 0, 1))
    kind().sample(table)
    assert global_random_states() == before
    np.testing.assert_array_equal(table, given)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    state = np.random.RandomState(0)
    assert (kind().sample(table, state) != kind().sample(table, state)).any()


def test_mixup_lies_between_two_rows(table):
    made = MixupTransfer(n_rows=20).sample(table, random_state=0)
    assert (made >= table.min(axis=0) - 1e-9).all()
    assert (made <= table.max(axis=0) + 1e-9).all()
    np.testing.assert_allclose(made.mean(axis=0), table.mean(axis=0), atol=3)
    # Var(lambda x + (1 - lambda) y) is 2/3 of Var(x) for a uniform lambda.
    ratio = made.var(axis=0) / table.var(axis=0)
    np.testing.assert_allclose(ratio, 2 / 3, rtol=0.1)


def test_mixup_is_nearer_to_one_of_them_with_a_small_alpha(table):
    def moved(alpha):
        rows = Recorded(MixupTransfer(alpha, n_rows=10), table)
        return rows.made.var(axis=0) / table.var(axis=0)

    assert (moved(0.1) > 0.85).all()
    assert (moved(100.0) < 0.6).all()


@pytest.mark.parametrize("p", [1e-9, 0.3, 1.0])
def test_swap_keeps_what_columns_have(p):
    rng = np.random.default_rng(0)
    X = np.c_[rng.random(500) < 0.05, rng.integers(4, size=500), rng.normal(size=500)]
    made = SwapTransfer(p, n_rows=40).sample(X, random_state=0)
    for column, values in zip(made.T, X.T, strict=True):
        assert np.isin(column, values).all()
    np.testing.assert_allclose(made.mean(axis=0), X.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(made.std(axis=0), X.std(axis=0), rtol=0.05)
    assert made[:, 0].mean() == pytest.approx(X[:, 0].mean(), rel=0.1)


def test_swap_replaces_as_many_cells_as_it_is_told(table):
    rows = Recorded(SwapTransfer(0.6, n_rows=20), table)
    # A row of three would stay as it is with a probability of 0.4^3.
    expected = 0.6 + 0.4**3 / 3
    assert (rows.made != rows.sources).mean() == pytest.approx(expected, abs=0.01)


def test_munge_goes_to_the_nearest_row_that_differs(table):
    X = np.repeat(table, 2, axis=0)  # each has a twin
    rows = Recorded(MungeTransfer(p=1.0, s=1e12), X)
    distances = pairwise_distances(rows.sources / X.std(axis=0), table / X.std(axis=0))
    nearest = np.where(distances < 1e-6, np.inf, distances).argmin(axis=1)
    np.testing.assert_allclose(rows.made, table[nearest], rtol=1e-6)


def test_munge_draws_around_the_near_cell(table):
    X = table[:, :1]
    exact = Recorded(MungeTransfer(p=1.0, s=1e12, n_rows=50), X)
    wide = Recorded(MungeTransfer(p=1.0, s=2.0, n_rows=50), X)
    noise = (wide.made - exact.made) / (exact.made - exact.sources)
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.std() == pytest.approx(0.5, rel=0.03)


@pytest.mark.parametrize("scale", [0.01, 0.5])
def test_gaussian_noise_has_the_spread_asked_for(table, scale):
    rows = Recorded(GaussianTransfer(scale, n_rows=30), table)
    noise = (rows.made - rows.sources) / table.std(axis=0)
    np.testing.assert_allclose(noise.std(axis=0), scale, rtol=0.05)
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.05 * scale)


@pytest.mark.parametrize(
    ("transfer", "message"),
    [
        (MixupTransfer(alpha=0), "'alpha' parameter of MixupTransfer"),
        (SwapTransfer(p=0), "'p' parameter of SwapTransfer"),
        (SwapTransfer(p=1.1), "'p' parameter of SwapTransfer"),
        (MungeTransfer(p=0), "'p' parameter of MungeTransfer"),
        (MungeTransfer(s=-1), "'s' parameter of MungeTransfer"),
        (GaussianTransfer(scale=0), "'scale' parameter of GaussianTransfer"),
        (GaussianTransfer(scale=np.inf), "'scale' parameter of GaussianTransfer"),
        *((kind(n_rows=0), "'n_rows' parameter of") for kind in KINDS),
        *((kind(n_rows=np.inf), "'n_rows' parameter of") for kind in KINDS),
    ],
)
def test_bad_parameters(transfer, message, table):
    with pytest.raises(ValueError, match=message):
        transfer.sample(table)


@each_kind
@pytest.mark.parametrize("X", [np.ones((5, 2)), np.ones((1, 3)), [[0.1]] * 4])
def test_rows_that_are_all_the_same_are_refused(kind, X):
    with pytest.raises(ValueError, match=rf"All {len(X)} rows of X are the same"):
        kind().sample(X)


def mixed_table(n_rows=120):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(n_rows, 2)) * [1, 100], columns=["x", "y"])
    X["count"] = pd.array(rng.integers(9, size=n_rows), dtype="Int64")
    X["colour"] = pd.Categorical(
        rng.choice(["red", "blue"], n_rows),
        categories=["red", "blue", "never"],
        ordered=True,
    )
    X["name"] = rng.choice(["ann", "bob", "cy"], n_rows)
    X["is"] = rng.random(n_rows) < 0.5
    X["day"] = pd.to_datetime("2026-01-01") + pd.to_timedelta(np.arange(n_rows), "D")
    X.loc[3:20, "x"] = np.nan
    X.loc[8:30, "count"] = pd.NA
    X.loc[10:40, ["colour", "name"]] = None
    return X


@pytest.mark.parametrize("transfer", GENERATORS, ids=repr)
def test_mixed_data_frame(transfer):
    X = mixed_table()
    given = X.copy(deep=True)
    recorded = Recorded(clone(transfer).set_params(n_rows=3), X)
    made = recorded.made
    pd.testing.assert_frame_equal(X, given)
    assert len(made) == 360
    assert made.columns.equals(X.columns)
    calculated = type(transfer) is not SwapTransfer
    expected = X.astype({"count": float}) if calculated else X
    assert made.dtypes.equals(expected.dtypes)
    for name in X.columns[3:]:
        assert made[name].dropna().isin(X[name].dropna()).all()
        assert made[name].isna().any() == X[name].isna().any()
        assert made[name].notna().any()
    source = expected.iloc[recorded.rows].reset_index(drop=True)
    same = {
        name: made[name].isna() & source[name].isna()
        | (made[name] == source[name]).fillna(False).astype(bool)
        for name in X
    }
    assert not pd.DataFrame(same).all(axis=1).any()
    again = clone(transfer).set_params(n_rows=3).sample(X, random_state=0)
    pd.testing.assert_frame_equal(again, made)


def test_mixup_takes_what_is_no_number_from_either_parent():
    X = pd.DataFrame({"x": [0.0, 1.0], "name": ["zero", "one"], "y": [np.nan, 5.0]})
    made = MixupTransfer(n_rows=2000).sample(X, random_state=0)
    near_one = made["x"] > 0.5
    for is_one in (made["name"] == "one", made["y"] == 5):
        # The nearer parent's, but not always.
        assert (is_one == near_one).mean() == pytest.approx(0.75, abs=0.03)
    assert made["y"].isin([5.0, np.nan]).all()
    # Each cell for itself.
    assert ((made["name"] == "one") != (made["y"] == 5)).any()


def test_swap_takes_cells_column_by_column():
    X = pd.DataFrame({"x": [1, 2, 3], "name": pd.Categorical(["a", "b", "c"])})
    made = SwapTransfer(n_rows=200).sample(X, random_state=0)
    assert len(made.drop_duplicates()) == 9


def test_munge_takes_what_is_no_number_from_the_near_row():
    X = pd.DataFrame(
        {"x": [0.0, 1.0, 1.5, 50.0], "name": ["a", "b", None, "c"], "z": [1, 1, 1, 1]}
    )
    made = MungeTransfer(p=1.0, s=1e12, n_rows=5).sample(X, random_state=0)
    near = {(1.0, "b"), (1.5, None)}
    as_pairs = zip(made["x"].round(6), made["name"].astype(object), strict=True)
    pairs = {(x, name if isinstance(name, str) else None) for x, name in as_pairs}
    assert pairs == near


def test_munge_counts_cells_that_are_not_the_same_as_distance():
    X = pd.DataFrame({"x": [0.0, 0.1, 1.0, 5.0], "a": list("uvuw"), "b": list("uvuw")})
    made = MungeTransfer(p=1.0, s=1e12).sample(X, random_state=0)
    # By its number alone, the second row would be the nearest to the first.
    assert sorted(set(made["x"].round(6))) == [0.0, 1.0]


def test_gaussian_leaves_what_is_no_number():
    X = mixed_table().drop(columns="count")
    X.loc[:, "is"] = True
    rows = Recorded(GaussianTransfer(n_rows=2), X)
    source = X.iloc[rows.rows].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows.made.iloc[:, 2:], source.iloc[:, 2:])
    assert (rows.made["x"].isna() == source["x"].isna()).all()
    assert (rows.made["y"] != source["y"]).all()


@pytest.mark.parametrize(
    "X",
    [
        pd.DataFrame({"a": ["x", "y"], "b": [True, False]}),
        pd.DataFrame({"a": ["x", "y"], "b": [1.0, 1.0]}),
        [[0.1], [0.1], [np.nan]],
    ],
)
def test_gaussian_needs_numbers_that_vary(X):
    with pytest.raises(ValueError, match="column of numbers that vary. Got none. Use"):
        GaussianTransfer().sample(X)


@each_kind
def test_missing_numbers(kind, table):
    table[np.random.default_rng(1).random(table.shape) < 0.3] = np.nan
    table[0] = np.nan
    rows = Recorded(kind(n_rows=5), table)
    same = (rows.made == rows.sources) | (np.isnan(rows.made) & np.isnan(rows.sources))
    assert not same.all(axis=1).any()
    assert 0.1 < np.isnan(rows.made).mean() < 0.5
    assert rows.made.dtype == np.float64


@pytest.mark.parametrize("kind", [MixupTransfer, SwapTransfer, MungeTransfer])
@pytest.mark.parametrize("dtype", [object, "<U4"])
def test_arrays_that_are_not_of_numbers(kind, dtype):
    X = np.array([[1, "x"], [2, "y"], [4.5, "z"]], dtype=object).astype(dtype)
    made = kind(n_rows=4).sample(X, random_state=0)
    assert made.dtype == dtype
    assert made.shape == (12, 2)
    assert set(made[:, 1]) == {"x", "y", "z"}
    numbers = made[:, 0].astype(float)
    between = ~np.isin(numbers, [1, 2, 4.5])
    assert between.any() == (kind is not SwapTransfer and dtype is object)


@each_kind
def test_cells_that_cannot_be_told_apart_are_refused(kind):
    X = pd.DataFrame({"a": [1.0, 2.0], "tags": [["x"], ["y"]]})
    with pytest.raises(ValueError, match="told apart: .* Got column 'tags'"):
        kind().sample(X)


@each_kind
def test_infinite_numbers_are_refused(kind):
    with pytest.raises(ValueError, match="contains infinity"):
        kind().sample([[1.0], [np.inf]])


@each_kind
@pytest.mark.parametrize("shape", [(0, 1), (1, 0)])
def test_tables_without_cells_are_refused(kind, shape):
    X = pd.DataFrame({"a": ["x"]}).iloc[: shape[0], : shape[1]]
    with pytest.raises(ValueError, match=rf"rows and columns. Got \({shape[0]}, "):
        kind().sample(X)


@each_kind
def test_cloned_pickled_and_shown(kind, table):
    transfer = kind(n_rows=0.5)
    copies = [clone(transfer), pickle.loads(pickle.dumps(transfer))]
    for copy in copies:
        assert type(copy) is kind
        assert copy.get_params() == transfer.get_params()
        assert repr(copy) == f"{kind.__name__}(n_rows=0.5)"
    assert kind.__module__ == "skdistill"
