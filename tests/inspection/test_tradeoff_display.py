"""The picture of score against cost."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from skdistill import TradeoffDisplay
from skdistill._inspection.curve import SIZES
from skdistill._inspection.tradeoff import cost_text, pareto_front, size_name
from tests.nets import small_distilled


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def curve():
    rng = np.random.default_rng(0)
    sizes = [(2,), (64, 32), (8,), (64,), (128, 64), (4,), (16,), (32,)]
    n_parameters = np.array([48.0, 3490, 186, 1474, 11074, 94, 370, 738])
    level = -0.5 + 0.04 * np.log(n_parameters)[:, None]
    return Bunch(
        hidden_layer_sizes=sizes,
        n_parameters=n_parameters,
        n_bytes=4 * n_parameters,
        row_time=1e-5 * rng.uniform(5, 6, size=8),
        test_scores=level + rng.normal(0, 0.01, size=(8, 5)),
        baseline_scores=level - 0.03 + rng.normal(0, 0.01, size=(8, 5)),
        teacher_scores=-0.15 + rng.normal(0, 0.01, size=5),
        teacher_n_parameters=280_000.0,
        teacher_n_bytes=1_120_000.0,
        teacher_row_time=1e-3,
        score_name="neg_log_loss",
    )


def boxes(display):
    display.figure_.canvas.draw()
    labels = [label for label in display.ax_.get_xticklabels() if label.get_text()]
    return [label.get_window_extent() for label in labels]


def points_of(container):
    line = container.lines[0]
    return line.get_xdata(orig=False), line.get_ydata(orig=False)


def names_below(display):
    return [label.get_text() for label in display.ax_.get_xticklabels()]


@pytest.mark.parametrize("against", SIZES)
@pytest.mark.parametrize("negate", [False, True])
def test_points_are_the_means_by_cost(curve, against, negate):
    display = TradeoffDisplay.from_curve(curve, against=against, negate_score=negate)
    order = np.argsort(curve[against])
    sign = -1 if negate else 1
    for drawn, scores in zip(
        display.errorbar_, (curve.test_scores, curve.baseline_scores), strict=True
    ):
        x, y = points_of(drawn)
        np.testing.assert_array_equal(x, curve[against][order])
        np.testing.assert_allclose(y, sign * scores.mean(axis=1)[order])
    label = "log_loss\n(lower is better)" if negate else "neg_log_loss\n(higher is"
    assert display.ax_.get_ylabel().startswith(label)
    teacher = [line for line in display.ax_.lines if line.get_label() == "teacher"]
    np.testing.assert_array_equal(teacher[0].get_xdata(), [curve[f"teacher_{against}"]])
    np.testing.assert_allclose(
        teacher[0].get_ydata(), [sign * curve.teacher_scores.mean()]
    )


def test_bars_and_band_are_one_standard_error(curve):
    display = TradeoffDisplay.from_curve(curve)
    (bars,) = display.errorbar_[0].lines[2]
    heights = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
    order = np.argsort(curve.n_parameters)
    errors = curve.test_scores.std(axis=1, ddof=1)[order] / np.sqrt(5)
    np.testing.assert_allclose(heights, 2 * errors)
    (band,) = display.ax_.patches
    box = display.ax_.transData.inverted().transform(band.get_window_extent())
    expected = 2 * curve.teacher_scores.std(ddof=1) / np.sqrt(5)
    assert np.ptp(box[:, 1]) == pytest.approx(expected)


def test_the_front_has_rings(curve):
    curve.test_scores[4] -= 1  # the largest is not worth it
    display = TradeoffDisplay.from_curve(curve)
    (rings,) = [
        line for line in display.ax_.lines if line.get_label() == "Pareto front"
    ]
    table = display.frame()
    assert not table["pareto"][4]
    front = table[table["pareto"]].sort_values("n_parameters")
    np.testing.assert_array_equal(rings.get_xdata(), front["n_parameters"])
    np.testing.assert_allclose(rings.get_ydata(), front["score"])


def test_the_front_is_what_none_beats_in_both():
    costs, scores = [1, 2, 2, 3, 3, 4], [0.5, 0.7, 0.6, 0.7, 0.9, 0.9]
    expected = [True, True, False, False, True, False]
    assert pareto_front(costs, scores).tolist() == expected
    assert pareto_front([1, 1], [0.5, 0.5]).tolist() == [True, True]


@pytest.mark.parametrize("against", SIZES)
@pytest.mark.parametrize("size", [(4, 3), (6.4, 4.8)])
def test_names_do_not_overlap_and_the_best_are_there(curve, against, size):
    _, ax = plt.subplots(figsize=size, layout="constrained")
    display = TradeoffDisplay.from_curve(curve, against=against, ax=ax)
    found = boxes(display)
    assert not any(
        one.overlaps(other)
        for place, one in enumerate(found)
        for other in found[:place]
    )
    assert any(name.startswith("teacher: ") for name in names_below(display))
    if against != "row_time":
        assert len(found) == 9
    legend = display.ax_.get_legend().get_window_extent()
    figure = display.figure_.bbox
    assert legend.x1 <= figure.x1
    assert legend.y0 >= display.ax_.get_window_extent().y1
    assert display.ax_.get_window_extent().height > 0.3 * figure.height


def test_curves_differ_in_grey(curve):
    display = TradeoffDisplay.from_curve(curve)
    student, baseline = (drawn.lines[0] for drawn in display.errorbar_)
    teacher = display.ax_.lines[0]
    assert len({each.get_linestyle() for each in (student, baseline, teacher)}) == 3
    assert student.get_marker() != baseline.get_marker()


def test_a_teacher_without_a_size_is_a_line(curve):
    curve.teacher_n_parameters = np.nan
    display = TradeoffDisplay.from_curve(curve)
    assert not any("teacher" in name for name in names_below(display))
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["student", "on labels alone", "teacher", "Pareto front"]


def test_a_single_fold_has_no_bars(curve):
    for name in ("test_scores", "baseline_scores"):
        curve[name] = curve[name][:, :1]
    curve.teacher_scores = curve.teacher_scores[:1]
    display = TradeoffDisplay.from_curve(curve)
    assert not display.errorbar_[0].has_yerr
    assert display.frame()["score_standard_error"].isna().all()


def test_it_draws_on_axes_that_are_given_as_it_is_told(curve):
    figure, ax = plt.subplots()
    display = TradeoffDisplay.from_curve(curve, ax=ax, color="green", label="mine")
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert to_hex(display.errorbar_[0].lines[0].get_color()) == to_hex("green")
    assert ax.get_legend().get_texts()[0].get_text() == "mine"
    n_lines = len(ax.lines)
    assert display.plot(ax=ax) is display
    assert len(ax.lines) == n_lines


def test_the_table_has_a_row_for_each_size(curve):
    table = TradeoffDisplay(curve).frame()
    assert table["hidden_layer_sizes"].tolist() == curve.hidden_layer_sizes
    np.testing.assert_allclose(table["score"], curve.test_scores.mean(axis=1))
    np.testing.assert_allclose(table["baseline"], curve.baseline_scores.mean(axis=1))
    np.testing.assert_allclose(table["teacher"], curve.teacher_scores.mean())
    np.testing.assert_array_equal(table["n_bytes"], curve.n_bytes)


def test_from_estimator(binary):
    model = make_pipeline(StandardScaler(), small_distilled(LogisticRegression()))
    display = TradeoffDisplay.from_estimator(
        model,
        *binary,
        hidden_layer_sizes=[(2,), (8, 4)],
        cv=2,
        scoring="accuracy",
        against="n_bytes",
    )
    assert display.curve.test_scores.shape == (2, 2)
    assert display.ax_.get_xlabel() == "bytes of the weights"
    assert display.ax_.get_ylabel() == "accuracy\n(higher is better)"
    display.plot(negate_score=True)
    assert display.ax_.get_ylabel() == "-accuracy\n(lower is better)"


@pytest.mark.parametrize("method", ["plot", "frame"])
def test_unknown_costs_are_refused(curve, method):
    with pytest.raises(ValueError, match="'against' .* 'row_time'.* Got 'flops'"):
        getattr(TradeoffDisplay(curve), method)(against="flops")


@pytest.mark.parametrize(
    ("cost", "against", "text"),
    [
        (3490, "n_parameters", "3,490"),
        (11074, "n_parameters", "11.1k"),
        (2.5e6, "n_parameters", "2.5M"),
        (192, "n_bytes", "192 B"),
        (13960, "n_bytes", "14 kB"),
        (2.24e6, "n_bytes", "2.24 MB"),
        (6.15e-5, "row_time", "61.5 µs"),
        (1.2e-3, "row_time", "1.2 ms"),
        (2.0, "row_time", "2 s"),
    ],
)
def test_costs_have_units(cost, against, text):
    assert cost_text(cost, against) == text


def test_students_are_named_by_their_widths():
    assert [size_name(sizes) for sizes in ((), (8,), (64, 32))] == [
        "linear",
        "8",
        "64-32",
    ]
