"""Logits of trained nets, past the loader of skorch and the calls of its modules."""

from itertools import chain
from operator import is_
from weakref import WeakKeyDictionary

import torch
from skorch import NeuralNet
from torch import nn
from torch.nn.functional import linear

from skdistill._nets import as_logits
from skdistill._stacks import plain_layers

# With more rows than these, a pass through one net after another is as fast.
STACK_ROWS = 512
# With more parameters than these, the products take long anyway, and a copy is large.
STACK_PARAMETERS = 4_000_000

_plans: WeakKeyDictionary = WeakKeyDictionary()
_END = object()


def nets_logits(owner, nets, X):
    """Return the logits of trained nets. To be called in torch.inference_mode.

    Parameters
    ----------
    owner : object
        The estimator of the nets. For as long as it lives, the layers of the nets are
        remembered, outside of it, so that they are neither pickled nor cloned.
    nets : list of skorch.NeuralNet
        The nets, as `train_net` returns them.
    X : Tensor of shape (n_samples, n_features), dtype float32

    Returns
    -------
    Tensor of shape (n_nets, n_samples, n_classes), dtype float32
    """
    plan = _plans.get(owner)
    if plan is None or not plan.is_of(nets):
        plan = _plans[owner] = _Plan(nets)
    # Not numpy, whose products depend on where in the batch a row stands.
    if plan.layers is None:
        return torch.stack([_net_logits(net, X) for net in nets])
    if len(X) <= STACK_ROWS and plan.stackable:
        return plan.stack()(X)
    return torch.stack([_forward(layers, X) for layers in plan.layers])


def forget(owner):
    """Forget the nets of an estimator, which is about to get others."""
    _plans.pop(owner, None)


def _net_logits(net, X):
    if net.module_.training:  # after a partial_fit of the user's
        net.module_.eval()
    return as_logits(net, net.infer(X)).to("cpu", torch.float32)


def _forward(layers, X):
    *hidden_layers, (weight_out, bias_out) = layers
    for weight, bias in hidden_layers:
        X = linear(X, weight, bias).relu_()
    return linear(X, weight_out, bias_out)


class _Plan:
    """The layers of several nets, as long as nobody exchanges a part of a module.

    The weights are the modules' own, so that whatever is written to them is seen.

    Attributes
    ----------
    layers : list of list of (weight, bias), or None
        Of every net, the layers whose products are its logits. None if some net does
        anything else.
    """

    def __init__(self, nets):
        self.modules = [net.module_ for net in nets]
        self.layers = [_linear_layers(net) for net in nets]
        if None in self.layers:
            self.layers = None
            return
        parts = [part for module in self.modules for part in module.modules()]
        self.hooks = [
            hooks
            for part in parts
            for hooks in (part._forward_hooks, part._forward_pre_hooks)
        ]
        # A forward of its own would be one attribute more.
        self.attributes = [vars(part) for part in parts]
        self.n_attributes = list(map(len, self.attributes))
        self.holders = [
            held for part in parts for held in (part._modules, part._parameters) if held
        ]
        self.held = list(_values(self.holders))
        self.last_stack = None
        shapes = {tuple(w.shape for w, _ in layers) for layers in self.layers}
        n_parameters = sum(p.numel() for layers in self.layers for p in chain(*layers))
        self.stackable = (
            len(nets) > 1 and len(shapes) == 1 and n_parameters <= STACK_PARAMETERS
        )

    def is_of(self, nets):
        """Tell whether the nets have the modules and layers that they had before."""
        return [net.module_ for net in nets] == self.modules and (
            self.layers is None
            or (
                not any(self.hooks)
                and list(map(len, self.attributes)) == self.n_attributes
                and all(map(is_, _values(self.holders), self.held))
            )
        )

    def stack(self):
        """Return the stack of the layers, with the weights that they have now."""
        stack = self.last_stack
        if stack is None or stack.is_outdated():
            stack = self.last_stack = _Stack(self.layers)
        return stack


class _Stack:
    """A copy of the weights of several nets that computes all their logits at once."""

    def __init__(self, nets_layers):
        self.parameters = [p for layers in nets_layers for pair in layers for p in pair]
        self.pointers = [parameter.data_ptr for parameter in self.parameters]
        # Fused optimizers and `.data` get past torch's count of what is written, but
        # hardly past a value of every parameter.
        firsts = [p.detach().numpy().ravel()[:1] for p in self.parameters]
        self.values = list(map(memoryview, firsts))
        # Tensors of torch.inference_mode have no count.
        self.counted = [p for p in self.parameters if not p.is_inference()]
        self.written = self._written()
        with torch.no_grad():
            # In the modules' own layout: with another one, products of several classes
            # depend on where in the batch a row stands.
            self.layers = [
                (
                    torch.stack([weight for weight, _ in layers]).mT,
                    torch.stack([bias for _, bias in layers]).unsqueeze(1),
                )
                for layers in zip(*nets_layers, strict=True)
            ]

    def is_outdated(self):
        """Tell whether the nets' weights have changed since they were copied."""
        return self._written() != self.written

    def _written(self):
        return (
            [parameter._version for parameter in self.counted],
            [pointer() for pointer in self.pointers],
            b"".join(self.values),
        )

    def __call__(self, X):
        """Return the logits, of shape (n_nets, n_samples, n_classes)."""
        *hidden_layers, (weight_out, bias_out) = self.layers
        hidden = X.expand(len(bias_out), -1, -1)
        for weight, bias in hidden_layers:
            hidden = torch.baddbmm(bias, hidden, weight).relu_()
        return torch.baddbmm(bias_out, hidden, weight_out)


def _values(dicts):
    """Iterate over the values of dicts, with an end that tells their number."""
    return chain(chain.from_iterable(map(dict.values, dicts)), (_END,))


def _linear_layers(net):
    """Return the weights and biases whose products are the net's logits, or None."""
    layers = plain_layers(net.module_)
    if (
        layers is None
        or type(net).infer is not NeuralNet.infer
        or not isinstance(net.criterion_, nn.CrossEntropyLoss)
    ):
        return None
    pairs = [(la.weight, la.bias) for la in layers if isinstance(la, nn.Linear)]
    usual = torch.device("cpu"), torch.float32
    return pairs if all((w.device, w.dtype) == usual for w, _ in pairs) else None
