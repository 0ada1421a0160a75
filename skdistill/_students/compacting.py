"""Copies of fitted estimators that ship: the student in numpy, the teacher left out."""

import sys
from copy import copy
from datetime import datetime, timezone

import numpy as np
import sklearn
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skdistill import __version__
from skdistill._checked_prediction import LogitsClassifierMixin
from skdistill._notebook import NotebookSummaryMixin
from skdistill._onnx_hooks import OnnxHooksMixin
from skdistill._preprocessing import (
    LARGEST_OFFSET,
    LARGEST_SIZE,
    TablePreprocessor,
    linear_part,
)
from skdistill._sklearn import BaseSearchCV
from skdistill._students.compact import CompactClassifier
from skdistill._students.compact_table import CompactPreprocessor
from skdistill._students.kinds import is_classifier_student, student_logits
from skdistill._training.modules import StudentModel, TeacherModel
from skdistill._validation import copy_form


class StudentClassifierMixin(
    NotebookSummaryMixin, LogitsClassifierMixin, OnnxHooksMixin
):
    """What an estimator with a fitted student does with it: predict, and ship it."""

    def _logits(self, X):
        return student_logits(self.student_, X, len(self.classes_))

    def compact(self):
        """Return a copy of the student that needs neither torch nor skorch.

        It predicts what this estimator does, to the rounding of float32, and has
        neither the teacher nor what training needs. A student that is no network is
        the copy's `student_`, as it is.

        Returns
        -------
        CompactClassifier
            The fitted copy.

        Raises
        ------
        ValueError
            If the student is a network of your own that is no `torch.nn.Sequential` of
            `Linear` layers with `ReLU` between them.

        See Also
        --------
        skdistill.compact : The same for a Pipeline.
        """
        check_is_fitted(self, "student_")
        return _compacted(getattr(self, "best_estimator_", self))


def compact(model, *, merge_scaler=False):
    """Return a copy of a fitted model that needs neither torch nor skorch.

    Parameters
    ----------
    model : DistilledClassifier, DistilledClassifierCV or Pipeline
        A Pipeline ends in one of these; its other steps are shared with the copy. Of a
        fitted search of scikit-learn, such as `GridSearchCV`, it is `best_estimator_`.
    merge_scaler : bool, default=False
        Whether a `StandardScaler` before the student becomes part of its first layer,
        so that one `CompactClassifier` takes the place of the Pipeline. It can be saved
        to a file, and read by `CompactPredictor` without scikit-learn.

    Returns
    -------
    CompactClassifier or Pipeline
        The fitted copy.

    Raises
    ------
    TypeError
        If `model` is something else.
    ValueError
        If its student is a network that cannot be copied; see
        `DistilledClassifier.compact`. With `merge_scaler`, if the Pipeline is not a
        `StandardScaler` and a student that is a network without a preprocessor, or if
        float32 does not hold a column: its mean is beyond 1000 standard deviations.

    See Also
    --------
    CompactClassifier : What it makes.
    to_onnx : A model for ONNX Runtime.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdistill import DistilledClassifier, compact
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(n_estimators=20)
    >>> student = DistilledClassifier(forest, max_epochs=20, random_state=0)
    >>> compact(make_pipeline(StandardScaler(), student).fit(X, y))
    Pipeline(steps=[('standardscaler', StandardScaler()),
                    ('compactclassifier', CompactClassifier())])
    >>> pipeline = make_pipeline(StandardScaler(), student).fit(X, y)
    >>> compact(pipeline, merge_scaler=True)
    CompactClassifier()
    """
    if isinstance(model, CompactClassifier):
        return model
    if isinstance(model, StudentClassifierMixin):
        return model.compact()
    if isinstance(model, FrozenEstimator):
        return compact(model.estimator, merge_scaler=merge_scaler)
    if isinstance(model, BaseSearchCV):
        check_is_fitted(model, "best_estimator_")
        return compact(model.best_estimator_, merge_scaler=merge_scaler)
    if isinstance(model, Pipeline):
        if merge_scaler:
            return _merged(model)
        *steps, (name, last) = model.steps
        is_named_by_class = name == type(last).__name__.lower()
        last = compact(last)
        # As make_pipeline does; a name that the user chose stays.
        if isinstance(last, CompactClassifier) and is_named_by_class:
            name = "compactclassifier"
        shipped = copy(model)
        shipped.steps = [*steps, (name, last)]
        shipped.memory = None
        return shipped
    raise TypeError(
        "compact() takes a fitted DistilledClassifier or DistilledClassifierCV, or a "
        f"Pipeline that ends in one. Got {type(model).__name__}."
    )


