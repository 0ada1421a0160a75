"""CUDA graphs. Without a GPU, a stand-in records the operations and repeats them."""

import gc
import weakref
from contextlib import contextmanager
from threading import current_thread

import numpy as np
import pytest
import torch
from skorch.callbacks import LRScheduler
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _get_current_dispatch_mode,
)
from torch.utils._pytree import tree_flatten

from skdistill import StudentModel, _captured
from skdistill import _vectorized as vectorized
from skdistill._captured import CapturedSteps
from skdistill._vectorized import Replica, train_stacked
from tests.nets import own_net, user_net

# What a CUDA graph cannot hold: what waits for a value, new data from the CPU, and
# draws from generators that it does not know.
REFUSED = {
    "_local_scalar_dense",
    "bernoulli_",
    "equal",
    "lift_fresh",
    "masked_select",
    "nonzero",
    "random_",
    "randperm",
}


class Recorder(TorchDispatchMode):
    """Keeps what is computed as a capture does: with the tensors, not their values.

    What it cannot see is whether a tensor that it keeps would have been freed.
    """

    def __init__(self, graph):
        super().__init__()
        self.graph = graph
        self.before = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.overloadpacket.__name__ in REFUSED:
            raise RuntimeError("operation not permitted when stream is capturing")
        kwargs = kwargs or {}
        arguments = function._schema.arguments
        values = [*args, *(kwargs.get(a.name) for a in arguments[len(args) :])]
        for argument, value in zip(arguments, values, strict=True):
            if argument.alias_info is not None and argument.alias_info.is_write:
                for tensor in tree_flatten(value)[0]:
                    storage = tensor.untyped_storage()
                    self.before.setdefault(
                        storage.data_ptr(), (storage, storage.clone())
                    )
        result = function(*args, **kwargs)
        self.graph.operations.append((function, args, kwargs, result))
        return result

    def __exit__(self, kind, error, trace):
        super().__exit__(kind, error, trace)
        for storage, before in self.before.values():  # Nothing has been computed yet.
            storage.copy_(before)
        if error is not None:
            raise RuntimeError("operation failed due to a previous error")


class Graph:
    """Repeats what was recorded, into the memory of the first time."""

    def __init__(self):
        self.operations = []
        self.n_replays = 0
        graphs.append(self)

    def replay(self):
        self.n_replays += 1
        for function, args, kwargs, result in self.operations:
            again = tree_flatten(function(*args, **kwargs))[0]
            for old, new in zip(tree_flatten(result)[0], again, strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


graphs = []


@pytest.fixture
def recorded(monkeypatch):
    """Return the graphs that have been captured."""
    graphs.clear()
    streams = []

    @contextmanager
    def stream(chosen):
        streams.append(chosen)
        yield
        streams.pop()

    def graph(graph, stream, capture_error_mode):
        assert stream is streams[-1] == "stream of cpu"
        assert capture_error_mode == "thread_local"
        return Recorder(graph)

    _captured._capture_stream.cache_clear()
    monkeypatch.setattr(CapturedSteps, "can_capture", lambda optimizer: True)
    monkeypatch.setattr(CapturedSteps, "work", True)
    monkeypatch.setattr(_captured, "CALLS_BEFORE", 1)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: f"stream of {device}")
    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    yield graphs
    _captured._capture_stream.cache_clear()


def captured_net(*module, **params):
    """Return a net with enough batches and epochs for replays."""
    return own_net(*module, **{"batch_size": 8, "max_epochs": 5, **params})


def trained_weights(net, X, y, replicas):
    nets = train_stacked(net, X, y, replicas, n_classes=2)
    weights = [
        torch.nn.utils.parameters_to_vector(net.module_.parameters()).detach().numpy()
        for net in nets
    ]
    return np.array(weights), [net.history[:, "train_loss"] for net in nets]


def students(X):
    """Return replicas that share rows or not, with teachers or not."""
    rng = np.random.default_rng(0)
    rows = np.arange(5, 60)
    weight = rng.uniform(0.5, 1.5, len(rows)).astype(np.float32)
    logits = rng.normal(size=(len(rows), 2)).astype(np.float32)
    of_rows = {"rows": rows, "sample_weight": weight, "teacher_logits": logits}
    return [
        Replica("a", 0, **of_rows, temperature=3.0, alpha=0.5),
        Replica("b", 0, **of_rows, temperature=1.0, alpha=1.0),
        Replica("c", 1, np.arange(53)),
        Replica("d", 2, np.arange(30)),
    ]


@pytest.mark.parametrize("at_once", [8, 16, 40])
@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.AdamW])
def test_replays_train_as_steps_do(binary, recorded, monkeypatch, at_once, optimizer):
    monkeypatch.setattr("skdistill._batches.CHUNK_ROWS", at_once)
    X, y = binary
    net = captured_net(StudentModel).set_params(optimizer=optimizer)
    weights, losses = trained_weights(net, X, y, students(X))
    assert len(recorded) >= 3  # two blocks, of several shapes
    assert all(graph.n_replays > 1 for graph in recorded)
    assert CapturedSteps.work
    monkeypatch.setattr(CapturedSteps, "can_capture", lambda optimizer: False)
    expected_weights, expected_losses = trained_weights(net, X, y, students(X))
    np.testing.assert_array_equal(weights, expected_weights)
    assert losses == expected_losses


def test_replays_drop_out_anew(binary, recorded, monkeypatch):
    monkeypatch.setattr("skdistill._batches.CHUNK_ROWS", 16)
    X, y = binary
    net, replicas = captured_net(dropout=0.5), [Replica("a", 0), Replica("b", 1)]
    weights, _ = trained_weights(net, X, y, replicas)
    assert sum(graph.n_replays for graph in recorded) > 10
    monkeypatch.setattr(CapturedSteps, "work", False)
    expected, _ = trained_weights(net, X, y, replicas)
    np.testing.assert_array_equal(weights, expected)


