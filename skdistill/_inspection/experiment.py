"""An experiment: an ensemble, a student distilled from it, and a baseline.

It is repeated, on made-up data or on splits of a table.
"""

import copy
import itertools
import pickle
import sys
import warnings
from collections import namedtuple

import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill._inspection.estimates import MODELS, OTHERS
from skdistill._inspection.fits_bar import FitsBar
from skdistill._inspection.report_scores import ROW_SCORES, row_scores
from skdistill._inspection.teachers import teacher_of
from skdistill._preprocessing import TablePreprocessor

Plan = namedtuple(
    "Plan",
    "title n_train n_test max_rows n_teachers teacher_epochs n_students student_epochs "
    "n_jobs params teacher",
    defaults=({}, "ensemble"),
)
"""What is run. Without epochs it is the estimators' own defaults, else the reference
recipe with these; `params` are set on either. `teacher` is a name or a path."""

REFERENCE = Plan("Reference recipe", 4000, 21000, sys.maxsize, 12, 30, 3, 50, -1)
QUICK = Plan("Quick run, NOT the reference recipe", 500, 10000, 625, 4, 20, 2, 75, 1)

Repeat = namedtuple(
    "Repeat",
    "seed scores sizes models names size_unit",
    defaults=(MODELS, "parameters"),
)
"""What came of one seed. `models` are lists of fitted ones by name, or None."""


def reference_split(seed, plan):
    """Return a training and a test part of the reference data."""
    n_rows = plan.n_train + plan.n_test
    X, y = make_classification(
        n_rows, n_features=20, n_informative=10, n_redundant=5, random_state=seed
    )
    # The rows come shuffled. The published accuracies come out with this split.
    return train_test_split(X, y, train_size=plan.n_train, shuffle=False)


def with_defaults(plan):
    """Return the plan with the defaults of the estimators."""
    return plan._replace(
        title="Default settings", teacher_epochs=None, student_epochs=None
    )


def planned_model(plan, *, is_table=False):
    """Return the unfitted distilled classifier of a plan, with its teacher."""
    # Here, because torch takes seconds, which a mistyped option should not cost.
    from skdistill import DistilledClassifier, EnsembleTeacher, reference_recipe

    if is_table and plan.teacher != "ensemble":
        teacher = teacher_of(plan.teacher, n_jobs=plan.n_jobs)
        return DistilledClassifier(teacher, preprocessor="auto", **plan.params)
    if plan.student_epochs is None:
        model = DistilledClassifier(EnsembleTeacher())
    else:
        model = reference_recipe(
            max_epochs=plan.student_epochs, teacher__max_epochs=plan.teacher_epochs
        )
    if is_table:
        model.set_params(preprocessor="auto", teacher__preprocessor="auto")
    return model.set_params(
        teacher__n_estimators=plan.n_teachers,
        teacher__n_jobs=plan.n_jobs,
        **plan.params,
    )


def heading(splits, plan):
    """Return in words what is about to run."""
    n_train, n_test = map(len, splits[0][:2])
    model = planned_model(plan._replace(teacher="ensemble"))
    if plan.teacher == "ensemble":
        teacher = f"{plan.n_teachers} teachers (epochs: {model.teacher.max_epochs})"
    else:
        teacher = f"teacher: {plan.teacher}"
    return (
        f"{plan.title}: {n_train:,} training rows, {n_test:,} test rows, {teacher}, "
        f"{plan.n_students} students (epochs: {model.max_epochs}), "
        f"temperature {model.temperature}, alpha {model.alpha}"
    )


def run_repeats(splits, seeds, plan, *, is_table=False):
    """Run one repeat per split, under a progress bar, and return them.

    Only the first has its models.
    """
    with fits_bar(plan, len(seeds), is_table) as bar, warnings.catch_warnings():
        # The table of the columns has said it, once.
        warnings.filterwarnings("ignore", message="TablePreprocessor leaves out")
        repeats = []
        for seed, split in zip(seeds, splits, strict=True):
            repeat = run_repeat(split, seed, plan, bar, is_table)
            # A model is saved, and reported on, of the first. Teachers can be large.
            repeats.append(repeat._replace(models=None) if repeats else repeat)
        return repeats


def fits_bar(plan, n_repeats, is_table):
    """Return the bar for all fits of a plan."""
    n_each = {"baseline": plan.n_students, "distilled": plan.n_students}
    guesses = {"baseline": 1, "distilled": 1, "linear": 0.1, "boosting": 1}
    if _is_recipe(plan):
        n_each["ensemble"] = 1
        guesses["ensemble"] = plan.n_teachers
    else:
        # With a teacher of its own, and networks that are blended with it.
        guesses["distilled"] = 12
    if is_table:
        n_each |= dict.fromkeys(others_beside(plan.teacher), 1)
    return FitsBar({kind: n * n_repeats for kind, n in n_each.items()}, guesses)


