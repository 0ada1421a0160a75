"""Further rows for a teacher to label, made of those of a table."""

from numbers import Real

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.base import BaseEstimator
from sklearn.metrics import pairwise_distances, pairwise_distances_argmin
from sklearn.utils import check_array

from skdistill._pickling import VersionedPickleMixin
from skdistill._sklearn import Interval
from skdistill._validation import draw_seeds

N_CANDIDATES = 1000
N_REDRAWS = 20
FLOATS = (np.float64, np.float32, np.float16)


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
            The table: numbers, and two rows at least that differ.
        random_state : int, RandomState instance or None, default=None
            Seed of the rows. Pass an int for the same rows on every call.

        Returns
        -------
        ndarray or DataFrame of shape (n_made, n_features)
            ``round(n_rows * n_samples)`` rows, but one at least, each different from
            the row of `X` that it was made from. They are of the float type of `X`,
            float64 if it has none. Those of a DataFrame are one, with its columns.

        Raises
        ------
        ValueError
            If a parameter is invalid, if `X` is not all numbers, or if its rows are
            all the same.
        """
        self._validate_params()
        values = _numbers(X)
        differing = _differing(values)
        (seed,) = draw_seeds(random_state, 1)
        rng = np.random.default_rng(seed)
        n_made = max(1, round(self.n_rows * len(values)))
        # Each row is a source before one is again.
        sources = np.resize(rng.permutation(len(values)), n_made)
        partners = self._partners(values, sources, differing, rng)
        made = self._made(values, sources, partners, rng)
        made = made.astype(values.dtype, copy=False)
        _change_one(made, values[sources], values[partners], rng)
        if isinstance(X, pd.DataFrame):
            return pd.DataFrame(made, columns=X.columns)
        return made

    def _partners(self, values, sources, differing, rng):
        """Return the index of a random row for each source, which differs from it."""
        partners = rng.integers(len(values), size=len(sources))
        same = np.arange(len(sources))
        for _ in range(N_REDRAWS):
            alike = values[partners[same]] == values[sources[same]]
            same = same[alike.all(axis=1)]
            partners[same] = rng.integers(len(values), size=len(same))
        is_first = (values[sources[same]] == values[0]).all(axis=1)
        partners[same] = np.where(is_first, differing, 0)
        return partners


def _numbers(X):
    """Return a table as floats, or raise."""
    if isinstance(X, pd.DataFrame):
        dtypes = X.dtypes.items()
        others = [f"column {name!r}" for name, d in dtypes if not is_numeric_dtype(d)]
    else:
        dtype = X.dtype if hasattr(X, "dtype") else np.asarray(X).dtype
        others = [] if dtype.kind in "biuf" else [f"an array of dtype {dtype}"]
    if others:
        raise ValueError(
            "Rows can be made of numbers only: mixed tables are not supported yet. Got "
            f"{others[0]}. Encode it first, or use transfer=None."
        )
    return check_array(X, dtype=FLOATS)


def _differing(values):
    """Return the index of a row that differs from the first one, or raise."""
    row = int((values != values[0]).any(axis=1).argmax())
    if row == 0:
        raise ValueError(
            "Further rows are made of rows that differ: two at least are needed. All "
            f"{len(values)} rows of X are the same."
        )
    return row


def _change_one(made, source, partner, rng):
    """Give rows that came out as their source, in place, a cell of their partner."""
    same = np.flatnonzero((made == source).all(axis=1))
    differs = partner[same] != source[same]
    column = (differs + rng.random(differs.shape)).argmax(axis=1)
    made[same, column] = partner[same, column]


def _spread(values):
    """Return the standard deviation of every column, exactly 0 of a constant."""
    spread = values.std(axis=0, dtype=np.float64)
    return np.where((values == values[0]).all(axis=0), 0, spread)


class MixupTransfer(_Transfer):
    r"""Rows between two rows, for a teacher to label.

    Each is :math:`\lambda x_i + (1 - \lambda) x_j`, for :math:`\lambda` from a Beta
    distribution and another row :math:`x_j` at random [1]_. The labels are not mixed:
    the teacher is asked. Of whole numbers it makes fractions.

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

    def _made(self, values, sources, partners, rng):
        source, partner = values[sources], values[partners]
        # What both have in common stays as it is, to the bit.
        way = rng.beta(self.alpha, self.alpha, size=(len(sources), 1))
        return source + way * (partner - source)


