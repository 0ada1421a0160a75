"""One skorch net, trained by itself."""

import dis
import signal
from collections.abc import Mapping
from contextlib import contextmanager

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.utils import to_tensor
from torch.utils.data import DataLoader

from skdistill._training.batches import ShuffledBatches
from skdistill._training.nets import as_logits, is_own
from skdistill._training.seeds import isolated_randomness


def train_net(net, X, y, *, seed, name, loss=None, rows=None, bar=None, verbose=0):
    """Train `net` in place and return it, ready to predict on the CPU.

    Parameters
    ----------
    net : skorch.NeuralNet
        The net, unfitted, as `prepared` returns it.
    X : ndarray of shape (n_samples, n_features), dtype float32
    y : ndarray of shape (n_samples,), dtype int64
    seed : int
        Decides initialization, batch order and dropout.
    name : str
        What errors call the net.
    loss : callable, default=None
        Called as ``loss(logits, y=y, **rows)`` in place of the net's criterion.
    rows : dict of str to ndarray, default=None
        Values per row, batched along with `X`. Without a `loss`, that is at most
        `sample_weight`, which weights the rows in the net's own criterion.
    bar : tqdm, default=None
        Moved on by one per epoch, and by `max_epochs` in all.
    verbose : int, default=0
        2 prints skorch's table.
    """
    net.set_params(verbose=int(verbose >= 2))
    plain_class = type(net)
    with isolated_randomness(seed, net.device, own_module=is_own(net)):
        if net.iterator_train is ShuffledBatches:
            # It can take batches from the device, where other loaders take single rows.
            X, y = to_tensor(X, net.device), to_tensor(y, net.device)
            rows = {k: to_tensor(v, net.device) for k, v in (rows or {}).items()}
        elif net.iterator_train is not DataLoader:
            X = X.copy()  # its batches may be views, and the module work in place
        net.initialize()
        watch = _EpochWatch(bar, name)
        net.callbacks_.append(("skdistill", watch))
        if rows:
            net.__class__ = row_trained(plain_class, loss)
        try:
            run(net, X, y, rows)
        finally:
            net.__class__ = plain_class
            net.callbacks_.remove(("skdistill", watch))
    watch.finish(net)
    check_weights(net, name)
    return settled(net)


def run(net, X, y, rows=None):
    """Train an initialized net, on batches that carry `rows` along if there are any."""
    # Not net.fit, which swallows Ctrl-C and returns a net that is half trained.
    net.notify("on_train_begin", X=X, y=y)
    try:
        net.fit_loop({"X": X, **rows} if rows else X, y)
    except KeyboardInterrupt as interrupt:
        if not raised_by_callback(interrupt):
            raise
    net.notify("on_train_end", X=X, y=y)


def raised_by_callback(interrupt):
    """Tell skorch's way to stop early, a KeyboardInterrupt, from Ctrl-C.

    It comes from a raise statement in what the net notifies. Ctrl-C may arrive there
    too, and what caught it may raise another.
    """
    frames = [trace.tb_frame for trace in _traces(interrupt)]
    notified = NeuralNet.notify.__code__ in [frame.f_code for frame in frames[:-1]]
    each, traces = interrupt, _traces(interrupt)
    # What a caller of `fit` has caught, and handles still, is none of its business.
    while traces and traces[0].tb_frame in frames:
        if isinstance(each, KeyboardInterrupt) and _is_ctrl_c(traces):
            return False
        each = each.__context__
        traces = _traces(each)
    return notified


def _traces(error):
    """Return where an error has been, from where it was caught to where it began."""
    traces, trace = [], getattr(error, "__traceback__", None)
    while trace is not None:
        traces.append(trace)
        trace = trace.tb_next
    return traces


def _is_ctrl_c(traces):
    """Tell an interrupt that came from no statement, or from a handler of SIGINT."""
    handler = signal.getsignal(signal.SIGINT)
    handler = getattr(handler, "func", handler)  # asyncio's is a functools.partial
    codes = [trace.tb_frame.f_code for trace in traces]
    raised = dis.opname[codes[-1].co_code[traces[-1].tb_lasti]] == "RAISE_VARARGS"
    return not raised or getattr(handler, "__code__", None) in codes


