"""The boosters of other packages, for which onnxmltools has skl2onnx's converters."""

from importlib import import_module

import skl2onnx
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.pipeline import Pipeline

_CONVERTERS = {
    "lightgbm.LGBMClassifier": (
        "LightGbmLGBMClassifier",
        "onnxmltools.convert.lightgbm.operator_converters.LightGbm",
        "convert_lightgbm",
    ),
    "xgboost.XGBClassifier": (
        "XGBoostXGBClassifier",
        "onnxmltools.convert.xgboost.operator_converters.XGBoost",
        "convert_xgboost",
    ),
}
"""The name that onnxmltools gives each in skl2onnx, and its converter."""


def register_booster(student):
    """Register the converter of a student, if it is such a booster and has none yet.

    Parameters
    ----------
    student : estimator
        Fitted. Of a Pipeline it is the last step.

    Raises
    ------
    ImportError
        If it is one, and onnxmltools is not installed.
    """
    model = student.steps[-1][1] if isinstance(student, Pipeline) else student
    kind = type(model)
    package = kind.__module__.partition(".")[0]
    alias, module, name = _CONVERTERS.get(f"{package}.{kind.__name__}", (None,) * 3)
    if alias is None or alias in skl2onnx.supported_converters():
        return
    try:
        converter = getattr(import_module(module), name)
    except ImportError as error:
        raise ImportError(
            f"to_onnx needs onnxmltools for a student that is a {kind.__name__}, and "
            f"{error.name} is not installed: pip install 'skdistill[onnx]'."
        ) from error
    skl2onnx.update_registered_converter(
        kind,
        alias,
        calculate_linear_classifier_output_shapes,
        converter,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )
