"""The networks of an `EnsembleTeacher`: planned, trained, and their vote calibrated."""

from copy import copy, deepcopy
from itertools import islice

import numpy as np
import torch
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import clone

from skdistill._prediction import PREDICT_CHUNK
from skdistill._progress import epoch_progress
from skdistill._targets.out_of_fold import (
    fitted_weights,
    stratified_folds,
)
from skdistill._training.budget import budget_of
from skdistill._training.many_nets import Replica, train_alone, train_stacked
from skdistill._training.modules import TeacherModel
from skdistill._training.nets import check_member, mlp_net, net_logits, prepared
from skdistill._training.stackable import why_not_stacked
from skdistill._validation import copy_form, draw_seeds, refuse_overridden

MEMBER_PARAMETERS = (
    "hidden_layer_sizes",
    "dropout",
    "max_epochs",
    "lr",
    "lr_schedule",
    "batch_size",
    "weight_decay",
    "device",
)
N_FOLDS = 6
"""Each network sees five sixths of the rows, and of twelve, two leave out each row."""


def check_calibrate(ensemble):
    """Raise if no network is there to see the rows that another leaves out."""
    if ensemble.calibrate is True and ensemble.n_estimators == 1:
        raise ValueError(
            "The 'calibrate' parameter of EnsembleTeacher cannot be True with "
            "n_estimators=1: the rows that one network leaves out are for the others. "
            "Use more networks, or calibrate='auto' or False."
        )


def unfitted_member(ensemble, X, n_rows):
    """Return the net that all members are copies of, for training on `n_rows`."""
    if ensemble.estimator is None:
        settings = {name: getattr(ensemble, name) for name in MEMBER_PARAMETERS}
        settings.update(budget_of(ensemble, n_rows, "member")._asdict())
        net = mlp_net(TeacherModel, **settings)
    else:
        refuse_overridden(ensemble, "estimator", MEMBER_PARAMETERS)
        net = clone(ensemble.estimator)
        check_member(net)
    name = "the networks of EnsembleTeacher"
    return prepared(net, X, len(ensemble.classes_), name)


def chosen_engine(ensemble, net, X):
    """Return the engine that trains copies of `net`, or raise if it cannot."""
    if ensemble.engine == "joblib":
        return "joblib"
    reason = why_not_stacked(net, X)
    if reason is None:
        return "vectorized"
    if ensemble.engine == "vectorized":
        raise ValueError(
            "The 'engine' parameter of EnsembleTeacher cannot be 'vectorized' for "
            f"this net: {reason}. Use 'auto' or 'joblib'."
        )
    return "joblib"


def replicas_of(ensemble, y, subset):
    """Return a replica for each member, and the rows that the members leave out.

    Parameters
    ----------
    ensemble : EnsembleTeacher
    y : ndarray
        The labels of the rows of the subset.
    subset : dict
        What `Replica` takes of `rows` and `sample_weight`.

    Returns
    -------
    replicas : list of Replica
    folds : list of ndarray of int
        Places in the subset. The members leave out one fold each, in turn.
    """
    # A RandomState starts anew for each subset, as it does in a fit of a clone.
    random_state = deepcopy(ensemble.random_state)
    n_members = ensemble.n_estimators
    *seeds, fold_seed = draw_seeds(random_state, n_members + 1)
    folds = [np.arange(0)]
    if ensemble.calibrate and n_members > 1:
        folds = stratified_folds(y, min(N_FOLDS, n_members), fold_seed)
    parts = [_without(subset, fold, len(y)) for fold in folds]
    replicas = [
        Replica(f"member {i} of EnsembleTeacher", seed, **parts[i % len(parts)])
        for i, seed in enumerate(seeds)
    ]
    return replicas, folds


def _without(subset, left_out, n_rows):
    """Return a subset of `n_rows` without the rows at some places."""
    if not len(left_out):
        return subset
    subset = {"rows": np.arange(n_rows), **subset}
    return {name: np.delete(values, left_out) for name, values in subset.items()}


