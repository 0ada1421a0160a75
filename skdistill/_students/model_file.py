"""The file of a compact model: safetensors, with a JSON header and a checksum.

docs/guide/model_file.rst describes the format, for readers in other languages.
"""

import hashlib
import json
import os
import secrets
from pathlib import Path

import numpy as np

from skdistill._students.model_header import (
    Damaged,
    check,
    check_format,
    check_text_fits,
    header_of,
    set_from_header,
)

DTYPES = {"float32": np.float32, "float16": np.float16, "int8": np.int8}
LARGEST_CODE = 127
STORED = {"F32", "F16", "I8"}


def save_model(model, path, dtype, metrics):
    """Write a `CompactClassifier` to a file, as its `save` says."""
    from safetensors.numpy import save

    if dtype not in DTYPES:
        raise ValueError(
            f"The 'dtype' parameter of save must be one of {[*DTYPES]}. Got {dtype!r}."
        )
    header = json.dumps(header_of(model, metrics), allow_nan=False)
    tensors = {}
    layers = zip(model.coefs_, model.intercepts_, strict=True)
    for place, (coef, intercept) in enumerate(layers):
        stored = {**_stored(coef, dtype), "intercept": intercept}
        tensors |= {f"{name}.{place}": values for name, values in stored.items()}
    data = save(tensors, {"skdistill": header, "sha256": _digest(header, tensors)})
    if model.classes_.dtype.kind == "U":
        try:
            check_text_fits(model.classes_, len(data))
        except Damaged as error:
            raise ValueError(f"save cannot write these classes: {error}.") from error
    _replace(path, data)


def _stored(coef, dtype):
    """Return the tensors that stand for a layer's weights."""
    if dtype == "int8":
        scale = np.abs(coef).max(axis=0) / np.float32(LARGEST_CODE)
        scale[scale == 0] = 1
        codes = np.rint(coef / scale).clip(-LARGEST_CODE, LARGEST_CODE)
        return {"coef": codes.astype(np.int8), "scale": scale}
    with np.errstate(over="ignore"):
        stored = coef.astype(DTYPES[dtype])
    if not np.isfinite(stored).all():
        raise ValueError(
            f"The 'dtype' parameter of save cannot be {dtype!r} for this model: it has "
            f"weights up to {np.abs(coef).max():.3g}, and float16 ends at 65504. Use "
            "'float32' or 'int8'."
        )
    return {"coef": stored}


def _replace(path, data):
    """Write a file under another name first, so that a failure loses nothing."""
    path = Path(os.path.realpath(path))  # behind a link, what it points to
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with new.open("xb") as file:
            file.write(data)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def load_model(cls, path):
    """Return what `save_model` wrote, an instance of `cls`, or raise a ValueError."""
    from safetensors import SafetensorError

    path = Path(path)
    with path.open("rb") as file:  # a missing file, or a folder: the caller's OSError
        size = os.fstat(file.fileno()).st_size
    try:
        header, tensors = _read(path)
        model = cls()
        width = set_from_header(model, header, size)
        layers = _checked_layers(tensors, width, len(model.classes_))
        model.coefs_, model.intercepts_ = layers
        model.student_ = None
    except (SafetensorError, Damaged) as error:
        raise ValueError(
            f"{str(path)!r} is not a model file of skdistill, or it is damaged: {error}"
        ) from error
    return model


def _read(path):
    """Return the header and the tensors of a file whose checksum is right."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        check("skdistill" in metadata, "it has no header of ours")
        try:
            header = json.loads(metadata["skdistill"])
        except (ValueError, RecursionError) as error:
            raise Damaged("the header is no JSON") from error
        check(isinstance(header, dict), "the header is no object")
        check_format(header.get("format"))
        names = sorted(file.keys())
        check(
            all(file.get_slice(name).get_dtype() in STORED for name in names),
            "it has tensors of other dtypes",
        )
        # No larger than the file: safetensors has compared the sizes.
        tensors = {name: file.get_tensor(name) for name in names}
    check(
        metadata.get("sha256") == _digest(metadata["skdistill"], tensors),
        "its checksum is wrong",
    )
    return header, tensors


def _checked_layers(tensors, width, n_classes):
    """Return float32 weights and biases, from `width` inputs to a logit per class."""
    coefs, intercepts = [], []
    while tensors:
        place = len(coefs)
        coef, intercept, scale = (
            tensors.pop(f"{name}.{place}", None)
            for name in ("coef", "intercept", "scale")
        )
        check(coef is not None and intercept is not None, "it lacks a tensor")
        check(
            coef.ndim == 2
            and len(coef) == width
            and coef.size > 0
            and intercept.shape == coef.shape[1:]
            and (scale is not None) == (coef.dtype == np.int8),
            "the layers do not fit each other",
        )
        check(intercept.dtype == np.float32, "an intercept is not float32")
        width = coef.shape[1]
        coef = coef.astype(np.float32, copy=False)
        if scale is not None:
            check(
                scale.shape == (width,) and scale.dtype == np.float32,
                "a scale does not fit its layer",
            )
            with np.errstate(over="ignore", invalid="ignore"):
                coef *= scale
        coefs.append(coef)
        intercepts.append(intercept)
    check(coefs and width == n_classes, "the last layer does not fit the classes")
    check(
        all(np.isfinite(values).all() for values in (*coefs, *intercepts)),
        "not all weights are finite",
    )
    return coefs, intercepts


def _digest(header, tensors):
    """Return a checksum of all that a model is made from, in hexadecimal digits."""
    digest = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        values = np.ascontiguousarray(tensors[name])
        digest.update(f"\n{name} {values.dtype.name} {[*values.shape]}\n".encode())
        digest.update(values.data if values.size else b"")
    return digest.hexdigest()