def test_training_goes_on_if_a_capture_fails(binary, recorded, monkeypatch):
    """In the middle of a step, with what would have been computed without a capture."""
    X, y = binary
    net, replicas = captured_net(dropout=0.5), students(X)
    monkeypatch.setattr(CapturedSteps, "work", False)
    expected, _ = trained_weights(net, X, y, replicas)
    monkeypatch.setattr(CapturedSteps, "work", True)
    loss_and_gradient = vectorized.loss_and_gradient

    def waits_for_the_device(*args):
        loss, gradient = loss_and_gradient(*args)
        float(loss.sum())
        return loss, gradient

    monkeypatch.setattr(vectorized, "loss_and_gradient", waits_for_the_device)
    with pytest.warns(RuntimeWarning, match="not permitted when stream is capturing"):
        weights, _ = trained_weights(net, X, y, replicas)
    assert len(recorded) == 1  # It is not tried again, for no block and no fit.
    trained_weights(net, X, y, replicas)
    assert len(recorded) == 1
    np.testing.assert_array_equal(weights, expected)


def test_graphs_that_exist_are_not_replayed_after_a_failure(recorded):
    parameter = torch.zeros(2)
    optimizer = torch.optim.Adam([parameter], fused=True)
    calls = []

    def function(inputs):
        calls.append(len(inputs))
        return int(inputs.sum()) if len(inputs) == 3 else inputs + 1

    steps = CapturedSteps(function, optimizer)
    for _ in range(3):
        assert steps(torch.ones(2)).tolist() == [2, 2]
    assert calls == [2, 2]
    with pytest.warns(RuntimeWarning):
        assert [steps(torch.ones(3)) for _ in range(2)] == [3, 3]
    steps(torch.ones(2))
    assert calls[-1] == 2
    assert recorded[0].n_replays == 2


def test_few_calls_are_not_captured(binary, recorded, monkeypatch):
    monkeypatch.setattr(_captured, "CALLS_BEFORE", 5)
    trained_weights(captured_net(max_epochs=5), *binary, [Replica("a", 0)])
    assert not recorded
    trained_weights(captured_net(max_epochs=6), *binary, [Replica("a", 0)])
    assert [graph.n_replays for graph in recorded] == [1, 1]


def test_memory_is_let_go_without_waiting_for_the_garbage(
    binary, recorded, monkeypatch
):
    blocks = []

    class Block(vectorized._Block):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            blocks.append(weakref.ref(self))

    monkeypatch.setattr(vectorized, "_Block", Block)
    gc.disable()
    try:
        trained_weights(captured_net(), *binary, [Replica("a", 0)])
        assert recorded
        assert blocks[0]() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "net",
    [
        captured_net().set_params(callbacks=[LRScheduler("StepLR", step_size=2)]),
        user_net(),
    ],
)
def test_schedules_and_other_modules_are_not_captured(binary, recorded, net):
    trained_weights(net, *binary, [Replica("a", 0), Replica("b", 1)])
    assert not recorded


@pytest.mark.parametrize(
    ("optimizer", "device", "expected"),
    [
        (torch.optim.Adam([torch.zeros(2)], fused=True), "cuda", True),
        (torch.optim.AdamW([torch.zeros(2)], fused=True), "cuda:1", True),
        (torch.optim.Adam([torch.zeros(2)], fused=True), "cpu", False),
        (torch.optim.Adam([torch.zeros(2)], fused=True), "mps", False),
        (torch.optim.Adam([torch.zeros(2)], foreach=True), "cuda", False),
        (torch.optim.NAdam([torch.zeros(2)]), "cuda", False),
        (torch.optim.SGD([torch.zeros(2)]), "cuda", False),
    ],
)
def test_what_can_be_captured(optimizer, device, expected):
    class Elsewhere:
        pass

    Elsewhere.device = torch.device(device)
    optimizer.param_groups[0]["params"] = [Elsewhere]
    assert CapturedSteps.can_capture(optimizer) == expected


def test_the_optimizer_is_told_of_the_capture_only(binary, recorded, monkeypatch):
    """It warns of a step outside one, and refuses a step within, if not told."""
    told = []
    step = torch.optim.Adam.step

    def spy(self):
        recording = _get_current_dispatch_mode()
        told.append((recording is not None, self.param_groups[0]["capturable"]))
        return step(self)

    monkeypatch.setattr(torch.optim.Adam, "step", spy)
    # So that a shape is new when another has been captured.
    monkeypatch.setattr("skdistill._batches.CHUNK_ROWS", 32)
    trained_weights(captured_net(), *binary, [Replica("a", 0)])
    assert set(told) == {(True, True), (False, False)}


@pytest.mark.parametrize("captures", [True, False])
def test_the_calling_thread_trains_where_blocks_take_turns(
    binary, monkeypatch, captures
):
    """Its CUDA stream is the user's choice, and a graph needs the same thread."""
    seen = []
    run_epoch = vectorized._Block.run_epoch

    def spy(self, settings, stop):
        seen.append(current_thread())
        return run_epoch(self, settings, stop)

    monkeypatch.setattr(vectorized._Block, "run_epoch", spy)
    monkeypatch.setattr(vectorized, "BLOCK_PARAMETERS", 1)
    monkeypatch.setattr(vectorized, "_takes_turns", lambda stack: captures)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    replicas = [Replica("a", 0), Replica("b", 1)]
    trained_weights(captured_net(max_epochs=1), *binary, replicas)
    assert len(seen) == 2
    assert (set(seen) == {current_thread()}) == captures
