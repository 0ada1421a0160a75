"""Compare an ensemble of networks, a student distilled from it, and a baseline.

The baseline is the same student, trained on the labels alone. Without --data this is
the reference experiment on made-up data. One run says little, so all is repeated, and
every figure has a 95 % interval.
"""

import argparse
import copy
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tqdm import tqdm

Plan = namedtuple(
    "Plan",
    "title n_train n_test max_rows n_teachers teacher_epochs n_students student_epochs "
    "n_jobs",
)
REFERENCE = Plan("Reference recipe", 4000, 21000, sys.maxsize, 12, 30, 3, 50, -1)
QUICK = Plan("Quick run, NOT the reference recipe", 500, 10000, 625, 4, 20, 2, 75, 1)
MIN_PER_CLASS = 5
MODELS = {
    "baseline": "hard-label baseline",
    "distilled": "distilled student",
    "single": "single teacher",
    "ensemble": "ensemble teacher",
}
PERCENT = "{:.2f} ± {:.2f}"
METRICS = {"accuracy %": PERCENT, "log-loss": "{:.3f} ± {:.3f}", "agreement %": PERCENT}

Repeat = namedtuple("Repeat", "seed scores sizes student")
Estimate = namedtuple("Estimate", "mean half cov df")


class InputError(Exception):
    """Something the user can put right; shown as one line, without a traceback."""


def parse_options(arguments):
    """Return the options, checked, and what they make of the plan."""

    def fail(message):
        raise InputError(message)

    parser = argparse.ArgumentParser(prog="python -m skdistill", description=__doc__)
    parser.error = fail
    parser.set_defaults(output_dir=Path(), seeds=[42, 0, 1], temperature=3.0, alpha=0.7)
    add = parser.add_argument
    add("--quick", action="store_true", help="a small run, which is not the reference")
    add("--data", metavar="FILE", help="CSV file to run on; .csv.gz works, too")
    add("--target", metavar="COLUMN", help="the column of FILE with the classes")
    add("--output-dir", type=Path, metavar="FOLDER", help="where the files go (here)")
    add("--seeds", type=int, nargs="+", help="of the data, or its splits (42 0 1)")
    add("--students", type=int, metavar="N", help="students per seed (3; quick 2)")
    add("--temperature", type=float, metavar="T", help="of the distillation (3.0)")
    add("--alpha", type=float, help="the weight of the teacher's term (0.7)")
    add("--n-jobs", type=int, metavar="N", help="processes (one per core; quick 1)")
    options = parser.parse_args(arguments)
    plan, seeds = QUICK if options.quick else REFERENCE, options.seeds
    if options.students is not None:
        plan = plan._replace(n_students=options.students)
    paired = (options.data is None) == (options.target is None)
    for valid, message in (
        (paired, "--data and --target go together"),
        (min(seeds) >= 0 and max(seeds) < 2**32, "--seeds must be >= 0 and < 2**32"),
        (len({*seeds}) == len(seeds), "--seeds must differ from each other"),
        (plan.n_students >= 1, "--students must be >= 1"),
        (plan.n_students + len(seeds) > 2, "one run says nothing; give more --seeds"),
        (0 < options.temperature < np.inf, "--temperature must be > 0 and finite"),
        (0 < options.alpha <= 1, "--alpha must be > 0 (the baseline) and <= 1"),
    ):
        if not valid:
            fail(message)
    return options, plan


def reference_split(seed, plan):
    """Return a training and a test part of the reference data."""
    n_rows = plan.n_train + plan.n_test
    X, y = make_classification(
        n_rows, n_features=20, n_informative=10, n_redundant=5, random_state=seed
    )
    # The rows come shuffled. The published accuracies come out with this split.
    return train_test_split(X, y, train_size=plan.n_train, shuffle=False)


def load_table(path, target):
    """Return the features and the labels of a CSV file."""
    try:
        table = pd.read_csv(path, low_memory=False)
    except Exception as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if target not in table:
        columns = ", ".join(table.columns)
        raise InputError(f"no column {target!r} in {path}; its columns are: {columns}")
    known = table[target].notna()
    if not known.all():
        n_dropped = len(table) - known.sum()
        print(
            f"Dropped {n_dropped:,} of {len(table):,} rows, which have no {target!r}."
        )
    table = table[known].dropna(axis="columns", how="all")
    if table.shape[1] < 2:
        raise InputError(f"{path} has no rows, or no features beside {target!r}")
    for column in table.columns[table.isin([np.inf, -np.inf]).any()]:
        raise InputError(f"column {column!r} of {path} has infinite values")
    y = table.pop(target).infer_objects()
    if pd.api.types.is_float_dtype(y) and (y % 1 == 0).all():
        y = y.astype("int64")
    if not (pd.api.types.is_integer_dtype(y) or pd.api.types.is_bool_dtype(y)):
        y = y.astype(str).astype(object)
    return table, y.to_numpy()


