"""Modules that work in place change neither the caller's X nor what others get."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from skorch.callbacks import EarlyStopping, EpochScoring
from skorch.dataset import ValidSplit
from torch.utils.data import DataLoader

from skdistill import DistilledClassifier, EnsembleTeacher
from skdistill._training.batches import ShuffledBatches
from tests.nets import LogitModule, small_distilled, small_net


class InPlace(LogitModule):
    def forward(self, X):
        X -= 3.0
        X /= 2.0
        return super().forward(X)


class OutOfPlace(LogitModule):
    def forward(self, X):
        return super().forward((X - 3.0) / 2.0)


class Views:
    """Batches that are views of the data."""

    def __init__(self, dataset, batch_size):
        self.dataset, self.batch_size = dataset, batch_size

    def __iter__(self):
        for start in range(0, len(self.dataset), self.batch_size):
            batch = slice(start, start + self.batch_size)
            X, y = (
                torch.from_numpy(d[batch]) for d in (self.dataset.X, self.dataset.y)
            )
            yield X, y


NETS = [
    {},
    {"iterator_train": ShuffledBatches},
    {"iterator_train": ShuffledBatches, "batch_size": -1},
    {"batch_size": -1},
    {"batch_size": 1, "max_epochs": 1},
    {"batch_size": 1, "max_epochs": 1, "iterator_train": ShuffledBatches},
    {"train_split": ValidSplit(4), "batch_size": -1},
    {
        "train_split": ValidSplit(4),
        "callbacks": [EarlyStopping(), EpochScoring("roc_auc", use_caching=False)],
    },
]


def sized(module, params):
    sizes = {"module__n_features": 6, "module__n_classes": 2}
    return small_net(module, **{"iterator_train": DataLoader, **sizes, **params})


def ensemble(module, params, engine):
    net = sized(module, params)
    params = {"engine": engine, "calibrate": False, "random_state": 0}
    return EnsembleTeacher(net, n_estimators=2, **params)


def distilled(module, params, engine):
    net = sized(module, params)
    return DistilledClassifier(LogisticRegression(), student=net, random_state=0)


@pytest.mark.parametrize("params", NETS, ids=lambda params: "-".join(params))
@pytest.mark.parametrize(
    ("make", "engine"),
    [
        (ensemble, "auto"),
        (ensemble, "vectorized"),
        (ensemble, "joblib"),
        (distilled, None),
    ],
)
@pytest.mark.parametrize("writeable", [True, False])
def test_data_stays_as_it_is(binary, make, engine, params, writeable):
    X = np.ascontiguousarray(binary[0], dtype=np.float32).copy()
    given = X.copy()
    X.flags.writeable = writeable
    model = make(InPlace, params, engine).fit(X, binary[1])
    np.testing.assert_array_equal(X, given)
    logits = model.predict_logits(X)
    proba = model.predict_proba(X[:1])
    np.testing.assert_array_equal(X, given)
    expected = make(OutOfPlace, params, engine).fit(given, binary[1])
    np.testing.assert_allclose(logits, expected.predict_logits(given), atol=1e-4)
    np.testing.assert_allclose(proba, expected.predict_proba(given[:1]), atol=1e-4)


def test_members_do_not_see_what_others_did(binary):
    model = ensemble(InPlace, {}, "auto").fit(*binary)
    alone = []
    together = model.predict_logits(binary[0])
    for net in model.estimators_:
        alone.append(net.forward(binary[0].copy(), training=False).numpy())
    np.testing.assert_allclose(together, np.mean(alone, axis=0), atol=1e-5)


def test_batches_that_are_views_do_not_hand_on_the_data(binary):
    X, y = binary
    before = X.copy()
    net = sized(InPlace, {"iterator_train": Views, "train_split": None})
    EnsembleTeacher(net, n_estimators=2, random_state=0).fit(X, y)
    np.testing.assert_array_equal(X, before)


def test_a_first_layer_in_place_is_given_a_copy(binary):
    X, y = binary
    before = X.copy()
    model = small_distilled(LogisticRegression()).fit(X, y)
    model.student_.module_.layers.insert(0, torch.nn.Hardtanh(-0.1, 0.1, inplace=True))
    model.predict_proba(X)
    np.testing.assert_array_equal(X, before)
