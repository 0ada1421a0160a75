"""The picture of confidence against accuracy."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skdistill import CompactPredictor, ReliabilityDisplay, compact
from skdistill._inspection.report_scores import figures
from tests.nets import small_distilled, small_search


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def proba():
    rng = np.random.default_rng(0)
    return {n: rng.dirichlet([1, 1, 1], size=200) for n in ("teacher", "forest")}


@pytest.fixture
def y():
    return np.random.default_rng(1).choice(["a", "b", "c"], size=200)


def test_points_are_the_means_of_the_bins(proba, y):
    display = ReliabilityDisplay.from_predictions(y, proba, n_bins=5)
    assert display.names == ["teacher", "forest"]
    assert display.counts.sum(axis=1).tolist() == [200, 200]
    table = display.frame().set_index(["model", "low"])
    for name, values in proba.items():
        confidence = values.max(axis=1)
        right = np.array(["a", "b", "c"])[values.argmax(axis=1)] == y
        inside = (confidence > 0.6) & (confidence <= 0.8)
        row = table.loc[name].iloc[-2]
        assert row["high"] == pytest.approx(0.8)
        assert row["count"] == inside.sum()
        assert row["confidence"] == pytest.approx(confidence[inside].mean())
        assert row["accuracy"] == pytest.approx(right[inside].mean())
    for line, x, accuracy in zip(
        display.lines_, display.confidence, display.accuracy, strict=True
    ):
        kept = ~np.isnan(x)
        np.testing.assert_array_equal(line.get_xdata(), x[kept])
        np.testing.assert_array_equal(line.get_ydata(), accuracy[kept])


def test_axes_and_legend_say_what_they_show(proba, y):
    figure, ax = plt.subplots()
    display = ReliabilityDisplay.from_predictions(y, proba, ax=ax, linewidth=3)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert {line.get_linewidth() for line in display.lines_} == {3}
    assert ax.get_ylabel() == "accuracy"
    assert display.counts_ax_.get_xlabel().startswith("confidence")
    assert display.counts_ax_.get_ylabel() == "rows"
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    places = np.searchsorted(["a", "b", "c"], y)
    assert texts == [
        f"{name} (ECE {figures(values, places)['ece']:.3f})"
        for name, values in proba.items()
    ]
    styles = {(line.get_marker(), line.get_linestyle()) for line in display.lines_}
    assert len(styles) == 2  # told apart in grey


def test_drawn_again_there_is_one_of_each(proba, y):
    display = ReliabilityDisplay.from_predictions(y, proba)
    n_lines = len(display.ax_.lines)
    display.plot(ax=display.ax_)
    assert len(display.ax_.lines) == n_lines
    assert len(display.ax_.child_axes) == 1


def test_one_model_and_missing_classes(proba):
    y = np.repeat(["a", "b"], 100)
    display = ReliabilityDisplay.from_predictions(
        y, proba["teacher"], classes=["a", "b", "c"]
    )
    assert display.names == ["model"]
    with pytest.raises(ValueError, match="'proba' .* 2 classes. Got shape .200, 3"):
        ReliabilityDisplay.from_predictions(y, proba["teacher"])
    with pytest.raises(ValueError, match="'classes' .* It lacks .'b'."):
        ReliabilityDisplay.from_predictions(
            y, proba["teacher"], classes=["a", "c", "d"]
        )
    with pytest.raises(ValueError, match="'n_bins' .* Got 0"):
        ReliabilityDisplay.from_predictions(
            y, proba["teacher"], classes=["a", "b", "c"], n_bins=0
        )


def test_from_estimator_asks_teacher_student_and_baseline(blobs):
    X, y = blobs
    model = make_pipeline(StandardScaler(), small_distilled(LogisticRegression()))
    model.fit(X[:60], y[:60])
    baseline = LogisticRegression().fit(X[:60], y[:60])
    display = ReliabilityDisplay.from_estimator(
        model, X[60:], y[60:], baseline=baseline
    )
    teacher = model[-1].teacher_.predict_proba(model[0].transform(X[60:]))
    proba = {
        "teacher": teacher,
        "student": model.predict_proba(X[60:]),
        "baseline": baseline.predict_proba(X[60:]),
    }
    expected = ReliabilityDisplay.from_predictions(y[60:], proba)
    np.testing.assert_array_equal(display.counts, expected.counts)
    np.testing.assert_array_equal(display.accuracy, expected.accuracy)
    assert display.names == list(proba)


def test_without_a_teacher_there_is_the_student(binary):
    X, y = binary
    search = small_search(alphas=[0.0]).fit(X, y)
    display = ReliabilityDisplay.from_estimator(search, X, y)
    assert display.names == ["student"]


def test_any_fitted_classifier_is_drawn(binary, tmp_path):
    X, y = binary
    model = make_pipeline(StandardScaler(), small_distilled(alpha=0)).fit(X, y)
    small = compact(model)
    model[-1].compact().save(tmp_path / "model")
    alone = CompactPredictor.load(tmp_path / "model")
    of_student = ReliabilityDisplay.from_estimator(model, X, y)
    display = ReliabilityDisplay.from_estimator(small, X, y, baseline=model)
    assert display.names == ["model", "baseline"]
    np.testing.assert_array_equal(display.counts[0], of_student.counts[0])
    linear = GridSearchCV(LogisticRegression(), {"C": [1.0, 2.0]}, cv=2).fit(X, y)
    for each, rows in ((alone, model[0].transform(X)), (linear, X)):
        assert ReliabilityDisplay.from_estimator(each, rows, y).names == ["model"]


def test_probabilities_of_the_second_class_are_enough(binary):
    X, y = binary
    proba = LogisticRegression().fit(X, y).predict_proba(X)
    y = np.where(y == 0, "no", "yes")
    both = ReliabilityDisplay.from_predictions(y, {"a": proba, "b": proba})
    for second in (proba[:, 1], proba[:, 1].tolist()):
        display = ReliabilityDisplay.from_predictions(y, {"a": proba, "b": second})
        np.testing.assert_array_equal(display.accuracy, both.accuracy)
        np.testing.assert_allclose(display.confidence, both.confidence)
    with pytest.raises(ValueError, match="'proba' .* between 0 and 1 .* for 'model'"):
        ReliabilityDisplay.from_predictions(y, 8 * proba[:, 1] - 4)
    with pytest.raises(ValueError, match="'proba' .* 3 classes. Got shape .*,. for 'm"):
        ReliabilityDisplay.from_predictions(
            y, proba[:, 1], classes=["no", "perhaps", "yes"]
        )


def test_what_is_no_classifier_is_refused(binary):
    X, y = binary
    for model in (LinearSVC().fit(X, y), "model"):
        with pytest.raises(TypeError, match="'model' .* Got (LinearSVC|str)"):
            ReliabilityDisplay.from_estimator(model, X, y)
    for unfitted in (LogisticRegression(), small_distilled()):
        with pytest.raises(NotFittedError):
            ReliabilityDisplay.from_estimator(unfitted, X, y)
    model = small_distilled(alpha=0).fit(X, y)
    with pytest.raises(ValueError, match="y must have no labels but .* Got .7."):
        ReliabilityDisplay.from_estimator(model, X, np.where(y == 0, 7, y))
    with pytest.raises(ValueError, match="X and y must have as many rows.* 80 and 79"):
        ReliabilityDisplay.from_estimator(model, X, y[1:])
