import os
import signal

os.environ.setdefault("MPLBACKEND", "Agg")
# Tiny problems: more threads only wait for each other, in torch and elsewhere.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs, make_classification

torch.set_num_threads(1)


@pytest.fixture
def binary():
    """80 rows, 6 features, 2 classes."""
    X, y = make_classification(n_samples=80, n_features=6, random_state=0)
    return X.astype(np.float32), y


@pytest.fixture
def blobs():
    """90 rows, 4 features, 3 classes with the labels "a", "b" and "c"."""
    X, y = make_blobs(n_samples=90, n_features=4, centers=3, random_state=0)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X.astype(np.float32), np.array(["a", "b", "c"])[y]


@pytest.fixture
def ctrl_c_interrupts():
    """Let SIGINT raise KeyboardInterrupt, where a shell has it ignored too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def no_training(monkeypatch):
    """Fail the test if a net is trained."""

    def run(*args, **kwargs):
        raise AssertionError("training has started")

    monkeypatch.setattr("skdistill._training.one_net.run", run)
    monkeypatch.setattr("skdistill._training.many_nets.run", run)
