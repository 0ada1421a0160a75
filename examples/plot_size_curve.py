"""
How small may it be?
====================

A curve of quality against size, for students, the same networks on the labels alone,
and their teacher, all on the same folds.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesClassifier

from skdistill import (
    DistilledClassifier,
    TradeoffDisplay,
    distillation_curve,
    smallest_within,
)

X, y = load_digits(return_X_y=True)
model = DistilledClassifier(
    ExtraTreesClassifier(random_state=0),
    preprocessor="auto",
    calibrate=False,
    max_epochs=60,
    random_state=0,
)
curve = distillation_curve(
    model,
    X,
    y,
    hidden_layer_sizes=[(4,), (8,), (16,), (32,), (64,), (64, 32), (128, 64)],
    cv=3,
)

# %%
# Each teacher was fitted once per fold, for all sizes. A ring marks a student that no
# other beats in both size and log-loss.
display = TradeoffDisplay.from_curve(curve, against="n_bytes", negate_score=True)
plt.show()

# %%
# The numbers behind it, and the smallest student that loses no more than 0.02 to the
# best of them:
print(smallest_within(curve, 0.02, of="best"))
display.frame().round(3)
