"""What the estimators share: checking what comes in, and predicting from logits."""

import inspect
import math
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.utils import check_array, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skdistill._soft_targets import soften

PREDICT_CHUNK = 4096


def ends_in(name, ending):
    """Tell whether a parameter's name is `ending`, at any depth."""
    return f"__{name}".endswith(f"__{ending}")


def copy_form(source, target):
    """Give `target` what `validate_classification` has set on `source`."""
    for name in ("classes_", "n_features_in_", "feature_names_in_"):
        if hasattr(source, name):
            setattr(target, name, getattr(source, name))


@contextmanager
def all_or_nothing(estimator):
    """Put `estimator` back as it was if the block raises, Ctrl-C included."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def validate_classification(estimator, X, y, sample_weight):
    """Check the training data and set what `fit` learns from their form.

    Sets `classes_`, `n_features_in_` and, for DataFrames, `feature_names_in_`.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), dtype float32
    y : ndarray of shape (n_samples,), dtype int64
        Indices into `classes_`.
    sample_weight : ndarray of shape (n_samples,), dtype float32, or None
        Scaled to a mean of one over the rows of positive weight.
    """
    X, y = validate_data(estimator, X, y, dtype=np.float32)
    check_classification_targets(y)
    estimator.classes_, y = np.unique(y, return_inverse=True)
    if len(estimator.classes_) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs at least 2 classes in y; got 1 class: "
            f"{estimator.classes_.tolist()[0]!r}."
        )
    if sample_weight is not None:
        sample_weight = validated_weight(sample_weight, X)
    # torch takes no negative strides.
    X = np.ascontiguousarray(X)
    return X, y.astype(np.int64, copy=False), sample_weight


def validated_weight(sample_weight, X):
    """Return the weights checked, and scaled as `validate_classification` says."""
    weight = check_array(
        sample_weight, dtype=np.float64, ensure_2d=False, input_name="sample_weight"
    )
    if weight.shape != (len(X),):
        raise ValueError(
            f"sample_weight must have shape ({len(X)},), one weight for every row of "
            f"X. Got shape {weight.shape}."
        )
    if weight.min() < 0:
        row = int(weight.argmin())
        raise ValueError(
            f"sample_weight must be >= 0 in every row; got {weight[row]} in row {row}."
        )
    if not weight.any():
        raise ValueError(
            f"sample_weight must be > 0 in some row; all {len(weight)} weights are "
            "zero."
        )
    weight = weight / weight.max()  # so that their sum is finite
    return (weight / weight[weight > 0].mean()).astype(np.float32)


def without_weightless(X, y, *, sample_weight, **rows):
    """Leave out the rows of weight 0, which training is not to see at all.

    Returns
    -------
    X, y : ndarray
        What is left of `X` and `y`.
    rows : dict of str to ndarray
        What is left of `sample_weight` and `rows`, without those that are None.
    """
    rows["sample_weight"] = sample_weight
    rows = {name: values for name, values in rows.items() if values is not None}
    if sample_weight is None or sample_weight.all():
        return X, y, rows
    kept = sample_weight > 0
    return X[kept], y[kept], {name: values[kept] for name, values in rows.items()}


def draw_seeds(random_state, size):
    """Return seeds drawn from `random_state`, as ints; with None, fresh ones.

    For None, scikit-learn's `check_random_state` draws from numpy's global state.
    """
    if random_state is None:
        random_state = np.random.RandomState()
    rng = check_random_state(random_state)
    return rng.randint(np.iinfo(np.int32).max, size=size).tolist()


def refuse_overridden(estimator, part, names):
    """Raise if `estimator` sets a parameter that its parameter `part` overrides."""
    parameters = inspect.signature(type(estimator)).parameters
    for name in names:
        value, default = getattr(estimator, name), parameters[name].default
        if not np.array_equal(value, default):
            raise ValueError(
                f"The {name!r} parameter of {type(estimator).__name__} must be left at "
                f"its default {default!r} when {part!r} is given, which brings its own "
                f"training settings. Got {name}={value!r}; set it on the {part} "
                "instead."
            )


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
