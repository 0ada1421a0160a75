"""What the columns of a file hold: amounts and dates written as text, identifiers."""

import re
import warnings
from collections import namedtuple
from datetime import datetime

import numpy as np
import pandas as pd

from skdistill._columns import kind_of
from skdistill._preprocessing import TablePreprocessor

PLACEHOLDERS = ("?", "-", "--", ".", "*")
"""What stands for a missing number in files, beside what pandas knows."""

SYMBOLS = "$€£¥%"
_AMOUNT = re.compile(
    r"(?:[-+]?\s*[$€£¥]?|[$€£¥]\s*[-+]?)\s*"
    r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?\s*[$€£¥%]?"
)
_ISO_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{3}(?:\d{3})?)?)?"
    r"(?:Z|[+-]\d\d:\d\d)?)?"
)
_OTHER_DATE = re.compile(
    r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}(?:[ T].*)?"
    r"|\d{1,2}[. -]+[A-Za-z]{3,9}[., -]+\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4}"
)
_ID_NAME = re.compile(r"(?:^|.*[^a-zA-Z])(?i:id|uuid|guid|key)|.*[a-z](?:Id|ID)")

MOST_LINES = 40
"""Columns beyond which those that are alike share a line."""

NAME_WIDTH, HOLDS_WIDTH, DONE_WIDTH = 25, 26, 45

Column = namedtuple("Column", "name holds done")
"""A line on a column: what it holds, and what was done to it, in words."""


# --- Text that stands for numbers and dates -------------------------------------------


def numbers_of_text(values):
    """Return the numbers that some text stands for, and what is none.

    Parameters
    ----------
    values : Series
        Text, or what is missing. ``$1,200.50``, ``12 %`` and ``1e3`` are numbers.

    Returns
    -------
    numbers : Series of float64
        NaN for what is missing, one of `PLACEHOLDERS`, or no number.
    wrong : Series of bool
        Where the text is no number.
    """
    known = values.notna() & ~values.isin(PLACEHOLDERS)
    numbers = pd.to_numeric(values.where(known), errors="coerce").astype(np.float64)
    rest = known & numbers.isna()
    if rest.any():
        numbers = numbers.copy()
        numbers[rest] = [_amount(str(value)) for value in values[rest]]
    return numbers, known & numbers.isna()


def _amount(text):
    text = text.strip()
    if not _AMOUNT.fullmatch(text):
        return np.nan
    return float(re.sub(r"[^\d.-]", "", text))


def dates_of_text(values):
    """Return the dates that text in ISO format stands for, and what is none.

    Parameters
    ----------
    values : Series
        Text, dates, or what is missing.

    Returns
    -------
    dates : Series of object
        `datetime` objects, or None.
    wrong : Series of bool
        Where the text is no date in ISO format.
    """
    dates = pd.Series([_date(value) for value in values], values.index, dtype=object)
    return dates, values.notna() & dates.isna()


def _date(value):
    if not isinstance(value, str):
        return None if pd.isna(value) else value
    text = value.strip()
    if not _ISO_DATE.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:  # as of the 31st of June
        return None


def _converted(values):
    """Return a column of text as what it stands for, and what that is, in words."""
    numbers, wrong = numbers_of_text(values)
    if not wrong.any() and np.isfinite(numbers).any() and not np.isinf(numbers).any():
        text = values.dropna().astype(str)
        symbols = {s for s in SYMBOLS if text.str.contains(s, regex=False).any()}
        # Codes in quotes, as in Parquet, are not meant as numbers.
        is_plain = pd.to_numeric(text, errors="coerce").notna().all()
        if len(symbols) < 2 and not is_plain:
            marks = f" ({symbols.pop()})" if symbols else ""
            return numbers, f"numbers as text{marks}"
    dates, wrong = dates_of_text(values)
    if not wrong.any() and dates.notna().any():
        return dates, "dates as text"
    return values, ""


def _is_other_date(values):
    known = values.dropna().astype(str)
    return len(known) > 0 and known.str.strip().str.fullmatch(_OTHER_DATE).all()


# --- What is left out ----------------------------------------------------------------


