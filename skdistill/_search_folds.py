"""All folds and candidates of a search, each teacher asked once."""

from copy import copy, deepcopy

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from skdistill._ensemble import EnsembleTeacher
from skdistill._ensemble_members import fitted_on_subsets
from skdistill._further import further_rows, is_generator
from skdistill._network_rows import fit_preprocessor, network_rows
from skdistill._progress import describe, epoch_progress
from skdistill._search_stacks import Fold, stacks_of, train_stack
from skdistill._students.kinds import n_steps, unfitted_student
from skdistill._targets.logits import teacher_logits
from skdistill._teaching import Answers, ask_teacher, lesson_from, seeds_of
from skdistill._teaching_settings import asks_others, chosen_teacher
from skdistill._training.budget import budget_of
from skdistill._training.nets import chosen_device
from skdistill._validation import ends_in, seeded_clone


def train_candidates(models, pairs, data, folds, n_jobs):
    """Train a student for every fold, model and pair of temperature and alpha.

    Parameters
    ----------
    models : list of DistilledClassifier
        Unfitted, with the form of the data; they have the same teacher.
    pairs : list of list of (float, float)
        The temperatures and alphas to try with each.
    data : Data
    folds : list of ndarray of int
        The training rows of each fold.
    n_jobs : int or None
        Number of jobs that the folds are divided among.

    Returns
    -------
    fitted : dict
        By `rows.tobytes()` a dict of the fitted models, by the number of the model,
        temperature and alpha.
    engine : dict
        How teachers and students were trained.
    """
    _check_students(models, data, folds[0])
    stacks = {}
    for rows in folds:
        stacks.setdefault(_what_stacks(models[0], data, rows), []).append(rows)
    n_jobs = n_jobs if all(map(_on_cpu, models)) else 1
    n_parts = effective_n_jobs(n_jobs)
    parts = [
        alike[start::n_parts]
        for alike in stacks.values()
        for start in range(min(n_parts, len(alike)))
    ]
    # The refit draws the same from it.
    seeds = seeds_of(models[0], deepcopy(models[0].random_state))
    # The bar of this process does not move in others: see `_shown`.
    verbose = models[0].verbose
    is_shown = n_parts > 1 and verbose == 1
    trained = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_train_part)(
            models, pairs, data, part, seeds, 0 if is_shown else verbose
        )
        for part in parts
    )
    if is_shown:
        trained = _shown(trained, models, pairs, parts)
    trained = list(trained)
    fitted = {
        rows.tobytes(): of_fold
        for part, (of_folds, _) in zip(parts, trained, strict=True)
        for rows, of_fold in zip(part, of_folds, strict=True)
    }
    return fitted, trained[0][1]


def _check_students(models, data, rows):
    """Raise if a student cannot be trained, before anything is."""
    for model in models:
        model = copy(model)
        X, y = _safe_indexing(data.X, rows), data.y[rows]
        if model.preprocessor is None:
            X = network_rows(model, X)
        weight = data.weight_of(rows, data.sample_weight)
        X = fit_preprocessor(model, X, np.searchsorted(model.classes_, y), weight, 0)
        unfitted_student(model, X, len(model.classes_), len(X))


def _what_stacks(model, data, rows):
    """Return what folds have in common that can be trained as one stack."""
    shared = [tuple(np.unique(data.y[rows]).tolist())]
    teacher = chosen_teacher(model)
    if type(teacher) is EnsembleTeacher:
        weight = data.fit_params.get("sample_weight")
        n_rows = len(data.subset(rows, weight)["rows"])
        shared.append(budget_of(teacher, n_rows, "member"))
    return tuple(shared)


def _shown(trained, models, pairs, parts):
    """Return what the jobs do; whenever one of them is done, the bar moves."""
    sizes = [
        len(part) * len(of_model) * _n_steps(model, len(part[0]))
        for part in parts
        for model, of_model in zip(models, pairs, strict=True)
    ]
    sizes = np.reshape(sizes, (len(parts), -1)).sum(axis=1).tolist()
    doing = f"{sum(map(len, parts))} folds in {len(parts)} jobs"
    done = []
    with epoch_progress(sum(sizes), description=doing, verbose=1, counts=False) as bar:
        for size, part in zip(sizes, trained, strict=True):
            done.append(part)
            describe(bar, doing)
            bar.update(size)
    return done


def _n_steps(model, n_rows):
    """Return how far the bar moves for one student."""
    if model.student is None:
        return budget_of(model, n_rows, "student").max_epochs
    return n_steps(model.student)


def _on_cpu(model):
    """Tell whether neither teacher nor student trains on a GPU."""
    devices = [
        str(chosen_device(value)).partition(":")[0]
        for name, value in model.get_params().items()
        if ends_in(name, "device")
    ]
    # Teachers of other packages have names of their own for it, such as "gpu".
    return not {"cuda", "mps", "gpu"} & set(devices)


