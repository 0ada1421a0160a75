"""The file of a compact model: safetensors, with a JSON header and a checksum.

The user guide describes the format, for readers in other languages.
"""

import hashlib
import json
import os
import tempfile
from numbers import Integral, Real
from pathlib import Path

import numpy as np

from skdistill._students.compact_table import TO_NUMBER, TO_TEXT, CompactPreprocessor

FORMAT = 1
DTYPES = {"float32": np.float32, "float16": np.float16, "int8": np.int8}
LARGEST_CODE = 127


class _Damaged(Exception):
    """What is wrong with a file."""


def save_model(model, path, dtype, metrics):
    """Write a `CompactClassifier` to a file, as its `save` says."""
    from safetensors.numpy import save

    if dtype not in DTYPES:
        raise ValueError(
            f"The 'dtype' parameter of save must be one of {[*DTYPES]}. Got {dtype!r}."
        )
    header = json.dumps(_header_of(model, metrics), ensure_ascii=False)
    tensors = {}
    layers = zip(model.coefs_, model.intercepts_, strict=True)
    for place, (coef, intercept) in enumerate(layers):
        stored = {"coef": coef.astype(DTYPES[dtype])}
        if dtype == "int8":
            scale = np.abs(coef).max(axis=0) / np.float32(LARGEST_CODE)
            scale[scale == 0] = 1
            stored = {"coef": np.rint(coef / scale).astype(np.int8), "scale": scale}
        elif not np.isfinite(stored["coef"]).all():
            raise ValueError(
                f"The 'dtype' parameter of save cannot be 'float16' for this model: it "
                f"has weights up to {np.abs(coef).max():.3g}, and float16 ends at "
                "65504. Use 'float32' or 'int8'."
            )
        stored["intercept"] = intercept
        tensors |= {f"{name}.{place}": values for name, values in stored.items()}
    metadata = {"skdistill": header, "sha256": _digest(header, tensors)}
    _replace(path, save(tensors, metadata))


