"""What cannot be trained as a stack, and why."""

import logging
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import (
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
)
from skorch.dataset import ValidSplit
from torch import nn

from skdistill import EnsembleTeacher, TeacherModel
from skdistill._training.stackable import does_more_than_train, why_not_stacked
from tests.nets import LogitModule, own_net, user_net

SIX = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)


class NormModule(LogitModule):
    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        self.norm = nn.BatchNorm1d(n_features)


class FrozenModule(LogitModule):
    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        self.layers[0].weight.requires_grad_(False)


class BranchingModule(LogitModule):
    def forward(self, X):
        return super().forward(X if X.sum() > 0 else -X)


class UnusedModule(LogitModule):
    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        self.unused = nn.Linear(2, 2)


class WithAside(TeacherModel):
    """As TeacherModel computes, but for a layer that nothing passes through."""

    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes, (8,))
        self.aside = nn.Linear(2, 2)


class TwiceTheSameLayer(nn.Sequential):
    def __init__(self, n_features, n_classes):
        same = nn.Linear(8, 8)
        first, last = nn.Linear(n_features, 8), nn.Linear(8, n_classes)
        relu = nn.ReLU()
        super().__init__(first, relu, same, relu, same, relu, last)


class SparseModule(LogitModule):
    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        mask = torch.eye(*self.layers[0].weight.shape)
        self.layers[0].weight.register_hook(lambda gradient: gradient * mask)


class ReversingModule(LogitModule):
    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        self.layers[1].register_full_backward_hook(
            lambda layer, gradients, _: (-gradients[0],)
        )


class PickingModule(LogitModule):
    """Each takes features of its own."""

    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        self.scale = torch.rand(n_features)

    def forward(self, X):
        return super().forward(X * self.scale)


class KeepingModule(LogitModule):
    def forward(self, X):
        self.seen = X
        return super().forward(X)


class LearningModule(LogitModule):
    """Sets itself up by the first batch."""

    mean = None

    def forward(self, X):
        if self.mean is None:
            self.mean = X.mean(dim=0).detach()
        return super().forward(X - self.mean)


class CountingModule(LogitModule):
    """Warms up, by the batches that it has been trained on."""

    calls = 0

    def forward(self, X):
        if self.training:
            self.calls += 1
        return super().forward(X) * min(1, self.calls / 20)


class RememberingModule(LogitModule):
    def forward(self, X):
        logits = super().forward(X)
        if self.training:
            self.last = logits
        return logits


class AppendingModule(LogitModule):
    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        self.seen = {"rows": []}

    def forward(self, X):
        if self.training:
            self.seen["rows"].append(len(X))
        return super().forward(X)


class AveragingModule(LogitModule):
    """Writes to a tensor that is no buffer."""

    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        self.n_seen = torch.zeros(())

    def forward(self, X):
        if self.training:
            self.n_seen += len(X)
        return super().forward(X)


class CountingElsewhere(LogitModule):
    """Counts in an object of its own, which also knows itself."""

    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        self.state = SimpleNamespace(calls=1000, known=[])
        self.state.known.append(self.state.known)

    def forward(self, X):
        if self.training:
            self.state.calls += 1
        return super().forward(X)


class CountingForAll(LogitModule):
    calls = 0

    def forward(self, X):
        if self.training:
            type(self).calls += 1
        return super().forward(X)


class LookingUp(LogitModule):
    """Holds what no forward changes."""

    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        self.log = logging.getLogger("looking up")
        self.math = math
        self.table = SimpleNamespace(values=np.ones(2), of=self)
        self.table.self = self.table

    def forward(self, X):
        self.log.debug("looked up")
        return super().forward(X) * float(self.table.values[0])


class WritingModule(LogitModule):
    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        self.state = SimpleNamespace(seen=np.zeros((2, 2), order="F")[::2])

    def forward(self, X):
        if self.training:
            self.state.seen += len(X)
        return super().forward(X)


class DifferentInTraining(LogitModule):
    """In training mode only, each scales by a number of its own."""

    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        self.scale = torch.rand(())

    def forward(self, X):
        return super().forward(X) * (self.scale if self.training else 1)


class DoublingModule(LogitModule):
    def forward(self, X):
        logits = super().forward(X)
        return logits * 2 if self.training else logits


class DroppingModule(LogitModule):
    def forward(self, X):
        X = nn.functional.dropout(X, 0.5, self.training)
        return super().forward(X)


class NoisyModule(LogitModule):
    def forward(self, X):
        noise = torch.randn_like(X) + torch.rand(X.shape, generator=None)
        return super().forward(X + 0.1 * noise)


class DroppingInItsWay(DifferentInTraining):
    def forward(self, X):
        return super().forward(nn.functional.dropout1d(X, 0.5, self.training))


class NoisyInItsWay(PickingModule):
    def forward(self, X):
        return super().forward(X + torch.rand_like(X))


