"""
What ships
==========

A fitted :class:`~skdistill.DistilledClassifier` holds its teacher, to compare with.
What ships is the student alone: a copy without torch, and a file without pickle.
"""

import pickle
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from timeit import repeat

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from skdistill import CompactClassifier, DistilledClassifier

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
# Bytes, and the time that one row takes.
models = {
    "forest": model.teacher_,
    "student, with its forest": model,
    "what ships": shipped,
}
sizes = {name: len(pickle.dumps(each)) / 1e3 for name, each in models.items()}
sizes["what ships"] = path.stat().st_size / 1e3
times = {}
for name, each in models.items():
    ask = partial(each.predict_proba, X_test[:1])
    times[name] = min(repeat(ask, number=10, repeat=10)) / 10 * 1e6

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
