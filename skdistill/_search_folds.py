"""All folds and candidates of a search, trained as stacks."""

from copy import copy, deepcopy

import numpy as np
from joblib import effective_n_jobs
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.parallel import Parallel, delayed

from skdistill._ensemble import EnsembleTeacher
from skdistill._ensemble_members import fitted_on_subsets
from skdistill._progress import describe, epoch_progress
from skdistill._sklearn import _routing_enabled
from skdistill._students.network import keep_student, unfitted_student
from skdistill._targets.logits import teacher_logits
from skdistill._targets.out_of_fold import fit_params_of_rows
from skdistill._targets.teacher import unfitted_teacher
from skdistill._targets.transfer import with_made
from skdistill._teaching import (
    Lesson,
    asks_others,
    chosen_teacher,
    further_rows,
    keep_lesson,
    plain_lesson,
    seeds_of,
    teach,
)
from skdistill._training.budget import budget_of
from skdistill._training.loss import UNLABELLED
from skdistill._training.many_nets import Replica, train_replicas
from skdistill._training.nets import chosen_device
from skdistill._validation import ends_in, validated_weight


class Data:
    """What all folds are made of. `y` has labels, `X_student` is float32.

    `fit_params` is what the teacher's `fit` is given for all rows beside X and y;
    `metadata` is what that of a `DistilledClassifier` is, for the same.
    """

    def __init__(self, X, X_student, y, sample_weight, fit_params, metadata):
        self.X, self.X_student = X, X_student
        self.y, self.sample_weight = y, sample_weight
        self.fit_params, self.metadata = fit_params, metadata

    def of_teacher(self, rows):
        """Return some of the rows as the caller gave them, for any teacher."""
        fit_params = fit_params_of_rows(self.fit_params, rows, len(self.y))
        return _safe_indexing(self.X, rows), self.y[rows], fit_params

    def weight_of(self, rows, sample_weight):
        """Return the weights of some of the rows, as `validate_classification` does."""
        if sample_weight is None:
            return None
        weight = _safe_indexing(sample_weight, rows)
        return validated_weight(weight, self.X_student[rows])

    def subset(self, rows, sample_weight):
        """Return rows that training sees and their weights, for `Replica`."""
        weight = self.weight_of(rows, sample_weight)
        if weight is None:
            return {"rows": rows}
        return {"rows": rows[weight > 0], "sample_weight": weight[weight > 0]}


def folds_of(search, X, y, groups, fit_params):
    """Return the training and test rows of every fold of `search`."""
    if _routing_enabled():
        given = fit_params if groups is None else {**fit_params, "groups": groups}
        params = process_routing(search, "fit", **given).splitter.split
    else:
        params = {"groups": groups}
    return list(check_cv(search.cv, y, classifier=True).split(X, y, **params))


def train_candidates(model, data, folds, pairs, n_jobs):
    """Train a student for every fold and pair of temperature and alpha.

    Parameters
    ----------
    model : DistilledClassifier
        Unfitted, with the form of the data.
    data : Data
    folds : list of ndarray of int
        The training rows of each fold.
    pairs : list of (float, float)
        The candidates.
    n_jobs : int or None
        Number of jobs that the folds are divided among.

    Returns
    -------
    models : dict
        By `rows.tobytes()` a dict of the fitted models by temperature and alpha.
    engine : dict
        How teachers and students were trained.
    """
    stacks = {}
    for rows in folds:
        stacks.setdefault(_what_stacks(model, data, rows), []).append(rows)
    n_jobs = n_jobs if _on_cpu(model) else 1
    n_parts = effective_n_jobs(n_jobs)
    parts = [
        alike[start::n_parts]
        for alike in stacks.values()
        for start in range(min(n_parts, len(alike)))
    ]
    # The refit draws the same from it.
    seeds = seeds_of(model, deepcopy(model.random_state))
    # The bar of this process does not move in others: see `_shown`.
    verbose = 0 if n_parts > 1 and model.verbose == 1 else model.verbose
    trained = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_train_part)(model, data, part, pairs, seeds, verbose) for part in parts
    )
    if verbose != model.verbose:
        trained = _shown(trained, model, data, parts, len(pairs))
    trained = list(trained)
    models = {
        rows.tobytes(): of_fold
        for part, (of_folds, _) in zip(parts, trained, strict=True)
        for rows, of_fold in zip(part, of_folds, strict=True)
    }
    return models, trained[0][1]


