"""Who is compared in a report: teacher, student and baseline, out of what is fitted."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, column_or_1d, gen_batches
from sklearn.utils.validation import _num_samples, check_is_fitted

from skdistill._distilled import DistilledClassifier
from skdistill._search import DistilledClassifierCV
from skdistill._sklearn import BaseSearchCV
from skdistill._students.compact_predictor import CompactMixin
from skdistill._targets.asked import AskedModel
from skdistill._targets.logits import align_proba
from skdistill._targets.out_of_fold import innermost
from skdistill._teaching_settings import chosen_teacher

TEACHERLESS = {
    "alpha": 0,
    "teacher": None,
    "calibrate": "auto",
    "blend": "auto",
    "target_cv": "auto",
    "transfer": None,
    "memory": None,
}
"""What makes a baseline of a student's parameters."""

IRRELEVANT = {*TEACHERLESS, "temperature", "random_state", "verbose", "n_jobs"}
"""Parameters by which a baseline is no other student: it has no teacher."""

RESERVED = ("teacher", "student", "baseline")


class Parts(NamedTuple):
    """A fitted `DistilledClassifier` and the fitted steps before it."""

    steps: list
    student: DistilledClassifier

    def behind_steps(self, model):
        """Return `model`, which gets rows as the student does, as one for raw rows."""
        if not self.steps:
            return model
        return Pipeline([*self.steps, (type(model).__name__.lower(), model)])

    @property
    def teacher(self):
        """The fitted teacher, for raw rows, or None."""
        teacher = self.student.teacher_
        if isinstance(teacher, FrozenEstimator):
            teacher = teacher.estimator
        if isinstance(teacher, AskedModel):
            # Its answers are smoothed: those of the model itself are compared.
            asked = teacher.model
            if asked is None or hasattr(asked, "predict_proba"):
                teacher = asked
        return None if teacher is None else self.behind_steps(teacher)

    @property
    def why_no_teacher(self):
        """Why there is none, in words."""
        if self.student.teacher_ is not None:
            return "the teacher was left out when the student was saved or copied"
        if self.student.alpha == 0:
            return "this student was trained on the labels alone (alpha=0)"
        return "the student learned from soft_targets, or its teacher was taken off"

    @property
    def how_to_calibrate(self):
        """What makes the student learn from calibrated logits, or None if it did."""
        model, is_frozen = innermost(chosen_teacher(self.student))
        model = model.model if isinstance(model, AskedModel) else model
        if isinstance(model, CalibratedClassifierCV) or getattr(model, "calibrate", 0):
            return None
        if is_frozen:
            return "wrap it in a CalibratedClassifierCV"
        return None if self.student.calibrate else "use calibrate='auto'"


def parts_of(model, name="model"):
    """Return the parts of a fitted model, or raise."""
    steps, last = [], model
    while not isinstance(last, DistilledClassifier):
        match last:
            case Pipeline():
                steps += last.steps[:-1]
                last = last.steps[-1][1]
            case FrozenEstimator():
                last = last.estimator
            case BaseSearchCV() | DistilledClassifierCV():
                check_is_fitted(last, "best_estimator_")
                last = last.best_estimator_
            case _:
                copied = ", which has no teacher: pass what it is a copy of"
                raise TypeError(
                    f"The {name!r} parameter must be a fitted DistilledClassifier or "
                    "DistilledClassifierCV, a Pipeline or search that ends in one, or "
                    f"a list of such. Got {type(last).__name__}"
                    f"{copied if isinstance(last, CompactMixin) else ''}."
                )
    check_is_fitted(last)
    return Parts(_with_distinct_names(steps), last)


def own_parts(model):
    """Return the parts of a fitted model, or None if it is not of ours."""
    try:
        return parts_of(model)
    except TypeError:
        return None


def checked_classes(model):
    """Return the classes of any fitted classifier, or raise."""
    if hasattr(model, "fit"):
        check_is_fitted(model)
    if not (hasattr(model, "predict_proba") and hasattr(model, "classes_")):
        raise TypeError(
            "The 'model' parameter must be a fitted classifier with predict_proba. Got "
            f"{type(model).__name__}."
        )
    return np.asarray(model.classes_)


def _with_distinct_names(steps):
    """Return the steps of nested pipelines as those of one."""
    names = [name for name, _ in steps]
    if len(set(names)) == len(names):
        return steps
    return [(f"{name}-{i}", step) for i, (name, step) in enumerate(steps)]


def fitted_baseline(parts, X, y):
    """Return the same student and steps, fitted on the labels alone."""
    baseline = clone(parts.student).set_params(**TEACHERLESS)
    return clone(parts.behind_steps(baseline)).fit(X, y)


def is_without_teacher(baseline, parts):
    """Tell whether a fitted baseline is that student, trained on the labels alone."""
    found = own_parts(baseline)
    if found is None:
        return False
    steps, own = found
    like = [[repr(step) for _, step in each] for each in (steps, parts.steps)]
    if own.alpha != 0 or like[0] != like[1]:
        return False
    ours, theirs = (
        {
            name: repr(value)
            for name, value in model.get_params(deep=False).items()
            if name not in IRRELEVANT
        }
        for model in (parts.student, own)
    )
    return ours == theirs