def why_identifier(values):
    """Return in words why a column of numbers says nothing, or an empty text.

    Of what is neither named as an identifier nor counts the rows from 0 or 1, nothing
    is known.
    """
    if kind_of(values) != "number" or values.isna().any() or len(values) < 2:
        return ""
    numbers = values.to_numpy(np.float64)
    if (numbers % 1 != 0).any() or len(np.unique(numbers)) < len(numbers):
        return ""
    if numbers.min() in (0, 1) and numbers.max() - numbers.min() + 1 == len(numbers):
        return "counts the rows"
    if _ID_NAME.fullmatch(str(values.name)):
        return "an identifier, all different"
    return ""


def used_columns(X, *, drop=(), keep=(), as_it_is=False):
    """Return a table with what can be learned from, and a line on each of its columns.

    Parameters
    ----------
    X : DataFrame
        As read from a file.
    drop, keep : sequence of str
        Columns to leave out, and to leave in although they look like identifiers.
    as_it_is : bool
        Whether nothing is converted, and only `drop` left out: a teacher that is
        fitted already takes the columns that it knows.

    Returns
    -------
    X : DataFrame
        What is left. Text that stands for numbers or dates has become such.
    lines : list of Column
    """
    converted, lines = {}, {}
    for name, values in X.items():
        kind, said = kind_of(values), ""
        if kind == "category" and not isinstance(values.dtype, pd.CategoricalDtype):
            if not as_it_is:
                values, said = _converted(values)
            if not said and _is_other_date(values):
                said = "dates, not as YYYY-MM-DD"
        why = ""
        if name in drop:
            why = "as you said"
        elif name not in keep and not as_it_is:
            why = why_identifier(values)
        if not why:
            converted[name] = values
        lines[name] = Column(name, said or _words_for(values), f"left out: {why}")
    X = pd.DataFrame(converted, index=X.index)
    fates = {name: _fate(values) for name, values in X.items()}
    lines |= {name: lines[name]._replace(done=done) for name, done in fates.items()}
    if not as_it_is:
        X = X[[name for name, done in fates.items() if not done.startswith("left out")]]
    return X, [*lines.values()]


def _words_for(values):
    kind = kind_of(values)
    if kind == "category":
        n = values.nunique()
        return f"text, {n:,} value" + "s" * (n != 1)
    return {
        "number": "numbers",
        "date": "dates",
        "duration": "durations",
        "boolean": "true or false",
        "empty": "nothing",
    }[kind]


def _fate(values):
    """Return in words what `TablePreprocessor` makes of a column."""
    n_known, n_different = values.notna().sum(), values.nunique()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="TablePreprocessor leaves out")
        try:
            fitted = TablePreprocessor().fit(values.to_frame())
        except ValueError:
            if n_known == 0:
                return "left out: no value"
            if n_different == 1:
                return "left out: the same in all rows"
            return f"left out: {n_different:,} different values, as in names"
    gaps = f", {len(values) - n_known:,} missing" * bool(n_known < len(values))
    if fitted.encoder_ is None:
        return ("one number" if fitted.scaler_ is None else "scaled") + gaps
    n_columns = len(fitted.get_feature_names_out())
    return f"one-hot, {n_columns:,} columns" + gaps


# --- On paper ------------------------------------------------------------------------


def condensed(lines):
    """Return the lines or, where there are many, one for all that are alike."""
    if len(lines) <= MOST_LINES:
        return lines
    groups = {}
    for line in lines:
        groups.setdefault(line[1:], []).append(str(line.name))
    return [
        Column(f"{names[0]}, ... ({len(names):,})", *what)
        if len(names) > 1
        else Column(names[0], *what)
        for what, names in groups.items()
    ]


def column_table(lines):
    """Return a text, a line for each column or, of many, for those that are alike."""
    lines = [Column("column", "holds", "what is done"), *condensed(lines)]
    name_width = min(max(len(str(line.name)) for line in lines), NAME_WIDTH)
    holds_width = min(max(len(line.holds) for line in lines), HOLDS_WIDTH)
    return "\n".join(
        f"{_cut(str(line.name), name_width):{name_width}}  "
        f"{_cut(line.holds, holds_width):{holds_width}}  {_cut(line.done, DONE_WIDTH)}"
        for line in lines
    )


def _cut(text, width):
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 3] + "..."
