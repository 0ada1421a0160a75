"""Compare students that are no networks to the same classifiers fitted on labels alone.

    python benchmarks/students.py [table.csv.gz ...] [--splits N] [--jobs N]

writes docs/benchmarks/students.md. A table's last column is the class. It also takes
the tables that scikit-learn ships.
"""

import argparse
import importlib.util
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy import stats
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from timing import table, write

from skdistill import DistilledClassifier, EnsembleTeacher

MAX_TRAIN, MAX_TEST = 1000, 1000
SMALL = {"max_iter": 30, "max_leaf_nodes": 8}
ALPHAS = (0.5, 1.0)
LARGE = "HistGradientBoosting, defaults"  # for up to 3 classes: more take long
METRICS = ("log-loss", "accuracy")
COLUMNS = ("table", "seed", "student", "teacher", "alpha", *METRICS)
SMOOTHING = 1e-4


class LogitRegressors(ClassifierMixin, BaseEstimator):
    """One small regression booster per class, on the logarithms of the soft targets.

    It reads these from the weights of the copies, which are in the order of the rows.
    """

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y, sample_weight):
        """Fit the boosters."""
        self.classes_ = np.unique(y)
        n_classes = len(self.classes_)
        logits = np.log(sample_weight.reshape(-1, n_classes))
        logits -= logits.mean(axis=1, keepdims=True)
        one = HistGradientBoostingRegressor(**SMALL, random_state=self.random_state)
        self.boosters_ = [clone(one).fit(X[::n_classes], z) for z in logits.T]
        return self

    def predict_proba(self, X):
        """Return the softmax of what they predict."""
        return softmax([booster.predict(X) for booster in self.boosters_], axis=0).T


def students():
    """Return the students by name, and what each is compared to, if to another."""
    small = HistGradientBoostingClassifier(**SMALL)
    found = {
        "DecisionTree, 32 leaves": DecisionTreeClassifier(max_leaf_nodes=32),
        "DecisionTree, depth 5": DecisionTreeClassifier(max_depth=5),
        "LogisticRegression": LogisticRegression(max_iter=1000),
        "LogisticRegression, C=100": LogisticRegression(C=100, max_iter=1000),
        "HistGradientBoosting": small,
        LARGE: HistGradientBoostingClassifier(),
    }
    if importlib.util.find_spec("lightgbm"):
        lightgbm = importlib.import_module("lightgbm")
        found["LightGBM"] = lightgbm.LGBMClassifier(
            n_estimators=30, num_leaves=8, n_jobs=1, verbose=-1
        )
    return found, {"regression on logits": (LogitRegressors(), "HistGradientBoosting")}


def tables(paths):
    """Return functions by name that give X and y."""
    found = {
        "breast cancer": lambda: load_breast_cancer(return_X_y=True),
        "digits": lambda: load_digits(return_X_y=True),
        "wine": lambda: load_wine(return_X_y=True),
    }
    for path in paths:
        found[path.name.split(".")[0]] = lambda path=path: read(path)
    return found


def read(path):
    frame = pd.read_csv(path)
    return frame.iloc[:, :-1], np.unique(frame.iloc[:, -1], return_inverse=True)[1]


def split_of(X, y, seed):
    n_train = min(MAX_TRAIN, int(0.7 * len(y)))
    n_test = min(MAX_TEST, len(y) - n_train)
    X, X_test, y, y_test = train_test_split(
        X, y, train_size=n_train, test_size=n_test, stratify=y, random_state=seed
    )
    preparation = StandardScaler()
    if isinstance(X, pd.DataFrame):
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        preparation = make_column_transformer(
            (preparation, make_column_selector(dtype_include="number")),
            (encoder, make_column_selector(dtype_exclude="number")),
        )
    X = np.ascontiguousarray(preparation.fit_transform(X), dtype=np.float32)
    X_test = np.ascontiguousarray(preparation.transform(X_test), dtype=np.float32)
    return X, X_test, y, y_test


def scores(model, X, y):
    # Smoothed, or a tree on labels alone has an infinite log-loss.
    proba = model.predict_proba(X).astype(np.float64)
    proba = (1 - SMOOTHING) * proba + SMOOTHING / proba.shape[1]
    correct = proba[np.arange(len(y)), y] / proba.sum(axis=1)
    return {
        "log-loss": -np.log(correct).mean(),
        "accuracy": (proba.argmax(axis=1) == y).mean(),
    }


def results_of(name, load, seed):
    """Return one row per student, teacher and alpha of one split."""
    warnings.simplefilter("ignore")
    X, X_test, y, y_test = split_of(*load(), seed)
    plain, further = students()
    if len(np.unique(y)) > 3:
        del plain[LARGE]
    rows = []
    with tempfile.TemporaryDirectory() as memory:

        def add(student, teacher_name, alpha, model):
            of = scores(model.fit(X, y), X_test, y_test)
            rows.append((name, seed, student, teacher_name, alpha, *of.values()))

        for student_name, student in plain.items():
            model = DistilledClassifier(student=student, alpha=0.0, random_state=seed)
            add(student_name, "labels", 0.0, model)
        for teacher in (RandomForestClassifier(), EnsembleTeacher()):
            teacher_name = type(teacher).__name__
            model = DistilledClassifier(teacher, memory=memory, random_state=seed)
            contenders = [(*pair, a) for pair in plain.items() for a in ALPHAS]
            contenders += [(n, student, 1.0) for n, (student, _) in further.items()]
            for student_name, student, alpha in contenders:
                model.set_params(student=student, alpha=alpha)
                add(student_name, teacher_name, alpha, model)
            of = scores(model.teacher_, X_test, y_test)
            rows.append((name, seed, "teacher", teacher_name, 1.0, *of.values()))
    print(f"{name}, split {seed}", flush=True)
    return rows


