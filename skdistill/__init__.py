"""Knowledge distillation for scikit-learn: one small model for a big ensemble."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # For type checkers and editors, which cannot look into __getattr__.
    from skdistill._distill import distill
    from skdistill._distilled import DistilledClassifier
    from skdistill._ensemble import EnsembleTeacher
    from skdistill._inspection.curve import distillation_curve, smallest_within
    from skdistill._inspection.reliability_display import ReliabilityDisplay
    from skdistill._inspection.report import DistillationReport
    from skdistill._inspection.search_display import SearchDisplay
    from skdistill._inspection.tradeoff_display import TradeoffDisplay
    from skdistill._inspection.training_display import TrainingDisplay
    from skdistill._one_standard_error import one_standard_error
    from skdistill._preprocessing import TablePreprocessor
    from skdistill._reference import reference_recipe
    from skdistill._search import DistilledClassifierCV
    from skdistill._students.compact import CompactClassifier
    from skdistill._students.compact_predictor import CompactPredictor
    from skdistill._students.compacting import compact
    from skdistill._students.onnx import to_onnx
    from skdistill._targets.transfer import (
        GaussianTransfer,
        MixupTransfer,
        MungeTransfer,
        SwapTransfer,
    )
    from skdistill._training.loss import DistillationLoss
    from skdistill._training.modules import StudentModel, TeacherModel

__version__ = "0.1.0.dev0"

_PUBLIC = {
    "CompactClassifier": "skdistill._students.compact",
    "CompactPredictor": "skdistill._students.compact_predictor",
    "DistillationLoss": "skdistill._training.loss",
    "DistillationReport": "skdistill._inspection.report",
    "DistilledClassifier": "skdistill._distilled",
    "DistilledClassifierCV": "skdistill._search",
    "EnsembleTeacher": "skdistill._ensemble",
    "GaussianTransfer": "skdistill._targets.transfer",
    "MixupTransfer": "skdistill._targets.transfer",
    "MungeTransfer": "skdistill._targets.transfer",
    "ReliabilityDisplay": "skdistill._inspection.reliability_display",
    "SearchDisplay": "skdistill._inspection.search_display",
    "StudentModel": "skdistill._training.modules",
    "SwapTransfer": "skdistill._targets.transfer",
    "TablePreprocessor": "skdistill._preprocessing",
    "TeacherModel": "skdistill._training.modules",
    "TradeoffDisplay": "skdistill._inspection.tradeoff_display",
    "TrainingDisplay": "skdistill._inspection.training_display",
    "compact": "skdistill._students.compacting",
    "distill": "skdistill._distill",
    "distillation_curve": "skdistill._inspection.curve",
    "one_standard_error": "skdistill._one_standard_error",
    "reference_recipe": "skdistill._reference",
    "smallest_within": "skdistill._inspection.curve",
    "to_onnx": "skdistill._students.onnx",
}

# Written out, as type checkers do not run this.
__all__ = [
    "CompactClassifier",
    "CompactPredictor",
    "DistillationLoss",
    "DistillationReport",
    "DistilledClassifier",
    "DistilledClassifierCV",
    "EnsembleTeacher",
    "GaussianTransfer",
    "MixupTransfer",
    "MungeTransfer",
    "ReliabilityDisplay",
    "SearchDisplay",
    "StudentModel",
    "SwapTransfer",
    "TablePreprocessor",
    "TeacherModel",
    "TradeoffDisplay",
    "TrainingDisplay",
    "compact",
    "distill",
    "distillation_curve",
    "one_standard_error",
    "reference_recipe",
    "smallest_within",
    "to_onnx",
]

# Pickles name these, too.
_PICKLED = {
    **_PUBLIC,
    "CompactPreprocessor": "skdistill._students.compact_table",
    "AskedModel": "skdistill._targets.asked",
    "EncodedTeacher": "skdistill._targets.encoded",
    "ShuffledBatches": "skdistill._training.batches",
}


def __getattr__(name: str) -> Any:
    # Lazy, so that `import skdistill` loads neither torch nor skorch.
    if name not in _PICKLED:
        raise AttributeError(f"module 'skdistill' has no attribute {name!r}")
    value = getattr(import_module(_PICKLED[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