def _what_stacks(model, data, rows):
    """Return what folds have in common that can be trained as one stack."""
    shared = [tuple(np.unique(data.y[rows]).tolist())]
    n_rows = len(data.subset(rows, data.sample_weight)["rows"])
    shared.append(budget_of(model, n_rows, "student"))
    teacher = chosen_teacher(model)
    if type(teacher) is EnsembleTeacher:
        weight = data.fit_params.get("sample_weight")
        n_rows = len(data.subset(rows, weight)["rows"])
        shared.append(budget_of(teacher, n_rows, "member"))
    return tuple(shared)


def _shown(trained, model, data, parts, n_pairs):
    """Return what the jobs do; whenever one of them is done, the bar moves."""
    sizes = []
    for part in parts:
        n_classes, n_rows = len(model.classes_), len(part[0])
        net = unfitted_student(model, data.X_student, n_classes, n_rows)
        sizes.append(len(part) * n_pairs * net.max_epochs)
    doing = f"{sum(map(len, parts))} folds in {len(parts)} jobs"
    done = []
    with epoch_progress(sum(sizes), description=doing, verbose=1, counts=False) as bar:
        for size, part in zip(sizes, trained, strict=True):
            done.append(part)
            describe(bar, doing)
            bar.update(size)
    return done


def _on_cpu(model):
    """Tell whether neither teacher nor student trains on a GPU."""
    devices = [
        str(chosen_device(value)).partition(":")[0]
        for name, value in model.get_params().items()
        if ends_in(name, "device")
    ]
    # Teachers of other packages have names of their own for it, such as "gpu".
    return not {"cuda", "mps", "gpu"} & set(devices)


def _train_part(model, data, folds, pairs, seeds, verbose):
    """Do what `train_candidates` does for folds that can be trained as one stack.

    Returns
    -------
    models : list of dict
        For every fold, the fitted models by temperature and alpha.
    engine : dict
        How teachers and students were trained.
    """
    model = copy(model)
    model.classes_ = np.unique(data.y[folds[0]])
    if len(model.classes_) < 2:
        raise ValueError(
            "DistilledClassifierCV needs at least 2 classes in the training rows of "
            f"every fold. In one there is only {model.classes_.tolist()[0]!r}: take "
            "less folds, or stratified ones."
        )
    y = np.searchsorted(model.classes_, data.y)
    plain = [data.subset(rows, data.sample_weight) for rows in folds]
    # Without a teacher's term, all temperatures make the same student.
    of_labels = next((pair for pair in pairs if pair[1] == 0), None)
    trained_as = {pair: pair if pair[1] > 0 else of_labels for pair in pairs}
    is_taught = any(alpha > 0 for _, alpha in pairs)
    further = [None] * len(folds)
    if is_taught and model.transfer is not None:
        further = [_further(model, data, rows, seeds) for rows in folds]
    stacks = _stacks(model, data, plain, further, dict.fromkeys(trained_as.values()))
    n_epochs = sum(len(members) * net.max_epochs for net, members in stacks)
    with epoch_progress(n_epochs, description="students", verbose=verbose) as bar:
        taught, engine = [Lesson()] * len(folds), None
        X, joined = data.X_student, plain
        if is_taught:
            taught, engine = _fold_teachers(model, data, y, folds, seeds, bar)
            for rows, subset, lesson in zip(folds, plain, taught, strict=True):
                weighty = np.isin(rows, subset["rows"])
                subset["teacher_logits"] = lesson.logits[weighty]
            X, y, joined = _joined(model, X, y, plain, further, taught)
            describe(bar, "students")
        students = {}
        for net, members in stacks:
            replicas = [
                Replica(
                    f"the student for temperature={temperature}, alpha={alpha}",
                    seeds.student,
                    **(joined if alpha > 0 else plain)[fold],
                    temperature=temperature,
                    alpha=alpha,
                )
                for fold, (temperature, alpha) in members
            ]
            nets, engine_of_students = train_replicas(
                net,
                X,
                y,
                replicas,
                n_classes=len(model.classes_),
                bar=bar,
                verbose=verbose,
            )
            students.update(zip(members, nets, strict=True))
    models = [
        {
            pair: _fitted(model, pair, lesson, students[fold, trained_as[pair]])
            for pair in pairs
        }
        for fold, lesson in enumerate(taught)
    ]
    return models, {"teachers": engine, "students": engine_of_students}


