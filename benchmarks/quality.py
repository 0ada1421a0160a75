"""How good the student is: against the same network on labels alone, on many tables.

    python benchmarks/quality.py [TABLE.csv ...] [--splits N]

writes docs/benchmarks/quality.md, quality.csv and quality.png. A table's last column
is the class. It also takes tables that scikit-learn ships, and the reference data.
With --page it writes the page anew, from quality.csv. On 2 cores it takes half an hour
without a file, and some seven minutes for each.
"""

import argparse
import itertools
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from scipy import stats
from scipy.special import log_softmax, softmax
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_wine,
    make_classification,
)
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from timing import RESULTS, table, write

from skdistill import (
    DistilledClassifier,
    EnsembleTeacher,
    GaussianTransfer,
    MixupTransfer,
    MungeTransfer,
    SwapTransfer,
    reference_recipe,
)
from skdistill._further import with_made
from skdistill._students.network import unfitted_student
from skdistill._targets.logits import teacher_logits, without_zeros
from skdistill._targets.out_of_fold import (
    fitted_weights,
    out_of_fold_logits,
    stratified_folds,
)
from skdistill._training.budget import NOISY, budget_of
from skdistill._training.loss import UNLABELLED
from skdistill._training.many_nets import Replica, train_stacked
from skdistill._training.nets import net_logits

MAX_TRAIN, MAX_TEST = 4000, 6000
STEPS = (300, 1000, 3000, 10000)
DECAYS = (1e-4, 1e-3, 1e-2)
REFERENCE_DATA = "reference data"
TEACHERS = ("EnsembleTeacher", "RandomForest", "HistGradientBoosting", "soft vote")
METRICS = ("log-loss", "accuracy", "Brier", "ECE")


class Split(NamedTuple):
    """Training and test rows, ready for networks."""

    X: np.ndarray
    X_test: np.ndarray
    y: np.ndarray
    y_test: np.ndarray


class Taught(NamedTuple):
    """What a teacher says of training rows, out of fold too, of test and made rows."""

    logits: np.ndarray
    out_of_fold: np.ndarray
    test: np.ndarray
    made: np.ndarray


class Variant(NamedTuple):
    """A way to train the student; what is not given is the default."""

    name: str
    targets: str = "default"
    temperature: float = DistilledClassifier().temperature
    alpha: float = DistilledClassifier().alpha
    params: tuple = ()  # of DistilledClassifier, as items
    teachers: tuple = ("EnsembleTeacher", "HistGradientBoosting")
    transfer: int | None = None  # index into TRANSFERS


SIZES = ((16,), (24, 12), (32, 16), (128, 64))
TRANSFERS = (MixupTransfer(), SwapTransfer(), MungeTransfer(), GaussianTransfer())
REFERENCE = ("max_epochs", "lr", "lr_schedule", "batch_size", "weight_decay")
VARIANTS = [
    Variant("default", teachers=TEACHERS),
    Variant("alpha=0", alpha=0.0),
    Variant(
        "reference recipe",
        "raw",
        3.0,
        0.7,
        tuple((name, getattr(reference_recipe(), name)) for name in REFERENCE),
        TEACHERS,
    ),
    Variant("calibrate=False", "raw", teachers=TEACHERS),
    Variant("blend=False", "calibrated", teachers=TEACHERS),
    Variant("target_cv=None", "in sample"),
    Variant("target_cv=5", "out of fold"),
    *[Variant(f"temperature={t:g}", temperature=t) for t in (1.0, 5.0)],
    *[Variant(f"alpha={a:g}", alpha=a) for a in (0.3, 0.7, 0.9, 1.0)],
    Variant("weight_decay=1 / n_samples", params=(("error", None),)),
    *[
        Variant(f"weight_decay={decay:g}", params=(("weight_decay", decay),))
        for decay in (1e-4, 1e-3, 1e-2)
    ],
    Variant("half the steps", params=(("steps", 0.5),)),
    Variant("double the steps", params=(("steps", 2),)),
    *[
        Variant(f"hidden layers {sizes}", params=(("hidden_layer_sizes", sizes),))
        for sizes in SIZES
    ],
    *[
        Variant(f"transfer={transfer}", transfer=i)
        for i, transfer in enumerate(TRANSFERS)
    ],
]


