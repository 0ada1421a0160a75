import pickle
import random

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch import NeuralNetClassifier
from skorch.callbacks import LRScheduler
from skorch.dataset import ValidSplit
from torch import nn
from torch.utils.data import DataLoader

from skdistill import StudentModel, TeacherModel
from skdistill._training.batches import ShuffledBatches, StackedBatches
from skdistill._training.loss import UNLABELLED
from skdistill._training.many_nets import Replica
from skdistill._training.stackable import why_not_stacked
from skdistill._training.stacked_modules import StackedLayers, StackedModule, stack
from tests.nets import (
    LogitModule,
    global_random_states,
    own_net,
    small_teacher,
    user_net,
)
from tests.replicas import assert_as_alone, seeded, train, train_alone, weights

# --- Each replica comes out as it would alone -----------------------------------------


@pytest.mark.parametrize("batch_size", [16, 7, 79, 1000, -1])
@pytest.mark.parametrize("module", [TeacherModel, StudentModel])
def test_replicas_come_out_as_alone(binary, module, batch_size):
    net = own_net(module, batch_size=batch_size)
    assert_as_alone(net, *binary, seeded(3, 1, 2))


@pytest.mark.parametrize(
    "params",
    [
        {"optimizer": torch.optim.SGD},
        {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9},
        {"optimizer": torch.optim.Adam, "optimizer__amsgrad": True},
        {"optimizer": torch.optim.Adam, "optimizer__foreach": True},
        {"optimizer": torch.optim.AdamW, "optimizer__weight_decay": 0.1},
        {"optimizer": torch.optim.NAdam},
        {"optimizer": torch.optim.RAdam},
        {"optimizer": torch.optim.RMSprop},
        {"optimizer": torch.optim.Adagrad},
        {"optimizer": torch.optim.Adadelta, "optimizer__lr": 0.5},
        {"optimizer": torch.optim.Adamax},
    ],
    ids=lambda params: "-".join(map(str, params.values())),
)
def test_optimizers_come_out_as_alone(binary, params):
    X, y = binary
    net = own_net(lr=0.01, weight_decay=0.0).set_params(**params)
    rows = np.arange(40)
    assert why_not_stacked(net, binary[0]) is None
    assert_as_alone(net, X, y, [*seeded(0, 1), *seeded(2, rows=rows)])


def test_replicas_with_rows_of_their_own_come_out_as_alone(binary):
    rng = np.random.default_rng(0)
    replicas = [
        Replica(f"{size} rows", seed, rows=rng.choice(80, size=size, replace=replace))
        for seed, (size, replace) in enumerate(
            [(80, True), (65, False), (64, False), (66, False), (17, False), (3, False)]
        )
    ]
    assert_as_alone(own_net(), *binary, [*replicas, Replica("all", 9)])


def test_weights_and_teachers_of_their_own_come_out_as_alone(binary):
    X, y = binary
    rng = np.random.default_rng(0)
    weight = rng.exponential(size=80).astype(np.float32)
    logits = (3 * rng.standard_normal((80, 2))).astype(np.float32)
    rows = rng.permutation(80)[:50]
    taught = {"teacher_logits": logits, "alpha": 0.7, "temperature": 3.0}
    replicas = [
        Replica("hard", 0),
        Replica("weighted", 1, sample_weight=weight),
        Replica("taught", 2, **taught),
        Replica("taught and weighted", 2, sample_weight=weight, **taught),
        Replica("only taught", 2, teacher_logits=logits, alpha=1.0, temperature=5.0),
        Replica("not taught", 2, teacher_logits=logits, alpha=0.0, temperature=2.0),
        Replica(
            "taught on its rows",
            3,
            rows=rows,
            sample_weight=weight[rows],
            teacher_logits=logits[rows],
            alpha=0.5,
        ),
    ]
    assert_as_alone(own_net(StudentModel), X, y, replicas)


