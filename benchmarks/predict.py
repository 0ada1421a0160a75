"""Time and memory of `predict_proba`, beside what else one could call.

    python benchmarks/predict.py

writes docs/benchmarks/predict.md and predict.png. `--quick` makes a few calls
on few rows each, and writes into the folder that follows it.
"""

import argparse
import pickle
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import timing
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from timing import in_turn, milliseconds, ratio, table, write

from skdistill import DistilledClassifier, EnsembleTeacher, compact, to_onnx

N_ROWS = (1, 100, 10_000, 100_000)
N_FEATURES = 20
MEMORY_ROWS = 5_000_000
COLD_ROUNDS = 9


def data(n_rows):
    X = np.random.default_rng(0).normal(size=(n_rows, N_FEATURES)).astype(np.float32)
    return X, (X[:, :3].sum(axis=1) > 0).astype(int)


def bare_numpy(module):
    """Return the forward pass that one would write by hand, softmax included."""
    layers = [
        (layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy().copy())
        for layer in module.layers
        if hasattr(layer, "weight")
    ]

    def predict_proba(X):
        for weights, bias in layers[:-1]:
            X = np.maximum(X @ weights + bias, 0)
        weights, bias = layers[-1]
        logits = X @ weights + bias
        proba = np.exp(logits - logits.max(axis=1, keepdims=True))
        return proba / proba.sum(axis=1, keepdims=True)

    return predict_proba


def bare_torch(module):
    def predict_proba(X):
        with torch.inference_mode():
            return torch.softmax(module(torch.from_numpy(X)), dim=1).numpy()

    return predict_proba


def onnx_runtime(model):
    """Return a model in ONNX Runtime."""
    session = onnxruntime.InferenceSession(to_onnx(model).SerializeToString())
    return lambda X: session.run(["probabilities"], {"X": X})[0]


def contestants():
    X, y = data(512)
    teacher = EnsembleTeacher(max_epochs=1, random_state=0).fit(X, y)
    uniform = np.full((len(y), 2), 0.5)
    distilled = DistilledClassifier(max_epochs=1, random_state=0)
    distilled.fit(X, y, soft_targets=uniform)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mlp = MLPClassifier((64, 32), max_iter=1, random_state=0).fit(X, y)
    student: NeuralNetClassifier = distilled.student_
    return {
        "distilled": distilled.predict_proba,
        "compact": distilled.compact().predict_proba,
        "ONNX Runtime": onnx_runtime(distilled),
        "teacher of 12": teacher.predict_proba,
        "ONNX Runtime, teacher": onnx_runtime(teacher),
        "skorch, 1 student": student.predict_proba,
        "skorch, 12 teachers": lambda X: [
            net.predict_proba(X) for net in teacher.estimators_
        ],
        "bare torch, student": bare_torch(student.module_),
        "bare numpy, student": bare_numpy(student.module_),
        "MLPClassifier": mlp.predict_proba,
        "LogisticRegression": LogisticRegression().fit(X, y).predict_proba,
    }


def timings(functions, quick):
    times = {}
    for n_rows in N_ROWS[:2] if quick else N_ROWS:
        X, _ = data(n_rows)
        calls = {
            name: lambda function=function, X=X: function(X)
            for name, function in functions.items()
        }
        n_rounds = 15 if n_rows <= 100 else 5
        settings = (2, 0.0) if quick else (n_rounds, 0.1)
        times[n_rows] = in_turn(calls, *settings)
    return times


