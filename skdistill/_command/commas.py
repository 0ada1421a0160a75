"""Columns of a file whose numbers have a decimal comma, as in 41,5."""

import json
import os
import re

from skdistill._columns import kind_of
from skdistill._command.models import COMMAS
from skdistill._inspection.columns import PLACEHOLDERS, numbers_of_text
from skdistill._inspection.tables import is_parquet, separator_of

READ, UNSURE = "numbers, a decimal comma", "numbers, decimal comma?"
"""What such a column is said to hold, where that is certain and where it is not."""

_GROUPS = r"[1-9]\d{0,2}(?:\.\d{3})+"
_COMMA = rf"(?:\d+|{_GROUPS}),\d+"
_WITH_COMMA = re.compile(rf"[-+]?(?:{_COMMA}|{_GROUPS})")
_NUMBER = re.compile(rf"[-+]?(?:\d+|{_GROUPS}|{_COMMA})")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")


def numbers_with_commas(values):
    """Return what `numbers_of_text` does, with 1,234 for a little more than one."""
    return numbers_of_text(values.map(_with_point, na_action="ignore"))


def _with_point(text):
    if isinstance(text, str) and _WITH_COMMA.fullmatch(text.strip()):
        return text.replace(".", "").replace(",", ".")
    return text


def with_decimal_commas(X, path):
    """Return a table with such columns as numbers, and what is to be said of them.

    It is certain where a comma does not separate the columns of the file, and one value
    at least is no 1,234, which may be a thousand and more.

    Parameters
    ----------
    X : DataFrame
        As read from the file.
    path : path-like

    Returns
    -------
    X : DataFrame
    said : dict of str to (str, str)
        `READ` or `UNSURE`, and a value with a comma, by column.
    """
    is_plain = is_parquet(path) or separator_of(os.fspath(path)) == ","
    numbers, said = {}, {}
    for name, values in X.items():
        with_comma = _texts_with_comma(values)
        if not with_comma:
            continue
        said[name] = UNSURE, with_comma[0]
        if not is_plain and not all(map(_THOUSANDS.fullmatch, with_comma)):
            numbers[name], _ = numbers_with_commas(values)
            said[name] = READ, with_comma[0]
    return X.assign(**numbers), said


def _texts_with_comma(values):
    """Return those of a column if all of its text may be numbers with such a comma."""
    if kind_of(values) != "category":
        return []
    texts = [str(value).strip() for value in values.dropna().unique()]
    texts = [text for text in texts if text not in PLACEHOLDERS]
    if not all(map(_NUMBER.fullmatch, texts)):
        return []
    return [text for text in texts if "," in text]


def with_commas_said(lines, said):
    """Return the lines on columns, with what is to be said of decimal commas."""
    return [
        _said_of(line, *said[line.name]) if line.name in said else line
        for line in lines
    ]


def _said_of(line, holds, example):
    done = line.done
    if line.holds == "numbers as text" and not done.startswith("left out"):
        done += f", {example} as {example.replace(',', '')}"
    return line._replace(holds=holds, done=done)


def remember_commas(model, lines):
    """Note in the provenance of a model which columns had a decimal comma.

    Parameters
    ----------
    model : CompactClassifier or DistilledClassifier
    lines : list of Column
        What was said of the columns in training.
    """
    names = [line.name for line in lines if line.holds == READ]
    if names:
        # Of lists, a model file takes none there.
        noted = {COMMAS: json.dumps(names)}
        model.provenance_ = getattr(model, "provenance_", {}) | noted