@pytest.mark.parametrize(
    "params",
    [{}, {"train_split": ValidSplit(3)}, {"iterator_train": DataLoader}],
    ids=["plain", "validated", "loader"],
)
def test_rows_without_labels_come_out_as_alone(binary, params):
    X, y = binary
    rng = np.random.default_rng(0)
    y = np.where(rng.random(80) < 0.5, UNLABELLED, y)
    logits = (3 * rng.standard_normal((80, 2))).astype(np.float32)
    weight = rng.exponential(size=80).astype(np.float32)
    replicas = [
        Replica("half", 0, None, weight, logits, 2.0, 0.5),
        Replica("soft", 1, None, weight, logits, 2.0, 1.0),
        Replica("rows", 2, np.arange(60), weight[:60], logits[:60], 20.0, 0.2),
    ]
    net = own_net(StudentModel).set_params(**params)
    assert why_not_stacked(net, X) is None
    assert_as_alone(net, X, y, replicas)
    alone = train_alone(net, X, y, replicas[0])
    for fitted in [*train(net, X, y, replicas), alone]:
        assert fitted.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("folds", [1, 2])
def test_candidates_that_share_their_rows_come_out_as_alone(binary, folds):
    X, y = binary
    rng = np.random.default_rng(0)
    replicas = []
    for fold in range(folds):
        shared = {
            "rows": np.flatnonzero(np.arange(len(X)) % 3 != fold),
            "sample_weight": rng.uniform(0.5, 2, size=len(X)).astype(np.float32),
            "teacher_logits": rng.normal(size=(len(X), 2)).astype(np.float32),
        }
        n_rows = len(shared["rows"])
        shared["sample_weight"] = shared["sample_weight"][:n_rows]
        shared["teacher_logits"] = shared["teacher_logits"][:n_rows]
        for temperature, alpha in [(1.0, 1.0), (4.0, 0.5), (2.0, 0.0)]:
            name = f"T={temperature}, fold {fold}"
            soft = {"temperature": temperature, "alpha": alpha}
            replicas.append(Replica(name, fold, **shared, **soft))
    assert_as_alone(own_net(StudentModel), X, y, replicas)


@pytest.mark.parametrize("policy", ["StepLR", torch.optim.lr_scheduler.OneCycleLR])
def test_schedules_of_the_learning_rate_come_out_as_alone(binary, policy, monkeypatch):
    monkeypatch.setattr("skdistill._training.blocks.BLOCK_PARAMETERS", 1)
    settings = (
        {"step_size": 2} if policy == "StepLR" else {"max_lr": 0.1, "total_steps": 9}
    )
    schedule = LRScheduler(policy, **settings)
    net = own_net().set_params(callbacks=[("schedule", schedule)])
    assert why_not_stacked(net, binary[0]) is None
    assert_as_alone(net, *binary, seeded(0, 1))
    assert "event_lr" in train(net, *binary, seeded(0))[0].history[0]


@pytest.mark.parametrize("shuffle", [True, False])
def test_user_net_is_shuffled_if_it_says_so(binary, shuffle):
    X, y = binary
    net = user_net(iterator_train__shuffle=shuffle)
    replicas = seeded(0, 1)
    in_order = user_net(max_epochs=4)
    same = [
        np.allclose(weights(fitted), weights(train_alone(in_order, X, y, r)), atol=1e-4)
        for fitted, r in zip(train(net, X, y, replicas), replicas, strict=True)
    ]
    assert same == [not shuffle, not shuffle]


class Gated(nn.Module):
    """A module with parameters of several kinds."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(n_features))
        self.norm = nn.LayerNorm(n_features)
        self.hidden = nn.Linear(n_features, 8, bias=False)
        self.out = nn.Linear(4, n_classes)

    def forward(self, X):
        hidden = nn.functional.glu(self.hidden(self.norm(X * self.scale)))
        return self.out(hidden)


@pytest.mark.parametrize("module", [LogitModule, Gated])
def test_any_pure_module_comes_out_as_alone(binary, module):
    net = user_net(module, iterator_train=ShuffledBatches, optimizer=torch.optim.Adam)
    assert why_not_stacked(net, binary[0]) is None
    assert_as_alone(net, *binary, [*seeded(0, 1), *seeded(2, rows=np.arange(33))])


class BatchNormalized(nn.Sequential):
    """Without buffers, but a row's output depends on the others in the batch."""

    def __init__(self, n_features, n_classes):
        norm = nn.BatchNorm1d(n_features, track_running_stats=False)
        super().__init__(norm, nn.Linear(n_features, n_classes))


def test_rows_that_see_each_other_see_no_others(binary):
    net = user_net(BatchNormalized, iterator_train=ShuffledBatches)
    assert why_not_stacked(net, binary[0]) is None
    replicas = [
        *seeded(0, 1, rows=np.arange(35)),
        *seeded(2, rows=np.arange(47)),
        *seeded(3, rows=np.arange(41)),
    ]
    assert_as_alone(net, *binary, replicas)


