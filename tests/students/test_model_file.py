"""A model file says all, and a bad one is refused."""

import hashlib
import importlib.util
import json
import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import CompactClassifier, DistilledClassifier
from tests.students.small import assert_same, quick

FUZZ = Path(__file__).parents[2] / "benchmarks" / "fuzz_model_file.py"
REFUSED = "is not a model file of skdistill, or it is damaged: "


@pytest.fixture
def small(binary):
    """A compact model of 6 features and 2 classes."""
    return quick().fit(*binary).compact()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def forged(path, small, change):
    """Save a model with another header, and the checksum that it needs."""
    small.save(path)
    with safetensors.safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["skdistill"])
    tensors = safetensors.numpy.load_file(path)
    change(header, tensors)
    text = json.dumps(header)
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        values = tensors[name]
        about = f"\n{name} {values.dtype.name} {[*values.shape]}\n"
        digest.update(about.encode() + values.tobytes())
    metadata = {"skdistill": text, "sha256": digest.hexdigest()}
    safetensors.numpy.save_file(tensors, path, metadata)


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1]),
        np.array([7, -3, 2], dtype=np.int16),
        np.array(["no", "yes"]),
        np.array(["ä", "ö", "\U0001f600"], dtype=object),
        np.array([False, True]),
        np.array([1.0, 2.0], dtype=np.float32),
    ],
    ids=str,
)
def test_all_of_it_comes_back(binary, path, labels):
    X, y = binary
    small = quick().fit(X, labels[np.arange(len(y)) % len(labels)]).compact()
    small.save(path)
    again = CompactClassifier.load(path)
    assert again.classes_.dtype == small.classes_.dtype
    assert again.classes_.tolist() == small.classes_.tolist()
    assert again.provenance_ == small.provenance_
    np.testing.assert_array_equal(again.predict_proba(X), small.predict_proba(X))
    assert_same(again, small, X)


def test_tables_come_back(mixed, path):
    X, y = mixed
    small = quick(preprocessor="auto").fit(X, y).compact()
    small.save(path)
    again = CompactClassifier.load(path)
    assert again.preprocessor_.columns == small.preprocessor_.columns
    assert again.feature_names_in_.tolist() == [*X.columns]
    np.testing.assert_array_equal(again.predict_proba(X), small.predict_proba(X))


@pytest.mark.parametrize("preprocessor", ["auto", StandardScaler()])
def test_scaling_in_the_first_layer_comes_back(binary, path, preprocessor):
    X, y = binary
    small = quick(preprocessor=preprocessor).fit(X * 9 + 4, y).compact()
    small.save(path)
    again = CompactClassifier.load(path)
    assert_same(again, small, X)
    if preprocessor == "auto":
        X[0, 0] = np.nan  # which stands for the median
        assert_same(again, small, X)


@pytest.mark.parametrize(
    ("dtype", "largest"), [("float32", 0.0), ("float16", 1e-3), ("int8", 0.03)]
)
def test_dtypes(binary, path, dtype, largest):
    X, y = binary
    X = np.tile(X, (1, 4))[:, :20]
    small = quick(hidden_layer_sizes=(64, 32), max_epochs=30).fit(X, y).compact()
    small.save(path, dtype=dtype)
    again = CompactClassifier.load(path)
    difference = np.abs(again.predict_proba(X) - small.predict_proba(X)).max()
    assert 0 <= difference <= largest
    assert (difference == 0) == (dtype == "float32")
    n_bytes = sum(
        coef.size * np.dtype(dtype).itemsize
        + bias.nbytes
        + bias.nbytes * (dtype == "int8")
        for coef, bias in zip(small.coefs_, small.intercepts_, strict=True)
    )
    assert path.stat().st_size <= n_bytes + 2048


