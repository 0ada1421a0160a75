"""Further rows for the teacher: what they are made of, and what they weigh."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import pairwise_distances

from skdistill import GaussianTransfer, MixupTransfer, MungeTransfer, SwapTransfer
from skdistill._targets.transfer import with_made
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

        def recorded(values, sources, *others):
            taken.append(values[sources])
            return make(values, sources, *others)

        transfer._made = recorded
        self.made = transfer.sample(X, random_state=seed)
        del transfer._made
        (self.sources,) = taken


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
    X["d"] = X["a"] > 0
    made = kind().sample(X, random_state=0)
    assert made.columns.tolist() == ["a", "b", "c", "d"]
    array = kind().sample(X.to_numpy(dtype=float), random_state=0)
    np.testing.assert_array_equal(made, array)


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


@each_kind
@pytest.mark.parametrize(
    ("X", "what"),
    [
        (pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), "column 'b'"),
        (pd.DataFrame({"a": pd.Categorical([1, 2])}), "column 'a'"),
        (np.array([[1, "x"], [2, "y"]], dtype=object), "an array of dtype object"),
        ([["x"], ["y"]], "an array of dtype <U1"),
    ],
)
def test_what_is_no_number_is_refused(kind, X, what):
    message = f"mixed tables are not supported yet. Got {what}. Encode it"
    with pytest.raises(ValueError, match=message):
        kind().sample(X)


@each_kind
def test_missing_values_are_refused(kind):
    with pytest.raises(ValueError, match="contains NaN"):
        kind().sample([[1.0], [np.nan]])


@each_kind
def test_cloned_pickled_and_shown(kind, table):
    transfer = kind(n_rows=0.5)
    copies = [clone(transfer), pickle.loads(pickle.dumps(transfer))]
    for copy in copies:
        assert type(copy) is kind
        assert copy.get_params() == transfer.get_params()
        assert repr(copy) == f"{kind.__name__}(n_rows=0.5)"
    assert kind.__module__ == "skdistill"


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