def checked_references(reference, classes):
    """Return further fitted models by name, or raise.

    Each must know one at least of `classes`: rows of none become uniform, which is no
    answer of that model.
    """
    if reference is None:
        return {}
    if not isinstance(reference, dict):
        name = type(reference).__name__
        if isinstance(reference, Pipeline):
            name = type(reference.steps[-1][1]).__name__
        reference = {name: reference}
    for name, model in reference.items():
        if name in RESERVED or not hasattr(model, "predict_proba"):
            raise ValueError(
                "The 'reference' parameter must be a fitted classifier with "
                "predict_proba, or a dict of such by name, where no name is one of "
                f"{list(RESERVED)}. Got {name!r}: {type(model).__name__}."
            )
        _check_knows(model, classes, "reference", repr(name))
    return dict(reference)


def _check_knows(model, classes, parameter, name):
    """Raise unless a classifier knows some of the `classes`."""
    known = np.asarray(model.classes_).tolist()
    if not set(known) & set(classes.tolist()):
        raise ValueError(
            f"The {parameter!r} parameter must have classifiers of the model's "
            f"classes, {classes.tolist()}. Got {name} of classes {known}."
        )


def baselines_of(baseline, parts, X_train, y_train):
    """Return the fitted baselines, one or as many as there are students, or none."""
    if (X_train is None) != (y_train is None):
        raise ValueError(
            "The 'X_train' and 'y_train' parameters must be given both, or neither. "
            f"Got {'y_train' if X_train is None else 'X_train'} alone."
        )
    if not isinstance(baseline, str):
        if X_train is not None:
            raise ValueError(
                "The 'X_train' and 'y_train' parameters are for baseline='auto', which "
                f"is fitted on them. Got baseline={type(baseline).__name__} as well."
            )
        baselines = _as_list(baseline)
        for each in baselines:
            if hasattr(each, "fit"):
                check_is_fitted(each)
            if not hasattr(each, "predict_proba"):
                raise ValueError(
                    "The 'baseline' parameter must be 'auto', None, or a fitted "
                    f"classifier with predict_proba. Got {type(each).__name__}."
                )
            classes = parts[0].student.classes_
            _check_knows(each, classes, "baseline", type(each).__name__)
        if len(baselines) not in (0, 1, len(parts)):
            raise ValueError(
                "The 'baseline' parameter must be one classifier, or one for each of "
                f"the {len(parts)} models. Got {len(baselines)}."
            )
        return baselines
    if baseline != "auto":
        raise ValueError(
            "The 'baseline' parameter must be 'auto', None, or a fitted classifier. "
            f"Got {baseline!r}."
        )
    if X_train is None or all(each.student.alpha == 0 for each in parts):
        return []
    return [fitted_baseline(each, X_train, y_train) for each in parts]


def _as_list(models):
    if models is None:
        return []
    return list(models) if isinstance(models, list | tuple) else [models]


def checked_models(model):
    """Return the parts of one model or of several, which know the same classes."""
    models = _as_list(model)
    if not models:
        raise ValueError("The 'model' parameter must not be empty. Got no model.")
    parts = [parts_of(each) for each in models]
    classes = [each.student.classes_.tolist() for each in parts]
    for others in classes[1:]:
        if others != classes[0]:
            raise ValueError(
                "The models must know the same classes. One knows "
                f"{classes[0]}, another {others}."
            )
    return models, parts


def checked_rows(X, y, classes, names=("X_test", "y_test")):
    """Return test rows that can be indexed, and labels as indices, or raise."""
    X = X if hasattr(X, "shape") else np.asarray(X)
    y = column_or_1d(y)
    if _num_samples(X) != len(y) or not len(y):
        raise ValueError(
            f"{names[0]} and {names[1]} must have as many rows, and one at least. Got "
            f"{_num_samples(X)} and {len(y)}."
        )
    places = pd.Index(classes).get_indexer(pd.Index(y))
    if (places < 0).any():
        unknown = sorted(set(y[places < 0].tolist()), key=str)[:5]
        raise ValueError(
            f"{names[1]} must have no labels but those the model knows, "
            f"{classes.tolist()}. Got {unknown}."
        )
    return X, places


def proba_of(model: Any, X, classes, chunk_size=None):
    """Return the probabilities of a fitted model, a column for each of `classes`."""
    n_rows = _num_samples(X)
    chunks = gen_batches(n_rows, chunk_size or n_rows)
    proba = [np.asarray(model.predict_proba(_safe_indexing(X, c))) for c in chunks]
    proba = proba[0] if len(proba) == 1 else np.concatenate(proba)
    if not np.issubdtype(proba.dtype, np.floating):
        proba = proba.astype(np.float64)
    known = np.asarray(model.classes_)
    if known.tolist() == classes.tolist():
        return proba
    return align_proba(proba, known, classes)


def teacher_proba(parts, X):
    """Return the probabilities of the teacher of `parts`, which has one."""
    asked = parts.student.teacher_
    asked = asked.estimator if isinstance(asked, FrozenEstimator) else asked
    chunk_size = asked.chunk_size if isinstance(asked, AskedModel) else None
    return proba_of(parts.teacher, X, parts.student.classes_, chunk_size)
