"""`predict`, `distill` and `show`, and the tables that they read."""

import bz2
import gzip
import json
import lzma
import pickle
import re
import subprocess
import sys
from itertools import pairwise

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import skdistill.__main__ as cli
from skdistill import CompactClassifier, DistilledClassifier, TablePreprocessor
from skdistill._command import predicting

N_ROWS = 120


def dirty_table():
    """Rows as people send them: ids, amounts and dates as text, holes, a rare class."""
    rng = np.random.default_rng(0)
    income = rng.lognormal(8, 0.6, N_ROWS)
    code = rng.choice(["01", "02", "A1"], N_ROWS)
    days = pd.to_datetime("2020-01-01") + pd.to_timedelta(np.arange(N_ROWS), unit="D")
    table = pd.DataFrame(
        {
            "customer_id": rng.permutation(np.arange(5000, 5000 + N_ROWS)),
            "name": [f"Person {i}" for i in range(N_ROWS)],
            "income": [f"${value:,.2f}" for value in income],
            "age": [str(v) if v % 9 else "?" for v in rng.integers(18, 80, N_ROWS)],
            "code": np.where(rng.random(N_ROWS) < 0.1, None, code),
            "since": days.strftime("%Y-%m-%d"),
            "call": days.strftime("%d/%m/%Y"),
            "news": rng.random(N_ROWS) < 0.5,
            "country": "DE",
            "status": np.where(income * (1 + (code == "A1")) > 3500, "stays", "left"),
        }
    )
    table["status"] = table["status"].astype(object)
    table.loc[[3, 4], "status"] = ["moved", None]
    return table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A dirty table, the same as rows without labels, and a model of it."""
    folder = tmp_path_factory.mktemp("commands")
    table = dirty_table()
    table.to_csv(folder / "table.csv", index=False)
    # In another order, beside a column that the model does not know.
    rows = table.drop(columns="status")[table.columns[:-1][::-1]].assign(more="x")
    rows.to_csv(folder / "rows.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skdistill._training.budget.MAX_EPOCHS", 3)
        arguments = ["--teacher", "boosting", "--rare-classes", "drop"]
        assert distill(folder, *arguments) == 0
    return folder


def distill(folder, *arguments, table="table.csv", target="status"):
    return cli.main(
        [
            *("distill", "--data", str(folder / table), "--target", target),
            *("--output", str(folder / "model.safetensors"), *arguments),
        ]
    )


def predict(folder, *arguments, rows="rows.csv", output=None, model=None):
    model = folder / "model.safetensors" if model is None else model
    output = folder / "scores.csv" if output is None else output
    given = [str(model), "--data", str(folder / rows), "--output", str(output)]
    return cli.main(["predict", *given, *arguments])


def the_error(code, capsys):
    assert code == 2
    err = capsys.readouterr().err
    assert err.startswith("skdistill: error: ")
    assert err.count("\n") == 1
    return err


# --- distill ------------------------------------------------------------------------


def test_distill_says_what_it_did_and_what_the_model_is_worth(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("skdistill._training.budget.MAX_EPOCHS", 3)
    (tmp_path / "table.csv").write_bytes((folder / "table.csv").read_bytes())
    options = ["--teacher", "forest", "--rare-classes", "drop", "--dtype", "float16"]
    options += ["--report", str(tmp_path / "report.html")]
    assert distill(tmp_path, *options) == 0
    assert "<html" in (tmp_path / "report.html").read_text(encoding="utf-8")
    out, err = capsys.readouterr()
    assert "leaves out" not in err
    assert max(len(line) for line in out.splitlines() if "saved" not in line) <= 100
    for line in (
        r"Dropped 1 of 120 rows, which have no 'status'\.",
        r"Dropped 1 of 119 rows, of 1 rare class: 'moved'\.",
        r"customer_id +numbers +left out: an identifier, all different",
        r"name +text, 118 values +left out: 118 different values, as in names",
        r"income +numbers as text \(\$\) +scaled",
        r"age +numbers as text +scaled, \d+ missing",
        r"code +text, 3 values +one-hot, 4 columns, \d+ missing",
        r"since +dates as text +scaled",
        r"call +dates, not as YYYY-MM-DD +left out: .*",
        r"news +true or false +one-hot, 2 columns",
        r"country +text, 1 value +left out: the same in all rows",
        r"95 training rows, 23 test rows, teacher: forest",
        r"distilled student +\d+.\d\d ± \d+.\d\d +\d.\d+ ± .*",
        r"LogisticRegression +\d+.\d\d ± .*",
        r"HistGradientBoosting +\d+.\d\d ± .*",
        r"Verdict: .*",
    ):
        assert re.search(f"^{line}$", out, re.MULTILINE), line
    model = CompactClassifier.load(tmp_path / "model.safetensors")
    assert [*model.feature_names_in_] == ["income", "age", "code", "since", "news"]
    assert model.classes_.tolist() == ["left", "stays"]
    assert model.provenance_["teacher"] == "RandomForestClassifier"
    scored = model.provenance_["metrics"]
    assert f"{100 * scored['accuracy']:.2f} ± " in out
    assert f"{scored['log_loss']:.3f} ± " in out
    assert scored["n_test"] == 23


def labelled(folder, labels, name="table.csv"):
    table = dirty_table()[["income", "code"]]
    table["status"] = (labels * N_ROWS)[:N_ROWS]
    table.to_csv(folder / name, index=False)


@pytest.mark.parametrize(
    ("labels", "notes"),
    [
        (["yes", "yes", "no"], ["class of 'status': 'yes': 80, 'no': 40."]),
        ([1, 1, 0], ["class of 'status': 1: 80, 0: 40."]),
        (
            ["yes", "no", "NA", "yes"],
            [
                "class of 'status': 'yes': 60, 'no': 30, 'NA': 30.",
                "Note: learned as a class, but maybe a mark for a missing value: 'NA'.",
                "leave 'status' empty in these rows of the file",
            ],
        ),
        (["a", "a", "a", "?", " none"], ["Note: ", "missing value: '?', ' none'. If"]),
        (
            ["yes", "no", "Yes", "no "],
            ["Note: ", "case differ: 'yes' and 'Yes'; 'no' and 'no '. If so, write"],
        ),
        ([*map(str, range(12))], ["class of 'status': 0: 10, ", ", and 2 more class"]),
    ],
)
def test_the_classes_are_counted_and_those_in_doubt_named(
    labels, notes, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("skdistill._command.distilling.table_splits", lambda *_: 1 / 0)
    labelled(tmp_path, labels)
    with pytest.raises(ZeroDivisionError):
        distill(tmp_path)
    out = " ".join(capsys.readouterr().out.split())
    assert out.count("Note: ") == sum("Note: " in note for note in notes)
    for note in notes:
        assert note in out


def test_rare_classes_are_an_error_or_merged(folder, capsys):
    error = the_error(distill(folder), capsys)
    assert "class 'moved' of the target has 1 of 119 rows" in error
    assert "--rare-classes drop or merge" in error
    error = the_error(distill(folder, "--rare-classes", "merge"), capsys)
    assert "the rare classes have 1 of 119 rows together" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "-1"], "--seed must be >= 0"),
        (["--alpha", "2"], "--alpha must be > 0 and <= 1, not 2; the baseline, which"),
        (["--rare-classes", "hide"], "invalid choice: 'hide'"),
        (["--drop", "pet"], "--drop pet: no such column beside the target in"),
        (["--teacher", "oracle"], "cannot read the --teacher oracle: .* it is one of"),
    ],
)
def test_wrong_options_of_distill(arguments, message, folder, capsys):
    arguments = ["--rare-classes", "drop", *arguments]
    assert re.search(message, the_error(distill(folder, *arguments), capsys))


def test_a_fitted_teacher_gets_the_table_as_it_is(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("skdistill._training.budget.MAX_EPOCHS", 3)
    table = dirty_table().dropna(subset="status")
    table = table[table["status"] != "moved"]
    table.to_csv(tmp_path / "table.csv", index=False)
    X = table.drop(columns="status")
    teacher = make_pipeline(TablePreprocessor(), RandomForestClassifier(5))
    with pytest.warns(UserWarning, match="leaves out"):
        teacher.fit(X, table["status"])
    joblib.dump(teacher, tmp_path / "teacher.joblib")
    assert distill(tmp_path, "--teacher", str(tmp_path / "teacher.joblib")) == 0
    out, err = capsys.readouterr()
    assert "all figures of teacher and student are too good" in " ".join(out.split())
    assert "leaves out" not in err
    model = CompactClassifier.load(tmp_path / "model.safetensors")
    assert [*model.feature_names_in_] == [*X.columns]

    table.drop(columns="income").to_csv(tmp_path / "table.csv", index=False)
    teacher = str(tmp_path / "teacher.joblib")
    error = the_error(distill(tmp_path, "--teacher", teacher), capsys)
    assert "does not take rows of this table: " in error
    assert "income" in error

    table["status"] = table["status"] + "!"
    table.to_csv(tmp_path / "table.csv", index=False)
    error = the_error(distill(tmp_path, "--teacher", teacher), capsys)
    assert "must know all classes of the table; it knows [" in error


@pytest.mark.parametrize(
    ("output", "report", "message"),
    [
        ("teacher.joblib", "report.html", "--output .* is a file that is read from"),
        ("model.new", "teacher.joblib", "--report .* is a file that is read from"),
        ("model.new", "link/model.new", "--report .* is the file of --output as well"),
    ],
)
def test_distill_loses_no_file(output, report, message, folder, tmp_path, capsys):
    (tmp_path / "link").symlink_to(tmp_path)
    teacher = tmp_path / "teacher.joblib"
    joblib.dump(RandomForestClassifier(), teacher)
    before = teacher.read_bytes()
    options = ["--rare-classes", "drop", "--teacher", str(teacher)]
    options += ["--output", str(tmp_path / output)]
    options += ["--report", str(tmp_path / report)]
    assert re.search(message, the_error(distill(folder, *options), capsys))
    assert teacher.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"link", "teacher.joblib"}


# --- predict ------------------------------------------------------------------------


def as_trained(folder):
    """Return the rows as the model got them in training."""
    rows = pd.read_csv(folder / "rows.csv", low_memory=False)
    income = rows["income"].str.replace(r"[$,]", "", regex=True).astype(float)
    age = pd.to_numeric(rows["age"], errors="coerce")
    since = pd.to_datetime(rows["since"])
    return rows.assign(income=income, age=age, since=since)


@pytest.mark.parametrize("chunk_size", [1, 7, 1000])
def test_predict_writes_what_the_model_predicts(chunk_size, folder, tmp_path, capsys):
    arguments = ["--chunk-size", str(chunk_size), "--copy", "customer_id", "name"]
    assert predict(folder, *arguments, output=tmp_path / "scores.csv") == 0
    assert capsys.readouterr().out.endswith("scores.csv: 120 rows\n")
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert [*scores.columns] == [
        *("customer_id", "name", "prediction"),
        *("probability_left", "probability_stays"),
    ]
    model, rows = (
        CompactClassifier.load(folder / "model.safetensors"),
        as_trained(folder),
    )
    X = rows[model.feature_names_in_]
    np.testing.assert_allclose(scores.iloc[:, 3:], model.predict_proba(X), atol=1e-6)
    assert scores["prediction"].tolist() == model.predict(X).tolist()
    assert scores["customer_id"].tolist() == rows["customer_id"].tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


def test_predict_does_not_import_torch(folder, tmp_path):
    code = f"""