@pytest.mark.parametrize("preprocessor", ["auto", StandardScaler()])
@pytest.mark.parametrize(("dtype", "largest"), [("float16", 2e-3), ("int8", 0.05)])
def test_dtypes_with_scaling_in_the_first_layer(
    binary, path, dtype, largest, preprocessor
):
    """Its weights are as different as the units, and its inputs far from zero."""
    X, y = binary
    X = X.astype(np.float64) * 10.0 ** np.arange(-9, 9, 3) * [1, 1, 1, -1, 1, 1]
    X += 100 * X.std(axis=0)
    model = quick(preprocessor=preprocessor, max_epochs=30).fit(X, y)
    assert model._row_preprocessor is None
    small = model.compact()
    small.save(path, dtype=dtype)
    again = CompactClassifier.load(path)
    difference = np.abs(again.predict_proba(X) - small.predict_proba(X)).max()
    assert 0 < difference <= largest


def test_weights_that_int8_cannot_tell_apart(small, path):
    small.coefs_[1][:, 0] = 0
    small.coefs_[1][:, 1] = 1e-44
    small.coefs_[0][3] = 0
    small.save(path, dtype="int8")
    again = CompactClassifier.load(path)
    assert not again.coefs_[1][:, 0].any()
    assert np.abs(again.coefs_[1][:, 1]).max() < 1e-40
    assert not again.coefs_[0][3].any()


def test_metrics_are_kept(small, path):
    small.save(path, metrics={"log_loss": np.float32(0.25), "accuracy": 1})
    metrics = CompactClassifier.load(path).provenance_["metrics"]
    assert metrics == {"log_loss": 0.25, "accuracy": 1.0}
    assert "metrics" not in small.provenance_
    for metrics in ([1.0], {"log_loss": np.nan}, {"log_loss": "low"}, {1: 1.0}):
        with pytest.raises(ValueError, match="'metrics' parameter of save must be a"):
            small.save(path, metrics=metrics)


def test_what_cannot_be_saved(binary, path):
    X, y = binary
    small = quick().fit(X, y).compact()
    with pytest.raises(ValueError, match=r"'dtype' .* \['float32', .* Got 'bfloat16'"):
        small.save(path, dtype="bfloat16")
    small.coefs_[1][0, 0] = 1e6
    with pytest.raises(ValueError, match=r"cannot be 'float16' .* up to 1e\+06"):
        small.save(path, dtype="float16")
    small.classes_ = np.array([None, ()], dtype=object)
    with pytest.raises(ValueError, match="classes that are numbers, booleans or text"):
        small.save(path)
    small.classes_ = np.array(["a", "b" * 60_000])
    with pytest.raises(ValueError, match="2 classes as long as the longest take"):
        small.save(path)
    robust = quick(preprocessor=RobustScaler()).fit(X, y).compact()
    with pytest.raises(ValueError, match="Got RobustScaler: pickle the model"):
        robust.save(path)
    small.provenance_ = {"a": "b" * 5 * 10**6}
    small.classes_ = np.array([0, 1])
    with pytest.raises(ValueError, match="save cannot write this model: a header of"):
        small.save(path)
    tree = DecisionTreeClassifier(max_depth=2)
    of_tree = DistilledClassifier(GaussianNB(), student=tree).fit(X, y).compact()
    with pytest.raises(ValueError, match="a network. Got DecisionTreeClassifier"):
        of_tree.save(path)
    assert not path.exists()


def test_a_file_is_replaced_once_the_new_one_is_written(small, path, monkeypatch):
    path.write_text("before")
    link = path.with_name("link")
    link.symlink_to(path)
    small.save(str(link))
    assert link.is_symlink()
    saved = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask(path)

    def full(path, target):
        raise OSError("no space")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space"):
        small.save(path, dtype="int8")
    assert path.read_bytes() == saved
    assert {*path.parent.iterdir()} == {path, link, path.with_name("plain")}
    with pytest.raises(FileNotFoundError):
        small.save(path.parent / "nowhere" / "model")


def _umask(path):
    path.with_name("plain").touch()
    return 0o666 & ~path.with_name("plain").stat().st_mode