def _further(model, data, rows, seeds):
    """Return what `further_rows` does, for the training rows of a fold."""
    weight = data.weight_of(rows, data.sample_weight)
    return further_rows(model, _safe_indexing(data.X, rows), weight, seeds)


def _stacks(model, data, subsets, further, pairs):
    """Return nets, each with the folds and pairs to train a copy of it for.

    There is one but for `transfer`, whose rows can make training longer.
    """
    stacks = {}
    for fold, (subset, more) in enumerate(zip(subsets, further, strict=True)):
        for pair in pairs:
            n_rows = len(subset["rows"])
            if pair[1] > 0 and more is not None:
                n_rows += len(more.X_student)
            budget = budget_of(model, n_rows, "student")
            _, members = stacks.setdefault(budget, (n_rows, []))
            members.append((fold, pair))
    n_classes = len(model.classes_)
    return [
        (unfitted_student(model, data.X_student, n_classes, n_rows), members)
        for n_rows, members in stacks.values()
    ]


def _joined(model, X, y, subsets, further, taught):
    """Return all rows with `further` ones behind them, their labels and the subsets."""
    if model.transfer is None:
        return X, y, subsets
    tables, joined, end = [X], [], len(X)
    for subset, rows, lesson in zip(subsets, further, taught, strict=True):
        logits = lesson.logits_of(rows, model.classes_)
        places = np.append(subset["rows"], np.arange(end, end + len(logits)))
        values = with_made(subset, logits, model.transfer_share)
        joined.append({"rows": places, **values})
        tables.append(rows.X_student)
        end += len(logits)
    y = np.append(y, np.full(end - len(X), UNLABELLED))
    return np.concatenate(tables), y, joined


def _fold_teachers(model, data, y, folds, seeds, bar):
    """Return what `teach` does, for every fold, and how the teachers were trained."""
    given, classes = chosen_teacher(model), model.classes_
    if type(given) is EnsembleTeacher and not asks_others(model):
        weight = data.fit_params.get("sample_weight")
        subsets = [data.subset(rows, weight) for rows in folds]
        teacher = unfitted_teacher(
            given, random_state=model.random_state, seed=seeds.teacher
        )
        teachers = fitted_on_subsets(teacher, data.X_student, y, subsets, model)
        if teachers is not None:
            taught = []
            for fitted, subset, rows in zip(teachers, subsets, folds, strict=True):
                logits = teacher_logits(fitted, data.of_teacher(rows)[0], classes)
                if fitted.oof_logits_ is not None:
                    out_of_fold = np.full_like(logits, np.nan)
                    out_of_fold[np.isin(rows, subset["rows"])] = fitted.oof_logits_
                    fitted.oof_logits_ = out_of_fold  # as a fit of its own has it
                weight = data.weight_of(rows, data.sample_weight)
                taught.append(plain_lesson(model, fitted, logits, y[rows], weight))
            return taught, "vectorized"
    taught = []
    for n, rows in enumerate(folds, 1):
        # An EnsembleTeacher makes it count.
        doing = f"teacher {type(given).__name__}, fold {n} of {len(folds)}"
        describe(bar, doing, counts=False)
        X, labels, fit_params = data.of_teacher(rows)
        weight = data.weight_of(rows, data.sample_weight)
        taught.append(
            teach(
                model,
                X,
                data.X_student[rows],
                labels,
                fit_params,
                weight,
                seeds,
            )
        )
    return taught, "joblib"


def _fitted(model, pair, lesson, student):
    """Return a copy of `model` as if it had been fitted."""
    temperature, alpha = pair
    fitted = copy(model).set_params(temperature=temperature, alpha=alpha)
    keep_lesson(fitted, lesson if alpha > 0 else Lesson())
    keep_student(fitted, student)
    return fitted