def peak_memory(n_rows):
    """Return the MB that predict_proba needs beside input and output, by dtype."""
    found = {}
    for dtype in ("float32", "float64"):
        command = [sys.executable, __file__, "--memory", dtype, str(n_rows)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[dtype] = float(done.stdout)
    return found


def print_peak_memory(dtype, n_rows):
    X, y = data(512)
    model = DistilledClassifier(max_epochs=1, random_state=0)
    model.fit(X, y, soft_targets=np.full((512, 2), 0.5)).predict_proba(X)
    X = np.ones((n_rows, N_FEATURES), dtype=dtype)
    before = peak_kilobytes()
    proba = model.predict_proba(X)
    print((peak_kilobytes() - before) / 1024 - proba.nbytes / 2**20)


def peak_kilobytes():
    # Not getrusage, whose maximum starts at what the parent process had.
    with open("/proc/self/status") as file:
        return int(next(line.split()[1] for line in file if line.startswith("VmHWM:")))


# --- Cold start ---------------------------------------------------------------------

# What a process does from its start to its first answer, for one row of zeros.
PICKLED = """
import pickle
import numpy as np
with open({path!r}, "rb") as file:
    model = pickle.load(file)
model.predict_proba(np.zeros((1, {n_features}), dtype=np.float32))
"""
LOADED = """
import numpy as np
from skdistill import {name}
model = {name}.load({path!r})
model.predict_proba(np.zeros((1, {n_features}), dtype=np.float32))
"""
LOADED_CLASSIFIER = LOADED.replace("{name}", "CompactClassifier")
LOADED_PREDICTOR = LOADED.replace("{name}", "CompactPredictor")
IN_ONNX = """
import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession({path!r})
session.run(None, {{"X": np.zeros((1, {n_features}), dtype=np.float32)}})
"""
RESIDENT = """
with open("/proc/self/status") as file:
    print(next(line.split()[1] for line in file if line.startswith("VmRSS:")))
"""


def first_answers(folder):
    """Write models into a folder, and return programs that each load and ask one."""
    X, y = data(512)
    student = DistilledClassifier(max_epochs=1, random_state=0)
    uniform = np.full((len(y), 2), 0.5)
    pipeline = make_pipeline(StandardScaler(), student)
    pipeline.fit(X, y, distilledclassifier__soft_targets=uniform)
    teacher = EnsembleTeacher(max_epochs=1, random_state=0)
    big = make_pipeline(StandardScaler(), teacher).fit(X, y)
    # One model, of scaler and student.
    compact(pipeline, merge_scaler=True).save(folder / "model.safetensors")
    for name, model in {
        "student": pipeline,
        "teacher": big,
        "compact": compact(pipeline),
    }.items():
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(model))
    onnx_model = to_onnx(pipeline).SerializeToString()
    (folder / "model.onnx").write_bytes(onnx_model)
    programs = {
        "student, pickle (torch, skorch)": (PICKLED, "student.pickle"),
        "teacher, pickle (torch, skorch)": (PICKLED, "teacher.pickle"),
        "compact, pickle": (PICKLED, "compact.pickle"),
        "CompactClassifier, file": (LOADED_CLASSIFIER, "model.safetensors"),
        "CompactPredictor, file": (LOADED_PREDICTOR, "model.safetensors"),
        "ONNX Runtime": (IN_ONNX, "model.onnx"),
        "`import torch` alone": ("import torch", None),
        "`import numpy` alone": ("import numpy", None),
    }
    found = {}
    for label, (program, name) in programs.items():
        path = None if name is None else folder / name
        code = program.format(path=str(path), n_features=N_FEATURES)
        found[label] = code, None if path is None else path.stat().st_size
    return found


def cold_starts(n_rounds):
    """Return the seconds, the resident MB and the kB on disk of each first answer."""
    with tempfile.TemporaryDirectory() as folder:
        programs = first_answers(Path(folder))
        memory = {}

        def started(label):
            command = [sys.executable, "-c", programs[label][0] + RESIDENT]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            memory[label] = int(done.stdout) / 1024

        calls = {label: lambda label=label: started(label) for label in programs}
        times = in_turn(calls, n_rounds)
    sizes = {label: size for label, (_, size) in programs.items()}
    return times, memory, sizes


def cold_table(times, memory, sizes):
    to = "`import torch` alone"
    return table(
        ["", "milliseconds", f"times {to}", "resident MB", "kB on disk"],
        [
            [
                name,
                milliseconds(times[name]),
                ratio(times, name, to),
                f"{memory[name]:.0f}",
                "" if sizes[name] is None else f"{sizes[name] / 1000:.0f}",
            ]
            for name in times
        ],
    )


