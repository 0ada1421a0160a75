"""Nodes of ONNX, one by one, in what skl2onnx puts together."""

from onnx import TensorProto
from onnx.helper import np_dtype_to_tensor_dtype
from skl2onnx.common.data_types import guess_proto_type
from sklearn.pipeline import Pipeline


class Graph:
    """Adds nodes to a model that skl2onnx converts.

    Parameters
    ----------
    scope : skl2onnx.common._topology.Scope
        Gives names.
    container : skl2onnx.common._container.ModelComponentContainer
        Takes nodes.
    """

    def __init__(self, scope, container):
        self.scope = scope
        self.container = container

    def constant(self, values):
        """Add an array of numbers or, as objects, of text, and return its name."""
        name = self.scope.get_unique_variable_name("constant")
        if values.dtype == object:
            kind, flat = TensorProto.STRING, [text.encode() for text in values.flat]
        else:
            kind, flat = np_dtype_to_tensor_dtype(values.dtype), values.ravel()
        self.container.add_initializer(name, kind, list(values.shape), flat)
        return name

    def add(self, kind, *inputs, output=None, domain="", **attributes):
        """Add a node, and return the name of its output.

        Parameters
        ----------
        kind : str
            The operator.
        *inputs : str
        output : Variable, default=None
            The output, if it is declared.
        domain : str, default=""
            That of the operator.
        **attributes : dict
            And perhaps its `op_version`.

        Returns
        -------
        str
        """
        if output is None:
            name = self.scope.get_unique_variable_name(kind.lower())
        else:
            name = output.full_name
        self.container.add_node(
            kind,
            list(inputs),
            [name],
            op_domain=domain,
            name=self.scope.get_unique_operator_name(kind),
            **attributes,
        )
        return name

    def cast(self, name, kind):
        """Add a cast to a type of `TensorProto`, and return the name of its output."""
        return self.add("Cast", name, to=kind)

    def merged(self, inputs, kind):
        """Return the variables side by side, as one tensor of the given type."""
        parts = [
            variable.full_name
            if guess_proto_type(variable.type) == kind
            else self.cast(variable.full_name, kind)
            for variable in inputs
        ]
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=1)

    def declared(self, name, type_):
        """Return a new variable that has the values of a tensor."""
        variable = self.scope.declare_local_variable("rows", type_)
        self.add("Identity", name, output=variable)
        return variable

    def add_model(self, model, inputs, types):
        """Let skl2onnx convert a fitted estimator, and return its outputs' names.

        Parameters
        ----------
        model : estimator
        inputs : list of Variable
        types : dict
            The name and the type of each output.

        Returns
        -------
        list of str
        """
        # As a Pipeline's step, it may be a ColumnTransformer or a Pipeline itself.
        operator = self.scope.declare_local_operator(
            "SklearnPipeline", Pipeline([("model", model)])
        )
        operator.inputs = inputs
        for declared in types.items():
            operator.outputs.append(self.scope.declare_local_variable(*declared))
        return [variable.full_name for variable in operator.outputs]


def in_order(inputs, names):
    """Return variables of one column each in the order of these names, if any."""
    if names is None or len(inputs) == 1:
        return list(inputs)
    by_name = {variable.raw_name: variable for variable in inputs}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise ValueError(
            "to_onnx needs an input for each column that the model was fitted on, "
            f"under its name. Missing are {missing}."
        )
    return [by_name[name] for name in names]
