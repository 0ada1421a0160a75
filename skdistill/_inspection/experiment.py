"""An experiment: an ensemble, a student distilled from it, and a baseline.

It is repeated, on made-up data or on splits of a table.
"""

import copy
import sys
import warnings
from collections import namedtuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from tqdm import tqdm

from skdistill._inspection.estimates import MODELS
from skdistill._preprocessing import TablePreprocessor

Plan = namedtuple(
    "Plan",
    "title n_train n_test max_rows n_teachers teacher_epochs n_students student_epochs "
    "n_jobs params",
    defaults=({},),
)
"""What is run. Without epochs it is the estimators' own defaults, else the reference
recipe with these; `params` are set on either."""

REFERENCE = Plan("Reference recipe", 4000, 21000, sys.maxsize, 12, 30, 3, 50, -1)
QUICK = Plan("Quick run, NOT the reference recipe", 500, 10000, 625, 4, 20, 2, 75, 1)
MIN_PER_CLASS = 5
MANY_CLASSES = 20

Repeat = namedtuple("Repeat", "seed scores sizes student")


class InputError(Exception):
    """Something the user can put right; shown as one line, without a traceback."""


def reference_split(seed, plan):
    """Return a training and a test part of the reference data."""
    n_rows = plan.n_train + plan.n_test
    X, y = make_classification(
        n_rows, n_features=20, n_informative=10, n_redundant=5, random_state=seed
    )
    # The rows come shuffled. The published accuracies come out with this split.
    return train_test_split(X, y, train_size=plan.n_train, shuffle=False)


def load_table(path, target):
    """Return the features and the labels of a CSV file, and a note on what is left out.

    The note is text, empty where there is nothing to say.
    """
    # Labels such as "None" and "NA" are no holes. pandas 3 makes holes of them, even
    # after a converter, hence the mark in front, which comes off below.
    try:
        table = pd.read_csv(path, low_memory=False, converters={target: "=".__add__})
    except Exception as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if target not in table:
        columns = ", ".join(table.columns)
        raise InputError(f"no column {target!r} in {path}; its columns are: {columns}")
    y = table.pop(target).str[1:]
    known = y != ""
    n_dropped = len(y) - known.sum()
    dropped = f"Dropped {n_dropped:,} of {len(y):,} rows, which have no {target!r}."
    table = table[known].dropna(axis="columns", how="all")
    if table.empty:
        raise InputError(f"{path} has no rows, or no features beside {target!r}")
    y = labels_of_text(y[known])
    for column, values in [*table.items(), (target, y)]:
        if values.isin([np.inf, -np.inf]).any():
            raise InputError(f"column {column!r} of {path} has infinite values")
    return table, y.to_numpy(), dropped if n_dropped else ""


def labels_of_text(y):
    """Return whole numbers or booleans if all labels are such, and text otherwise."""
    if y.isin(["True", "TRUE", "true", "False", "FALSE", "false"]).all():
        return y.str.lower() == "true"
    numbers = pd.to_numeric(y, errors="coerce")
    if numbers.isna().any():
        return y.astype(object)
    if pd.api.types.is_integer_dtype(numbers) or np.isinf(numbers).any():
        return numbers
    if (numbers % 1 != 0).any():
        return numbers.astype(str).astype(object)
    # Beyond 2**53, floats of different whole numbers can be the same.
    return numbers.astype("int64") if (abs(numbers) < 2**53).all() else y.astype(object)


