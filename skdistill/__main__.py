"""Compare an ensemble of networks, a student distilled from it, and a baseline.

The baseline is the same student, trained on the labels alone. Without --data this is
the reference experiment on made-up data. One run says little, so all is repeated, and
every figure has a 95 % interval.
"""

import argparse
import json
import math
import os
import sys
from contextlib import contextmanager
from pathlib import Path

from skdistill._command.screen import complain, plain_warnings, wrapped
from skdistill._inspection.errors import InputError

PROGRAM = "python -m skdistill"
OPTIONAL = {"pandas", "skorch", "torch", "tqdm"}
"""What a model is served without; the commands take some of it."""
COMMANDS = f"""
commands, each with a --help of its own:
  {PROGRAM} distill   train a small model on a table, and write it to a file
  {PROGRAM} predict   predict the rows of a file with such a model, without torch
  {PROGRAM} show      say what is in such a file

It exits with 0, with 2 if something is wrong with what was given, with 130 if it was
interrupted, and with 1 if nobody reads what it prints.
"""


def new_parser(command="", **texts):
    """Return a parser that raises what is wrong."""

    def fail(message):
        raise InputError(message)

    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} {command}".strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **texts,
    )
    parser.error = fail
    return parser


def add_teaching(parser):
    """Add the options that the experiment and `distill` share."""
    add = parser.add_argument
    add(
        "--teacher",
        default="ensemble",
        metavar="ensemble|forest|boosting|FILE",
        help="what to distil: twelve networks, 100 trees, gradient boosting, or a "
        "classifier that joblib wrote to FILE, whose code is run (ensemble)",
    )
    add("--temperature", type=float, metavar="T", help="of the distillation (3)")
    add("--alpha", type=float, help="the weight of the teacher's term")
    add("--n-jobs", type=int, metavar="N", help="jobs of the teacher (one per core)")
    add(
        "--rare-classes",
        choices=("error", "drop", "merge"),
        default="error",
        help="what to do with classes too rare to split: stop, leave their rows out, "
        "or make one class of them (error)",
    )
    for name, what in (
        ("drop", "not to use"),
        ("keep", "to use although they look like identifiers"),
    ):
        add(
            f"--{name}", nargs="+", default=[], metavar="COLUMN", help=f"columns {what}"
        )


def check_teaching(options):
    """Raise if one of these options is out of its range."""
    temperature, alpha = options.temperature, options.alpha
    if not (temperature is None or 0 < temperature < math.inf):
        raise InputError("--temperature must be > 0 and finite")
    if not (alpha is None or 0 < alpha <= 1):
        raise InputError(
            f"--alpha must be > 0 and <= 1, not {alpha:g}; the baseline, which has 0, "
            "is trained as well"
        )


def experiment_options(arguments):
    """Return the options of the experiment, checked."""
    parser = new_parser(description=__doc__, epilog=COMMANDS)
    parser.set_defaults(output_dir=Path(), seeds=[42, 0, 1])
    add = parser.add_argument
    add("--quick", action="store_true", help="a small run, which is not the reference")
    add("--data", metavar="FILE", help="CSV file (.csv.gz works, too) or Parquet")
    add("--target", metavar="COLUMN", help="the column of FILE with the classes")
    add("--output-dir", type=Path, metavar="FOLDER", help="where the files go (here)")
    add("--seeds", type=int, nargs="+", help="of the data, or its splits (42 0 1)")
    add("--students", type=int, metavar="N", help="students per seed (3; quick 2)")
    add_teaching(parser)
    options = parser.parse_args(arguments)
    seeds, students = options.seeds, options.students
    paired = (options.data is None) == (options.target is None)
    for valid, message in (
        (paired, "--data and --target go together"),
        (min(seeds) >= 0 and max(seeds) < 2**32, "--seeds must be >= 0 and < 2**32"),
        (len({*seeds}) == len(seeds), "--seeds must differ from each other"),
        (students is None or students >= 1, "--students must be >= 1"),
    ):
        if not valid:
            raise InputError(message)
    check_teaching(options)
    return options


