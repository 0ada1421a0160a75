"""Soft targets: the logits of a fitted teacher, lined up, smoothed and softened.

Logits and probabilities are never told apart by looking at them: each function
says which it takes.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

SMOOTHING = 1e-4
"""Share of the uniform distribution mixed into probabilities before their log.

Forests and nearest neighbours give exact zeros, whose logit is minus infinity.
"""


def soften(logits: NDArray[Any], temperature: float = 1.0) -> NDArray[Any]:
    """Return ``softmax(logits / temperature)``, along the last axis."""
    # numpy reduces short rows several times as fast if they are in columns.
    order: Literal["F", "C"] = "F" if logits.shape[-1] <= 32 else "C"
    proba = np.divide(logits, temperature, order=order)
    proba -= proba.max(axis=-1, keepdims=True)
    np.exp(proba, out=proba)
    proba /= proba.sum(axis=-1, keepdims=True)
    return proba


def proba_to_logits(
    proba: NDArray[Any], smoothing: float = SMOOTHING
) -> NDArray[np.float64]:
    """Return finite logits whose softmax is the smoothed `proba`.

    Smoothing mixes in the uniform distribution:
    ``(1 - smoothing) * proba + smoothing / n_classes``.
    """
    proba = np.asarray(proba, dtype=np.float64)
    return np.log((1 - smoothing) * proba + smoothing / proba.shape[1])


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


def _checked_shape(values: Any, classes: NDArray[Any]) -> NDArray[np.float64]:
    values = np.asarray(values, dtype=np.float64)
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
        Fitted classifier. Its `predict_logits` is used where it exists, else the
        logarithm of its smoothed `predict_proba`.
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
        not finite.
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
    if hasattr(teacher, "predict_logits"):
        logits = _checked_shape(teacher.predict_logits(X), teacher_classes)
        logits = align_columns(logits, teacher_classes, classes, -np.inf)
        if missing:
            logits = proba_to_logits(soften(logits), smoothing)
    else:
        proba = _checked_shape(teacher.predict_proba(X), teacher_classes)
        if (proba < 0).any():
            raise ValueError(
                f"predict_proba of the teacher must be >= 0; it gave {proba.min()}."
            )
        proba = align_columns(proba, teacher_classes, classes, 0.0)
        total = proba.sum(axis=1, keepdims=True)
        uniform = np.full_like(proba, 1 / len(classes))
        proba = np.divide(proba, total, out=uniform, where=total != 0)
        logits = proba_to_logits(proba, smoothing)
    if not np.isfinite(logits).all():
        raise ValueError(
            f"The teacher {type(teacher).__name__} must predict finite values; it "
            f"gave NaN or infinity in {(~np.isfinite(logits)).any(axis=1).sum()} of "
            f"{len(logits)} rows."
        )
    return logits.astype(np.float32)
