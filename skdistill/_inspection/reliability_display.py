"""The picture of confidence against accuracy; matplotlib comes late."""

from collections.abc import Mapping
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import column_or_1d

from skdistill._inspection.reliability import (
    N_BINS,
    Bins,
    calibration_error,
    confidence_bins,
)

# Okabe and Ito's colours, which are told apart by any eye; in grey, markers tell.
STYLES = (
    ("#d55e00", "s", "--"),
    ("#0072b2", "o", "-"),
    ("#009e73", "^", "-."),
    ("#cc79a7", "D", ":"),
    ("#767676", "v", "--"),
)
"""Colour, marker and line of teacher, student, baseline and further models."""
PLACES = {"teacher": 0, "student": 1, "baseline": 2}


def styles_of(names):
    """Return the colour, marker and line of each name."""
    n_further = len(STYLES) - len(PLACES)
    others = [name for name in names if name not in PLACES]
    further = {n: len(PLACES) + i % n_further for i, n in enumerate(others)}
    return [STYLES[{**further, **PLACES}[name]] for name in names]


def _of_both_classes(proba, n_classes, name):
    """Return probabilities with a column for each class, if they are of the second."""
    if proba.ndim != 1 or n_classes != 2:
        return proba
    if not ((proba >= 0) & (proba <= 1)).all():
        raise ValueError(
            "The 'proba' parameter must have probabilities between 0 and 1 of the "
            f"second class, if it has no columns. Got {proba.min()} to {proba.max()} "
            f"for {name!r}."
        )
    return np.column_stack([1 - proba, proba])


