"""skorch nets: built, trained and read. The only file that spells `module__x`.

Nothing here knows where targets come from.
"""

import dis
import inspect
from collections.abc import Mapping
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.base import clone
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import Callback
from skorch.utils import to_tensor
from torch import nn

from skdistill._batches import ShuffledBatches
from skdistill._randomness import isolated_randomness

# --- Building -----------------------------------------------------------------------


def mlp_net(
    module,
    *,
    hidden_layer_sizes,
    max_epochs,
    lr,
    batch_size,
    weight_decay,
    device,
    **module_params,
):
    """Return an unfitted net that trains `module` with Adam on shuffled batches."""
    return NeuralNetClassifier(
        module,
        module__hidden_layer_sizes=checked_widths(hidden_layer_sizes),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        optimizer__weight_decay=weight_decay,
        max_epochs=max_epochs,
        lr=lr,
        batch_size=batch_size,
        iterator_train=ShuffledBatches,
        train_split=None,
        device=chosen_device(device),
        **{f"module__{name}": value for name, value in module_params.items()},
    )


def checked_widths(hidden_layer_sizes):
    """Return `hidden_layer_sizes` as a tuple of positive ints, or raise."""
    widths = np.atleast_1d(hidden_layer_sizes)
    if widths.size and (widths.dtype.kind not in "iu" or widths.min() < 1):
        raise ValueError(
            "The 'hidden_layer_sizes' parameter must hold positive integers. Got "
            f"{hidden_layer_sizes!r} instead."
        )
    return tuple(widths.tolist())


def _found_here(kind):
    """Return how many devices of a kind torch finds."""
    count = {
        "cpu": lambda: 1,
        "cuda": torch.cuda.device_count,
        "mps": torch.backends.mps.is_available,
    }
    return int(count[kind]())


def chosen_device(device):
    """Return the device that "auto" stands for: a GPU if there is one."""
    if device != "auto":
        return device
    return next(kind for kind in ("cuda", "mps", "cpu") if _found_here(kind))


def _check_device(device):
    """Raise unless torch can train on `device` here."""
    try:
        kind = torch.device(device).type
    except (RuntimeError, TypeError):
        kind = None
    if kind not in ("cpu", "cuda", "mps"):
        raise ValueError(
            "The 'device' parameter must be 'cpu', 'cuda', 'cuda:<index>', 'mps' or "
            f"'auto'. Got {device!r} instead."
        )
    if (torch.device(device).index or 0) >= _found_here(kind):
        raise ValueError(
            f"The 'device' parameter asks for {device!r}, which torch does not find "
            "here. Use device='auto', or install a torch build that sees the device."
        )


def check_member(net):
    """Raise if copies of `net` would all start from the same weights."""
    if isinstance(net.module, nn.Module):
        raise ValueError(
            "The 'estimator' parameter must have a module class, from which every "
            "member makes a module of its own. Got an instance of "
            f"{type(net.module).__name__}, whose weights all members would share."
        )


def _with_sizes(net, n_features, n_classes):
    """Give the sizes of the data to `net`, where its module takes them unset."""
    if isinstance(net.module, nn.Module):
        return net
    bound = getattr(net.module, "keywords", {})  # of a functools.partial
    sizes = {"n_features": n_features, "n_classes": n_classes}
    taken = inspect.signature(net.module).parameters
    unset = {
        f"module__{name}": size
        for name, size in sizes.items()
        if name in taken
        and name not in bound
        and f"module__{name}" not in net.get_params(deep=False)
    }
    return net.set_params(**unset)


def check_student(net):
    """Raise unless the criterion of `net` says no more than what its module returns."""
    given = {"criterion": net.criterion, **net.get_params_for("criterion")}
    if len(given) > 1 or net.criterion not in (nn.CrossEntropyLoss, nn.NLLLoss):
        raise ValueError(
            "The 'student' parameter must have criterion=torch.nn.CrossEntropyLoss for "
            "a module that returns logits, or torch.nn.NLLLoss for probabilities, and "
            f"no criterion__ settings: it trains with DistillationLoss. Got {given!r}."
        )
    if type(net).get_loss not in (NeuralNet.get_loss, NeuralNetClassifier.get_loss):
        raise ValueError(
            "The 'student' parameter must have skorch's own get_loss: it trains with "
            f"DistillationLoss. Got {type(net).__name__}, which has another."
        )


