"""Generators of random numbers: seeded for training, and put back."""

import random
import threading
import warnings
from contextlib import contextmanager

import numpy as np
import torch

_seeding = threading.RLock()


@contextmanager
def isolated_randomness(seed, device):
    """Seed every generator that training draws from; restore them afterwards.

    One torch thread, as small products gain nothing from more, and so that no library
    can split a sum by their number, which `n_jobs` changes. The generators are global,
    so threads take turns.
    """
    device = torch.device(device)
    cuda = [device] if device.type == "cuda" else []
    with (
        _seeding,
        torch.random.fork_rng(cuda),
        torch.inference_mode(False),
        torch.enable_grad(),
        warnings.catch_warnings(),
    ):
        # Training only reads its arrays, and joblib hands out read-only ones.
        warnings.filterwarnings("ignore", "The given NumPy array is not writ")
        random_state = random.getstate()
        numpy_state = np.random.get_state()  # noqa: NPY002
        n_threads = torch.get_num_threads()
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif device.type == "mps":
            torch.mps.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(n_threads)
            random.setstate(random_state)
            np.random.set_state(numpy_state)  # noqa: NPY002
