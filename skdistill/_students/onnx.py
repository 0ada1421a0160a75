"""A fitted model, or a whole Pipeline, as one ONNX model."""

from copy import copy

import numpy as np
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skdistill._checked_prediction import LogitsClassifierMixin
from skdistill._columns import as_pandas_or_array, kind_of
from skdistill._preprocessing import TablePreprocessor
from skdistill._sklearn import BaseSearchCV
from skdistill._students.compact_table import CompactPreprocessor

_OF_DTYPES = {
    "float16": "Float",
    "float32": "Float",
    "float64": "Double",
    "int32": "Int32",
    "int64": "Int64",
    "bool": "Boolean",
}
"""The tensors of ONNX that hold numpy's numbers as they are, by dtype."""

_OF_KINDS = {
    "number": "Double",
    "boolean": "Float",
    "date": "Double",
    "duration": "Double",
    "category": "String",
    "empty": "Float",
}
"""Those for columns that numpy has no numbers for, by what they hold."""


def to_onnx(model, X_sample=None, *, opset=None):
    """Return a fitted model, or a whole Pipeline, as one ONNX model.

    It is converted by skl2onnx [1]_, which finds by itself how to convert what is of
    this package: ``skl2onnx.to_onnx(pipeline, X)`` does the same.

    Parameters
    ----------
    model : estimator
        A fitted `DistilledClassifier`, `DistilledClassifierCV`, `CompactClassifier` or
        `EnsembleTeacher`, or a Pipeline with one of them; other steps are such as
        skl2onnx converts. Of a fitted search of scikit-learn, such as `GridSearchCV`,
        it is `best_estimator_`.
    X_sample : array-like or DataFrame of shape (n_samples, n_features), default=None
        Some rows, whose types are those of the inputs: an array is one input, ``X``;
        of a DataFrame each column is one, of shape (n_rows, 1), under its name. None
        takes float32, and a `preprocessor` of "auto" what it was fitted on.
    opset : int or dict, default=None
        Version of the operators, or of those of each domain: converters of other
        packages may need ``{"": 21, "ai.onnx.ml": 3}``. None takes the latest that
        skl2onnx is tested with.

    Returns
    -------
    onnx.ModelProto
        The model, for any number of rows. A classifier's outputs are ``label`` and
        ``probabilities``, the latter with a column for each of its `classes_`.

    Raises
    ------
    ImportError
        If onnx or skl2onnx is not installed.
    TypeError
        If `model` is no fitted estimator.
    ValueError
        If a network is no `torch.nn.Sequential` of `Linear` layers with `ReLU` between
        them, if `X_sample` is needed or lacks a column, or if ONNX cannot hold one.

    See Also
    --------
    compact : A copy that needs neither torch nor ONNX Runtime.

    Notes
    -----
    ONNX has no missing text, dates or durations: missing text is the empty text, a date
    a number of days since 1970 in UTC, a duration a number of days.

    References
    ----------
    .. [1] https://onnx.ai/sklearn-onnx

    Examples
    --------
    >>> import onnxruntime
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdistill import DistilledClassifier, to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(n_estimators=20)
    >>> student = DistilledClassifier(forest, max_epochs=20, random_state=0)
    >>> pipeline = make_pipeline(StandardScaler(), student).fit(X, y)
    >>> model = to_onnx(pipeline, X)
    >>> session = onnxruntime.InferenceSession(model.SerializeToString())
    >>> label, probabilities = session.run(None, {"X": X})
    >>> bool((label == pipeline.predict(X)).all())
    True
    """
    onnx, skl2onnx = _installed()
    model = _unwrapped(model)
    if not hasattr(model, "get_params"):
        raise TypeError(
            "The 'model' parameter of to_onnx must be a fitted estimator, or a "
            f"Pipeline of such. Got {model!r}."
        )
    check_is_fitted(model)
    options, last = None, model.steps[-1][1] if isinstance(model, Pipeline) else model
    if is_classifier(last):
        options = {id(last): {"zipmap": False}}
    inputs = _inputs(model, X_sample)
    converted = skl2onnx.to_onnx(
        model, initial_types=inputs, options=options, target_opset=opset
    )
    _name_inputs(converted.graph, [name for name, _ in inputs])
    onnx.checker.check_model(converted)
    return converted


to_onnx.__module__ = "skdistill"


def _installed():
    try:
        import onnx
        import skl2onnx
    except ImportError as error:
        raise ImportError(
            f"to_onnx needs onnx and skl2onnx, and {error.name} is not installed: pip "
            "install 'skdistill[onnx]'."
        ) from error
    return onnx, skl2onnx


