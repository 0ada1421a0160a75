"""Where training runs. Without a GPU: that nothing stays behind on the CPU."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from torch import nn

from skdistill import (
    DistilledClassifier,
    DistilledClassifierCV,
    EnsembleTeacher,
    StudentModel,
)
from skdistill._ensemble_members import fitted_members
from skdistill._search_folds import _on_cpu
from skdistill._training.batches import ShuffledBatches, StackedBatches, draw_order_seed
from skdistill._training.blocks import Block, takes_turns
from skdistill._training.many_nets import Replica
from skdistill._training.nets import chosen_device, mlp_net
from skdistill._training.one_net import train_net
from skdistill._training.stacked_modules import StackedLayers, StackedModule
from tests.nets import LogitModule, small_distilled, small_net, small_teacher


class Accelerated(LogisticRegression):
    """A teacher of another package, with a device of its own."""

    def __init__(self, device=None):
        super().__init__()
        self.device = device


GPUS = [
    pytest.param(
        "cuda",
        marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here"),
    ),
    pytest.param(
        "mps",
        marks=pytest.mark.skipif(
            not torch.backends.mps.is_available(), reason="no MPS here"
        ),
    ),
]


@pytest.mark.parametrize(
    ("n_cuda", "has_mps", "expected"),
    [(2, False, "cuda"), (1, True, "cuda"), (0, True, "mps"), (0, False, "cpu")],
)
def test_auto_is_a_gpu_if_there_is_one(monkeypatch, n_cuda, has_mps, expected):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: has_mps)
    assert chosen_device("auto") == expected
    assert chosen_device("cpu") == "cpu"
    assert chosen_device("cuda:1") == "cuda:1"


def test_auto_trains_on_what_is_there(binary):
    auto = small_distilled(small_teacher(device="auto"), device="auto").fit(*binary)
    on_cpu = small_distilled(small_teacher()).fit(*binary)
    assert auto.device == "auto"
    assert auto.student_.device == "cpu"
    tolerance = 0 if chosen_device("auto") == "cpu" else 1e-4
    np.testing.assert_allclose(
        auto.predict_proba(binary[0]), on_cpu.predict_proba(binary[0]), atol=tolerance
    )


@pytest.mark.parametrize(
    ("module", "stack"), [(LogitModule, StackedModule), (StudentModel, StackedLayers)]
)
@pytest.mark.parametrize("taught", [True, False])
def test_a_step_mixes_no_devices(module, stack, taught):
    """On torch's "meta" device, which computes shapes and refuses CPU tensors."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(30, 2)).astype(np.float32)
    replicas = [
        Replica("first", 0, np.arange(30), np.ones(30, np.float32)),
        Replica("second", 1, np.arange(28)),
    ]
    if taught:
        replicas[0] = replicas[0]._replace(teacher_logits=logits, alpha=0.5)
    X = torch.zeros(40, 6, device="meta")
    y = torch.zeros(40, dtype=torch.int64, device="meta")
    block = Block(
        [0, 1],
        [module(6, 2).to("meta") for _ in replicas],
        replicas,
        [0, 1],
        X,
        y,
        n_classes=2,
        batch_size=8,
        shuffle=True,
    )
    assert isinstance(block.stack, stack)
    assert takes_turns(block.stack)
    block.optimizer = torch.optim.Adam([block.stack.flat])
    for chunk in block.batches:
        losses = block._steps(chunk)
        assert losses.device.type == "meta"
        assert losses.shape == (2,)


def test_auto_is_for_own_nets_too(binary):
    teacher = EnsembleTeacher(small_net(device="auto"), n_estimators=1).fit(*binary)
    assert teacher.estimators_[0].device == "cpu"
    assert teacher.estimator.device == "auto"


def one_epoch(device):
    return mlp_net(
        StudentModel,
        hidden_layer_sizes=(4,),
        max_epochs=1,
        lr=0.01,
        lr_schedule="constant",
        batch_size=16,
        weight_decay=0,
        device=device,
        n_features=6,
        n_classes=2,
    )


def test_default_nets_take_their_batches_from_the_device(binary, monkeypatch):
    X, y = binary
    seen = []

    class Spy(ShuffledBatches):
        def __init__(self, dataset, batch_size):
            seen.append(dataset)
            super().__init__(dataset, batch_size)

    monkeypatch.setattr("skdistill._training.nets.ShuffledBatches", Spy)
    monkeypatch.setattr("skdistill._training.one_net.ShuffledBatches", Spy)
    net = one_epoch("cpu")
    train_net(
        net, X, y, seed=0, name="it", rows={"sample_weight": np.ones(len(X), "f4")}
    )
    (dataset,) = seen
    for values in (*dataset.X.values(), dataset.y):
        assert isinstance(values, torch.Tensor)
    assert dataset.X["X"].data_ptr() == X.ctypes.data  # on the CPU it is not copied