class ReliabilityDisplay:
    """Reliability diagram: how often models are right, by how sure they are.

    Predictions are sorted into bins by their confidence, the probability of the class
    that is predicted [1]_. On the diagonal a model is right as often as it says; below
    it is too sure of itself. The size of a marker goes by the number of rows in the
    bin, which a second plot below has.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    confidence : ndarray of shape (n_models, n_bins)
        Mean confidence in the bins, NaN in empty ones.
    accuracy : ndarray of shape (n_models, n_bins)
        Share of the rows in the bins that are predicted right.
    counts : ndarray of shape (n_models, n_bins)
        Numbers of rows in the bins.
    names : list of str
        The names of the models.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes that were drawn on. Like the next three it is there after `plot`.
    counts_ax_ : matplotlib.axes.Axes
        The axes of the counts, an inset below.
    figure_ : matplotlib.figure.Figure
        Their figure.
    lines_ : list of matplotlib.lines.Line2D
        A line for each model.

    See Also
    --------
    DistillationReport : Has this plot, and what else there is to know.
    sklearn.calibration.CalibrationDisplay : Of the probability of one class.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural
       Networks", ICML 2017, arXiv:1706.04599.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skdistill import DistilledClassifier, ReliabilityDisplay
    >>> X, y = make_classification(n_samples=400, random_state=0)
    >>> forest = RandomForestClassifier(n_estimators=20)
    >>> model = DistilledClassifier(
    ...     forest, calibrate=False, max_epochs=10, random_state=0
    ... )
    >>> model = model.fit(X[:200], y[:200])
    >>> display = ReliabilityDisplay.from_estimator(model, X[200:], y[200:])
    >>> display.names
    ['teacher', 'student']
    >>> display.frame().columns.tolist()
    ['model', 'low', 'high', 'confidence', 'accuracy', 'count']
    """

    __module__ = "skdistill"  # where it is pickled from

    def __init__(self, confidence, accuracy, counts, names):
        self.confidence = confidence
        self.accuracy = accuracy
        self.counts = counts
        self.names = names

    @classmethod
    def from_estimator(
        cls, model, X, y, *, baseline=None, n_bins=N_BINS, ax=None, **line_kw
    ):
        """Draw a fitted student, and its teacher where there is one.

        Parameters
        ----------
        model : fitted classifier
            A `DistilledClassifier`, or a Pipeline or search that ends in one, is drawn
            as "student", beside its teacher; any other, such as a `CompactClassifier`,
            as "model".
        X : array-like of shape (n_samples, n_features)
            Rows that neither student nor teacher was fitted on.
        y : array-like of shape (n_samples,)
            Their labels.
        baseline : fitted classifier, default=None
            What learned without the teacher.
        n_bins : int, default=15
            Number of bins of equal width between 0 and 1.
        ax : matplotlib.axes.Axes, default=None
            What to draw on; it is cleared first. None makes a new figure.
        **line_kw : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for every line.

        Returns
        -------
        ReliabilityDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `y` has labels that the model lacks, or `n_bins` is invalid.
        TypeError
            If `model` is no classifier with `predict_proba`.
        """
        # Here, because torch takes seconds.
        from skdistill._inspection.report_models import (
            checked_classes,
            checked_rows,
            own_parts,
            proba_of,
            teacher_proba,
        )

        parts = own_parts(model)
        classes = checked_classes(model) if parts is None else parts.student.classes_
        X, y = checked_rows(X, y, classes, ("X", "y"))
        proba = {}
        if parts is not None and parts.teacher is not None:
            proba["teacher"] = teacher_proba(parts, X)
        proba["model" if parts is None else "student"] = proba_of(model, X, classes)
        if baseline is not None:
            proba["baseline"] = proba_of(baseline, X, classes)
        return cls.of_proba(proba, y, n_bins).plot(ax=ax, **line_kw)

    @classmethod
    def from_predictions(
        cls, y_true, proba, *, classes=None, n_bins=N_BINS, ax=None, **line_kw
    ):
        """Draw probabilities that are there already.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            The true labels.
        proba : array-like of shape (n_samples, n_classes) or dict of str to such
            What `predict_proba` of a model gave, or of several by name. "teacher",
            "student" and "baseline" have colours of their own. Of two classes, the
            probabilities of the second, of shape (n_samples,), are enough.
        classes : array-like of shape (n_classes,), default=None
            The classes, in the order of the columns. None are the sorted labels in
            `y_true`.
        n_bins : int, default=15
            Number of bins of equal width between 0 and 1.
        ax : matplotlib.axes.Axes, default=None
            What to draw on; it is cleared first. None makes a new figure.
        **line_kw : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for every line.

        Returns
        -------
        ReliabilityDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the labels, probabilities, classes and `n_bins` do not fit together.
        """
        if not isinstance(proba, Mapping):
            proba = {"model": proba}
        y_true = column_or_1d(y_true)
        classes = np.unique(y_true) if classes is None else np.asarray(classes)
        proba = {
            name: _of_both_classes(np.asarray(values), len(classes), name)
            for name, values in proba.items()
        }
        for name, values in proba.items():
            if values.shape != (len(y_true), len(classes)):
                raise ValueError(
                    "The 'proba' parameter must have a row for each of the "
                    f"{len(y_true)} labels and a column for each of the {len(classes)} "
                    f"classes. Got shape {values.shape} for {name!r}."
                )
        places = pd.Index(classes).get_indexer(pd.Index(y_true))
        if (places < 0).any():
            unknown = sorted(set(y_true[places < 0].tolist()), key=str)[:5]
            raise ValueError(
                "The 'classes' parameter must have all labels in y_true. It lacks "
                f"{unknown}."
            )
        return cls.of_proba(proba, places, n_bins).plot(ax=ax, **line_kw)

    @classmethod
    def of_proba(cls, proba, y, n_bins=N_BINS):
        """Return the display of probabilities by name, not drawn.

        Parameters
        ----------
        proba : dict of str to ndarray of shape (n_samples, n_classes)
            Of each model.
        y : ndarray of shape (n_samples,)
            The true classes, as indices of columns.
        n_bins : int, default=15
            Number of bins.

        Returns
        -------
        ReliabilityDisplay
            The display.
        """
        if not isinstance(n_bins, Integral) or n_bins < 1:
            raise ValueError(
                "The 'n_bins' parameter of ReliabilityDisplay must be an int of 1 or "
                f"more. Got {n_bins!r}."
            )
        bins = [confidence_bins(y, values, n_bins) for values in proba.values()]
        return cls(*map(np.stack, zip(*bins, strict=True)), list(proba))

    def errors(self):
        """Return the expected calibration error of each model.

        Returns
        -------
        dict of str to float
            The mean of what is between confidence and accuracy of a bin, weighted by
            the counts.
        """
        bins = map(Bins, self.confidence, self.accuracy, self.counts)
        return dict(zip(self.names, map(calibration_error, bins), strict=True))

    def frame(self):
        """Return what is drawn as a table.

        Returns
        -------
        pandas.DataFrame
            A row for each model and each of its bins that is not empty: the `model`,
            the ends of the bin, `low` and `high`, its mean `confidence`, its
            `accuracy` and its `count`.
        """
        models, bins = np.nonzero(self.counts)
        edges = np.linspace(0, 1, self.counts.shape[1] + 1)
        return pd.DataFrame(
            {
                "model": np.array(self.names, dtype=object)[models],
                "low": edges[bins],
                "high": edges[bins + 1],
                "confidence": self.confidence[models, bins],
                "accuracy": self.accuracy[models, bins],
                "count": self.counts[models, bins],
            }
        )

    def plot(self, *, ax=None, **line_kw):
        """Draw the diagram.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            What to draw on; it is cleared first. None makes a new figure.
        **line_kw : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for every line.

        Returns
        -------
        ReliabilityDisplay
            Itself.
        """
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(5, 6), layout="constrained")
        ax.clear()
        self.ax_, self.figure_ = ax, ax.figure
        self.counts_ax_ = ax.inset_axes([0, -0.34, 1, 0.28], sharex=ax)
        edges = np.linspace(0, 1, self.counts.shape[1] + 1)
        first = edges[self.counts.any(axis=0).argmax()]
        ax.plot([first, 1], [first, 1], color="gray", linewidth=0.8)
        self.lines_ = [
            self._draw_model(place, style, edges, line_kw)
            for place, style in enumerate(styles_of(self.names))
        ]
        ax.set(ylabel="accuracy", xlim=(first, 1 + 0.03 * (1 - first)))
        ax.set_ylim(min(first, np.nanmin(self.accuracy)) - 0.04, 1.04)
        ax.tick_params(labelbottom=False)
        # Above the axes, where it hides no point.
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
        self.counts_ax_.set_xlabel("confidence: probability of the predicted class")
        self.counts_ax_.set_ylabel("rows")
        return self

    def _draw_model(self, place, style, edges, line_kw):
        """Draw one model and its counts, and return its line."""
        colour, marker, line_style = style
        name, counts = self.names[place], self.counts[place]
        kept = counts > 0
        values = self.confidence[place][kept], self.accuracy[place][kept]
        kw = {
            "color": colour,
            "marker": marker,
            "markersize": 3,
            "linestyle": line_style,
            "linewidth": 1.2,
            "label": f"{name} (ECE {self.errors()[name]:.3f})",
        }
        (line,) = self.ax_.plot(*values, **{**kw, **line_kw})
        # A bin of few rows says little, and is small.
        sizes = 120 * counts[kept] / counts.max()
        shown = {"color": line.get_color(), "marker": line.get_marker()}
        self.ax_.scatter(*values, s=sizes, linewidths=0, **shown)
        self.counts_ax_.stairs(
            counts, edges, color=line.get_color(), linestyle=line_style, linewidth=1.2
        )
        return line
