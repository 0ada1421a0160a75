"""The JSON header of a compact model's file: all but the weights, written and checked.

A header that is read may say anything: a checksum does not tell who wrote it.
"""

import math
from numbers import Real

import numpy as np

from skdistill._students.compact_table import TO_NUMBER, TO_TEXT, CompactPreprocessor

FORMAT = 1

LARGEST_TEXT = 2**18
"""Bytes that numpy may take for the text of the classes, however small the file.

It gives each label the room of the longest: a forged file could ask for any amount.
"""

LARGEST_HEADER = 2**22
"""Bytes that the header may have however small the tensors: of 30,000 columns."""

MOST_VALUES = 2**18
"""Values that the header may have however small the file.

Python takes up to 70 bytes for each of them, of which JSON has 2.
"""


class Damaged(Exception):
    """What is wrong with a file."""


def check(is_fine, message):
    """Raise `Damaged` unless all is fine."""
    if not is_fine:
        raise Damaged(message)


def header_of(model, metrics):
    """Return what the file of a `CompactClassifier` says beside its weights."""
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
    names, columns = getattr(model, "feature_names_in_", None), None
    if preprocessor is not None:
        columns = [
            {key: value for key, value in column.items() if key != "name"}
            for column in preprocessor.columns
        ]
    return {
        "format": FORMAT,
        **_classes_of(model),
        "n_features": int(model.n_features_in_),
        "feature_names": None if names is None else [str(name) for name in names],
        "columns": columns,
        "scaling_in_first_layer": (
            preprocessor is not None and model._row_preprocessor is None
        ),
        "provenance": _with_metrics(model.provenance_, metrics),
    }


def _classes_of(model):
    classes, kind = model.classes_.tolist(), model.classes_.dtype.name
    if model.classes_.dtype.kind == "U":
        kind = "str"
    if kind not in _CLASS_KINDS or not all(map(_CLASS_KINDS[kind], classes)):
        raise ValueError(
            "save takes classes that are numbers, booleans or text. Got classes of "
            f"dtype {model.classes_.dtype}: {classes[0]!r}, ..."
        )
    return {"classes": classes, "classes_dtype": kind}


def _with_metrics(provenance, metrics):
    if metrics is None:
        return provenance
    fine = isinstance(metrics, dict) and all(
        isinstance(name, str) and is_finite(value) for name, value in metrics.items()
    )
    if not fine:
        raise ValueError(
            "The 'metrics' parameter of save must be a dict of finite numbers by name, "
            f"or None. Got {metrics!r}."
        )
    return {**provenance, "metrics": {n: float(v) for n, v in metrics.items()}}


def check_format(number):
    """Check that a header is of a format that this version reads."""
    check(_is_count(number), "the header has no format")
    check(
        number <= FORMAT,
        f"it has format {number}, of a newer skdistill; this one reads up to {FORMAT}",
    )


