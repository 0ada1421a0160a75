"""Soft targets: the logits of a fitted teacher, lined up and smoothed.

Logits and probabilities are never told apart by looking at them: each function
says which it takes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skdistill._sklearn import BaseSearchCV
from skdistill._softmax import soften

SMOOTHING = 1e-4
"""Share of the uniform distribution mixed into probabilities before their log.

Forests and nearest neighbours give exact zeros, whose logit is minus infinity.
"""

LARGEST_ZERO = 0.005
"""What an exact zero of a teacher stands for at most: half of one tree of a hundred."""

LARGEST_LOGIT = 1e30
"""Far below what overflows in float32, so that a small temperature can divide it."""


def proba_to_logits(
    proba: NDArray[Any], smoothing: float = SMOOTHING
) -> NDArray[np.float64]:
    """Return finite logits whose softmax is the smoothed `proba`.

    Smoothing mixes in the uniform distribution:
    ``(1 - smoothing) * proba + smoothing / n_classes``.
    """
    proba = np.asarray(proba, dtype=np.float64)
    return np.log((1 - smoothing) * proba + smoothing / proba.shape[1])


def without_zeros(*logits: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return logits of one teacher with exact zeros made what they may stand for.

    Where all trees of a forest agree, the others have the probability zero. The
    smoothing makes that a hundredth of what one tree in a hundred says, and a student
    learns to be that sure. So it becomes half of the smallest probability between zero
    and one that the teacher gives, or `LARGEST_ZERO` if that is less. Probabilities
    that are all zero or one tell nothing of the kind, and stay.

    Parameters
    ----------
    *logits : ndarray of shape (n_samples, n_classes), dtype float32
        What `proba_to_logits` has made of probabilities, with its own smoothing. Others
        have none of its zeros, and stay.
    """
    zero, one = np.unique(proba_to_logits(np.eye(2, logits[0].shape[1]))).astype("f4")
    smallest = min(z[(z > zero) & (z < one)].min(initial=one) for z in logits)
    if smallest == one or not any((z == zero).any() for z in logits):
        return list(logits)
    floor = np.clip(smallest - np.log(2), zero, np.log(LARGEST_ZERO))
    return [np.where(z == zero, np.float32(floor), z) for z in logits]


def align_columns(
    values: NDArray[Any],
    value_classes: NDArray[Any],
    classes: NDArray[Any],
    fill: float,
) -> NDArray[Any]:
    """Return `values` with one column per class of `classes`, in their order.

    A class that `value_classes` lacks gets the constant `fill`; one that only
    `value_classes` has is left out.
    """
    column_of = {label: column for column, label in enumerate(value_classes.tolist())}
    columns = [column_of.get(label) for label in classes.tolist()]
    aligned = np.full((len(values), len(classes)), fill, dtype=values.dtype)
    for target, source in enumerate(columns):
        if source is not None:
            aligned[:, target] = values[:, source]
    return aligned


def align_proba(
    proba: NDArray[Any], proba_classes: NDArray[Any], classes: NDArray[Any]
) -> NDArray[Any]:
    """Return distributions over `classes`: `align_columns`, and rows that sum to 1.

    A row that gives nothing to any of `classes` says nothing: it becomes uniform.
    """
    proba = align_columns(proba, proba_classes, classes, 0.0)
    total = proba.sum(axis=1, keepdims=True)
    uniform = np.full_like(proba, 1 / len(classes))
    return np.divide(proba, total, out=uniform, where=total != 0)


def _unwrapped(teacher: Any, X: Any) -> tuple[Any, Any]:
    """Return the model whose probabilities `teacher` hands on, and its `X`.

    Only wrappers that leave probabilities as they are may be looked through.
    """
    while not hasattr(teacher, "predict_logits"):
        match teacher:
            case FrozenEstimator():
                teacher = teacher.estimator
            case BaseSearchCV():
                teacher = teacher.best_estimator_
            case Pipeline():
                for _, step in teacher.steps[:-1]:
                    # "passthrough" has none, nor have samplers of imbalanced-learn.
                    if hasattr(step, "transform"):
                        X = step.transform(X)
                teacher = teacher.steps[-1][1]
            case _:
                break
    return teacher, X


def _checked_shape(values: Any, classes: NDArray[Any]) -> NDArray[np.float64]:
    try:
        values = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The teacher must predict numbers, one for each of its {len(classes)} "
            f"classes_, not labels: {error}."
        ) from error
    if values.ndim != 2 or values.shape[1] != len(classes):
        raise ValueError(
            f"The teacher must predict one column for each of its {len(classes)} "
            f"classes_. It gave an array of shape {values.shape}."
        )
    return values


def teacher_logits(
    teacher: Any, X: Any, classes: NDArray[Any], smoothing: float = SMOOTHING
) -> NDArray[np.float32]:
    """Return the logits of a fitted `teacher` for `X`, a column per class.

    Parameters
    ----------
    teacher : object
        Fitted classifier. Its `predict_logits` is used where it exists, also at the
        end of a pipeline or in a search, else the logarithm of its smoothed
        `predict_proba`.
    X : array-like or DataFrame
        The rows, just as the teacher wants them.
    classes : ndarray of shape (n_classes,)
        The classes, in the order of the columns wanted. A class the teacher never
        saw has the probability ``smoothing / n_classes``; probability that
        the teacher gives to further classes is shared out among these.
    smoothing : float, default=1e-4
        Weight of the uniform distribution in the smoothed probabilities.

    Returns
    -------
    ndarray of shape (n_samples, n_classes), dtype float32
        Finite logits.

    Raises
    ------
    ValueError
        If the teacher shares no class with `classes`, or gives values that are
        not finite, or not in float32.
    """
    if not hasattr(teacher, "classes_"):
        raise ValueError(
            f"The teacher must have classes_ once it is fitted. Got {teacher!r}, which "
            "has none."
        )
    teacher_classes = np.asarray(teacher.classes_)
    missing = set(classes.tolist()) - set(teacher_classes.tolist())
    if len(missing) == len(classes):
        raise ValueError(
            "The teacher must know the classes in y. It was fitted on the classes "
            f"{teacher_classes.tolist()}, while y has {classes.tolist()}."
        )
    model, model_X = _unwrapped(teacher, X)
    if hasattr(model, "predict_logits"):
        logits = _checked_shape(model.predict_logits(model_X), teacher_classes)
        logits = align_columns(logits, teacher_classes, classes, -np.inf)
        if missing:
            logits = proba_to_logits(soften(logits), smoothing)
    else:
        proba = _checked_shape(teacher.predict_proba(X), teacher_classes)
        if (proba < 0).any():
            raise ValueError(
                f"predict_proba of the teacher must be >= 0; it gave {proba.min()}."
            )
        logits = proba_to_logits(
            align_proba(proba, teacher_classes, classes), smoothing
        )
    usable = (np.abs(logits) <= LARGEST_LOGIT).all(axis=1)  # False for NaN
    if not usable.all():
        raise ValueError(
            f"The teacher {type(teacher).__name__} must predict finite values, and no "
            f"logit beyond {LARGEST_LOGIT:g}; it gave NaN, infinity or such a logit in "
            f"{(~usable).sum()} of {len(logits)} rows."
        )
    return logits.astype(np.float32)
