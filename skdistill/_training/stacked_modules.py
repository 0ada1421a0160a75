"""Several copies of a module as one: their forward and backward passes. Torch only."""

import re

import torch
from torch import nn
from torch.func import functional_call, vmap

from skdistill._training.modules import StudentModel, TeacherModel

# With more, what is left is scaled up by so much that rounding p shows.
MAX_DROPOUT = 0.99


def stack(modules, seeds, n_rows, n_steps=1):
    """Return the stack of modules that differ in their parameters only.

    Parameters
    ----------
    modules : list of nn.Module
        The modules, in the state from which training starts.
    seeds : list of int
        Seeds of the modules' dropout.
    n_rows : int
        Number of rows that each module is given at most.
    n_steps : int, default=1
        Number of steps for which dropout is drawn at once.

    Returns
    -------
    StackedLayers or StackedModule
        The first if the modules are made of Linear, ReLU and Dropout.
    """
    layers = plain_layers(modules[0])
    if layers is not None:
        linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
        of_layers = [p for layer in linear for p in (layer.weight, layer.bias)]
        if list(map(id, of_layers)) != list(map(id, modules[0].parameters())):
            layers = None
    dropout = {} if layers is None else _dropout_after(layers)
    if layers is None or max(dropout.values(), default=0) > MAX_DROPOUT:
        return StackedModule(modules)
    return StackedLayers(modules, dropout, seeds, n_rows, n_steps)


class _Stack:
    """The parameters of several modules.

    Attributes
    ----------
    flat : nn.Parameter of shape (n_modules * n_parameters,)
        All of them, for the optimizer, with their `grad`.
    parameters, gradients : list of Tensor of shape (n_modules, *shape)
        The same memory, by parameter of the module.
    """

    def __init__(self, modules):
        copies = zip(*(module.parameters() for module in modules), strict=True)
        stacked = [torch.stack(tensors).detach() for tensors in copies]
        self.flat = nn.Parameter(torch.cat([tensor.flatten() for tensor in stacked]))
        self.flat.grad = torch.zeros_like(self.flat)
        sizes = [tensor.numel() for tensor in stacked]
        self.parameters, self.gradients = (
            [part.view_as(like) for part, like in zip(parts, stacked, strict=True)]
            for parts in (self.flat.detach().split(sizes), self.flat.grad.split(sizes))
        )

    def write_to(self, module, index):
        """Give a module the parameters of the one with that index."""
        with torch.no_grad():
            pairs = zip(module.parameters(), self.parameters, strict=True)
            for parameter, stacked in pairs:
                parameter.copy_(stacked[index])


class StackedModule(_Stack):
    """Any modules whose output depends on parameters and input alone, by vmap.

    Their dropout draws from torch's own generator.
    """

    def __init__(self, modules):
        super().__init__(modules)
        self.module = modules[0]
        self.names = [name for name, _ in self.module.named_parameters()]
        self.parameters = [tensor.requires_grad_() for tensor in self.parameters]

    def forward(self, X):
        """Return the logits of X, of shape (n_modules, n_rows, n_features)."""

        def call(parameters, X):
            named = dict(zip(self.names, parameters, strict=True))
            return functional_call(self.module, named, (X,))

        X = X.clone()  # which the modules may share, and work on in place
        self.logits = vmap(call, randomness="different")(self.parameters, X)
        return self.logits.detach()

    def backward(self, gradient):
        """Set the gradients, given that of what `forward` returned last."""
        gradients = torch.autograd.grad(self.logits, self.parameters, gradient)
        for memory, new in zip(self.gradients, gradients, strict=True):
            memory.copy_(new)