def experiment(arguments):
    """Run the experiment."""
    options = experiment_options(arguments)
    from skdistill._command.experimenting import run

    run(options)


def distill(arguments):
    """Train a small model on a table, and write it to a file."""
    parser = new_parser(
        "distill",
        description="Train a small model on a table, and write it to a file that "
        "`predict`,\nCompactClassifier.load and other languages read. A fifth of the "
        "rows is held out,\nto tell what the model is worth.",
    )
    add = parser.add_argument
    add("--data", metavar="FILE", required=True, help="CSV file or Parquet")
    add("--target", metavar="COLUMN", required=True, help="the column with the classes")
    add("--output", metavar="FILE", type=Path, required=True, help="the model's file")
    add_teaching(parser)
    add(
        "--dtype",
        choices=("float32", "float16", "int8"),
        default="float32",
        help="how weights are stored (float32)",
    )
    add("--report", metavar="FILE", type=Path, help="a page of HTML on what it costs")
    add("--seed", type=int, default=0, help="of training, and of what is held out (0)")
    options = parser.parse_args(arguments)
    check_teaching(options)
    if not 0 <= options.seed < 2**32:
        raise InputError("--seed must be >= 0 and < 2**32")
    from skdistill._command.distilling import distill_table

    distill_table(options)


def add_model(parser):
    """Add the options that say which model."""
    parser.add_argument(
        "model", metavar="MODEL", help="what `distill` or CompactClassifier.save wrote"
    )
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="MODEL may be a file of joblib or pickle; reading it runs the code in it",
    )


def predict(arguments):
    """Predict the rows of a file."""
    parser = new_parser(
        "predict",
        description="Predict the rows of a file, in their order: a label, and a "
        "probability for each class.\nThe columns are found by name; others are "
        "ignored. Files are CSV (also .csv.gz) or\nParquet, by their names. The output "
        "appears once all of it is there.",
    )
    add = parser.add_argument
    add_model(parser)
    add("--data", metavar="FILE", required=True, help="the rows")
    add("--output", metavar="FILE", type=Path, required=True, help="the predictions")
    add(
        "--copy",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns of the rows to write in front, such as an identifier",
    )
    add(
        "--chunk-size",
        type=int,
        default=50_000,
        metavar="N",
        help="rows in memory at once (50000)",
    )
    options = parser.parse_args(arguments)
    if options.chunk_size < 1:
        raise InputError("--chunk-size must be >= 1")
    from skdistill._command.predicting import predict_file

    n_rows = predict_file(
        options.model,
        options.data,
        options.output,
        copied=options.copy,
        chunk_size=options.chunk_size,
        trust_pickle=options.trust_pickle,
    )
    print(f"saved {options.output}: {n_rows:,} rows")


def show(arguments):
    """Say what is in a model file."""
    parser = new_parser("show", description="Say what is in a model file.")
    add_model(parser)
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    options = parser.parse_args(arguments)
    from skdistill._command.showing import described, description

    found = description(options.model, trust_pickle=options.trust_pickle)
    print(json.dumps(found, indent=2) if options.json else wrapped(described(found)))


@contextmanager
def packages_named():
    """Say what to install where skdistill is without what it depends on."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
        raise InputError(
            f"this takes {error.name}, which is not installed; pip install {error.name}"
        ) from error


def main(argv=None):
    """Run the command line and return the exit code."""
    arguments = sys.argv[1:] if argv is None else [*argv]
    commands = {"distill": distill, "predict": predict, "show": show}
    command = experiment
    if arguments and not arguments[0].startswith("-"):
        command = commands.get(arguments[0])
        if command is None:
            complain(
                f"error: no command {arguments[0]!r}; there are {', '.join(commands)}, "
                "and --help"
            )
            return 2
        del arguments[0]
    try:
        with plain_warnings(), packages_named():
            command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has had enough, as `head` has. Python would flush once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except InputError as error:
        complain(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
