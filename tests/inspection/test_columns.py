from datetime import datetime, timezone

import numpy as np
import pandas as pd
import pytest

from skdistill._inspection.columns import (
    Column,
    column_table,
    dates_of_text,
    numbers_of_text,
    used_columns,
    why_identifier,
)


def one(values, **options):
    """Return what is left of one column, and the line on it."""
    X, (line,) = used_columns(pd.DataFrame({"x": values}), **options)
    return X, line


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("$1,200", 1200),
        ("-$1,200.50", -1200.5),
        ("$ -3", -3),
        ("1,234,567 €", 1234567),
        (" £5 ", 5),
        ("12%", 12),
        ("1e3", 1000),
        ("+4.5", 4.5),
    ],
)
def test_numbers_in_text(text, number):
    numbers, wrong = numbers_of_text(pd.Series([text, None, "?"], dtype=object))
    assert numbers[0] == number
    assert numbers[1:].isna().all()
    assert not wrong.any()


@pytest.mark.parametrize("text", ["1,20", "1.200,50", "$", "5 apples", "--5", "1,2345"])
def test_what_is_no_number_is_told_apart_from_what_is_missing(text):
    numbers, wrong = numbers_of_text(pd.Series([None, text], dtype=object))
    assert numbers.isna().all()
    assert wrong.tolist() == [False, True]


def test_dates_in_text():
    texts = ["2020-02-29", "2020-01-01T10:30:00Z", None, "2021-02-29", "1/2/2020"]
    dates, wrong = dates_of_text(pd.Series(texts, dtype=object))
    assert dates[0] == datetime(2020, 2, 29)
    assert dates[1] == datetime(2020, 1, 1, 10, 30, tzinfo=timezone.utc)
    assert wrong.tolist() == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("values", "holds", "done"),
    [
        (["$1,200", "$5", None] * 4, "numbers as text ($)", "scaled, 4 missing"),
        (["1,200", "5", "?"] * 4, "numbers as text", "scaled, 4 missing"),
        (["2020-01-01", "2020-01-02"] * 4, "dates as text", "scaled"),
        (["$5", "€5"] * 4, "text, 2 values", "one-hot, 2 columns"),
        (["01", "02"] * 4, "text, 2 values", "one-hot, 2 columns"),
        (
            ["1/2/2020", "3/2/2020"] * 4,
            "dates, not as YYYY-MM-DD",
            "one-hot, 2 columns",
        ),
        ([1, 2, 3, 9] * 3, "numbers", "scaled"),
        ([1.0, np.nan] * 4, "numbers", "one number, 4 missing"),
        ([True, False] * 4, "true or false", "one-hot, 2 columns"),
        (["a"] * 8, "text, 1 value", "left out: the same in all rows"),
        ([np.nan] * 8, "numbers", "left out: no value"),
        (
            [f"row {i}" for i in range(8)],
            "text, 8 values",
            "left out: 8 different values, as in names",
        ),
        (range(1, 9), "numbers", "left out: counts the rows"),
    ],
)
def test_what_a_column_holds_and_what_is_done(values, holds, done):
    X, line = one(pd.Series(values, dtype=None if len(values) else object))
    assert line == Column("x", holds, done)
    assert [*X.columns] == ([] if done.startswith("left out") else ["x"])


def test_text_of_amounts_and_dates_becomes_such():
    X, _ = used_columns(
        pd.DataFrame({"price": ["$1,200", "$5"] * 4, "day": ["2020-01-01", None] * 4})
    )
    assert X["price"].tolist() == [1200, 5] * 4
    assert X["day"][0] == datetime(2020, 1, 1)


@pytest.mark.parametrize(
    ("name", "is_id"),
    [
        *(
            (name, True)
            for name in ("id", "ID", "customer_id", "PassengerId", "row key")
        ),
        *((name, False) for name in ("paid", "grid", "idea", "keys", "income")),
    ],
)
def test_identifiers_are_told_by_their_names_if_all_differ(name, is_id):
    numbers = pd.Series([7, 11, 42, 3], name=name)
    assert bool(why_identifier(numbers)) == is_id
    assert why_identifier(pd.Series([7, 11, 7, 3], name=name)) == ""
    assert why_identifier(numbers + 0.5) == ""


def test_what_is_kept_dropped_or_taken_as_it_is():
    X = pd.DataFrame({"id": [5, 9, 7, 8], "price": ["$1", "$2", "$1", "$2"]})
    kept, _ = used_columns(X, keep=["id"], drop=["price"])
    assert [*kept.columns] == ["id"]
    kept, (_, line) = used_columns(X, drop=["price"])
    assert kept.empty
    assert line.done == "left out: as you said"
    kept, _ = used_columns(X, as_it_is=True)
    pd.testing.assert_frame_equal(kept, X)


def test_a_table_of_many_columns_groups_those_alike():
    lines = [Column(f"pixel{i}", "numbers", "scaled") for i in range(784)]
    text = column_table([*lines, Column("edge", "numbers", "left out: no value")])
    assert "pixel0, ... (784)" in text
    assert len(text.splitlines()) == 3


def test_no_line_is_wider_than_a_screen():
    lines = [Column("name " * 30, "text, 1,000,000 values", "left out: " + "why " * 30)]
    assert max(map(len, column_table(lines).splitlines())) <= 100
