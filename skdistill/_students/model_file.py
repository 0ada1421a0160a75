"""The file of a compact model: safetensors, with a JSON header and a checksum.

docs/guide/model_file.rst describes the format, for readers in other languages.
"""

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from skdistill._files import replacing
from skdistill._students.compact_table import CompactPreprocessor
from skdistill._students.model_header import (
    Damaged,
    check,
    check_format,
    check_header_fits,
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
        stored = {"coef": coef, "intercept": intercept}
        if dtype != "float32":
            stored = _rounded(coef, intercept, dtype, _centre(model, place))
        tensors |= {f"{name}.{place}": values for name, values in stored.items()}
    data = save(tensors, {"skdistill": header, "sha256": _digest(header, tensors)})
    try:
        check_header_fits(header, int.from_bytes(data[:8], "little"), len(data))
    except Damaged as error:
        raise ValueError(f"save cannot write this model: {error}.") from error
    if model.classes_.dtype.kind == "U":
        try:
            check_text_fits(model.classes_, len(data))
        except Damaged as error:
            raise ValueError(f"save cannot write these classes: {error}.") from error
    with replacing(path) as part:
        part.write_bytes(data)


def _centre(model, place):
    """Return the means of a layer's inputs if it has taken over scaling, or else 0.

    None for a layer whose inputs are not features, each of which may have a unit.
    """
    if place > 0:
        return None
    means = vars(model).get("_input_means")  # of a scaler that was merged
    if means is not None:
        return means
    zeros = np.zeros(len(model.coefs_[0]))
    preprocessor = getattr(model, "preprocessor_", None)
    if preprocessor is None or model._row_preprocessor is not None:
        return zeros
    if isinstance(preprocessor, CompactPreprocessor):
        return np.array([column.get("mean", 0.0) for column in preprocessor.columns])
    means = getattr(preprocessor, "mean_", None)
    return zeros if means is None else means


def _rounded(coef, intercept, dtype, centre):
    """Return the tensors that stand for a layer with its weights in fewer bits."""
    stored, rest = {}, coef.astype(np.float64)
    if centre is not None:
        # What has taken over scaling has weights as different as the units are.
        input_scale = np.abs(rest).max(axis=1).astype(np.float32)
        input_scale[input_scale == 0] = 1
        rest /= input_scale[:, np.newaxis]
        stored["input_scale"] = input_scale
    if dtype == "int8":
        scale = (np.abs(rest).max(axis=0) / LARGEST_CODE).astype(np.float32)
        scale[scale == 0] = 1
        codes = np.rint(rest / scale).clip(-LARGEST_CODE, LARGEST_CODE)
        stored |= {"coef": codes.astype(np.int8), "scale": scale}
    else:
        with np.errstate(over="ignore"):
            stored["coef"] = rest.astype(np.float16)
        if not np.isfinite(stored["coef"]).all():
            raise ValueError(
                "The 'dtype' parameter of save cannot be 'float16' for this model: it "
                f"has weights up to {np.abs(coef).max():.3g}, and float16 ends at "
                "65504. Use 'float32' or 'int8'."
            )
    if centre is not None:
        # Far from zero, the rounding of a weight moves all rows: take that back.
        error = coef - _weights(stored["coef"], stored.get("scale"), input_scale)
        intercept = (intercept + centre @ error).astype(np.float32)
    return {**stored, "intercept": intercept}


def _weights(coef, scale, input_scale):
    """Return the float32 weights that a layer's tensors stand for."""
    coef = coef.astype(np.float32, copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        if scale is not None:
            coef *= scale
        if input_scale is not None:
            coef *= input_scale[:, np.newaxis]
    return coef


def load_model(cls, path):
    """Return what `save_model` wrote, an instance of `cls`, or raise a ValueError."""
    from safetensors import SafetensorError

    path = Path(path)
    with path.open("rb") as file:  # a missing file, or a folder: the caller's OSError
        size = os.fstat(file.fileno()).st_size
        n_header = int.from_bytes(file.read(8), "little")
    try:
        header, tensors = _read(path, n_header, size)
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


def _read(path, n_header, size):
    """Return the header and the tensors of a file whose checksum is right."""
    from safetensors import safe_open

    check(size > 8 and n_header <= size - 8, "it is cut off")
    check_header_fits("", n_header, size)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        check("skdistill" in metadata, "it has no header of ours")
        text = metadata["skdistill"]
        check_header_fits(text, n_header, size)
        names = sorted(file.keys())
        check(
            all(file.get_slice(name).get_dtype() in STORED for name in names),
            "it has tensors of other dtypes",
        )
        # No larger than the file: safetensors has compared the sizes.
        tensors = {name: file.get_tensor(name) for name in names}
    check(
        metadata.get("sha256") == _digest(text, tensors),
        "its checksum is wrong",
    )
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Damaged("the header is no JSON") from error
    check(isinstance(header, dict), "the header is no object")
    check_format(header.get("format"))
    return header, tensors


def _checked_layers(tensors, width, n_classes):
    """Return float32 weights and biases, from `width` inputs to a logit per class."""
    coefs, intercepts = [], []
    while tensors:
        place = len(coefs)
        coef, intercept, scale, input_scale = (
            tensors.pop(f"{name}.{place}", None)
            for name in ("coef", "intercept", "scale", "input_scale")
        )
        check(coef is not None and intercept is not None, "it lacks a tensor")
        check(
            coef.ndim == 2
            and len(coef) == width
            and coef.size > 0
            and intercept.shape == coef.shape[1:]
            and (scale is not None) == (coef.dtype == np.int8)
            and (input_scale is None or coef.dtype != np.float32),
            "the layers do not fit each other",
        )
        check(intercept.dtype == np.float32, "an intercept is not float32")
        for values, size in ((scale, coef.shape[1]), (input_scale, width)):
            check(
                values is None
                or (values.shape == (size,) and values.dtype == np.float32),
                "a scale does not fit its layer",
            )
        width = coef.shape[1]
        coefs.append(_weights(coef, scale, input_scale))
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
