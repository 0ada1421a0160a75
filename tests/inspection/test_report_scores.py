"""The figures of a report are those of scikit-learn."""

import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics
from sklearn.calibration import calibration_curve

from skdistill._inspection.reliability import calibration_error, confidence_bins
from skdistill._inspection.report_scores import (
    ROW_SCORES,
    disagreement,
    figures,
    largest_divergence,
    row_scores,
)

EXACT = {"rel": 0, "abs": 1e-12}


def predictions(n_classes, n_rows=300, seed=0):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_classes, 0.7), size=n_rows)
    y = np.array(
        [
            rng.choice(n_classes, p=row)
            for row in (proba + 0.2) / 1.0 / (1 + 0.2 * n_classes)
        ]
    )
    return y, proba


@pytest.mark.parametrize("n_classes", [2, 4])
def test_figures_equal_those_of_scikit_learn(n_classes):
    y, proba = predictions(n_classes)
    found = figures(proba, y)
    predicted = proba.argmax(axis=1)
    one_hot = np.eye(n_classes)[y]
    assert found["log_loss"] == pytest.approx(metrics.log_loss(y, proba), **EXACT)
    assert found["accuracy"] == pytest.approx(
        metrics.accuracy_score(y, predicted), **EXACT
    )
    assert found["balanced_accuracy"] == pytest.approx(
        metrics.balanced_accuracy_score(y, predicted), **EXACT
    )
    if n_classes == 2:
        area = metrics.roc_auc_score(y, proba[:, 1])
        brier = metrics.brier_score_loss(y, proba[:, 1])
    else:
        area = metrics.roc_auc_score(y, proba, multi_class="ovr")
        brier = metrics.mean_squared_error(one_hot, proba) * n_classes
    assert found["roc_auc"] == pytest.approx(area, **EXACT)
    assert found["brier"] == pytest.approx(brier, **EXACT)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_means_of_row_scores_are_the_figures(n_classes, dtype):
    y, proba = predictions(n_classes)
    proba = proba.astype(dtype)
    means = dict(zip(ROW_SCORES, row_scores(proba, y, proba).mean(axis=1), strict=True))
    found = figures(proba, y)
    tolerance = 1e-12 if dtype is np.float64 else 1e-6
    for name in ("accuracy", "log_loss", "brier"):
        assert means[name] == pytest.approx(found[name], rel=0, abs=tolerance)
    assert means["agreement"] == 1
    assert means["kl"] == pytest.approx(0, abs=1e-12)


def test_divergence_and_agreement_equal_independent_ones():
    y, student = predictions(4)
    _, teacher = predictions(4, seed=1)
    *_, agreement, kl = row_scores(student, y, teacher)
    np.testing.assert_allclose(kl, stats.entropy(teacher, student, axis=1), atol=1e-12)
    same = student.argmax(axis=1) == teacher.argmax(axis=1)
    np.testing.assert_array_equal(agreement, same)


def test_zeros_cost_what_they_cost_in_scikit_learn():
    y = np.array([0, 1, 1])
    for dtype in (np.float32, np.float64):
        proba = np.array([[1, 0], [0.5, 0.5], [1, 0]], dtype=dtype)
        teacher = np.array([[1, 0], [0, 1], [0, 1]], dtype=dtype)
        scores = dict(zip(ROW_SCORES, row_scores(proba, y, teacher), strict=True))
        assert scores["log_loss"].mean() == pytest.approx(
            metrics.log_loss(y, proba), rel=1e-6
        )
        expected = [0, np.log(2), -np.log(np.finfo(dtype).eps)]
        np.testing.assert_allclose(scores["kl"], expected, atol=1e-6)


def test_classes_without_a_test_row_are_left_out_of_means_in_silence():
    y, proba = predictions(4)
    kept = y != 2
    y, proba = y[kept], proba[kept]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = figures(proba, y)
    recalls = [(proba[y == k].argmax(axis=1) == k).mean() for k in (0, 1, 3)]
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls), **EXACT)
    areas = [metrics.roc_auc_score(y == k, proba[:, k]) for k in (0, 1, 3)]
    assert found["roc_auc"] == pytest.approx(np.mean(areas), **EXACT)
    assert found["log_loss"] == pytest.approx(
        metrics.log_loss(y, proba, labels=[0, 1, 2, 3]), **EXACT
    )
    one = figures(proba[y == 1], y[y == 1])
    assert np.isnan(one["roc_auc"])
    assert one["accuracy"] == recalls[1]


def test_calibration_error_is_that_of_a_loop():
    y, proba = predictions(3)
    confidence, correct = proba.max(axis=1), proba.argmax(axis=1) == y
    expected = 0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            gap = abs(confidence[inside].mean() - correct[inside].mean())
            expected += inside.mean() * gap
    assert figures(proba, y)["ece"] == pytest.approx(expected, **EXACT)
    bins = confidence_bins(y, proba, 15)
    assert bins.counts.sum() == len(y)
    accuracy, mean = calibration_curve(correct, confidence, n_bins=15)
    kept = bins.counts > 0
    np.testing.assert_allclose(bins.accuracy[kept], accuracy)
    np.testing.assert_allclose(bins.confidence[kept], mean)
    assert np.isnan(bins.accuracy[~kept]).all()


def test_calibration_error_of_one_who_is_always_right_and_says_so_is_0():
    y, proba = np.array([0, 1]), np.eye(2)
    assert calibration_error(confidence_bins(y, proba)) == 0


def test_disagreement_is_by_class_with_the_worst_first():
    classes = np.array(["a", "b", "c"])
    y = np.array([0, 0, 1, 1, 1, 1])
    teacher = np.eye(3)[[0, 0, 1, 1, 1, 0]]
    student = np.eye(3)[[0, 0, 1, 2, 2, 1]]
    proba = {"student": student, "teacher": teacher, "baseline": teacher}
    table = disagreement(proba, y, classes)
    assert table.index.tolist() == ["b", "a"]
    assert table["rows"].tolist() == [4, 2]
    assert table["agreement"].tolist() == [0.25, 1]
    assert table["student_accuracy"].tolist() == [0.5, 1]
    assert table["teacher_accuracy"].tolist() == [0.75, 1]
    alone = disagreement({"student": student}, y, classes)
    assert alone.columns.tolist() == ["rows", "student_accuracy"]


def test_the_rows_of_largest_divergence_come_in_order():
    y, student = predictions(3)
    _, teacher = predictions(3, seed=1)
    classes = np.array(["a", "b", "c"])
    table = largest_divergence(student, teacher, y, classes)
    kl = stats.entropy(teacher, student, axis=1)
    assert table.index.tolist() == np.argsort(-kl)[:10].tolist()
    np.testing.assert_allclose(table["kl"], np.sort(kl)[::-1][:10])
    row = table.index[0]
    assert table.loc[row, "true"] == classes[y[row]]
    assert table.loc[row, "teacher"] == classes[teacher[row].argmax()]
    assert table.loc[row, "student_proba"] == student[row].max()
