"""Results that are computed once and kept on disk, under what they depend on."""

import functools
import hashlib
import inspect
import os
import pickle
import sys
import types
import warnings
from contextlib import suppress

import joblib
import pandas as pd
import torch
from joblib import Memory
from sklearn.base import BaseEstimator
from skorch import NeuralNet
from torch import nn

# Parameters of estimators that say how to compute a result, and not which.
_WITHOUT_EFFECT = {"n_jobs", "verbose", "pre_dispatch"}

# How often Python 3.11 may stumble over other threads in reading a source.
_N_TRIES = 20


def content_key(*values):
    """Return a hash of what `values` are, the same in every process and session.

    Estimators count with their class and all they hold, but for `n_jobs`, `verbose`
    and the like; functions and classes with their source, though not with that of
    what they call.

    Raises
    ------
    pickle.PicklingError
        If part of a value cannot be pickled.
    """
    return joblib.hash([_plain(value) for value in values])


def _plain(value):
    """Return what `joblib.hash` can tell apart by content, and only by that."""
    match value:
        case BaseEstimator() | NeuralNet():
            attributes = vars(value).items()
            held = {k: _plain(v) for k, v in attributes if _has_effect(k, v)}
            return _plain(type(value)), held
        case nn.Module():
            return _plain(type(value)), list(value._modules), _plain(vars(value))
        case torch.Tensor():
            array = value.detach().cpu().reshape(-1).view(torch.uint8).numpy()
            return str(value.dtype), value.requires_grad, tuple(value.shape), array
        case pd.DataFrame():
            columns = [_plain(value.iloc[:, i]) for i in range(value.shape[1])]
            return list(value.columns), columns
        case pd.Series():
            parts = str(value.dtype), value.to_numpy(), value.index.to_numpy()
            if isinstance(value.dtype, pd.CategoricalDtype):
                parts += value.cat.categories.to_numpy(), value.cat.ordered
            return parts
        case functools.partial():
            return _plain([value.func, value.args, value.keywords])
        case type() | types.FunctionType():
            return value.__module__, value.__qualname__, _source(value)
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return type(value).__name__, [_plain(item) for item in value]
    return value


def _has_effect(name, value):
    if name == "memory":
        return not isinstance(value, str | os.PathLike | Memory | None)
    return name not in _WITHOUT_EFFECT


@functools.lru_cache
def _source(value):
    """Return the source of a function, or of a class and those it inherits from."""
    parts = value.__mro__ if isinstance(value, type) else [value]
    return [_own_source(part) for part in parts]


def _own_source(value):
    try:
        for _ in range(_N_TRIES - 1):
            # For a class it parses the file. Where another thread parses, too, Python
            # 3.11 may raise "AST constructor recursion depth mismatch".
            with suppress(SystemError):
                return inspect.getsource(value)
        return inspect.getsource(value)
    except (OSError, TypeError) as error:
        from_file = hasattr(sys.modules.get(value.__module__), "__file__")
        if from_file or value.__module__ in sys.builtin_module_names:
            return None  # written in C
        raise pickle.PicklingError(
            f"the source of {value.__qualname__} cannot be read, to see if it changes"
        ) from error


def computed_once(memory, key, compute):
    """Return ``compute()``, or what it returned before for the same key.

    Parameters
    ----------
    memory : str, path or joblib.Memory
        Where results are kept.
    key : str
        What the result depends on, as `content_key` returns it.
    compute : callable
        Called without arguments. A result that cannot be pickled is not kept, and one
        that cannot be read is computed again, each with a warning.
    """
    if not isinstance(memory, Memory):
        memory = Memory(os.fspath(memory), verbose=0)
    # Not memory.cache, which forgets results when the source of a function changes or
    # is being written by another process. The key has all that counts.
    store, place = memory.store_backend, ["skdistill", key]
    if store is None:
        return compute()
    if store.contains_item(place):
        try:
            return _unpacked(store.load_item(place, verbose=0))
        except Exception as error:
            # Whatever a file that was cut off or overwritten may raise.
            _warn(f"A result in {memory.location} is damaged; it is made anew", error)
    result = compute()
    try:
        packed = _packed(result)
    except Exception as error:  # pickle raises several kinds
        _warn(f"A result cannot be kept in {memory.location}", error)
    else:
        store.dump_item(place, packed, verbose=0)
    return result


def _warn(what, error):
    warnings.warn(f"{what}: {type(error).__name__}: {error}", UserWarning)


def _packed(result):
    """Return the pickled result, with a checksum of it."""
    content = pickle.dumps(result, protocol=pickle.HIGHEST_PROTOCOL)
    return hashlib.sha256(content).hexdigest(), content


def _unpacked(packed):
    checksum, content = packed
    if hashlib.sha256(content).hexdigest() != checksum:
        raise ValueError("its checksum is wrong")
    return pickle.loads(content)
