"""
A report: what it costs and what it gains
=========================================

Teacher, student and baseline side by side, on rows that none of them has seen, with
intervals and a verdict in words.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistillationReport, DistilledClassifier

X, y = make_classification(
    n_samples=8_000, n_features=20, n_informative=10, n_redundant=5, random_state=1
)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=2_000, random_state=0
)
teacher = HistGradientBoostingClassifier(random_state=0)
model = DistilledClassifier(
    teacher, preprocessor="auto", max_epochs=60, random_state=0
).fit(X_train, y_train)
simple = make_pipeline(StandardScaler(), LogisticRegression()).fit(X_train, y_train)

# %%
# The training rows are for the baseline: the same network on the labels alone.
report = DistillationReport.from_estimator(
    model,
    X_test,
    y_test,
    X_train=X_train,
    y_train=y_train,
    reference={"logistic regression": simple},
)
print(report.verdict)

# %%
# In a notebook it shows its tables:
report

# %%
# Are the probabilities what they say? ``report.to_html("report.html")`` writes a
# page with this picture and more.
report.reliability.plot()
plt.show()
