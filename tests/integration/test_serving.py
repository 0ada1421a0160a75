"""The service of the guide, in a process of its own, without torch."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pandas as pd
import pytest

from skdistill import DistilledClassifier

SERVICE = Path(__file__).parents[2] / "docs" / "guide" / "service.py"

WITHOUT_TORCH = """
import runpy, sys
class Missing:
    def find_spec(self, name, *args):
        if name.split(".")[0] in ("torch", "skorch", "pandas"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    size, colour = rng.normal(size=80), rng.choice(["red", "green"], 80)
    return pd.DataFrame({"size": size, "colour": colour})


@pytest.fixture(scope="module")
def served(table, tmp_path_factory):
    """A model, and the address of the service that has it."""
    y = np.where(table["size"] > 0, "large", "small").astype(object)
    model = DistilledClassifier(
        alpha=0, preprocessor="auto", max_epochs=3, random_state=0
    ).fit(table, y)
    path = tmp_path_factory.mktemp("served") / "model.safetensors"
    model.compact().save(path)
    process = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_TORCH, str(SERVICE), str(path), "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield model, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def ask(address, rows):
    request = Request(address, json.dumps(rows).encode(), method="POST")
    with urlopen(request, timeout=60) as response:
        return json.load(response)


def test_it_answers_one_row_and_several(served, table):
    model, address = served
    rows = table[:3].to_dict("records")
    answer = ask(address, rows)
    assert answer["classes"] == ["large", "small"]
    np.testing.assert_allclose(
        answer["proba"], model.predict_proba(table[:3]), atol=1e-6
    )
    assert ask(address, rows[0])["proba"] == [answer["proba"][0]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"size": 1.0}, "It lacks ['colour']"),
        ({"size": "big", "colour": "red"}, "'big'"),
    ],
)
def test_it_says_what_is_wrong_with_a_row(rows, message, served):
    _, address = served
    with pytest.raises(HTTPError) as caught:
        ask(address, rows)
    assert caught.value.code == 400
    assert message in json.load(caught.value)["error"]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"[" * 100_000, {}),
        (b'{"size": ' + b"9" * 401 + b', "colour": "red"}', {}),
        (b"no JSON", {}),
        (b"\xff", {}),
        (b"{}", {"Content-Length": "two"}),
        (b"{}", {"Content-Length": "-1"}),
        (b"{}", {"Content-Length": "9" * 20}),
    ],
    ids=["nested", "digits", "text", "bytes", "length", "negative", "huge"],
)
def test_it_answers_what_is_no_row(body, headers, served):
    _, address = served
    request = Request(address, body, headers, method="POST")
    with pytest.raises(HTTPError) as caught:
        urlopen(request, timeout=60)
    assert caught.value.code == 400
    assert json.load(caught.value)["error"]
