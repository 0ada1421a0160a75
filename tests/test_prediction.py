"""Prediction: in chunks, with checks, from threads."""

import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from scipy import special
from sklearn.linear_model import LogisticRegression

from skdistill import _prediction
from tests.nets import small_distilled, small_teacher


@pytest.fixture(params=["teacher", "distilled"])
def model(request, binary):
    if request.param == "teacher":
        return small_teacher(random_state=0).fit(*binary)
    return small_distilled(LogisticRegression()).fit(*binary)


@pytest.fixture
def many_rows():
    n_rows = 3 * _prediction.PREDICT_CHUNK + 5
    return np.random.default_rng(0).normal(size=(n_rows, 6)).astype(np.float32)


def test_chunks_are_put_together_in_order(model, many_rows):
    proba = model.predict_proba(many_rows)
    assert proba.shape == (len(many_rows), 2)
    some = np.linspace(0, len(many_rows) - 1, 50).astype(int)
    np.testing.assert_allclose(proba[some], model.predict_proba(many_rows[some]), 1e-4)


@pytest.mark.parametrize("n_rows", [1, 512, 513, 5000])
@pytest.mark.parametrize("n_classes", [2, 33])
def test_all_that_is_predicted_follows_from_the_logits(n_rows, n_classes):
    rng = np.random.default_rng(0)
    y = np.arange(80) % n_classes
    model = small_distilled(LogisticRegression()).fit(rng.normal(size=(80, 6)), y)
    X = rng.normal(size=(n_rows, 6))
    logits = model.predict_logits(X)
    proba, log_proba = model.predict_proba(X), model.predict_log_proba(X)
    assert {logits.dtype, proba.dtype, log_proba.dtype} == {np.dtype(np.float32)}
    np.testing.assert_allclose(proba, special.softmax(logits, axis=1), rtol=1e-5)
    np.testing.assert_allclose(
        log_proba, special.log_softmax(logits, axis=1), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(model.predict(X), logits.argmax(axis=1))


@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        lambda X: X[::-1].copy()[::-1],
        lambda X: X.astype(np.float64),
        lambda X: X.tolist(),
        pd.DataFrame,
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: np.lib.stride_tricks.as_strided(X, writeable=False),
    ],
    ids=["fortran", "reversed", "float64", "list", "frame", "strided", "readonly"],
)
def test_every_layout_predicts_the_same(model, binary, convert):
    X, _ = binary
    np.testing.assert_allclose(
        model.predict_proba(convert(X)), model.predict_proba(X), rtol=1e-4
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_value_that_is_not_finite_is_refused_in_every_chunk(
    model, many_rows, dtype, value
):
    X = many_rows.astype(dtype)
    X[-1, -1] = value
    for method in ("predict", "predict_proba", "predict_log_proba", "predict_logits"):
        with pytest.raises(ValueError, match="Input X contains (NaN|infinity)"):
            getattr(model, method)(X)


@pytest.mark.filterwarnings("ignore:.* encountered in matmul")
def test_finite_values_whose_sum_is_not_are_fine(model):
    X = np.full((4, 6), 3e38, dtype=np.float32)
    X[:, 0] = -3e38
    assert len(model.predict(X)) == 4


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_value_too_large_for_float32_is_refused(model):
    with pytest.raises(ValueError, match="too large for dtype"):
        model.predict(np.full((2, 6), 1e300))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros(6, np.float32), "Expected 2D array, got 1D array"),
        (np.zeros((0, 6), np.float32), "Found array with 0 sample"),
        (np.zeros((3, 5), np.float32), "X has 5 features, but .* expecting 6"),
        (np.zeros((3, 6, 1), np.float32), "dim 3"),
        ([["a"] * 6], "could not convert string"),
    ],
)
def test_wrong_form_is_refused(model, X, message):
    with pytest.raises(ValueError, match=message):
        model.predict_proba(X)


def test_feature_names_are_still_checked(binary):
    X, y = binary
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = small_distilled(LogisticRegression()).fit(frame, y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[list("bacdef")])


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, "memmap"])
def test_memory_grows_with_the_output_alone(model, tmp_path, method, dtype):
    shape = 400_000, 6  # as float32 9.6 MB
    if dtype == "memmap":
        X = np.memmap(tmp_path / "X", dtype=np.float64, mode="w+", shape=shape)
    else:
        X = np.zeros(shape, dtype=dtype)
    tracemalloc.start()
    try:
        out = getattr(model, method)(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < out.nbytes + 2_000_000


def test_concurrent_predictions_are_right(model, many_rows):
    blocks = np.array_split(many_rows, 40)
    expected = [model.predict_proba(block) for block in blocks]
    fresh = pickle.loads(pickle.dumps(model))  # nothing prepared by a prediction
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(fresh.predict_proba, blocks))
    for result, right in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, right)
