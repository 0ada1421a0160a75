"""Which teacher an estimator has, and what its parameters say of its teaching."""

import inspect
import os
import warnings
from collections.abc import Iterator
from numbers import Integral, Real

from joblib import Memory
from sklearn.calibration import CalibratedClassifierCV
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from skdistill._ensemble import EnsembleTeacher
from skdistill._sklearn import HasMethods, Interval, StrOptions, _routing_enabled
from skdistill._targets.out_of_fold import innermost
from skdistill._targets.teacher import (
    check_fit_params,
    check_teacher,
    metadata_for_splitter,
    metadata_for_teacher,
    own_class_weight,
)

TEACHING = {
    "calibrate": ["boolean", StrOptions({"auto"})],
    "blend": ["boolean", StrOptions({"auto"})],
    "target_cv": ["cv_object", StrOptions({"auto"})],
    "transfer": ["array-like", HasMethods(["sample"]), None],
    "transfer_share": [Interval(Real, 0, 1, closed="neither")],
    "n_jobs": [Integral, None],
    "memory": [str, os.PathLike, Memory, None],
}
"""What the parameters of teaching must be."""


def chosen_teacher(estimator):
    """Return the teacher that an estimator was given, or that None stands for."""
    if estimator.teacher is not None:
        return estimator.teacher
    teacher = EnsembleTeacher(
        device=estimator.device, preprocessor=estimator.preprocessor
    )
    if _routing_enabled():
        teacher.set_fit_request(sample_weight=True)
    return teacher


def routing_to_teacher(estimator):
    """Return the router of an estimator with a `teacher`."""
    return (
        MetadataRouter(owner=estimator)
        .add_self_request(estimator)
        .add(
            teacher=chosen_teacher(estimator),
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )
        .add(
            target_splitter=estimator.target_cv,
            method_mapping=MethodMapping().add(caller="fit", callee="split"),
        )
    )


def divided_metadata(estimator, fit_params):
    """Return what of the `fit_params` is for the teacher, and for `target_cv`.

    With metadata routing, all may be for the teacher, which is asked later.

    Raises
    ------
    TypeError
        If something is for neither.
    """
    teacher = chosen_teacher(estimator)
    for_folds = metadata_for_splitter(estimator.target_cv, None, fit_params)
    if for_folds and not _routing_enabled():
        others = {k: v for k, v in fit_params.items() if k not in for_folds}
        fit_params = metadata_for_teacher(teacher, for_folds.get("groups"), others)
    check_fit_params(estimator, teacher, fit_params)
    return fit_params, for_folds


def check_teaching(estimator, soft_targets=None):
    """Raise if the teacher of `estimator` cannot teach as its parameters say."""
    check_teacher(estimator.teacher)
    if inspect.isclass(estimator.transfer):
        name = estimator.transfer.__name__
        raise ValueError(
            "The 'transfer' parameter must be rows, or an instance of what makes them, "
            f"not a class. Got {name}; write {name}()."
        )
    if isinstance(estimator.target_cv, Iterator):
        raise ValueError(
            "The 'target_cv' parameter must be folds that can be read more than once. "
            f"Got a {type(estimator.target_cv).__name__}, which is empty after the "
            "first time: make a list of it."
        )
    what = None
    if soft_targets is not None:
        what = "soft_targets, which come from no teacher"
    elif innermost(estimator.teacher)[1]:
        what = "a FrozenEstimator, which may have seen all rows"
    if what is not None and has_folds(estimator):
        raise ValueError(
            f"The 'target_cv' parameter must be 'auto' or None with {what}: it fits "
            "the teacher anew without each of the folds."
        )
    calibrated = soft_targets is None and _calibrates_itself(estimator.teacher)
    if what is not None and _insists(estimator.calibrate) and not calibrated:
        raise ValueError(
            f"The 'calibrate' parameter cannot be True with {what}: it fits the "
            "teacher anew without each of several folds. Calibrate what you give, or "
            "use calibrate='auto' or False."
        )
    if soft_targets is not None and estimator.transfer is not None:
        raise ValueError(
            "The 'transfer' parameter must be None with soft_targets: there is no "
            f"teacher to label further rows. Got a {type(estimator.transfer).__name__}."
        )
    can_blend = soft_targets is None and blends(estimator)
    if _insists(estimator.blend) and not can_blend:
        raise ValueError(
            "The 'blend' parameter can be True only where `fit` calibrates the "
            "teacher, or that is an EnsembleTeacher, and the student is a "
            "StudentModel: with `calibrate`, for a teacher that is neither frozen nor "
            "a CalibratedClassifierCV, without `student` and `soft_targets`. Use "
            "blend='auto' or False."
        )


def warn_of_class_weight(estimator):
    """Warn if the teacher weighs classes, but not what learns from labels beside it.

    For use where there are no `sample_weight`, which may do the same for all.
    """
    teacher = chosen_teacher(estimator)
    weighs = own_class_weight(teacher)
    learns_labels = estimator.alpha < 1 or is_calibrated_here(estimator)
    if estimator.alpha == 0 or weighs is None or not learns_labels:
        return
    others = "the labels' term" if estimator.alpha < 1 else ""
    if is_calibrated_here(estimator):
        others += f"{' and ' if others else ''}the calibration"
    warnings.warn(
        f"The teacher {type(teacher).__name__} weighs classes ({weighs}), {others} of "
        f"its student {'do' if ' and ' in others else 'does'} not: it learns something "
        "between the two. Weigh both: leave it out of the teacher, and give fit "
        "sample_weight=compute_sample_weight('balanced', y), or the like, from "
        "sklearn.utils.class_weight.",
        UserWarning,
    )


def _insists(value):
    """Tell whether a parameter is True, numpy's or Python's, and not "auto"."""
    return not isinstance(value, str) and bool(value)


def asks_others(estimator):
    """Tell whether, beside its teacher, `estimator` fits others on part of the rows."""
    return has_folds(estimator) or is_calibrated_here(estimator)


def has_folds(estimator):
    """Tell whether the user has given the folds of `target_cv`."""
    cv = estimator.target_cv
    return cv is not None and not isinstance(cv, str)


def is_calibrated_here(estimator):
    teacher = chosen_teacher(estimator)
    is_done = innermost(teacher)[1] or _calibrates_itself(teacher)
    return bool(estimator.calibrate) and not is_done


def _calibrates_itself(teacher):
    """Tell whether a teacher's logits are calibrated already, out of fold."""
    model, _ = innermost(teacher)
    if isinstance(model, EnsembleTeacher):
        return bool(model.calibrate) and model.n_estimators > 1
    return isinstance(model, CalibratedClassifierCV)


def blends(estimator):
    """Tell whether peers are blended in: left-out rows say how much they count."""
    model, is_frozen = innermost(chosen_teacher(estimator))
    knows = isinstance(model, EnsembleTeacher) and not is_frozen
    is_wanted = bool(estimator.blend) and bool(estimator.calibrate)
    of_own = estimator.student is None
    return is_wanted and of_own and (knows or is_calibrated_here(estimator))
