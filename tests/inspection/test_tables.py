import numpy as np
import pandas as pd
import pytest

from skdistill._inspection.errors import InputError
from skdistill._inspection.experiment import REFERENCE
from skdistill._inspection.tables import load_table, table_splits, with_rare_classes


def write_table(folder, labels):
    path = folder / "table.csv"
    rows = [f"{place},{label}" for place, label in enumerate(labels)]
    path.write_text("\n".join(["x,severity", *rows]))
    return path


@pytest.mark.parametrize("label", ["None", "NA", "N/A", "null", "nan", "NULL", "-nan"])
def test_a_label_that_reads_like_a_hole_is_a_class(label, tmp_path):
    labels = ["Mild", label, "Severe"]
    X, y, note = load_table(write_table(tmp_path, labels), "severity")
    assert y.tolist() == labels
    assert len(X) == 3
    assert note == ""


def test_only_rows_with_an_empty_label_are_dropped(tmp_path):
    path = write_table(tmp_path, ["Mild", "", "None", '""', "Severe"])
    path.write_text(path.read_text() + "\n5\n")
    X, y, note = load_table(path, "severity")
    assert X["x"].tolist() == [0, 2, 4]
    assert y.tolist() == ["Mild", "None", "Severe"]
    assert note == "Dropped 3 of 6 rows, which have no 'severity'."


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        (["3", "", "1"], [3, 1]),
        (["3.0", "", "1"], [3, 1]),
        (["True", "", "false"], [True, False]),
        (["0.50", "1"], ["0.5", "1.0"]),
        (["1", "NA"], ["1", "NA"]),
        (["inf", "low"], ["inf", "low"]),
        (["True", "1"], ["True", "1"]),
        (["9007199254740993", "", "9007199254740992"], [2**53 + 1, 2**53]),
        (["9" * 25, "9" * 24 + "8"], ["9" * 25, "9" * 24 + "8"]),
    ],
)
def test_labels_are_numbers_only_if_all_of_them_are(written, labels, tmp_path):
    _, y, _ = load_table(write_table(tmp_path, written), "severity")
    assert y.tolist() == labels
    assert [type(label) for label in y.tolist()] == [type(label) for label in labels]


def test_features_that_read_like_a_hole_still_are(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x,z,severity\nNA,1,NA\n2,2,b")
    X, y, _ = load_table(path, "severity")
    pd.testing.assert_frame_equal(X, pd.DataFrame({"x": [np.nan, 2], "z": [1, 2]}))
    assert y.tolist() == ["NA", "b"]


def test_an_infinite_number_among_the_labels_is_an_error(tmp_path):
    path = write_table(tmp_path, ["1", "inf"])
    with pytest.raises(InputError, match="column 'severity' of .* has infinite values"):
        load_table(path, "severity")


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (
            np.arange(400) // 2,
            "column 'price' looks like a target for regression, with 200 different "
            "numbers in 400 rows",
        ),
        (
            np.array([f"{number}.5" for number in range(30)], dtype=object),
            "column 'price' looks like .* 30 different numbers in 30 rows",
        ),
        (
            np.array([f"${number},000.50" for number in range(30)], dtype=object),
            "column 'price' looks like .* 30 different numbers in 30 rows",
        ),
        (np.arange(8), "column 'price' looks like .* 8 different numbers in 8 rows"),
        (np.repeat([1, 390], [50, 2]), "^class 390 of the target has 2 of 52 rows"),
        (np.repeat([True, False], [50, 2]), "^class False of the target has 2 of"),
        (
            np.array([f"n{number}" for number in range(30)], dtype=object),
            "^class 'n.*' of the target has 1 of 30 rows",
        ),
        (np.repeat(3, 50), "the target has a single class, 3$"),
    ],
)
def test_targets_that_cannot_be_split_are_named_in_plain_words(y, message):
    with pytest.raises(InputError, match=message):
        table_splits(np.zeros((len(y), 1)), y, [0], REFERENCE, "price")


def test_many_numbers_are_classes_where_each_has_enough_rows():
    y = np.repeat(np.arange(100), 6)
    (split,) = table_splits(np.zeros((600, 1)), y, [0], REFERENCE, "price")
    assert len(set(split[2])) == 100


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_the_header_tells_what_separates_columns(separator, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(f'"a, b"{separator}y\n"1,5"{separator}p\n"2,5"{separator}q\n')
    X, y, _ = load_table(path, "y")
    assert X.columns.tolist() == ["a, b"]
    assert y.tolist() == ["p", "q"]


def test_a_parquet_table(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "table.parquet"
    table = pd.DataFrame({"code": ["01", "02", "03"], "y": [1.0, None, 2.0]})
    table.to_parquet(path)
    X, y, note = load_table(path, "y")
    assert X["code"].tolist() == ["01", "03"]
    assert y.tolist() == [1, 2]
    assert "Dropped 1 of 3 rows" in note


def with_rare(*labels):
    """Return 30 labels, the given ones among them."""
    y = np.array([*labels, *(["a", "b"] * 15)[len(labels) :]], dtype=object)
    return pd.DataFrame({"x": np.arange(30)}), y


def test_rare_classes_are_dropped():
    X, y = with_rare("r", "r", "s")
    X, y, note = with_rare_classes(X, y, "drop", max_rows=30)
    assert note == "Dropped 3 of 30 rows, of 2 rare classes: 'r', 's'."
    assert {*y} == {"a", "b"}
    assert X["x"].tolist() == [*range(3, 30)]


def test_rare_classes_are_merged_if_they_are_enough_together():
    X, y = with_rare(*"rrrssst")
    merged, labels, note = with_rare_classes(X, y, "merge", max_rows=30)
    assert note == "Merged 3 rare classes, 7 rows, into 'other': 'r', 's', 't'."
    assert labels.tolist() == ["other"] * 7 + y[7:].tolist()
    assert y[0] == "r"
    assert len(merged) == 30
    with pytest.raises(InputError, match="the rare classes have 7 of 30 rows together"):
        with_rare_classes(X, y, "merge", max_rows=20)


def test_merged_numbers_become_text():
    X, _ = with_rare()
    y = np.array([7] * 3 + [8] * 3 + [1, 2] * 12)
    _, y, _ = with_rare_classes(X, y, "merge", max_rows=30)
    assert {*y} == {"other", "1", "2"}


def test_classes_that_are_not_rare_are_left_alone():
    X, y = with_rare()
    assert with_rare_classes(X, y, "drop", max_rows=30) == (X, y, "")


def test_no_option_makes_classes_of_a_continuous_target():
    X, _ = with_rare()
    with pytest.raises(InputError, match="looks like a target for regression"):
        with_rare_classes(X, np.linspace(0, 1, 30), "drop", max_rows=30)
