"""Small estimators and modules that several test files use."""

import random
from pathlib import Path

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNetClassifier
from torch import nn

from skdistill import (
    CompactClassifier,
    DistilledClassifier,
    DistilledClassifierCV,
    EnsembleTeacher,
    TeacherModel,
)
from skdistill._training.nets import mlp_net


def small_teacher(**params):
    defaults = {
        "n_estimators": 2,
        "hidden_layer_sizes": (8, 4),
        "max_epochs": 5,
        "lr": 0.01,
        "lr_schedule": "constant",
        "batch_size": 16,
        "calibrate": False,
    }
    return EnsembleTeacher(**{**defaults, **params})


SMALL_STUDENT = {
    "hidden_layer_sizes": (8,),
    "max_epochs": 5,
    "lr": 0.01,
    "lr_schedule": "constant",
    "batch_size": 16,
    "weight_decay": 1e-4,
    "calibrate": False,
    "target_cv": None,
    "random_state": 0,
}


def small_distilled(teacher=None, **params):
    teacher = small_teacher() if teacher is None else teacher
    return DistilledClassifier(teacher, **{**SMALL_STUDENT, **params})


def small_search(teacher=None, **params):
    defaults = {
        "temperatures": [1.0, 4.0],
        "alphas": [0.0, 0.8],
        "cv": 3,
        **SMALL_STUDENT,
    }
    teacher = small_teacher() if teacher is None else teacher
    return DistilledClassifierCV(teacher, **{**defaults, **params})


def seed_everything(seed):
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)


def global_random_states():
    numpy_state = np.random.get_state()  # noqa: NPY002
    return random.getstate(), numpy_state[1].tolist(), torch.get_rng_state().tolist()


class LogitModule(nn.Module):
    def __init__(self, n_features, n_classes, width=8):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, width), nn.ReLU(), nn.Linear(width, n_classes)
        )

    def forward(self, X):
        return self.layers(X)


class ProbaModule(LogitModule):
    def forward(self, X):
        return torch.softmax(super().forward(X), dim=1)


def small_net(module=LogitModule, criterion=nn.CrossEntropyLoss, **params):
    defaults = {"max_epochs": 4, "lr": 0.05, "batch_size": 16, "train_split": None}
    return NeuralNetClassifier(module, criterion=criterion, **{**defaults, **params})


class FixedTeacher(ClassifierMixin, BaseEstimator):
    """A teacher that answers what it is told to, and remembers what it was given."""

    def __init__(self, proba, classes):
        self.proba = proba
        self.classes = classes

    def fit(self, X, y, sample_weight=None):
        self.X_, self.y_, self.sample_weight_ = X, y, sample_weight
        self.classes_ = self.classes
        return self

    def predict_proba(self, X):
        check_is_fitted(self)
        return self.proba


class CountedTeacher(LogisticRegression):
    """A teacher that leaves a line in a file whenever it is fitted, by any process."""

    def __init__(self, log=None, C=1.0, n_jobs=None, verbose=0, random_state=None):
        super().__init__(C=C, random_state=random_state)
        self.log = log
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X, y, sample_weight=None):
        with open(self.log, "a") as log:
            log.write("fitted\n")
        return super().fit(X, y, sample_weight)

    def n_fits(self):
        path = Path(self.log)
        return len(path.read_text().splitlines()) if path.exists() else 0


def own_net(module=TeacherModel, **params):
    """Return the estimators' own net for 6 features and 2 classes, without dropout."""
    defaults = {
        "hidden_layer_sizes": (16, 8),
        "max_epochs": 4,
        "lr": 0.02,
        "lr_schedule": "constant",
        "batch_size": 16,
        "weight_decay": 1e-3,
        "device": "cpu",
        "n_features": 6,
        "n_classes": 2,
    }
    if module is TeacherModel:
        defaults["dropout"] = 0.0
    return mlp_net(module, **{**defaults, **params})


def user_net(module=LogitModule, **params):
    """Return a net that a user might bring, for 6 features and 2 classes."""
    sizes = {"module__n_features": 6, "module__n_classes": 2}
    return small_net(module, **{**sizes, **params})


class Compacted(CompactClassifier):
    """Trains a student and becomes its compact copy, for checks that fit."""

    __module__ = "tests.nets"

    def fit(self, X, y, sample_weight=None):
        settings = {"hidden_layer_sizes": (16,), "max_epochs": 12, "lr": 0.02}
        model = DistilledClassifier(alpha=0.0, random_state=0, **settings)
        vars(self).update(vars(model.fit(X, y, sample_weight).compact()))
        return self

    def __sklearn_clone__(self):
        return type(self)()
