"""`distill`: a table in, a small model out, with what it is worth."""

import os
import sys
import warnings
from collections import namedtuple

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skdistill._command.commas import remember_commas
from skdistill._command.experimenting import check_teacher, read_table
from skdistill._command.files import check_output
from skdistill._command.reporting import report_on, save_page
from skdistill._command.screen import wrapped
from skdistill._inspection import experiment
from skdistill._inspection.errors import InputError
from skdistill._inspection.estimates import (
    ACCURACY,
    LOG_LOSS,
    MODELS,
    score_table,
)
from skdistill._inspection.tables import table_splits
from skdistill._inspection.teachers import NAMES, teacher_of

Rows = namedtuple("Rows", "max_rows", defaults=(sys.maxsize,))


def distill_table(options):
    """Train a student on a table, print what it is worth, and write it.

    It is worth what it scores on a fifth of the rows, which nothing was fitted on.
    """
    check_outputs(options)
    X, y, columns = read_table(options, sys.maxsize)
    (split,) = table_splits(X, y, [options.seed], Rows(), options.target)
    X_train, X_test, y_train, y_test = split
    if options.teacher not in NAMES:
        check_teacher(options.teacher, X_train, y_train)
    print(
        wrapped(
            f"{len(y_train):,} training rows, {len(y_test):,} test rows, teacher: "
            f"{options.teacher}"
        ),
        flush=True,
    )
    with warnings.catch_warnings():
        # The table of the columns has said it.
        warnings.filterwarnings("ignore", message="TablePreprocessor leaves out")
        models = fitted_models(options, X_train, y_train)
    names = {"baseline": MODELS["baseline"], "distilled": MODELS["distilled"]}
    names |= {"ensemble": "teacher"} | experiment.others_beside(options.teacher)
    repeat = experiment.score_repeat(options.seed, X_test, y_test, models, names, True)
    scores = repeat.scores["distilled"]
    metrics = {
        "accuracy": scores[ACCURACY].mean() / 100,
        "log_loss": scores[LOG_LOSS].mean(),
        "n_test": len(y_test),
    }
    small = models["distilled"][0].compact()
    teacher = models["ensemble"][0]
    if isinstance(teacher, Pipeline):
        small.provenance_["teacher"] = type(teacher[-1]).__name__
    remember_commas(small, columns)
    small.save(options.output, dtype=options.dtype, metrics=metrics)
    print("\nOn the test rows; 95 % intervals over these")
    print(score_table([repeat]).to_string(), end="\n\n")
    print(f"saved {options.output}: {options.output.stat().st_size:,} bytes")
    has_page = options.report is not None
    report = report_on(models, X_test, y_test, columns, timing=has_page)
    if has_page:
        save_page(report, options.report)
    print(wrapped(f"\nVerdict: {report.verdict}"))
    if report.about["kind"] != "good":
        print("As options: another --teacher, --temperature or --alpha.")


def check_outputs(options):
    """Raise if what is written would replace what is read, or each other."""
    inputs = [options.data]
    if options.teacher not in NAMES:
        inputs.append(options.teacher)
    check_output(options.output, "--output", *inputs)
    if options.report is None:
        return
    check_output(options.report, "--report", *inputs)
    # Neither need be there yet, so that their names have to tell.
    if os.path.realpath(options.report) == os.path.realpath(options.output):
        raise InputError(f"--report {options.report} is the file of --output as well")


def fitted_models(options, X, y):
    """Return what is compared, fitted: lists by name."""
    from skdistill import DistilledClassifier

    given = {"temperature": options.temperature, "alpha": options.alpha}
    params = {name: value for name, value in given.items() if value is not None}
    student = DistilledClassifier(
        teacher_of(options.teacher, n_jobs=options.n_jobs or -1),
        preprocessor="auto",
        random_state=options.seed,
        # A bar with the time left, where somebody looks at it.
        verbose=int(sys.stderr.isatty()),
        **params,
    )
    baseline = clone(student).set_params(alpha=0, teacher=None).fit(X, y)
    student.fit(X, y)
    models = {"baseline": [baseline], "distilled": [student]}
    models["ensemble"] = [student.teacher_]
    for name in experiment.others_beside(options.teacher):
        models[name] = [experiment.other(name, options.seed).fit(X, y)]
    return models
