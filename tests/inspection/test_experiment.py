import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss

from skdistill._inspection.estimates import ACCURACY
from skdistill._inspection.experiment import (
    Plan,
    fit_scores,
    reference_split,
    score_repeat,
)
from tests.nets import small_distilled


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    proba = rng.dirichlet([1, 1, 1], size=(2, 30))
    proba[0, 0] = [1, 0, 0]
    y, choice = rng.integers(3, size=(2, 30))
    y[0] = 1
    scores = fit_scores(proba, y, [np.eye(3)[choice]])
    assert scores.shape == (3, 2, 30)
    for fit, (accuracy, loss, agreement) in enumerate(scores.mean(axis=2).T):
        predicted = proba[fit].argmax(axis=1)
        assert accuracy == pytest.approx(100 * accuracy_score(y, predicted))
        assert loss == pytest.approx(log_loss(y, proba[fit], labels=[0, 1, 2]))
        assert agreement == pytest.approx(100 * (predicted == choice).mean())


def test_a_teacher_may_know_more_classes():
    """The columns of its probabilities are those of its own classes."""
    X, y = load_iris(return_X_y=True)
    teacher = LogisticRegression(max_iter=1000).fit(X, y)
    X, y = X[y > 0], y[y > 0]
    student = small_distilled(alpha=0.0).fit(X, y)
    models = {"distilled": [student], "ensemble": [teacher]}
    names = dict.fromkeys(models, "")
    scores = score_repeat(0, X, y, models, names, is_table=True).scores
    accuracy = 100 * accuracy_score(y, teacher.predict(X))
    assert scores["ensemble"][ACCURACY].mean() == pytest.approx(accuracy)


def test_reference_split_has_the_published_sizes_and_problem():
    plan = Plan("", 4000, 21000, 0, 12, 30, 3, 50, 1)
    X_train, X_test, y_train, y_test = reference_split(42, plan)
    assert X_train.shape == (4000, 20)
    assert X_test.shape == (21000, 20)
    assert set(y_train) == set(y_test) == {0, 1}
    assert abs(y_test.mean() - 0.5) < 0.01
