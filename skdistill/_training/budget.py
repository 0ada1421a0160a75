"""How long nets are trained, and in what batches, by the number of rows."""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

STEPS = {"student": 12000, "member": 3000}
"""How many gradient steps "auto" stands for, about."""
MIN_EPOCHS, MAX_EPOCHS = 5, 2000
MIN_BATCH, MAX_BATCH = 64, 512
NOISY = 0.1
"""The share of rows, wrong out of fold, from which on labels are taken for noise."""
BATCHES_PER_EPOCH = 128
"""How many batches an epoch has, about, where neither bound of their size holds."""
LATE_SHARE = 0.25
"""How much of its fall a loss may owe to the second half of the epochs, at most.

Measured on three tables: below, four times the epochs lower the test loss by a few
percent at most, or raise it.
"""


class Budget(NamedTuple):
    """Numbers in place of "auto"."""

    max_epochs: int
    batch_size: int
    weight_decay: float


def budget_of(estimator, n_rows, role, error=None):
    """Return the budget of the networks of `estimator` for training on `n_rows`.

    Their `role` is "student" or, in an ensemble, "member". The `error` is the share of
    rows that are wrong out of fold, if known.
    """
    given = {name: getattr(estimator, name) for name in Budget._fields}
    return budget(n_rows, STEPS[role], error, **given)


def budget(n_rows, n_steps, error=None, *, max_epochs, batch_size, weight_decay):
    """Return the budget for training on `n_rows`.

    Parameters
    ----------
    n_rows : int
    n_steps : int
        How many gradient steps "auto" stands for, about.
    error : float, default=None
        The share of rows that a model gets wrong out of fold, if it is known.
    max_epochs, batch_size : int or "auto"
        As the user gave them.
    weight_decay : float or "auto"
        As the user gave it.
    """
    if batch_size == "auto":
        batch_size = batch_size_for(n_rows)
    if max_epochs == "auto":
        n_batches = -(-n_rows // batch_size)
        n_epochs = -(-n_steps // n_batches)
        max_epochs = min(max(n_epochs, MIN_EPOCHS), MAX_EPOCHS)
    if weight_decay == "auto":
        weight_decay = weight_decay_for(n_rows, error)
    return Budget(max_epochs, batch_size, weight_decay)


def batch_size_for(n_rows):
    """Return the power of two that makes some `BATCHES_PER_EPOCH` of the rows."""
    wanted = max(n_rows / BATCHES_PER_EPOCH, 1)
    return int(np.clip(2 ** round(np.log2(wanted)), MIN_BATCH, MAX_BATCH))


def weight_decay_for(n_rows, error=None):
    """Return the power of two next to ``1 / n_rows``: a prior, shared by the rows.

    Where labels are noise, that is multiplied by how far the `error` is above `NOISY`.
    A power of two, so that folds of a search that differ by a row train as one stack.
    """
    factor = 1.0 if error is None else max(1.0, error / NOISY)
    return 2.0 ** round(np.log2(factor / n_rows))


def warn_unconverged(name, loss_curve):
    """Warn if the loss was falling still when training ended.

    Parameters
    ----------
    name : str
        What has been trained.
    loss_curve : list of float
        The mean training loss in each epoch.
    """
    n_epochs = len(loss_curve)
    first, middle, last = (loss_curve[i] for i in (0, (n_epochs - 1) // 2, -1))
    fall, late = first - last, middle - last
    if late > LATE_SHARE * fall > 0.01 * LATE_SHARE * abs(first):
        warnings.warn(
            f"Training of {name} has not converged: {late / fall:.0%} of what its loss "
            f"has fallen by came in the second half of {n_epochs} epochs. Raise "
            "max_epochs, or leave it at 'auto'.",
            ConvergenceWarning,
        )