def prepared(net, X, n_classes, name):
    """Fit `net` to the data's sizes and raise for what would stop its training.

    A trial net is initialized and predicts a few rows; `net` itself stays unfitted.
    """
    net.set_params(device=chosen_device(net.device))
    _check_device(net.device)
    if net.max_epochs < 1:
        raise ValueError(f"max_epochs of {name} must be >= 1. Got {net.max_epochs}.")
    net = _with_sizes(net, X.shape[1], n_classes)
    with isolated_randomness(0, net.device):
        _check_outputs(clone(net).initialize(), X[:2], n_classes, name)
    return net


# --- Training -----------------------------------------------------------------------


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
    with isolated_randomness(seed, net.device):
        if net.iterator_train is ShuffledBatches:
            # It can take batches from the device, where other loaders take single rows.
            X, y = to_tensor(X, net.device), to_tensor(y, net.device)
            rows = {k: to_tensor(v, net.device) for k, v in (rows or {}).items()}
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
    """Tell skorch's way to stop early, a KeyboardInterrupt, from Ctrl-C."""
    trace = interrupt.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code.co_code
    raised = dis.opname[code[trace.tb_lasti]] == "RAISE_VARARGS"
    return raised and isinstance(trace.tb_frame.f_locals.get("self"), Callback)


def _blank(cls):
    return cls.__new__(cls)


def row_trained(cls, loss):
    """Return `cls` with batches that carry values per row, for as long as it trains."""

    class RowTrained(cls):
        def infer(self, x, **fit_params):
            return super().infer(x["X"] if isinstance(x, Mapping) else x, **fit_params)

        def __reduce_ex__(self, protocol):
            # What a callback saves is the user's own net.
            _, _, *state = super().__reduce_ex__(max(protocol, 2))
            return _blank, (cls,), *state

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

    def __getstate__(self):
        return {**vars(self), "bar": None}

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


def _check_outputs(net, X, n_classes, name):
    """Raise unless the module turns rows into the outputs that training needs."""
    try:
        outputs = net.evaluation_step((to_tensor(X, net.device), None))
    except RuntimeError as error:
        raise ValueError(
            f"The module of {name} must take X with {X.shape[1]} features. It failed "
            f"on {len(X)} rows: {error}"
        ) from error
    outputs = _first(outputs)
    if outputs.shape != (len(X), n_classes):
        raise ValueError(
            f"The module of {name} must return one output per class, of shape "
            f"(n_samples, {n_classes}). It returned shape {tuple(outputs.shape)} for "
            f"{len(X)} rows."
        )
    if not isinstance(net.criterion_, nn.CrossEntropyLoss):
        proba = _nonlinear(net, outputs)
        totals = proba.sum(dim=1)
        if proba.min() < 0 or not torch.allclose(totals, torch.ones_like(totals)):
            raise ValueError(
                f"The criterion of {name} is {type(net.criterion_).__name__}, with "
                "which skorch expects a module that returns probabilities. It returned "
                f"others, such as {outputs[0].tolist()}. For a module that returns "
                "logits set criterion=torch.nn.CrossEntropyLoss, or beside a criterion "
                "of your own predict_nonlinearity, to make probabilities of them."
            )


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
    for epoch in net.history:
        epoch.pop("batches", None)
    return net


# --- Reading ------------------------------------------------------------------------


def _first(outputs):
    return outputs[0] if isinstance(outputs, tuple) else outputs


def _nonlinear(net, outputs):
    given = net.predict_nonlinearity
    return given(outputs) if callable(given) else outputs


def as_logits(net, outputs):
    """Read a module's outputs the way skorch does: the criterion says what they are."""
    outputs = _first(outputs)
    if isinstance(net.criterion_, nn.CrossEntropyLoss):
        return outputs
    proba = _nonlinear(net, outputs)
    return torch.log(proba + torch.finfo(proba.dtype).eps)