def verdict(differences):
    """Return 1, 0 or -1: the 95 % interval of the mean is above, at or below 0."""
    n = len(differences)
    margin = stats.t.ppf(0.975, n - 1) * np.std(differences, ddof=1) / np.sqrt(n)
    mean = np.mean(differences)
    return int(np.sign(mean)) * int(abs(mean) > margin)


def paired(results, student, teacher, alpha, base, metric):
    """Return what labels alone have beyond the student: per table, an array of splits.

    Of logarithms for the log-loss.
    """

    def of(student, teacher, alpha):
        chosen = (
            (results.student == student)
            & (results.teacher == teacher)
            & (results.alpha == alpha)
        )
        return results[chosen].pivot(index="table", columns="seed", values=metric)

    taught, alone = of(student, teacher, alpha), of(base, "labels", 0.0)
    gain = np.log(alone / taught) if metric == "log-loss" else taught - alone
    return gain.dropna()


def summary(results):
    plain, further = students()
    bases = {name: name for name in plain} | {
        n: base for n, (_, base) in further.items()
    }
    rows = []
    for teacher in ("RandomForestClassifier", "EnsembleTeacher"):
        for student, base in bases.items():
            for alpha in ALPHAS if student in plain else (1.0,):
                loss, accuracy = (
                    paired(results, student, teacher, alpha, base, metric)
                    for metric in METRICS
                )
                if loss.empty:
                    continue
                mean = loss.mean(axis=1)
                verdicts = [verdict(row) for row in loss.to_numpy()]
                rows.append(
                    (
                        teacher.replace("Classifier", ""),
                        student,
                        f"{alpha:g}",
                        f"{np.exp(-mean.mean()):.3f}",
                        f"{(mean > 0).sum()} of {len(mean)}",
                        "/".join(str(verdicts.count(v)) for v in (1, 0, -1)),
                        f"{100 * accuracy.to_numpy().mean():+.1f}",
                    )
                )
    header = (
        "teacher",
        "student",
        "alpha",
        "log-loss / that of labels alone",
        "better on",
        "won/tied/lost",
        "accuracy, points",
    )
    return table(header, rows)


def by_table(results):
    """Return the log-loss ratios of every table at the default alpha."""
    plain, _ = students()
    names = list(results.table.unique())
    rows = []
    for teacher in ("RandomForestClassifier", "EnsembleTeacher"):
        for student in plain:
            loss = paired(results, student, teacher, 0.5, student, "log-loss")
            ratios = np.exp(-loss.mean(axis=1)).reindex(names)
            if loss.empty:
                continue
            cells = ["" if np.isnan(ratio) else f"{ratio:.2f}" for ratio in ratios]
            rows.append((teacher.replace("Classifier", ""), student, *cells))
    return table(("teacher", "student", *names), rows)


def levels(results):
    """Return the log-losses of teachers and of students on labels alone."""
    chosen = results[(results.student == "teacher") | (results.teacher == "labels")]
    name = chosen.student.where(chosen.student != "teacher", chosen.teacher)
    mean = chosen.assign(model=name).pivot_table(
        index="model", columns="table", values="log-loss", sort=False
    )
    rows = [
        (model, *["" if np.isnan(value) else f"{value:.3f}" for value in row])
        for model, row in mean.iterrows()
    ]
    return table(("", *mean.columns), rows)


def write_page(results):
    write(
        "students",
        "Students of other kinds",
        "A student that is no network learns a table in which every row stands once "
        "per class, weighted by `alpha` times the teacher's probability plus "
        "`1 - alpha` times the label. It is compared to the same classifier, with the "
        f"same settings, on the labels alone, on {results.table.nunique()} tables of "
        f"at most {MAX_TRAIN} training and {MAX_TEST} test rows, in "
        f"{results.seed.nunique()} splits. For the log-loss, all probabilities are "
        "smoothed by 1e-4, which spares trees on labels alone an infinite one. *Better "
        "on* counts tables by their mean; one is won or lost if a 95 % interval of the "
        "paired differences between splits excludes zero. Boosters have 30 rounds of 8 "
        "leaves; with its defaults, HistGradientBoosting has 100 of 31, on tables of "
        "up to three classes. *Regression on logits* is one booster of 30 rounds per "
        "class on the teacher's logits, next to HistGradientBoosting on the labels.",
        summary(results),
        "Log-loss relative to labels alone, table by table, at `alpha=0.5`; below 1 "
        "the student is better:",
        by_table(results),
        "Log-loss of the teachers, and of the students on labels alone:",
        levels(results),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    parts = Parallel(n_jobs=options.jobs)(
        delayed(results_of)(name, load, seed)
        for name, load in tables(options.paths).items()
        for seed in range(options.splits)
    )
    rows = [row for part in parts for row in part]
    write_page(pd.DataFrame(rows, columns=COLUMNS))


if __name__ == "__main__":
    main()
