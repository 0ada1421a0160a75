"""
A booster with categories and holes
===================================

The booster takes the table as it is. With ``preprocessor="auto"`` its student does,
too: categories become columns of zeros and ones, holes are filled and marked.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skdistill import DistilledClassifier

# %%
# A table of customers, made from numbers: two of the columns are categories, and a
# tenth of the incomes is not known.
numbers, left = make_classification(
    n_samples=6_000,
    n_features=6,
    n_informative=5,
    n_redundant=0,
    n_clusters_per_class=3,
    flip_y=0.05,
    random_state=3,
)
rng = np.random.default_rng(0)
table = pd.DataFrame(numbers[:, :4], columns=["age", "income", "calls", "visits"])
table["plan"] = pd.qcut(numbers[:, 4], 3, labels=["basic", "plus", "pro"])
towns = pd.qcut(numbers[:, 5], 5, labels=["Ulm", "Bonn", "Kiel", "Jena", "Mainz"])
table["town"] = towns.astype(str)
table["income"] = table["income"].mask(rng.random(len(table)) < 0.1)
y = np.where(left, "left", "stayed")
train, test, y_train, y_test = train_test_split(table, y, random_state=0)
train.head()

# %%
# Text is no category for the booster unless it says so.
types = {"town": "category"}
train, test = train.astype(types), test.astype(types)
booster = HistGradientBoostingClassifier(random_state=0)
settings = {"preprocessor": "auto", "max_epochs": 50, "random_state": 0}
student = DistilledClassifier(booster, **settings).fit(train, y_train)
baseline = DistilledClassifier(alpha=0, **settings).fit(train, y_train)

models = {"booster": student.teacher_, "baseline": baseline, "student": student}
for name, model in models.items():
    proba = model.predict_proba(test)
    print(f"{name:9} log-loss {log_loss(y_test, proba):.3f}")

# %%
# What the student's network sees:
print(*student.preprocessor_.get_feature_names_out(), sep=", ")

# %%
# Student and booster agree on most rows. Where they do not, the student is often the
# better of the two here: it learned from peers as well.
x = student.teacher_.predict_proba(test)[:, 0]
y_student = student.predict_proba(test)[:, 0]
fig, ax = plt.subplots(figsize=(5, 4.6), layout="constrained")
for label, color, marker in [("left", "C1", "o"), ("stayed", "C0", "x")]:
    rows = y_test == label
    ax.scatter(
        x[rows], y_student[rows], s=12, c=color, marker=marker, alpha=0.6, label=label
    )
ax.plot([0, 1], [0, 1], color="0.5", linewidth=1)
ax.set(
    xlabel="booster's probability of leaving",
    ylabel="student's",
    aspect="equal",
)
ax.legend(title="what they did")
plt.show()
