"""What can be trained as a stack of replicas, and what speaks against it."""

from collections import deque
from logging import Logger
from types import FunctionType, ModuleType

import joblib
import numpy as np
import torch
from sklearn.base import clone
from skorch import NeuralNetClassifier
from skorch.callbacks import (
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    LRScheduler,
    PassthroughScoring,
    PrintLog,
)
from skorch.dataset import Dataset, ValidSplit
from skorch.utils import to_tensor
from torch import nn
from torch.nn.modules.dropout import _DropoutNd
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.overrides import TorchFunctionMode
from torch.utils.data import DataLoader

from skdistill._training.batches import ShuffledBatches
from skdistill._training.nets import is_own
from skdistill._training.seeds import isolated_randomness
from skdistill._training.stacked_modules import stack

# They treat every number on its own, so that any parameters can be put in one tensor.
ELEMENTWISE_OPTIMIZERS = (
    torch.optim.Adadelta,
    torch.optim.Adagrad,
    torch.optim.Adam,
    torch.optim.Adamax,
    torch.optim.AdamW,
    torch.optim.NAdam,
    torch.optim.RAdam,
    torch.optim.RMSprop,
    torch.optim.SGD,
)


def why_not_stacked(net, X):
    """Return why replicas of `net` must be trained one by one, or None.

    Parameters
    ----------
    net : skorch.NeuralNet
        The net, unfitted, with a module class.
    X : ndarray of shape (n_samples, n_features), dtype float32
        The rows, of which a few are tried.

    Returns
    -------
    str or None
        A clause, such as "its optimizer is LBFGS".
    """
    return next(_net_reasons(net), None) or next(_module_reasons(net, X[:5]), None)


def _net_reasons(net):
    if type(net) is not NeuralNetClassifier:
        yield f"it is a {type(net).__name__}, which may train in a way of its own"
    if isinstance(net.module, nn.Module):
        yield "its module is an instance, so that replicas would start from one state"
    if net.criterion is not nn.CrossEntropyLoss or net.get_params_for("criterion"):
        yield "its criterion is not CrossEntropyLoss with default settings"
    if net.optimizer not in ELEMENTWISE_OPTIMIZERS:
        yield f"its optimizer is {getattr(net.optimizer, '__name__', net.optimizer)}"
    if hasattr(net, "optimizer__param_groups"):
        yield "its optimizer has param_groups"
    if net.train_split is not None:
        if type(net.train_split) is not ValidSplit:
            yield "its train_split is not a ValidSplit"
        if net.iterator_valid is not DataLoader or net.get_params_for("iterator_valid"):
            yield "it has an iterator_valid of its own"
    if net.iterator_train not in (DataLoader, ShuffledBatches) or (
        net.get_params_for("iterator_train").keys() - {"shuffle"}
    ):
        yield "its iterator_train does more than shuffle"
    if net.dataset is not Dataset or net.get_params_for("dataset"):
        yield "it has a dataset of its own"
    if net.compile:
        yield "it compiles its module"
    callbacks = _callbacks(net)
    for callback in callbacks:
        if not (_is_schedule(callback) or _hears_of_epochs(callback)):
            yield f"its callback {callback!r} may need a net for each replica"
    if does_more_than_train(net) and any(map(_is_schedule, callbacks)):
        yield "it has a learning rate schedule beside early stopping or a train_split"


def does_more_than_train(net):
    """Tell a net that validates or may stop, for which it needs epochs of its own."""
    stops = any(isinstance(callback, EarlyStopping) for callback in _callbacks(net))
    return net.train_split is not None or stops


def _callbacks(net):
    """Return all callbacks of a net, with what `callbacks__name` makes of them."""
    if net.callbacks == "disable":
        return []
    return [callback for _, callback in clone(net).initialize_callbacks().callbacks_]


def _is_schedule(callback):
    """Tell a callback that sets the learning rate, whatever the losses are."""
    return (
        type(callback) is LRScheduler
        and callback.step_every == "epoch"
        and callback.policy not in (ReduceLROnPlateau, "ReduceLROnPlateau")
    )


def _hears_of_epochs(callback):
    """Tell a callback that needs of the training no more than its mean loss."""
    if type(callback) is EpochScoring:
        return not callback.on_train
    if type(callback) is PassthroughScoring:
        return callback.name in ("train_loss", "valid_loss")
    return type(callback) in (EarlyStopping, EpochTimer, PrintLog)


def _module_reasons(net, X):
    with isolated_randomness(0, net.device, own_module=is_own(net)):
        modules = [clone(net).initialize().module_ for _ in range(2)]
        name = type(modules[0]).__name__
        parameters = list(modules[0].parameters())
        if next(modules[0].buffers(), None) is not None:
            yield f"{name} has buffers, as batch normalization does"
        if not all(parameter.requires_grad for parameter in parameters):
            yield f"{name} has frozen parameters"
        if {parameter.dtype for parameter in parameters} != {torch.float32}:
            yield f"{name} has parameters that are not float32, or none"
        try:
            reason = _failed_trial(modules, to_tensor(X, net.device))
        except Exception as error:
            reason = f"does not work in a stack: {error}"
        if reason is not None:
            yield f"{name} {reason}"