def run_repeat(split, seed, plan, bar, is_table):
    """Fit baselines, teacher, distilled students and others on one split, and score."""
    X, X_test, y, y_test = split

    def fit(kind, model):
        if not is_table:
            model = make_pipeline(StandardScaler(), model)
        with bar.fitting(kind, f"seed {seed}, {kind}"):
            return model.fit(X, y)

    def fit_students(name, **params):
        states = range(plan.n_students)
        student = planned_model(plan, is_table=is_table).set_params(**params)
        students = [clone(student).set_params(random_state=state) for state in states]
        return [fit(name, student) for student in students]

    # The quick ones first, so that the time left shows early.
    models = {"baseline": fit_students("baseline", alpha=0)}
    names = dict(MODELS)
    if _is_recipe(plan):
        teacher = planned_model(plan).teacher.set_params(random_state=seed)
        ensemble = fit("ensemble", teacher)
        frozen = FrozenEstimator(_last(ensemble))
        models["distilled"] = fit_students("distilled", teacher=frozen)
        models["ensemble"] = [ensemble]
    else:
        models["distilled"] = fit_students("distilled")
        # Here, as it loads torch.
        from skdistill._inspection.report_models import parts_of

        models["ensemble"] = [parts_of(each).teacher for each in models["distilled"]]
    if plan.teacher == "ensemble":
        models["single"] = singles_of(models["ensemble"][0])
    else:
        del names["single"]
        names["ensemble"] = "teacher"
    if is_table:
        others = others_beside(plan.teacher)
        names |= others
        models |= {name: [fit(name, other(name, seed))] for name in others}
    return score_repeat(seed, X_test, y_test, models, names, is_table)


def _is_recipe(plan):
    """Tell whether all students share one teacher, as in the reference experiment."""
    return plan.student_epochs is not None


def others_beside(teacher):
    """Return the names of what else is compared, but for the teacher itself."""
    return {name: label for name, label in OTHERS.items() if name != teacher}


def other(name, seed):
    """Return what else one could fit to a table, unfitted."""
    model = {
        "linear": LogisticRegression(max_iter=1000),
        "boosting": HistGradientBoostingClassifier(random_state=seed),
    }[name]
    return make_pipeline(TablePreprocessor(), model)


def _last(model):
    return model[-1] if isinstance(model, Pipeline) else model


def singles_of(ensemble):
    """Return models like a fitted ensemble, but with one network each."""
    singles = []
    for member in _last(ensemble).estimators_:
        single = copy.copy(_last(ensemble))
        single.estimators_, single.temperature_ = [member], 1.0
        if isinstance(ensemble, Pipeline):
            single = Pipeline([*ensemble.steps[:-1], ("single", single)])
        singles.append(single)
    return singles


def score_repeat(seed, X, y, models, names, is_table):
    """Score fitted models, lists by name, on the test part `X`, `y`."""
    # Here, as it loads torch.
    from skdistill._inspection.report_models import proba_of

    # A fitted teacher from a file may know more classes.
    classes = _last(models["distilled"][0]).classes_
    proba = {name: [proba_of(m, X, classes) for m in models[name]] for name in names}
    y, teachers = np.searchsorted(classes, y), proba["ensemble"]
    scores = {}
    for name in names:
        own = teachers if len(proba[name]) == len(teachers) else teachers[:1]
        scores[name] = fit_scores(proba[name], y, own)
    size_of = kilobytes if is_table else n_parameters
    sizes = {name: size_of(models[name][0]) for name in names}
    unit = "kB" if is_table else "parameters"
    return Repeat(seed, scores, sizes, models, names, unit)


def n_parameters(model):
    """Return the number of weights of a student, or of all networks of an ensemble."""
    model = _last(model)
    nets = getattr(model, "estimators_", None) or [model.student_]
    return sum(weights.numel() for net in nets for weights in net.module_.parameters())


def kilobytes(model):
    """Return the size of a pickle of what is shipped of a model."""
    shipped = model.compact() if hasattr(model, "compact") else model
    return max(1, round(len(pickle.dumps(shipped)) / 1000))


def without_teacher(student):
    """Return a copy of a fitted student that has forgotten its teacher."""
    student = copy.copy(student).set_params(teacher=None)
    student.teacher_ = None
    return student


def fit_scores(proba, y, teachers):
    """Return accuracy, log-loss and agreement of every row: (3, n_fits, n_rows).

    `proba` has an array of shape (n_rows, n_classes) for each fit, as `teachers` have:
    one, or that of each fit. `y` are the true classes, as indices. All but the log-loss
    are in percent.
    """
    pairs = zip(proba, itertools.cycle(teachers), strict=False)
    each = np.stack([row_scores(fit, y, teacher) for fit, teacher in pairs], axis=1)
    accuracy, loss, agreement = (
        each[ROW_SCORES.index(name)] for name in ("accuracy", "log_loss", "agreement")
    )
    return np.stack([100 * accuracy, loss, 100 * agreement])