class NetOfMyOwn(NeuralNetClassifier):
    pass


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"criterion": nn.NLLLoss}, "criterion is not CrossEntropyLoss"),
        ({"criterion__label_smoothing": 0.1}, "criterion is not CrossEntropyLoss"),
        ({"optimizer": torch.optim.LBFGS}, "optimizer is LBFGS"),
        ({"optimizer__param_groups": [("*.bias", {"lr": 1})]}, "param_groups"),
        ({"train_split": lambda data, y: (data, data)}, "not a ValidSplit"),
        (
            {"train_split": ValidSplit(2), "iterator_valid__batch_size": 8},
            "iterator_valid",
        ),
        (
            {"train_split": ValidSplit(2), "callbacks": [LRScheduler("StepLR")]},
            "schedule beside",
        ),
        ({"callbacks": [EarlyStopping(), LRScheduler("StepLR")]}, "schedule beside"),
        ({"iterator_train__drop_last": True}, "more than shuffle"),
        ({"compile": True}, "compiles"),
        ({"callbacks__valid_acc__on_train": True}, "EpochScoring"),
        ({"callbacks__train_loss__name": "valid_acc"}, "PassthroughScoring"),
        ({"callbacks__print_log": GradientNormClipping(0.1)}, "GradientNormClipping"),
        ({"callbacks__valid_acc": EarlyStopping, "train_split": 1}, "not a ValidSplit"),
        ({"dataset__length": 10}, "dataset"),
        ({"callbacks": [GradientNormClipping(1.0)]}, "callback <.*GradientNormClipp"),
        ({"callbacks": [EpochScoring("accuracy", on_train=True)]}, "EpochScoring"),
        ({"callbacks": [LRScheduler("StepLR", step_every="batch")]}, "LRScheduler"),
        ({"callbacks": [("a", LRScheduler("ReduceLROnPlateau"))]}, "LRScheduler"),
        ({"module": NormModule}, "NormModule has buffers"),
        ({"module": FrozenModule}, "FrozenModule has frozen parameters"),
        ({"module": BranchingModule}, "BranchingModule does not work in a stack: "),
        ({"module": UnusedModule}, "UnusedModule does not work in a stack: "),
        ({"module": WithAside}, "WithAside does not work in a stack: "),
        ({"module": TwiceTheSameLayer}, "TwiceTheSameLayer (does not work|is chang)"),
        ({"module": SparseModule}, "SparseModule computes something else"),
        ({"module": ReversingModule}, "ReversingModule .*(not work|something else)"),
        ({"module": PickingModule}, "PickingModule computes something else"),
        ({"module": KeepingModule}, "KeepingModule is changed by its forward"),
        ({"module": LearningModule}, "LearningModule (is changed|does not work)"),
        ({"module": CountingModule}, "CountingModule is changed by its forward"),
        ({"module": RememberingModule}, "RememberingModule is changed by its forward"),
        ({"module": AppendingModule}, "AppendingModule is changed by its forward"),
        ({"module": AveragingModule}, "AveragingModule (is changed|does not work)"),
        ({"module": CountingElsewhere}, "CountingElsewhere is changed by its forward"),
        ({"module": CountingForAll}, "CountingForAll is changed by its forward"),
        ({"module": WritingModule}, "WritingModule is changed by its forward"),
        ({"module": DifferentInTraining}, "DifferentInTraining computes something"),
        ({"module": DroppingInItsWay}, "DroppingInItsWay computes something else"),
        ({"module": NoisyInItsWay}, "NoisyInItsWay computes something else"),
        ({"module": LogitModule(6, 2)}, "module is an instance"),
    ],
)
def test_reasons_not_to_stack(params, reason):
    net = user_net(**params)
    assert re.search(reason, why_not_stacked(net, SIX))


@pytest.mark.parametrize(
    ("callback", "nested"),
    [
        (EpochScoring("roc_auc"), {"callbacks__own__on_train": True}),
        (LRScheduler("StepLR", step_size=1), {"callbacks__own__step_every": "batch"}),
        (EarlyStopping(), {"callbacks__own": GradientNormClipping(1.0)}),
    ],
)
def test_callbacks_are_judged_as_their_settings_make_them(callback, nested):
    net = user_net(callbacks=[("own", callback)]).set_params(**nested)
    assert "its callback" in why_not_stacked(net, SIX)


def test_a_callback_that_became_a_schedule_is_one():
    net = user_net(callbacks=[("own", EarlyStopping())])
    net.set_params(callbacks__own=LRScheduler("StepLR", step_size=1))
    assert why_not_stacked(net, SIX) is None
    assert not does_more_than_train(net)


def test_a_subclass_of_the_net_is_not_stacked():
    net = NetOfMyOwn(LogitModule)
    assert why_not_stacked(net, SIX) == (
        "it is a NetOfMyOwn, which may train in a way of its own"
    )


@pytest.mark.parametrize("callbacks", [None, [], "disable"])
def test_nothing_speaks_against_a_plain_net(callbacks):
    assert why_not_stacked(user_net(callbacks=callbacks), SIX) is None
    assert why_not_stacked(own_net(), SIX) is None


def test_what_a_forward_only_reads_does_not_speak_against_stacking():
    assert why_not_stacked(user_net(LookingUp), SIX) is None


@pytest.mark.parametrize("module", [DoublingModule, DroppingModule, NoisyModule])
def test_training_mode_may_be_another_computation(module):
    assert why_not_stacked(user_net(module), SIX) is None


@pytest.mark.parametrize("dropout", [0.001, 0.5, 0.999])
def test_dropout_does_not_speak_against_stacking(dropout):
    assert why_not_stacked(own_net(dropout=dropout), SIX) is None


@pytest.mark.parametrize("module", [CountingModule, RememberingModule])
def test_modules_that_training_changes_come_out_as_by_joblib(binary, module):
    net = user_net(module, max_epochs=6)
    auto, alone = (
        EnsembleTeacher(net, 3, engine=engine, random_state=0).fit(*binary)
        for engine in ("auto", "joblib")
    )
    np.testing.assert_array_equal(
        auto.predict_proba(binary[0]), alone.predict_proba(binary[0])
    )
