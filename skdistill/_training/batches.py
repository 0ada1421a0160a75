"""Batches in random order, for one net or for many at once. Torch and numpy only."""

import warnings
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

# What is gathered at once, for several small batches of every replica: at most so many
# rows of a replica, and numbers of all.
CHUNK_ROWS = 1024
CHUNK_NUMBERS = 500_000


class ShuffledBatches:
    """Batches in a new random order in every epoch, as an `iterator_train` of skorch.

    It takes a whole batch from the dataset at a time, where torch's DataLoader takes a
    row. All orders follow from one number that it draws from torch's generator.
    """

    __module__ = "skdistill"  # where it is pickled from

    def __init__(self, dataset, batch_size):
        self.dataset = dataset
        self.batch_size = batch_size
        self.generator = torch.Generator().manual_seed(draw_order_seed())

    def __len__(self):
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self):
        order = torch.randperm(
            len(self.dataset), generator=self.generator, device="cpu"
        ).numpy()
        for start in range(0, len(order), self.batch_size):
            yield self.dataset[order[start : start + self.batch_size]]


def as_tensor(array):
    """Return a tensor in the memory of `array`, read-only or not."""
    with warnings.catch_warnings():
        # Training only reads its arrays, and joblib hands out read-only ones.
        warnings.filterwarnings("ignore", "The given NumPy array is not writ")
        return torch.from_numpy(array)


def draw_order_seed():
    """Return a seed for the order of the batches, drawn from torch's generator."""
    return int(torch.randint(2**62, (), device="cpu"))


class StackedChunk(NamedTuple):
    """Several batches of every replica.

    `share` is the weight of a row in the mean of its replica's batch. It is 0 for the
    rows that fill up the batch of a replica with less rows than another; `n_rows` are
    the others.
    """

    X: Tensor  # (n_batches, n_replicas, n_rows, n_features)
    y: Tensor  # (n_batches, n_replicas, n_rows)
    share: Tensor  # (n_batches, n_replicas, n_rows)
    teacher_logits: Tensor | None  # (n_batches, n_replicas, n_rows, n_classes)
    n_rows: Tensor  # (n_replicas,)


class StackedBatches:
    """Batches of several replicas at once; an iteration is an epoch.

    Each replica has its own rows, in the order in which `ShuffledBatches` would have
    them for its seed. Replicas that agree in all of this share one copy of a batch.
    An iteration yields chunks of several batches.

    Parameters
    ----------
    X, y : Tensor
        The data of all replicas.
    replicas : list
        With the attributes of `many_nets.Replica`. All have the same number of
        batches.
    order_seeds : list of int
        What `draw_order_seed` returned for each of the replicas.
    batch_size : int
    shuffle : bool
        False leaves the rows in their order.

    Attributes
    ----------
    n_at_once : int
        Number of batches that are gathered at once, at most.
    n_rows_of_replicas : Tensor of shape (n_replicas,)
    """

    def __init__(self, X, y, replicas, order_seeds, *, batch_size, shuffle):
        self.X, self.y = X, y
        self.batch_size = batch_size
        self.shuffle = shuffle
        keys = [
            (seed, id(r.rows), id(r.sample_weight), id(r.teacher_logits))
            for r, seed in zip(replicas, order_seeds, strict=True)
        ]
        sources = dict(zip(keys, replicas, strict=True))
        positions = {key: position for position, key in enumerate(sources)}
        self.source_of = torch.tensor([positions[key] for key in keys], device=X.device)
        replicas = list(sources.values())
        self.generators = [torch.Generator().manual_seed(seed) for seed, *_ in sources]
        self.n_rows = [len(X if r.rows is None else r.rows) for r in replicas]
        self.n_rows_of_replicas = self.source_of.new_tensor(self.n_rows)[self.source_of]
        numbers = len(replicas) * batch_size * X.shape[1]
        self.n_at_once = max(1, min(CHUNK_ROWS // batch_size, CHUNK_NUMBERS // numbers))
        self.rows = _column([r.rows for r in replicas], np.arange(len(X)), X.device)
        weights = [r.sample_weight for r in replicas]
        self.sample_weight = _column(weights, np.ones(len(X), np.float32), X.device)
        logits = [r.teacher_logits for r in replicas]
        n_classes = max(0 if array is None else array.shape[1] for array in logits)
        zeros = np.zeros((len(X), n_classes), np.float32)
        self.teacher_logits = _column(logits, zeros, X.device)

    def __iter__(self):
        order = self._order()
        size = self.batch_size
        last = (order.shape[1] - 1) // size * size
        chunk = self.n_at_once * size
        for start in range(0, last, chunk):
            positions = order[:, start : min(start + chunk, last)]
            n_rows = order.new_full((len(order),), size)
            yield self._gathered(positions.unflatten(1, (-1, size)), n_rows)
        n_rows = order.new_tensor(self.n_rows) - last
        yield self._gathered(order[:, last:].unsqueeze(1), n_rows)

    def _order(self):
        order = torch.empty(
            len(self.n_rows), max(self.n_rows), dtype=torch.int64, device="cpu"
        )
        for source, n_rows in enumerate(self.n_rows):
            own, filling = order[source].split([n_rows, order.shape[1] - n_rows])
            if self.shuffle:
                torch.randperm(
                    n_rows, generator=self.generators[source], out=own, device="cpu"
                )
            else:
                torch.arange(n_rows, out=own, device="cpu")
            filling.copy_(own[0])
        return order.to(self.X.device)

    def _gathered(self, positions, n_rows):
        """Return a chunk.

        Parameters
        ----------
        positions : Tensor of shape (n_sources, n_batches, n_rows)
            Places among the rows of replicas, one for each that differs in them.
        n_rows : Tensor of shape (n_sources,)
            How many of each batch are rows of its own.
        """
        positions = positions.transpose(0, 1)
        rows = positions if self.rows is None else self.rows(positions)
        filled = torch.arange(rows.shape[2], device=rows.device) < n_rows[:, None]
        share = (filled.to(self.X.dtype) / n_rows[:, None]).expand(rows.shape)
        if self.sample_weight is not None:
            share = share * self.sample_weight(positions)
        logits = None
        if self.teacher_logits is not None:
            logits = self._of_replicas(self.teacher_logits(positions))
        return StackedChunk(
            self._of_replicas(self.X[rows]),
            self._of_replicas(self.y[rows]),
            self._of_replicas(share),
            logits,
            n_rows[self.source_of],
        )

    def _of_replicas(self, values):
        """Turn what was gathered for every source into what every replica gets."""
        n_sources, n_replicas = values.shape[1], len(self.source_of)
        if n_sources == 1:
            return values.expand(-1, n_replicas, *[-1] * (values.ndim - 2))
        return values if n_sources == n_replicas else values[:, self.source_of]


def _column(arrays, default, device):
    """Return a function from positions in each array to the values there.

    The `default` stands for the arrays that are None; if all are, so is the result.
    Arrays that several replicas share are held once.
    """
    if all(array is None for array in arrays):
        return None
    arrays = [default if array is None else array for array in arrays]
    distinct = {id(array): array for array in arrays}
    ends = np.cumsum([len(array) for array in distinct.values()])
    start = dict(zip(distinct, [0, *ends[:-1]], strict=True))
    starts = torch.tensor([[start[id(array)]] for array in arrays], device=device)
    table = torch.from_numpy(np.concatenate(list(distinct.values()))).to(device)
    return lambda positions: table[starts + positions]
