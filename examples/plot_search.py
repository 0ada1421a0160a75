"""
Search for temperature and alpha
================================

The teacher depends on neither, so :class:`~skdistill.DistilledClassifierCV` fits it
once per fold, and trains the students of all candidates and folds as one stack.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification

from skdistill import (
    DistilledClassifierCV,
    EnsembleTeacher,
    SearchDisplay,
    one_standard_error,
)

X, y = make_classification(
    n_samples=1_500, n_features=20, n_informative=10, n_redundant=5, random_state=0
)
search = DistilledClassifierCV(
    EnsembleTeacher(n_estimators=6, max_epochs=15),
    temperatures=[1.0, 2.0, 3.0, 5.0],
    alphas=[0.0, 0.25, 0.5, 0.75, 1.0],
    cv=3,
    scoring="neg_log_loss",
    refit=one_standard_error,
    max_epochs=30,
    random_state=0,
)
search.fit(X, y)
print(f"temperature {search.temperature_}, alpha {search.alpha_}, {search.engine_}")

# %%
# The choice is the lowest alpha, and the lowest temperature, within one standard error
# of the best. Differences inside that may be noise. At ``alpha=0`` there is no
# temperature: that row is the baseline.
SearchDisplay.from_estimator(search)
plt.show()

# %%
# A line for each temperature says the same.
scores = search.cv_results_["mean_test_score"]
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for temperature, line in zip([1.0, 2.0, 3.0, 5.0], "o^sD", strict=True):
    chosen = [
        (params["alpha"], score)
        for params, score in zip(search.cv_results_["params"], scores, strict=True)
        if params["temperature"] == temperature
    ]
    ax.plot(*zip(*sorted(chosen), strict=True), marker=line, label=f"T = {temperature}")
ax.set(xlabel="alpha", ylabel="mean of minus log-loss")
ax.legend()
plt.show()
