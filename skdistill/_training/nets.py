"""skorch nets, built and read. The only file that spells `module__x`."""

import inspect
from numbers import Integral

import torch
from sklearn.base import clone
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import LRScheduler
from skorch.utils import to_tensor
from torch import nn
from torch.nn.functional import linear
from torch.nn.modules.module import _global_forward_hooks, _global_forward_pre_hooks
from torch.optim.lr_scheduler import CosineAnnealingLR

from skdistill._training.batches import ShuffledBatches
from skdistill._training.modules import StudentModel, TeacherModel
from skdistill._training.seeds import isolated_randomness

# --- Building -----------------------------------------------------------------------


def mlp_net(
    module,
    *,
    hidden_layer_sizes,
    max_epochs,
    lr,
    lr_schedule,
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
        callbacks=_schedule(lr_schedule, max_epochs),
        device=chosen_device(device),
        **{f"module__{name}": value for name, value in module_params.items()},
    )


def _schedule(lr_schedule, max_epochs):
    """Return the callbacks of a net that trains with a schedule."""
    if lr_schedule == "constant":
        return None
    schedule = LRScheduler(CosineAnnealingLR, T_max=max_epochs, event_name=None)
    return [("lr_schedule", schedule)]


def is_own(net):
    """Tell a net that `mlp_net` has made, in which no code of the user's runs."""
    return (
        type(net) is NeuralNetClassifier
        and net.module in (StudentModel, TeacherModel)
        and (net.iterator_train, net.train_split) == (ShuffledBatches, None)
        and (net.callbacks is None or _are_schedule(net.callbacks))
    )


def _are_schedule(callbacks):
    """Tell the callbacks that `_schedule` makes."""
    return (
        isinstance(callbacks, list)
        and len(callbacks) == 1
        and isinstance(callbacks[0], tuple)
        and type(callbacks[0][1]) is LRScheduler
        and callbacks[0][1].policy is CosineAnnealingLR
    )


def checked_widths(hidden_layer_sizes):
    """Return `hidden_layer_sizes` as a tuple of positive ints, or raise."""
    iterable = getattr(hidden_layer_sizes, "ndim", 1) > 0 and not isinstance(
        hidden_layer_sizes, Integral
    )
    widths = list(hidden_layer_sizes) if iterable else [hidden_layer_sizes]
    for width in widths:
        if not isinstance(width, Integral) or isinstance(width, bool) or width < 1:
            raise ValueError(
                "The 'hidden_layer_sizes' parameter must hold a positive integer for "
                f"each hidden layer. Got {hidden_layer_sizes!r} instead."
            )
    return tuple(map(int, widths))


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
    with isolated_randomness(0, net.device, own_module=is_own(net)):
        _check_outputs(clone(net).initialize(), X[:2], n_classes, name)
    return net


def _check_outputs(net, X, n_classes, name):
    """Raise unless the module turns rows into the outputs that training needs."""
    try:
        # A copy, as the module may work in place.
        outputs = net.evaluation_step((to_tensor(X.copy(), net.device), None))
    except RuntimeError as error:
        raise ValueError(
            f"The module of {name} must take float32 X with {X.shape[1]} features. It "
            f"failed on {len(X)} rows: {error}"
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


# --- Reading ------------------------------------------------------------------------


def net_logits(net, X):
    """Return the logits of a trained net, past the loader of skorch.

    To be called in torch.inference_mode. The weights are those that the module has
    now, and `X` stays as it is, whatever the module does.

    Parameters
    ----------
    net : skorch.NeuralNet
        The net, as `train_net` returns it.
    X : Tensor of shape (n_samples, n_features), dtype float32

    Returns
    -------
    Tensor of shape (n_samples, n_classes), dtype float32
    """
    module = net.module_
    if module.training:  # after a partial_fit of the user's
        module.eval()
    if (
        type(module) in (StudentModel, TeacherModel)
        and type(net).infer is NeuralNet.infer
        and type(net.criterion_) is nn.CrossEntropyLoss
        and net.device == "cpu"
        and not (_global_forward_hooks or _global_forward_pre_hooks)
        and _is_plain(module)
        and _is_plain(module.layers)
    ):
        # Not numpy, whose products depend on where in the batch a row stands.
        return _forward(module.layers._modules.values(), X)
    outputs = net.infer(X.clone())  # which the module may work on in place
    return as_logits(net, outputs).to("cpu", torch.float32)


def _is_plain(part):
    """Tell whether calling a part does no more than its class's `forward`."""
    own = part.__dict__
    return not (own["_forward_hooks"] or own["_forward_pre_hooks"] or "forward" in own)


def _forward(layers, X):
    """Return what calling the layers returns; torch's calls take longer than a row."""
    given, products = X, None
    for layer in layers:
        weights = layer._parameters
        if type(layer) is nn.Linear and len(weights) == 2 and _is_plain(layer):
            X = products = linear(X, weights["weight"], weights["bias"])
        elif type(layer) is nn.ReLU and X is products and _is_plain(layer):
            X = X.relu_()  # in new memory, many rows take twice as long
        elif type(layer) is nn.Dropout and not layer.training and _is_plain(layer):
            continue
        else:
            X = layer(X.clone() if X is given else X)
    return X


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