compact.__module__ = "skdistill"  # where it is pickled from


def _compacted(estimator):
    """Return a compact copy of a fitted `DistilledClassifier`."""
    model = CompactClassifier()
    copy_form(estimator, model)
    student = estimator.student_
    model.student_ = student if is_classifier_student(student) else None
    if model.student_ is None:
        model.coefs_, model.intercepts_ = layers_of(student)
    model._row_preprocessor = None
    if "preprocessor_" in vars(estimator):
        preprocessor = estimator.preprocessor_
        if isinstance(preprocessor, TablePreprocessor):
            preprocessor = CompactPreprocessor.of(preprocessor)
        model.preprocessor_ = preprocessor
        # None where the first layer has taken over the scaling.
        if estimator._row_preprocessor is not None:
            model._row_preprocessor = preprocessor
    model.provenance_ = _provenance(estimator)
    return model


def _merged(pipeline):
    """Return the `CompactClassifier` that a scaler and a student come to."""
    *before, (_, last) = pipeline.steps
    before = [step for _, step in before if step not in (None, "passthrough")]
    model = compact(last)
    is_plain = (
        isinstance(model, CompactClassifier)
        and model.student_ is None
        and "preprocessor_" not in vars(model)
    )
    if not (is_plain and [*map(type, before)] == [StandardScaler]):
        raise ValueError(
            "merge_scaler=True takes a Pipeline of a StandardScaler and a student that "
            "is a network without preprocessor. Got the steps "
            f"{[type(step).__name__ for step in [*before, last]]}."
        )
    (scaler,) = before
    scaling = linear_part(scaler)
    if scaling is None:
        raise ValueError(
            "merge_scaler=True takes columns that float32 holds: means of at most "
            f"{LARGEST_OFFSET} standard deviations, values from {1 / LARGEST_SIZE:.0e} "
            f"to {LARGEST_SIZE:.0e}. Got means of up to {abs(scaler.mean_).max():.3g}. "
            "Ship the Pipeline as it is."
        )
    weight, bias = scaling
    model = copy(model)
    first = model.coefs_[0].astype(np.float64)
    intercept = model.intercepts_[0] + bias @ first
    model.coefs_ = [(weight.T @ first).astype(np.float32), *model.coefs_[1:]]
    model.intercepts_ = [intercept.astype(np.float32), *model.intercepts_[1:]]
    vars(model).pop("feature_names_in_", None)  # what the scaler calls its output
    copy_form(scaler, model)
    # A copy, as the next fit of the Pipeline changes the scaler.
    model._input_means = None if scaler.mean_ is None else scaler.mean_.copy()
    return model


def layers_of(net):
    """Return the weights and biases of a trained net of Linear and ReLU layers."""
    module = net.module_
    layers = list(_leaves(module))
    linear, between = layers[::2], layers[1::2]
    plain = (
        all(type(layer) is nn.Linear and layer.bias is not None for layer in linear)
        and all(type(layer) is nn.ReLU for layer in between)
        and len(linear) == len(between) + 1
        and isinstance(net.criterion_, nn.CrossEntropyLoss)
    )
    if not plain:
        raise ValueError(
            "compact() and to_onnx() take a StudentModel, or a torch.nn.Sequential of "
            "Linear layers with ReLU between them, trained with CrossEntropyLoss. Got "
            f"the module {type(module).__name__}."
        )
    coefs = [_array(layer.weight.T) for layer in linear]
    return coefs, [_array(layer.bias) for layer in linear]


def _array(values):
    return values.detach().numpy().astype(np.float32, order="C", copy=True)


def _leaves(module):
    """Yield the layers of a module that does no more than call one after another."""
    if type(module) in (StudentModel, TeacherModel):
        yield from _leaves(module.layers)
    elif type(module).forward is nn.Sequential.forward:
        for part in module:
            yield from _leaves(part)
    elif type(module) not in (nn.Dropout, nn.Identity):
        yield module


def _provenance(estimator):
    """Return where the student of a fitted `DistilledClassifier` comes from."""
    teacher = estimator.teacher_
    if isinstance(teacher, FrozenEstimator):
        teacher = teacher.estimator
    is_network = not is_classifier_student(estimator.student_)
    return {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": {
            "python": ".".join(map(str, sys.version_info[:3])),
            "skdistill": __version__,
            "scikit-learn": sklearn.__version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
        },
        "n_samples": estimator._n_samples,
        "teacher": None if teacher is None else type(teacher).__name__,
        "temperature": float(estimator.temperature) if is_network else 1.0,
        "alpha": float(estimator.alpha),
    }
