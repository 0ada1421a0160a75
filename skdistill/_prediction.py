"""What goes out: probabilities and labels, from logits in chunks."""

import math

import numpy as np
import torch
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, check_is_fitted, validate_data

from skdistill._network_rows import filled, in_order, preprocessed
from skdistill._targets.logits import soften
from skdistill._validation import check_form_of_table

PREDICT_CHUNK = 4096


def _softmax(logits):
    n_rows, n_classes = logits.shape
    if n_rows > 512 and n_classes <= 32:
        # Several times as fast per row as torch, which takes less for each call.
        return torch.from_numpy(soften(logits.numpy()))
    return torch.softmax(logits, dim=1)


class LogitsClassifierMixin:
    """`predict` and its kin, out of the `_logits` of a chunk of float32 rows.

    Both are tensors, and `_logits` is called in torch.inference_mode. The rows are
    those of the caller, or what `_row_preprocessor` makes of them.
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # A preprocessor decides what it takes.
        takes_tables = self.preprocessor is not None
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
            rows = self._finite_rows(rows)
            with torch.inference_mode():
                values = of_logits(self._logits(rows)).numpy()
            yield chunk, values

    def _in_chunks(self, X, of_logits):
        X = self._checked_form(X)
        shape = (_num_samples(X), len(self.classes_))
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
            return torch.from_numpy(preprocessed(self, X))
        rows = X
        if rows.dtype != np.float32:
            with np.errstate(over="ignore", invalid="ignore"):
                rows = rows.astype(np.float32)
        # What torch can take without a warning.
        rows = torch.from_numpy(np.require(rows, requirements=["C", "W"]))
        if not math.isfinite(rows.sum()):
            # Finite values may add up to infinity: scikit-learn decides.
            X = validate_data(self, filled(self, X), dtype=np.float32, reset=False)
            rows = torch.from_numpy(X)
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
        return self._in_chunks(X, _softmax)

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
        return self._in_chunks(X, lambda logits: torch.log_softmax(logits, dim=1))

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
        for chunk, places in self._chunks(X, lambda logits: logits.argmax(dim=1)):
            out[chunk] = self.classes_[places]
        return out
