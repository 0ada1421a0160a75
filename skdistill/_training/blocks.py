"""Replicas in blocks, which are trained side by side, and each step by step."""

import numpy as np
import torch

from skdistill._training.batches import StackedBatches
from skdistill._training.loss import (
    HIGH_TEMPERATURE,
    loss_and_gradient,
    stacked_targets,
)
from skdistill._training.stacked_modules import StackedModule, stack

# Replicas that step together share the overhead of a step. With more parameters than
# these between them, they fall out of the processor's cache from one step to the next;
# with more replicas than these, a second thread saves more than sharing does.
BLOCK_PARAMETERS = 300_000
BLOCK_REPLICAS = 40
# Rows of every replica for which dropout is drawn at once.
MASK_ROWS = 256


def takes_turns(stack):
    """Tell blocks that draw from torch's own generator, or on a GPU share a stream."""
    return isinstance(stack, StackedModule) or stack.flat.device.type != "cpu"


def partition(sizes, n_parameters, device):
    """Return the indices of the replicas of each block: all are of one size."""
    for size in np.unique(sizes):
        indices = np.flatnonzero(sizes == size)
        if device.type != "cpu":
            yield indices
            continue
        share = max(n_parameters / BLOCK_PARAMETERS, 1 / BLOCK_REPLICAS)
        n_blocks = max(1, len(indices) * share)
        # A power of two, which the number of threads mostly divides.
        n_blocks = 2 ** int(np.ceil(np.log2(n_blocks)))
        yield from np.array_split(indices, min(n_blocks, len(indices)))


class Block:
    """Replicas that take every step together, with an optimizer for all of them."""

    def __init__(
        self,
        indices,
        modules,
        replicas,
        order_seeds,
        X,
        y,
        *,
        n_classes,
        batch_size,
        shuffle,
    ):
        self.indices = indices
        self.batches = StackedBatches(
            X, y, replicas, order_seeds, batch_size=batch_size, shuffle=shuffle
        )
        n_steps = max(1, MASK_ROWS // batch_size)
        seeds = [replica.seed for replica in replicas]
        self.stack = stack(modules, seeds, batch_size, n_steps)
        self.temperature = X.new_tensor([[[r.temperature]] for r in replicas])
        self.is_high = any(r.temperature > HIGH_TEMPERATURE for r in replicas)
        alphas = [0 if r.teacher_logits is None else r.alpha for r in replicas]
        self.alpha = X.new_tensor(alphas)[:, None, None]
        self.n_classes = n_classes

    def run_epoch(self, settings, stop):
        """Train for an epoch and return the mean loss of every replica."""
        self.optimizer.param_groups[0].update(settings)
        total = 0
        for chunk in self.batches:
            if stop.is_set():
                return None
            total += self._steps(chunk)
        return (total / self.batches.n_rows_of_replicas).cpu().numpy()

    def _steps(self, chunk):
        """Train with several batches and return the sum of each replica's losses."""
        targets = stacked_targets(
            chunk.teacher_logits,
            chunk.y,
            chunk.share,
            n_classes=self.n_classes,
            temperature=self.temperature,
            alpha=self.alpha,
            is_high=self.is_high,
        )
        pairs = zip(chunk.X, targets.by_batch(), strict=True)
        losses = [self._step(X, of_batch) for X, of_batch in pairs]
        return torch.stack(losses).sum(dim=0) * chunk.n_rows

    def _step(self, X, targets):
        """Train with a batch and return the mean loss of every replica."""
        logits = self.stack.forward(X)
        loss, gradient = loss_and_gradient(logits, targets, self.temperature)
        self.stack.backward(gradient)
        self.optimizer.step()
        return loss