def _unwrapped(model):
    """Return what predicts in a search or a `FrozenEstimator`."""
    if isinstance(model, FrozenEstimator):
        return _unwrapped(model.estimator)
    if isinstance(model, BaseSearchCV):
        check_is_fitted(model, "best_estimator_")
        return _unwrapped(model.best_estimator_)
    if isinstance(model, Pipeline):
        model = copy(model)
        model.steps = [(name, _unwrapped(step)) for name, step in model.steps]
    return model


def _name_inputs(graph, names):
    """Give the inputs their names, of which skl2onnx has made identifiers."""
    from onnx.helper import make_node

    taken = {tensor.name for tensor in (*graph.input, *graph.initializer)}
    taken.update(name for node in graph.node for name in node.output)
    for name, tensor in zip(names, graph.input, strict=True):
        if name == tensor.name:
            continue
        if name in taken:
            raise ValueError(
                f"The column {name!r} cannot have its name in ONNX, as another tensor "
                f"there has it. Rename it. The columns are {names}."
            )
        graph.node.insert(0, make_node("Identity", [name], [tensor.name]))
        tensor.name = name


def _inputs(model, X_sample):
    """Return the names and types of the inputs, as skl2onnx takes them."""
    names = getattr(model, "feature_names_in_", None)
    if X_sample is None:
        kinds, n_features = _kinds(model, names), model.n_features_in_
        if len({*kinds}) > 1 and names is None:
            names = [f"x{j}" for j in range(n_features)]
        if names is None:
            return [("X", _tensor(kinds[0], n_features))]
        return [(str(n), _tensor(k, 1)) for n, k in zip(names, kinds, strict=True)]
    X = as_pandas_or_array(X_sample)
    if hasattr(X, "columns"):
        names = [*X.columns] if names is None else names
        missing = [name for name in names if name not in X.columns]
        if missing:
            raise ValueError(
                "The 'X_sample' parameter of to_onnx must have the columns that the "
                f"model was fitted on. It lacks {missing}."
            )
        inputs = [(str(name), _tensor(_kind(X[name]), 1)) for name in names]
        shape = len(X), len(names)
    else:
        X = np.asarray(X)
        inputs, shape = [("X", _tensor(_kind_of_array(X), *X.shape[1:]))], X.shape
    n_features = model.n_features_in_
    if len(shape) != 2 or shape[1] != n_features:
        raise ValueError(
            "The 'X_sample' parameter of to_onnx must have two dimensions and the "
            f"{n_features} columns that the model was fitted on. Got shape {shape}."
        )
    return inputs


def _tensor(kind, *n_columns):
    from skl2onnx.common import data_types

    return getattr(data_types, f"{kind}TensorType")([None, *n_columns])


def _kinds(model, names):
    """Return the kind of tensor for each column, of a model alone."""
    first = _first(model)
    if isinstance(first, TablePreprocessor):
        first = CompactPreprocessor.of(first)
    if isinstance(first, CompactPreprocessor):
        return [_kind_in_fit(column) for column in first.columns]
    if isinstance(first, LogitsClassifierMixin):
        return ["Float"] * model.n_features_in_
    tags = get_tags(first).input_tags
    if isinstance(first, ColumnTransformer) or tags.string or tags.categorical:
        raise ValueError(
            "The 'X_sample' parameter of to_onnx must be given for a model whose first "
            f"step takes more than numbers, as {type(first).__name__} does: it tells "
            "the types of the columns. Got None."
        )
    return ["Float"] * model.n_features_in_


def _first(model):
    """Return what first sees the rows."""
    if isinstance(model, Pipeline):
        for _, step in model.steps:
            if hasattr(step, "get_params"):  # and is not "passthrough"
                return _first(step)
    own = vars(model)
    if own.get("_row_preprocessor") is not None:
        return _first(own["_row_preprocessor"])
    return model


def _kind_in_fit(column):
    """Return the kind of tensor for a column of a `CompactPreprocessor`."""
    if column["kind"] == "boolean" and None not in column.get("categories", [None]):
        return "Boolean"
    return _OF_KINDS[column["kind"]]


def _kind(column):
    """Return the kind of tensor for a column of a DataFrame."""
    of_dtype = _OF_DTYPES.get(str(column.dtype))
    return _OF_KINDS[kind_of(column)] if of_dtype is None else of_dtype


def _kind_of_array(X):
    if X.dtype.kind in "OU" and all(isinstance(value, str) for value in X.flat):
        return "String"
    kind = _OF_DTYPES.get(X.dtype.name)
    if kind is None:
        raise ValueError(
            "The 'X_sample' parameter of to_onnx must be a DataFrame, or an array of "
            f"numbers or of text. Got an array of dtype {X.dtype}."
        )
    return kind