def _replace(path, data):
    """Write a file under another name first, so that a failure loses nothing."""
    path = Path(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _umask():
    value = os.umask(0)
    os.umask(value)
    return value


def _header_of(model, metrics):
    if model.student_ is not None:
        raise ValueError(
            "save takes a student that is a network. Got "
            f"{type(model.student_).__name__}: pickle the model, or use skops.io.dump."
        )
    preprocessor = getattr(model, "preprocessor_", None)
    if preprocessor is not None and not isinstance(preprocessor, CompactPreprocessor):
        if model._row_preprocessor is not None:
            raise ValueError(
                "save takes a model without preprocessor, or with preprocessor='auto'. "
                f"Got {type(preprocessor).__name__}: pickle the model, or use "
                "skops.io.dump."
            )
        preprocessor = None  # The first layer has taken its place.
    classes = model.classes_.tolist()
    kind = model.classes_.dtype.name
    if model.classes_.dtype.kind == "U":
        kind = "str"
    if kind not in _CLASS_KINDS or not all(map(_CLASS_KINDS[kind], classes)):
        raise ValueError(
            "save takes classes that are numbers, booleans or text. Got classes of "
            f"dtype {model.classes_.dtype}: {classes[0]!r}, ..."
        )
    names = getattr(model, "feature_names_in_", None)
    provenance = dict(model.provenance_)
    if metrics is not None:
        provenance["metrics"] = {
            str(name): float(value) for name, value in metrics.items()
        }
    return {
        "format": FORMAT,
        "classes": classes,
        "classes_dtype": kind,
        "n_features": model.n_features_in_,
        "feature_names": None if names is None else names.tolist(),
        "columns": None if preprocessor is None else preprocessor.columns,
        "scaling_in_first_layer": (
            preprocessor is not None and model._row_preprocessor is None
        ),
        "provenance": provenance,
    }


def load_model(cls, path):
    """Return what `save_model` wrote, an instance of `cls`, or raise a ValueError."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    with path.open("rb"):  # a missing file, or a folder, is the caller's OSError
        pass
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if "skdistill" not in metadata:
                raise _Damaged("it has no header of ours")
            # No larger than the file: safetensors has compared the sizes.
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.get("sha256") != _digest(metadata["skdistill"], tensors):
            raise _Damaged("its checksum is wrong")
        header = json.loads(metadata["skdistill"])
        _check(isinstance(header, dict), "the header is no object")
        _check_format(header.get("format"))
        return _model_of(cls, header, tensors)
    except (
        SafetensorError,
        _Damaged,
        OSError,
        KeyError,
        TypeError,
        ValueError,
        RecursionError,
    ) as error:
        raise ValueError(
            f"{str(path)!r} is not a model file of skdistill, or it is damaged: {error}"
        ) from error


def _check(is_fine, message):
    if not is_fine:
        raise _Damaged(message)


def _check_format(number):
    is_number = _is_count(number)
    _check(is_number, "the header has no format")
    _check(
        number <= FORMAT,
        f"it has format {number}, of a newer skdistill; this one reads up to {FORMAT}",
    )


def _model_of(cls, header, tensors):
    model = cls()
    kind, classes = header["classes_dtype"], header["classes"]
    _check(kind in _CLASS_KINDS, "unknown dtype of the classes")
    _check(
        isinstance(classes, list) and all(map(_CLASS_KINDS[kind], classes)),
        "the classes are not of their dtype",
    )
    model.classes_ = np.array(classes, dtype=None if kind == "str" else kind)
    _check(len({*classes}) == len(classes) > 1, "the classes are not distinct")
    n_features, names = header["n_features"], header["feature_names"]
    _check(_is_count(n_features), "the number of features is none")
    model.n_features_in_ = n_features
    if names is not None:
        _check(_are_names(names, n_features), "the names of features are none")
        model.feature_names_in_ = np.array(names, dtype=object)
    model.student_, model._row_preprocessor = None, None
    width = n_features
    if header["columns"] is not None:
        preprocessor = CompactPreprocessor(header["columns"])
        n_made = _n_checked_columns(header["columns"], n_features)
        model.preprocessor_ = preprocessor
        if not header["scaling_in_first_layer"]:
            model._row_preprocessor, width = preprocessor, n_made
    model.coefs_, model.intercepts_ = _checked_layers(tensors, width, len(classes))
    _check(isinstance(header["provenance"], dict), "the provenance is no object")
    model.provenance_ = header["provenance"]
    return model


def _checked_layers(tensors, width, n_classes):
    """Return float32 weights and biases, from `width` inputs to a logit per class."""
    coefs, intercepts = [], []
    tensors = dict(tensors)
    while tensors:
        place = len(coefs)
        coef, intercept = (
            tensors.pop(f"coef.{place}"),
            tensors.pop(f"intercept.{place}"),
        )
        scale = tensors.pop(f"scale.{place}", None)
        _check(
            coef.dtype.name in DTYPES
            and coef.ndim == 2
            and len(coef) == width
            and intercept.shape == coef.shape[1:]
            and (scale is not None) == (coef.dtype == np.int8),
            "the layers do not fit each other",
        )
        width = coef.shape[1]
        coef = coef.astype(np.float32)
        if scale is not None:
            _check(scale.shape == (width,), "a scale does not fit its layer")
            coef *= scale.astype(np.float32)
        coefs.append(coef)
        intercepts.append(intercept.astype(np.float32))
    _check(coefs and width == n_classes, "the last layer does not fit the classes")
    _check(
        all(np.isfinite(values).all() for values in (*coefs, *intercepts)),
        "not all weights are finite",
    )
    return coefs, intercepts


def _n_checked_columns(columns, n_features):
    """Return how many columns are made of a table, or raise if nothing sensible is."""
    _check(
        isinstance(columns, list) and len(columns) == n_features,
        "the columns do not fit the features",
    )
    n_made = 0
    for column in columns:
        kind, categories = column["kind"], column.get("categories", [])
        _check(kind in {*TO_NUMBER, *TO_TEXT, "empty"}, "a column of unknown kind")
        _check(
            column["name"] is None or isinstance(column["name"], str),
            "a column's name is none",
        )
        numbers = {
            key: column[key] for key in ("fill", "mean", "scale") if key in column
        }
        _check(all(map(_is_finite, numbers.values())), "a column's number is none")
        if kind in TO_NUMBER:
            is_scaled = "mean" in column
            if is_scaled:
                _check(
                    len(numbers) == 3 and numbers["scale"] > 0, "a column lacks numbers"
                )
            n_made += is_scaled + ("indicator" in column)
        elif "categories" in column:
            _check(
                isinstance(categories, list)
                and all(c is None or isinstance(c, str) for c in categories)
                and len({*categories}) == len(categories)
                and isinstance(column["other"], bool),
                "a column's categories are none",
            )
            n_made += len(categories) + column["other"]
    return n_made


def _digest(header, tensors):
    """Return a checksum of all that a model is made from, in hexadecimal digits."""
    digest = hashlib.sha256(header.encode("utf-8", "surrogatepass"))
    for name in sorted(tensors):
        values = tensors[name]
        digest.update(f"\n{name} {values.dtype.name} {[*values.shape]}\n".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_finite(value):
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return is_number and abs(value) < float("inf")


def _are_names(names, n_features):
    return (
        isinstance(names, list)
        and len(names) == n_features
        and all(isinstance(name, str) for name in names)
    )


def _fits(dtype):
    """Return what tells whether a value of JSON is one of an integer dtype."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max

    def fits(value):
        is_integer = isinstance(value, Integral) and not isinstance(value, bool)
        return is_integer and low <= value <= high

    return fits


def _is_text(value):
    return isinstance(value, str)


_CLASS_KINDS = {
    "bool": lambda value: isinstance(value, bool),
    "str": _is_text,
    "object": _is_text,
    **dict.fromkeys(("float16", "float32", "float64"), _is_finite),
    **{
        f"{sign}int{bits}": _fits(f"{sign}int{bits}")
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
}
"""What tells whether a class is fine, by the name of the classes' dtype."""
