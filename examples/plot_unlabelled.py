"""
A fitted model, and unlabelled rows
===================================

The model is there, the labels were few, and rows without labels are many. The student
of :func:`~skdistill.distill` sees what the model says of all of them.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons
from sklearn.ensemble import ExtraTreesClassifier

from skdistill import DistilledClassifier, distill

X, y = make_moons(n_samples=150, noise=0.2, random_state=0)
model = ExtraTreesClassifier(n_estimators=100, min_samples_leaf=2, random_state=0)
model.fit(X, y)

# %%
# Unlabelled rows come from the same source. The students see no labels: one is asked
# about the 150 rows, the other about 5,000 more.
X_more, _ = make_moons(n_samples=5_000, noise=0.2, random_state=1)
students = {
    "student of 150 rows": distill(model, X, preprocessor="auto", random_state=0),
    "student of 5,000 more": distill(
        model, X_more, preprocessor="auto", random_state=0
    ),
}
baseline = DistilledClassifier(alpha=0, preprocessor="auto", random_state=0).fit(X, y)

# %%
# How near they are to the model, on rows that none has seen:
X_test, _ = make_moons(n_samples=5_000, noise=0.2, random_state=2)
target = model.predict_proba(X_test)[:, 1]
models = {"model": model, "labels alone": baseline, **students}
for name, each in models.items():
    distance = np.abs(each.predict_proba(X_test)[:, 1] - target).mean()
    print(f"{name:22} is off by {distance:.3f} on average")

# %%
# The more rows the model is asked about, the more of its surface the student has.
x1, x2 = np.meshgrid(np.linspace(-1.8, 2.8, 100), np.linspace(-1.3, 1.8, 100))
grid = np.column_stack([x1.ravel(), x2.ravel()])
fig, axes = plt.subplots(2, 2, figsize=(8, 6), layout="constrained", sharey=True)
for ax, (name, each) in zip(axes.flat, models.items(), strict=True):
    proba = each.predict_proba(grid)[:, 1].reshape(x1.shape)
    ax.contourf(x1, x2, proba, levels=np.linspace(0, 1, 11), cmap="PuOr", alpha=0.8)
    for label, marker in enumerate("ox"):
        ax.scatter(*X[y == label].T, s=12, c="k", marker=marker)
    ax.set(title=name, xticks=[], yticks=[])
plt.show()