import sys
from skdistill.__main__ import main
assert main(["predict", {str(folder / "model.safetensors")!r},
    "--data", {str(folder / "rows.csv")!r}, "--output", "scores.csv"]) == 0
assert main(["show", {str(folder / "model.safetensors")!r}]) == 0
heavy = {{"torch", "skorch", "matplotlib", "onnx"}} & set(sys.modules)
print(sorted(heavy))
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert result.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "scores.csv").exists()


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_compressed_files(separator, folder, tmp_path):
    rows = pd.read_csv(folder / "rows.csv", dtype=str, keep_default_na=False)
    rows.to_csv(tmp_path / "rows.csv.gz", sep=separator, index=False)
    assert predict(folder, output=tmp_path / "plain.csv") == 0
    given = {"rows": tmp_path / "rows.csv.gz", "output": tmp_path / "scores.csv.gz"}
    assert predict(folder, **given) == 0
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "plain.csv"), pd.read_csv(tmp_path / "scores.csv.gz")
    )


@pytest.mark.parametrize("suffix", [".bz2", ".xz", ".GZ"])
def test_the_name_of_the_output_tells_its_compression(suffix, folder, tmp_path):
    assert predict(folder, output=tmp_path / "plain.csv") == 0
    output = tmp_path / f"scores.csv{suffix}"
    assert predict(folder, output=output) == 0
    opener = {".bz2": bz2.open, ".xz": lzma.open, ".GZ": gzip.open}[suffix]
    with opener(output, "rt") as file:
        assert file.read() == (tmp_path / "plain.csv").read_text()