class SwapTransfer(_Transfer):
    """Rows with cells of other rows, for a teacher to label.

    Each cell of a row is replaced, with a probability, by that of another row at
    random [1]_, so that every column keeps its distribution and only has values that it
    had.

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

    def _made(self, values, sources, partners, rng):
        source = values[sources]
        donors = rng.integers(len(values), size=source.shape)
        donated = np.take_along_axis(values, donors, axis=0)
        return np.where(rng.random(source.shape) < self.p, donated, source)


class MungeTransfer(_Transfer):
    r"""Rows on the way to a near row, for a teacher to label.

    Each cell :math:`a` of a row is replaced, with a probability, by a draw from
    :math:`\mathcal{N}(b, |a - b| / s)`, for the cell :math:`b` of the nearest row that
    differs [1]_: what is made stays near the rows that there are, and columns that
    belong together stay together. So that large tables are fast, the nearest row is not
    looked for among all, but among 1,000 of them at random, with every column divided
    by its standard deviation.

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

    def _partners(self, values, sources, differing, rng):
        n_candidates = min(N_CANDIDATES, len(values))
        candidates = rng.choice(len(values), n_candidates, replace=False)
        # Two that differ, even if nearly all rows are the same.
        candidates = np.append(candidates, [0, differing])
        _, distinct = np.unique(values[candidates], axis=0, return_index=True)
        candidates = candidates[distinct]
        spread = _spread(values)
        scaled = values / np.where(spread == 0, 1, spread)
        nearest = pairwise_distances_argmin(scaled[sources], scaled[candidates])
        # A candidate has itself as the nearest.
        same = (values[candidates[nearest]] == values[sources]).all(axis=1)
        between = pairwise_distances(scaled[candidates])
        np.fill_diagonal(between, np.inf)
        nearest[same] = between.argmin(axis=1)[nearest[same]]
        return candidates[nearest]

    def _made(self, values, sources, partners, rng):
        source, partner = values[sources], values[partners]
        noise = rng.standard_normal(source.shape) * np.abs(source - partner) / self.s
        return np.where(rng.random(source.shape) < self.p, partner + noise, source)


class GaussianTransfer(_Transfer):
    """Rows with noise, for a teacher to label.

    Each cell is moved by noise of a normal distribution, with a multiple of the
    standard deviation of its column [1]_. Constant columns stay as they are.

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

    def _made(self, values, sources, partners, rng):
        noise = rng.standard_normal((len(sources), values.shape[1]))
        return values[sources] + self.scale * _spread(values) * noise


def with_made(rows, logits, share):
    """Return values per row for a table with further rows behind its own.

    Parameters
    ----------
    rows : dict of str to ndarray
        The `teacher_logits` and, unless all are equal, `sample_weight` of the table.
    logits : ndarray of shape (n_made, n_classes)
        Those of the further rows.
    share : float
        What the weights of these make of the sum.

    Returns
    -------
    dict of str to ndarray
        The same for all rows, with weights of a mean of one.
    """
    n_made, n_rows = len(logits), len(rows["teacher_logits"]) + len(logits)
    weight = rows.get("sample_weight", np.ones(n_rows - n_made)).astype(np.float64)
    weight *= (1 - share) * n_rows / weight.sum()
    weight = np.append(weight, np.full(n_made, share * n_rows / n_made))
    return {
        "sample_weight": weight.astype(np.float32),
        "teacher_logits": np.concatenate([rows["teacher_logits"], logits]),
    }
