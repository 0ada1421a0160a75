"""What test rows say of a score, a difference and a recovery: 95 % intervals."""

from typing import NamedTuple

import numpy as np

from skdistill._inspection.estimates import estimate, recovery
from skdistill._inspection.shares import SHARES, share_of_fits, wilson

N_RESAMPLES = 2000
MAX_UNITS = 10_000
"""Rows beyond are resampled in this many random groups, which varies as much."""
N_AT_ONCE = 2_000_000
"""Rows that are drawn at once, so that it takes no more than some 20 MB."""
ENDS = (0.025, 0.975)
LOWER_IS_BETTER = ("log_loss", "brier", "kl")


class Measured(NamedTuple):
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def sign(self):
        """1 if the interval lies above 0, -1 if below, and 0 if it holds 0."""
        return int(self.low > 0) - int(self.high < 0)


def bootstrap_means(rows, seed=0, n_resamples=N_RESAMPLES):
    """Return the means of some quantities over resamples of their rows.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_quantities)
        All quantities of a row are drawn together.
    seed : int
        What is drawn.
    n_resamples : int

    Returns
    -------
    ndarray of shape (n_resamples, n_quantities)
    """
    rng = np.random.default_rng(seed)
    sizes = np.ones(len(rows))
    if len(rows) > MAX_UNITS:
        starts = np.linspace(0, len(rows), MAX_UNITS, endpoint=False).astype(np.intp)
        sizes = np.diff(starts, append=len(rows))
        # Neighbours may be alike.
        rows = np.add.reduceat(rows[rng.permutation(len(rows))], starts)
    totals = np.column_stack([rows, sizes])
    n_units, step = len(totals), max(1, N_AT_ONCE // len(totals))
    means = np.empty((n_resamples, rows.shape[1]))
    for start in range(0, n_resamples, step):
        n_drawn = min(step, n_resamples - start)
        drawn = rng.integers(n_units, size=(n_drawn, n_units))
        drawn += n_units * np.arange(n_drawn)[:, np.newaxis]
        counts = np.bincount(drawn.ravel(), minlength=n_drawn * n_units)
        sums = counts.reshape(n_drawn, n_units).astype(np.float64) @ totals
        means[start : start + n_drawn] = sums[:, :-1] / sums[:, -1:]
    return means


def bootstrap_ratio(value, gain, gap):
    """Return a ratio of means with its interval, or None where it is not measurable.

    It is measurable where the interval of the gap lies above 0.

    Parameters
    ----------
    value : float
        The ratio itself.
    gain, gap : ndarray of shape (n_resamples,)
        Both means, over the same resamples.
    """
    if np.quantile(gap, ENDS[0]) <= 0:
        return None
    # Some gaps may still be 0 or less: such a ratio is beyond any other.
    beyond = np.copysign(np.inf, gain)
    ratios = np.divide(gain, gap, out=beyond, where=gap > 0)
    # Between two of them, interpolation would make NaN of infinity.
    low, high = np.quantile(ratios, ENDS, method="nearest")
    return Measured(value, low, high)


class ScoreMeans:
    """Means of the scores of several models, their differences and recoveries.

    With one fit of each, intervals are the bootstrap's over test rows. With several,
    they are t-intervals over fits and rows, and Fieller's of ratios: a few fits are
    too few to resample. Those of shares of rows, such as an accuracy, are Wilson's.

    Parameters
    ----------
    scores : dict of str to ndarray of shape (n_scores, n_fits, n_rows)
        The scores of every row, by the model. One fit stands for as many as others
        have.
    names : tuple of str
        What the scores are called.
    """

    def __init__(self, scores, names):
        self.names = names
        self.n_fits = max(values.shape[1] for values in scores.values())
        self.models = list(scores)
        self.n_rows = next(iter(scores.values())).shape[2]
        shape = len(names), self.n_fits, self.n_rows
        self._rows = np.stack([np.broadcast_to(v, shape) for v in scores.values()])
        self._draws = None
        if self.n_fits == 1:
            flat = self._rows.reshape(-1, shape[2]).T
            draws = bootstrap_means(flat)
            self._draws = draws.reshape(-1, len(scores), len(names))

    def score(self, name, model):
        """Return the mean of a score of a model."""
        factors = self._factors(model)
        # That a teacher agrees with itself is no estimate.
        if name not in SHARES or (name, model) == ("agreement", "teacher"):
            return self._measured(name, factors)
        rows = self._combined(self.names.index(name), factors)
        share = rows.mean()
        if self.n_fits == 1:
            return Measured(share, *wilson(share, self.n_rows))
        found = estimate([rows[np.newaxis]])
        ends = share_of_fits(share, *found.cov[0], *found.df, self.n_rows)
        return Measured(share, *ends)

    def difference(self, name, model, other):
        """Return by how much the mean of one model is above that of another."""
        return self._measured(name, self._factors(model, other))

    def recovery(self, name):
        """Return which share of the teacher's edge over the baseline the student has.

        None where it is not measurable.
        """
        better = -1 if name in LOWER_IS_BETTER else 1
        gain, gap = (
            better * self._factors(model, "baseline")
            for model in ("student", "teacher")
        )
        score = self.names.index(name)
        rows = np.stack([self._combined(score, each) for each in (gain, gap)])
        if self._draws is None:
            found = recovery(estimate([rows]))
            return None if found is None else Measured(*found)
        means = rows.mean(axis=(1, 2))
        value = means[0] / means[1] if means[1] else np.nan
        draws = self._draws[:, :, score]
        return bootstrap_ratio(value, draws @ gain, draws @ gap)

    def _factors(self, model, other=None):
        factors = np.zeros(len(self.models))
        factors[self.models.index(model)] = 1
        if other is not None:
            factors[self.models.index(other)] -= 1
        return factors

    def _combined(self, score, factors):
        """Return one quantity of shape (n_fits, n_rows)."""
        return np.tensordot(factors, self._rows[:, score], axes=1)

    def _measured(self, name, factors):
        score = self.names.index(name)
        rows = self._combined(score, factors)
        if self._draws is None:
            found = estimate([rows[np.newaxis]])
            (value,), (half,) = found.mean, found.half
            return Measured(value, value - half, value + half)
        ends = np.quantile(self._draws[:, :, score] @ factors, ENDS)
        return Measured(rows.mean(), *ends)
