"""What networks see in training: the rows behind a `preprocessor`, as float32."""

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import validate_data

from skdistill._checked_prediction import dense, preprocessed
from skdistill._preprocessing import TablePreprocessor
from skdistill._rows import in_order
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
        return dense(estimator, _fitted_to(preprocessor, X, y))
    kept = np.flatnonzero(sample_weight)
    seen = _fitted_to(preprocessor, _safe_indexing(X, kept), y[kept])
    seen = dense(estimator, seen)
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
