"""Nets in a stack that validate, stop early and score as they would alone."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import EarlyStopping, EpochScoring
from skorch.dataset import ValidSplit
from torch.utils.data import DataLoader

from skdistill import EnsembleTeacher, StudentModel
from skdistill._training.batches import ShuffledBatches
from skdistill._training.blocks import Block
from skdistill._training.many_nets import Replica
from skdistill._training.stackable import why_not_stacked
from tests.nets import LogitModule, own_net, user_net
from tests.replicas import assert_as_alone, seeded, train, train_alone, weights


def validating_net(module=StudentModel, **params):
    settings = {"train_split": ValidSplit(4), "max_epochs": 6, **params}
    return own_net(module).set_params(**settings)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"train_split": ValidSplit(3, stratified=True), "batch_size": 7},
        {"train_split": ValidSplit(0.3), "batch_size": -1},
        {"train_split": ValidSplit(0.3, random_state=1), "batch_size": 1000},
        {"callbacks": "disable"},
        {"train_split": None, "callbacks": [EarlyStopping("train_loss", patience=2)]},
        {"callbacks": [("auc", EpochScoring("roc_auc", lower_is_better=False))]},
        {"callbacks": [EpochScoring("neg_log_loss", use_caching=False, name="loss")]},
        {"callbacks__valid_acc": None},
        {"callbacks__valid_acc": EarlyStopping("valid_loss", patience=2)},
        {
            "callbacks": [EarlyStopping(patience=1, threshold=9.0)],
            "callbacks__train_loss": None,
        },
    ],
    ids=lambda params: "-".join(params),
)
def test_nets_come_out_as_alone(binary, params):
    net = validating_net(**params)
    assert why_not_stacked(net, binary[0]) is None
    assert_as_alone(net, *binary, seeded(3, 1, 2))


def rows_of_a_scorer(net, data, y):
    """Return a number that tells what kind of data it got, and which rows."""
    rows = data.dataset.X[data.indices]
    return float(rows.sum()) + 1000 * isinstance(rows, np.ndarray)


@pytest.mark.parametrize("iterator", [DataLoader, ShuffledBatches])
def test_callbacks_get_what_they_get_alone(binary, iterator):
    """Arrays, where the loader takes rows from arrays."""
    scorings = [
        EpochScoring(rows_of_a_scorer, name="rows"),
        EpochScoring("accuracy", use_caching=False, name="own"),
    ]
    net = user_net(
        train_split=ValidSplit(4), callbacks=scorings, iterator_train=iterator
    )
    assert_as_alone(net, *binary, seeded(0, 1))


def test_settings_of_a_callback_reach_it(binary):
    net = validating_net(callbacks=[("stop", EarlyStopping(patience=9, threshold=9.0))])
    net.set_params(callbacks__stop__patience=2)
    assert_as_alone(net, *binary, seeded(0, 1))
    assert len(train(net, *binary, seeded(0))[0].history) == 3


def test_rows_weights_and_teachers_of_their_own(binary):
    X, y = binary
    rng = np.random.default_rng(0)
    rows = rng.choice(80, size=57, replace=False)
    weight = rng.uniform(0.5, 1.5, size=57).astype(np.float32)
    logits = rng.normal(size=(57, 2)).astype(np.float32)
    replicas = [
        Replica("plain", 0),
        Replica("rows", 1, rows),
        Replica("weights", 2, rows, weight),
        Replica("teacher", 3, rows, None, logits, temperature=3.0, alpha=0.5),
        Replica("all", 3, rows, weight, logits, temperature=1.5, alpha=1.0),
    ]
    assert_as_alone(validating_net(), X, y, replicas)


def stopping(**params):
    return EarlyStopping(
        **{"patience": 2, "threshold": 0.02, "threshold_mode": "abs", **params}
    )


@pytest.mark.parametrize("load_best", [True, False])
def test_each_stops_when_it_would_alone(binary, load_best, monkeypatch):
    X, y = binary
    epochs = []
    run_epoch = Block.run_epoch

    def spy(self, settings, stop):
        epochs.append(self)
        return run_epoch(self, settings, stop)

    monkeypatch.setattr(Block, "run_epoch", spy)
    net = validating_net(max_epochs=30, callbacks=[stopping(load_best=load_best)])
    replicas = [*seeded(0, 1, 2, 3), Replica("rows", 4, np.arange(40))]
    lengths = {len(fitted.history) for fitted in train(net, X, y, replicas)}
    assert len(lengths) > 1
    assert epochs.count(epochs[0]) == max(lengths) < 30
    assert_as_alone(net, X, y, replicas)


def test_one_that_stops_changes_no_other(binary):
    """Not even if it goes on to diverge in its place in the stack."""
    X, y = binary
    stop = EarlyStopping("train_loss", patience=1, threshold=0.0)
    net = own_net(StudentModel, max_epochs=8, batch_size=-1)
    net.set_params(optimizer=torch.optim.SGD, callbacks=[stop])
    wild = Replica("wild", 1, sample_weight=np.full(80, 1e6, np.float32))
    with pytest.raises(ValueError, match="wild stopped: its loss became"):
        train(clone(net).set_params(callbacks=None), X, y, [*seeded(0), wild])
    (alone,) = train(net, X, y, seeded(0))
    beside, stopped = train(net, X, y, [*seeded(0), wild])
    assert len(stopped.history) < len(beside.history) == 8
    np.testing.assert_allclose(weights(beside), weights(alone), atol=1e-6)


def test_one_that_diverges_may_still_bring_back_its_best(binary):
    stop = EarlyStopping("train_loss", patience=1, load_best=True)
    net = own_net(StudentModel, batch_size=-1, lr=1e20)
    net.set_params(optimizer=torch.optim.SGD, callbacks=[stop])
    (fitted,) = train(net, *binary, seeded(0))
    alone = train_alone(net, *binary, *seeded(0))
    assert np.isnan(fitted.history[-1, "train_loss"])
    assert len(fitted.history) == len(alone.history)
    np.testing.assert_allclose(weights(fitted), weights(alone), rtol=1e-3)


def test_a_split_that_leaves_nothing_to_train_on_is_refused(binary):
    net = validating_net(train_split=ValidSplit([([], list(range(20)))]))
    with pytest.raises(ValueError, match="replica 3 has no batch in an epoch"):
        train(net, *binary, seeded(3))


class Watched(LogitModule):
    """Notes whether it is in training mode, and whether it is trained."""

    seen = []

    def forward(self, X):
        self.seen.append((self.training, torch.is_grad_enabled()))
        return super().forward(X)


def test_validation_leaves_the_stack_in_training_mode(binary):
    Watched.seen.clear()
    train(user_net(Watched, train_split=ValidSplit(4)), *binary, seeded(0, 1))
    assert set(Watched.seen) == {(True, True), (False, False)}


def test_verbose_prints_one_table(binary, capsys):
    net = validating_net(callbacks=[stopping()])
    train(net, *binary, seeded(0, 1), verbose=2)
    assert capsys.readouterr().out.count("train_loss") == 1


def test_ensembles_of_nets_that_stop_early_are_stacked(binary):
    net = user_net(train_split=ValidSplit(4), callbacks=[stopping()], max_epochs=20)
    teacher = EnsembleTeacher(net, n_estimators=3, random_state=0).fit(*binary)
    assert teacher.engine_ == "vectorized"
    member = teacher.estimators_[0]
    assert type(member) is type(net)
    assert "valid_acc" in member.history[-1]
    again = pickle.loads(pickle.dumps(teacher))
    np.testing.assert_array_equal(
        again.predict_proba(binary[0]), teacher.predict_proba(binary[0])
    )