def test_files_that_cannot_be_read(path, tmp_path):
    with pytest.raises(FileNotFoundError):
        CompactClassifier.load(path)
    with pytest.raises(OSError, match="directory"):
        CompactClassifier.load(tmp_path)


class Boom:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_foreign_files(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    others = [
        b"",
        b"\0",
        b"name,value\n" * 50,
        pickle.dumps(Boom()),
        safetensors.numpy.save({"weight": np.ones(3)}),
        safetensors.numpy.save({"weight": np.ones(3)}, {"skdistill": "[]"}),
        safetensors.numpy.save({"weight": np.ones(3)}, {"skdistill": "[" * 10**5}),
        safetensors.numpy.save({"weight": np.ones(3)}, {"skdistill": '{"format": 1}'}),
    ]
    for data in others:
        path.write_bytes(data)
        with pytest.raises(ValueError, match=f"model.safetensors' {REFUSED}"):
            CompactClassifier.load(path)
    assert not Path("executed").exists()


def test_a_flipped_bit_or_a_cut_anywhere_is_noticed(small, path):
    small.save(path)
    data = path.read_bytes()
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=REFUSED):
            CompactClassifier.load(path)
    for size in range(0, len(data), 7):
        path.write_bytes(data[:size])
        with pytest.raises(ValueError, match=REFUSED):
            CompactClassifier.load(path)


def test_a_newer_format(small, path):
    forged(path, small, lambda header, tensors: header.update(format=2))
    with pytest.raises(ValueError, match="format 2, of a newer skdistill; .* up to 1"):
        CompactClassifier.load(path)


def test_headers_that_promise_more_than_there_is(small, path):
    small.save(path)
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    for size in (end, 10**6, 2**40, 2**63):
        path.write_bytes(size.to_bytes(8, "little") + data[8:])
        _refuse_at_no_cost(path)
    outer = json.loads(data[8:end])
    for shape in ([2**20, 2**20], [2**40, 0], [2**62, 2]):
        outer["coef.0"].update(shape=shape)
        text = json.dumps(outer).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + data[end:])
        _refuse_at_no_cost(path)


