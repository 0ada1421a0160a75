"""All folds and candidates of a search, trained as stacks."""

from copy import copy, deepcopy

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from skdistill._ensemble import EnsembleTeacher
from skdistill._ensemble_members import fitted_on_subsets
from skdistill._further import further_rows, join
from skdistill._network_rows import fit_preprocessor, network_rows
from skdistill._progress import describe, epoch_progress
from skdistill._students.kinds import (
    is_classifier_student,
    keep_student,
    n_steps,
    train_student,
    unfitted_student,
)
from skdistill._students.network import fold_scaling
from skdistill._targets.logits import teacher_logits
from skdistill._teaching import (
    Answers,
    Lesson,
    ask_teacher,
    keep_lesson,
    lesson_from,
    seeds_of,
)
from skdistill._teaching_settings import asks_others, chosen_teacher
from skdistill._training.budget import budget_of
from skdistill._training.many_nets import Replica, train_replicas
from skdistill._training.nets import chosen_device
from skdistill._validation import (
    ends_in,
    n_weighty,
    seeded_clone,
    without_weightless,
)


def train_candidates(models, data, folds, pairs, n_jobs):
    """Train a student for every fold, model and pair of temperature and alpha.

    Parameters
    ----------
    models : list of DistilledClassifier
        Unfitted, with the form of the data; they have the same teacher.
    data : Data
    folds : list of ndarray of int
        The training rows of each fold.
    pairs : list of (float, float)
        The candidates for each model.
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
            models, data, part, pairs, seeds, 0 if is_shown else verbose
        )
        for part in parts
    )
    if is_shown:
        trained = _shown(trained, parts)
    trained = list(trained)
    fitted = {
        rows.tobytes(): of_fold
        for part, (of_folds, _) in zip(parts, trained, strict=True)
        for rows, of_fold in zip(part, of_folds, strict=True)
    }
    return fitted, trained[0][1]


def _what_stacks(model, data, rows):
    """Return what folds have in common that can be trained as one stack."""
    shared = [tuple(np.unique(data.y[rows]).tolist())]
    teacher = chosen_teacher(model)
    if type(teacher) is EnsembleTeacher:
        weight = data.fit_params.get("sample_weight")
        n_rows = len(data.subset(rows, weight)["rows"])
        shared.append(budget_of(teacher, n_rows, "member"))
    return tuple(shared)


def _shown(trained, parts):
    """Return what the jobs do; whenever one of them is done, the bar moves."""
    n_folds = sum(map(len, parts))
    doing = f"{n_folds} folds in {len(parts)} jobs"
    done = []
    with epoch_progress(n_folds, description=doing, verbose=1, counts=False) as bar:
        for part, of_part in zip(parts, trained, strict=True):
            done.append(of_part)
            describe(bar, doing)
            bar.update(len(part))
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


class _Fold:
    """The training rows of one fold, as the student of a model of its own sees them.

    Behind them are further rows that `transfer` makes.
    """

    def __init__(self, model, data, rows, classes, seeds, is_taught):
        self.model, self.rows, self.students = copy(model), rows, {}
        self.model.classes_ = classes
        self.y = np.searchsorted(classes, data.y[rows])
        self.weight = data.weight_of(rows, data.sample_weight)
        X = _safe_indexing(data.X, rows)
        seen = X if model.preprocessor is not None else network_rows(model, X)
        self.X = fit_preprocessor(self.model, seen, self.y, self.weight, seeds.others)
        self.further, self.lesson = None, Lesson()
        if is_taught:
            self.further = further_rows(self.model, X, self.weight, seeds.transfer)

    def n_rows(self, alpha):
        """Return the number of rows that training sees."""
        n_further = 0
        if alpha > 0 and self.further is not None:
            n_further = len(self.further.X_student)
        return n_weighty(self.y, self.weight) + n_further

    def training_rows(self):
        """Return all rows, their labels and their values for both kinds of students.

        Those that learn from labels alone see the first of the rows only.
        """
        X, y, values = without_weightless(
            self.X,
            self.y,
            sample_weight=self.weight,
            teacher_logits=self.lesson.logits,
        )
        plain = {name: values[name] for name in values if name != "teacher_logits"}
        X, y, taught = join(self.model, self.lesson, self.further, X, y, values)
        return X, y, plain, taught

    def train_alone(self, pair, student, seed, bar):
        """Train a student that is no network, and keep it."""
        model = copy(self.model).set_params(temperature=pair[0], alpha=pair[1])
        X, y, plain, taught = self.training_rows()
        if model.alpha == 0:
            n_rows = self.n_rows(alpha=0)
            X, y, taught = X[:n_rows], y[:n_rows], plain
        train_student(model, student, X, y, taught, seed, bar)
        self.students[pair] = model.student_

    def keep(self, pair, student):
        """Keep the student that was trained for a pair of temperature and alpha."""
        fold_scaling(self.model, student)
        self.students[pair] = student

    def fitted(self, pair, trained_as):
        """Return the model with a pair of temperature and alpha as if fitted."""
        temperature, alpha = pair
        fitted = copy(self.model).set_params(temperature=temperature, alpha=alpha)
        keep_lesson(fitted, self.lesson if alpha > 0 else Lesson())
        keep_student(fitted, self.students[trained_as])
        return fitted


def _train_part(models, data, rows_of_folds, pairs, seeds, verbose):
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
    # Without a teacher's term, all temperatures make the same student.
    of_labels = next((pair for pair in pairs if pair[1] == 0), None)
    trained_as = {pair: pair if pair[1] > 0 else of_labels for pair in pairs}
    is_taught = any(alpha > 0 for _, alpha in pairs)
    in_folds = [
        [_Fold(model, data, rows, classes, seeds, is_taught) for rows in rows_of_folds]
        for model in models
    ]
    to_train = dict.fromkeys(trained_as.values())
    stacks = [stack for folds in in_folds for stack in _stacks(folds, to_train)]
    total = sum(len(members) * n_steps(student) for student, members in stacks)
    engine = {"teachers": None}
    with epoch_progress(total, description="students", verbose=verbose) as bar:
        if is_taught:
            engine["teachers"] = _teach(in_folds, data, seeds, bar)
            describe(bar, "students")
        how = {_train_stack(*stack, seeds, bar, verbose) for stack in stacks}
        engine["students"] = how.pop() if len(how) == 1 else "joblib"
    fitted = [
        {
            (number, *pair): fold.fitted(pair, trained_as[pair])
            for number, fold in enumerate(of_models)
            for pair in pairs
        }
        for of_models in zip(*in_folds, strict=True)
    ]
    return fitted, engine


def _stacks(folds, pairs):
    """Return students, each with the folds and pairs to train a copy of it for.

    There is one but for `transfer`, whose rows can make training longer, and for a
    preprocessor that makes other numbers of columns.
    """
    stacks = {}
    for fold in folds:
        for pair in pairs:
            n_rows = fold.n_rows(alpha=pair[1])
            shape = fold.X.shape[1], budget_of(fold.model, n_rows, "student")
            if shape not in stacks:
                n_classes = len(fold.model.classes_)
                student = unfitted_student(fold.model, fold.X, n_classes, n_rows)
                stacks[shape] = student, []
            stacks[shape][1].append((fold, pair))
    return list(stacks.values())


def _train_stack(student, members, seeds, bar, verbose):
    """Train a copy of a student for each fold and pair, and keep it in the fold."""
    if is_classifier_student(student):
        for fold, pair in members:
            fold.train_alone(pair, student, seeds.student, bar)
        return "joblib"
    rows, ends, end = {}, {}, 0
    for fold, _ in members:
        if fold not in rows:
            rows[fold] = fold.training_rows()
            ends[fold] = end = end + len(rows[fold][0])
    tables, labels, *_ = zip(*rows.values(), strict=True)
    replicas = []
    for fold, (temperature, alpha) in members:
        _, y, plain, taught = rows[fold]
        places = np.arange(ends[fold] - len(y), ends[fold])
        if alpha == 0:
            places = places[: fold.n_rows(alpha)]
        replicas.append(
            Replica(
                f"the student for temperature={temperature}, alpha={alpha}",
                seeds.student,
                rows=places,
                **(taught if alpha > 0 else plain),
                temperature=temperature,
                alpha=alpha,
            )
        )
    nets, engine = train_replicas(
        student,
        np.concatenate(tables),
        np.concatenate(labels),
        replicas,
        n_classes=len(members[0][0].model.classes_),
        bar=bar,
        verbose=verbose,
    )
    for (fold, pair), trained in zip(members, nets, strict=True):
        fold.keep(pair, trained)
    return engine


def _teach(in_folds, data, seeds, bar):
    """Give all folds their lessons; return how the teachers were trained."""
    answers, engine = {}, None
    for folds in in_folds:
        model = folds[0].model
        # That None stands for depends on the preprocessor.
        teacher = id(model.preprocessor if model.teacher is None else model.teacher)
        if data.soft_targets is not None:
            for fold in folds:
                fold.lesson = data.given_lesson(fold.rows, model.classes_)
            continue
        if teacher not in answers:
            answers[teacher], engine = _answers(folds, data, seeds, bar)
        for fold, of_fold in zip(folds, answers[teacher], strict=True):
            fold.lesson = lesson_from(
                fold.model, of_fold, fold.X, fold.y, fold.weight, seeds
            )
    return engine


def _answers(folds, data, seeds, bar):
    """Return what `ask_teacher` does, for every fold, and how teachers were trained."""
    model = folds[0].model
    given = chosen_teacher(model)
    if (
        type(given) is EnsembleTeacher
        and given.preprocessor is None
        and model.memory is None
        and not asks_others(model)
    ):
        weight = data.fit_params.get("sample_weight")
        subsets = [data.subset(fold.rows, weight) for fold in folds]
        teacher = seeded_clone(
            given, random_state=model.random_state, seed=seeds.teacher
        )
        X, y = network_rows(model, data.X), np.searchsorted(model.classes_, data.y)
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
        X, labels, fit_params = data.of_teacher(fold.rows)
        answers.append(ask_teacher(model, X, labels, fit_params, fold.weight, seeds))
    return answers, "joblib"
