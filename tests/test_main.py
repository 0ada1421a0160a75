import re
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score

import skdistill.__main__ as cli
from skdistill import CompactClassifier, DistilledClassifier
from skdistill._command.experimenting import plans_of
from skdistill._inspection import experiment
from skdistill._inspection.estimates import MODELS

TINY = experiment.Plan("Tiny run", 100, 200, 10**6, 2, 2, 2, 3, 1)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    quick = TINY._replace(title="Tiny quick run", max_rows=60)
    monkeypatch.setattr(experiment, "REFERENCE", TINY)
    monkeypatch.setattr(experiment, "QUICK", quick)
    # What "auto" stands for with so few rows.
    monkeypatch.setattr("skdistill._training.budget.MAX_EPOCHS", 2)
    # How long the report of a table times each model.
    monkeypatch.setattr("skdistill._inspection.costs.SECONDS", 0.01)


@pytest.fixture
def table():
    """150 rows: numbers, categories and booleans, all with holes; a text target."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=150)
    colour = rng.choice(["red", "green"], size=150)
    table = pd.DataFrame(
        {
            "size": np.where(rng.random(150) < 0.1, np.nan, size),
            "count": rng.integers(9, size=150),
            "colour": np.where(rng.random(150) < 0.1, None, colour),
            "new": np.where(rng.random(150) < 0.1, None, rng.random(150) < 0.5),
            "old": rng.random(150) < 0.5,
            "empty": np.nan,
            "kind": np.where(size + (colour == "red") > 0.5, "good", "bad"),
        }
    )
    table.loc[[3, 5], "kind"] = None
    return table


def read_image(path):
    from matplotlib.image import imread

    return imread(path)


# --- The whole run ------------------------------------------------------------------


def test_the_reference_experiment_prints_its_tables_and_draws(
    monkeypatch, tmp_path, capsys
):
    plan = TINY._replace(n_teachers=12, teacher_epochs=1)
    monkeypatch.setattr(experiment, "REFERENCE", plan)
    assert cli.main(["--output-dir", str(tmp_path), "--seeds", "0", "7"]) == 0

    out = capsys.readouterr().out
    parts = out.split("\n\nDefault settings: ")
    heading = (
        "100 training rows, 200 test rows, 12 teachers (epochs: {}), "
        "2 students (epochs: {}), temperature 3.0, alpha {}"
    )
    of_recipe, of_defaults = (" ".join(part.split()) for part in parts)
    assert of_recipe.startswith("Tiny run: " + heading.format(1, 3, 0.7))
    assert of_defaults.startswith(heading.format("auto", "auto", 0.5))
    assert max(map(len, out.splitlines())) <= 100
    for tables in parts:
        check_tables(tables)

    image = read_image(tmp_path / "skdistill.png")
    assert min(image.shape[:2]) > 400
    assert image[..., :3].std() > 0.05
    assert (tmp_path / "skdistill.png").stat().st_size > 20_000


def check_tables(out):
    out, gains = out.split("\n\nHow much better than the baseline, and recovery, the ")
    lines = {line.split("  ")[0]: line for line in out.splitlines()}
    assert {"0", "7", *MODELS.values()} <= set(lines)
    assert lines["7"].count("±") == 4
    assert lines["distilled student"].count("±") == 3
    assert "95 % intervals over test rows and fits, and over the data seeds\n" in out
    lines = {line.split("  ")[0]: line for line in gains.splitlines()}
    assert lines["distilled student"].count("±") == 2
    assert lines["ensemble teacher"].count("±") == 2
    assert lines["recovery"].count("[") + lines["recovery"].count("not") == 2
    assert "Verdict: beside the same student without a teacher" in gains
    assert "compression: 559,896 / 3,490 = 160x" in gains


def test_the_defaults_run_beside_a_quick_run_too():
    plans = plans_of(cli.experiment_options(["--quick"]))
    assert [plan.title for plan in plans] == ["Tiny quick run", "Default settings"]


def test_the_same_seeds_give_the_same_figures(tmp_path, capsys):
    arguments = ["--output-dir", str(tmp_path), "--seeds", "3", "--alpha", "0.5"]
    outs = []
    for _ in range(2):
        assert cli.main(arguments) == 0
        outs.append(capsys.readouterr().out)
    assert outs[0] == outs[1]


def test_temperature_and_alpha_reach_the_distilled_students(
    monkeypatch, tmp_path, capsys
):
    fitted, fit = [], DistilledClassifier.fit
    monkeypatch.setattr(
        DistilledClassifier,
        "fit",
        lambda self, X, y: fitted.append(self) or fit(self, X, y),
    )
    options = [
        "--temperature",
        "5",
        "--alpha",
        "0.4",
        "--seeds",
        "1",
        "--students",
        "2",
    ]
    assert cli.main([*options, "--output-dir", str(tmp_path)]) == 0
    # With the reference recipe, and with the defaults.
    assert [model.alpha for model in fitted] == [0, 0, 0.4, 0.4] * 2
    assert {model.temperature for model in fitted if model.alpha} == {5}
    assert [model.random_state for model in fitted] == [0, 1] * 4
    assert [model.max_epochs for model in fitted] == [3] * 4 + ["auto"] * 4


def test_without_matplotlib_it_names_the_extra_and_goes_on(
    monkeypatch, tmp_path, capsys
):
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert cli.main(["--output-dir", str(tmp_path), "--seeds", "0"]) == 0
    assert "skdistill[plot]" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_help_in_a_process_of_its_own():
    command = [sys.executable, "-m", "skdistill", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    for option in ("--quick", "--data FILE", "--target COLUMN", "--output-dir"):
        assert option in result.stdout
    assert result.stderr == ""


def test_a_mistyped_option_does_not_cost_the_import_of_torch():
    code = """