def test_other_compression_is_an_error(folder, capsys):
    error = the_error(predict(folder, rows="rows.csv.zip"), capsys)
    assert "may be compressed as .gz, .bz2, .xz, not as .zip" in error


@pytest.mark.parametrize(
    "name", ["x.xlsx", "x.json", "x.txt", "x.XLSX", "x.csv.zst", "x.parquet.gz"]
)
def test_an_output_that_is_no_table_by_its_name_is_an_error(
    name, folder, tmp_path, capsys
):
    given = {"rows": "none.csv", "model": "none", "output": tmp_path / name}
    error = the_error(predict(folder, **given), capsys)
    assert f"--output {tmp_path / name}: its name must end in .csv, .csv.gz, " in error
    assert [*tmp_path.iterdir()] == []


def test_an_output_without_an_ending_is_csv(folder, tmp_path):
    assert predict(folder, output=tmp_path / "scores") == 0
    assert (tmp_path / "scores").read_text().startswith("prediction,")


def test_a_link_is_followed_and_no_name_is_guessed(folder, tmp_path, monkeypatch):
    (tmp_path / "far").mkdir()
    output = tmp_path / "scores.csv"
    output.symlink_to(tmp_path / "far" / "real.csv")
    assert predict(folder, output=output) == 0
    assert output.is_symlink()
    assert (tmp_path / "far" / "real.csv").read_text().startswith("prediction,")

    # Even with the name known, what lies there is not written through.
    monkeypatch.setattr("secrets.token_hex", lambda n: "guessed")
    victim = tmp_path / "victim"
    victim.write_text("as before")
    (tmp_path / "far" / ".part-guessed-real.csv").symlink_to(victim)
    assert predict(folder, output=output) == 2
    assert victim.read_text() == "as before"


