"""The models as nodes of ONNX, for skl2onnx, which puts pipelines together of them.

A network is read by what makes compact copies; what scikit-learn fitted, a student or
a `preprocessor`, is converted by skl2onnx.
"""

import numpy as np
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.utils.validation import check_is_fitted

from skdistill._preprocessing import TablePreprocessor
from skdistill._students.compact_table import CompactPreprocessor
from skdistill._students.compacting import compact, layers_of
from skdistill._students.onnx_graph import Graph, in_order
from skdistill._students.onnx_table import add_table

_LABEL_TYPES = {
    **dict.fromkeys("iub", (np.int64, Int64TensorType)),
    "f": (np.float64, DoubleTensorType),
    "U": (object, StringTensorType),
}


def parser_of(model):
    """Return what skl2onnx calls to declare the outputs of `model`.

    It registers the class of `model` first: skl2onnx takes options, such as `zipmap`,
    of registered ones alone.
    """
    check_is_fitted(model)
    update_registered_converter(
        type(model),
        _alias(model),
        set_shapes,
        convert,
        parser=_parse,
        # There never is a ZipMap, whether the pipeline asks for it by default or not.
        options={"zipmap": [True, False]},
    )
    return lambda scope=None, inputs=None: _outputs(scope, model)


def _alias(model):
    return f"{type(model).__module__}.{type(model).__qualname__}"


def _parse(scope, model, inputs, custom_parsers=None):
    operator = scope.declare_local_operator(_alias(model), model)
    operator.inputs = inputs
    for variable in _outputs(scope, model):
        operator.outputs.append(variable)
    return operator.outputs


def _outputs(scope, model):
    if isinstance(model, TablePreprocessor):
        n_columns = len(model.get_feature_names_out())
        types = {"variable": DoubleTensorType([None, n_columns])}
    else:
        types = {
            "label": _labels(model.classes_)[1]([None]),
            "probabilities": FloatTensorType([None, len(model.classes_)]),
        }
    return [scope.declare_local_variable(*declared) for declared in types.items()]


def set_shapes(operator):
    """Leave the shapes of the outputs as they were declared, for skl2onnx."""


def convert(scope, operator, container):
    """Write a fitted model of this package as nodes, for skl2onnx.

    Parameters
    ----------
    scope : Scope
    operator : Operator
        With the model as its `raw_operator`.
    container : ModelComponentContainer
    """
    model, graph = operator.raw_operator, Graph(scope, container)
    if isinstance(model, TablePreprocessor):
        table = CompactPreprocessor.of(model)
        rows = add_table(graph, operator.inputs, table)
        graph.add("Identity", rows, output=operator.outputs[0])
        return
    # An ensemble, which is above this in the house, has no compact copy.
    is_ensemble = hasattr(model, "estimators_")
    model = model if is_ensemble else compact(model)
    rows = _network_rows(graph, operator, model)
    if is_ensemble:
        logits = _vote(graph, model, rows)
    elif model.student_ is None:
        logits = _forward(graph, rows, model.coefs_, model.intercepts_)
    else:
        proba = _classifier_proba(graph, model, rows)
        _decide(graph, operator, proba, proba)
        return
    _decide(graph, operator, logits, graph.add("Softmax", logits, axis=1))


def _decide(graph, operator, scores, proba):
    """Write the label of the highest score, and the probabilities, as the outputs."""
    label, probabilities = operator.outputs
    classes, _ = _labels(operator.raw_operator.classes_)
    place = graph.add("ArgMax", scores, axis=1, keepdims=0)
    graph.add("Gather", graph.constant(classes), place, axis=0, output=label)
    graph.add("Identity", proba, output=probabilities)


def _labels(classes):
    """Return the classes as a constant in ONNX can have them, and their type there."""
    kind = classes.dtype.kind
    if kind == "O" and all(isinstance(label, str) for label in classes):
        kind = "U"
    if kind not in _LABEL_TYPES:
        raise ValueError(
            "to_onnx takes classes that are numbers, booleans or text. Got classes of "
            f"dtype {classes.dtype}: {classes.tolist()[0]!r}, ..."
        )
    dtype, type_ = _LABEL_TYPES[kind]
    labels = classes.astype(dtype)
    if labels.tolist() != classes.tolist():
        raise ValueError(
            f"to_onnx takes classes that {dtype.__name__} can hold. Got classes of "
            f"dtype {classes.dtype}: {classes.max()!r}."
        )
    return labels, type_


def _network_rows(graph, operator, model):
    """Return the rows as network or student see them: one float32 tensor."""
    preprocessor = model._row_preprocessor
    if isinstance(preprocessor, TablePreprocessor):
        preprocessor = CompactPreprocessor.of(preprocessor)
    if isinstance(preprocessor, CompactPreprocessor):
        rows = add_table(graph, operator.inputs, preprocessor)
        return graph.cast(rows, TensorProto.FLOAT)
    if preprocessor is not None:
        types = {"preprocessed": DoubleTensorType([None, None])}
        (rows,) = graph.add_model(preprocessor, operator.inputs, types)
        return graph.cast(rows, TensorProto.FLOAT)
    names = getattr(model, "feature_names_in_", None)
    rows = graph.merged(in_order(operator.inputs, names), TensorProto.FLOAT)
    preprocessor = vars(model).get("preprocessor_")
    if not hasattr(preprocessor, "medians_"):
        return rows
    # The first layer has taken over the scaling, but not this.
    medians = graph.constant(preprocessor.medians_.astype(np.float32))
    rows = graph.add("Where", graph.add("IsNaN", rows), medians, rows)
    if preprocessor._limits is None:
        return rows
    low, high = map(graph.constant, preprocessor._limits)
    return graph.add("Min", graph.add("Max", rows, low), high)


def _forward(graph, rows, coefs, intercepts):
    """Return the logits of a network of Linear and ReLU layers."""
    for place, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
        if place:
            rows = graph.add("Relu", rows)
        weights = graph.constant(coef), graph.constant(intercept)
        rows = graph.add("Gemm", rows, *weights)
    return rows


def _vote(graph, ensemble, rows):
    """Return what the networks of an `EnsembleTeacher` vote for."""
    votes = [_forward(graph, rows, *layers_of(net)) for net in ensemble.estimators_]
    if ensemble.averaging == "proba":
        votes = [graph.add("Softmax", vote, axis=1) for vote in votes]
    mean = graph.add("Mean", *votes)
    if ensemble.averaging == "proba":
        mean = graph.add("Log", mean)
    temperature = graph.constant(np.float32([ensemble.temperature_]))
    return graph.add("Div", mean, temperature)


def _classifier_proba(graph, model, rows):
    """Return the probabilities of a student that is no network, in float32."""
    student, n_classes = model.student_, len(model.classes_)
    inputs = [graph.declared(rows, FloatTensorType([None, None]))]
    types = {
        "student_label": Int64TensorType([None]),
        "student_probabilities": FloatTensorType([None, len(student.classes_)]),
    }
    _, proba = graph.add_model(student, inputs, types)
    if len(student.classes_) == n_classes:
        return proba
    # It knows fewer classes.
    place_of = np.eye(n_classes, dtype=np.float32)[student.classes_.astype(int)]
    return graph.add("MatMul", proba, graph.constant(place_of))