# --- Tables -------------------------------------------------------------------------


def own_tables():
    """Return the tables that need no file, each a function of the split's number."""
    shipped = {
        "breast cancer": load_breast_cancer,
        "digits": load_digits,
        "wine": load_wine,
    }
    tables = {
        name: (lambda s, load=load: split_of(*load(return_X_y=True), s))
        for name, load in shipped.items()
    }
    return {**tables, REFERENCE_DATA: reference_split}


def reference_split(seed):
    """Return 4,000 training rows of the reference data; a seed is other data."""
    X, y = make_classification(
        MAX_TRAIN + 21000, n_informative=10, n_redundant=5, random_state=seed
    )
    parts = train_test_split(X, y, train_size=MAX_TRAIN, shuffle=False)
    return prepared_split(*parts)


def table_of(path):
    frame = pd.read_csv(path)
    X, y = frame.iloc[:, :-1], frame.iloc[:, -1]
    return lambda seed: split_of(X, y, seed)


def split_of(X, y, seed):
    n_train = min(MAX_TRAIN, int(0.7 * len(y)))
    n_test = min(MAX_TEST, len(y) - n_train)
    parts = train_test_split(
        X, y, train_size=n_train, test_size=n_test, stratify=y, random_state=seed
    )
    return prepared_split(*parts)


def prepared_split(X, X_test, y, y_test):
    preparation = StandardScaler()
    if isinstance(X, pd.DataFrame):
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        preparation = make_column_transformer(
            (preparation, make_column_selector(dtype_include="number")),
            (encoder, make_column_selector(dtype_exclude="number")),
        )
    X = np.ascontiguousarray(preparation.fit_transform(X), dtype=np.float32)
    X_test = np.ascontiguousarray(preparation.transform(X_test), dtype=np.float32)
    classes, y = np.unique(y, return_inverse=True)
    return Split(X, X_test, y.astype(np.int64), np.searchsorted(classes, y_test))


# --- Teachers -----------------------------------------------------------------------


def taught_by_all(split, X_made, seed):
    """Return what each teacher says, and the networks that are blended with it."""
    X, X_test, y, _ = split
    classes = np.unique(y)
    ensemble = EnsembleTeacher(random_state=seed).fit(X, y)
    # As if it had not been calibrated.
    T = np.float32(ensemble.temperature_)
    says = {
        "EnsembleTeacher": Taught(
            ensemble.predict_logits(X) * T,
            ensemble.oof_logits_ * T,
            ensemble.predict_logits(X_test) * T,
            ensemble.predict_logits(X_made) * T,
        )
    }
    folds = stratified_folds(y, 5, seed)
    for name, model in (
        ("RandomForest", RandomForestClassifier(random_state=seed, n_jobs=-1)),
        ("HistGradientBoosting", HistGradientBoostingClassifier(random_state=seed)),
    ):
        out_of_fold = out_of_fold_logits(model, X, y, {}, classes, folds, None)
        model.fit(X, y)
        logits, test, made = (
            teacher_logits(model, rows, classes) for rows in (X, X_test, X_made)
        )
        says[name] = Taught(logits, out_of_fold, test, made)
    # The probabilities that a VotingClassifier of the three has, without fitting anew.
    says["soft vote"] = Taught(
        *[
            np.log(np.mean([softmax(z, axis=1) for z in logits], axis=0)).astype("f4")
            for logits in zip(*says.values(), strict=True)
        ]
    )
    says = {name: Taught(*without_zeros(*said)) for name, said in says.items()}
    return says, taught_by_peers(split, X_made, seed)