# --- Output -------------------------------------------------------------------------


def plot(times, cold):
    import matplotlib.pyplot as plt

    figure, (ax, right) = plt.subplots(
        ncols=2, figsize=(12, 4.8), layout="constrained", width_ratios=[3, 2]
    )
    own = ("distilled", "compact", "ONNX Runtime", "teacher of 12")
    for name in times[1]:
        medians = [1e3 * np.median(times[n_rows][name]) for n_rows in times]
        style, width = ("o-", 2.5) if name in own else (".--", 1)
        ax.plot([*times], medians, style, lw=width, label=name)
    ax.set(xscale="log", yscale="log", xlabel="rows", ylabel="milliseconds per call")
    ax.legend(fontsize=8)
    ax.grid(alpha=0.3)
    names = [*cold][::-1]
    seconds = [np.median(cold[name]) for name in names]
    labels = [name.replace("`", "").replace(" (", "\n(") for name in names]
    bars = right.barh(labels, seconds, color="C0")
    right.bar_label(bars, fmt="%.2f", padding=3)
    right.set(xlabel="seconds from process start to first answer")
    right.margins(x=0.15)
    right.grid(axis="x", alpha=0.3)
    right.set_axisbelow(True)
    figure.savefig(timing.RESULTS / "predict.png", dpi=120)
    plt.close(figure)


def main(quick=False):
    times = timings(contestants(), quick)
    cold, resident, sizes = cold_starts(2 if quick else COLD_ROUNDS)
    names = list(times[1])
    absolute = [
        [name, *(milliseconds(times[n_rows][name]) for n_rows in times)]
        for name in names
    ]
    relative = [
        [name, *(ratio(times[n_rows], name, "distilled") for n_rows in times)]
        for name in names[1:]
    ]
    small = [
        [name, *(ratio(times[n_rows], "compact", name) for n_rows in times)]
        for name in ("bare numpy, student", "LogisticRegression")
    ]
    ensemble = [
        ratio(times[n_rows], "skorch, 12 teachers", "teacher of 12") for n_rows in times
    ]
    rows = [f"{n_rows:,} row" + "s" * (n_rows > 1) for n_rows in times]
    memory_rows = 100_000 if quick else MEMORY_ROWS
    memory = ", ".join(
        f"{extra:.0f} MB for {dtype} input"
        for dtype, extra in peak_memory(memory_rows).items()
    )
    write(
        "predict",
        "Prediction",
        "`predict_proba` on 20 features: the student of the reference recipe (3,490 "
        "parameters), its compact copy, and its teacher of twelve networks (559,896); "
        "student and teacher also in ONNX Runtime, by `to_onnx`.",
        "Milliseconds per call:\n\n" + table(["", *rows], absolute),
        "Times as slow as `DistilledClassifier.predict_proba`:\n\n"
        + table(["", *rows], relative),
        "`CompactClassifier.predict_proba`, times as slow as:\n\n"
        + table(["", *rows], small),
        "Twelve skorch calls, times as slow as `EnsembleTeacher.predict_proba`:\n\n"
        + table(rows, [ensemble]),
        "Cold start: from the start of a Python process to its first answer, for one "
        "row, by a Pipeline of a scaler and the model; the file of safetensors has the "
        "scaler in its first layer. Memory is what the process has then.\n\n"
        + cold_table(cold, resident, sizes),
        f"Peak memory of `DistilledClassifier.predict_proba` on {memory_rows:,} rows, "
        f"beside input and output: {memory}.",
        "![milliseconds per call against rows, and seconds to the first answer]"
        "(predict.png)",
    )
    plot(times, cold)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", metavar="FOLDER", type=Path)
    parser.add_argument("--memory", nargs=2, metavar=("DTYPE", "ROWS"))
    arguments = parser.parse_args()
    if arguments.memory:
        print_peak_memory(arguments.memory[0], int(arguments.memory[1]))
    else:
        if arguments.quick:
            timing.RESULTS = arguments.quick
        main(quick=arguments.quick is not None)
