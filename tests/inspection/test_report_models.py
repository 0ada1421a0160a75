"""What a report makes of the fitted models that it is given."""

import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from skdistill import DistillationReport, compact, distill
from skdistill._inspection.report_models import parts_of
from tests.nets import small_distilled, small_teacher


def test_it_knows_whether_the_student_learned_from_calibrated_probabilities(binary):
    X, y = binary
    linear = LogisticRegression().fit(X, y)
    wrap, use = "wrap it in a CalibratedClassifierCV", "use calibrate='auto'"
    for teacher, calibrate, expected in (
        (LogisticRegression(), "auto", None),
        (LogisticRegression(), False, use),
        (FrozenEstimator(linear), "auto", wrap),
        (CalibratedClassifierCV(FrozenEstimator(linear)), False, None),
        (small_teacher(), False, use),
        (small_teacher(calibrate=True), False, None),
    ):
        student = small_distilled(teacher, calibrate=calibrate, max_epochs=1)
        assert parts_of(student.fit(X, y)).how_to_calibrate == expected
    answering = distill(linear.predict_proba, X, classes=linear.classes_, max_epochs=1)
    assert parts_of(answering).how_to_calibrate == wrap


def test_a_compact_copy_is_told_that_it_has_no_teacher(binary):
    small = compact(small_distilled(alpha=0, max_epochs=1).fit(*binary))
    with pytest.raises(
        TypeError,
        match="Got CompactClassifier, which has no teacher: pass what it is a copy of",
    ):
        DistillationReport.from_estimator(small, *binary)
