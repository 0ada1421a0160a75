"""Nets that are trained in a stack, and do the rest of their epochs by themselves."""

import numpy as np
from skorch.dataset import Dataset
from torch.utils.data import Subset

from skdistill._training.batches import ShuffledBatches
from skdistill._training.loss import DistillationLoss
from skdistill._training.one_net import raised_by_callback, row_trained


class Follower:
    """A net that is trained in a stack, and does the rest of its epochs by itself.

    That is to validate, to call its callbacks, and to keep its history.

    Parameters
    ----------
    net : skorch.NeuralNetClassifier
        The net, initialized.
    replica : skdistill._training.many_nets.Replica
        How it is trained.
    y : ndarray of shape (n_samples,), dtype int64
        The labels of all replicas.

    Attributes
    ----------
    replica : skdistill._training.many_nets.Replica
        The same, with the rows that validation leaves.
    goes_on : bool
        Whether no callback has stopped it.
    """

    def __init__(self, net, replica, y):
        self.net = net
        self.goes_on = True
        if replica.rows is None:
            replica = replica._replace(rows=np.arange(len(y)))
        self.replica, self.validation = replica, None
        labels = y[replica.rows]
        if net.train_split is not None:
            subsets = net.train_split(replica.rows, labels)
            self.replica, self.validation = (
                _part(replica, np.asarray(subset.indices, dtype=np.int64))
                for subset in subsets
            )
            if not len(self.replica.rows):
                raise ValueError(
                    f"Training of {replica.name} has no batch in an epoch: its "
                    f"train_split leaves none of {len(labels)} rows."
                )
        net.check_data(replica.rows, labels)

    def begin(self, X, y, X_there, y_there):
        """Begin to train.

        Parameters
        ----------
        X, y : ndarray
            The data of all replicas.
        X_there, y_there : Tensor
            The same, on the device.
        """
        self.X, self.y = X_there, y_there
        if self.net.iterator_train is ShuffledBatches:
            X, y = X_there, y_there  # as train_net has it
        self.data = {"X": X, "y": y}
        data = Dataset(X, y)
        self.datasets = {
            "dataset_train": Subset(data, self.replica.rows),
            "dataset_valid": self.validation and Subset(data, self.validation.rows),
        }
        self.plain_class = type(self.net)
        if _values(self.replica):
            loss = None
            if self.replica.teacher_logits is not None:
                loss = DistillationLoss(self.replica.temperature, self.replica.alpha)
            self.net.__class__ = row_trained(self.plain_class, loss)
        self.net.notify("on_train_begin", **self.data)

    def begin_epoch(self):
        """Begin an epoch, before the stack is trained."""
        self.net.notify("on_epoch_begin", **self.datasets)

    def end_epoch(self, loss, n_batches):
        """End an epoch, with its mean loss and the weights that it led to."""
        net = self.net
        net.history.new_batch()
        net.history.record_batch("train_loss", loss)
        net.history.record_batch("train_batch_size", len(self.replica.rows))
        net.history.record("train_batch_count", n_batches)
        net.run_single_epoch(
            self.validation and self._validation_batches(),
            training=False,
            prefix="valid",
            step_fn=net.validation_step,
        )
        try:
            net.notify("on_epoch_end", **self.datasets)
        except KeyboardInterrupt as interrupt:
            if not raised_by_callback(interrupt):
                raise
            self.goes_on = False
        if "train_loss" not in net.history[-1]:  # with callbacks="disable"
            net.history.record("train_loss", loss)
        # The stack may be trained through this very module.
        net.module_.train()

    def _validation_batches(self):
        rows, values = self.validation.rows, _values(self.validation)
        size = len(rows) if self.net.batch_size == -1 else self.net.batch_size
        for start in range(0, len(rows), size):
            batch = slice(start, start + size)
            X, y = self.X[rows[batch]], self.y[rows[batch]]
            of_batch = {name: array[batch] for name, array in values.items()}
            yield ({"X": X, **of_batch} if values else X), y

    def end(self):
        """End the training."""
        self.net.notify("on_train_end", **self.data)
        self.net.__class__ = self.plain_class


def _values(replica):
    """Return the values per row, by name, that the loss takes."""
    names = ("sample_weight", "teacher_logits")
    values = {name: getattr(replica, name) for name in names}
    return {name: array for name, array in values.items() if array is not None}


def _part(replica, places):
    """Return the replica with the rows at `places`."""
    arrays = {"rows": replica.rows, **_values(replica)}
    return replica._replace(**{name: array[places] for name, array in arrays.items()})
