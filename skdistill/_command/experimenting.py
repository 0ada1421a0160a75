"""The experiment: what `python -m skdistill` does without a command."""

import tempfile

import joblib
import numpy as np

from skdistill._command.commas import (
    remember_commas,
    with_commas_said,
    with_decimal_commas,
)
from skdistill._command.labels import notes_on_labels
from skdistill._command.reporting import report_on, save_page
from skdistill._command.screen import wrapped
from skdistill._inspection import experiment
from skdistill._inspection.columns import column_table, used_columns
from skdistill._inspection.errors import InputError
from skdistill._inspection.estimates import draw, report
from skdistill._inspection.tables import load_table, table_splits, with_rare_classes
from skdistill._inspection.teachers import NAMES, teacher_in_file


def plans_of(options):
    """Return the plans that the options ask for."""
    plan = experiment.QUICK if options.quick else experiment.REFERENCE
    given = {"temperature": options.temperature, "alpha": options.alpha}
    given = {name: value for name, value in given.items() if value is not None}
    plan = plan._replace(params=given, teacher=options.teacher)
    if options.students is not None:
        plan = plan._replace(n_students=options.students)
    if options.n_jobs:
        plan = plan._replace(n_jobs=options.n_jobs)
    if plan.n_students + len(options.seeds) < 3:
        raise InputError("one run says nothing; give more --seeds")
    # A table of one's own, or another teacher, has no reference to be compared with.
    if options.data or options.teacher != "ensemble":
        return [experiment.with_defaults(plan)]
    return [plan, experiment.with_defaults(plan)]


def read_table(options, max_rows):
    """Return the table of the options, and what was done to its columns; say so."""
    X, y, note = load_table(options.data, options.target)
    notes = [note]
    X, y, note = with_rare_classes(
        X, y, options.rare_classes, max_rows=max_rows, target=options.target
    )
    notes += [note, *notes_on_labels(y, options.target)]
    for option, names in (("--drop", options.drop), ("--keep", options.keep)):
        for name in names:
            if name not in X.columns:
                raise InputError(
                    f"{option} {name}: no such column beside the target in "
                    f"{options.data}"
                )
    as_it_is, said = options.teacher not in NAMES, {}
    if not as_it_is:
        X, said = with_decimal_commas(X, options.data)
    X, lines = used_columns(X, drop=options.drop, keep=options.keep, as_it_is=as_it_is)
    lines = with_commas_said(lines, said)
    print(*filter(None, map(wrapped, notes)), column_table(lines), "", sep="\n")
    if all(line.done.startswith("left out") for line in lines):
        raise InputError(
            f"no column of {options.data} tells rows apart: the table above says why; "
            "--keep COLUMN keeps what looks like an identifier"
        )
    return X, y, lines


def check_teacher(path, X, y):
    """Raise if the teacher in a file cannot be used for a table; say what it knows."""
    teacher = teacher_in_file(path)
    if not hasattr(teacher, "estimator"):
        return
    try:
        teacher.predict_proba(X[:2])
    except Exception as error:  # a model of the user's may raise anything
        raise InputError(
            f"the --teacher in {path} does not take rows of this table: {error}"
        ) from error
    known = teacher.classes_.tolist()
    unknown = sorted(set(np.unique(y).tolist()) - set(known), key=str)
    if unknown:
        raise InputError(
            f"the --teacher in {path} must know all classes of the table; it knows "
            f"{known}, but not {unknown}"
        )
    print(
        wrapped(
            "The teacher is fitted already. If it has seen rows of this table, all "
            "figures of teacher and student are too good."
        )
    )


def run(options):
    """Run the experiment; print, draw and save what comes out."""
    folder, seeds = options.output_dir, options.seeds
    plans = plans_of(options)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(f"cannot write to --output-dir {folder}: {error}") from error
    is_table = bool(options.data) or options.teacher != "ensemble"
    unit, overlap = ("split", 1 / 4) if options.data else ("data seed", 0)
    if options.data:
        X, y, columns = read_table(options, plans[0].max_rows)
        splits = table_splits(X, y, seeds, plans[0], options.target)
    else:
        splits = [experiment.reference_split(seed, plans[0]) for seed in seeds]
    if options.teacher not in NAMES:
        check_teacher(options.teacher, splits[0][0], splits[0][2])
    repeats = {}
    for plan in plans:
        print(wrapped(experiment.heading(splits, plan)), flush=True)
        of_plan = experiment.run_repeats(splits, seeds, plan, is_table=is_table)
        print(wrapped(report(of_plan, overlap, unit)), end="\n\n")
        repeats[plan.title] = of_plan
    try:
        draw(repeats, overlap, unit).savefig(folder / "skdistill.png", dpi=150)
        print(f"saved {folder / 'skdistill.png'}")
    except ImportError:
        print("no plot: that takes matplotlib; pip install 'skdistill[plot]'")
    if options.data:
        ((first, *_),) = repeats.values()
        save_student(first.models["distilled"][0], columns, folder, seeds[0])
        _, X_test, _, y_test = splits[0]
        page = report_on(first.models, X_test, y_test, columns)
        if len(seeds) > 1:
            page.about["notes"].append(
                f"This is on split {seeds[0]}; what is printed, on {len(seeds)} splits."
            )
        save_page(page, folder / "skdistill.html")


def save_student(student, columns, folder, seed):
    """Save a student as it is, for Python, and compact, for anything."""
    student, compact = experiment.without_teacher(student), student.compact()
    for model in (student, compact):
        remember_commas(model, columns)
    small = folder / "student.safetensors"
    compact.save(small)
    print(f"saved {small}: a student of split {seed}, for `predict` and for shipping")
    path = folder / "student.joblib"
    joblib.dump(student, path)
    print(f"saved {path}: the same as a DistilledClassifier")
