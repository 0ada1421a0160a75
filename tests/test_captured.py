"""CUDA graphs. Without a GPU, a stand-in records the operations and repeats them."""

from contextlib import nullcontext
from threading import current_thread

import numpy as np
import pytest
import torch
from skorch.callbacks import LRScheduler
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from skdistill import StudentModel
from skdistill import _vectorized as vectorized
from skdistill._captured import CapturedSteps
from skdistill._vectorized import Replica, train_stacked
from tests.nets import own_net, user_net

# What a CUDA graph cannot hold: reading a value on the CPU, and new data from there.
REFUSED = (
    torch.ops.aten._local_scalar_dense.default,
    torch.ops.aten.lift_fresh.default,
    torch.ops.aten.random_.default,
    torch.ops.aten.random_.to,
    getattr(torch.ops.aten.random_, "from"),
)


class Recorder(TorchDispatchMode):
    """Keeps what is computed, as a graph does: with the tensors, not their values."""

    def __init__(self, graph):
        super().__init__()
        self.graph = graph

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function in REFUSED:
            raise RuntimeError("operation not permitted when stream is capturing")
        result = function(*args, **(kwargs or {}))
        self.graph.operations.append((function, args, kwargs or {}, result))
        return result


class Graph:
    """Repeats what was recorded, into the memory of the first time."""

    def __init__(self):
        self.operations = []
        self.n_replays = 0
        graphs.append(self)

    def replay(self):
        self.n_replays += 1
        if self.n_replays == 1:  # The recording has done it, where a capture would not.
            return
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
    monkeypatch.setattr(CapturedSteps, "can_capture", lambda optimizer: True)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: None)
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, **_: Recorder(graph))
    return graphs


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
    monkeypatch.setattr(CapturedSteps, "can_capture", lambda optimizer: False)
    expected_weights, expected_losses = trained_weights(net, X, y, students(X))
    np.testing.assert_array_equal(weights, expected_weights)
    assert losses == expected_losses


def test_replays_drop_out_anew(binary, recorded, monkeypatch):
    """As many units as the batch has rows: a stale mask could not hide."""
    monkeypatch.setattr("skdistill._batches.CHUNK_ROWS", 16)
    X, y = binary
    net = captured_net(dropout=0.5)
    weights, _ = trained_weights(net, X, y, [Replica("a", 0), Replica("b", 1)])
    assert sum(graph.n_replays for graph in recorded) > 10
    monkeypatch.setattr(CapturedSteps, "_captured", refuse)
    with pytest.warns(RuntimeWarning, match="goes on without a CUDA graph"):
        expected, _ = trained_weights(net, X, y, [Replica("a", 0), Replica("b", 1)])
    np.testing.assert_array_equal(weights, expected)


def refuse(self, inputs):
    raise RuntimeError("CUDA error: operation not permitted when stream is capturing")


def test_training_goes_on_if_a_capture_fails(binary, recorded, monkeypatch):
    X, y = binary
    net = captured_net()
    weights, _ = trained_weights(net, X, y, [Replica("a", 0)])
    n_graphs = len(recorded)
    gathered = vectorized.StackedBatches.gathered

    def waits_for_the_device(self, positions, n_rows):
        int(n_rows.sum())
        return gathered(self, positions, n_rows)

    monkeypatch.setattr(vectorized.StackedBatches, "gathered", waits_for_the_device)
    with pytest.warns(RuntimeWarning, match="not permitted when stream is capturing"):
        without, _ = trained_weights(net, X, y, [Replica("a", 0)])
    assert len(recorded) == n_graphs + 1  # It is not tried again.
    np.testing.assert_array_equal(without, weights)


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
        recording = torch.utils._python_dispatch._get_current_dispatch_mode()
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
