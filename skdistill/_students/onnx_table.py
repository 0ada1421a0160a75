"""What a `TablePreprocessor` does, as nodes of ONNX."""

import numpy as np
from onnx import TensorProto
from skl2onnx.common.data_types import guess_proto_type

from skdistill._students.onnx_graph import in_order

_FLOATS = {TensorProto.FLOAT, TensorProto.DOUBLE}
_INTEGERS = {TensorProto.INT32, TensorProto.INT64}
_NUMBERS = {*_FLOATS, *_INTEGERS, TensorProto.BOOL}
_TAKES = {
    "number": (_NUMBERS, "a tensor of numbers, with NaN for what is missing"),
    "boolean": (_NUMBERS, "a tensor of booleans, or of numbers with NaN among them"),
    "category": (
        {TensorProto.STRING, *_INTEGERS},
        "a tensor of strings, with '' for what is missing",
    ),
    "date": (
        _FLOATS,
        "a float or double tensor of days since 1970-01-01 in UTC, as ONNX has no "
        "dates, with NaN for what is missing",
    ),
    "duration": (
        _FLOATS,
        "a float or double tensor of days, as ONNX has no durations, with NaN for what "
        "is missing",
    ),
}
"""The types that hold a column of each kind, and how errors call them."""


def add_table(graph, inputs, table):
    """Add what a preprocessor does, in double precision, and return its output's name.

    Parameters
    ----------
    graph : Graph
    inputs : list of Variable
        One for each column of the table, or one for all.
    table : CompactPreprocessor
    """
    columns = table.columns
    values = _Columns(graph, inputs, columns)
    scaled = [j for j, column in enumerate(columns) if "mean" in column]
    gappy = [j for j, column in enumerate(columns) if "indicator" in column]
    parts = []

    def of_scaled(key, default=None):
        return graph.constant(np.array([columns[j].get(key, default) for j in scaled]))

    if scaled:
        numbers = values.numbers(scaled)
        missing = graph.add("IsNaN", numbers)
        filled = graph.add("Where", missing, of_scaled("fill"), numbers)
        if any("low" in columns[j] for j in scaled):
            filled = graph.add("Max", filled, of_scaled("low", -np.inf))
            filled = graph.add("Min", filled, of_scaled("high", np.inf))
        centred = graph.add("Sub", filled, of_scaled("mean"))
        parts.append(graph.add("Div", centred, of_scaled("scale")))
    if gappy:
        missing = graph.add("IsNaN", values.numbers(gappy))
        parts.append(graph.cast(missing, TensorProto.DOUBLE))
    for j, column in enumerate(columns):
        if "categories" in column:
            parts.append(_one_hot(graph, values, j))
    return parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)


class _Columns:
    """The columns of a table, behind one input for each, or one for all of them."""

    def __init__(self, graph, inputs, columns):
        self.graph = graph
        self.columns = columns
        names = [column["name"] for column in columns]
        self.inputs = in_order(inputs, None if None in names else names)
        if len(self.inputs) not in (1, len(columns)):
            raise ValueError(
                f"to_onnx needs one input for each of the {len(columns)} columns that "
                f"the model was fitted on, or one for all. Got {len(self.inputs)}."
            )
        for j, column in enumerate(columns):
            takes, form = _TAKES.get(column["kind"], (None, None))
            if takes is not None and self.kind(j) not in takes:
                name = f"x{j}" if column["name"] is None else column["name"]
                got = TensorProto.DataType.Name(self.kind(j))
                raise ValueError(
                    f"Column {name!r} was a {column['kind']} in fit: in ONNX it must "
                    f"be {form}. Got a tensor of type {got}."
                )

    def kind(self, j):
        """Return the type of the tensor that holds a column."""
        one_for_all = len(self.inputs) == 1
        return guess_proto_type(self.inputs[0 if one_for_all else j].type)

    def one(self, j):
        """Return the name of a tensor of one column."""
        if len(self.columns) == len(self.inputs):
            return self.inputs[j].full_name
        place = self.graph.constant(np.array([j]))
        return self.graph.add("Gather", self.inputs[0].full_name, place, axis=1)

    def numbers(self, places):
        """Return the name of a double tensor of some columns."""
        graph = self.graph
        if len(self.columns) == len(self.inputs):
            chosen = [self.inputs[j] for j in places]
            return graph.merged(chosen, TensorProto.DOUBLE)
        rows = graph.merged(self.inputs, TensorProto.DOUBLE)
        return graph.add("Gather", rows, graph.constant(np.array(places)), axis=1)


def _one_hot(graph, values, j):
    """Return a double column for each category, and for all others if there is one."""
    column = values.columns[j]
    place_of = {category: k for k, category in enumerate(column["categories"])}
    n_columns = len(place_of) + column["other"]
    # Where there is no column for others, none is 1 in their rows.
    places = (_place_of_boolean if column["kind"] == "boolean" else _place_of_text)(
        graph, values, j, place_of
    )
    found = graph.add("Equal", places, graph.constant(np.arange(n_columns)[None]))
    return graph.cast(found, TensorProto.DOUBLE)


def _place_of_text(graph, values, j, place_of):
    if "" in place_of:
        raise ValueError(
            f"Column {values.columns[j]['name']!r} has the empty text among its "
            "categories, which stands for a missing value in ONNX."
        )
    text = values.one(j)
    if values.kind(j) != TensorProto.STRING:
        text = graph.cast(text, TensorProto.STRING)
    keys = ["" if category is None else category for category in place_of]
    return graph.add(
        "LabelEncoder",
        text,
        domain="ai.onnx.ml",
        op_version=2,
        keys_strings=keys,
        values_int64s=[*place_of.values()],
        default_int64=len(place_of),
    )


def _place_of_boolean(graph, values, j, place_of):
    numbers = values.numbers([j])

    def place(category):
        return graph.constant(np.array([place_of.get(category, len(place_of))]))

    places = place(None)
    for category, number in (("True", 1.0), ("False", 0.0)):
        is_it = graph.add("Equal", numbers, graph.constant(np.array([number])))
        places = graph.add("Where", is_it, place(category), places)
    return places
