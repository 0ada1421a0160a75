"""Training disturbs nobody who draws random numbers meanwhile."""

import random
import threading
import time

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from tests.nets import seed_everything, small_distilled, small_search, small_teacher

MODELS = {
    "teacher": small_teacher(max_epochs=30),
    "one by one": small_teacher(max_epochs=10, engine="joblib"),
    "distilled": small_distilled(max_epochs=30),
    "search": small_search(LogisticRegression(), max_epochs=20),
}


def drawn_meanwhile(work):
    """Draw from the global generators for as long as `work` takes."""
    numbers, done = [], threading.Event()

    def draw():
        while not done.is_set():
            numbers.append((np.random.random(), random.random()))  # noqa: NPY002
            time.sleep(1e-4)  # or the training would wait for this thread

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        work()
    finally:
        done.set()
        thread.join()
    return numbers


@pytest.mark.parametrize("name", MODELS)
def test_other_threads_get_their_own_numbers(binary, name):
    """They got those of the training, over and over."""
    seed_everything(3)
    numbers = drawn_meanwhile(lambda: MODELS[name].fit(*binary))
    assert len(numbers) > 10
    seed_everything(3)
    expected = [(np.random.random(), random.random()) for _ in numbers]  # noqa: NPY002
    assert numbers == expected


def test_a_stack_leaves_the_generator_of_torch_alone(binary, monkeypatch):
    states = []

    def spy(net, X, y):
        states.append(torch.get_rng_state())

    monkeypatch.setattr("skdistill._training.many_nets.run", spy)
    torch.manual_seed(5)
    expected = torch.get_rng_state()
    with pytest.raises(KeyError):  # of a history without epochs
        small_distilled(alpha=0).fit(*binary)
    assert len(states) == 1
    assert torch.equal(states[0], expected)


@pytest.mark.parametrize("engine", ["vectorized", "joblib"])
def test_the_default_dtype_does_not_matter(binary, engine):
    model = small_distilled(small_teacher(engine=engine))
    expected = model.fit(*binary).predict_proba(binary[0])
    torch.set_default_dtype(torch.float64)
    try:
        proba = model.fit(*binary).predict_proba(binary[0])
    finally:
        torch.set_default_dtype(torch.float32)
    # Adam counts its steps in the default dtype.
    np.testing.assert_allclose(proba, expected, atol=1e-5)