@pytest.mark.parametrize(
    ("size", "n_weights", "message"),
    [
        (5 * 10**6, 8, "header of .* bytes is too large"),
        (3 * 10**6, 8, "header of .* values is too large"),
        (3 * 10**6, 10**6, "header of .* values is too large"),
    ],
)
def test_headers_that_would_take_much_memory(small, path, size, n_weights, message):
    def nest(header, tensors):
        header.update(provenance={"a": [[]] * (size // 4)})
        tensors["coef.0"] = np.ones(n_weights, np.float32)

    forged(path, small, nest)
    tracemalloc.start()
    with pytest.raises(ValueError, match=REFUSED + ".*" + message):
        CompactClassifier.load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * path.stat().st_size


def _refuse_at_no_cost(path):
    tracemalloc.start()
    with pytest.raises(ValueError, match=REFUSED):
        CompactClassifier.load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**19


def _of_header(**values):
    return lambda header, tensors: header.update(values)


def _of_tensor(name, values):
    return lambda header, tensors: tensors.update({name: values})


def _without(name):
    return lambda header, tensors: (header.pop(name, None), tensors.pop(name, None))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_of_header(format=True), "no format"),
        (_of_header(classes=[0]), "classes are not of their dtype"),
        (_of_header(classes=[0, 0.5]), "classes are not of their dtype"),
        (_of_header(classes=[0, 2**63]), "classes are not of their dtype"),
        (_of_header(classes=[1, 1]), "not distinct"),
        (_of_header(classes=["a", "a\0"], classes_dtype="str"), "not distinct"),
        (_of_header(classes=["a", "b" * 99999], classes_dtype="str"), "longest take"),
        (_of_header(classes=[1, 10**400], classes_dtype="float64"), "of their dtype"),
        (_of_header(classes=[1, 1e300], classes_dtype="float16"), "not distinct"),
        (_of_header(classes_dtype="O"), "unknown dtype"),
        (_of_header(classes=[0, 1, 2]), "the last layer does not fit"),
        (_of_header(n_features=0), "number of features"),
        (_of_header(n_features=7), "layers do not fit"),
        (_of_header(feature_names=["a"]), "names of features"),
        (_of_header(provenance=[]), "provenance is no object"),
        (_of_header(provenance={"a": [1]}), "more than text and numbers"),
        (_of_header(provenance={"versions": {"b": {}}}), "more than text and numbers"),
        (_of_header(provenance={"versions": "1.0"}), "versions are no object"),
        (_of_header(provenance={"metrics": [1]}), "metrics are no object"),
        (_of_header(provenance={"metrics": {"a": "x"}}), "metric is no number"),
        (_of_header(scaling_in_first_layer=1), "true or false"),
        (_of_header(scaling_in_first_layer=True), "scaling needs columns"),
        (_of_header(columns=[]), "columns do not fit"),
        (_of_header(columns=[{"kind": "empty"}] * 6), "layers do not fit"),
        (_of_header(columns=[[]] * 6), "no object"),
        (_of_header(columns=[{"kind": []}] * 6), "unknown kind"),
        (_of_header(columns=[{"kind": "empty", "fill": 1}] * 6), "does not fit its"),
        (_of_header(columns=[{"kind": "number", "fill": 10**400}] * 6), "number is"),
        (_of_header(columns=[{"kind": "number", "mean": 1}] * 6), "lacks numbers"),
        (_of_header(columns=[{"kind": "number", "low": 1}] * 6), "lacks numbers"),
        (
            _of_header(
                columns=[{"kind": "number", "fill": 3, "low": 1, "high": 2}] * 6
            ),
            "limits are not around",
        ),
        (_of_header(columns=[{"kind": "number", "low": None}] * 6), "number is none"),
        (
            _of_header(
                columns=[{"kind": "number", "mean": 1, "scale": 0, "fill": 1}] * 6
            ),
            "lacks numbers",
        ),
        (_of_header(columns=[{"kind": "number", "indicator": 1}] * 6), "indicator"),
        (
            _of_header(columns=[{"kind": "category", "categories": ["a", "a"]}] * 6),
            "categories are none",
        ),
        (_without("columns"), r"lacks \['columns'\]"),
        (_without("coef.0"), "lacks a tensor"),
        (_of_tensor("coef.9", np.ones((2, 2), np.float32)), "lacks a tensor"),
        (_of_tensor("intercept.1", np.ones(2)), "tensors of other dtypes"),
        (_of_tensor("intercept.1", np.ones(2, np.float16)), "intercept is not float32"),
        (_of_tensor("coef.1", np.ones((8, 2), np.int8)), "layers do not fit"),
        (_of_tensor("scale.1", np.ones(2, np.float32)), "layers do not fit"),
        (_of_tensor("input_scale.0", np.ones(6, np.float32)), "layers do not fit"),
        (_of_tensor("intercept.1", np.full(2, np.nan, np.float32)), "finite"),
    ],
)
def test_forged_headers_with_a_checksum_that_is_right(small, path, change, message):
    forged(path, small, change)
    with pytest.raises(ValueError, match=REFUSED + ".*" + message):
        CompactClassifier.load(path)


@pytest.mark.skipif(not FUZZ.exists(), reason="the benchmarks are in clones only")
def test_damaged_at_random(path):
    pytest.importorskip("resource", reason="the script limits memory by it")
    spec = importlib.util.spec_from_file_location("fuzz_model_file", FUZZ)
    fuzz = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzz)
    good = fuzz.seeds(path.parent)
    tracemalloc.start()
    faults = []
    for number in range(400):
        rng = np.random.default_rng(number)
        data, X, proba = good[number % len(good)]
        damage = fuzz.DAMAGES[number // len(good) % len(fuzz.DAMAGES)]
        what, _ = fuzz.fault(damage, damage(data, rng), path, X, proba)
        faults.append(what)
    tracemalloc.stop()
    assert {*faults} == {None}
