"""Training steps as a CUDA graph: launched once for all, then replayed. Torch only."""

import warnings
from collections import Counter
from functools import cache

import torch

# Calls of a kind before one of them is captured. That synchronizes the GPU and empties
# torch's cache of memory, which only many replays are worth.
CALLS_BEFORE = 10


class CapturedSteps:
    """A function that trains, captured as a CUDA graph for each shape of its inputs.

    The kernels of small networks take less time than launching them one by one does; a
    graph launches them all at once [1]_. The first calls with inputs of some shapes run
    as they are, which also loads what the kernels need; then one is captured, and from
    there on it is replayed.

    Parameters
    ----------
    function : callable
        Takes tensors and returns one. It has to do the same in every call but for the
        values in its inputs and in other tensors that stay where they are, and must
        never wait for the device.
    optimizer : torch.optim.Adam or torch.optim.AdamW
        What `function` steps with, made with ``fused=True``.

    References
    ----------
    .. [1] V. Nguyen, M. Carilli et al., "Accelerating PyTorch with CUDA Graphs", 2021.
    """

    # Of all of them: a capture that fails leaves torch in a state that others, and
    # graphs that exist, do not work in.
    work = True

    def __init__(self, function, optimizer):
        self.function = function
        self.optimizer = optimizer
        self.n_calls = Counter()
        self.graphs = {}

    @staticmethod
    def can_capture(optimizer):
        """Tell whether a step of the optimizer can be part of a graph."""
        (group,) = optimizer.param_groups
        (parameter,) = group["params"]
        # Fused, it counts its steps on the device.
        kind = isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW))
        return parameter.device.type == "cuda" and kind and bool(group["fused"])

    def __call__(self, *inputs):
        """Do what the function does and return what it returns, until the next call."""
        key = tuple(tensor.shape for tensor in inputs)
        self.n_calls[key] += 1
        if not CapturedSteps.work or self.n_calls[key] <= CALLS_BEFORE:
            return self.function(*inputs)
        if key not in self.graphs:
            try:
                self.graphs[key] = self._captured(inputs)
            except RuntimeError as error:
                CapturedSteps.work = False
                warnings.warn(
                    "Training goes on without CUDA graphs, which is slower, as torch "
                    f"could not capture one: {error.__context__ or error} What that "
                    "leaves behind may disturb other work on this GPU, until the "
                    "process ends.",
                    RuntimeWarning,
                )
                return self.function(*inputs)
        graph, own_inputs, output = self.graphs[key]
        for own, given in zip(own_inputs, inputs, strict=True):
            own.copy_(given)
        graph.replay()
        return output

    def _captured(self, inputs):
        """Return a graph, with the tensors that it reads and returns."""
        own_inputs = [tensor.clone() for tensor in inputs]
        graph = torch.cuda.CUDAGraph()
        stream = _capture_stream(inputs[0].device)
        (group,) = self.optimizer.param_groups
        # Else the optimizer refuses; but outside of a capture it would warn.
        capturable, group["capturable"] = group["capturable"], True
        try:
            with (
                # Left last, whatever the capture does to the current stream.
                torch.cuda.stream(stream),
                torch.cuda.graph(
                    graph,
                    stream=stream,
                    # Other threads may go on with theirs.
                    capture_error_mode="thread_local",
                ),
            ):
                return graph, own_inputs, self.function(*own_inputs)
        finally:
            group["capturable"] = capturable


@cache
def _capture_stream(device):
    # One for all, as cuBLAS keeps a workspace of MBs for every stream that it has seen.
    return torch.cuda.Stream(device)
