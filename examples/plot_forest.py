"""
A forest, and what its probabilities say
========================================

A label says "this is a 9". A forest's probabilities say that it could also have been an
8, and that is what a student learns on top.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skdistill import DistilledClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.5, stratify=y, random_state=0
)

# %%
# The forest is fitted within `fit`, and five times more to see how sure it may be.
forest = RandomForestClassifier(random_state=0)
settings = {"preprocessor": "auto", "max_epochs": 150, "random_state": 0}
student = DistilledClassifier(forest, **settings).fit(X_train, y_train)
baseline = DistilledClassifier(alpha=0, **settings).fit(X_train, y_train)

for name, model in [
    ("forest", student.teacher_),
    ("baseline", baseline),
    ("student", student),
]:
    proba = model.predict_proba(X_test)
    print(
        f"{name:9} accuracy {np.mean(proba.argmax(axis=1) == y_test):.3f}, "
        f"log-loss {log_loss(y_test, proba):.3f}"
    )

# %%
# Three training rows that the forest finds hard, and what it says of them. Soft targets
# are softened by the temperature, so that the small ones count.
proba = student.teacher_.predict_proba(X_train)
soft = proba ** (1 / student.temperature)
soft /= soft.sum(axis=1, keepdims=True)
hard = np.sort(proba, axis=1)[:, -2].argsort()[-3:]
fig, axes = plt.subplots(
    2, 3, figsize=(8, 4.5), height_ratios=[1, 1.2], layout="constrained"
)
for (image_ax, bar_ax), row in zip(axes.T, hard, strict=True):
    image_ax.imshow(X_train[row].reshape(8, 8), cmap="gray_r")
    image_ax.set(title=f"label: {y_train[row]}", xticks=[], yticks=[])
    bar_ax.bar(np.arange(10) - 0.2, proba[row], 0.4, label="forest")
    bar_ax.bar(np.arange(10) + 0.2, soft[row], 0.4, label="softened")
    bar_ax.set(xticks=range(10), ylim=(0, 1), xlabel="class")
axes[1, 0].set_ylabel("probability")
axes[1, 0].legend(frameon=False)
plt.show()
