"""Timings taken in turn, so that the ratios hold while the machine's speed drifts."""

import os
import platform
import time
from pathlib import Path

import joblib
import numpy as np
import sklearn
import skorch
import torch

import skdistill

PAUSE = 0.1
RESULTS = Path(__file__).parent.parent / "docs" / "benchmarks"


def seconds(function, min_duration=0.0):
    """Return the seconds per call, over as many calls as fill `min_duration`."""
    calls, start = 0, time.perf_counter()
    while True:
        function()
        calls += 1
        elapsed = time.perf_counter() - start
        if elapsed >= min_duration:
            return elapsed / calls


def in_turn(functions, n_rounds, min_duration=0.0):
    """Time every function once per round: A B C A B C ..., after a round to warm up.

    With a pause before each: after a product of numpy's, OpenBLAS's threads go on
    looking for work for some time, on the cores that the next function needs.

    Returns
    -------
    dict of str to ndarray of shape (n_rounds,)
        Seconds per call.
    """

    def timed(function):
        time.sleep(PAUSE)
        return seconds(function, min_duration)

    _, *rounds = [
        {name: timed(function) for name, function in functions.items()}
        for _ in range(n_rounds + 1)
    ]
    return {name: np.array([times[name] for times in rounds]) for name in functions}


def ratio(times, of, to):
    """Return "median (min-max)" of the ratio of two timings, round by round."""
    ratios = times[of] / times[to]
    return f"{np.median(ratios):.2f} ({ratios.min():.2f}-{ratios.max():.2f})"


def milliseconds(times):
    return f"{1e3 * np.median(times):.4g}"


def table(header, rows):
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def write(name, title, *parts):
    """Print the results and write them to the documentation."""
    versions = ", ".join(
        f"{module.__name__} {module.__version__}"
        for module in (skdistill, torch, sklearn, skorch, np, joblib)
    )
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
    text = "\n\n".join(
        [
            f"# {title}",
            *parts,
            f"Written by `benchmarks/{name}.py` on {machine}; Python "
            f"{platform.python_version()}, {versions}, {torch.get_num_threads()} torch "
            "threads. Times on a shared machine are noisy: trust the ratios, which are "
            "taken round by round; median (min-max) over the rounds.",
        ]
    )
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text + "\n")
    print(text)
