"""The folds of one model in a search: their rows, and students trained as stacks."""

from copy import copy

import numpy as np
from sklearn.utils import _safe_indexing

from skdistill._further import further_rows, is_generator, joined, with_made
from skdistill._network_rows import fit_preprocessor
from skdistill._students.kinds import (
    is_classifier_student,
    keep_student,
    train_student,
    unfitted_student,
)
from skdistill._students.network import fold_scaling
from skdistill._teaching import Lesson, keep_lesson
from skdistill._training.budget import budget_of
from skdistill._training.loss import UNLABELLED
from skdistill._training.many_nets import Replica, train_replicas


class Fold:
    """The training rows of one fold, as the student of a model sees them.

    Parameters
    ----------
    model : DistilledClassifier
        Unfitted, with the form of the data.
    data : Data
    rows : ndarray of int
        The training rows.
    table : ndarray of shape (n_samples, n_features), dtype float32, or None
        All rows, if the model has no preprocessor.
    unlabelled : FurtherRows or None
        Those that are there for all folds. Others are made of the fold's.
    seeds : Seeds
    is_taught : bool
        Whether there is a teacher.
    """

    def __init__(self, model, data, rows, table, unlabelled, seeds, is_taught):
        self.model, self.rows = copy(model), rows
        self.y = np.searchsorted(model.classes_, data.y[rows])
        self.weight = data.weight_of(rows, data.sample_weight)
        self.table, self.places = table, rows
        X = _safe_indexing(data.X, rows)
        seen = X if table is None else table[rows]
        seen = fit_preprocessor(self.model, seen, self.y, self.weight, seeds.others)
        if table is None:
            self.table, self.places = seen, np.arange(len(rows))
        self.kept = np.arange(len(rows))
        if self.weight is not None:
            self.kept = np.flatnonzero(self.weight)
        self.further, self.lesson, self.trained = unlabelled, Lesson(), {}
        self.further_logits = None
        if is_taught and unlabelled is None:
            self.further = further_rows(self.model, X, self.weight, seeds.transfer)

    @property
    def X(self):
        """What networks see of the rows."""
        return self.table[self.places]

    def n_rows(self, alpha):
        """Return the number of rows that training sees."""
        is_longer = alpha > 0 and self.further is not None
        return len(self.kept) + (len(self.further.X_student) if is_longer else 0)

    def learn(self, lesson, asked):
        """Take what a teacher says.

        What it says of rows that are the same for all models is kept in `asked`.
        """
        self.lesson = lesson
        if self.further is None:
            return
        answers = asked.get("further")
        if answers is None:
            answers = lesson.answers_of(self.further, self.model.classes_)
        if not is_generator(self.model.transfer):
            asked["further"] = answers
        self.further_logits = lesson.logits_of(self.further, answers)

    def values(self, alpha):
        """Return what `Replica` takes of the fold's own rows."""
        values = {}
        if self.weight is not None:
            values["sample_weight"] = self.weight[self.kept]
        if alpha > 0:
            values["teacher_logits"] = self.lesson.logits[self.kept]
        return values

    def keep(self, pair, student):
        """Keep the student that was trained for a pair of temperature and alpha."""
        # A copy, so that the next student takes over the scaling as well.
        model = copy(self.model)
        fold_scaling(model, student)
        keep_student(model, student)
        self.trained[_learns(pair)] = model

    def train_alone(self, pair, student, seed, bar):
        """Train a student that is no network, and keep it."""
        model = copy(self.model).set_params(temperature=pair[0], alpha=pair[1])
        rows = self.X[self.kept], self.y[self.kept], self.values(model.alpha)
        if model.alpha > 0 and self.further is not None:
            share = model.transfer_share
            rows = joined(self.further, self.further_logits, share, *rows)
        train_student(model, student, *rows, seed, bar)
        self.trained[_learns(pair)] = model

    def fitted(self, pair):
        """Return the model with a pair of temperature and alpha as if fitted."""
        temperature, alpha = pair
        fitted = copy(self.trained[_learns(pair)])
        fitted.set_params(temperature=temperature, alpha=alpha)
        keep_lesson(fitted, self.lesson if alpha > 0 else Lesson())
        return fitted


def _learns(pair):
    """Return what a student depends on: without a teacher's term, no temperature."""
    return pair if pair[1] > 0 else None


def stacks_of(folds, pairs):
    """Return students, each with the folds and pairs to train a copy of it for.

    There is one but for `transfer`, whose rows can make training longer, for a
    preprocessor that makes other numbers of columns, and for teachers that tell of more
    noise in one fold than in another.
    """
    stacks, to_train = {}, {}
    for pair in pairs:
        to_train.setdefault(_learns(pair), pair)
    for fold in folds:
        for pair in to_train.values():
            n_rows, error = fold.n_rows(alpha=pair[1]), None
            if pair[1] > 0:
                error = fold.lesson.error
            budget = budget_of(fold.model, n_rows, "student", error)
            shape = fold.table.shape[1], budget
            if shape not in stacks:
                of_student = len(fold.model.classes_), n_rows, error
                student = unfitted_student(fold.model, fold.table, *of_student)
                stacks[shape] = student, []
            stacks[shape][1].append((fold, pair))
    return list(stacks.values())


class _Tables:
    """Tables for a stack, each in it once."""

    def __init__(self):
        self.tables, self.labels, self.found, self.n_rows = [], [], {}, 0

    def find(self, table):
        """Return where a table starts, and its labels, which are there to be set.

        It is put behind the others if it is new.
        """
        if id(table) not in self.found:
            labels = np.full(len(table), UNLABELLED)
            self.found[id(table)] = self.n_rows, labels
            self.tables.append(table)
            self.labels.append(labels)
            self.n_rows += len(table)
        return self.found[id(table)]


def train_stack(student, members, seed, bar, verbose):
    """Train a copy of a student for each fold and pair, and keep it in the fold.

    Returns
    -------
    str
        How they were trained.
    """
    if is_classifier_student(student):
        for fold, pair in members:
            fold.train_alone(pair, student, seed, bar)
        return "joblib"
    tables, replicas = _Tables(), []
    for fold, (temperature, alpha) in members:
        start, labels = tables.find(fold.table)
        labels[fold.places] = fold.y
        places = start + fold.places[fold.kept]
        values = fold.values(alpha)
        if alpha > 0 and fold.further is not None:
            further = fold.further.X_student
            start, _ = tables.find(further)
            places = np.append(places, np.arange(start, start + len(further)))
            share = fold.model.transfer_share
            values = with_made(values, fold.further_logits, share)
        name = f"the student for temperature={temperature}, alpha={alpha}"
        values |= {"rows": places, "temperature": temperature, "alpha": alpha}
        replicas.append(Replica(name, seed, **values))
    nets, engine = train_replicas(
        student,
        np.concatenate(tables.tables),
        np.concatenate(tables.labels),
        replicas,
        n_classes=len(members[0][0].model.classes_),
        bar=bar,
        verbose=verbose,
    )
    for (fold, pair), net in zip(members, nets, strict=True):
        fold.keep(pair, net)
    return engine
