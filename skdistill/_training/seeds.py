"""Generators of random numbers: seeded for training, and put back."""

import random
import threading
import warnings
from contextlib import contextmanager

import numpy as np
import torch

_turn = threading.RLock()


@contextmanager
def training_mode():
    """Let torch record gradients, on one thread. Threads that train take turns.

    One torch thread, as small products gain nothing from more, and so that no library
    can split a sum by their number, which `n_jobs` changes.
    """
    with _turn, torch.inference_mode(False), torch.enable_grad():
        n_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(n_threads)


@contextmanager
def isolated_randomness(seed, device, *, own_module):
    """Be in `training_mode`, with generators seeded; restore them afterwards.

    They are global, and another thread that draws from them gets the same numbers.
    Modules of ours take only torch's; what a user's code draws from is not known.
    """
    device = torch.device(device)
    cuda = [device] if device.type == "cuda" else []
    with training_mode(), torch.random.fork_rng(cuda), warnings.catch_warnings():
        # Training only reads its arrays, and joblib hands out read-only ones.
        warnings.filterwarnings("ignore", "The given NumPy array is not writ")
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif device.type == "mps":
            torch.mps.manual_seed(seed)
        if own_module:
            yield
            return
        random_state = random.getstate()
        numpy_state = np.random.get_state()  # noqa: NPY002
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(random_state)
            np.random.set_state(numpy_state)  # noqa: NPY002
