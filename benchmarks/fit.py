"""Time of `EnsembleTeacher.fit`, beside the ways of writing it by hand.

    python benchmarks/fit.py

writes docs/benchmarks/fit.md and fit.png.
"""

from itertools import pairwise

import numpy as np
import torch
from sklearn.datasets import make_classification
from skorch import NeuralNetClassifier
from timing import RESULTS, in_turn, ratio, table, write
from torch import nn

from skdistill import TeacherModel, reference_recipe

N_EPOCHS = 3
N_ROUNDS = 5
BATCH_SIZE = 64
SIZES = (1, 3, 6, 12, 24, 48)
ROWS = (1_000, 4_000, 20_000, 100_000)
REFERENCE = {"n_members": 12, "n_rows": 4_000}


def data(n_rows):
    X, y = make_classification(
        n_samples=n_rows, n_features=20, n_informative=10, n_redundant=5, random_state=0
    )
    return X.astype(np.float32), y.astype(np.int64)


def ensemble(X, y, n_members, n_epochs, engine="auto"):
    teacher = reference_recipe().teacher
    teacher.set_params(n_estimators=n_members, max_epochs=n_epochs, engine=engine)
    teacher.set_params(random_state=0).fit(X, y)


def skorch_fits(X, y, n_members, n_epochs):
    for seed in range(n_members):
        torch.manual_seed(seed)
        NeuralNetClassifier(
            TeacherModel,
            module__n_features=20,
            module__n_classes=2,
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            lr=1e-3,
            max_epochs=n_epochs,
            batch_size=BATCH_SIZE,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        ).fit(X, y)


def written_by_hand(X, y, n_members, n_epochs):
    """Train one network after another, with nothing in the loop but the training."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    for seed in range(n_members):
        torch.manual_seed(seed)
        model = TeacherModel(20, 2)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        for _ in range(n_epochs):
            for batch in torch.randperm(len(X)).split(BATCH_SIZE):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(X[batch]), y[batch]).backward()
                optimizer.step()


def matmul_only(n_rows, n_members, n_epochs):
    """Do the matrix products of the training steps, and nothing else."""
    sizes = [20, 256, 128, 64, 2]
    layers = [
        (
            torch.randn(n_members, BATCH_SIZE, n_in),
            torch.randn(n_members, n_in, n_out),
            torch.randn(n_members, BATCH_SIZE, n_out),
        )
        for n_in, n_out in pairwise(sizes)
    ]
    buffers = [tuple(torch.empty_like(part) for part in layer) for layer in layers]
    for _ in range(n_epochs * -(-n_rows // BATCH_SIZE)):
        for i, (x, weights, grad) in enumerate(layers):
            grad_x, grad_weights, out = buffers[i]
            torch.bmm(x, weights, out=out)
            torch.bmm(x.mT, grad, out=grad_weights)
            if i:
                torch.bmm(grad, weights.mT, out=grad_x)


def against_others():
    X, y = data(REFERENCE["n_rows"])
    n_members = REFERENCE["n_members"]
    ways = {
        "`EnsembleTeacher`": lambda: ensemble(X, y, n_members, N_EPOCHS),
        '`EnsembleTeacher(engine="joblib")`': lambda: ensemble(
            X, y, n_members, N_EPOCHS, "joblib"
        ),
        "12 skorch fits": lambda: skorch_fits(X, y, n_members, N_EPOCHS),
        "12 PyTorch loops by hand": lambda: written_by_hand(X, y, n_members, N_EPOCHS),
        "its matrix products alone": lambda: matmul_only(len(X), n_members, N_EPOCHS),
    }
    return in_turn(ways, N_ROUNDS)


def over_sizes():
    X, y = data(REFERENCE["n_rows"])
    ways = {
        n_members: lambda n_members=n_members: ensemble(X, y, n_members, N_EPOCHS)
        for n_members in SIZES
    }
    ways["lone"] = lambda: skorch_fits(X, y, 1, N_EPOCHS)
    return in_turn(ways, N_ROUNDS)


def over_rows():
    """Return the seconds of one epoch by rows, skorch's from one member's times 12."""
    times = {}
    for n_rows in ROWS:
        X, y = data(n_rows)
        ways = {
            "ours": lambda X=X, y=y: ensemble(X, y, 12, 1),
            "skorch": lambda X=X, y=y: skorch_fits(X, y, 1, 1),
        }
        times[n_rows] = in_turn(ways, 3)
        times[n_rows]["skorch"] *= 12
    return times


def plot(sizes):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    medians = [np.median(sizes[n_members]) / N_EPOCHS for n_members in SIZES]
    lone = np.median(sizes["lone"]) / N_EPOCHS
    ax.plot(SIZES, medians, "o-", lw=2.5, label="EnsembleTeacher")
    ax.plot(SIZES, lone * np.array(SIZES), ".--", label="skorch, one after another")
    ax.set(xscale="log", yscale="log", xlabel="members", ylabel="seconds per epoch")
    ax.set_xticks(SIZES, labels=SIZES, minor=False)
    ax.set_xticks([], minor=True)
    ax.legend()
    ax.grid(alpha=0.3)
    figure.savefig(RESULTS / "fit.png", dpi=120)


def main():
    others, sizes, rows = against_others(), over_sizes(), over_rows()
    ours = "`EnsembleTeacher`"
    write(
        "fit",
        "Training",
        "`EnsembleTeacher.fit` on the reference recipe: 12 networks 20-256-128-64-2 "
        f"with dropout, 4,000 rows, batches of 64; {N_EPOCHS} epochs per timing.",
        table(
            ["", "seconds per epoch", "times as slow as `EnsembleTeacher`"],
            [
                [name, f"{np.median(times) / N_EPOCHS:.3f}", ratio(others, name, ours)]
                for name, times in others.items()
            ],
        ),
        "By the number of members; one lone skorch fit of a member is 1:\n\n"
        + table(
            ["members", "seconds per epoch", "time of a member"],
            [
                [
                    n_members,
                    f"{np.median(sizes[n_members]) / N_EPOCHS:.3f}",
                    ratio(
                        {"one": sizes[n_members] / n_members, "lone": sizes["lone"]},
                        "one",
                        "lone",
                    ),
                ]
                for n_members in SIZES
            ],
        ),
        "Growth from 12 to 48 members, where 4 is linear: "
        + ratio(sizes, 48, 12)
        + ".",
        "By the number of rows, 12 members, one epoch; skorch is one member's time, "
        "times 12:\n\n"
        + table(
            ["rows", "seconds", "skorch, times as slow"],
            [
                [
                    f"{n_rows:,}",
                    f"{np.median(times['ours']):.3f}",
                    ratio(times, "skorch", "ours"),
                ]
                for n_rows, times in rows.items()
            ],
        ),
        "![seconds per epoch against members](fit.png)",
    )
    plot(sizes)


if __name__ == "__main__":
    main()