import sys, skdistill.__main__
assert skdistill.__main__.main(["--colour"]) == 2
print(sorted({"torch", "skorch", "matplotlib"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_ctrl_c_leaves_without_a_traceback(monkeypatch, tmp_path, capsys):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "run_repeat", interrupted)
    assert cli.main(["--output-dir", str(tmp_path)]) == 130
    assert "skdistill: interrupted" in capsys.readouterr().err


# --- A table of the user's ----------------------------------------------------------


def run_on(table, folder, *options, target="kind"):
    path = folder / "table.csv.gz"
    table.to_csv(path, index=False)
    options = [*options, "--output-dir", str(folder)]
    return cli.main(["--data", str(path), "--target", target, *options])


def test_a_table_of_all_kinds_of_columns(table, tmp_path, capsys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skdistill._training.budget.MAX_EPOCHS", 40)
        assert run_on(table, tmp_path, "--seeds", "0", "1") == 0

    out = capsys.readouterr().out
    assert "Dropped 2 of 150 rows, which have no 'kind'." in out
    counts = table["kind"].value_counts()
    for label in ("good", "bad"):
        assert re.search(
            rf"Rows of each class of 'kind': .*'{label}': {counts[label]}\b", out
        )
    assert "Default settings: 119 training rows, 29 test rows" in out
    assert re.search(r"colour +text, 2 values +one-hot, 3 columns, \d+ missing\n", out)
    assert re.search(r"empty +numbers +left out: no value\n", out)
    assert re.search(r"LogisticRegression +\d+\.\d+ ±", out)
    assert re.search(r"HistGradientBoosting +\d+\.\d+ ±", out)
    assert "Tiny run" not in out
    assert "and over the splits, allowing for shared rows" in out
    assert read_image(tmp_path / "skdistill.png").std() > 0.05

    page = (tmp_path / "skdistill.html").read_text(encoding="utf-8")
    assert "29 test rows" in page
    assert "The baseline is the same student with alpha=0, untuned" in page
    line = '<th scope="row">empty</th><td>numbers</td><td>left out: no value</td>'
    assert line in page

    student = joblib.load(tmp_path / "student.joblib")
    labels = table["kind"].dropna()
    known = table.loc[labels.index, student.feature_names_in_]
    predicted = student.predict(known)
    assert set(predicted) == {"good", "bad"}
    assert accuracy_score(labels, predicted) > 0.8
    unseen = known.assign(colour="blue", new=True, size=np.nan)
    assert np.isfinite(student.predict_proba(unseen)).all()
    assert student.teacher is None
    assert student.teacher_ is None
    assert (tmp_path / "student.joblib").stat().st_size < 100_000
    small = CompactClassifier.load(tmp_path / "student.safetensors")
    np.testing.assert_allclose(
        small.predict_proba(known), student.predict_proba(known), atol=1e-6
    )


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([3, 1], [1, 3]),
        ([3.0, 1.0, np.nan], [1, 3]),
        ([True, False, None], [False, True]),
    ],
    ids=["whole numbers", "whole numbers with holes", "booleans with holes"],
)
def test_the_saved_student_predicts_the_labels_of_the_file(
    values, labels, table, tmp_path
):
    table["kind"] = pd.Series(values * 75, dtype=object)[:150]
    assert run_on(table, tmp_path, "--seeds", "0") == 0
    student = joblib.load(tmp_path / "student.joblib")
    assert student.classes_.tolist() == labels
    known = table[student.feature_names_in_]
    assert set(student.predict(known).tolist()) <= set(labels)


def test_quick_takes_a_sample_of_the_table(table, tmp_path, capsys):
    assert run_on(table, tmp_path, "--quick", "--seeds", "0") == 0
    out = capsys.readouterr().out
    assert "Default settings: 48 training rows, 12 test rows" in out


def test_columns_like_ids_are_left_out_and_said_so_once(table, tmp_path, capsys):
    table["id"] = [f"row {i}" for i in range(len(table))]
    assert run_on(table, tmp_path, "--seeds", "0") == 0
    out, err = capsys.readouterr()
    assert re.search(r"id +text, 148 .* left out: 148 different .* as in names\n", out)
    assert "leaves out" not in err
    small = CompactClassifier.load(tmp_path / "student.safetensors")
    assert "id" not in small.feature_names_in_


# --- Errors, before any training ----------------------------------------------------


@pytest.fixture
def no_training(monkeypatch):
    def run_repeat(*args):
        raise AssertionError("training has started")

    monkeypatch.setattr(experiment, "run_repeat", run_repeat)


def the_error(code, capsys):
    assert code == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("skdistill: error: ")
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "a.csv"], "--data and --target go together"),
        (["--target", "kind"], "--data and --target go together"),
        (
            ["--data", "none.csv", "--target", "y"],
            "cannot read none.csv: .*No such file",
        ),
        (["--seeds", "-1"], "--seeds must be >= 0"),
        (["--seeds", "1", "1"], "--seeds must differ"),
        (["--seeds", "x"], "argument --seeds: invalid int value: 'x'"),
        (["--students", "0"], "--students must be >= 1"),
        (
            ["--students", "1", "--seeds", "1"],
            "one run says nothing; give more --seeds",
        ),
        (["--temperature", "0"], "--temperature must be > 0 and finite"),
        (["--temperature", "nan"], "--temperature must be > 0 and finite"),
        (["--alpha", "0"], "--alpha must be > 0 and <= 1, not 0; the baseline, which"),
        (["--alpha", "1.5"], "--alpha must be > 0 and <= 1, not 1.5;"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
@pytest.mark.usefixtures("no_training")
def test_wrong_options_get_one_line(options, message, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(the_error(cli.main(options), capsys))


@pytest.mark.usefixtures("no_training")
def test_a_wrong_column_gets_a_list_of_the_columns(table, tmp_path, capsys):
    error = the_error(run_on(table, tmp_path, target="Kind"), capsys)
    assert "no column 'Kind'" in error
    assert "its columns are: size, count, colour, new, old, empty, kind" in error


def single_class(table):
    return table.assign(kind="good")


def with_rare_class(table):
    return table.assign(kind=["rare"] * 2 + ["good"] * 100 + ["bad"] * 48)


def with_number_target(table):
    return table.assign(kind=np.linspace(0, 1, len(table)))


def without_information(table):
    ids = [f"row {i}" for i in range(len(table))]
    return pd.DataFrame({"id": ids, "same": 1, "kind": table["kind"]})


def with_infinity(table):
    return table.assign(size=np.inf)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (single_class, "single class, 'good'"),
        (with_rare_class, "class 'rare' of the target has 2 of 150 rows, too few"),
        (
            with_number_target,
            "'kind' looks like a target for regression, with 150 different numbers in "
            "150 rows; skdistill learns classes",
        ),
        (with_infinity, "column 'size' of .* has infinite values"),
        (without_information, "no column of .* tells rows apart: the table above says"),
        (lambda table: table[["kind"]], "no rows, or no features beside 'kind'"),
        (
            lambda table: table.assign(kind=None),
            "no rows, or no features beside 'kind'",
        ),
    ],
)
@pytest.mark.usefixtures("no_training")
def test_tables_that_cannot_be_used(change, message, table, tmp_path, capsys):
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(the_error(run_on(change(table), tmp_path), capsys))


@pytest.mark.usefixtures("no_training")
def test_quick_says_when_a_class_is_too_rare_for_its_sample(table, tmp_path, capsys):
    table["kind"] = ["rare"] * 9 + ["good"] * 141
    error = the_error(run_on(table, tmp_path, "--quick"), capsys)
    assert "9 of 150 rows, too few to split 60" in error


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08 not gzip", b'a,b\n"1,2\n3'])
@pytest.mark.usefixtures("no_training")
def test_files_that_cannot_be_read(content, tmp_path, capsys):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(content)
    error = the_error(cli.main(["--data", str(path), "--target", "b"]), capsys)
    assert f"cannot read {path}: " in error


@pytest.mark.usefixtures("no_training")
def test_an_output_folder_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").touch()
    error = the_error(cli.main(["--output-dir", str(tmp_path / "file")]), capsys)
    assert "cannot write to --output-dir" in error
