"""The teacher: cloned, seeded, given its metadata, fitted and asked."""

import inspect
import warnings
from numbers import Integral
from pickle import PicklingError

import sklearn
import torch
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import (
    MetadataRequest,
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.validation import has_fit_parameter
from skorch import NeuralNet

from skdistill import __version__
from skdistill._sklearn import BaseSearchCV, HasMethods, _routing_enabled
from skdistill._targets.cache import computed_once, content_key
from skdistill._targets.logits import teacher_logits, without_zeros
from skdistill._targets.out_of_fold import (
    fitted_teacher,
    innermost,
    out_of_fold_logits,
)
from skdistill._validation import ends_in

# A fitted teacher may be another with another version of these.
VERSIONS = (__version__, sklearn.__version__, torch.__version__)


# What weighs classes, in scikit-learn, CatBoost, LightGBM and XGBoost.
_CLASS_WEIGHTS = (
    "class_weight",
    "class_weights",
    "auto_class_weights",
    "is_unbalance",
    "scale_pos_weight",
)


class PredictsProba(HasMethods):
    """The constraint of teachers: they are fitted, and predict probabilities then."""

    def __init__(self):
        super().__init__(["fit", "predict_proba"])

    def is_satisfied_by(self, val):
        model, _ = innermost(val)
        if isinstance(model, StackingClassifier) and model.final_estimator is None:
            return True  # which it is to be, by its own words, once it is fitted
        return super().is_satisfied_by(val)


def check_teacher(teacher):
    """Raise if `teacher` cannot be given labels and a seed."""
    if inspect.isclass(teacher):
        raise ValueError(
            "The 'teacher' parameter must be an instance of a classifier, not a class. "
            f"Got {teacher.__name__}; write {teacher.__name__}()."
        )
    if isinstance(teacher, NeuralNet):
        raise ValueError(
            "The 'teacher' parameter must not be a bare skorch net, such as "
            f"{type(teacher).__name__}: it takes neither these labels nor this seed. "
            "Use EnsembleTeacher(net, n_estimators=1)."
        )


def own_class_weight(teacher):
    """Return the parameter by which a teacher weighs classes as text, or None.

    What calibrates or stacks its members fits their probabilities to the labels as
    they are.
    """
    model, _ = innermost(teacher)
    if isinstance(model, CalibratedClassifierCV | StackingClassifier):
        return None
    params = model.get_params() if hasattr(model, "get_params") else {}
    for name, value in params.items():
        weighs = any(ends_in(name, weight) for weight in _CLASS_WEIGHTS)
        if weighs and repr(value) not in {"None", "False", "1", "1.0"}:
            return f"{name}={value!r}"
    return None


def check_fit_params(owner, teacher, fit_params):
    """Raise TypeError if some parameter of the `fit` of `owner` is for nobody."""
    if _routing_enabled():
        process_routing(owner, "fit", **fit_params)
        return
    parameters = inspect.signature(teacher.fit).parameters
    unknown = sorted(set(fit_params) - set(parameters))
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        raise TypeError(
            f"{type(owner).__name__}.fit hands further parameters to the fit of its "
            f"teacher {type(teacher).__name__}, which takes {list(parameters)}. Got "
            f"{unknown}."
        )


def metadata_for_teacher(teacher, groups, fit_params):
    """Return what of the `groups` and `fit_params` of a search its teacher takes."""
    given = fit_params if groups is None else {**fit_params, "groups": groups}
    if _routing_enabled():
        taken = get_routing_for_object(teacher).consumes("fit", given)
        return {name: value for name, value in given.items() if name in taken}
    # The fit of scikit-learn's searches does not name them.
    splitter = teacher.cv if isinstance(teacher, BaseSearchCV) else None
    in_search = metadata_for_splitter(splitter, groups, {})
    return given if in_search or has_fit_parameter(teacher, "groups") else fit_params


def metadata_for_splitter(splitter, groups, fit_params):
    """Return what of the `groups` and `fit_params` of a fit a `cv` parameter takes."""
    given = fit_params if groups is None else {**fit_params, "groups": groups}
    taken = get_routing_for_object(splitter).consumes("split", given)
    return {name: value for name, value in given.items() if name in taken}


def teacher_fit_params(owner, teacher, sample_weight, fit_params):
    """Return what the `fit` of a teacher is given beside X and y.

    Parameters
    ----------
    owner : estimator
        The router, by whose routing it goes if that is enabled.
    teacher : classifier
        The teacher, unfitted.
    sample_weight : array-like of shape (n_samples,) or None
        What the `fit` of `owner` was given.
    fit_params : dict
        What else it was given for the teacher.
    """
    if _routing_enabled():
        given = {**fit_params, "sample_weight": sample_weight}
        given = {name: value for name, value in given.items() if value is not None}
        params = process_routing(owner, "fit", **given).teacher.fit
        aliases = _aliases_of_weights(get_routing_for_object(teacher))
    else:
        params = {**_weights_by_name(teacher, sample_weight), **fit_params}
        aliases = set()
    weighted = any(
        value is sample_weight or ends_in(name, "sample_weight") or name in aliases
        for name, value in params.items()
    )
    if sample_weight is not None and not weighted:
        _warn_unweighted(teacher)
    return params


def _weights_by_name(teacher, sample_weight):
    """Return the weights under the name that the `fit` of a teacher has for them."""
    if sample_weight is None:
        return {}
    if has_fit_parameter(teacher, "sample_weight"):
        return {"sample_weight": sample_weight}
    if isinstance(teacher, Pipeline):
        name, last = teacher.steps[-1]
        if has_fit_parameter(last, "sample_weight"):
            return {f"{name}__sample_weight": sample_weight}
    return {}


def _aliases_of_weights(routing):
    """Return what the parts of a teacher request as the sample_weight of their fit."""
    if isinstance(routing, MetadataRequest):
        return {routing.fit.requests.get("sample_weight")}
    return set().union(*(_aliases_of_weights(part.router) for _, part in routing))


def _warn_unweighted(teacher):
    if isinstance(teacher, FrozenEstimator):
        return
    asks = (
        "requests no sample_weight under that name"
        if _routing_enabled()
        else ("names no sample_weight in its fit")
    )
    warnings.warn(
        f"The teacher {type(teacher).__name__} {asks}: it is fitted without, the "
        "student with it.",
        UserWarning,
    )


def taught(teacher, X, y, fit_params, classes, folds=(), n_jobs=None):
    """Fit a teacher and ask it what its student is to learn.

    Parameters
    ----------
    teacher : classifier
        The teacher, unfitted.
    X, y : array-like
        The caller's own rows, and the labels.
    fit_params : dict
        What else it is fitted with.
    classes : ndarray of shape (n_classes,)
        The classes, in the order of the columns wanted.
    folds : list of ndarray of int
        Rows that further teachers leave out.
    n_jobs : int or None
        Number of jobs that these are divided among.

    Returns
    -------
    teacher : classifier
        The teacher, fitted.
    logits : ndarray of shape (n_samples, n_classes), dtype float32
        Its logits for the rows that it was fitted on.
    out_of_fold : ndarray of shape (n_samples, n_classes), dtype float32, or None
        Those of teachers that left out the row; without `folds` there are none.
    """
    out_of_fold = None
    if folds:
        try:
            out_of_fold = out_of_fold_logits(
                teacher, X, y, fit_params, classes, folds, n_jobs
            )
        except ValueError:
            # What fails on all rows as well is no fault of a fold.
            _fitted_on_all(clone(teacher), X, y, fit_params)
            raise
    teacher = _fitted_on_all(teacher, X, y, fit_params)
    logits = teacher_logits(teacher, X, classes)
    if out_of_fold is None:
        (logits,) = without_zeros(logits)
    else:
        logits, out_of_fold = without_zeros(logits, out_of_fold)
    return teacher, logits, out_of_fold


def _fitted_on_all(teacher, X, y, fit_params):
    try:
        return fitted_teacher(teacher, X, y, fit_params)
    except ValueError as error:
        message = str(error).rstrip(".")
        if "could not convert string" not in message or "preprocessor=" in message:
            raise
        name = type(teacher).__name__
        raise ValueError(
            f"The teacher {name} gets the rows as they are: {message}. Use "
            f"make_pipeline(TablePreprocessor(), {name}(...)) to make numbers of them."
        ) from error


def taught_once(memory, given, random_state, target_cv, teacher, *data, n_jobs=None):
    """Return what `taught` does, or did before for the same teacher and data.

    Parameters
    ----------
    memory : str, path, joblib.Memory or None
        Where it is kept.
    given : classifier
        The teacher that the caller gave, without the seeds of ours.
    random_state : int, RandomState instance or None
        The caller's.
    target_cv : int, cross-validation generator, iterable, "auto" or None
        The caller's, too.
    teacher : classifier
        The teacher, unfitted.
    *data
        What `taught` takes beside it.
    n_jobs : int or None
        As `taught` takes it.
    """

    def compute():
        return taught(teacher, *data, n_jobs=n_jobs)

    if memory is None or isinstance(teacher, FrozenEstimator):
        return compute()
    *_, folds = data
    reason = _why_never_again(given, random_state, target_cv, folds)
    if reason is None:
        try:
            key = content_key(VERSIONS, teacher, *data)
        except PicklingError as error:
            reason = str(error)
        else:
            return computed_once(memory, key, compute)
    warnings.warn(
        f"The teacher {type(teacher).__name__} is not kept in memory: {reason}.",
        UserWarning,
    )
    return compute()


def _why_never_again(given, random_state, target_cv, folds):
    """Return why no other fit could be the same, or None."""
    params = given.get_params()
    seeds = [
        random_state if value is None else value
        for name, value in params.items()
        if ends_in(name, "random_state")
    ]
    seeds += [seed for value in params.values() for seed in _seeds_of_splitter(value)]
    if not all(isinstance(seed, Integral) for seed in seeds):
        return "its random_state is no integer. Set random_state=0, or the like"
    if not folds:
        return None
    if target_cv is None or isinstance(target_cv, str):
        drawn_by, name = [random_state], "random_state"
    else:
        drawn_by, name = _seeds_of_splitter(target_cv), "the random_state of target_cv"
    if all(isinstance(seed, Integral) for seed in drawn_by):
        return None
    return (
        "its further fits, which calibrate or target_cv ask for, leave out folds that "
        f"{name} draws, which is no integer. Set random_state=0, or the like"
    )


def _seeds_of_splitter(value):
    """Return the seed that a cross-validation generator draws from, if it does."""
    is_splitter = hasattr(value, "get_n_splits") and hasattr(value, "random_state")
    draws = is_splitter and getattr(value, "shuffle", True)
    return [value.random_state] if draws else []
