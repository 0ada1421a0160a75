"""The picture of a search. It draws the numbers it is given; matplotlib comes late."""

import numpy as np
import pandas as pd

from skdistill._inspection.search_results import (
    results_of,
    score_name_of,
    searched_names,
    values_of,
)
from skdistill._one_standard_error import standard_errors, within_one_standard_error


class SearchDisplay:
    """Picture of a search over temperature and alpha, or over one of them.

    Of both it is a heat map. The chosen cell has a frame; the cells whose score is
    within one standard error of the best have a dot. Of one it is a line, with a bar of
    one standard error on each side. Use `from_estimator` to make one.

    Parameters
    ----------
    scores : ndarray of shape (n_alphas, n_temperatures)
        Mean test scores. NaN where nothing was tried.
    within : ndarray of shape (n_alphas, n_temperatures), dtype bool
        Whether a score is within one standard error of the best.
    alphas : ndarray of shape (n_alphas,)
        The weights of the teacher's term, ascending; one NaN if there was no search
        over them.
    temperatures : ndarray of shape (n_temperatures,)
        The temperatures, ascending; one NaN likewise.
    chosen : tuple of (float, float), default=None
        The temperature and alpha that were chosen, if there was a choice.
    score_name : str, default="score"
        What the scores are called.
    errors : ndarray of shape (n_alphas, n_temperatures), default=None
        The standard errors of the scores over the folds.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes that were drawn on. Like the next three it is there after `plot`.
    figure_ : matplotlib.figure.Figure
        Its figure.
    im_ : matplotlib.image.AxesImage
        The heat map, if it is one.
    line_ : matplotlib.container.ErrorbarContainer
        The line, if it is one.

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
    >>> forest = RandomForestClassifier(n_estimators=10)
    >>> search = DistilledClassifierCV(forest, max_epochs=5, cv=2)
    >>> display = SearchDisplay.from_estimator(search.fit(X, y))
    >>> display.scores.shape
    (5, 4)
    >>> display.frame().columns.tolist()
    ['temperature', 'alpha', 'score', 'standard_error', 'within']
    """

    __module__ = "skdistill"  # where it is pickled from

    def __init__(
        self,
        scores,
        within,
        alphas,
        temperatures,
        chosen=None,
        score_name="score",
        errors=None,
    ):
        self.scores = scores
        self.within = within
        self.alphas = alphas
        self.temperatures = temperatures
        self.chosen = chosen
        self.score_name = score_name
        self.errors = errors

    @classmethod
    def from_estimator(cls, search, *, metric=None, ax=None, **draw_kw):
        """Draw the results of a fitted search.

        Parameters
        ----------
        search : DistilledClassifierCV, GridSearchCV or Pipeline
            A fitted search over the temperature or the alpha of a
            `DistilledClassifier`, at any depth, or both; or a Pipeline that ends in
            one. Any search with `cv_results_` will do, and Optuna's `OptunaSearchCV`.
            Where a cell has been tried with several values of other parameters, its
            best score counts; of a halving search that of the last round it was in.
        metric : str, default=None
            Name of the metric, if there are several. None is the one that `refit`
            names.
        ax : matplotlib.axes.Axes, default=None
            What to draw on; it is cleared first. None makes a new figure.
        **draw_kw : dict
            Passed to :meth:`matplotlib.axes.Axes.imshow`, or to
            :meth:`matplotlib.axes.Axes.errorbar` for a line.

        Returns
        -------
        SearchDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the search is not fitted, if it is over no temperature and no alpha, or
            over those of several models, or if it has several metrics of which none is
            named.
        """
        search, results = results_of(search)
        names = searched_names(search, results)
        score_name, metric = score_name_of(search, results, metric)
        candidates = {
            called: values_of(results["params"], names[called], called)
            for called in names
        }
        alphas, rows = np.unique(candidates["alpha"], return_inverse=True)
        temperatures, columns = np.unique(
            candidates["temperature"], return_inverse=True
        )
        mean = np.asarray(results[f"mean_test_{metric}"])
        scores = np.full((len(alphas), len(temperatures)), np.nan)
        errors = scores.copy()
        within = np.zeros(scores.shape, dtype=bool)
        # What counts in a cell comes last: the best score of its last round.
        rounds = results.get("iter", np.zeros(len(mean)))
        order = np.lexsort((np.nan_to_num(mean, nan=-np.inf), rounds))
        cells = rows[order], columns[order]
        scores[cells] = mean[order]
        errors[cells] = standard_errors(results, metric)[order]
        np.logical_or.at(
            within, (rows, columns), within_one_standard_error(results, metric)
        )
        best = getattr(search, "best_params_", None)
        chosen = best and (
            best.get(names["temperature"], np.nan),
            best.get(names["alpha"], np.nan),
        )
        display = cls(scores, within, alphas, temperatures, chosen, score_name, errors)
        return display.plot(ax=ax, **draw_kw)

    def frame(self):
        """Return what is drawn as a table.

        Returns
        -------
        pandas.DataFrame
            A row for every temperature and alpha that has a score: both, the `score`,
            its `standard_error` over the folds, and whether it is `within` one standard
            error of the best.
        """
        rows, columns = np.nonzero(~np.isnan(self.scores))
        errors = np.nan if self.errors is None else self.errors[rows, columns]
        return pd.DataFrame(
            {
                "temperature": self.temperatures[columns],
                "alpha": self.alphas[rows],
                "score": self.scores[rows, columns],
                "standard_error": errors,
                "within": self.within[rows, columns],
            }
        )

    def plot(self, *, ax=None, **draw_kw):
        """Draw the heat map, or the line.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            What to draw on; it is cleared first. None makes a new figure.
        **draw_kw : dict
            Passed to :meth:`matplotlib.axes.Axes.imshow`, or to
            :meth:`matplotlib.axes.Axes.errorbar` for a line.

        Returns
        -------
        SearchDisplay
            Itself.
        """
        import matplotlib.pyplot as plt

        n_rows, n_columns = self.scores.shape
        is_line = 1 in self.scores.shape
        if ax is None:
            size = None
            if not is_line:
                # So that the numbers fit in.
                size = max(6.4, 0.6 * n_columns + 2), max(4.8, 0.5 * n_rows + 1.5)
            _, ax = plt.subplots(figsize=size, layout="constrained")
        for image in ax.images:
            if image.colorbar is not None:
                image.colorbar.remove()
        ax.clear()
        self.ax_, self.figure_ = ax, ax.figure
        if is_line:
            self._draw_line(ax, draw_kw)
        else:
            self._draw_heat_map(ax, draw_kw)
        return self

    def _draw_line(self, ax, errorbar_kw):
        alone = len(self.temperatures) == 1 and not np.isnan(self.alphas).any()
        over, other = ("temperature", "alpha")[:: -1 if alone else 1]
        table = self.frame().sort_values(over)
        errors = None if self.errors is None else table["standard_error"]
        kw = {"marker": "o", "capsize": 3, "label": "mean ± one standard error"}
        self.line_ = ax.errorbar(
            table[over], table["score"], errors, **{**kw, **errorbar_kw}
        )
        best = table[table["within"]].nlargest(1, "score")
        if self.errors is not None and len(best):
            ax.axhline(
                (best["score"] - best["standard_error"]).item(),
                color="gray",
                linestyle="--",
                label="one standard error below the best",
            )
        if self.chosen is not None:
            chosen = table[table[over] == self.chosen[int(alone)]]
            ax.plot(
                chosen[over],
                chosen["score"],
                linestyle="none",
                marker="o",
                markersize=14,
                fillstyle="none",
                color="black",
                label="chosen",
            )
        (fixed,) = self.temperatures if alone else self.alphas
        given = "" if np.isnan(fixed) else f", with {other} = {fixed:g}"
        ax.set(xlabel=f"{over}{given}", ylabel=self.score_name)
        # Above the axes, where it hides no bar.
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False)

    def _draw_heat_map(self, ax, imshow_kw):
        from matplotlib.patches import Rectangle
        from matplotlib.patheffects import withStroke

        image = ax.imshow(
            self.scores, **{"origin": "lower", "cmap": "viridis", **imshow_kw}
        )
        for (row, column), score in np.ndenumerate(self.scores):
            if np.isfinite(score):
                brightness = image.to_rgba(score)[:3] @ np.array([0.3, 0.59, 0.11])
                ax.text(
                    column,
                    row,
                    f"{score:.3f}" + ("\n●" if self.within[row, column] else ""),
                    ha="center",
                    va="center",
                    color="white" if brightness < 0.5 else "black",
                )
        if self.chosen is not None:
            column = np.searchsorted(self.temperatures, self.chosen[0])
            row = np.searchsorted(self.alphas, self.chosen[1])
            frame = Rectangle(
                (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="red", lw=3
            )
            # Seen on any colour, by any eye.
            frame.set_path_effects([withStroke(linewidth=6, foreground="white")])
            ax.add_patch(frame)
        ax.set(xlabel="temperature", ylabel="alpha")
        ax.set_title(
            "frame: chosen   ●: within one standard error of the best",
            fontsize="medium",
        )
        x_labels = labels(self.temperatures)
        ax.set_xticks(
            range(len(x_labels)),
            labels=x_labels,
            rotation=90 if len("".join(x_labels)) > 40 else 0,
        )
        ax.set_yticks(range(len(self.alphas)), labels=labels(self.alphas))
        ax.figure.colorbar(image, ax=ax, label=self.score_name)
        self.im_ = image


def labels(values):
    """Return numbers in as few digits as tell them apart, three at least."""
    for digits in range(3, 18):
        # A whole number such as 1000 is not to become 1e+03.
        texts = [
            f"{value:.{max(digits, 6) if value == round(value) else digits}g}"
            for value in values
        ]
        if len(set(texts)) == len(texts):
            break
    return texts