def fitted_members(ensemble, net, X, y, replicas, bar):
    """Return a copy of `net` for each replica, trained by the engine of `ensemble`."""
    n_classes, verbose = len(ensemble.classes_), ensemble.verbose
    if ensemble.engine_ == "vectorized":
        return train_stacked(
            net, X, y, replicas, n_classes=n_classes, bar=bar, verbose=verbose
        )
    # Processes would only take turns on a GPU, each with a copy of torch there.
    n_jobs = ensemble.n_jobs if torch.device(net.device).type == "cpu" else 1
    in_process = effective_n_jobs(n_jobs) == 1
    fits = Parallel(n_jobs=n_jobs, return_as="generator")(
        # In one tuple, as a single array would be lost for good with the worker of a
        # cluster that joblib had sent it to.
        delayed(_fitted_alone)(
            net, (X, y, replica), bar=bar if in_process else None, verbose=verbose
        )
        for replica in replicas
    )
    members = []
    for fitted in fits:
        members.append(fitted)
        if not in_process:
            loss = fitted.history[-1, "train_loss"]
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update(net.max_epochs)
    return members


def _fitted_alone(net, data, **shown):
    return train_alone(net, *data, **shown)


def keep_members(ensemble, members, folds, X, y, sample_weight=None):
    """Set what `fit` learns, from members trained on `X` and `y` without `folds`."""
    ensemble.estimators_ = members
    ensemble.temperature_, ensemble.oof_logits_ = 1.0, None
    if len(folds) < 2:
        return
    logits = np.empty((len(X), len(ensemble.classes_)), dtype=np.float32)
    for start, rows in enumerate(folds):
        unseen = members[start :: len(folds)]
        for some in np.array_split(rows, len(rows) // PREDICT_CHUNK + 1):
            logits[some] = mean_logits(unseen, X[some], ensemble.averaging)
    (weight,) = fitted_weights([logits], y, sample_weight)
    ensemble.temperature_ = float(1 / weight)
    ensemble.oof_logits_ = logits / np.float32(ensemble.temperature_)


def mean_logits(members, X, averaging):
    """Return what the members vote for."""
    with torch.inference_mode():
        X = torch.from_numpy(X)
        logits = torch.stack([net_logits(net, X) for net in members])
    # Not torch's sums, which depend on where in the batch a row stands.
    if averaging == "logits":
        return np.add.reduce(logits.numpy()) / np.float32(len(logits))
    log_proba = torch.log_softmax(logits, dim=-1).numpy()
    return np.logaddexp.reduce(log_proba) - np.float32(np.log(len(logits)))


def fitted_on_subsets(ensemble, X, y, subsets, form):
    """Return copies of an ensemble, each fitted on a subset of the rows, in one stack.

    Parameters
    ----------
    ensemble : EnsembleTeacher
        Unfitted.
    X, y : ndarray
        As `validate_classification` returns them.
    subsets : list of dict
        The `rows` of each subset, and perhaps their `sample_weight`. An ensemble of
        each would be trained for the same number of epochs.
    form : estimator
        One that has what `validate_classification` sets.

    Returns
    -------
    list of EnsembleTeacher, or None
        None if the networks cannot be stacked, or are not to be.
    """
    ensemble._validate_params()
    check_calibrate(ensemble)
    copy_form(form, ensemble)
    net = unfitted_member(ensemble, X, len(subsets[0]["rows"]))
    ensemble.engine_ = chosen_engine(ensemble, net, X)
    if ensemble.engine_ != "vectorized":
        return None
    plans = [replicas_of(ensemble, y[subset["rows"]], subset) for subset in subsets]
    replicas = [replica for of_subset, _ in plans for replica in of_subset]
    total = len(replicas) * net.max_epochs
    with epoch_progress(total, description="teachers", verbose=ensemble.verbose) as bar:
        members = iter(fitted_members(ensemble, net, X, y, replicas, bar))
    teachers = []
    for subset, (of_subset, folds) in zip(subsets, plans, strict=True):
        teacher = copy(ensemble)
        rows, weight = subset["rows"], subset.get("sample_weight")
        own = list(islice(members, len(of_subset)))
        keep_members(teacher, own, folds, X[rows], y[rows], weight)
        teachers.append(teacher)
    return teachers
