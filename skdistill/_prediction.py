"""What goes out: probabilities and labels, from logits in chunks. Numpy only."""

import math

import numpy as np

from skdistill._rows import (
    as_float32,
    check_form_of_table,
    check_names,
    filled,
    in_order,
    n_rows_of,
    numbers_of,
)
from skdistill._softmax import log_softmax, soften

PREDICT_CHUNK = 4096


class PredictionMixin:
    """`predict` and its kin, out of the `_logits` of a chunk of float32 rows.

    The rows are those of the caller, or what `_row_preprocessor` makes of them. Numpy
    checks them here, which takes no time to import; `LogitsClassifierMixin` lets
    scikit-learn do it.
    """

    def _chunks(self, X, of_logits):
        """Iterate over chunks of the rows and the array of `of_logits` for each.

        Rows are cast and checked chunk by chunk: for an array, this needs no memory
        beside input and output that grows with them.
        """
        for start in range(0, n_rows_of(X), PREDICT_CHUNK):
            chunk = slice(start, start + PREDICT_CHUNK)
            rows = X[chunk] if isinstance(X, np.ndarray) else self._rows_at(X, chunk)
            yield chunk, of_logits(self._logits(self._finite_rows(rows)))

    def _in_chunks(self, X, of_logits):
        X = self._checked_form(X)
        n_samples = n_rows_of(X)
        if n_samples == 1:  # For what is asked row by row, every microsecond counts.
            return of_logits(self._logits(self._finite_rows(X)))
        shape = (n_samples, len(self.classes_))
        out = np.empty(shape, dtype=np.float32)
        for chunk, values in self._chunks(X, of_logits):
            out[chunk] = values
        return out

    def _finite_rows(self, X):
        if vars(self).get("_row_preprocessor") is not None:
            return self._preprocessed(X)
        rows = as_float32(X)
        values = rows.ravel()
        if not math.isfinite(np.vdot(values, values)):
            # Finite values may add up to infinity.
            rows = self._checked_numbers(filled(self, X))
        limits = getattr(vars(self).get("preprocessor_"), "_limits", None)
        return rows if limits is None else rows.clip(*limits)

    def _is_plain(self, X):
        """Tell whether nothing about the form of `X` needs a further look."""
        return (
            type(X) in (np.ndarray, np.memmap)
            and X.dtype.kind in "buif"
            and X.ndim == 2
            and len(X) > 0
            and X.shape[1] == vars(self).get("n_features_in_")
            and "feature_names_in_" not in vars(self)
            and vars(self).get("_row_preprocessor") is None
        )

    def _checked_form(self, X):
        if self._is_plain(X):
            return X
        is_table = hasattr(X, "columns")
        takes_all = self._row_preprocessor is not None
        if is_table:
            X = in_order(self, X)
            check_names(self, X)
        if not (is_table and takes_all):
            X = _array_of(X, keeps_types=takes_all)
        check_form_of_table(self, X)
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        return X if takes_all else numbers_of(X)

    def _rows_at(self, X, chunk):
        return X.iloc[chunk] if hasattr(X, "iloc") else X[chunk]

    def _preprocessed(self, X):
        return as_float32(self._row_preprocessor.transform(X))

    def _checked_numbers(self, X):
        rows = as_float32(X)
        if np.isnan(rows).any():
            raise ValueError("Input X contains NaN.")
        if np.isinf(rows).any():
            raise ValueError(
                "Input X contains infinity or a value too large for dtype('float32')."
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
        return self._in_chunks(X, log_softmax)

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
        out = np.empty(n_rows_of(X), dtype=self.classes_.dtype)
        for chunk, places in self._chunks(X, lambda logits: logits.argmax(axis=1)):
            out[chunk] = self.classes_[places]
        return out


def _array_of(X, *, keeps_types):
    """Return rows as an array, whose values with `keeps_types` are those of a list."""
    array = np.asarray(X)
    if array.ndim == 0:
        raise ValueError(
            "X must have two dimensions: an array, a table, or a list of rows. Got "
            f"{type(X).__name__}."
        )
    if hasattr(X, "dtype") or not (keeps_types or array.dtype.kind in "US"):
        return array
    return np.asarray(X, dtype=object)  # Numbers beside text have become text.