def test_parquet_in_and_out(folder, tmp_path):
    pytest.importorskip("pyarrow")
    as_trained(folder).to_parquet(tmp_path / "rows.parquet")
    assert predict(folder, output=tmp_path / "plain.csv") == 0
    arguments = ["--chunk-size", "50"]
    given = {
        "rows": tmp_path / "rows.parquet",
        "output": tmp_path / "scores.parquet",
    }
    assert predict(folder, *arguments, **given) == 0
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    plain = pd.read_csv(tmp_path / "plain.csv")
    assert scores["prediction"].tolist() == plain["prediction"].tolist()
    np.testing.assert_allclose(scores.iloc[:, 1:], plain.iloc[:, 1:], atol=1e-6)


def test_without_pyarrow_the_error_names_it(folder, tmp_path, monkeypatch, capsys):
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    for given in ({"rows": "rows.parquet"}, {"output": tmp_path / "scores.parquet"}):
        error = the_error(predict(folder, **given), capsys)
        assert "pip install 'skdistill[parquet]'" in error
    assert [*tmp_path.iterdir()] == []


def test_show_takes_no_pandas(folder):
    code = f"""
import sys
sys.modules["pandas"] = None
from skdistill.__main__ import main
sys.exit(main(["show", {str(folder / "model.safetensors")!r}]))
"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert "CompactClassifier" in result.stdout


@pytest.mark.parametrize("name", ["pandas", "tqdm"])
def test_a_package_that_lacks_is_named(name, folder, tmp_path):
    code = f"""
import sys
sys.modules[{name!r}] = None
from skdistill.__main__ import main
sys.exit(main(["predict", {str(folder / "model.safetensors")!r},
    "--data", {str(folder / "rows.csv")!r}, "--output", "scores.csv"]))
"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr == (
        f"skdistill: error: this takes {name}, which is not installed; "
        f"pip install {name}\n"
    )


def test_no_rows_give_a_header(folder, tmp_path):
    header, _ = (folder / "rows.csv").read_text().split("\n", 1)
    (tmp_path / "rows.csv").write_text(header + "\n")
    output = tmp_path / "scores.csv"
    assert predict(folder, rows=tmp_path / "rows.csv", output=output) == 0
    assert output.read_text() == "prediction,probability_left,probability_stays\n"