def check_header_fits(text, n_header, n_bytes):
    """Check that reading a header takes no more than its share of memory.

    Parameters
    ----------
    text : str
        The header, or as much as is known of it.
    n_header : int
        Bytes before the tensors.
    n_bytes : int
        Size of the file.
    """
    check(
        n_header <= LARGEST_HEADER + 2 * (n_bytes - n_header),
        f"a header of {n_header} bytes is too large for the weights",
    )
    n_values = sum(map(text.count, "[{:,"))
    check(
        n_values <= max(MOST_VALUES, n_bytes // 48),
        f"a header of {n_values} values is too large for the weights",
    )


def check_text_fits(classes, n_bytes):
    """Check that text takes no more than its share, for a file of `n_bytes`.

    Parameters
    ----------
    classes : ndarray or list of str
    n_bytes : int
    """
    text = 4 * len(classes) * max(map(len, classes))
    check(
        text <= max(LARGEST_TEXT, 2 * n_bytes),
        f"{len(classes)} classes as long as the longest take {text} bytes",
    )


def set_from_header(model, header, n_bytes):
    """Set on a `CompactClassifier` what a header says.

    Parameters
    ----------
    model : CompactClassifier
    header : dict
        As JSON gives it.
    n_bytes : int
        Size of the file.

    Returns
    -------
    int
        The width of the rows that its network takes.
    """
    missing = _FIELDS - {*header}
    check(not missing, f"the header lacks {sorted(missing)}")
    model.classes_ = _checked_classes(header, n_bytes)
    n_features, names = header["n_features"], header["feature_names"]
    check(_is_count(n_features), "the number of features is none")
    model.n_features_in_ = n_features
    if names is not None:
        check(_are_names(names, n_features), "the names of features are none")
        model.feature_names_in_ = np.array(names, dtype=object)
    _check_provenance(header["provenance"])
    model.provenance_ = header["provenance"]
    model._row_preprocessor = None
    is_scaling = header["scaling_in_first_layer"]
    check(isinstance(is_scaling, bool), "scaling_in_first_layer is not true or false")
    if header["columns"] is None:
        check(not is_scaling, "scaling needs columns")
        return n_features
    columns = header["columns"]
    check(
        isinstance(columns, list) and len(columns) == n_features,
        "the columns do not fit the features",
    )
    width = sum(map(_n_made_of, columns))
    names = [None] * n_features if names is None else names
    model.preprocessor_ = CompactPreprocessor(
        [{"name": name} | column for name, column in zip(names, columns, strict=True)]
    )
    if is_scaling:
        check(
            all(c["kind"] == "number" and "fill" in c for c in columns),
            "the first layer scales numbers only",
        )
        return n_features
    model._row_preprocessor = model.preprocessor_
    return width


def _check_provenance(provenance):
    check(isinstance(provenance, dict), "the provenance is no object")
    for name, value in provenance.items():
        values = [value]
        if name in ("versions", "metrics"):
            check(isinstance(value, dict), f"the {name} are no object")
            values = value.values()
        check(
            all(v is None or isinstance(v, str | int | float) for v in values),
            "the provenance holds more than text and numbers",
        )
    metrics = provenance.get("metrics", {})
    check(all(map(is_finite, metrics.values())), "a metric is no number")


def _checked_classes(header, n_bytes):
    kind, classes = header["classes_dtype"], header["classes"]
    check(isinstance(kind, str) and kind in _CLASS_KINDS, "unknown dtype of classes")
    check(
        isinstance(classes, list)
        and len(classes) > 1
        and all(map(_CLASS_KINDS[kind], classes)),
        "the classes are not of their dtype",
    )
    if kind == "str":
        check_text_fits(classes, n_bytes)
    with np.errstate(over="ignore"):
        array = np.array(classes, dtype=None if kind == "str" else kind)
    # As they were: the dtype may have rounded or cut what a forged header says.
    is_same = array.tolist() == classes and len({*classes}) == len(classes)
    check(is_same, "the classes are not distinct")
    return array


def _n_made_of(column):
    """Return how many columns are made of one, or raise if nothing sensible is."""
    check(isinstance(column, dict), "a column is no object")
    kind = column.get("kind")
    check(
        isinstance(kind, str) and kind in {*TO_NUMBER, *TO_TEXT, "empty"},
        "a column of unknown kind",
    )
    check({*column} <= _KEYS_OF[kind], "a column has what does not fit its kind")
    numbers = [column[key] for key in _NUMBERS if key in column]
    check(all(map(is_finite, numbers)), "a column's number is none")
    if kind in TO_NUMBER:
        is_scaled, has_indicator = "mean" in column, "indicator" in column
        check(column.get("indicator", True) is True, "an indicator is not true")
        check("scale" in column if is_scaled else "scale" not in column, _LACKS)
        check(("low" in column) == ("high" in column), _LACKS)
        if "low" in column:
            check("fill" in column, _LACKS)
            in_order = column["low"] <= column["fill"] <= column["high"]
            check(in_order, "a column's limits are not around what fills it")
        if is_scaled:
            check("fill" in column and column["scale"] > 0, _LACKS)
        return is_scaled + has_indicator
    if "categories" not in column:
        check("other" not in column, _LACKS)
        return 0
    categories, other = column["categories"], column.get("other")
    check(
        isinstance(categories, list)
        and all(c is None or isinstance(c, str) for c in categories)
        and len({*categories}) == len(categories)
        and isinstance(other, bool),
        "a column's categories are none",
    )
    return len(categories) + other


_LACKS = "a column lacks numbers"
_FIELDS = {
    "classes",
    "classes_dtype",
    "n_features",
    "feature_names",
    "columns",
    "scaling_in_first_layer",
    "provenance",
}
_NUMBERS = "fill", "low", "high", "mean", "scale"
_KEYS_OF = {
    **{kind: {"kind", *_NUMBERS, "indicator"} for kind in TO_NUMBER},
    **{kind: {"kind", "categories", "other"} for kind in TO_TEXT},
    "empty": {"kind"},
}
"""What a header may say of a column, by its kind."""


def is_finite(value):
    """Tell whether a value is a number that a float can hold."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    try:
        return is_number and math.isfinite(value)
    except OverflowError:  # of a whole number
        return False


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


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
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        return is_integer and low <= value <= high

    return fits


def _is_text(value):
    return isinstance(value, str)


_CLASS_KINDS = {
    "bool": lambda value: isinstance(value, bool),
    "str": _is_text,
    "object": _is_text,
    **dict.fromkeys(("float16", "float32", "float64"), is_finite),
    **{
        f"{sign}int{bits}": _fits(f"{sign}int{bits}")
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
}
"""What tells whether a class is fine, by the name of the classes' dtype."""