@pytest.mark.parametrize(("device", "n_jobs"), [("cpu", 12), ("cuda", 1), ("mps", 1)])
def test_a_gpu_is_not_shared_by_processes(binary, monkeypatch, device, n_jobs):
    asked = []

    class Spy:
        def __init__(self, n_jobs, return_as):
            asked.append(n_jobs)

        def __call__(self, jobs):
            return iter(())

    monkeypatch.setattr("skdistill._ensemble_members.Parallel", Spy)
    teacher = EnsembleTeacher(n_jobs=12)
    teacher.engine_, teacher.classes_ = "joblib", np.array([0, 1])
    fitted_members(teacher, one_epoch(device), *binary, [], None)
    assert asked == [n_jobs]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, True),
        ({"device": "cuda:1"}, False),
        ({"teacher": EnsembleTeacher(device="mps")}, False),
        ({"student": small_net(device="cuda")}, False),
        ({"teacher": Accelerated("gpu")}, False),
        ({"teacher": Accelerated("cpu")}, True),
        ({"teacher": Accelerated(None)}, True),
    ],
)
def test_folds_are_not_divided_if_anything_is_on_a_gpu(params, expected):
    assert _on_cpu(DistilledClassifier(**params)) == expected


@pytest.mark.parametrize("device", GPUS)
@pytest.mark.parametrize("batch_size", [8, 16, 100])
def test_a_gpu_trains_as_the_cpu_does_with_shared_rows(binary, device, batch_size):
    X, y = binary
    search = DistilledClassifierCV(
        small_teacher(dropout=0.0, device=device, batch_size=batch_size),
        temperatures=(1.0, 3.0),
        alphas=(0.5, 1.0),
        cv=3,
        hidden_layer_sizes=(8,),
        max_epochs=6,
        batch_size=batch_size,
        device=device,
        random_state=0,
    ).fit(X, y)
    on_cpu = clone(search).set_params(device="cpu", teacher__device="cpu").fit(X, y)
    assert search.engine_ == on_cpu.engine_
    np.testing.assert_allclose(
        search.predict_proba(X), on_cpu.predict_proba(X), atol=1e-4
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
def test_a_fit_stays_on_the_stream_of_the_user(binary, monkeypatch):
    streams = []
    run_epoch = Block.run_epoch

    def spy(self, settings, stop):
        streams.append(torch.cuda.current_stream())
        return run_epoch(self, settings, stop)

    monkeypatch.setattr(Block, "run_epoch", spy)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        small_teacher(device="cuda").fit(*binary)
    assert set(streams) == {stream}


def test_orders_are_drawn_on_the_cpu_whatever_the_default_device(binary):
    X, y = map(torch.from_numpy, binary)
    with torch.device("meta"):
        assert draw_order_seed() >= 0
        stacked = StackedBatches(
            X, y, [Replica("a", 0)], [0], batch_size=8, shuffle=True
        )
        rows = torch.cat([chunk.X.flatten(0, 2) for chunk in stacked])
        shuffled = list(ShuffledBatches(np.arange(80), batch_size=8))
    assert sorted(rows.tolist()) == sorted(X.tolist())
    assert sorted(np.concatenate(shuffled)) == list(range(80))


@pytest.mark.parametrize("device", GPUS)
@pytest.mark.parametrize("engine", ["vectorized", "joblib"])
def test_a_gpu_computes_what_the_cpu_does(binary, device, engine):
    X, y = binary
    teacher = small_teacher(dropout=0.0, engine=engine)
    on_cpu = small_distilled(teacher).fit(X, y)
    teacher = clone(teacher).set_params(device=device)
    on_gpu = small_distilled(teacher, device=device).fit(X, y)
    np.testing.assert_allclose(
        on_gpu.predict_proba(X), on_cpu.predict_proba(X), atol=1e-4
    )
    weights = nn.utils.parameters_to_vector(on_gpu.student_.module_.parameters())
    assert weights.device.type == "cpu"
    loaded = pickle.loads(pickle.dumps(on_gpu))
    np.testing.assert_array_equal(loaded.predict_proba(X), on_gpu.predict_proba(X))