def test_columns_that_lack_are_named(folder, tmp_path, capsys):
    rows = pd.read_csv(folder / "rows.csv").drop(columns=["income", "news"])
    rows.to_csv(tmp_path / "rows.csv", index=False)
    error = the_error(predict(folder, rows=tmp_path / "rows.csv"), capsys)
    assert "lacks the columns 'income', 'news' of the model" in error


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("income", "much", "'income' of .* must hold numbers, .*; row 70 has 'much'"),
        (
            "since",
            "1/2/2020",
            "'since' of .* must hold dates, .*; row 70 has '1/2/2020'",
        ),
        ("news", "maybe", "'news' of .* must hold booleans, .*; row 70 has 'maybe'"),
        ("age", "inf", "rows 51 to 100 of .*: Input X contains infinity"),
    ],
)
def test_a_bad_value_is_found_and_what_was_there_stays(
    column, value, message, folder, tmp_path, capsys
):
    rows = pd.read_csv(folder / "rows.csv", dtype=str)
    rows.loc[69, column] = value
    rows.to_csv(tmp_path / "rows.csv", index=False)
    output = tmp_path / "scores.csv"
    output.write_text("as before")
    arguments = {"rows": tmp_path / "rows.csv", "output": output}
    code = predict(folder, "--chunk-size", "50", **arguments)
    assert re.search(message, the_error(code, capsys))
    assert output.read_text() == "as before"
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv", "scores.csv"}


def test_ctrl_c_leaves_nothing_half_written(folder, tmp_path, monkeypatch, capsys):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(predicting, "_scored", interrupted)
    assert predict(folder, output=tmp_path / "scores.csv") == 130
    assert capsys.readouterr().err == "skdistill: interrupted\n"
    assert [*tmp_path.iterdir()] == []


def test_files_that_would_be_lost_or_cannot_be_written(folder, tmp_path, capsys):
    error = the_error(predict(folder, output=folder / "rows.csv"), capsys)
    assert "rows.csv is a file that is read from" in error
    error = the_error(predict(folder, output=tmp_path), capsys)
    assert "is not a file" in error
    error = the_error(predict(folder, output=tmp_path / "no" / "scores.csv"), capsys)
    assert "cannot write to the folder" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--chunk-size", "0"], "--chunk-size must be >= 1"),
        (["--copy", "pet"], "no column 'pet' in .*; its columns are: country, news"),
        (["--tea"], "unrecognized arguments: --tea"),
    ],
)
def test_wrong_options_of_predict(arguments, message, folder, capsys):
    assert re.search(message, the_error(predict(folder, *arguments), capsys))


def test_an_unknown_command_is_an_error(capsys):
    error = the_error(cli.main(["predikt"]), capsys)
    assert "no command 'predikt'; there are distill, predict, show, and --help" in error


