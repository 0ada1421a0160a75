"""The picture of a curve: what students are worth against what they cost."""

import numpy as np
import pandas as pd

from skdistill._inspection.curve import (
    SIZES,
    distillation_curve,
    standard_error,
)
from skdistill._inspection.tradeoff import cost_text, pareto_front, size_name

X_LABELS = {
    "n_parameters": "parameters of the network",
    "n_bytes": "bytes of the weights",
    "row_time": "time for one row",
}
TICK_ROOM = 1.2
"""How far names below the axis are apart at least, in sizes of the font."""

# By Okabe and Ito, for every eye. In grey they differ in line and marker.
STUDENT = {"color": "#0072B2", "marker": "o", "markersize": 5, "linestyle": "-"}
BASELINE = {
    "color": "#D55E00",
    "marker": "s",
    "markersize": 8,
    "fillstyle": "none",
    "linestyle": "--",
}
TEACHER = {"color": "#333333", "linestyle": "-."}


class TradeoffDisplay:
    """Picture of score against size or latency, of students and their teacher.

    The line is that of the distilled students, with a bar of one standard error over
    the folds on each side. A dashed line is that of the same networks on the labels
    alone, and a horizontal one with a band is their teacher. A ring is around each
    student that no other beats in both score and cost, which is the Pareto front. Use
    `from_estimator` or `from_curve` to make one.

    Parameters
    ----------
    curve : Bunch
        What `distillation_curve` returns.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes that were drawn on. Like the next two it is there after `plot`.
    figure_ : matplotlib.figure.Figure
        Its figure.
    errorbar_ : list of matplotlib.container.ErrorbarContainer
        The lines of the students and of the baselines.

    See Also
    --------
    distillation_curve : Makes the curve.
    smallest_within : Names the smallest student that is good enough.
    SearchDisplay : Draws a search over temperature and alpha.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skdistill import DistilledClassifier, TradeoffDisplay
    >>> X, y = make_classification(n_samples=100, random_state=0)
    >>> forest = RandomForestClassifier(n_estimators=10)
    >>> student = DistilledClassifier(forest, calibrate=False, max_epochs=5)
    >>> display = TradeoffDisplay.from_estimator(
    ...     student, X, y, hidden_layer_sizes=[(4,), (16,)], cv=2
    ... )
    >>> display.ax_.get_xlabel()
    'parameters of the network'
    >>> display.frame()["hidden_layer_sizes"].tolist()
    [(4,), (16,)]
    """

    __module__ = "skdistill"  # where it is pickled from

    def __init__(self, curve):
        self.curve = curve

    @classmethod
    def from_estimator(
        cls,
        model,
        X,
        y,
        *,
        hidden_layer_sizes,
        cv=None,
        scoring="neg_log_loss",
        sample_weight=None,
        groups=None,
        n_jobs=None,
        against="n_parameters",
        negate_score=False,
        ax=None,
        **errorbar_kw,
    ):
        """Score students of several sizes, and draw that.

        Parameters
        ----------
        model : DistilledClassifier or Pipeline
            The model, or a Pipeline that ends in one. This and what follows, up to
            `n_jobs`, is as in `distillation_curve`.
        X : array-like of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,)
            The class labels.
        hidden_layer_sizes : list of tuple of int
            The sizes.
        cv : int, cross-validation generator or iterable, default=None
            The folds.
        scoring : str, callable or None, default="neg_log_loss"
            What to score with.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        groups : array-like of shape (n_samples,), default=None
            Groups of the rows, for a `cv` that keeps them together.
        n_jobs : int, default=None
            Number of jobs that the folds are divided among.
        against : {"n_parameters", "n_bytes", "row_time"}, default="n_parameters"
            What a student costs: parameters, bytes, or the seconds for one row.
        negate_score : bool, default=False
            Whether to draw the negative of the score, such as the log-loss for
            "neg_log_loss".
        ax : matplotlib.axes.Axes, default=None
            What to draw on; it is cleared first. None makes a new figure.
        **errorbar_kw : dict
            Passed to :meth:`matplotlib.axes.Axes.errorbar` for the students.

        Returns
        -------
        TradeoffDisplay
            The display, drawn.
        """
        curve = distillation_curve(
            model,
            X,
            y,
            hidden_layer_sizes=hidden_layer_sizes,
            cv=cv,
            scoring=scoring,
            sample_weight=sample_weight,
            groups=groups,
            n_jobs=n_jobs,
        )
        return cls.from_curve(
            curve, against=against, negate_score=negate_score, ax=ax, **errorbar_kw
        )

    @classmethod
    def from_curve(
        cls,
        curve,
        *,
        against="n_parameters",
        negate_score=False,
        ax=None,
        **errorbar_kw,
    ):
        """Draw a curve that is there already.

        Parameters
        ----------
        curve : Bunch
            What `distillation_curve` returns.
        against : {"n_parameters", "n_bytes", "row_time"}, default="n_parameters"
            What a student costs: parameters, bytes, or the seconds for one row.
        negate_score : bool, default=False
            Whether to draw the negative of the score, such as the log-loss for
            "neg_log_loss".
        ax : matplotlib.axes.Axes, default=None
            What to draw on; it is cleared first. None makes a new figure.
        **errorbar_kw : dict
            Passed to :meth:`matplotlib.axes.Axes.errorbar` for the students.

        Returns
        -------
        TradeoffDisplay
            The display, drawn.
        """
        display = cls(curve)
        return display.plot(
            against=against, negate_score=negate_score, ax=ax, **errorbar_kw
        )

    def frame(self, *, against="n_parameters"):
        """Return what is drawn as a table.

        Parameters
        ----------
        against : {"n_parameters", "n_bytes", "row_time"}, default="n_parameters"
            The cost that `pareto` is about.

        Returns
        -------
        pandas.DataFrame
            A row for every size: the `hidden_layer_sizes`, what they cost, the mean
            `score` of student, `baseline` and `teacher` with the standard error of
            each, and whether the student is on the Pareto front (`pareto`).
        """
        _check_against(against)
        curve = self.curve
        columns = {"hidden_layer_sizes": curve.hidden_layer_sizes}
        columns |= {name: curve[name] for name in SIZES}
        for name, scores in (
            ("score", curve.test_scores),
            ("baseline", curve.baseline_scores),
            ("teacher", curve.teacher_scores),
        ):
            columns[name] = scores.mean(axis=-1)
            columns[f"{name}_standard_error"] = standard_error(scores)
        columns["pareto"] = pareto_front(curve[against], columns["score"])
        return pd.DataFrame(columns)

    def plot(
        self, *, against="n_parameters", negate_score=False, ax=None, **errorbar_kw
    ):
        """Draw score against cost.

        Parameters
        ----------
        against : {"n_parameters", "n_bytes", "row_time"}, default="n_parameters"
            What a student costs: parameters, bytes, or the seconds for one row.
        negate_score : bool, default=False
            Whether to draw the negative of the score, such as the log-loss for
            "neg_log_loss".
        ax : matplotlib.axes.Axes, default=None
            What to draw on; it is cleared first. None makes a new figure.
        **errorbar_kw : dict
            Passed to :meth:`matplotlib.axes.Axes.errorbar` for the students.

        Returns
        -------
        TradeoffDisplay
            Itself.
        """
        import matplotlib.pyplot as plt

        table = self.frame(against=against).sort_values(against)
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        ax.clear()
        self.ax_, self.figure_ = ax, ax.figure
        sign = -1 if negate_score else 1
        ax.set_xscale("log")
        # Times are in no order of size, and a line would go to and fro.
        line = {"linestyle": "none"} if against == "row_time" else {}
        self._draw_teacher(ax, against, sign * table["teacher"].iloc[0])
        self.errorbar_ = [
            ax.errorbar(
                table[against],
                sign * table[name],
                _known(table[f"{name}_standard_error"]),
                **{"capsize": 3, "label": label, **style},
            )
            for name, label, style in (
                ("score", "student", {**STUDENT, **line, **errorbar_kw}),
                ("baseline", "on labels alone", {**BASELINE, **line}),
            )
        ]
        front = table[table["pareto"]]
        ax.plot(
            front[against],
            sign * front["score"],
            linestyle="none",
            marker="o",
            markersize=13,
            fillstyle="none",
            color="black",
            label="Pareto front",
        )
        ax.set(xlabel=X_LABELS[against], ylabel=self._score_label(negate_score))
        _draw_legend(ax)
        self._name_students(ax, table, against)
        return self

    def _score_label(self, negate_score):
        name = self.curve.score_name
        if not negate_score:
            return f"{name}\n(higher is better)"
        plain = name.removeprefix("neg_")
        return f"{f'-{name}' if plain == name else plain}\n(lower is better)"

    def _draw_teacher(self, ax, against, mean):
        """Draw the teacher as a line with a band, and a point where it costs that."""
        error = np.nan_to_num(standard_error(self.curve.teacher_scores))
        ax.axhspan(mean - error, mean + error, color=TEACHER["color"], alpha=0.15, lw=0)
        cost = self.curve[f"teacher_{against}"]
        ax.axhline(mean, **TEACHER, label=None if np.isfinite(cost) else "teacher")
        if np.isfinite(cost):
            ax.plot(cost, mean, **TEACHER, marker="D", label="teacher")

    def _name_students(self, ax, table, against):
        """Put the names and costs of students below the axis, where there is room."""
        from matplotlib import rcParams
        from matplotlib.ticker import NullLocator

        ax.xaxis.set_minor_locator(NullLocator())
        named = [
            (cost, on_front, f"{size_name(sizes)}: {cost_text(cost, against)}")
            for cost, on_front, sizes in zip(
                table[against],
                table["pareto"],
                table["hidden_layer_sizes"],
                strict=True,
            )
        ]
        cost = self.curve[f"teacher_{against}"]
        if np.isfinite(cost):
            named.append((cost, True, f"teacher: {cost_text(cost, against)}"))
        points = ax.get_window_extent().width / ax.figure.dpi * 72
        room = TICK_ROOM * rcParams["font.size"] / points
        low, high = np.log(ax.get_xlim())
        ticks = {}
        # Those on the front come first.
        for cost, _, text in sorted(named, key=lambda each: not each[1]):
            place = (np.log(cost) - low) / (high - low)
            if all(abs(place - other) >= room for other in ticks):
                ticks[place] = cost, text
        costs, texts = zip(*ticks.values(), strict=True)
        ax.set_xticks(costs, labels=texts, rotation=90, fontsize="small")


def _check_against(against):
    if against not in SIZES:
        raise ValueError(
            f"The 'against' parameter of TradeoffDisplay must be one of {list(SIZES)}. "
            f"Got {against!r}."
        )


def _known(errors):
    return None if errors.isna().any() else errors


def _draw_legend(ax):
    """Put the legend above the axes, where it hides nothing, the student first."""
    handles, names = ax.get_legend_handles_labels()
    by_name = dict(zip(names, handles, strict=True))
    last = ["on labels alone", "teacher", "Pareto front"]
    order = [name for name in names if name not in last] + last
    ax.legend(
        [by_name[name] for name in order],
        order,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        frameon=False,
        ncols=2,
        fontsize="small",
        borderaxespad=0.2,
        handlelength=3,
        columnspacing=1,
    )