def _failed_trial(modules, X):
    """Return how a stack of the modules differs from each alone, if it does.

    Hooks, layers that are used twice, and modules that differ in more than parameters
    need no list of what to look for. As training mode may be another computation, it is
    tried too, but for the layers of dropout, so that there is something to compare.
    """
    for training in (False, True):
        for module in modules:
            for part in module.train(training).modules():
                if isinstance(part, _DropoutNd):
                    part.eval()
        reason, drawn = _failed_mode(modules, X)
        if reason is None and drawn:
            with _NothingDrawn():
                reason, _ = _failed_mode(modules, X)
        if reason is not None:
            return reason
    return None


def _failed_mode(modules, X):
    """Return what `_failed_trial` does for one mode, and whether a module drew."""
    before = [_Attributes(module) for module in modules]
    trial = stack(modules, seeds=[0, 1], n_rows=len(X))
    outputs = trial.forward(X.expand(len(modules), *X.shape)).clone()
    slope = torch.linspace(-1, 1, outputs.numel()).to(outputs).view_as(outputs)
    trial.backward(slope)
    if any(attributes.changed() for attributes in before):
        return "is changed by its forward", False
    pairs = []
    drawn = False
    for index, module in enumerate(modules):
        module.zero_grad()
        generator = _generator(X.device)
        alone = module(X.clone())
        alone.backward(slope[index])
        drawn = drawn or not torch.equal(generator, _generator(X.device))
        pairs.append((alone, outputs[index]))
        for parameter, gradients in zip(
            module.parameters(), trial.gradients, strict=True
        ):
            if parameter.grad is not None:
                pairs.append((parameter.grad, gradients[index]))
    if any(attributes.changed() for attributes in before):
        return "is changed by its forward", False
    # What dropout and noise make of the rows is different each time.
    same = drawn or all(torch.allclose(*pair, rtol=1e-3, atol=1e-4) for pair in pairs)
    return None if same else "computes something else in a stack", drawn


def _generator(device):
    """Return the state of torch's generator, which tells whether a module drew."""
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else torch.get_rng_state()


class _NothingDrawn(TorchFunctionMode):
    """Makes dropout in a forward keep all and noise a constant, to compare the rest.

    Seeds would not do, as a stack draws for all modules at once. What draws in other
    ways still does, and is not compared.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in _DROPOUT:
            kwargs["training"] = False
        elif func in _NOISE:
            kwargs.pop("generator", None)
            return _NOISE[func](*args, **kwargs) / 2
        return func(*args, **kwargs)


_DROPOUT = {
    nn.functional.alpha_dropout,
    nn.functional.dropout,
    nn.functional.dropout1d,
    nn.functional.dropout2d,
    nn.functional.dropout3d,
    nn.functional.feature_alpha_dropout,
}
_NOISE = {
    torch.rand: torch.ones,
    torch.randn: torch.ones,
    torch.rand_like: torch.ones_like,
    torch.randn_like: torch.ones_like,
}


class _Attributes:
    """What a module, its parts and their classes hold, to tell whether it changes."""

    def __init__(self, module):
        self.module = module
        self.before = self._now()

    def changed(self):
        return self._now().by_place != self.before.by_place

    def _now(self):
        parts = list(self.module.modules())
        now = _Marks()
        for place, part in enumerate(parts):
            for held in (vars(part), part._parameters, part._buffers, part._modules):
                for name, value in held.items():
                    # Their order changes when a stack puts its parameters there.
                    if name not in ("_parameters", "_buffers", "_modules"):
                        now.by_place[place, name] = now.mark(value)
        for kind in {kind for part in parts for kind in type(part).__mro__}:
            if not kind.__module__.startswith("torch."):
                for name, value in vars(kind).items():
                    now.by_place[kind, name] = now.mark(value, depth=0)
        return now


class _Marks:
    """What changes when an attribute is replaced, or written to in place."""

    def __init__(self):
        self.by_place = {}
        # Held, as an object that was let go may leave its id to another.
        self._held = {}

    def mark(self, value, depth=1):
        """Return the mark of a value.

        The attributes of other objects are looked at, but not of those that these
        hold: from there it may be far to the end.
        """
        known = (id(value), depth) in self._held
        self._held[id(value), depth] = value
        mark = None
        if isinstance(value, torch.Tensor):
            mark = None if value.is_inference() else value._version
        elif isinstance(value, np.ndarray):
            mark = joblib.hash(value)
        elif not known:  # a container may hold itself
            mark = self._inside(value, depth)
        return id(value), mark

    def _inside(self, value, depth):
        if isinstance(value, dict):
            value = [*value, *value.values()]
        if isinstance(value, (list, tuple, set, deque)):
            return [self.mark(item, depth) for item in value]
        # Modules are looked at one by one. Loggers change when they are asked.
        others = (nn.Module, type, FunctionType, ModuleType, Logger)
        if depth == 0 or isinstance(value, others) or not hasattr(value, "__dict__"):
            return None
        return self.mark(vars(value), depth - 1)
