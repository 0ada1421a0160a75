"""A student that is any scikit-learn classifier: it learns soft targets as weights.

Each row stands there once per class, with the share that its target gives the class as
weight. A classifier that minimizes a weighted log-loss, or estimates weighted shares,
then learns the targets. It learns them as they are, at temperature 1.
"""

import inspect

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object
from sklearn.utils.validation import has_fit_parameter
from skorch import NeuralNet

from skdistill._sklearn import _routing_enabled
from skdistill._softmax import soften
from skdistill._students.network import NETWORK_PARAMETERS
from skdistill._validation import ends_in, refuse_overridden, seeded_clone


def is_classifier_student(student):
    """Tell whether a `student` parameter is a classifier other than a network."""
    return student is not None and not isinstance(student, NeuralNet)


def check_classifier_student(student):
    """Raise if `student` cannot learn from weighted copies of rows."""
    if inspect.isclass(student):
        raise ValueError(
            "The 'student' parameter must be an instance of a classifier, not a class. "
            f"Got {student.__name__}; write {student.__name__}()."
        )
    last = _last_step(student)
    if isinstance(last, FrozenEstimator):
        raise ValueError(
            "The 'student' parameter must be a classifier to be fitted. Got "
            f"{student!r}, which is never fitted."
        )
    if not has_fit_parameter(last, "sample_weight"):
        raise ValueError(
            "The 'student' parameter must be a skorch net, or a classifier whose fit "
            "takes sample_weight: these weights are its soft targets. Got "
            f"{type(last).__name__}, whose fit does not."
        )
    for model in (last, *last.get_params().values()):
        if hasattr(model, "get_params"):
            _check_splits_nothing(model)


def _check_splits_nothing(model):
    reason = _what_splits(model)
    if reason is not None:
        raise ValueError(
            "The 'student' parameter must not cross-validate or hold out rows inside: "
            "it is fitted on a copy of each row per class, which would be on both "
            f"sides. Got {type(model).__name__} with {reason}. Search over "
            "student__... from outside instead."
        )


def _what_splits(model):
    """Return the parameter by which a model splits its rows, or None."""
    if hasattr(model, "cv"):
        return f"cv={model.cv!r}"
    params = model.get_params(deep=False)
    for name in ("probability", "early_stopping"):
        if isinstance(params.get(name), bool | np.bool_) and params[name]:
            return f"{name}=True"
    # With `early_stopping`, this counts for nothing else.
    name = "n_iter_no_change"
    if "early_stopping" in params or params.get(name) is None:
        return None
    return f"{name}={params[name]}"


def check_parameters(estimator):
    """Raise if `estimator` sets what has no effect on a student that is no network."""
    refuse_overridden(estimator, "student", NETWORK_PARAMETERS)
    default = inspect.signature(type(estimator)).parameters["temperature"].default
    if estimator.temperature not in (1, default):
        kind = type(_last_step(estimator.student)).__name__
        raise ValueError(
            "The 'temperature' parameter must be 1, or left at its default, with a "
            f"student that is no network: {kind} learns the teacher's probabilities as "
            f"they are. Got temperature={estimator.temperature!r}."
        )


def train_classifier(estimator, X, y, values, seed):
    """Fit a clone of the student of `estimator`, and keep it.

    Parameters
    ----------
    estimator : DistilledClassifier
    X : ndarray of shape (n_samples, n_features), dtype float32
    y : ndarray of shape (n_samples,), dtype int64
        Indices of classes; a negative one is no label.
    values : dict
        The `sample_weight` and `teacher_logits`, where there are any.
    seed : int
        Of every `random_state` of the student that is None.
    """
    student = seeded_clone(estimator.student, random_state=seed, seed=seed)
    student.set_params(**_without_automatic_stopping(student))
    rows, columns, weight = weighted_copies(y, alpha=estimator.alpha, **values)
    # Linear models lose digits if they compute in float32.
    X = X[rows].astype(np.float64)
    student.fit(X, columns, **_as_fit_param(student, weight))
    for name in ("n_iter_", "loss_curve_"):
        vars(estimator).pop(name, None)  # of a network, in a fit before
    estimator.student_ = student


def _without_automatic_stopping(student):
    """Return the parameters of a student that keep it from holding out rows."""
    return {
        name: False
        for name, value in student.get_params().items()
        if ends_in(name, "early_stopping")
        and isinstance(value, str)
        and value == "auto"
    }


def weighted_copies(y, *, alpha, teacher_logits=None, sample_weight=None):
    """Return what a classifier is fitted on in place of soft targets.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Indices of classes. A row with a negative one has no labels' term.
    alpha : float
        The weight of the teacher's term.
    teacher_logits : ndarray of shape (n_samples, n_classes), default=None
        Not read if ``alpha=0``.
    sample_weight : ndarray of shape (n_samples,), default=None

    Returns
    -------
    rows : ndarray of int or slice
        The row of each copy.
    columns : ndarray of int
        Its class.
    weight : ndarray of float64 or None
        Its weight, which is positive.
    """
    if alpha == 0:
        return slice(None), y, sample_weight
    targets = alpha * soften(teacher_logits.astype(np.float64))
    labelled = np.flatnonzero(y >= 0)
    targets[labelled, y[labelled]] += 1 - alpha
    if sample_weight is not None:
        targets *= sample_weight[:, np.newaxis]
    rows, columns = np.nonzero(targets)
    return rows, columns, targets[rows, columns]


def _last_step(student):
    return student.steps[-1][1] if isinstance(student, Pipeline) else student


def _as_fit_param(student, weight):
    """Return `weight` as the `fit` of a student takes it; a Pipeline's last step does.

    With metadata routing, what the user has not decided is decided here: the last step
    gets it, no other does. `student` is a clone.
    """
    if weight is None:
        return {}
    if not isinstance(student, Pipeline):
        return {"sample_weight": weight}
    if not _routing_enabled():
        return {f"{student.steps[-1][0]}__sample_weight": weight}
    last = student.steps[-1][1]
    for _, step in student.steps:
        routing = get_routing_for_object(step)
        undecided = (
            isinstance(routing, MetadataRequest)
            and routing.fit.requests.get("sample_weight", False) is None
        )
        if undecided:
            step.set_fit_request(sample_weight=step is last)
    return {"sample_weight": weight}
