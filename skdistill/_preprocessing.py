"""Tables of all kinds of columns as the numbers that networks take."""

import math
import warnings
from collections import Counter
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skdistill._columns import (
    TO_NUMBERS,
    TO_TEXT,
    as_pandas_or_array,
    check_kind,
    is_plain,
    kind_of,
)
from skdistill._onnx_hooks import OnnxHooksMixin
from skdistill._pickling import VersionedPickleMixin
from skdistill._rows import limits_of_rows
from skdistill._sklearn import Interval, _check_feature_names_in, _fit_context

LARGEST_OFFSET = 1000
"""Mean over standard deviation up to which float32 holds a column.

It rounds by up to 6e-8 of a value. At this offset that is 6e-5 standard deviations,
which no network can tell apart; at 1e6 it is 0.06 of one.
"""

FAR = 10
"""Interquartile ranges beyond the quartiles up to which a number is taken as it is."""

FEW = 0.05
"""Share of the rows that may be beyond; more of them are no exception."""

LARGEST_SIZE = 1e30
"""Scale and median up to which float32 holds a column, and the inverse of a scale."""


class TablePreprocessor(
    OnnxHooksMixin, VersionedPickleMixin, TransformerMixin, BaseEstimator
):
    """Make numbers of a table, each column in the way of its kind.

    Numbers are scaled to mean 0 and variance 1, behind the median for what is missing.
    A column with missing values in `fit` has an indicator of them as well. One with a
    few values far from all others, such as -999 where nothing was measured, is clipped
    before. Dates and durations are numbers of days. Text, categories and booleans are
    one-hot encoded; missing is one more category, and rare categories share a column
    with each other and with those that `fit` has not seen.

    Left out are columns that are constant or all missing and, with one warning for all
    of them, columns in which every category is rare, such as names and identifiers.

    Parameters
    ----------
    min_frequency : int, default=5
        A category is rare if it occurs in fewer rows than this. In a small table 1 % of
        the rows are enough, but two at least, so that a category seen once is rare.
        With 1 none is.
    max_categories : int, default=100
        The most output columns for one column of categories, the one of the rare ones
        included; beyond it, the rarest ones are rare.

    Attributes
    ----------
    kinds_ : list of str
        What each column holds: ``"number"``, ``"date"``, ``"duration"``,
        ``"category"``, ``"boolean"``, or ``"empty"`` where nothing tells.
    medians_ : ndarray of shape (n_features,), dtype float64
        The median of each column, in days for dates (since 1970) and durations. NaN
        for columns of other kinds, and without any value.
    limits_ : ndarray of shape (2, n_features), dtype float64
        What each column is clipped to: 10 interquartile ranges below the lower quartile
        and above the upper one, where `fit` saw values beyond in one row of twenty at
        most. Infinite for the others.
    scaler_ : StandardScaler or None
        Scales what is left of the numbers; None if nothing is.
    encoder_ : OneHotEncoder or None
        Encodes what is left of the categories, as text; None if nothing is.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns seen in `fit`, if they are all text.

    See Also
    --------
    sklearn.compose.ColumnTransformer : Hand-picked transformers for each column.

    Notes
    -----
    `X` is a pandas or polars DataFrame, an array, or a list of rows. Whole numbers are
    numbers, also where they stand for categories: say so with ``.astype("category")``.
    In an array of objects, or a list, each column has a kind of its own; an array of
    numbers has only numbers, booleans included.

    Columns with names are found by their names: in `transform` they may come in any
    order, beside others, which are ignored.

    A missing value is NaN, None, NaT, or `pandas.NA`. Where none was missing in `fit`,
    one in `transform` is a category not seen, or the median.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skdistill import TablePreprocessor
    >>> X = pd.DataFrame(
    ...     {
    ...         "size": [1.0, 2.0, np.nan, 4.0] * 5,
    ...         "colour": ["red", "green", "green", None] * 5,
    ...     }
    ... )
    >>> preprocessor = TablePreprocessor().fit(X)
    >>> preprocessor.get_feature_names_out().tolist()
    ['size', 'missingindicator_size', 'colour_green', 'colour_red', 'colour_None']
    >>> preprocessor.transform(X[:1]).round(2)
    array([[-1.15,  0.  ,  0.  ,  1.  ,  0.  ]])
    """

    __module__ = "skdistill"

    _parameter_constraints = {
        "min_frequency": [Interval(Integral, 1, None, closed="left")],
        "max_categories": [Interval(Integral, 2, None, closed="left")],
    }

    def __init__(self, *, min_frequency=5, max_categories=100):
        self.min_frequency = min_frequency
        self.max_categories = max_categories

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn what each column holds, and what it takes to make numbers of it.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The table.
        y : None
            Ignored.

        Returns
        -------
        TablePreprocessor
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter is invalid, if `X` has infinite values, or if no column is
            left.
        """
        table = self._validated(X, reset=True)
        if isinstance(table, pd.DataFrame):
            self.kinds_ = [kind_of(table.iloc[:, j]) for j in range(table.shape[1])]
        else:
            self.kinds_ = ["number"] * table.shape[1]
        numbers, texts = self._converted(table)
        self._fit_numbers(numbers)
        all_rare = self._fit_texts(texts)
        if self.scaler_ is self.encoder_ is None and not len(self._gappy):
            raise ValueError(
                f"{type(self).__name__} needs a column that tells rows apart. In all "
                f"{self.n_features_in_} columns of X, with n_samples={len(table)}, "
                "either every value is the same, or missing, or every category is rare."
            )
        if all_rare:
            names = _check_feature_names_in(self)[all_rare].tolist()
            warnings.warn(
                f"{type(self).__name__} leaves out columns in which no value occurs in "
                f"{self._frequent_from(len(table))} rows or more, as in names and "
                f"identifiers: {names}. Drop them, or make features of them.",
                UserWarning,
                stacklevel=3,
            )
        return self

    def transform(self, X):
        """Make numbers of a table.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The table. Columns with names may come in any order, beside others.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out), dtype float64
            Scaled numbers, indicators of missing ones, and one-hot encoded categories.

        Raises
        ------
        ValueError
            If a column is missing or holds what it did not in `fit`, such as text for
            numbers, or if `X` has infinite values.
        """
        check_is_fitted(self)
        numbers, texts = self._converted(self._validated(X, reset=False))
        parts = []
        if self.scaler_ is not None:
            parts.append(self.scaler_.transform(self._filled(numbers)))
        if len(self._gappy):
            parts.append(np.isnan(numbers[:, self._gappy]).astype(np.float64))
        if self.encoder_ is not None:
            parts.append(self.encoder_.transform(_stacked(texts, self._encoded)))
        return np.ascontiguousarray(np.hstack(parts) if len(parts) > 1 else parts[0])

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that `transform` gives.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of `X`, which must be those of `fit` if that had any.

        Returns
        -------
        ndarray of shape (n_features_out,), dtype object
            Named as by scikit-learn: ``size``, ``missingindicator_size``,
            ``colour_red``, and ``colour_infrequent_sklearn`` for the rare ones.
        """
        check_is_fitted(self)
        names = np.asarray(_check_feature_names_in(self, input_features), dtype=object)
        out = [*names[self._scaled]]
        out += [f"missingindicator_{name}" for name in names[self._gappy]]
        if self.encoder_ is not None:
            out += [*self.encoder_.get_feature_names_out(names[self._encoded])]
        return np.asarray(out, dtype=object)

    def _validated(self, X, *, reset):
        """Return the table as a float64 ndarray if it is all numbers, or a DataFrame.

        In `transform` its columns are those of `fit`, in that order.
        """
        X = as_pandas_or_array(X)
        names = None if reset else getattr(self, "feature_names_in_", None)
        is_frame = isinstance(X, pd.DataFrame)
        if is_frame and names is not None and list(X.columns) != list(names):
            # Those that are not there are missed, by name, below.
            X = X[[name for name in names if name in X.columns]]
        if is_frame and not (X.size and all(map(is_plain, X.dtypes))):
            validate_data(self, X, skip_check_array=True, reset=reset)
            if X.size == 0:
                raise ValueError(
                    f"{type(self).__name__} needs at least one row and one column. Got "
                    f"X of shape {X.shape}."
                )
            return X
        are_numbers = is_frame or is_plain(X.dtype) or X.dtype.kind == "b"
        dtype = np.float64 if are_numbers else None
        X = validate_data(
            self, X, dtype=dtype, ensure_all_finite="allow-nan", reset=reset
        )
        if are_numbers and (reset or {*self.kinds_} == {"number"}):
            return X
        return pd.DataFrame(X)

    def _converted(self, table):
        """Return the columns by kind: numbers, and text by the index of its column.

        The numbers have all columns of the table; those of other kinds are NaN.
        """
        if isinstance(table, np.ndarray):
            return table, {}
        numbers, texts = np.full(table.shape, np.nan), {}
        for j, kind in enumerate(self.kinds_):
            column = table.iloc[:, j]
            check_kind(column, kind)
            if kind in TO_TEXT:
                texts[j] = TO_TEXT[kind](column)
            elif kind in TO_NUMBERS:
                numbers[:, j] = TO_NUMBERS[kind](column)
        check_array(
            numbers, ensure_all_finite="allow-nan", estimator=self, input_name="X"
        )
        return numbers, texts

    def _filled(self, numbers):
        """Return the columns to scale, clipped, with medians for what is missing."""
        numbers, medians = numbers[:, self._scaled], self.medians_[self._scaled]
        filled = np.where(np.isnan(numbers), medians, numbers)
        if self._limits is None:
            return filled
        return filled.clip(*self.limits_[:, self._scaled])

    def _fit_numbers(self, numbers):
        # Of a column that is all missing, they are NaN.
        lowest, highest = np.fmin.reduce(numbers), np.fmax.reduce(numbers)
        known = ~np.isnan(lowest)
        self._scaled = np.flatnonzero(lowest < highest)
        self._gappy = np.flatnonzero(known & np.isnan(numbers).any(axis=0))
        quartiles = np.full((3, numbers.shape[1]), np.nan)
        if known.any():
            percentiles = [25, 50, 75]
            quartiles[:, known] = np.nanpercentile(numbers[:, known], percentiles, 0)
        self.medians_ = quartiles[1]
        self.limits_ = _limits(numbers, quartiles)
        self._limits = limits_of_rows(self.limits_)
        self.scaler_ = None
        if len(self._scaled):
            self.scaler_ = StandardScaler().fit(self._filled(numbers))

    def _fit_texts(self, texts):
        """Fit the encoder; return the columns in which every category is rare."""
        counts = {j: Counter(values) for j, values in texts.items()}
        n_rows = sum(next(iter(counts.values())).values()) if counts else 0
        frequent_from = self._frequent_from(n_rows)
        varying = [j for j in texts if len(counts[j]) > 1]
        self._encoded = [j for j in varying if max(counts[j].values()) >= frequent_from]
        self.encoder_ = None
        if self._encoded:
            self.encoder_ = OneHotEncoder(
                handle_unknown="infrequent_if_exist",
                min_frequency=frequent_from,
                max_categories=self.max_categories,
                sparse_output=False,
            ).fit(_stacked(texts, self._encoded))
        return [j for j in varying if j not in self._encoded]

    def _frequent_from(self, n_rows):
        return min(self.min_frequency, max(2, math.ceil(n_rows / 100)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def linear_part(preprocessor):
    """Return what a fitted preprocessor does to plain numbers, if it is linear.

    With it, a network's first layer can take over the scaling. Filled and clipped, the
    numbers have to be before.

    Parameters
    ----------
    preprocessor : TablePreprocessor, StandardScaler or any other transformer
        Fitted.

    Returns
    -------
    (weight, bias) or None
        Of shapes (n_features_out, n_features_in) and (n_features_out,), float64, with
        ``transform(X) == X @ weight.T + bias``. None if there are no such, if values
        were missing in `fit`, or where float32 does not hold a column of `X`: see
        `LARGEST_OFFSET` and `LARGEST_SIZE`.
    """
    if isinstance(preprocessor, TablePreprocessor):
        check_is_fitted(preprocessor)
        scaler, scaled = preprocessor.scaler_, preprocessor._scaled
        has_holes = np.isnan(preprocessor.medians_).any() or len(preprocessor._gappy)
        if {*preprocessor.kinds_} != {"number"} or has_holes:
            return None
    elif type(preprocessor) is StandardScaler:
        check_is_fitted(preprocessor)
        scaler, scaled = preprocessor, np.arange(preprocessor.n_features_in_)
    else:
        return None
    scale = np.ones(len(scaled)) if scaler.scale_ is None else scaler.scale_
    mean = scaler.mean_ if scaler.with_mean else np.zeros(len(scaled))
    of_columns = getattr(preprocessor, "medians_", mean)  # also of those left out
    if (
        (abs(mean) > LARGEST_OFFSET * scale).any()
        or (scale * LARGEST_SIZE < 1).any()
        or max(scale.max(), abs(of_columns).max()) > LARGEST_SIZE
    ):
        return None
    weight = np.zeros((len(scaled), preprocessor.n_features_in_))
    weight[np.arange(len(scaled)), scaled] = 1 / scale
    return weight, -mean / scale


def _limits(numbers, quartiles):
    """Return what columns are to be clipped to, from below and from above."""
    lower, _, upper = quartiles
    with np.errstate(over="ignore"):
        far = FAR * (upper - lower)
        low, high = lower - far, upper + far
    n_beyond = ((numbers < low) | (numbers > high)).sum(axis=0)
    is_few = (n_beyond > 0) & (n_beyond <= FEW * (~np.isnan(numbers)).sum(axis=0))
    # Quartiles may differ by rounding alone.
    is_clipped = is_few & (far > 1e-6 * np.abs(quartiles).max(axis=0))
    return np.where(is_clipped, [low, high], [[-np.inf], [np.inf]])


def _stacked(texts, columns):
    return np.stack([texts[j] for j in columns], axis=1)
