"""Compact models are small, and load where neither torch nor pandas is."""

import json
import pickle
from importlib import metadata

import numpy as np
import pytest
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier, compact
from tests.nets import small_search
from tests.students.small import quick, run_without

HIDDEN = {"torch", "skorch", "matplotlib", "tqdm"}
# scikit-learn itself imports pandas wherever it is installed.
HIDDEN_WITH_PANDAS = HIDDEN | {"pandas", "polars"}


@pytest.fixture
def pipeline(binary):
    """A compact Pipeline with a scaler in front, fitted."""
    return compact(make_pipeline(StandardScaler(), quick()).fit(*binary))


def test_the_pickle_is_the_weights_and_little_more(binary):
    X, y = binary
    X = np.tile(X, (1, 4))[:, :20]
    small = quick(hidden_layer_sizes=(64, 32)).fit(X, y).compact()
    data = pickle.dumps(small)
    assert sum(coef.size for coef in [*small.coefs_, *small.intercepts_]) == 3490
    assert len(data) < 4 * 3490 + 2048
    np.testing.assert_array_equal(
        pickle.loads(data).predict_proba(X), small.predict_proba(X)
    )
    with pytest.warns(InconsistentVersionWarning, match="CompactClassifier"):
        pickle.loads(data.replace(b"0.1.0.dev0", b"0.0.9.dev0"))


def test_pickles_of_all_kinds_in_a_fresh_interpreter(binary, mixed, pipeline, tmp_path):
    X, y = binary
    tree = DecisionTreeClassifier(max_depth=3)
    models = {
        "network": quick().fit(X, y).compact(),
        "pipeline": pipeline,
        "search": small_search(LogisticRegression()).fit(X, y).compact(),
        "scaled": quick(preprocessor="auto").fit(X, y).compact(),
        "tree": DistilledClassifier(GaussianNB(), student=tree).fit(X, y).compact(),
    }
    for name, model in models.items():
        given = model, X, model.predict_proba(X), model.predict(X)
        (tmp_path / name).write_bytes(pickle.dumps(given))
    run_without(
        HIDDEN_WITH_PANDAS,
        f"""
import pickle
from pathlib import Path
for path in Path({str(tmp_path)!r}).iterdir():
    model, X, proba, labels = pickle.loads(path.read_bytes())
    assert (model.predict_proba(X) == proba).all()
    assert (model.predict(X) == labels).all()
""",
    )


def test_a_table_in_a_fresh_interpreter(mixed, tmp_path):
    """A row as a web service gets it, from a pickle and from a file."""
    X, y = mixed
    small = quick(preprocessor="auto").fit(X, y).compact()
    path = tmp_path / "model"
    small.save(path)
    path.with_suffix(".pickle").write_bytes(pickle.dumps(small))
    row = {name: str(value) for name, value in X.astype(object).iloc[0].items()}
    row |= {"size": 1000.0, "flag": True, "count": 3, "age": 4, "nothing": None}
    printed = run_without(
        HIDDEN_WITH_PANDAS,
        f"""
import json, pickle
from skdistill import CompactClassifier
row = json.loads({json.dumps(row)!r})
small = CompactClassifier.load({str(path)!r})
with open({str(path) + ".pickle"!r}, "rb") as file:
    again = pickle.load(file)
assert (small.predict_proba(row) == again.predict_proba(row)).all()
print(small.predict_proba(row)[0].tolist())
""",
    )
    expected = small.predict_proba(row)[0]
    np.testing.assert_allclose(json.loads(printed), expected, rtol=1e-6)


def test_importing_it_loads_nothing_heavy():
    printed = run_without(
        set(),
        """
from skdistill import CompactClassifier
print(*sorted({name.partition(".")[0] for name in sys.modules}))
""",
    )
    assert not {"torch", "skorch", "safetensors", "onnx"} & {*printed.split()}


def test_skops_trusts_all_but_our_type(pipeline, binary, mixed, tmp_path):
    skops = pytest.importorskip("skops.io", reason="skops is in the extra 'dev'")
    X, y = binary
    path = tmp_path / "model.skops"
    skops.dump(pipeline, path)
    assert skops.get_untrusted_types(file=path) == ["skdistill.CompactClassifier"]
    given = tmp_path / "given"
    given.write_bytes(pickle.dumps((X, pipeline.predict_proba(X))))
    run_without(
        HIDDEN,
        f"""
import pickle, skops.io
trusted = ["skdistill.CompactClassifier"]
model = skops.io.load({str(path)!r}, trusted=trusted)
with open({str(given)!r}, "rb") as file:
    X, proba = pickle.load(file)
assert (model.predict_proba(X) == proba).all()
""",
    )
    X, y = mixed
    small = quick(preprocessor="auto").fit(X, y).compact()
    skops.dump(small, path)
    ours = ["skdistill.CompactClassifier", "skdistill.CompactPreprocessor"]
    assert skops.get_untrusted_types(file=path) == ours
    again = skops.load(path, trusted=ours)
    np.testing.assert_array_equal(again.predict_proba(X), small.predict_proba(X))


def test_mlflow_takes_it(pipeline, binary, tmp_path, monkeypatch):
    try:
        version = metadata.version("mlflow-skinny")
    except metadata.PackageNotFoundError:
        pytest.skip("mlflow-skinny is in the extra 'dev'")
    if int(version.partition(".")[0]) < 3:
        pytest.skip(f"mlflow-skinny {version} is older than 3")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    X, _ = binary
    given = tmp_path / "given"
    given.write_bytes(pickle.dumps((pipeline, X, pipeline.predict_proba(X))))
    run_without(
        HIDDEN,
        f"""
import inspect, pickle
import mlflow.sklearn
mlflow.set_tracking_uri("file://{tmp_path}/runs")
with open({str(given)!r}, "rb") as file:
    model, X, proba = pickle.load(file)
trust = "skops_trusted_types"
takes = inspect.signature(mlflow.sklearn.log_model).parameters
# What else are its defaults: of no package of others does skops trust a type.
more = {{trust: ["skdistill.CompactClassifier"]}} if trust in takes else {{}}
with mlflow.start_run():
    logged = mlflow.sklearn.log_model(model, name="model", **more)
model = mlflow.sklearn.load_model(logged.model_uri)
assert (model.predict_proba(X) == proba).all()
model = mlflow.pyfunc.load_model(logged.model_uri)
assert (model.predict(X) == proba.argmax(axis=1)).all()
""",
    )