def table_splits(X, y, seeds, plan, target="y"):
    """Return one stratified split of a table, four to one, per seed."""
    n_rows = min(len(y), plan.max_rows)
    counts = pd.Series(y).value_counts()
    # A list has Python's own numbers, which read better in a message.
    classes = counts.index.tolist()
    rarest, count = classes[-1], counts.iloc[-1]
    if len(counts) < 2:
        raise InputError(f"the target has a single class, {rarest!r}")
    if count * n_rows < MIN_PER_CLASS * len(y):
        if looks_like_regression(classes, len(y)):
            raise InputError(
                f"column {target!r} looks like a target for regression, with "
                f"{len(classes):,} different numbers in {len(y):,} rows; skdistill "
                "learns classes: give a --target with few, or bin this one"
            )
        raise InputError(
            f"class {rarest!r} of the target has {count:,} of {len(y):,} rows, too few "
            f"to split {n_rows:,}: each class needs {MIN_PER_CLASS} among those"
        )
    sizes = {"train_size": n_rows - n_rows // 5, "test_size": n_rows // 5}
    return [
        train_test_split(X, y, **sizes, stratify=y, random_state=seed) for seed in seeds
    ]


def looks_like_regression(classes, n_rows):
    """Return whether the classes are numbers, and too many for names of classes."""
    numeric = pd.to_numeric(pd.Series(classes), errors="coerce").notna().all()
    return numeric and len(classes) > min(MANY_CLASSES, n_rows / 2)


def table_preparation(X):
    """Return an unfitted transformer that makes numbers of a table's features."""
    try:
        TablePreprocessor().fit(X)
    except ValueError as error:
        raise InputError(error) from error
    return TablePreprocessor()


def with_defaults(plan):
    """Return the plan with the defaults of the estimators."""
    return plan._replace(
        title="Default settings", teacher_epochs=None, student_epochs=None
    )


def planned_model(plan):
    """Return the unfitted distilled classifier of a plan, with its teacher."""
    # Here, because torch takes seconds, which a mistyped option should not cost.
    from skdistill import DistilledClassifier, EnsembleTeacher, reference_recipe

    if plan.student_epochs is None:
        model = DistilledClassifier(EnsembleTeacher())
    else:
        model = reference_recipe(
            max_epochs=plan.student_epochs, teacher__max_epochs=plan.teacher_epochs
        )
    return model.set_params(
        teacher__n_estimators=plan.n_teachers,
        teacher__n_jobs=plan.n_jobs,
        **plan.params,
    )


def heading(splits, plan):
    """Return in words what is about to run."""
    n_train, n_test = map(len, splits[0][:2])
    model = planned_model(plan)
    return (
        f"{plan.title}: {n_train:,} training rows, {n_test:,} test rows, "
        f"{plan.n_teachers} teachers (epochs: {model.teacher.max_epochs}), "
        f"{plan.n_students} students (epochs: {model.max_epochs}), "
        f"temperature {model.temperature}, alpha {model.alpha}"
    )


def run_repeats(splits, seeds, preparation, plan):
    """Run one repeat per split, under a progress bar, and return them."""
    n_networks = plan.n_teachers + 2 * plan.n_students
    n_all = len(seeds) * n_networks
    with (
        tqdm(total=n_all, unit="network", smoothing=0, disable=None) as bar,
        warnings.catch_warnings(),
    ):
        # `table_preparation` has said it, once.
        warnings.filterwarnings("ignore", message="TablePreprocessor leaves out")
        return [
            run_repeat(split, seed, preparation, plan, bar)
            for seed, split in zip(seeds, splits, strict=True)
        ]


def run_repeat(split, seed, preparation, plan, bar):
    """Fit baselines, ensemble and distilled students on one split and score them."""
    X, X_test, y, y_test = split

    model = planned_model(plan)

    def fit(name, model, n_networks):
        bar.set_description(f"{plan.title}, seed {seed}, {name}")
        pipeline = make_pipeline(clone(preparation), model).fit(X, y)
        bar.update(n_networks)
        return pipeline

    def fit_students(name, **params):
        student, states = clone(model).set_params(**params), range(plan.n_students)
        students = [clone(student).set_params(random_state=state) for state in states]
        return [fit(name, student, 1) for student in students]

    # The baselines first: they are quick, so that the time left shows early.
    baseline = fit_students("baseline", alpha=0)
    ensemble = clone(model.teacher).set_params(random_state=seed)
    ensemble = fit("teachers", ensemble, plan.n_teachers)
    distilled = fit_students("distilled", teacher=FrozenEstimator(ensemble[-1]))
    return score_repeat(seed, X_test, y_test, baseline, distilled, ensemble)


def score_repeat(seed, X, y, baseline, distilled, ensemble):
    """Score fitted pipelines on the test part `X`, `y`."""
    members = ensemble[-1].estimators_
    X_net = np.asarray(ensemble[:-1].transform(X), dtype=np.float32)
    proba = {
        "baseline": [pipeline.predict_proba(X) for pipeline in baseline],
        "distilled": [pipeline.predict_proba(X) for pipeline in distilled],
        "single": [m.set_params(batch_size=8192).predict_proba(X_net) for m in members],
        "ensemble": [ensemble.predict_proba(X)],
    }
    y = np.searchsorted(ensemble.classes_, y)
    choice = proba["ensemble"][0].argmax(axis=1)
    scores = {name: row_scores(proba[name], y, choice) for name in MODELS}
    student = copy.copy(distilled[0][-1]).set_params(teacher=None)
    student.teacher_ = None
    size, *each = [
        sum(weights.numel() for weights in net.module_.parameters())
        for net in [student.student_, *members]
    ]
    sizes = dict(zip(MODELS, [size, size, each[0], sum(each)], strict=True))
    return Repeat(seed, scores, sizes, make_pipeline(distilled[0][0], student))


def row_scores(proba, y, choice):
    """Return accuracy, log-loss and agreement of every row: (3, n_fits, n_rows).

    `proba` has the shape (n_fits, n_rows, n_classes), `y` are the true classes and
    `choice` those that the ensemble predicts, as indices.
    """
    proba = np.asarray(proba)
    predicted = proba.argmax(axis=2)
    true = proba[:, np.arange(len(y)), y].clip(np.finfo(proba.dtype).eps, 1)
    scores = 100.0 * (predicted == y), -np.log(true), 100.0 * (predicted == choice)
    return np.stack(scores)
