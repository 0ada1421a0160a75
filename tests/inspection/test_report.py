"""The report on a student: what is compared, what is said of it, how it is shown."""

import pickle
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistillationReport, DistilledClassifier, compact, distill
from skdistill._inspection.costs import n_bytes, n_parameters
from tests.nets import small_distilled, small_search, small_teacher


@pytest.fixture(scope="module")
def data():
    """Return 300 rows of three classes with names, half for training, half for test."""
    X, y = make_classification(
        300, n_features=6, n_informative=4, n_classes=3, random_state=0
    )
    y = np.array(["a<b", "b", "c"])[y]
    return X[:150], X[150:], y[:150], y[150:]


@pytest.fixture(scope="module")
def pipeline(data):
    X, _, y, _ = data
    forest = RandomForestClassifier(10, random_state=0)
    return make_pipeline(StandardScaler(), small_distilled(forest)).fit(X, y)


@pytest.fixture(scope="module")
def report(pipeline, data):
    X, X_test, y, y_test = data
    linear = LogisticRegression().fit(X, y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skdistill._inspection.costs.SECONDS", 0.02)
        return DistillationReport.from_estimator(
            pipeline,
            X_test,
            y_test,
            X_train=X,
            y_train=y,
            reference={"linear": linear},
        )


def report_on(model, data, **params):
    _, X_test, _, y_test = data
    return DistillationReport.from_estimator(
        model, X_test, y_test, **{"timing": False, **params}
    )


# --- What is compared -----------------------------------------------------------------


def test_figures_are_those_of_scikit_learn(report, pipeline, data):
    X, X_test, y, y_test = data
    baseline = make_pipeline(StandardScaler(), small_distilled(alpha=0)).fit(X, y)
    teacher = pipeline[-1].teacher_.predict_proba(pipeline[0].transform(X_test))
    proba = {
        "teacher": teacher,
        "student": pipeline.predict_proba(X_test),
        "baseline": baseline.predict_proba(X_test),
        "linear": LogisticRegression().fit(X, y).predict_proba(X_test),
    }
    table = report.frame()
    assert table.index.tolist() == list(proba)
    classes = pipeline.classes_
    for name, values in proba.items():
        row, predicted = table.loc[name], classes[values.argmax(axis=1)]
        expected = log_loss(y_test, values), accuracy_score(y_test, predicted)
        figures = row["log_loss"], row["accuracy"]
        assert figures == pytest.approx(expected, rel=0, abs=1e-12)
        assert row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"]
        agreement = (values.argmax(axis=1) == teacher.argmax(axis=1)).mean()
        assert row["agreement"] == pytest.approx(agreement)
    found = report.recovery.loc["log_loss"]
    t, s, b = (table["log_loss"][name] for name in ("teacher", "student", "baseline"))
    assert found["gain"] == pytest.approx(b - s, abs=1e-6)
    assert found["gap"] == pytest.approx(b - t, abs=1e-6)
    assert found["gap_low"] < found["gap"] < found["gap_high"]


def test_sizes_are_those_of_what_ships(report, pipeline):
    table = report.frame()
    assert table.loc["student", "bytes"] == len(pickle.dumps(compact(pipeline)))
    forest = make_pipeline(pipeline[0], pipeline[-1].teacher_)
    assert table.loc["teacher", "bytes"] == pytest.approx(
        len(pickle.dumps(forest)), rel=0.01
    )
    weights = 6 * 8 + 8 + 8 * 3 + 3
    assert table.loc["student", "parameters"] == weights
    assert table.loc["baseline", "parameters"] == weights
    assert table.loc["linear", "parameters"] == 3 * 6 + 3
    assert np.isnan(table.loc["teacher", "parameters"])
    times = table[["row_us_p50", "row_us_p99", "us_per_row_of_1000"]]
    assert (times > 0).all(axis=None)
    assert (times["row_us_p50"] <= times["row_us_p99"]).all()


def test_a_distilled_reference_is_measured_as_the_student_is(pipeline, data):
    reference = {"same": pipeline, "frozen": FrozenEstimator(pipeline)}
    figures = report_on(pipeline, data, reference=reference).frame()
    for name in reference:
        pd.testing.assert_series_equal(
            figures.loc[name], figures.loc["student"], check_names=False
        )


def test_nothing_of_the_callers_is_changed(pipeline, data):
    before = pickle.dumps(pipeline)
    X, _, y, _ = data
    report_on(pipeline, data, X_train=X, y_train=y)
    assert pickle.dumps(pipeline) == before


def test_parameters_of_networks_are_counted(binary):
    model = small_distilled(small_teacher()).fit(*binary)
    each = 6 * 8 + 8 + 8 * 4 + 4 + 4 * 2 + 2
    assert n_parameters(model.teacher_) == 2 * each
    assert n_parameters(FrozenEstimator(model)) == 6 * 8 + 8 + 8 * 2 + 2
    assert n_parameters(compact(model)) == n_parameters(model)
    distilled = distill(model.teacher_, binary[0], max_epochs=2)
    assert n_parameters(distilled.teacher_) == 2 * each
    of_linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(*binary)
    assert n_parameters(of_linear) == 6 + 1
    assert np.isnan(n_parameters(DecisionTreeClassifier().fit(*binary)))


def test_what_cannot_be_pickled_has_no_size():
    assert np.isnan(n_bytes(lambda: None))


def test_any_kind_of_student(data):
    X, _, y, _ = data
    forest = RandomForestClassifier(5, random_state=0)
    tree = small_distilled_tree(forest).fit(X, y)
    report = report_on(tree, data, X_train=X, y_train=y)
    assert report.frame().index.tolist() == ["teacher", "student", "baseline"]
    assert np.isfinite(report.frame().loc["student", "kl"])
    search = small_search(LogisticRegression(), alphas=[0.5, 0.8]).fit(X, y)
    report = report_on(search, data, X_train=X, y_train=y)
    assert report.frame().index.tolist() == ["teacher", "student", "baseline"]
    grid = GridSearchCV(small_distilled(forest), {"alpha": [0.5, 1.0]}, cv=2)
    report = report_on(grid.fit(X, y), data)
    assert report.frame().index.tolist() == ["teacher", "student"]


def small_distilled_tree(teacher):
    student = DecisionTreeClassifier(max_depth=3)
    return DistilledClassifier(
        teacher, student=student, calibrate=False, target_cv=None, random_state=0
    )


def test_tables_with_categories(data, monkeypatch):
    monkeypatch.setattr("skdistill._inspection.costs.SECONDS", 0.02)
    X, X_test, y, y_test = data

    def table(X):
        frame = pd.DataFrame(X, columns=list("uvwxyz"))
        return frame.assign(kind=np.where(X[:, 0] > 0, "up", "down"))

    numbers = make_column_transformer((StandardScaler(), list("uvwxyz")))
    teacher = make_pipeline(numbers, LogisticRegression())
    model = small_distilled(teacher, preprocessor="auto").fit(table(X), y)
    report = DistillationReport.from_estimator(
        model, table(X_test), y_test, X_train=table(X), y_train=y, timing=True
    )
    assert report.frame()["log_loss"].notna().all()


def test_a_fitted_baseline_takes_the_place_of_auto(pipeline, data):
    X, X_test, y, y_test = data
    linear = LogisticRegression().fit(X, y)
    report = report_on(pipeline, data, baseline=linear)
    expected = log_loss(y_test, linear.predict_proba(X_test))
    assert report.frame().loc["baseline", "log_loss"] == expected


# --- Without a teacher, or a baseline -------------------------------------------------


def test_it_says_that_the_automatic_baseline_is_untuned(report, pipeline, data):
    note = "The baseline is the same student with alpha=0, untuned: "
    for text in (repr(report), report._repr_html_()):
        assert note in text
    linear = LogisticRegression().fit(data[0], data[2])
    given = report_on(pipeline, data, baseline=linear)
    for text in (repr(given), given._repr_html_()):
        assert "untuned" not in text
        assert "labels alone" not in text
        assert "that of the baseline" in text.replace("\n", " ")


@pytest.mark.parametrize("change", [{}, {"weight_decay": 0.01}, {"alpha": 0.5}])
def test_a_baseline_is_untuned_if_it_is_the_same_student(change, pipeline, data):
    params = {"alpha": 0, "random_state": 5, "temperature": 2, **change}
    student = small_distilled(RandomForestClassifier(5), **params)
    baseline = make_pipeline(StandardScaler(), student).fit(data[0], data[2])
    report = report_on(pipeline, data, baseline=baseline)
    assert ("untuned" in repr(report)) == (not change)


def test_a_student_of_labels_alone_beside_a_baseline(data):
    X, _, y, _ = data
    linear = LogisticRegression().fit(X, y)
    student = small_distilled(None, alpha=0).fit(X, y)
    report = report_on(student, data, baseline=linear)
    assert report.about["kind"] == "open"
    assert report.verdict.startswith("There is no teacher to compare with: this ")


def test_without_a_baseline_recovery_is_not_measured(pipeline, data):
    report = report_on(pipeline, data)
    assert report.frame().index.tolist() == ["teacher", "student"]
    assert report.recovery.empty
    assert "Recovery is not measured" in report.verdict
    assert "Pass X_train and y_train" in report.verdict
    assert "not measured" in str(report)


def test_a_student_of_labels_alone_has_no_teacher(data):
    X, _, y, _ = data
    model = small_distilled(alpha=0).fit(X, y)
    report = report_on(model, data, X_train=X, y_train=y)
    assert report.frame().index.tolist() == ["student"]
    assert report.largest.empty
    assert "trained on the labels alone (alpha=0)" in report.verdict
    assert report.frame()["kl"].isna().all()
    assert "agreement" not in report.by_class
    report._repr_html_()


def test_soft_targets_have_no_teacher(data):
    X, _, y, _ = data
    soft = LogisticRegression().fit(X, y).predict_proba(X)
    model = small_distilled().fit(X, y, soft_targets=soft)
    report = report_on(model, data, X_train=X, y_train=y)
    assert report.frame().index.tolist() == ["student", "baseline"]
    assert "learned from soft_targets" in report.verdict


def test_a_distilled_model_is_compared_itself_until_it_is_left_out(data):
    X, X_test, y, y_test = data
    forest = RandomForestClassifier(10, random_state=0).fit(X, y)
    student = distill(forest, X, max_epochs=5, random_state=0, chunk_size=40)
    report = report_on(student, data, X_train=X, y_train=y)
    expected = log_loss(y_test, forest.predict_proba(X_test))
    assert report.frame().loc["teacher", "log_loss"] == pytest.approx(
        expected, rel=0, abs=1e-12
    )
    assert report.frame().loc["teacher", "bytes"] == len(pickle.dumps(forest))
    saved = pickle.loads(pickle.dumps(student))
    report = report_on(saved, data, X_train=X, y_train=y)
    assert report.frame().index.tolist() == ["student", "baseline"]
    assert "left out when the student was saved" in report.verdict


def test_a_function_as_teacher_has_no_size(data):
    X, _, y, _ = data
    forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    student = distill(
        forest.predict_proba, X, classes=forest.classes_, max_epochs=5, random_state=0
    )
    row = report_on(student, data).frame().loc["teacher"]
    assert np.isnan(row["bytes"])
    assert np.isfinite(row["log_loss"])


def test_a_class_without_test_rows_is_named(pipeline, data):
    _, X_test, _, y_test = data
    kept = y_test != "b"
    report = DistillationReport.from_estimator(
        pipeline, X_test[kept], y_test[kept], timing=False
    )
    assert report.by_class.index.sort_values().tolist() == ["a<b", "c"]
    assert "No test row is of class b." in str(report)
    assert report.frame()["roc_auc"].notna().all()


# --- Several fits ---------------------------------------------------------------------


def test_scores_of_several_fits_are_means(data):
    X, X_test, y, y_test = data
    teacher = FrozenEstimator(RandomForestClassifier(10, random_state=0).fit(X, y))
    fits = [small_distilled(teacher, random_state=i).fit(X, y) for i in range(3)]
    report = report_on(fits, data, X_train=X, y_train=y)
    losses = [log_loss(y_test, model.predict_proba(X_test)) for model in fits]
    row = report.frame().loc["student"]
    assert row["log_loss"] == pytest.approx(np.mean(losses), rel=0, abs=1e-12)
    assert report.about["n_fits"] == 3
    assert "3 fits" in str(report)
    alone = report_on(fits[0], data, X_train=X, y_train=y)
    baseline = alone.frame().loc["baseline", "log_loss"]
    assert report.frame().loc["baseline", "log_loss"] != baseline  # a seed for each


# --- Bad input ------------------------------------------------------------------------


def test_bad_input_is_refused(pipeline, data):
    X, X_test, y, _ = data
    linear = LogisticRegression().fit(X, y)
    for params, message in (
        ({"X_train": X}, "'X_train' and 'y_train' .* Got X_train alone"),
        ({"baseline": "mine"}, "'baseline' parameter .* Got 'mine'"),
        ({"baseline": 3}, "'baseline' parameter .* Got int"),
        ({"baseline": [linear] * 2}, "one for each of the 1 models. Got 2"),
        (
            {"baseline": LogisticRegression().fit(X, y == "b")},
            "'baseline' .* Got LogisticRegression of classes",
        ),
        (
            {"baseline": linear, "X_train": X, "y_train": y},
            "for baseline='auto', .* Got baseline=LogisticRegression",
        ),
        ({"reference": {"student": linear}}, "'reference' .* Got 'student'"),
        ({"reference": 3}, "'reference' .* Got 'int': int"),
        (
            {"reference": {"far": LogisticRegression().fit(X, y == "b")}},
            r"classes, \['a<b', 'b', 'c'\]. Got 'far' of classes \[False, True\]",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            report_on(pipeline, data, **params)
    with pytest.raises(TypeError, match="'model' parameter .* Got LogisticRegression"):
        report_on(linear, data)
    with pytest.raises(NotFittedError):
        report_on(small_distilled(), data)
    with pytest.raises(ValueError, match="'model' .* Got no model"):
        report_on([], data)
    other = small_distilled(alpha=0).fit(X, y == "b")
    with pytest.raises(ValueError, match="must know the same classes"):
        report_on([pipeline, other], data)
    with pytest.raises(ValueError, match="y_test must have no labels but .* Got .'z'."):
        DistillationReport.from_estimator(pipeline, X_test, np.full(150, "z"))


# --- How it is shown ------------------------------------------------------------------


def test_the_text_has_the_verdict_on_top_and_every_model(report):
    text = str(report)
    first, verdict, *_ = text.split("\n\n")
    assert first == "DistillationReport: 150 test rows, 3 classes"
    assert " ".join(verdict.split()) == report.verdict
    for word in ("teacher", "linear", "log-loss", "recovery", "parameters", "one row"):
        assert word in text
    assert repr(report) == text


class Page(HTMLParser):
    """Notes tags and attributes, and that every tag is closed."""

    VOID = frozenset({"meta", "use", "path", "br"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.ids, self.urls = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            assert not name.startswith("on")
            self.ids += [value] if name == "id" else []
            self.urls += [value] if name in ("src", "href", "xlink:href") else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_has_no_script(report, tmp_path):
    path = report.to_html(tmp_path / "report.html")
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert page.tags.count("svg") == 2
    assert len(set(page.ids)) == len(page.ids)
    assert all(url.startswith("#") for url in page.urls)
    assert {url[1:] for url in page.urls} <= set(page.ids)
    assert set(re.findall(r"url\(#([^)]*)\)", text)) <= set(page.ids)
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert "a&lt;b" in text
    assert "a<b" not in text
    # Colours are the page's.
    svg = text[text.index("<svg") : text.rindex("</svg>")]
    assert "#000000" not in svg
    assert "var(--colour-1)" in svg
    assert report.to_html(path).read_text(encoding="utf-8") == text


def test_a_notebook_gets_the_tables(report):
    page = Page(report._repr_html_())
    assert "script" not in page.tags
    assert page.tags.count("table") == 5
    assert "svg" not in page.tags


def test_without_matplotlib_the_page_says_what_it_lacks(report, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = report.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "svg" not in Page(text).tags
    assert "pip install &#x27;skdistill[plot]&#x27;" in text


def test_a_report_can_be_pickled(report):
    assert str(pickle.loads(pickle.dumps(report))) == str(report)