# --- Replicas do not touch each other -------------------------------------------------


@pytest.mark.parametrize("batch_size", [16, 300])
def test_a_replica_does_not_depend_on_the_others(binary, batch_size):
    X, y = binary
    net = own_net(dropout=0.4, batch_size=batch_size)
    subject = Replica("subject", 0, rows=np.arange(40))
    taught = {"teacher_logits": np.ones((80, 2), np.float32), "alpha": 0.5}
    alone, *_ = train(net, X, y, [subject])
    for others in (seeded(1), seeded(1, 2, rows=np.arange(7)), seeded(3, **taught)):
        *_, fitted = train(net, X, y, [*others, subject])
        np.testing.assert_allclose(weights(fitted), weights(alone), atol=1e-5)


def test_replicas_differ_in_everything_their_seed_decides(binary):
    first, second, again = train(own_net(dropout=0.4), *binary, seeded(0, 1, 0))
    assert not np.allclose(weights(first), weights(second), atol=0.1)
    np.testing.assert_allclose(weights(first), weights(again), atol=1e-5)


# --- Determinism ----------------------------------------------------------------------


class Dropping(LogitModule):
    def forward(self, X):
        return super().forward(nn.functional.dropout(X, 0.3, self.training))


@pytest.mark.parametrize(
    "net", [own_net(dropout=0.4), user_net(Dropping)], ids=["layers", "module"]
)
def test_result_is_bit_identical_and_global_generators_are_left_alone(
    net, binary, monkeypatch
):
    monkeypatch.setattr("skdistill._training.blocks.BLOCK_PARAMETERS", 300)
    results = []
    for n_threads in (1, 2):
        random.seed(n_threads)
        np.random.seed(n_threads)  # noqa: NPY002
        torch.manual_seed(n_threads)
        torch.set_num_threads(n_threads)
        try:
            before = global_random_states()
            nets = train(net, *binary, seeded(0, 1, 2, 3))
            after = global_random_states()
            assert torch.get_num_threads() == n_threads
        finally:
            torch.set_num_threads(1)
        assert before == after
        results.append([weights(fitted) for fitted in nets])
    np.testing.assert_array_equal(*results)


def orders(batches, n_epochs=2):
    return [np.concatenate(list(batches)).tolist() for _ in range(n_epochs)]


def test_batches_are_shuffled_anew_in_every_epoch():
    torch.manual_seed(0)
    batches = ShuffledBatches(np.arange(10), batch_size=4)
    torch.manual_seed(0)
    again = ShuffledBatches(np.arange(10), batch_size=4)
    first, second = orders(batches)
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert len(batches) == 3
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert orders(again) == [first, second]
    # Training a member on does not repeat the batches of its fit.
    assert orders(ShuffledBatches(np.arange(10), batch_size=4)) != [first, second]


@pytest.mark.parametrize("n_features", [1, 100_000])
def test_what_is_gathered_at_once_is_limited(n_features):
    X = torch.zeros(1, 1).expand(3000, n_features)
    y = torch.zeros(3000, dtype=torch.int64)
    batches = StackedBatches(X, y, seeded(0, 1), [0, 1], batch_size=2, shuffle=True)
    chunk = next(iter(batches))
    n_batches, n_replicas, n_rows, _ = chunk.X.shape
    assert (n_replicas, n_rows) == (2, 2)
    assert n_batches == (512 if n_features == 1 else 1)


# --- Dropout --------------------------------------------------------------------------


def dropping_stack(p, seeds=(0, 1), n_rows=100):
    modules = [TeacherModel(5, 3, (200, 8), p) for _ in seeds]
    return stack(modules, list(seeds), n_rows)


@pytest.mark.parametrize("p", [0.3, 0.003, 0.9])
def test_dropout_keeps_what_it_should(p):
    masks = dropping_stack(p).masks
    drawn = torch.stack([masks.of_next_step(100)[0].clone() for _ in range(10)])
    assert drawn.unique().tolist() == pytest.approx([0, 1 / (1 - p)], rel=1e-3)
    error = (p * (1 - p) / drawn.numel()) ** 0.5
    assert (drawn == 0).double().mean().item() == pytest.approx(p, abs=4 * error)


