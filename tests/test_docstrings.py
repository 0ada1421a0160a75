"""Public docstrings are numpydoc, and tell the truth about the defaults."""

import doctest
import inspect

import numpy as np
import numpydoc.docscrape
import numpydoc.validate
import pytest

import skdistill

# No extended summary, "See Also" or example asked of every method; no description of
# what a return type says already.
IGNORED = {"ES01", "SA01", "EX01", "RT02", "GL01", "GL08"}


def public_objects():
    for name in skdistill.__all__:
        value = getattr(skdistill, name)
        yield f"skdistill.{name}"
        if inspect.isclass(value):
            for method, function in inspect.getmembers(value, inspect.isfunction):
                ours = function.__module__.startswith("skdistill.")
                if ours and not method.startswith("_"):
                    yield f"skdistill.{name}.{method}"


def docstring(value):
    parse = numpydoc.docscrape
    return (parse.ClassDoc if inspect.isclass(value) else parse.FunctionDoc)(value)


@pytest.mark.parametrize("name", list(public_objects()))
def test_docstring_is_numpydoc(name):
    report = numpydoc.validate.validate(name)
    errors = [error for error in report["errors"] if error[0] not in IGNORED]
    assert errors == []


@pytest.mark.parametrize("name", list(public_objects()))
def test_everything_public_has_a_docstring(name):
    assert numpydoc.validate.validate(name)["docstring"]


@pytest.mark.parametrize("name", skdistill.__all__)
def test_documented_defaults_are_the_defaults(name):
    value = getattr(skdistill, name)
    documented = {
        parameter.name: parameter.type.partition("default=")[2] or None
        for parameter in docstring(value)["Parameters"]
    }
    parameters = inspect.signature(value).parameters.values()
    stars = {inspect.Parameter.VAR_KEYWORD: "**"}
    assert list(documented) == [stars.get(p.kind, "") + p.name for p in parameters]
    for parameter in parameters:
        if parameter.kind in stars:
            continue
        if parameter.default is inspect.Parameter.empty:
            assert documented[parameter.name] is None
        else:
            value = eval(documented[parameter.name], {"np": np})
            # nan does not equal itself.
            assert repr(value) == repr(parameter.default)


@pytest.mark.parametrize("name", skdistill.__all__)
def test_everything_public_has_an_example_that_works(name, capsys):
    """What pytest's own search finds of it depends on what has been loaded."""
    own, *of_methods = doctest.DocTestFinder().find(
        getattr(skdistill, name), name, module=False
    )
    runner = doctest.DocTestRunner(
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    )
    assert runner.run(own).attempted > 0
    for example in of_methods:
        runner.run(example)
    assert runner.summarize().failed == 0, capsys.readouterr().out
