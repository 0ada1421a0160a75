import subprocess
import sys

import pytest

import skdistill


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_importing_the_package_loads_nothing_heavy():
    code = """
import sys, skdistill
print(sorted({"torch", "skorch", "sklearn", "matplotlib", "onnx"} & set(sys.modules)))
"""
    assert run_python(code).strip() == "[]"


def test_public_names_are_there():
    assert set(skdistill.__all__) <= set(dir(skdistill))
    for name in skdistill.__all__:
        assert getattr(skdistill, name).__name__ == name


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'skdistill' has no attribute 'Teacher'"):
        skdistill.Teacher  # noqa: B018