def test_dropout_differs_between_steps_and_replicas():
    masks = dropping_stack(0.5).masks
    drawn = torch.stack([masks.of_next_step(100)[0].clone() for _ in range(5)])
    kept = (drawn > 0).double().flatten(2).flatten(0, 1)
    correlation = torch.corrcoef(kept) - torch.eye(len(kept))
    assert correlation.abs().max() < 5 / 20000**0.5


def test_dropout_of_a_replica_depends_on_its_seed_only():
    (alone,) = dropping_stack(0.5, seeds=[7]).masks.of_next_step(40).values()
    (among,) = dropping_stack(0.5, seeds=[1, 7]).masks.of_next_step(40).values()
    assert torch.equal(alone[0], among[1])


def test_dropout_trains_as_well_as_alone(binary):
    X, y = binary
    net = own_net(dropout=0.5, max_epochs=10)
    replicas = seeded(*range(24))
    stacked = [n.history[-1, "train_loss"] for n in train(net, X, y, replicas)]
    alone = [train_alone(net, X, y, r).history[-1, "train_loss"] for r in replicas]
    assert np.mean(alone) < 0.6
    error = np.hypot(np.std(stacked), np.std(alone)) / len(replicas) ** 0.5
    assert abs(np.mean(stacked) - np.mean(alone)) < 3 * error


# --- Stacks ---------------------------------------------------------------------------


class AsFunction(torch.autograd.Function):
    """A stack as a function of its parameters, with masks that stay the same."""

    @staticmethod
    def forward(ctx, flat, X, stacked):
        ctx.save_for_backward(flat, X)
        ctx.stacked = stacked
        stacked.flat.data.copy_(flat)
        return stacked.forward(X)

    @staticmethod
    def backward(ctx, gradient):
        flat, X = ctx.saved_tensors
        ctx.stacked.flat.data.copy_(flat)
        ctx.stacked.forward(X)
        ctx.stacked.backward(gradient)
        return ctx.stacked.flat.grad.clone(), None, None


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_gradients_of_layers_are_right(dropout, monkeypatch):
    torch.manual_seed(0)
    modules = [TeacherModel(3, 2, (5, 4), dropout).double() for _ in range(2)]
    stacked = stack(modules, [0, 1], n_rows=6)
    assert isinstance(stacked, StackedLayers)
    masks = {
        layer: mask.clone() for layer, mask in stacked.masks.of_next_step(6).items()
    }
    monkeypatch.setattr(stacked.masks, "of_next_step", lambda n_rows: masks)
    X = torch.randn(2, 6, 3, dtype=torch.float64)
    flat = stacked.flat.detach().clone().requires_grad_()
    torch.autograd.gradcheck(lambda flat: AsFunction.apply(flat, X, stacked), (flat,))


class Wrapped(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, X):
        return self.module(X)


def test_layers_and_vmap_agree():
    torch.manual_seed(0)
    modules = [TeacherModel(5, 3, (8, 4), dropout=0) for _ in range(3)]
    fast = stack(modules, [0, 1, 2], n_rows=6)
    general = stack([Wrapped(module) for module in modules], [0, 1, 2], n_rows=6)
    assert isinstance(general, StackedModule)
    X, gradient = torch.randn(3, 6, 5), torch.randn(3, 6, 3)
    torch.testing.assert_close(fast.forward(X), general.forward(X))
    fast.backward(gradient)
    general.backward(gradient)
    torch.testing.assert_close(fast.flat.grad, general.flat.grad)


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Linear(3, 2, bias=False)),
        nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)),
        nn.Sequential(nn.Dropout(), nn.Linear(3, 2)),
        nn.Sequential(nn.Linear(3, 2), nn.ReLU()),
        nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(1.0), nn.Linear(4, 2)),
    ],
)
def test_other_layers_are_left_to_vmap(module):
    assert isinstance(stack([module, module], [0, 1], n_rows=4), StackedModule)


def test_hooks_are_left_to_vmap():
    module = TeacherModel(3, 2)
    module.layers[0].register_forward_hook(lambda layer, inputs, output: 2 * output)
    assert isinstance(stack([module], [0], n_rows=4), StackedModule)


# --- Errors and results ---------------------------------------------------------------


