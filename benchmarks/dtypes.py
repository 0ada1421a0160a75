"""What weights in float16 and int8 cost: log-loss on three tables, and bytes.

    python benchmarks/dtypes.py

writes docs/benchmarks/dtypes.md.
"""

import tempfile
import warnings
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from timing import table, write

from skdistill import CompactClassifier, DistilledClassifier

TABLES = {
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
    "wine": load_wine,
}
DTYPES = "float32", "float16", "int8"
N_SPLITS = 5


def reloaded(small, dtype):
    """Return a model as its file gives it back, and the size of that."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        small.save(path, dtype=dtype)
        return CompactClassifier.load(path), path.stat().st_size


def losses(X, y):
    """Return log-losses, the share of labels that change, and sizes, split by split."""
    found = {dtype: [] for dtype in DTYPES}
    splits = StratifiedKFold(N_SPLITS, shuffle=True, random_state=0)
    for seed, (train, test) in enumerate(splits.split(X, y)):
        forest = RandomForestClassifier(random_state=seed)
        model = DistilledClassifier(
            forest, preprocessor="auto", blend=False, random_state=seed
        )
        small = model.fit(X[train], y[train]).compact()
        labels = small.predict(X[test])
        for dtype in DTYPES:
            again, size = reloaded(small, dtype)
            # In float64, a probability of float32 does not add up to 1.
            proba = again.predict_proba(X[test]).astype(np.float64)
            proba /= proba.sum(axis=1, keepdims=True)
            changed = np.mean(again.predict(X[test]) != labels)
            found[dtype].append((log_loss(y[test], proba), changed, size))
    return {dtype: np.array(values) for dtype, values in found.items()}


def difference(of, to):
    """Return the mean of paired differences, with the 95 % interval of Student's t."""
    values = of - to
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return f"{values.mean():+.5f} ± {half:.5f}"


def rows_of(name, found):
    base = found["float32"]
    yield [name, "float32", f"{base[:, 0].mean():.4f}", "", "", f"{base[0, 2]:,.0f}"]
    for dtype in DTYPES[1:]:
        loss, changed, size = found[dtype].T
        yield [
            name,
            dtype,
            f"{loss.mean():.4f}",
            difference(loss, base[:, 0]),
            f"{100 * changed.mean():.2f} %",
            f"{size[0]:,.0f}",
        ]


def main():
    warnings.simplefilter("ignore")
    rows = []
    for name, load in TABLES.items():
        X, y = load(return_X_y=True)
        rows += rows_of(name, losses(X, y))
    header = ["table", "weights", "log-loss", "beside float32"]
    header += ["labels that change", "bytes of the file"]
    write(
        "dtypes",
        "Weights in fewer bits",
        "Log-loss on held-out rows of a student with the default widths, taught by a "
        "random forest, once its `CompactClassifier` was saved with weights of each "
        f"`dtype` and loaded again. {N_SPLITS} splits of tables that scikit-learn "
        "ships; paired differences with their 95 % intervals.",
        table(header, rows),
    )


if __name__ == "__main__":
    main()