def row_trained(cls, loss):
    """Return `cls` with batches that carry values per row, for as long as it trains."""

    class RowTrained(cls):
        def infer(self, x, **fit_params):
            return super().infer(x["X"] if isinstance(x, Mapping) else x, **fit_params)

        def __reduce_ex__(self, protocol):
            # What a callback saves is the user's own net, and names nothing of ours.
            _, _, *state = super().__reduce_ex__(max(protocol, 2))
            return object.__new__, (cls,), *state

        def get_loss(self, y_pred, y_true, X=None, training=False):
            if not isinstance(X, Mapping):  # a validation set of the user's own
                return super().get_loss(y_pred, y_true, X=X, training=training)
            batch = {key: to_tensor(X[key], self.device) for key in X if key != "X"}
            if loss is not None:
                y = to_tensor(y_true, self.device)
                return loss(as_logits(self, y_pred), y=y, **batch)
            with _per_row(self.criterion_):
                losses = super().get_loss(y_pred, y_true, X=X, training=training)
            total = (losses * batch["sample_weight"]).sum()
            return total / _row_count(self.criterion_, to_tensor(y_true, self.device))

    return RowTrained


@contextmanager
def _per_row(criterion):
    if not hasattr(criterion, "reduction"):
        raise ValueError(
            "sample_weight needs a criterion with a `reduction`, as torch's losses "
            f"have; {type(criterion).__name__} has none."
        )
    reduction, criterion.reduction = criterion.reduction, "none"
    try:
        yield
    finally:
        criterion.reduction = reduction


def _row_count(criterion, y):
    """Return what the criterion divides the sum of its rows' losses by."""
    if criterion.reduction == "sum":
        return 1
    class_weight = getattr(criterion, "weight", None)
    return len(y) if class_weight is None else class_weight[y].sum()


class _EpochWatch(Callback):
    """Moves the progress bar; stops a fit whose loss is no longer finite."""

    def __init__(self, bar, name):
        self.bar = bar
        self.name = name
        self.n_epochs = 0

    def __reduce__(self):
        return Callback, ()  # in what a user's callback saves

    def on_epoch_end(self, net, **kwargs):
        loss = self._recorded_loss(net)
        if not np.isfinite(loss):
            raise diverged(net, self.name, f"its loss became {loss}")
        self.n_epochs += 1
        if self.bar is not None:
            self.bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            self.bar.update()

    def _recorded_loss(self, net):
        """Return the mean loss of the epoch, recorded if no callback has done it."""
        batches = [b for b in net.history[-1]["batches"] if "train_loss" in b]
        if not batches:
            raise ValueError(
                f"Training of {self.name} has no batch in an epoch: lower its "
                f"batch_size, which is {net.batch_size}, or leave drop_last off."
            )
        losses = [batch["train_loss"] for batch in batches]
        sizes = [batch["train_batch_size"] for batch in batches]
        loss = float(np.average(losses, weights=sizes))
        if "train_loss" not in net.history[-1]:
            net.history.record("train_loss", loss)
        return loss

    def finish(self, net):
        """Make up for the callback that has stopped training, if one has."""
        self._recorded_loss(net)
        if self.bar is not None:
            self.bar.update(net.max_epochs - self.n_epochs)


def check_weights(net, name):
    for weights in net.module_.parameters():
        if not torch.isfinite(weights).all():
            raise diverged(net, name, "its weights became infinite")


def diverged(net, name, what):
    """Return the error that stops a fit that cannot recover."""
    return ValueError(
        f"Training of {name} stopped: {what} in epoch {len(net.history)} of "
        f"{net.max_epochs}. Try a lower lr (it is {net.lr}), or scale the features, as "
        "with StandardScaler."
    )


def settled(net):
    """Bring a trained net to the CPU and drop what only training needs."""
    net.module_.to("cpu").eval()
    net.criterion_.to("cpu")
    net.device = "cpu"
    net.optimizer_.state.clear()
    if hasattr(net, "classes_inferred_"):  # UNLABELLED is no class
        net.classes_inferred_ = net.classes_inferred_[net.classes_inferred_ >= 0]
    for epoch in net.history:
        epoch.pop("batches", None)
    return net
