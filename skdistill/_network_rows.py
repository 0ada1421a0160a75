"""What networks see of the caller's rows: behind a `preprocessor`, as float32."""

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing, check_array
from sklearn.utils.validation import validate_data

from skdistill._preprocessing import TablePreprocessor
from skdistill._validation import seeded_clone


def fit_preprocessor(estimator, X, y, sample_weight, seed):
    """Fit the preprocessor of `estimator`, keep it, and return what networks see.

    Parameters
    ----------
    estimator : estimator
        With the form of the data. It gets `preprocessor_`, if it has a preprocessor.
    X : array-like
        The caller's own rows; float32 without a preprocessor.
    y : ndarray of shape (n_samples,)
        The labels.
    sample_weight : ndarray of shape (n_samples,) or None
        Rows of weight 0 are not looked at.
    seed : int
        For what draws.

    Returns
    -------
    ndarray of shape (n_samples, n_columns), dtype float32
        Rows of weight 0 are zeros, which nothing is to look at either.
    """
    estimator._row_preprocessor = None
    if estimator.preprocessor is None:
        vars(estimator).pop("preprocessor_", None)  # of a fit before
        return X
    preprocessor = TablePreprocessor()
    if not isinstance(estimator.preprocessor, str):
        preprocessor = seeded_clone(
            estimator.preprocessor, random_state=estimator.random_state, seed=seed
        )
    estimator.preprocessor_ = estimator._row_preprocessor = preprocessor
    if sample_weight is None or sample_weight.all():
        return _dense(estimator, _fitted_to(preprocessor, X, y))
    kept = np.flatnonzero(sample_weight)
    seen = _fitted_to(preprocessor, _safe_indexing(X, kept), y[kept])
    seen = _dense(estimator, seen)
    rows = np.zeros((len(y), seen.shape[1]), dtype=np.float32)
    rows[kept] = seen
    return rows


def _fitted_to(preprocessor, X, y):
    # A FrozenEstimator, among others, has no fit_transform.
    if hasattr(preprocessor, "fit_transform"):
        return preprocessor.fit_transform(X, y)
    return preprocessor.fit(X, y).transform(X)


def network_rows(estimator, X):
    """Return further rows as the networks of `estimator` see them in training."""
    if estimator.preprocessor is None:
        X = validate_data(estimator, X, reset=False, dtype=np.float32)
        return np.ascontiguousarray(X)
    X = in_order(estimator, X)
    validate_data(estimator, X, reset=False, skip_check_array=True)
    return preprocessed(estimator, X)


def preprocessed(estimator, X):
    """Return what the fitted preprocessor of `estimator` makes of checked rows."""
    return _dense(estimator, estimator.preprocessor_.transform(X))


def filled(estimator, X):
    """Return rows without the NaN that a preprocessor would fill.

    It is for one that the first layer has taken the place of.
    """
    medians = getattr(vars(estimator).get("preprocessor_"), "medians_", None)
    return X if medians is None else np.where(np.isnan(X), medians, X)


def in_order(estimator, X):
    """Return a table with named columns in the order that `fit` got them in."""
    names, given = getattr(estimator, "feature_names_in_", None), None
    if names is not None and hasattr(X, "columns"):
        given = list(X.columns)
    if given is None or given == list(names) or set(given) != set(names):
        return X
    return X[list(names)]


def _dense(estimator, rows):
    """Return what a preprocessor makes, as float32, or raise if networks cannot."""
    if sparse.issparse(rows):
        raise ValueError(
            f"The 'preprocessor' parameter of {type(estimator).__name__} must make "
            f"dense rows. It made a sparse matrix of shape {rows.shape}. Set "
            "sparse_output=False on a OneHotEncoder and sparse_threshold=0 on a "
            "ColumnTransformer, or put a TruncatedSVD behind what has too many columns."
        )
    name = f"what the preprocessor of {type(estimator).__name__} makes of X"
    rows = check_array(rows, dtype=np.float32, input_name=name)
    return np.ascontiguousarray(rows)
