"""What goes out: probabilities and labels, from logits in chunks."""

import math

import numpy as np
from scipy import sparse
from scipy.special import log_softmax
from sklearn.utils import _safe_indexing, check_array
from sklearn.utils.validation import _num_samples, check_is_fitted, validate_data

from skdistill._targets.logits import align_columns, soften
from skdistill._validation import check_form_of_table

PREDICT_CHUNK = 4096

SMALLEST = float(np.finfo(np.float32).tiny)
"""Stands for a probability of 0, whose logit is minus infinity."""


def preprocessed(estimator, X):
    """Return what the fitted preprocessor of `estimator` makes of checked rows."""
    return dense(estimator, estimator.preprocessor_.transform(X))


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


def _as_float32(X):
    """Return rows as C-contiguous float32 that torch takes without a warning."""
    if type(X) is np.ndarray and X.dtype == np.float32:
        flags = X.flags
        if flags.c_contiguous and flags.writeable:
            return X
    with np.errstate(over="ignore", invalid="ignore"):
        return np.require(X, np.float32, ["C", "W"])


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


class LogitsClassifierMixin:
    """`predict` and its kin, out of the `_logits` of a chunk of float32 rows.

    The rows are those of the caller, or what `_row_preprocessor` makes of them.
    """

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

    def _chunks(self, X, of_logits):
        """Iterate over chunks of the rows and the array of `of_logits` for each.

        Rows are cast and checked chunk by chunk: for an array, this needs no memory
        beside input and output that grows with them.
        """
        is_array = isinstance(X, np.ndarray)
        for start in range(0, _num_samples(X), PREDICT_CHUNK):
            chunk = slice(start, start + PREDICT_CHUNK)
            rows = X[chunk] if is_array else _safe_indexing(X, chunk)
            yield chunk, of_logits(self._logits(self._finite_rows(rows)))

    def _in_chunks(self, X, of_logits):
        X = self._checked_form(X)
        n_samples = _num_samples(X)
        if n_samples == 1:  # For what is asked row by row, every microsecond counts.
            return of_logits(self._logits(self._finite_rows(X)))
        shape = (n_samples, len(self.classes_))
        out = np.empty(shape, dtype=np.float32)
        for chunk, values in self._chunks(X, of_logits):
            out[chunk] = values
        return out

    def _checked_form(self, X):
        # validate_data takes several times as long as a forward pass of one row does,
        # and copies what is not float32.
        plain = (
            type(X) in (np.ndarray, np.memmap)
            and X.dtype.kind in "buif"
            and X.ndim == 2
            and len(X) > 0
            and X.shape[1] == vars(self).get("n_features_in_")
            and "feature_names_in_" not in vars(self)
            and vars(self).get("_row_preprocessor") is None
        )
        if plain:
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

    def _finite_rows(self, X):
        if vars(self).get("_row_preprocessor") is not None:
            return preprocessed(self, X)
        rows = _as_float32(X)
        values = rows.ravel()
        if not math.isfinite(np.vdot(values, values)):
            # Finite values may add up to infinity: scikit-learn decides.
            rows = check_array(
                filled(self, X), dtype=np.float32, estimator=self, input_name="X"
            )
        return rows

    def predict_logits(self, X):
        """Predict the logits.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), dtype float32
            Logits whose softmax is `predict_proba`, columns in the order of
            `classes_`.
        """
        return self._in_chunks(X, lambda logits: logits)

    def predict_proba(self, X):
        """Predict class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), dtype float32
            The probabilities, columns in the order of `classes_`.
        """
        return self._in_chunks(X, soften)

    def predict_log_proba(self, X):
        """Predict the logarithms of the class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), dtype float32
            The log-probabilities, columns in the order of `classes_`.
        """
        return self._in_chunks(X, lambda logits: log_softmax(logits, axis=1))

    def predict(self, X):
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            The class labels.
        """
        X = self._checked_form(X)
        out = np.empty(_num_samples(X), dtype=self.classes_.dtype)
        for chunk, places in self._chunks(X, lambda logits: logits.argmax(axis=1)):
            out[chunk] = self.classes_[places]
        return out
