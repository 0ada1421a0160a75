"""Knowledge distillation for scikit-learn: one small model for a big ensemble."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0.dev0"

_PUBLIC = {
    "DistillationLoss": "skdistill._losses",
    "DistilledClassifier": "skdistill._distilled",
    "DistilledClassifierCV": "skdistill._search",
    "EnsembleTeacher": "skdistill._teacher",
    "SearchDisplay": "skdistill._display",
    "StudentModel": "skdistill._modules",
    "TeacherModel": "skdistill._modules",
    "one_standard_error": "skdistill._choice",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    # Lazy, so that `import skdistill` loads neither torch nor skorch.
    if name not in _PUBLIC:
        raise AttributeError(f"module 'skdistill' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
