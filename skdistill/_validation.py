"""What comes in: X, y, weights and seeds, checked before any training starts."""

import inspect
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import (
    assert_all_finite,
    check_array,
    check_consistent_length,
    check_random_state,
    column_or_1d,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from skdistill._rows import check_form_of_table
from skdistill._sklearn import HasMethods, Interval, StrOptions

LARGEST_SCALE = 100.0
"""Root mean square of a feature above which networks lose accuracy.

Measured on three tables: one feature moved by 100 costs up to 22 points of accuracy.
"""

NETWORK = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "max_epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "lr": [Interval(Real, 0, np.inf, closed="neither")],
    "lr_schedule": [StrOptions({"cosine", "constant"})],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "weight_decay": [Interval(Real, 0, np.inf, closed="left")],
    "device": [str],
}
"""What the parameters of a network must be."""

PREPROCESSOR = [HasMethods(["fit", "transform"]), StrOptions({"auto"}), None]

_OF_TABLES = ValueError, "preprocessor='auto' takes text, categories, dates and NaN."
_OF_SPARSE = TypeError, "preprocessor=TruncatedSVD(50) makes few dense columns."
_HINTS = {
    "could not convert": _OF_TABLES,
    "could not be promoted": _OF_TABLES,
    "float() argument must be": (TypeError, _OF_TABLES[1]),
    "Cannot cast": _OF_TABLES,
    "X contains NaN": _OF_TABLES,
    "Sparse data was passed": _OF_SPARSE,
}
"""What helps, by what errors say of tables that networks do not take."""

# So that neither a teacher in a fit nor a refit says it again.
_has_warned = ContextVar("has_warned", default=False)


def ends_in(name, ending):
    """Tell whether a parameter's name is `ending`, at any depth."""
    return f"__{name}".endswith(f"__{ending}")


def copy_form(source, target):
    """Give `target` what `validate_classification` has set on `source`."""
    for name in ("classes_", "n_features_in_", "feature_names_in_", "_n_samples"):
        if hasattr(source, name):
            setattr(target, name, getattr(source, name))


@contextmanager
def all_or_nothing(estimator):
    """Put `estimator` back as it was if the block raises, Ctrl-C included."""
    before = vars(estimator).copy()
    has_warned = _has_warned.get()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
    finally:
        _has_warned.set(has_warned)


def validate_classification(estimator, X, y, sample_weight, *, as_given=False):
    """Check the training data and set what `fit` learns from their form.

    Sets `classes_`, `n_features_in_` and, for DataFrames, `feature_names_in_`.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), dtype float32
        As it is with `as_given`, where a preprocessor is to check it.
    y : ndarray of shape (n_samples,), dtype int64
        Indices into `classes_`.
    sample_weight : ndarray of shape (n_samples,), dtype float32, or None
        Scaled to a mean of one over the rows of positive weight.
    """
    if as_given:
        X, y = validate_data(estimator, X, y, skip_check_array=True)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_consistent_length(X, y)
        check_form_of_table(estimator, X)
    else:
        try:
            X, y = validate_data(estimator, X, y, dtype=np.float32)
        except (TypeError, ValueError) as error:
            for sign, (kind, hint) in _HINTS.items():
                if sign in str(error):
                    message = f"{str(error).rstrip('.')}. {hint}"
                    raise kind(message) from error
            raise
        # torch takes no negative strides.
        X = np.ascontiguousarray(X)
    check_classification_targets(y)
    estimator.classes_, y = np.unique(y, return_inverse=True)
    if len(estimator.classes_) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs at least 2 classes in y; got 1 class: "
            f"{estimator.classes_.tolist()[0]!r}."
        )
    if sample_weight is not None:
        sample_weight = validated_weight(sample_weight, len(y))
    estimator._n_samples = len(y)
    return X, y.astype(np.int64, copy=False), sample_weight


def largest_feature(X):
    """Return the index of the feature with the largest values, and their size.

    The size is the root mean square, over a thousand of the rows; it is 0 for a
    constant, which tells no rows apart.
    """
    rows = X[:: max(1, len(X) // 1000)].astype(np.float64)
    size = np.sqrt(np.mean(rows**2, axis=0))
    size[np.ptp(rows, axis=0) == 0] = 0
    feature = int(size.argmax())
    return feature, size[feature]


def warn_unscaled(estimator, X):
    """Warn, once in a fit, if a feature is too large for the networks of `estimator`.

    Only for use in `all_or_nothing`, behind `validate_classification`.
    """
    feature, size = largest_feature(X)
    if size <= LARGEST_SCALE or _has_warned.get():
        return
    _has_warned.set(True)
    names = range(X.shape[1])
    if estimator.preprocessor is None:
        names = getattr(estimator, "feature_names_in_", names)
    name = names[feature]
    kind = type(estimator).__name__
    warnings.warn(
        f"{kind} trains networks, which need features on a scale of about 1; feature "
        f"{name!r} has values around {size:.3g}. Use preprocessor='auto', or put a "
        f"scaler before it: make_pipeline(StandardScaler(), {kind}(...)).",
        UserWarning,
    )


def validated_weight(sample_weight, n_samples):
    """Return the weights checked, and scaled as `validate_classification` says."""
    weight = check_array(
        sample_weight, dtype=np.float64, ensure_2d=False, input_name="sample_weight"
    )
    if weight.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have shape ({n_samples},), one weight for every row "
            f"of X. Got shape {weight.shape}."
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


def n_weighty(y, sample_weight):
    """Return the number of rows that count: those of positive weight."""
    return len(y) if sample_weight is None else np.count_nonzero(sample_weight)


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


def seeded_clone(estimator, *, random_state, seed):
    """Return a clone, each `random_state` of which that is None is drawn from `seed`.

    With ``random_state=None``, the caller's own, nothing is seeded.
    """
    estimator = clone(estimator)
    if random_state is None or isinstance(estimator, FrozenEstimator):
        return estimator
    unseeded = [
        name
        for name, value in sorted(estimator.get_params().items())
        if value is None and ends_in(name, "random_state")
    ]
    # Each its own, or the members of a voting classifier would be the same.
    seeds = draw_seeds(seed, len(unseeded))
    return estimator.set_params(**dict(zip(unseeded, seeds, strict=True)))


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