def test_whoever_reads_may_stop(folder):
    command = [sys.executable, "-m", "skdistill", "show", "--json"]
    with subprocess.Popen(
        [*command, str(folder / "model.safetensors")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize("command", ["distill", "predict", "show"])
def test_each_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    assert caught.value.code == 0
    assert f"python -m skdistill {command}" in capsys.readouterr().out


# --- Decimal commas -----------------------------------------------------------------


def with_commas(numbers, digits=3):
    return [f"{number:.{digits}f}".replace(".", ",") for number in numbers]


@pytest.fixture
def weighed(tmp_path, monkeypatch):
    """A folder with a table of weights such as 0,125, and the weights."""
    monkeypatch.setattr("skdistill._training.budget.MAX_EPOCHS", 20)
    weights = np.random.default_rng(0).gamma(2, 1, N_ROWS).round(3)
    labels = np.where(weights > 1.5, "heavy", "light")
    table = pd.DataFrame({"kg": with_commas(weights), "status": labels})
    table["kg"] = table["kg"].where(table.index % 10 > 0, "?")
    table.to_csv(tmp_path / "table.csv", sep=";", index=False)
    return tmp_path, weights


@pytest.mark.parametrize("command", ["distill", "experiment"])
def test_numbers_with_a_decimal_comma_are_read_as_in_training(
    command, weighed, monkeypatch, capsys
):
    folder, _ = weighed
    if command == "distill":
        assert distill(folder, "--teacher", "forest") == 0
        models = ["model.safetensors"]
    else:
        monkeypatch.setattr("skdistill._inspection.costs.SECONDS", 0.01)
        given = ["--data", str(folder / "table.csv"), "--target", "status"]
        given += ["--teacher", "forest", "--seeds", "0", "--students", "2"]
        assert cli.main([*given, "--output-dir", str(folder)]) == 0
        models = ["student.safetensors", "student.joblib"]
    out = capsys.readouterr().out
    assert re.search(r"kg +numbers, a decimal comma +scaled, 12 missing\n", out)
    small = CompactClassifier.load(folder / models[0])
    expected = small.predict_proba(pd.DataFrame({"kg": [1.25, 2, 1250, np.nan, 0.5]}))
    # Nothing in the file or in a chunk tells that the first is no thousand.
    for name, sep in (("semicolons.csv", ";"), ("commas.csv", ",")):
        rows = pd.DataFrame({"kg": ["1,250", "2,000", "1.250,0", "?", "0.5"], "x": 0})
        rows.to_csv(folder / name, sep=sep, index=False)
        for model in models:
            arguments = ["--chunk-size", "1", "--trust-pickle"]
            assert predict(folder, *arguments, rows=name, model=folder / model) == 0
            scores = pd.read_csv(folder / "scores.csv").iloc[:, 1:]
            np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_a_comma_that_may_be_of_thousands_is_read_as_before_and_said_so(
    weighed, capsys
):
    folder, weights = weighed
    table = pd.read_csv(folder / "table.csv", sep=";")
    table["kg"] = with_commas(weights + 1)
    table.to_csv(folder / "table.csv", sep=";", index=False)
    assert distill(folder, "--teacher", "forest") == 0
    line = r"kg +numbers, decimal comma\? +scaled, (\d),(\d{3}) as \1\2\n"
    assert re.search(line, capsys.readouterr().out)
    pd.DataFrame({"kg": ["0,950"]}).to_csv(folder / "rows.csv", index=False)
    assert predict(folder) == 0
    small = CompactClassifier.load(folder / "model.safetensors")
    np.testing.assert_allclose(
        pd.read_csv(folder / "scores.csv").iloc[:, 1:],
        small.predict_proba(pd.DataFrame({"kg": [950.0]})),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("values", "sep", "line"),
    [
        (["41,5", "38", "-7,25"], ";", "numbers, a decimal comma +scaled"),
        (["1.234,5", "999,125"], "\t", "numbers, a decimal comma +scaled"),
        (["1.234", "5,5"], ";", "numbers, a decimal comma +scaled"),
        (["41,5", "38", "7,25"], ",", r"numbers, decimal comma\? +one-hot, 3 columns"),
        (["1,234", "5"], ",", r"numbers, decimal comma\? +scaled, 1,234 as 1234"),
        (["41,5", "38.2"], ";", "text, 2 values +one-hot"),
        (["1,2,3", "41,5"], ";", "text, 2 values +one-hot"),
        (["1,234,567", "1,234"], ";", "numbers as text +scaled"),
        (["$1,200", "$41"], ";", r"numbers as text \(\$\) +scaled"),
    ],
)
def test_what_is_a_number_with_a_decimal_comma(
    values, sep, line, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("skdistill._command.distilling.table_splits", lambda *_: 1 / 0)
    table = pd.DataFrame({"kg": values * 20, "status": ["a", "b"] * 10 * len(values)})
    table.to_csv(tmp_path / "table.csv", sep=sep, index=False)
    with pytest.raises(ZeroDivisionError):
        distill(tmp_path)
    assert re.search(rf"^kg +{line}", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize("noted", ["[", "{}", 3, None, "[" * 10**5, '[["kg"]]'])
def test_what_else_is_noted_as_decimal_commas_is_ignored(noted, weighed):
    folder, weights = weighed
    X = pd.DataFrame({"kg": weights})
    model = DistilledClassifier(alpha=0, max_epochs=1, preprocessor="auto")
    small = model.fit(X, weights > 1.5).compact()
    small.provenance_["decimal_comma"] = noted
    small.save(folder / "model.safetensors")
    X.to_csv(folder / "rows.csv", index=False)
    assert predict(folder) == 0


# --- Models in pickles --------------------------------------------------------------


class Bomb:
    def __reduce__(self):
        return (open, ("exploded", "w"))


def test_a_pickle_is_read_only_if_it_is_trusted(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bomb.pkl"
    path.write_bytes(pickle.dumps(Bomb()))
    for command in (["show"], ["predict", "--data", "x", "--output", "y"]):
        error = the_error(cli.main([*command, str(path)]), capsys)
        assert "add --trust-pickle: reading it runs the code in it" in error
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"12345678{", b"nothing of ours at all"])
def test_a_file_without_a_model(content, folder, tmp_path, capsys):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert "is no" in the_error(predict(folder, model=path), capsys)
    path.write_bytes(pickle.dumps([1, 2]))
    code = predict(folder, "--trust-pickle", model=path)
    assert "must hold a fitted classifier" in the_error(code, capsys)


def test_a_pipeline_of_the_users_is_taken_if_trusted(folder, tmp_path):
    """Its columns say nothing of what they hold: pandas tells by all rows at once."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {"code": rng.choice([1, 2, 3], 40), "size": rng.normal(size=40)}
    )
    model = LogisticRegression().fit(rows, rows["size"] > 0)
    joblib.dump(model, tmp_path / "model.joblib")
    rows.to_csv(tmp_path / "rows.csv", index=False)
    output = tmp_path / "scores.csv"
    given = {"rows": tmp_path / "rows.csv", "model": tmp_path / "model.joblib"}
    arguments = ["--trust-pickle", "--chunk-size", "9"]
    assert predict(folder, *arguments, output=output, **given) == 0
    scores = pd.read_csv(output)
    np.testing.assert_allclose(scores.iloc[:, 1:], model.predict_proba(rows))
    assert scores["prediction"].tolist() == model.predict(rows).tolist()


def test_a_model_that_knows_no_names_takes_columns_in_order(tmp_path, capsys):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    model = DistilledClassifier(alpha=0, max_epochs=2).fit(X, X[:, 0] > 0).compact()
    model.save(tmp_path / "model.safetensors")
    rows = pd.DataFrame(X, columns=["a", "b", "c"]).assign(id=range(60))
    rows.to_csv(tmp_path / "rows.csv", index=False)
    error = the_error(predict(tmp_path), capsys)
    assert "does not know its columns by name and takes 3; " in error
    assert predict(tmp_path, "--copy", "id") == 0
    scores = pd.read_csv(tmp_path / "scores.csv")
    np.testing.assert_allclose(scores.iloc[:, 2:], model.predict_proba(X), atol=1e-6)


def test_texts_that_are_categories_are_no_holes(tmp_path):
    """Neither "NA" nor "1.0" for 1: a file of text has the categories of training."""
    rng = np.random.default_rng(0)
    code = pd.Series(rng.choice([1.0, 2.0, 3.0, np.nan], 200))
    land = pd.Series(rng.choice(["NA", "DE", "null"], 200), dtype=object)
    X = pd.DataFrame({"code": code.astype("category"), "land": land})
    y = (code == 1) | (land == "NA")
    model = make_pipeline(TablePreprocessor(), LogisticRegression()).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    student = DistilledClassifier(
        alpha=0, preprocessor="auto", max_epochs=2, random_state=0
    )
    small = student.fit(X, y).compact()
    small.save(tmp_path / "model.safetensors")
    X.to_csv(tmp_path / "rows.csv", index=False)
    for name, fitted in (("model.joblib", model), ("model.safetensors", small)):
        given = {"model": tmp_path / name, "output": tmp_path / "scores.csv"}
        arguments = ["--chunk-size", "70", "--trust-pickle"]
        assert predict(tmp_path, *arguments, **given) == 0
        scores = pd.read_csv(tmp_path / "scores.csv")
        np.testing.assert_allclose(
            scores.iloc[:, 1:], fitted.predict_proba(X), atol=1e-6
        )


@pytest.mark.parametrize("preprocessor", ["auto", None])
def test_identifiers_are_copied_as_they_are(preprocessor, tmp_path):
    ids = ["007", "NA", "null", "", "1e3"] * 4
    rows = pd.DataFrame({"id": ids, "size": np.linspace(-1, 1, 20)})
    model = LogisticRegression()
    if preprocessor:
        model = make_pipeline(TablePreprocessor(), model)
    joblib.dump(model.fit(rows[["size"]], rows["size"] > 0), tmp_path / "model.joblib")
    rows.to_csv(tmp_path / "rows.csv", index=False)
    arguments = ["--trust-pickle", "--copy", "id", "size", "--chunk-size", "6"]
    assert predict(tmp_path, *arguments, model=tmp_path / "model.joblib") == 0
    scores = pd.read_csv(tmp_path / "scores.csv", dtype=str, keep_default_na=False)
    given = pd.read_csv(tmp_path / "rows.csv", dtype=str, keep_default_na=False)
    assert scores["id"].tolist() == ids
    assert scores["size"].tolist() == given["size"].tolist()


def test_parquet_is_copied_as_it_is(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow.parquet import read_table, write_table

    copied = {
        "flag": pa.array([None, None, True, False]),
        "day": pa.array([None, None, 1, 2], pa.date32()),
        "tags": pa.array([None, None, ["a"], []]),
        "count": pa.array([None, None, 2**60 + 1, 4]),
    }
    table = pa.table(copied | {"size": [0.0, 1.0, 0.0, 1.0]})
    write_table(table, tmp_path / "rows.parquet")
    X = table.select(["size"]).to_pandas()
    model = make_pipeline(TablePreprocessor(), LogisticRegression())
    joblib.dump(model.fit(X, ["a", "b"] * 2), tmp_path / "model.joblib")
    arguments = ["--trust-pickle", "--chunk-size", "2", "--copy", *copied]
    given = {"rows": "rows.parquet", "model": tmp_path / "model.joblib"}
    output = tmp_path / "scores.parquet"
    assert predict(tmp_path, *arguments, output=output, **given) == 0
    scores = read_table(output)
    assert scores.select([*copied]).equals(table.select([*copied]))
    assert scores["prediction"].to_pylist() == ["a", "b", "a", "b"]
    assert predict(tmp_path, *arguments, **given) == 0
    assert f",{2**60 + 1},a," in (tmp_path / "scores.csv").read_text()


# --- show ---------------------------------------------------------------------------


def test_show_says_what_is_in_a_model(folder, capsys):
    assert cli.main(["show", str(folder / "model.safetensors")]) == 0
    out = capsys.readouterr().out
    for line in (
        r"model     CompactClassifier",
        r"classes   2: 'left', 'stays'",
        r"features  5: income \(number\), age \(number\), code \(category\), .*",
        r"layers    \d+ > 64 > 32 > 2; [\d,]+ parameters, stored as float32",
        r"trained   20\d\d-.* on 95 rows",
        r"teacher   HistGradientBoostingClassifier, temperature 3.0, alpha 0.5",
        r"metrics   accuracy 0\.\d+, log_loss .*, n_test 23",
    ):
        assert re.search(f"^{line}", out, re.MULTILINE), line


def test_show_escapes_what_a_terminal_obeys(tmp_path, capsys):
    name = "\x1b]0;owned\x07"
    X = pd.DataFrame({name: [0.0, 1.0] * 20, "größe": [1.0, 0.0] * 20})
    model = DistilledClassifier(alpha=0, max_epochs=1).fit(X, [0, 1] * 20).compact()
    model.provenance_ |= {"teacher": name, "created": name, "versions": {name: name}}
    model.save(tmp_path / "model.safetensors")
    assert cli.main(["show", str(tmp_path / "model.safetensors")]) == 0
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert out.count(r"\x1b]0;owned\x07") >= 4
    assert "größe" in out
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "rows.csv")
    error = the_error(predict(tmp_path), capsys)
    assert error.strip().isprintable()
    assert "owned" in error


def test_show_as_json(folder, capsys):
    assert cli.main(["show", str(folder / "model.safetensors"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["classes"] == ["left", "stays"]
    assert found["bytes"] == (folder / "model.safetensors").stat().st_size
    assert found["features"][0] == {"name": "income", "kind": "number"}
    widths = found["layers"]
    assert found["parameters"] == sum(
        (n_in + 1) * n_out for n_in, n_out in pairwise(widths)
    )
    assert found["provenance"]["n_samples"] == 95


def test_show_of_a_trusted_pipeline(tmp_path, capsys):
    X = pd.DataFrame({"size": [0.0, 1.0] * 10, "colour": ["red", "green"] * 10})
    model = make_pipeline(TablePreprocessor(), LogisticRegression()).fit(X, [0, 1] * 10)
    joblib.dump(model, tmp_path / "model.joblib")
    path = str(tmp_path / "model.joblib")
    assert cli.main(["show", path, "--trust-pickle"]) == 0
    out = capsys.readouterr().out
    assert "model     Pipeline of TablePreprocessor, LogisticRegression\n" in out
    assert "features  2: size (number), colour (category)\n" in out
