"""
The reference experiment, once
==============================

Twelve networks teach one that is 160 times smaller. Beside them are the same small
network on the labels alone, and what one would try first. ``python -m skdistill``
repeats this over data and seeds, with intervals.
"""

# %%
# The data: 20 features, half of which tell the classes apart, and enough test rows to
# see a difference.
import pickle

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skdistill import DistilledClassifier, EnsembleTeacher

X, y = make_classification(
    n_samples=24_000, n_features=20, n_informative=10, n_redundant=5, random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=4_000, random_state=0
)

# %%
# The student fits its teacher by itself. With ``alpha=0`` it is the baseline. (The
# teacher trains for as long as it needs unless told otherwise, as here to save time.)
teacher = EnsembleTeacher(n_estimators=12, max_epochs=20)
student = DistilledClassifier(teacher, random_state=0).fit(X_train, y_train)
baseline = DistilledClassifier(alpha=0, random_state=0).fit(X_train, y_train)
models = {
    "teacher: 12 networks": student.teacher_,
    "student": student.compact(),
    "baseline: labels alone": baseline.compact(),
    "LogisticRegression": LogisticRegression().fit(X_train, y_train),
    "random forest": RandomForestClassifier(random_state=0).fit(X_train, y_train),
    "boosting": HistGradientBoostingClassifier(random_state=0).fit(X_train, y_train),
}

# %%
# What each is worth, and how large its file would be.
losses = {
    name: log_loss(y_test, model.predict_proba(X_test))
    for name, model in models.items()
}
sizes = {name: len(pickle.dumps(model)) / 1e3 for name, model in models.items()}
for name in models:
    print(f"{name:23} log-loss {losses[name]:.3f}, {sizes[name]:8,.1f} kB")

# %%
# Down and to the left is better.
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name in models:
    ours = name in ("student", "teacher: 12 networks", "baseline: labels alone")
    ax.scatter(
        sizes[name],
        losses[name],
        s=200 if name == "student" else 80,
        marker="*" if name == "student" else "o" if ours else "D",
        color="C0" if ours else "0.6",
    )
    ax.annotate(
        name,
        (sizes[name], losses[name]),
        xytext=(9, -14 if name == "student" else 0),
        textcoords="offset points",
        va="center",
        weight="bold" if name == "student" else None,
    )
ax.annotate(
    "",
    (sizes["student"] * 1.3, losses["student"]),
    (sizes["teacher: 12 networks"] * 0.8, losses["teacher: 12 networks"]),
    arrowprops={"arrowstyle": "->", "color": "C0", "linestyle": ":"},
)
ax.set(
    xscale="log",
    xlabel="size of the model [kB]",
    ylabel="log-loss on 20,000 test rows",
    xlim=(0.5, 60_000),
    ylim=(0, None),
)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
