"""The reader in JavaScript says what Python does."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.students.small import quick

DOCS = Path(__file__).parents[2] / "docs"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.skipif(not DOCS.exists(), reason="the docs are in clones only"),
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
]


def in_node(path, rows, call="predictProba", tables=False):
    """Return what the reader says of some rows."""
    code = f"""
const {{ readModel }} = require({json.dumps(str(DOCS / "model_reader.js"))});
const {{ tableRow }} = require({json.dumps(str(DOCS / "table_row.js"))});
const data = require("fs").readFileSync({json.dumps(str(path))});
const model = readModel(Uint8Array.from(data).buffer{", tableRow" * tables});
const rows = JSON.parse(require("fs").readFileSync(0));
const ask = (row) => {{
  try {{ return model.{call}(row); }} catch (error) {{ return error.message; }}
}};
console.log(JSON.stringify(rows.map(ask)));
"""
    done = subprocess.run(
        [NODE, "-e", code],
        env={**os.environ, "TZ": "America/New_York"},  # where local time is not UTC
        input=json.dumps(rows),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_numbers(blobs, tmp_path, dtype):
    X, y = blobs
    small = quick(hidden_layer_sizes=(16, 8)).fit(X, y).compact()
    path = tmp_path / "model"
    small.save(path, dtype=dtype)
    again = type(small).load(path)
    rows = X.tolist()
    found = np.array(in_node(path, rows))
    np.testing.assert_allclose(found, again.predict_proba(X), rtol=0, atol=1e-6)
    assert in_node(path, rows, "predict") == again.predict(X).tolist()
    bad = [["1", 0, 0, 0], [None, 0, 0, 0], [1e39, 0, 0, 0], [[1], 0, 0, 0]]
    assert in_node(path, [[1, 2], *bad]) == [
        "The model takes 4 features. Got 2.",
        *(f"Not all finite: {json.dumps(row, separators=(',', ':'))}." for row in bad),
    ]


def test_named_features(blobs, tmp_path):
    X, y = blobs
    table = pd.DataFrame(X, columns=[*"pqrs"])
    small = quick().fit(table, y).compact()
    path = tmp_path / "model"
    small.save(path)
    row = table.to_dict("records")[0]
    backwards = dict(reversed(row.items()))
    (found,) = in_node(path, [backwards])
    np.testing.assert_allclose(found, small.predict_proba(table[:1])[0], atol=1e-6)
    del row["q"]
    assert in_node(path, [row])[0].startswith("Not all finite: [")


def test_scaling_in_the_first_layer(blobs, tmp_path):
    X, y = blobs
    X[3, 0] = -999
    small = quick(preprocessor="auto").fit(X * 9 + 4, y).compact()
    path = tmp_path / "model"
    small.save(path)
    rows = [*X.tolist(), [None, 1, 2, 3], [1e5, 1, 2, 3]]
    expected = small.predict_proba(np.array(rows, dtype=float))
    np.testing.assert_allclose(
        in_node(path, rows, tables=True), expected, rtol=0, atol=1e-6
    )


def test_tables(mixed, tmp_path):
    X, y = mixed
    small = quick(preprocessor="auto", max_epochs=30).fit(X, y).compact()
    path = tmp_path / "model"
    small.save(path)
    rows = X.astype(object).where(X.notna(), None).to_dict("records")
    for row in rows:
        for name in ("moment", "zoned", "day"):
            row[name] = row[name] and row[name].isoformat()
        row["age"] = row["age"].days
    rows[0] |= {"colour": "never seen", "grade": None, "level": 1.0, "flag": 1}
    rows[1] |= {"moment": "2024-01-05 10:00:00", "zoned": "2024-01-05 10:00:00+05:00"}
    expected = small.predict_proba(rows)
    np.testing.assert_allclose(
        in_node(path, rows, tables=True), expected, rtol=0, atol=1e-6
    )
    bad = {"moment": "May 5, 2024", "day": 3, "size": "7", "flag": "yes"}
    wrong = [{**rows[2], name: value} for name, value in bad.items()]
    assert in_node(path, wrong, tables=True) == [
        "May 5, 2024 is no date",
        "3 is no date",
        "7 is no number",
        "yes is no boolean",
    ]
    del rows[2]["size"]
    assert in_node(path, rows[2:3], tables=True) == ["The row lacks size."]


def test_tables_need_the_second_file(blobs, tmp_path):
    path = tmp_path / "model"
    quick(preprocessor="auto").fit(*blobs).compact().save(path)
    with pytest.raises(AssertionError, match="This model takes tables: pass tableRow"):
        in_node(path, [])


def test_cut_files(blobs, tmp_path):
    path = tmp_path / "model"
    quick().fit(*blobs).compact().save(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(AssertionError, match="RangeError"):
        in_node(path, [])


def test_newer_formats(blobs, tmp_path):
    path = tmp_path / "model"
    quick().fit(*blobs).compact().save(path)
    data = path.read_bytes().replace(rb"\"format\": 1", rb"\"format\": 2")
    path.write_bytes(data)
    with pytest.raises(AssertionError, match="This reads format 1. Got 2"):
        in_node(path, [])
