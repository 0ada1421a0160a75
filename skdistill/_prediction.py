"""What goes out: probabilities and labels, from logits in chunks."""

import math

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted, validate_data

from skdistill._targets.logits import soften

PREDICT_CHUNK = 4096


def _softmax(logits):
    n_rows, n_classes = logits.shape
    if n_rows > 512 and n_classes <= 32:
        # Several times as fast per row as torch, which takes less for each call.
        return torch.from_numpy(soften(logits.numpy()))
    return torch.softmax(logits, dim=1)


class LogitsClassifierMixin:
    """`predict` and its kin, out of the `_logits` of a chunk of float32 rows.

    Both are tensors, and `_logits` is called in torch.inference_mode.
    """

    def _chunks(self, X, of_logits):
        """Iterate over chunks of the rows and the array of `of_logits` for each.

        Rows are cast and checked chunk by chunk: for an array, this needs no memory
        beside input and output that grows with them.
        """
        for start in range(0, len(X), PREDICT_CHUNK):
            chunk = slice(start, start + PREDICT_CHUNK)
            rows = self._finite_rows(X[chunk])
            with torch.inference_mode():
                values = of_logits(self._logits(rows)).numpy()
            yield chunk, values

    def _in_chunks(self, X, of_logits):
        X = self._checked_form(X)
        out = np.empty((len(X), len(self.classes_)), dtype=np.float32)
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
        )
        if plain:
            return X
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float32, reset=False)

    def _finite_rows(self, X):
        rows = X
        if rows.dtype != np.float32:
            with np.errstate(over="ignore", invalid="ignore"):
                rows = rows.astype(np.float32)
        # What torch can take without a warning.
        rows = torch.from_numpy(np.require(rows, requirements=["C", "W"]))
        if not math.isfinite(rows.sum()):
            # Finite values may add up to infinity: scikit-learn decides.
            validate_data(self, X, dtype=np.float32, reset=False)
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
        out = np.empty(len(X), dtype=self.classes_.dtype)
        for chunk, places in self._chunks(X, lambda logits: logits.argmax(dim=1)):
            out[chunk] = self.classes_[places]
        return out