def taught_by_peers(split, X_made, seed):
    """Return what networks like the student say that learn from labels alone."""
    X, X_test, y, _ = split
    model = DistilledClassifier()
    peers = EnsembleTeacher(
        n_estimators=6,
        dropout=0.0,
        hidden_layer_sizes=model.hidden_layer_sizes,
        lr=model.lr,
        random_state=seed,
        **budget_of(model, len(y), "student")._asdict(),
    ).fit(X, y)
    return Taught(
        peers.predict_logits(X),
        peers.oof_logits_,
        peers.predict_logits(X_test),
        peers.predict_logits(X_made),
    )


def targets_of(kind, teacher, said, peers, y):
    """Return the logits that a student learns from, of its rows and of made ones.

    And the share of rows that are wrong out of fold, if the student knows.
    """
    if kind == "raw":
        return said.logits, said.made, None
    sources = [said]
    if kind != "calibrated":
        sources.append(peers)
    weights = fitted_weights([source.out_of_fold for source in sources], y)
    own, out_of_fold, _, made = (
        sum(w * z for w, z in zip(weights, of_sources, strict=True))
        for of_sources in zip(*sources, strict=True)
    )
    error = (out_of_fold.argmax(axis=1) != y).mean()
    if kind == "in sample" or not (kind == "out of fold" or error > NOISY):
        return own, made, error
    return out_of_fold, made, error


# --- Students -----------------------------------------------------------------------


class Rows:
    """The rows of all splits of a table, in one array, so that all train as a stack."""

    def __init__(self, splits):
        self.splits = splits
        self.n_train = len(splits[0].y)
        self.classes = np.unique(splits[0].y)
        self.made = [
            [transfer.sample(split.X, random_state=i) for transfer in TRANSFERS]
            for i, split in enumerate(splits)
        ]
        # Behind the rows of all splits, those that the transfers made.
        tables = [[split.X for split in splits], *self.made]
        self.X = np.concatenate(list(itertools.chain.from_iterable(tables)))
        self.y = np.full(len(self.X), UNLABELLED)
        self.y[: self.n_train * len(splits)] = np.concatenate([s.y for s in splits])

    def of(self, number, places=None):
        """Return where the training rows of a split are, or some of them."""
        start = number * self.n_train
        return start + (np.arange(self.n_train) if places is None else places)

    def made_of(self, number, transfer):
        """Return where the rows are that a transfer made of those of a split."""
        block = len(self.splits) + number * len(TRANSFERS) + transfer
        return block * self.n_train + np.arange(self.n_train)

    def trained(self, replicas, n_rows, **params):
        """Return nets for replicas that are trained with parameters of the student."""
        model = DistilledClassifier(**params)
        net = unfitted_student(model, self.X, len(self.classes), n_rows)
        return train_stacked(net, self.X, self.y, replicas, n_classes=len(self.classes))


