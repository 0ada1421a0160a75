"""What the estimators share: checking what comes in, and predicting from logits."""

import inspect
from contextlib import contextmanager

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skdistill._soft_targets import log_softmax, soften


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
        sample_weight = _validated_weight(sample_weight, X)
    return X, y.astype(np.int64, copy=False), sample_weight


def _validated_weight(sample_weight, X):
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
    if weight.sum() == 0:
        raise ValueError(
            f"sample_weight must be > 0 in some row; all {len(weight)} weights are "
            "zero."
        )
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


class LogitsClassifierMixin:
    """`predict`, `predict_proba` and `predict_log_proba` out of `predict_logits`."""

    def _validate_rows(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float32, reset=False)

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
        return soften(self.predict_logits(X))

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
        return log_softmax(self.predict_logits(X))

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
        logits = self.predict_logits(X)
        return self.classes_[logits.argmax(axis=1)]
