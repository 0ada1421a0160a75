"""What skl2onnx asks a model of another package for, once it meets one."""

from importlib import import_module


class OnnxHooksMixin:
    """An estimator that skl2onnx converts without a converter being registered.

    skl2onnx calls these methods, by their names, on what it does not know. They load
    nothing of ONNX before.
    """

    def onnx_parser(self):
        """Return what names the outputs of the model in ONNX, for skl2onnx.

        Returns
        -------
        callable
            Takes the scope and the inputs, and returns the outputs.
        """
        return _nodes().parser_of(self)

    def onnx_shape_calculator(self):
        """Return what sets the shapes of the outputs in ONNX, for skl2onnx.

        Returns
        -------
        callable
            Takes the operator.
        """
        return _nodes().set_shapes

    def onnx_converter(self):
        """Return what writes the model as nodes of ONNX, for skl2onnx.

        Returns
        -------
        callable
            Takes the scope, the operator and the container of the nodes.
        """
        return _nodes().convert


def _nodes():
    # By name: it knows the classes that these hooks are mixed into.
    return import_module("skdistill._students.onnx_nodes")
