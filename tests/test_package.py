import ast
import doctest
import subprocess
import sys
from pathlib import Path

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


def test_type_checkers_see_the_public_names():
    tree = ast.parse(Path(skdistill.__file__).read_text(encoding="utf-8"))
    (guarded,) = (
        node.body
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {name.name: node.module for node in guarded for name in node.names}
    assert seen == skdistill._PUBLIC
    assert skdistill.__all__ == sorted(seen)


def test_readme_needs_no_options_of_doctest():
    # Run elsewhere, with options that let "..." stand for anything.
    readme = Path(__file__).parents[1] / "README.md"
    if not readme.exists():
        pytest.skip("the README is not there")
    examples = doctest.DocTestParser().get_examples(readme.read_text(encoding="utf-8"))
    assert len(examples) > 10
    assert [example.source for example in examples if "..." in example.want] == []


BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="the benchmarks are in clones only")
def test_benchmarks_find_what_they_import():
    names = [path.stem for path in BENCHMARKS.glob("*.py")]
    assert "quality" in names
    code = f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r}); import "
    run_python(code + ", ".join(names))
