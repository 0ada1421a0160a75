"""Replicas, trained in a stack and alone."""

import numpy as np
from sklearn.base import clone
from torch import nn

from skdistill import DistillationLoss
from skdistill._training.many_nets import Replica, train_stacked
from skdistill._training.one_net import train_net

TOLERANCE = 1e-4


def seeded(*seeds, **fields):
    return [Replica(f"replica {seed}", seed, **fields) for seed in seeds]


def train(net, X, y, replicas, **shown):
    return train_stacked(net, X, y, replicas, n_classes=int(y.max()) + 1, **shown)


def train_alone(net, X, y, replica):
    loss, values = None, {}
    if replica.rows is not None:
        X, y = X[replica.rows], y[replica.rows]
    if replica.sample_weight is not None:
        values["sample_weight"] = replica.sample_weight
    if replica.teacher_logits is not None:
        values["teacher_logits"] = replica.teacher_logits
        loss = DistillationLoss(replica.temperature, replica.alpha)
    return train_net(
        clone(net),
        X,
        y,
        seed=replica.seed,
        name=replica.name,
        loss=loss,
        rows=values,
    )


def weights(net):
    return nn.utils.parameters_to_vector(net.module_.parameters()).detach().numpy()


def assert_as_alone(net, X, y, replicas):
    for fitted, replica in zip(train(net, X, y, replicas), replicas, strict=True):
        alone = train_alone(net, X, y, replica)
        np.testing.assert_allclose(weights(fitted), weights(alone), atol=TOLERANCE)
        assert type(fitted) is type(alone)
        assert len(fitted.history) == len(alone.history)
        for own, expected in zip(fitted.history, alone.history, strict=True):
            assert own.keys() == expected.keys()
            for key in own.keys() - {"dur"}:
                np.testing.assert_allclose(own[key], expected[key], atol=TOLERANCE)