def test_a_loss_that_is_not_finite_names_the_replica_and_the_epoch(binary):
    net = own_net(batch_size=-1).set_params(optimizer=torch.optim.SGD)
    heavy = np.full(80, 1e30, np.float32)
    replicas = [*seeded(0, 1), Replica("replica 2 of 3", 2, sample_weight=heavy)]
    message = "replica 2 of 3 stopped: its loss became (nan|inf) in epoch 2 of 4.*lr"
    with pytest.raises(ValueError, match=message):
        train(net, *binary, replicas)


class Bar:
    def __init__(self, stop_at=None):
        self.n = 0
        self.stop_at = stop_at

    def set_postfix(self, **kwargs):
        assert float(kwargs["loss"]) > 0

    def update(self, n):
        self.n += n
        if self.n == self.stop_at:
            raise KeyboardInterrupt


def test_bar_moves_by_one_per_replica_and_epoch(binary):
    bar = Bar()
    train(own_net(), *binary, seeded(0, 1, 2), bar=bar)
    assert bar.n == 3 * 4


def test_ctrl_c_is_not_swallowed(binary):
    with pytest.raises(KeyboardInterrupt):
        train(own_net(), *binary, seeded(0, 1, 2), bar=Bar(stop_at=6))


def test_verbose_prints_one_table(binary, capsys):
    train(own_net(), *binary, seeded(0, 1))
    assert capsys.readouterr().out == ""
    train(own_net(), *binary, seeded(0, 1), verbose=2)
    assert capsys.readouterr().out.count("train_loss") == 1


def test_nets_work_on_their_own(binary):
    X, y = binary
    fitted, _ = train(own_net(dropout=0.3), X, y, seeded(0, 1))
    alone = train_alone(own_net(), X, y, Replica("alone", 0))
    proba = fitted.predict_proba(X)
    assert type(fitted) is NeuralNetClassifier
    assert not fitted.module_.training
    assert fitted.device == "cpu"
    assert fitted.classes_.tolist() == [0, 1]
    assert fitted.optimizer_.state == {}
    assert fitted.history[-1].keys() == alone.history[-1].keys()
    assert (fitted.predict(X) == y).mean() > 0.8
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copied.predict_proba(X), proba)
    assert len(pickle.dumps(fitted)) == pytest.approx(len(pickle.dumps(alone)), rel=0.1)
    assert clone(fitted).fit(X, y).predict_proba(X).shape == proba.shape
    fitted.partial_fit(X, y)
    assert not np.array_equal(fitted.predict_proba(X), proba)


def test_given_net_and_data_are_left_alone(binary):
    X, y = binary
    net = own_net()
    before = net.get_params(deep=False)
    X_before = X.copy()
    train(net, X, y, seeded(0))
    assert net.get_params(deep=False) == before
    assert not net.initialized_
    np.testing.assert_array_equal(X, X_before)


@pytest.mark.parametrize("engine", ["vectorized", "joblib"])
def test_a_memmap_stays_on_disk(binary, tmp_path, monkeypatch, engine):
    X, y = binary
    on_disk = np.memmap(tmp_path / "X", dtype=np.float32, mode="w+", shape=X.shape)
    on_disk[:] = X
    on_disk.flush()
    on_disk = np.memmap(tmp_path / "X", dtype=np.float32, mode="r", shape=X.shape)
    held = []

    class Stacked(StackedBatches):
        def __init__(self, X, *args, **kwargs):
            held.append(X)
            super().__init__(X, *args, **kwargs)

    class Shuffled(ShuffledBatches):
        def __init__(self, dataset, batch_size):
            held.append(dataset.X)
            super().__init__(dataset, batch_size)

    monkeypatch.setattr("skdistill._training.blocks.StackedBatches", Stacked)
    monkeypatch.setattr("skdistill._training.nets.ShuffledBatches", Shuffled)
    monkeypatch.setattr("skdistill._training.one_net.ShuffledBatches", Shuffled)
    monkeypatch.setattr("skdistill._training.many_nets.ShuffledBatches", Shuffled)
    monkeypatch.setattr("skdistill._training.stackable.ShuffledBatches", Shuffled)
    monkeypatch.setattr("skdistill._training.blocks.BLOCK_PARAMETERS", 1)
    small_teacher(n_estimators=4, engine=engine).fit(on_disk, y)
    assert len(held) == 4  # blocks, or nets
    for rows in held:
        assert rows.data_ptr() == on_disk.ctypes.data