def table_splits(X, y, seeds, plan):
    """Return one stratified split of a table, four to one, per seed."""
    n_rows = min(len(y), plan.max_rows)
    counts = pd.Series(y).value_counts()
    rarest, count = counts.index[-1], counts.iloc[-1]
    if len(counts) < 2:
        raise InputError(f"the target has a single class, {rarest!r}")
    if count * n_rows < MIN_PER_CLASS * len(y):
        raise InputError(
            f"class {rarest!r} of the target has {count:,} of {len(y):,} rows, too few "
            f"to split {n_rows:,}: each class needs {MIN_PER_CLASS} among those"
        )
    sizes = {"train_size": n_rows - n_rows // 5, "test_size": n_rows // 5}
    return [
        train_test_split(X, y, **sizes, stratify=y, random_state=seed) for seed in seeds
    ]


def table_preparation(X):
    """Return an unfitted transformer that makes numbers of a table's features."""
    numeric = X.select_dtypes("number").columns.tolist()
    categorical = [column for column in X if column not in numeric]
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    # Missing is one more category to it. The limit is for columns such as names.
    encode = OneHotEncoder(
        handle_unknown="ignore", max_categories=100, sparse_output=False
    )
    return make_column_transformer(
        (make_pipeline(fill, StandardScaler()), numeric), (encode, categorical)
    )


def run_repeat(split, seed, preparation, plan, options, bar):
    """Fit baselines, ensemble and distilled students on one split and score them."""
    # Here, because torch takes seconds, which a mistyped option should not cost.
    from skdistill import DistilledClassifier, EnsembleTeacher

    X, X_test, y, y_test = split

    def fit(name, model, n_epochs):
        bar.set_description(f"seed {seed}, {name}")
        pipeline = make_pipeline(clone(preparation), model).fit(X, y)
        bar.update(n_epochs)
        return pipeline

    def fit_students(name, **params):
        n_epochs, states = plan.student_epochs, range(plan.n_students)
        student = DistilledClassifier(max_epochs=n_epochs, **params)
        students = [clone(student).set_params(random_state=state) for state in states]
        return [fit(name, student, n_epochs) for student in students]

    # The baselines first: they are quick, so that the time left shows early.
    baseline = fit_students("baseline", alpha=0)
    ensemble = EnsembleTeacher(
        n_estimators=plan.n_teachers,
        max_epochs=plan.teacher_epochs,
        n_jobs=options.n_jobs or plan.n_jobs,
        random_state=seed,
    )
    ensemble = fit("teachers", ensemble, plan.n_teachers * plan.teacher_epochs)
    distilled = fit_students(
        "distilled",
        teacher=FrozenEstimator(ensemble[-1]),
        temperature=options.temperature,
        alpha=options.alpha,
    )
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


def estimate(rows, overlap=0.0):
    """Estimate the means of some quantities, with 95 % t-intervals.

    Parameters
    ----------
    rows : list of ndarray of shape (n_quantities, n_fits, n_rows)
        One array per data seed or split. The variance between these and those within
        them, between fits and between test rows, add up: few repeats can agree by
        chance. The degrees of freedom are Satterthwaite's.
    overlap : float
        Ratio of test to training rows of splits of one table. They share rows, so that
        the naive variance is too small (Nadeau and Bengio, Machine Learning 52, 2003).
    """
    means = np.array([part.mean(axis=(1, 2)) for part in rows])
    within = [part.mean(axis=axis).T / len(rows) for part in rows for axis in (1, 2)]
    samples = [(means, overlap), *((sample, 0) for sample in within)]
    samples = [(x, 1 / len(x) + shared) for x, shared in samples if len(x) > 1]
    parts = [(np.cov(x.T) * weight, len(x) - 1) for x, weight in samples]
    cov = sum(part for part, _ in parts)
    spread = sum(part.diagonal() ** 2 / size for part, size in parts)
    df = np.maximum(cov.diagonal() ** 2 / spread.clip(np.finfo(float).tiny), 1)
    half = stats.t.ppf(0.975, df) * np.sqrt(cov.diagonal())
    return Estimate(means.mean(axis=0), half, cov, df)


def gain_and_gap(repeats, overlap=0.0):
    """Estimate how much better distilled student and ensemble are than the baseline."""
    rows = []
    for repeat in repeats:
        baseline, distilled, _, ensemble = (repeat.scores[name][0] for name in MODELS)
        rows.append(np.stack([distilled - baseline, ensemble - baseline]))
    return estimate(rows, overlap)


def recovery(differences):
    """Return gain / gap and its 95 % interval, or None where it is not measurable.

    Fieller's interval for a ratio of means, which allows for the noise in the gap. It
    has two ends only where the interval of the gap excludes 0.
    """
    (gain, gap), _, cov, df = differences
    t_squared = stats.t.ppf(0.975, df[1]) ** 2
    (c, b), (_, a) = np.outer((gain, gap), (gain, gap)) - t_squared * cov
    if gap <= 0 or a <= 0:
        return None
    root = np.sqrt(max(b**2 - a * c, 0))
    return gain / gap, (b - root) / a, (b + root) / a


def recovery_text(differences):
    """Return the recovery as text."""
    found = recovery(differences)
    return "{:.2f} [{:.2f}, {:.2f}]".format(*found) if found else "not measurable"


def model_scores(repeats, overlap=0.0):
    """Return an estimate of the scores for each of the models."""
    return [estimate([r.scores[name] for r in repeats], overlap) for name in MODELS]


def report(repeats, overlap, unit):
    """Print the tables and what they come to."""
    rows, sizes = {}, repeats[0].sizes
    for repeat in repeats:
        scores = model_scores([repeat])
        cells = [PERCENT.format(score.mean[0], score.half[0]) for score in scores]
        rows[repeat.seed] = [*cells, recovery_text(gain_and_gap([repeat]))]
    print(f"\nAccuracy in % by {unit}; 95 % intervals over test rows and fits")
    print(pd.DataFrame(rows, [*MODELS, "recovery"]).T.to_string())
    scores = model_scores(repeats, overlap)
    rows = [map(str.format, METRICS.values(), s.mean, s.half) for s in scores]
    table = pd.DataFrame(rows, MODELS.values(), METRICS)
    table["parameters"] = [f"{size:,}" for size in sizes.values()]
    shared = ", allowing for shared rows" if overlap else ""
    repeated = f", and over the {unit}s{shared}" if len(repeats) > 1 else ""
    print(f"\nMeans; 95 % intervals over test rows and fits{repeated}")
    print(table.to_string())
    differences = gain_and_gap(repeats, overlap)
    gain, gap = map(PERCENT.format, *differences[:2])
    print(f"\ndistilled - baseline: {gain} points, ensemble - baseline: {gap} points")
    print(f"recovery, the ratio of the two: {recovery_text(differences)}")
    teacher, student = sizes["ensemble"], sizes["distilled"]
    print(f"compression: {teacher:,} / {student:,} = {teacher / student:.0f}x")


def draw(repeats, overlap, unit):
    """Return a figure of the accuracies; needs matplotlib."""
    from matplotlib.figure import Figure

    axes = Figure(figsize=(10, 5), layout="constrained").subplots()
    ticks = np.arange(len(MODELS))
    for place, repeat in enumerate(repeats):
        scores = model_scores([repeat])
        mean, half = np.transpose([(score.mean[0], score.half[0]) for score in scores])
        x = ticks + 0.4 * ((place + 0.5) / len(repeats) - 0.5)
        label = f"{unit} {repeat.seed}: {recovery_text(gain_and_gap([repeat]))}"
        axes.errorbar(x, mean, half, fmt="o:", capsize=3, label=label)
    sizes = [f"{size:,} parameters" for size in repeats[0].sizes.values()]
    axes.set_xticks(ticks, map("\n".join, zip(MODELS.values(), sizes, strict=True)))
    axes.set_xlim(-0.5, len(MODELS) - 0.5)
    axes.set_ylabel("accuracy on the test part in %, with 95 % intervals")
    axes.set_title(f"recovery: {recovery_text(gain_and_gap(repeats, overlap))}")
    axes.legend(
        title="recovery", loc="upper left", bbox_to_anchor=(1, 1), frameon=False
    )
    return axes.figure


def run(options, plan):
    """Run the experiment; print, draw and save what comes out."""
    folder, seeds = options.output_dir, options.seeds
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(f"cannot write to --output-dir {folder}: {error}") from error
    if options.data:
        X, y = load_table(options.data, options.target)
        splits, preparation = table_splits(X, y, seeds, plan), table_preparation(X)
        unit, overlap = "split", 1 / 4
    else:
        splits = [reference_split(seed, plan) for seed in seeds]
        unit, overlap, preparation = "data seed", 0, StandardScaler()
    n_train, n_test = map(len, splits[0][:2])
    print(
        f"{plan.title}: {n_train:,} training rows, {n_test:,} test rows,",
        f"{plan.n_teachers} teachers of {plan.teacher_epochs} epochs,",
        f"{plan.n_students} students of {plan.student_epochs},",
        f"temperature {options.temperature}, alpha {options.alpha}",
    )
    n_epochs = plan.n_teachers * plan.teacher_epochs
    n_epochs += 2 * plan.n_students * plan.student_epochs
    repeats = []
    with tqdm(
        total=len(seeds) * n_epochs, unit="epoch", smoothing=0, disable=None
    ) as bar:
        for seed, split in zip(seeds, splits, strict=True):
            repeats.append(run_repeat(split, seed, preparation, plan, options, bar))
    report(repeats, overlap, unit)
    try:
        draw(repeats, overlap, unit).savefig(folder / "skdistill.png", dpi=150)
        print(f"saved {folder / 'skdistill.png'}")
    except ImportError:
        print("no plot: that takes matplotlib; pip install 'skdistill[plot]'")
    if options.data:
        joblib.dump(repeats[0].student, folder / "student.joblib")
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
