"""Training steps as a CUDA graph: launched once for all, then replayed. Torch only."""

import warnings
from functools import cache

import torch


class CapturedSteps:
    """A function that trains, captured as a CUDA graph for each shape of its inputs.

    The kernels of small networks take less time than launching them one by one does; a
    graph launches them all at once [1]_. The first call with inputs of some shapes runs
    as it is, which also loads what the kernels need; the second one is captured, and
    from then on it is replayed.

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

    def __init__(self, function, optimizer):
        self.function = function
        self.optimizer = optimizer
        self.graphs = {}
        self.works = True

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
        if not self.works or key not in self.graphs:
            self.graphs[key] = None
            return self.function(*inputs)
        if self.graphs[key] is None:
            try:
                self.graphs[key] = self._captured(inputs)
            except RuntimeError as error:
                self.works = False
                warnings.warn(
                    "Training goes on without a CUDA graph, which is slower, as torch "
                    f"could not capture one: {error}",
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
        group["capturable"] = True
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
            # Else the optimizer warns of steps that are not captured.
            group["capturable"] = False


@cache
def _capture_stream(device):
    # One for all, as cuBLAS keeps a workspace of MBs for every stream that it has seen.
    return torch.cuda.Stream(device)
