"""What a fitted model takes: parameters, bytes in a file, time to predict."""

import pickle
import time
from copy import copy

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from skdistill._inspection.networks import n_parameters_of, networks_of, unwrapped
from skdistill._students.compacting import compact
from skdistill._targets.asked import PredictFunction

COSTS = ("parameters", "bytes", "row_us_p50", "row_us_p99", "us_per_row_of_1000")
N_ROWS = 1000
N_CALLS = 200
SECONDS = 0.5
"""What each of the two timings may take, unless a single call takes longer."""


def shipped(parts):
    """Return what one would ship of a student: the compact copy if there can be one."""
    try:
        return compact(parts.behind_steps(parts.student))
    except ValueError:  # a network of another form
        alone = copy(parts.student)
        alone.teacher = alone.teacher_ = alone.transfer = None
        return parts.behind_steps(alone)


def costs(model, X, timing):
    """Return what a fitted model takes, by `COSTS`; NaN for what cannot be told."""
    times = [np.nan] * 3
    if timing:
        one = seconds_of_calls(model, X, 1)
        many = seconds_of_calls(model, X, N_ROWS)
        times = [*np.quantile(one, (0.5, 0.99)), np.median(many) / N_ROWS]
    microseconds = [1e6 * float(each) for each in times]
    values = n_parameters(model), n_bytes(model), *microseconds
    return dict(zip(COSTS, values, strict=True))


def n_parameters(model):
    """Return the number of weights of networks and linear models, NaN for others."""
    model = unwrapped(model)
    if nets := networks_of(model):
        return n_parameters_of(nets)
    if getattr(model, "student_", None) is not None:
        return n_parameters(model.student_)
    for names in (("coefs_", "intercepts_"), ("coef_", "intercept_")):
        values = [getattr(model, name, None) for name in names]
        if all(value is not None for value in values):
            return sum(np.size(part) for value in values for part in value)
    return np.nan


class _Counter:
    """A file that keeps no more than the number of bytes written to it."""

    def __init__(self):
        self.n_bytes = 0

    def write(self, data):
        self.n_bytes += memoryview(data).nbytes


def n_bytes(model):
    """Return the size of the pickle of a model, NaN if it has none."""
    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    if isinstance(last, PredictFunction):
        return np.nan  # says nothing of what it calls
    file = _Counter()
    try:
        pickle.dump(model, file)
    except Exception:  # pickle raises several kinds, such as for a connection
        return np.nan
    return file.n_bytes


def seconds_of_calls(model, X, n_rows):
    """Return the seconds that calls of `predict_proba` take, each for so many rows."""
    n_tables = 20 if n_rows == 1 else 1
    places = np.arange(n_tables * n_rows) % _num_samples(X)
    tables = [_safe_indexing(X, part) for part in np.split(places, n_tables)]
    times, end = [], time.perf_counter() + SECONDS
    while len(times) <= N_CALLS:
        start = time.perf_counter()
        model.predict_proba(tables[len(times) % n_tables])
        times.append(time.perf_counter() - start)
        if time.perf_counter() > end:
            break
    return times[1:] or times  # the first one warms up
