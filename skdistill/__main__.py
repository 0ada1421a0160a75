"""Compare an ensemble of networks, a student distilled from it, and a baseline.

The baseline is the same student, trained on the labels alone. Without --data this is
the reference experiment on made-up data. One run says little, so all is repeated, and
every figure has a 95 % interval.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import joblib
import numpy as np
from sklearn.preprocessing import StandardScaler

from skdistill._inspection.estimates import draw, report
from skdistill._inspection.experiment import (
    QUICK,
    REFERENCE,
    InputError,
    heading,
    load_table,
    reference_split,
    run_repeats,
    table_preparation,
    table_splits,
    with_defaults,
)


def parse_options(arguments):
    """Return the options, checked, and what they make of the plan."""

    def fail(message):
        raise InputError(message)

    parser = argparse.ArgumentParser(prog="python -m skdistill", description=__doc__)
    parser.error = fail
    parser.set_defaults(output_dir=Path(), seeds=[42, 0, 1])
    add = parser.add_argument
    add("--quick", action="store_true", help="a small run, which is not the reference")
    add("--data", metavar="FILE", help="CSV file to run on; .csv.gz works, too")
    add("--target", metavar="COLUMN", help="the column of FILE with the classes")
    add("--output-dir", type=Path, metavar="FOLDER", help="where the files go (here)")
    add("--seeds", type=int, nargs="+", help="of the data, or its splits (42 0 1)")
    add("--students", type=int, metavar="N", help="students per seed (3; quick 2)")
    add("--temperature", type=float, metavar="T", help="of the distillation")
    add("--alpha", type=float, help="the weight of the teacher's term")
    add("--n-jobs", type=int, metavar="N", help="processes (one per core; quick 1)")
    options = parser.parse_args(arguments)
    plan, seeds = QUICK if options.quick else REFERENCE, options.seeds
    given = {"temperature": options.temperature, "alpha": options.alpha}
    given = {name: value for name, value in given.items() if value is not None}
    plan = plan._replace(params=given)
    if options.students is not None:
        plan = plan._replace(n_students=options.students)
    if options.n_jobs:
        plan = plan._replace(n_jobs=options.n_jobs)
    paired = (options.data is None) == (options.target is None)
    for valid, message in (
        (paired, "--data and --target go together"),
        (min(seeds) >= 0 and max(seeds) < 2**32, "--seeds must be >= 0 and < 2**32"),
        (len({*seeds}) == len(seeds), "--seeds must differ from each other"),
        (plan.n_students >= 1, "--students must be >= 1"),
        (plan.n_students + len(seeds) > 2, "one run says nothing; give more --seeds"),
        (
            0 < given.get("temperature", 1) < np.inf,
            "--temperature must be > 0 and finite",
        ),
        (0 < given.get("alpha", 1) <= 1, "--alpha must be > 0 (the baseline) and <= 1"),
    ):
        if not valid:
            fail(message)
    # A table of one's own has no reference to be compared with.
    plans = [with_defaults(plan)] if options.data else [plan, with_defaults(plan)]
    return options, plans


def run(options, plans):
    """Run the experiment; print, draw and save what comes out."""
    folder, seeds = options.output_dir, options.seeds
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(f"cannot write to --output-dir {folder}: {error}") from error
    if options.data:
        X, y, note = load_table(options.data, options.target)
        if note:
            print(note)
        splits = table_splits(X, y, seeds, plans[0], options.target)
        preparation = table_preparation(X)
        unit, overlap = "split", 1 / 4
    else:
        splits = [reference_split(seed, plans[0]) for seed in seeds]
        unit, overlap, preparation = "data seed", 0, StandardScaler()
    repeats = {}
    for plan in plans:
        print(heading(splits, plan))
        of_plan = run_repeats(splits, seeds, preparation, plan)
        print(report(of_plan, overlap, unit), end="\n\n")
        repeats[plan.title] = of_plan
    try:
        draw(repeats, overlap, unit).savefig(folder / "skdistill.png", dpi=150)
        print(f"saved {folder / 'skdistill.png'}")
    except ImportError:
        print("no plot: that takes matplotlib; pip install 'skdistill[plot]'")
    if options.data:
        (of_plan,) = repeats.values()
        joblib.dump(of_plan[0].student, folder / "student.joblib")
        print(f"saved {folder / 'student.joblib'}: a student of split {seeds[0]}")


def main(argv=None):
    """Run the command line and return the exit code."""
    try:
        run(*parse_options(argv))
    except InputError as error:
        print("skdistill: error:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("skdistill: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
