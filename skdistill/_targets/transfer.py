"""Further rows for a teacher to label, made of those of a table."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import euclidean_distances, pairwise_distances_argmin
from sklearn.utils import gen_batches

from skdistill._pickling import VersionedPickleMixin
from skdistill._sklearn import Interval
from skdistill._targets.tables import alike, differing, spread, table_of
from skdistill._validation import draw_seeds

N_CANDIDATES = 1000
N_REDRAWS = 20


class _Transfer(VersionedPickleMixin, BaseEstimator):
    """Makes a row from a source, and from a partner that differs from it."""

    _parameter_constraints = {
        "n_rows": [Interval(Real, 0, np.inf, closed="neither")],
    }

    def sample(self, X, random_state=None):
        """Make further rows of those of a table.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The table, with two rows at least that differ. Its cells may be numbers,
            missing ones (NaN) among them, or anything else that can be told apart:
            strings, categories, booleans, dates.
        random_state : int, RandomState instance or None, default=None
            Seed of the rows. Pass an int for the same rows on every call.

        Returns
        -------
        ndarray or DataFrame of shape (n_made, n_features)
            ``round(n_rows * n_samples)`` rows, but one at least, each different from
            the row of `X` that it was made from. Those of an array are of its float
            type, float64 if it has none, or of its type if it is no array of numbers.
            Those of a DataFrame are one, with its columns: numbers become floats,
            unless they are only moved from row to row, and other cells keep their type
            and categories.

        Raises
        ------
        ValueError
            If a parameter is invalid, if numbers are infinite, or if the rows of `X`
            are all the same.
        """
        self._validate_params()
        table = self._table(X)
        values, other = table.values, differing(table)
        (seed,) = draw_seeds(random_state, 1)
        rng = np.random.default_rng(seed)
        n_made = max(1, round(self.n_rows * len(values)))
        # Each row is a source before one is again.
        sources = np.resize(rng.permutation(len(values)), n_made)
        partners = self._partners(table, sources, other, rng)
        made = self._made(table, sources, partners, rng)
        made = made.astype(values.dtype, copy=False)
        _change_one(made, values[sources], values[partners], rng)
        return table.like(made)

    def _table(self, X):
        return table_of(X)

    def _partners(self, table, sources, other, rng):
        """Return the index of a random row for each source, which differs from it.

        The row `other` differs from the first.
        """
        values = table.values
        partners = rng.integers(len(values), size=len(sources))
        same = np.arange(len(sources))
        for _ in range(N_REDRAWS):
            is_same = alike(values[partners[same]], values[sources[same]])
            same = same[is_same.all(axis=1)]
            partners[same] = rng.integers(len(values), size=len(same))
        is_first = alike(values[sources[same]], values[0]).all(axis=1)
        partners[same] = np.where(is_first, other, 0)
        return partners


def _change_one(made, source, partner, rng):
    """Give rows that came out as their source, in place, a cell of their partner."""
    same = np.flatnonzero(alike(made, source).all(axis=1))
    differs = ~alike(partner[same], source[same])
    column = (differs + rng.random(differs.shape)).argmax(axis=1)
    made[same, column] = partner[same, column]


class MixupTransfer(_Transfer):
    r"""Rows between two rows, for a teacher to label.

    Each is :math:`\lambda x_i + (1 - \lambda) x_j`, for :math:`\lambda` from a Beta
    distribution and another row :math:`x_j` at random [1]_. The labels are not mixed:
    the teacher is asked. Of whole numbers it makes fractions. Cells that are no
    numbers, or where one is missing, are those of :math:`x_i` with probability
    :math:`\lambda`, else of :math:`x_j`.

    Parameters
    ----------
    alpha : float, default=1.0
        Both parameters of the Beta distribution: 1 makes every place between the two
        rows as likely, less those near one of them.
    n_rows : float, default=1.0
        Number of rows to make, as a multiple of those of the table.

    See Also
    --------
    DistilledClassifier : Takes it as `transfer`.
    SwapTransfer : Only makes values that the table has.

    References
    ----------
    .. [1] H. Zhang, M. Cisse, Y. Dauphin, D. Lopez-Paz, "mixup: Beyond Empirical Risk
       Minimization", ICLR 2018, arXiv:1710.09412.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import MixupTransfer
    >>> X = np.array([[0.0, 10.0], [1.0, 20.0]])
    >>> rows = MixupTransfer(n_rows=3).sample(X, random_state=0)
    >>> rows.shape
    (6, 2)
    >>> np.allclose(rows[:, 1], 10 + 10 * rows[:, 0])
    True
    """

    __module__ = "skdistill"  # where it is pickled from

    _parameter_constraints = {
        **_Transfer._parameter_constraints,
        "alpha": [Interval(Real, 0, np.inf, closed="neither")],
    }

    def __init__(self, alpha=1.0, *, n_rows=1.0):
        self.alpha = alpha
        self.n_rows = n_rows

    def _made(self, table, sources, partners, rng):
        source, partner = table.values[sources], table.values[partners]
        # What both have in common stays as it is, to the bit.
        way = rng.beta(self.alpha, self.alpha, size=(len(sources), 1))
        made = source + way * (partner - source)
        rows, columns = np.nonzero(np.isnan(made) | ~table.is_number)
        of_partner = rng.random(len(rows)) < way[rows, 0]
        chosen = np.where(of_partner, partner[rows, columns], source[rows, columns])
        made[rows, columns] = chosen
        return made


class SwapTransfer(_Transfer):
    """Rows with cells of other rows, for a teacher to label.

    Each cell of a row is replaced, with a probability, by that of another row at
    random [1]_, so that every column keeps its distribution and only has values that it
    had. Columns of a DataFrame keep their types.

    Parameters
    ----------
    p : float, default=0.3
        Probability of a cell to be replaced, in (0, 1]. Of a row that would stay as it
        is, one cell is replaced.
    n_rows : float, default=1.0
        Number of rows to make, as a multiple of those of the table.

    See Also
    --------
    DistilledClassifier : Takes it as `transfer`.
    MungeTransfer : Takes cells of similar rows.

    References
    ----------
    .. [1] J. Yoon, Y. Zhang, J. Jordon, M. van der Schaar, "VIME: Extending the Success
       of Self- and Semi-supervised Learning to Tabular Domain", NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import SwapTransfer
    >>> X = np.array([[0.0, 10.0], [1.0, 20.0], [2.0, 30.0]])
    >>> rows = SwapTransfer().sample(X, random_state=0)
    >>> bool(np.isin(rows, X).all())
    True
    """

    __module__ = "skdistill"  # where it is pickled from

    _parameter_constraints = {
        **_Transfer._parameter_constraints,
        "p": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(self, p=0.3, *, n_rows=1.0):
        self.p = p
        self.n_rows = n_rows

    def _table(self, X):
        # Nothing is calculated, so that whole numbers can stay such.
        return table_of(X, all_coded=True)

    def _made(self, table, sources, partners, rng):
        values = table.values
        source = values[sources]
        donors = rng.integers(len(values), size=source.shape)
        donated = np.take_along_axis(values, donors, axis=0)
        return np.where(rng.random(source.shape) < self.p, donated, source)


class MungeTransfer(_Transfer):
    r"""Rows on the way to a near row, for a teacher to label.

    Each cell :math:`a` of a row is replaced, with a probability, by a draw from
    :math:`\mathcal{N}(b, |a - b| / s)`, for the cell :math:`b` of the nearest row that
    differs [1]_: what is made stays near the rows that there are, and columns that
    belong together stay together. Cells that are no numbers, or where one is missing,
    become those of the near row. So that large tables are fast, the nearest row is not
    looked for among all, but among 1,000 of them at random, with every column divided
    by its standard deviation. Other cells that are not the same are one of these apart,
    and missing numbers are taken for the mean.

    Parameters
    ----------
    p : float, default=0.5
        Probability of a cell to be replaced, in (0, 1]. Of a row that would stay as it
        is, one cell becomes that of the near row.
    s : float, default=1.0
        The larger, the nearer are the draws to the cell of the near row.
    n_rows : float, default=1.0
        Number of rows to make, as a multiple of those of the table.

    See Also
    --------
    DistilledClassifier : Takes it as `transfer`.
    GaussianTransfer : Looks at no other rows.

    References
    ----------
    .. [1] C. Bucila, R. Caruana, A. Niculescu-Mizil, "Model Compression", KDD 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import MungeTransfer
    >>> X = np.array([[0.0], [1.0], [50.0], [51.0]])
    >>> rows = MungeTransfer(p=1.0, s=100.0).sample(X, random_state=0)
    >>> np.sort(rows.ravel()).round().tolist()
    [0.0, 1.0, 50.0, 51.0]
    """

    __module__ = "skdistill"  # where it is pickled from

    _parameter_constraints = {
        **_Transfer._parameter_constraints,
        "p": [Interval(Real, 0, 1, closed="right")],
        "s": [Interval(Real, 0, np.inf, closed="neither")],
    }

    def __init__(self, p=0.5, s=1.0, *, n_rows=1.0):
        self.p = p
        self.s = s
        self.n_rows = n_rows

    def _partners(self, table, sources, other, rng):
        values = table.values
        n_candidates = min(N_CANDIDATES, len(values))
        candidates = rng.choice(len(values), n_candidates, replace=False)
        # Two that differ, even if nearly all rows are the same.
        candidates = np.append(candidates, [0, other])
        # No number is infinite, and what is missing is to equal itself.
        told_apart = np.where(np.isnan(values[candidates]), np.inf, values[candidates])
        _, distinct = np.unique(told_apart, axis=0, return_index=True)
        candidates = candidates[distinct]
        nearest = _nearest(table, sources, candidates)
        # A candidate has itself as the nearest.
        same = alike(values[candidates[nearest]], values[sources]).all(axis=1)
        others = _nearest(table, candidates, candidates, besides_itself=True)
        nearest[same] = others[nearest[same]]
        return candidates[nearest]

    def _made(self, table, sources, partners, rng):
        source, partner = table.values[sources], table.values[partners]
        noise = rng.standard_normal(source.shape) * np.abs(source - partner) / self.s
        noise[:, ~table.is_number] = 0
        near = np.where(np.isnan(noise), partner, partner + noise)
        return np.where(rng.random(source.shape) < self.p, near, source)


def _nearest(table, rows, candidates, *, besides_itself=False):
    """Return for each of the rows the place of the nearest of the candidates."""
    deviation, numbers = spread(table), table.values[:, table.is_number]
    deviation = deviation[table.is_number]
    mean = np.nansum(numbers, axis=0, dtype=np.float64)
    mean /= np.maximum(1, (~np.isnan(numbers)).sum(axis=0))
    numbers = (numbers - mean.astype(numbers.dtype)) / np.where(deviation, deviation, 1)
    numbers = np.nan_to_num(numbers).astype(table.values.dtype, copy=False)
    codes = table.values[:, ~table.is_number]
    if not besides_itself and not codes.shape[1]:
        return pairwise_distances_argmin(numbers[rows], numbers[candidates])
    nearest = np.empty(len(rows), dtype=np.intp)
    for batch in gen_batches(len(rows), N_CANDIDATES):
        places = rows[batch]
        distance = np.zeros((len(places), len(candidates)))
        if numbers.shape[1]:
            distance += euclidean_distances(
                numbers[places], numbers[candidates], squared=True
            )
        for column in codes.T:
            distance += column[places, np.newaxis] != column[candidates]
        if besides_itself:
            distance[places[:, np.newaxis] == candidates] = np.inf
        nearest[batch] = distance.argmin(axis=1)
    return nearest


class GaussianTransfer(_Transfer):
    """Rows with noise, for a teacher to label.

    Each number is moved by noise of a normal distribution, with a multiple of the
    standard deviation of its column [1]_. Constant columns stay as they are, and so do
    cells that are no numbers, or where one is missing. Of a row that has none but such,
    one cell becomes that of another row. A column of numbers that vary is needed.

    Parameters
    ----------
    scale : float, default=0.1
        Standard deviation of the noise, as a multiple of that of the column.
    n_rows : float, default=1.0
        Number of rows to make, as a multiple of those of the table.

    See Also
    --------
    DistilledClassifier : Takes it as `transfer`.
    MixupTransfer : Stays between the rows that there are.

    References
    ----------
    .. [1] C. Bishop, "Training with Noise is Equivalent to Tikhonov Regularization",
       Neural Computation 7, 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import GaussianTransfer
    >>> X = np.array([[0.0, 7.0], [100.0, 7.0]])
    >>> rows = GaussianTransfer(scale=0.01).sample(X, random_state=0)
    >>> np.sort(rows, axis=0).round(-1).tolist()
    [[0.0, 10.0], [100.0, 10.0]]
    """

    __module__ = "skdistill"  # where it is pickled from

    _parameter_constraints = {
        **_Transfer._parameter_constraints,
        "scale": [Interval(Real, 0, np.inf, closed="neither")],
    }

    def __init__(self, scale=0.1, *, n_rows=1.0):
        self.scale = scale
        self.n_rows = n_rows

    def _made(self, table, sources, partners, rng):
        deviation = spread(table)
        if not deviation.any():
            raise ValueError(
                "GaussianTransfer moves numbers: X must have a column of numbers that "
                "vary. Got none. Use SwapTransfer or MixupTransfer."
            )
        noise = rng.standard_normal((len(sources), len(deviation)))
        return table.values[sources] + self.scale * deviation * noise