class StackedLayers(_Stack):
    """Linear layers with ReLU and perhaps dropout between them.

    The backward pass is written out so that both passes can reuse the memory of the
    step before. New memory in every step would take longer than some of the products.
    """

    def __init__(self, modules, dropout, seeds, n_rows, n_steps):
        super().__init__(modules)
        self.weights = self.parameters[::2]
        self.biases = [bias.unsqueeze(1) for bias in self.parameters[1::2]]
        widths = [bias.shape[2] for bias in self.biases[:-1]]
        self.masks = _Masks(dropout, widths, seeds, n_rows, n_steps, self.flat)
        self.memory = {}

    def forward(self, X):
        """Return the logits of X, of shape (n_modules, n_rows, n_features)."""
        self.hidden = [X]
        self.kept = self.masks.of_next_step(X.shape[1])
        outputs, self.hidden_gradients = self._memory(X)
        for layer, output in enumerate(outputs):
            weight, bias = self.weights[layer], self.biases[layer]
            torch.baddbmm(bias, self.hidden[layer], weight.mT, out=output).relu_()
            if layer in self.kept:
                output.mul_(self.kept[layer])
            self.hidden.append(output)
        return torch.baddbmm(self.biases[-1], self.hidden[-1], self.weights[-1].mT)

    def backward(self, gradient):
        """Set the gradients, given that of what `forward` returned last."""
        for layer in reversed(range(len(self.weights))):
            hidden = self.hidden[layer]
            torch.bmm(gradient.mT, hidden, out=self.gradients[2 * layer])
            torch.sum(gradient, dim=1, out=self.gradients[2 * layer + 1])
            if layer == 0:
                break
            memory = self.hidden_gradients[layer - 1]
            gradient = torch.bmm(gradient, self.weights[layer], out=memory)
            # ReLU's slope is the sign of its output.
            gradient.mul_(hidden.sign_())
            if layer - 1 in self.kept:
                gradient.mul_(self.kept[layer - 1])

    def _memory(self, X):
        shape = X.shape[:2]
        if shape not in self.memory:
            self.memory[shape] = [
                [X.new_empty(*shape, bias.shape[2]) for bias in self.biases[:-1]]
                for _ in range(2)
            ]
        return self.memory[shape]


class _Masks:
    """What dropout multiplies hidden units with, drawn for each module by itself.

    A unit is kept where a random 16-bit integer reaches a threshold. This is faster
    than torch's dropout, but rounds its probability to a multiple of 1 / 65536.
    """

    def __init__(self, dropout, widths, seeds, n_rows, n_steps, like):
        self.n_steps = self.step = n_steps
        self.thresholds = {layer: round(p * 2**16) for layer, p in dropout.items()}
        self.masks = {
            layer: like.new_empty(n_steps, len(seeds), n_rows, widths[layer])
            for layer in dropout
        }
        n_integers = sum(mask[:, 0].numel() for mask in self.masks.values())
        # 64 bits at a time are the fastest, but Apple's GPUs cannot draw all of them.
        on_cpu = like.device.type == "cpu"
        n_bits, dtype = (64, torch.int64) if on_cpu else (32, torch.int32)
        self.limits = -(2 ** (n_bits - 1)), None if on_cpu else 2**31
        # Not the seeds themselves, from which the initial weights are drawn.
        self.generators = [
            torch.Generator(like.device).manual_seed(seed ^ 0xD209)
            for seed in (seeds if dropout else [])
        ]
        shape = len(self.generators), -(-16 * n_integers // n_bits)
        self.bits = torch.empty(shape, dtype=dtype, device=like.device)

    def of_next_step(self, n_rows):
        """Return the masks of a step by the number of the layer."""
        if self.step == self.n_steps:
            self.draw()
        masks = {l: mask[self.step, :, :n_rows] for l, mask in self.masks.items()}
        self.step += 1
        return masks

    def draw(self):
        """Draw the masks of the next steps."""
        self.step = 0
        for bits, generator in zip(self.bits, self.generators, strict=True):
            bits.random_(*self.limits, generator=generator)
        integers = self.bits.view(torch.int16)
        start = 0
        for layer, mask in self.masks.items():
            n_steps, n_modules, *shape = mask.shape
            end = start + mask[:, 0].numel()
            threshold = self.thresholds[layer]
            kept = integers[:, start:end].ge_(threshold - 2**15)
            mask.copy_(kept.view(n_modules, n_steps, *shape).transpose(0, 1))
            # Keeps the mean of what goes through the mask.
            mask.mul_(2**16 / (2**16 - threshold))
            start = end


def plain_layers(module):
    """Return the Linear, ReLU and Dropout layers that are all of a module, or None."""
    parts = list(module.modules())
    if type(module).forward in (TeacherModel.forward, StudentModel.forward):
        module = module.layers
    if type(module).forward is not nn.Sequential.forward or any(
        part._forward_hooks or part._forward_pre_hooks or "forward" in vars(part)
        for part in parts
    ):
        return None
    layers = list(module)
    letters = {nn.Linear: "L", nn.ReLU: "R", nn.Dropout: "D"}
    kinds = "".join(letters.get(type(layer), "?") for layer in layers)
    if not re.fullmatch("(LRD?)*L", kinds):
        return None
    has_biases = all(
        layer.bias is not None for layer in layers if isinstance(layer, nn.Linear)
    )
    return layers if has_biases else None


def _dropout_after(layers):
    """Return the dropout probability after each Linear that has one, by its number."""
    dropout = {}
    n_linear = 0
    for layer in layers:
        if isinstance(layer, nn.Linear):
            n_linear += 1
        elif isinstance(layer, nn.Dropout) and layer.training and layer.p > 0:
            dropout[n_linear - 1] = layer.p
    return dropout
