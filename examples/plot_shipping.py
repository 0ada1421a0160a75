"""
Shipping: a small file, ONNX, the browser
=========================================

A fitted :class:`~skdistill.DistilledClassifier` holds its teacher, to compare with.
What ships is the student alone: a copy without torch, a file without pickle, or an ONNX
model.
"""

import pickle
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from timeit import repeat

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from skdistill import CompactClassifier, DistilledClassifier, to_onnx

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = DistilledClassifier(
    RandomForestClassifier(random_state=0),
    preprocessor="auto",
    max_epochs=100,
    random_state=0,
)
model.fit(X_train, y_train)

# %%
# The file holds weights, the preprocessing and where it comes from. It is checked when
# it is read, and nothing in it is executed.
path = Path(mkdtemp()) / "digits.safetensors"
small = model.compact()
small.save(path, metrics={"accuracy": small.score(X_test, y_test)})
shipped = CompactClassifier.load(path)
print("same answers:", (shipped.predict(X_test) == model.predict(X_test)).all())
for key, value in shipped.provenance_.items():
    print(f"{key}: {value}")

# %%
# As ONNX it runs wherever ONNX Runtime does, from Python to C# and phones.
# :func:`~skdistill.to_onnx` takes some rows for the type of the input.
rows = X_test.astype(np.float32)
onnx_model = to_onnx(model, rows).SerializeToString()
session = onnxruntime.InferenceSession(onnx_model)
label, probabilities = session.run(None, {"X": rows})
distance = np.abs(probabilities - model.predict_proba(X_test)).max()
print(f"probabilities differ by no more than {distance:.0e}")

# %%
# Written to a file, it runs in a browser as well, with onnxruntime-web:
#
# .. code-block:: js
#
#    const session = await ort.InferenceSession.create("digits.onnx");
#    const row = new ort.Tensor("float32", pixels, [1, 64]);
#    const { label, probabilities } = await session.run({ X: row });
#
# The other file needs no runtime there: :doc:`/guide/model_file` has a reader for it,
# of some eighty lines.
#
# Bytes, and the time that one row takes:
ask = {
    "forest": partial(model.teacher_.predict_proba, X_test[:1]),
    "student, with its forest": partial(model.predict_proba, X_test[:1]),
    "compact copy": partial(shipped.predict_proba, X_test[:1]),
    "ONNX": partial(session.run, None, {"X": rows[:1]}),
}
times = {
    name: min(repeat(call, number=10, repeat=10)) / 10 * 1e6
    for name, call in ask.items()
}
sizes = {
    "forest": len(pickle.dumps(model.teacher_)) / 1e3,
    "student, with its forest": len(pickle.dumps(model)) / 1e3,
    "compact copy": path.stat().st_size / 1e3,
    "ONNX": len(onnx_model) / 1e3,
}

fig, axes = plt.subplots(1, 2, figsize=(9, 2.4), layout="constrained", sharey=True)
for ax, values, text in [
    (axes[0], sizes, "kB"),
    (axes[1], times, "µs for one row"),
]:
    bars = ax.barh(list(values), list(values.values()))
    ax.bar_label(bars, fmt="{:,.0f}", padding=3)
    ax.set(xscale="log", xlabel=text)
    ax.margins(x=0.2)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].invert_yaxis()
plt.show()
