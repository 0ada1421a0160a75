"""Pictures of results. They draw the numbers they are given; matplotlib comes late."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdistill._one_standard_error import within_one_standard_error
from skdistill._validation import ends_in


class SearchDisplay:
    """Heat map of a search over temperature and alpha.

    The chosen cell has a frame; the cells whose score is within one standard error of
    the best have a dot. Use `from_estimator` to make one.

    Parameters
    ----------
    scores : ndarray of shape (n_alphas, n_temperatures)
        Mean test scores. NaN where nothing was tried.
    within : ndarray of shape (n_alphas, n_temperatures), dtype bool
        Whether a score is within one standard error of the best.
    alphas : ndarray of shape (n_alphas,)
        The weights of the teacher's term, ascending.
    temperatures : ndarray of shape (n_temperatures,)
        The temperatures, ascending.
    chosen : tuple of (float, float), default=None
        The temperature and alpha that were chosen, if there was a choice.
    score_name : str, default="score"
        What the scores are called.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes that were drawn on. Like the next two it is there after `plot`.
    figure_ : matplotlib.figure.Figure
        Its figure.
    im_ : matplotlib.image.AxesImage
        The heat map.

    See Also
    --------
    DistilledClassifierCV : The search that is made for this.
    one_standard_error : Chooses the simplest of the cells with a dot.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skdistill import DistilledClassifierCV, SearchDisplay
    >>> X, y = make_classification(n_samples=100, random_state=0)
    >>> search = DistilledClassifierCV(RandomForestClassifier(), max_epochs=5, cv=2)
    >>> display = SearchDisplay.from_estimator(search.fit(X, y))
    >>> display.scores.shape
    (5, 4)
    """

    __module__ = "skdistill"  # where it is pickled from

    def __init__(
        self, scores, within, alphas, temperatures, chosen=None, score_name="score"
    ):
        self.scores = scores
        self.within = within
        self.alphas = alphas
        self.temperatures = temperatures
        self.chosen = chosen
        self.score_name = score_name

    @classmethod
    def from_estimator(cls, search, *, metric=None, ax=None, **imshow_kw):
        """Draw the results of a fitted search.

        Parameters
        ----------
        search : DistilledClassifierCV or GridSearchCV
            A fitted search whose parameters include a temperature and an alpha, at any
            depth; any search with `cv_results_` will do. Where a cell has been tried
            with several values of other parameters, its best score counts.
        metric : str, default=None
            Name of the metric, if there are several. None is the one that `refit`
            names.
        ax : matplotlib.axes.Axes, default=None
            What to draw on. None makes a new figure.
        **imshow_kw : dict
            Passed to :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        SearchDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the search has no temperature or no alpha, or several metrics of which
            none is named.
        """
        check_is_fitted(search, "cv_results_")
        results = search.cv_results_
        metric = _metric(search, metric)
        values = {
            name: _column(results["params"], name) for name in ("temperature", "alpha")
        }
        alphas, rows = np.unique(values["alpha"], return_inverse=True)
        temperatures, columns = np.unique(values["temperature"], return_inverse=True)
        scores = np.full((len(alphas), len(temperatures)), np.nan)
        within = np.zeros(scores.shape, dtype=bool)
        candidates = zip(
            rows,
            columns,
            results[f"mean_test_{metric}"],
            within_one_standard_error(results, metric),
            strict=True,
        )
        for row, column, score, near in candidates:
            scores[row, column] = np.fmax(scores[row, column], score)
            within[row, column] |= near
        chosen = None
        if hasattr(search, "best_index_"):
            best = search.best_index_
            chosen = values["temperature"][best], values["alpha"][best]
        name = "score" if metric == "score" else metric
        scoring = getattr(search, "scoring", None)
        if metric == "score" and (scoring is None or isinstance(scoring, str)):
            name = scoring or "accuracy"
        display = cls(scores, within, alphas, temperatures, chosen, name)
        return display.plot(ax=ax, **imshow_kw)

    def plot(self, *, ax=None, **imshow_kw):
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            What to draw on. None makes a new figure.
        **imshow_kw : dict
            Passed to :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        SearchDisplay
            Itself.
        """
        import matplotlib.pyplot as plt
        from matplotlib.patches import Rectangle

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        image = ax.imshow(
            self.scores, **{"origin": "lower", "cmap": "viridis", **imshow_kw}
        )
        for (row, column), score in np.ndenumerate(self.scores):
            if np.isfinite(score):
                dark = image.norm(score) < 0.5
                ax.text(
                    column,
                    row,
                    f"{score:.3f}" + ("\n●" if self.within[row, column] else ""),
                    ha="center",
                    va="center",
                    color="white" if dark else "black",
                )
        if self.chosen is not None:
            column = np.searchsorted(self.temperatures, self.chosen[0])
            row = np.searchsorted(self.alphas, self.chosen[1])
            frame = Rectangle(
                (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="red", lw=3
            )
            ax.add_patch(frame)
        ax.set(
            xlabel="temperature",
            ylabel="alpha",
            title="red: chosen   ●: within one standard error of the best",
        )
        ax.title.set_fontsize("medium")
        ax.set_xticks(range(len(self.temperatures)), labels=_labels(self.temperatures))
        ax.set_yticks(range(len(self.alphas)), labels=_labels(self.alphas))
        ax.figure.colorbar(image, ax=ax, label=self.score_name)
        self.ax_, self.figure_, self.im_ = ax, ax.figure, image
        return self


def _labels(values):
    return [f"{value:g}" for value in values]


def _metric(search, metric):
    names = [
        key.removeprefix("mean_test_")
        for key in search.cv_results_
        if key.startswith("mean_test_")
    ]
    if metric is None and "score" in names:
        return "score"
    if metric is None and isinstance(getattr(search, "refit", None), str):
        metric = search.refit
    if metric not in names:
        raise ValueError(
            f"The 'metric' parameter must be one of {sorted(names)}. Got {metric!r}."
        )
    return metric


def _column(params, ending):
    """Return the values of the one parameter that is called `ending`, at any depth."""
    names = {
        name for candidate in params for name in candidate if ends_in(name, ending)
    }
    if len(names) != 1:
        raise ValueError(
            f"The search must have one parameter that is a {ending}. It has "
            f"{sorted(names) or 'none'}."
        )
    (name,) = names
    without = [candidate for candidate in params if name not in candidate]
    if without:
        raise ValueError(
            f"Every candidate of the search must have a {ending}. There is none in "
            f"{without[0]}."
        )
    return np.array([candidate[name] for candidate in params], dtype=float)
