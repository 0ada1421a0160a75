"""Time and memory of `predict_proba`, beside what else one could call.

    python benchmarks/predict.py

writes docs/benchmarks/predict.md and predict.png.
"""

import resource
import subprocess
import sys
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier
from timing import RESULTS, in_turn, milliseconds, ratio, table, write

from skdistill import DistilledClassifier, EnsembleTeacher

N_ROWS = (1, 100, 10_000, 100_000)
N_FEATURES = 20
MEMORY_ROWS = 5_000_000


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


def onnx_runtime(module):
    """Return the module as an ONNX Runtime session, or None without the extra."""
    try:
        import onnx
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None
    nodes, weights, name = [], [], "X"
    layers = [layer for layer in module.layers if hasattr(layer, "weight")]
    for i, layer in enumerate(layers):
        for kind in ("weight", "bias"):
            array = getattr(layer, kind).detach().numpy()
            weights.append(numpy_helper.from_array(array, f"{kind}{i}"))
        inputs = [name, f"weight{i}", f"bias{i}"]
        nodes.append(helper.make_node("Gemm", inputs, [f"linear{i}"], transB=1))
        last = i == len(layers) - 1
        kind, name = ("Softmax", "proba") if last else ("Relu", f"hidden{i}")
        nodes.append(helper.make_node(kind, [f"linear{i}"], [name]))
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, N_FEATURES])],
        [helper.make_tensor_value_info("proba", TensorProto.FLOAT, [None, 2])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return lambda X: session.run(None, {"X": X})


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
    functions = {
        "distilled": distilled.predict_proba,
        "teacher of 12": teacher.predict_proba,
        "skorch, 1 student": student.predict_proba,
        "skorch, 12 teachers": lambda X: [
            net.predict_proba(X) for net in teacher.estimators_
        ],
        "bare torch, student": bare_torch(student.module_),
        "bare numpy, student": bare_numpy(student.module_),
        "MLPClassifier": mlp.predict_proba,
        "LogisticRegression": LogisticRegression().fit(X, y).predict_proba,
        "ONNX Runtime, student": onnx_runtime(student.module_),
    }
    return {name: function for name, function in functions.items() if function}


def timings(functions):
    times = {}
    for n_rows in N_ROWS:
        X, _ = data(n_rows)
        calls = {
            name: lambda function=function, X=X: function(X)
            for name, function in functions.items()
        }
        n_rounds = 15 if n_rows <= 100 else 5
        times[n_rows] = in_turn(calls, n_rounds, min_duration=0.1)
    return times


def peak_memory():
    """Return the MB that predict_proba needs beside input and output, by dtype."""
    found = {}
    for dtype in ("float32", "float64"):
        command = [sys.executable, __file__, "--memory", dtype]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[dtype] = float(done.stdout)
    return found


def print_peak_memory(dtype):
    X, y = data(512)
    model = DistilledClassifier(max_epochs=1, random_state=0)
    model.fit(X, y, soft_targets=np.full((512, 2), 0.5)).predict_proba(X)
    X = np.ones((MEMORY_ROWS, N_FEATURES), dtype=dtype)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    proba = model.predict_proba(X)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print((after - before) / 1024 - proba.nbytes / 2**20)


def plot(times):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name in times[1]:
        own = name in ("distilled", "teacher of 12")
        medians = [1e3 * np.median(times[n_rows][name]) for n_rows in N_ROWS]
        ax.plot(
            N_ROWS, medians, "o-" if own else ".--", lw=2.5 if own else 1, label=name
        )
    ax.set(xscale="log", yscale="log", xlabel="rows", ylabel="milliseconds per call")
    ax.legend(fontsize=8)
    ax.grid(alpha=0.3)
    figure.savefig(RESULTS / "predict.png", dpi=120)


def main():
    times = timings(contestants())
    names = list(times[1])
    absolute = [
        [name, *(milliseconds(times[n_rows][name]) for n_rows in N_ROWS)]
        for name in names
    ]
    relative = [
        [name, *(ratio(times[n_rows], name, "distilled") for n_rows in N_ROWS)]
        for name in names[1:]
    ]
    ensemble = [
        ratio(times[n_rows], "skorch, 12 teachers", "teacher of 12")
        for n_rows in N_ROWS
    ]
    rows = [f"{n_rows:,} row" + "s" * (n_rows > 1) for n_rows in N_ROWS]
    memory = ", ".join(
        f"{extra:.0f} MB for {dtype} input" for dtype, extra in peak_memory().items()
    )
    write(
        "predict",
        "Prediction",
        "`predict_proba` on 20 features: the student of the reference recipe (3,490 "
        "parameters) and its teacher of twelve networks (559,896).",
        "Milliseconds per call:\n\n" + table(["", *rows], absolute),
        "Times as slow as `DistilledClassifier.predict_proba`:\n\n"
        + table(["", *rows], relative),
        "Twelve skorch calls, times as slow as `EnsembleTeacher.predict_proba`:\n\n"
        + table(rows, [ensemble]),
        f"Peak memory of `DistilledClassifier.predict_proba` on {MEMORY_ROWS:,} rows, "
        f"beside input and output: {memory}.",
        "![milliseconds per call against rows](predict.png)",
    )
    plot(times)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        print_peak_memory(sys.argv[2])
    else:
        main()