def _train_part(models, pairs, data, rows_of_folds, seeds, verbose):
    """Do what `train_candidates` does for folds that can be trained as one stack.

    Returns
    -------
    fitted : list of dict
        For every fold, the fitted models by number, temperature and alpha.
    engine : dict
        How teachers and students were trained.
    """
    classes = np.unique(data.y[rows_of_folds[0]])
    if len(classes) < 2:
        raise ValueError(
            "DistilledClassifierCV needs at least 2 classes in the training rows of "
            f"every fold. In one there is only {classes.tolist()[0]!r}: take "
            "less folds, or stratified ones."
        )
    answers, engines = {}, []
    fitted = [{} for _ in rows_of_folds]
    for number, (model, of_model) in enumerate(zip(models, pairs, strict=True)):
        # A copy, so that the next model does not lose its own.
        model = copy(model)
        model.classes_ = classes
        folds, engine = _trained_folds(
            model, of_model, data, rows_of_folds, answers, seeds, verbose
        )
        engines.append(engine)
        for fold, by_key in zip(folds, fitted, strict=True):
            by_key.update({(number, *pair): fold.fitted(pair) for pair in of_model})
    how = {name: {engine[name] for engine in engines} for name in engines[0]}
    engine = {
        name: of_all.pop() if len(of_all) == 1 else "joblib"
        for name, of_all in how.items()
    }
    return fitted, engine


def _trained_folds(model, pairs, data, rows_of_folds, answers, seeds, verbose):
    """Return the folds of one model with their students, and how these were trained.

    The `answers` of teachers are looked up, or added.
    """
    is_taught = any(alpha > 0 for _, alpha in pairs)
    own = network_rows(model, data.X) if model.preprocessor is None else None
    unlabelled = None
    if is_taught and own is not None and not is_generator(model.transfer):
        unlabelled = further_rows(model, data.X, None, seeds.transfer)
    folds = [
        Fold(model, data, rows, own, unlabelled, seeds, is_taught)
        for rows in rows_of_folds
    ]
    stacks = stacks_of(folds, pairs)
    total = sum(len(members) * n_steps(student) for student, members in stacks)
    engine = {"teachers": None}
    with epoch_progress(total, description="students", verbose=verbose) as bar:
        if is_taught and data.soft_targets is not None:
            for fold in folds:
                fold.learn(data.given_lesson(fold.rows, model.classes_), {})
        elif is_taught:
            # What None stands for depends on the preprocessor.
            teacher = id(model.preprocessor) if model.teacher is None else None
            if teacher not in answers:
                asked = [{} for _ in folds]
                answers[teacher] = *_answers(folds, data, seeds, bar), asked
            of_folds, engine["teachers"], asked = answers[teacher]
            for fold, of_fold, of_rows in zip(folds, of_folds, asked, strict=True):
                lesson = lesson_from(
                    fold.model, of_fold, fold.X, fold.y, fold.weight, seeds
                )
                fold.learn(lesson, of_rows)
        describe(bar, "students")
        # Anew, as the teachers have told how noisy the rows are.
        stacks = stacks_of(folds, pairs)
        how = {train_stack(*stack, seeds.student, bar, verbose) for stack in stacks}
    engine["students"] = how.pop() if len(how) == 1 else "joblib"
    return folds, engine


def _answers(folds, data, seeds, bar):
    """Return what `ask_teacher` does, for every fold, and how teachers were trained."""
    model = folds[0].model
    given = chosen_teacher(model)
    if (
        type(given) is EnsembleTeacher
        and given.preprocessor is model.preprocessor is None
        and model.memory is None
        and not asks_others(model)
    ):
        weight = data.fit_params.get("sample_weight")
        subsets = [data.subset(fold.rows, weight) for fold in folds]
        teacher = seeded_clone(
            given, random_state=model.random_state, seed=seeds.teacher
        )
        X, y = folds[0].table, np.searchsorted(model.classes_, data.y)
        teachers = fitted_on_subsets(teacher, X, y, subsets, model)
        if teachers is not None:
            answers = []
            for fitted, subset, fold in zip(teachers, subsets, folds, strict=True):
                logits = teacher_logits(fitted, X[fold.rows], model.classes_)
                if fitted.oof_logits_ is not None:
                    out_of_fold = np.full_like(logits, np.nan)
                    seen = np.isin(fold.rows, subset["rows"])
                    out_of_fold[seen] = fitted.oof_logits_
                    fitted.oof_logits_ = out_of_fold  # as a fit of its own has it
                answers.append(Answers(fitted, logits))
            return answers, "vectorized"
    answers = []
    for n, fold in enumerate(folds, 1):
        # An EnsembleTeacher makes it count.
        doing = f"teacher {type(given).__name__}, fold {n} of {len(folds)}"
        describe(bar, doing, counts=False)
        X, labels, fit_params, for_folds = data.of_teacher(fold.rows)
        answers.append(
            ask_teacher(model, X, labels, fit_params, fold.weight, seeds, for_folds)
        )
    return answers, "joblib"
