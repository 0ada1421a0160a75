"""Prediction of estimators, whose input scikit-learn checks."""

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing, check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skdistill._prediction import PredictionMixin
from skdistill._rows import check_form_of_table, in_order
from skdistill._targets.logits import align_columns

SMALLEST = float(np.finfo(np.float32).tiny)
"""Stands for a probability of 0, whose logit is minus infinity."""


def preprocessed(estimator, X):
    """Return what the fitted preprocessor of `estimator` makes of checked rows."""
    return dense(estimator, estimator.preprocessor_.transform(X))


def dense(estimator, rows):
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


def classifier_logits(student, X, n_classes):
    """Return the logits of a fitted student that is no network, a column per class.

    Parameters
    ----------
    student : classifier
    X : ndarray of shape (n_samples, n_features)
    n_classes : int

    Returns
    -------
    ndarray of shape (n_samples, n_classes), dtype float32
        Their softmax is the `predict_proba` of `student`. A class without any weight
        in training has the probability 0.
    """
    proba = np.asarray(student.predict_proba(X.astype(np.float64)))
    proba = align_columns(proba, student.classes_, np.arange(n_classes), 0.0)
    return np.log(np.maximum(proba, SMALLEST)).astype(np.float32)


class LogitsClassifierMixin(PredictionMixin):
    """`predict` and its kin, behind the checks of scikit-learn."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # A preprocessor decides what it takes; a compact model has a fitted one alone.
        takes_tables = bool(
            getattr(self, "preprocessor", None) or vars(self).get("preprocessor_")
        )
        tags.input_tags.allow_nan = takes_tables
        tags.input_tags.string = takes_tables
        tags.input_tags.categorical = takes_tables
        return tags

    def _checked_form(self, X):
        # validate_data takes several times as long as a forward pass of one row does,
        # and copies what is not float32.
        if self._is_plain(X):
            return X
        check_is_fitted(self)
        if "preprocessor_" not in vars(self):
            return validate_data(self, X, dtype=np.float32, reset=False)
        check_form_of_table(self, X)
        X = in_order(self, X)
        if self._row_preprocessor is None:
            return validate_data(
                self, X, dtype=np.float32, reset=False, ensure_all_finite="allow-nan"
            )
        return validate_data(self, X, reset=False, skip_check_array=True)

    def _rows_at(self, X, chunk):
        return _safe_indexing(X, chunk)

    def _preprocessed(self, X):
        return preprocessed(self, X)

    def _checked_numbers(self, X):
        return check_array(X, dtype=np.float32, estimator=self, input_name="X")