def epochs_for(n_steps, n_rows):
    return -(-n_steps // -(-n_rows // 64))


def strong_baseline(rows):
    """Return the net of every split on labels alone, its steps and decay well chosen.

    By log-loss on a sixth of the training rows, then trained on all of them.
    """
    held = [
        train_test_split(
            np.arange(len(s.y)), test_size=1 / 6, stratify=s.y, random_state=0
        )
        for s in rows.splits
    ]
    best = [(np.inf, None)] * len(held)
    for n_steps, decay in itertools.product(STEPS, DECAYS):
        n_rows = len(held[0][0])
        params = {"max_epochs": epochs_for(n_steps, n_rows), "weight_decay": decay}
        replicas = [
            Replica("baseline", 0, rows=rows.of(i, kept))
            for i, (kept, _) in enumerate(held)
        ]
        nets = rows.trained(replicas, n_rows, **params, batch_size=64)
        for i, (net, (_, left), split) in enumerate(
            zip(nets, held, rows.splits, strict=True)
        ):
            loss = log_loss(logits_of(net, split.X[left]), split.y[left]).mean()
            best[i] = min(best[i], (loss, (n_steps, decay)))
    nets = []
    for i, (_, (n_steps, decay)) in enumerate(best):
        params = {
            "max_epochs": epochs_for(n_steps, rows.n_train),
            "weight_decay": decay,
            "batch_size": 64,
        }
        nets += rows.trained(
            [Replica("baseline", 0, rows=rows.of(i))], rows.n_train, **params
        )
    return nets


def students(rows, lessons, peers):
    """Yield (split, teacher, variant, net) for all that is to be compared."""
    stacks = {}
    for variant, i, teacher in itertools.product(
        VARIANTS, range(len(rows.splits)), TEACHERS
    ):
        if teacher not in variant.teachers:
            continue
        if variant.alpha == 0 and teacher != TEACHERS[0]:
            continue
        of_replica, error = {"rows": rows.of(i)}, None
        has_more = variant.transfer is not None
        if variant.alpha > 0:
            said, y = lessons[i][teacher], rows.splits[i].y
            logits, made, error = targets_of(
                variant.targets, teacher, said, peers[i], y
            )
            values = {"teacher_logits": logits.astype(np.float32)}
            if has_more:
                made = np.split(made.astype(np.float32), len(TRANSFERS))
                made = made[variant.transfer]
                share = DistilledClassifier().transfer_share
                places = rows.made_of(i, variant.transfer)
                places = np.append(of_replica["rows"], places)
                values = {"rows": places, **with_made(values, made, share)}
            of_replica |= values
        replica = Replica(
            variant.name,
            0,
            **of_replica,
            temperature=variant.temperature,
            alpha=variant.alpha,
        )
        n_rows = rows.n_train * (1 + has_more)
        settings = settings_of(variant, n_rows, error)
        members = stacks.setdefault((settings, n_rows), [])
        members.append(((i, teacher, variant.name), replica))
    for (settings, n_rows), members in stacks.items():
        keys, replicas = zip(*members, strict=True)
        nets = rows.trained(replicas, n_rows, **dict(settings))
        yield from ((*key, net) for key, net in zip(keys, nets, strict=True))


def settings_of(variant, n_rows, error):
    """Return the parameters that a variant's students are trained with, as items."""
    given = dict(variant.params)
    factor, error = given.pop("steps", 1), given.pop("error", error)
    budget = budget_of(DistilledClassifier(**given), n_rows, "student", error)
    given |= budget._asdict()
    given["max_epochs"] = max(1, round(factor * budget.max_epochs))
    return tuple(sorted(given.items()))


# --- Scores -------------------------------------------------------------------------


def logits_of(net, X):
    with torch.inference_mode():
        return net_logits(net, torch.from_numpy(X)).numpy()


def log_loss(logits, y):
    """Return the log-loss of every row."""
    return -log_softmax(np.asarray(logits, np.float64), axis=1)[np.arange(len(y)), y]


def expected_calibration_error(proba, y, n_bins=15):
    sure, right = proba.max(axis=1), proba.argmax(axis=1) == y
    place = np.minimum((sure * n_bins).astype(int), n_bins - 1)
    return np.abs(np.bincount(place, right - sure, minlength=n_bins)).sum() / len(y)


def scores(logits, y, teacher_logits=None):
    proba = softmax(np.asarray(logits, np.float64), axis=1)
    found = {
        "log-loss": log_loss(logits, y).mean(),
        "accuracy": (logits.argmax(axis=1) == y).mean(),
        "Brier": ((proba - np.eye(proba.shape[1])[y]) ** 2).sum(axis=1).mean(),
        "ECE": expected_calibration_error(proba, y),
    }
    if teacher_logits is not None:
        same = logits.argmax(axis=1) == teacher_logits.argmax(axis=1)
        found["agreement"] = same.mean()
    return found


def results_of(name, make_split, n_splits):
    """Return a row of scores for every split, teacher and variant of a table."""
    splits = [make_split(seed) for seed in range(n_splits)]
    rows = Rows(splits)
    ratio = len(splits[0].y_test) / len(splits[0].y)
    # The reference data is new for every seed, and shares no rows.
    overlap = 0.0 if name == REFERENCE_DATA else ratio
    found = []

    def note(i, teacher, variant, logits, said=None):
        found.append(
            {
                "table": name,
                "split": i,
                "teacher": teacher,
                "variant": variant,
                "overlap": overlap,
                **scores(logits, splits[i].y_test, said),
            }
        )

    for i, net in enumerate(strong_baseline(rows)):
        note(i, "", "strong baseline", logits_of(net, splits[i].X_test))
    lessons, peers = [], []
    for i, split in enumerate(splits):
        said, of_peers = taught_by_all(split, np.concatenate(rows.made[i]), seed=i)
        lessons.append(said)
        peers.append(of_peers)
        for teacher in TEACHERS:
            test, out_of_fold = said[teacher].test, said[teacher].out_of_fold
            note(i, teacher, "teacher", test)
            (weight,) = fitted_weights([out_of_fold], split.y)
            note(i, teacher, "teacher, calibrated", weight * test)
    for i, teacher, variant, net in students(rows, lessons, peers):
        logits = logits_of(net, splits[i].X_test)
        said = lessons[i][teacher].test if variant != "alpha=0" else None
        note(i, teacher if said is not None else "", variant, logits, said)
    return found


# --- The page -----------------------------------------------------------------------


def interval(differences, overlap):
    """Return the mean and the half width of its 95 % interval (Nadeau and Bengio)."""
    n = len(differences)
    variance = differences.var(ddof=1) * (1 / n + overlap)
    return differences.mean(), stats.t.ppf(0.975, n - 1) * np.sqrt(variance)


def compared(results, against="strong baseline"):
    """Return gains of every variant over another, a row per table and teacher."""
    index = ["table", "split"]
    base = results[results.variant == against].set_index(index)
    out = []
    chosen = results[results.variant != against]
    for key, group in chosen.groupby(["variant", "table", "teacher"], sort=False):
        group = group.set_index(index)
        other = base.loc[group.index]
        overlap = group.overlap.iloc[0]
        loss = (other["log-loss"] - group["log-loss"]) / other["log-loss"].mean()
        gain, half = interval(100 * loss.to_numpy(), overlap)
        points = 100 * (group["accuracy"] - other["accuracy"]).to_numpy()
        accuracy, accuracy_half = interval(points, overlap)
        row = dict(zip(("variant", "table", "teacher"), key, strict=True))
        row |= {"gain": gain, "half": half}
        row |= {"accuracy": accuracy, "accuracy_half": accuracy_half}
        row |= {"ECE": group["ECE"].mean(), "baseline ECE": other["ECE"].mean()}
        row |= {"agreement": group.get("agreement", pd.Series(dtype=float)).mean()}
        out.append(row)
    return pd.DataFrame(out)


def against_default(gains, group):
    """Return how often a variant beats the default on the same pairs, and p of that."""
    index = ["table", "teacher"]
    default = gains[gains.variant == "default"].set_index(index).gain
    difference = group.set_index(index).gain - default
    difference = difference.dropna()
    if len(difference) < 6 or not difference.any():
        return "", ""
    p = stats.wilcoxon(difference).pvalue
    return f"{100 * (difference > 0).mean():.0f} %", f"{p:.2g}"


def summary(gains):
    """Return a line per variant: how it does over all tables and teachers."""
    lines = []
    for variant, group in gains.groupby("variant", sort=False):
        wins = (group.gain > 0).mean()
        clear = (group.gain > group.half).sum(), (group.gain < -group.half).sum()
        worse = (group.accuracy < -group.accuracy_half).sum()
        p = stats.wilcoxon(group.gain).pvalue if len(group) > 5 else np.nan
        lines.append(
            [
                variant,
                len(group),
                f"{100 * wins:.0f} %",
                f"{clear[0]} / {len(group) - sum(clear)} / {clear[1]}",
                f"{group.gain.mean():+.1f} %",
                f"{group.gain.median():+.1f} %",
                f"{p:.2g}",
                *against_default(gains, group),
                f"{group.accuracy.mean():+.2f}",
                worse,
                f"{100 * group.ECE.mean():.1f}",
                f"{100 * group.agreement.mean():.1f}",
            ]
        )
    header = [
        "",
        "pairs",
        "lower log-loss",
        "clearly better / even / worse",
        "mean gain",
        "median gain",
        "Wilcoxon p",
        "lower than the default's",
        "Wilcoxon p of that",
        "accuracy",
        "clearly less accurate",
        "ECE %",
        "agreement %",
    ]
    return table(header, lines)


def by_table(gains, results):
    """Return the default's gains, a line per table, a column per teacher."""
    default = gains[gains.variant == "default"]
    mean = results.groupby(["variant", "table"])[["log-loss", "accuracy"]].mean()
    lines = []
    for name, group in default.groupby("table", sort=False):
        base = mean.loc["strong baseline", name]
        cells = group.set_index("teacher")
        lines.append(
            [
                name,
                f"{base['log-loss']:.3f} / {100 * base['accuracy']:.1f}",
                *[
                    f"{row.gain:+.1f} ± {row.half:.1f}; {row.accuracy:+.1f}"
                    for row in (cells.loc[teacher] for teacher in TEACHERS)
                ],
            ]
        )
    return table(["", "strong baseline", *TEACHERS], lines)


def draw(gains):
    """Return a figure of the default's gains in log-loss, a dot for each teacher."""
    default = gains[gains.variant == "default"]
    names = list(dict.fromkeys(default.table))[::-1]
    figure = Figure(figsize=(8, 1 + 0.5 * len(names)), layout="constrained")
    axes = figure.subplots()
    for place, (teacher, marker) in enumerate(zip(TEACHERS, "osD^", strict=True)):
        rows = default[default.teacher == teacher].set_index("table").loc[names]
        y = np.arange(len(names)) + 0.18 * (1.5 - place)
        axes.errorbar(
            rows.gain, y, xerr=rows.half, fmt=marker, ms=4, capsize=2, label=teacher
        )
    axes.axvline(0, color="0.4", lw=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    low, high = default.gain.min(), default.gain.max()
    axes.set_xlim(min(-20, 1.3 * low), max(20, 1.3 * high))
    axes.set_xlabel(
        "log-loss lower than that of the strong baseline, in %, with 95 % intervals"
    )
    axes.grid(axis="x", color="0.9")
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure


def time_to_quality():
    """Return a table of what fits take and reach, on the reference data."""
    X, X_test, y, y_test = reference_split(0)
    teacher = EnsembleTeacher(random_state=0).fit(X, y)
    models = {
        "HistGradientBoostingClassifier()": HistGradientBoostingClassifier(),
        "RandomForestClassifier()": RandomForestClassifier(random_state=0),
        "MLPClassifier(hidden_layer_sizes=(64, 32))": MLPClassifier(
            (64, 32), random_state=0
        ),
        "DistilledClassifier(alpha=0)": DistilledClassifier(alpha=0, random_state=0),
        "EnsembleTeacher()": EnsembleTeacher(random_state=0),
        "DistilledClassifier(), teacher fitted before": DistilledClassifier(
            FrozenEstimator(teacher), random_state=0
        ),
        "reference_recipe(), teacher fitted before": reference_recipe(
            teacher=FrozenEstimator(teacher), random_state=0
        ),
        "DistilledClassifier()": DistilledClassifier(random_state=0),
        "DistilledClassifier(HistGradientBoostingClassifier())": DistilledClassifier(
            HistGradientBoostingClassifier(), random_state=0
        ),
    }
    lines = []
    for name, model in models.items():
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        proba = model.predict_proba(X_test)
        found = scores(np.log(np.clip(proba, 1e-7, 1)), y_test)
        lines.append(
            [
                f"`{name}`",
                f"{seconds:.1f}",
                f"{found['log-loss']:.4f}",
                f"{100 * found['accuracy']:.2f}",
            ]
        )
    return table(["", "seconds", "log-loss", "accuracy %"], lines)


def recovery_line(results):
    """Return what share of the gap in accuracy the default recovers: reference data."""
    rows = results[results.table == REFERENCE_DATA]
    if rows.empty:
        return ""
    mean = rows.pivot_table(
        index="split", columns=["variant", "teacher"], values="accuracy"
    )
    base = mean["strong baseline", ""]
    ensemble = mean["teacher", TEACHERS[0]] - base
    parts = []
    for variant in (
        "default",
        "reference recipe",
        *[f"hidden layers {sizes}" for sizes in SIZES],
    ):
        gain = mean[variant, TEACHERS[0]] - base
        parts.append(f"{variant} {gain.sum() / ensemble.sum():.2f}")
    return (
        "Reference data, teacher `EnsembleTeacher`: recovery of accuracy against the "
        "strong baseline of 64-32 (sum of gains over sum of gaps, "
        f"{len(base)} data seeds): {', '.join(parts)}."
    )


def page(results):
    gains, others = compared(results), results[results.table != REFERENCE_DATA]
    teachers = gains[gains.variant.str.startswith("teacher")]
    students = gains[~gains.variant.str.startswith("teacher")]
    losses = students[(students.variant == "default") & (students.gain < 0)]
    lost = ", ".join(
        f"{row.table} with {row.teacher} ({row.gain:+.1f} ± {row.half:.1f} %)"
        for row in losses.itertuples()
    )
    baseline = results[results.variant == "strong baseline"]
    write(
        "quality",
        "Is the student worth having?",
        "The student of 64 and 32 hidden units against the **strong baseline**: the "
        "same network on the labels alone, its number of steps "
        f"({', '.join(map(str, STEPS))}) and weight decay "
        f"({', '.join(f'{decay:g}' for decay in DECAYS)}) chosen on a held-out sixth "
        "of the training rows. At most 4,000 training rows; "
        f"{others.split.nunique()} splits per table, and twice as many data seeds of "
        "the reference data; gains in log-loss relative to "
        "the baseline, accuracies in points; 95 % intervals over splits, paired, after "
        "Nadeau and Bengio. Clear is what the interval says. A pair is a table and a "
        "teacher. The steps of the baseline are chosen for it; the student's are not.",
        "## By table: the defaults\n\nGain in log-loss in %; in accuracy in points.",
        by_table(gains, results),
        "![gain in log-loss by table and teacher](quality.png)",
        f"**Where it does not help:** {lost or 'nowhere here'}.",
        "## Over all tables: one change at a time",
        f"Mean ECE of the strong baseline: {100 * baseline.ECE.mean():.1f} %.",
        "A variant with fewer pairs was not run with all of the teachers.",
        summary(students),
        "## The teachers",
        summary(teachers),
        recovery_line(results),
        "## Time to quality\n\nReference data, 4,000 training rows, one fit each.",
        time_to_quality(),
    )
    draw(gains).savefig(RESULTS / "quality.png", dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    # scikit-learn's and pandas' own, of rare classes and the like.
    warnings.simplefilter("ignore", UserWarning)
    if options.page:
        frame = pd.read_csv(RESULTS / "quality.csv", keep_default_na=False)
        frame["agreement"] = pd.to_numeric(frame["agreement"])
        page(frame)
        return
    tables = {path.name.split(".")[0]: table_of(path) for path in options.paths}
    tables |= own_tables()
    results = []
    for name, make_split in tables.items():
        start = time.perf_counter()
        n_splits = 2 * options.splits if name == REFERENCE_DATA else options.splits
        results += results_of(name, make_split, n_splits)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
        RESULTS.mkdir(parents=True, exist_ok=True)
        frame = pd.DataFrame(results)
        frame.round(5).to_csv(RESULTS / "quality.csv", index=False)
    page(frame)


if __name__ == "__main__":
    main()
