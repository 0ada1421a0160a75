"""Logits as probabilities, and as their logarithms. Numpy only."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


def soften(logits: NDArray[Any], temperature: float = 1.0) -> NDArray[Any]:
    """Return ``softmax(logits / temperature)``, along the last axis."""
    # numpy reduces short rows several times as fast if they are in columns.
    order: Literal["F", "C"] = "F" if logits.shape[-1] <= 32 else "C"
    proba = np.divide(logits, temperature, order=order)
    # For one row, the methods max and sum take longer than these.
    proba -= np.maximum.reduce(proba, axis=-1, keepdims=True)
    np.exp(proba, out=proba)
    proba /= np.add.reduce(proba, axis=-1, keepdims=True)
    return proba


def log_softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """Return the logarithm of ``softmax(logits)``, along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
