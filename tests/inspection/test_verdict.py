"""What is said of a student, in each case there is."""

import numpy as np
import pytest

from skdistill._inspection.intervals import ScoreMeans
from skdistill._inspection.outcome import FEW_ROWS
from skdistill._inspection.report_cells import cost
from skdistill._inspection.report_scores import ROW_SCORES, row_scores
from skdistill._inspection.verdict import Case, number, times, verdict

COSTS = {
    "teacher": {"bytes": 16_000.0, "row_us_p50": 900.0},
    "student": {"bytes": 100.0, "row_us_p50": 10.0},
}


def found(
    *,
    reason=None,
    noise=0.1,
    student_noise=0.1,
    costs=COSTS,
    is_taught=True,
    is_own=True,
    less_accurate=0.0,
    unsure=False,
    how_to_calibrate=None,
    n_rows=400,
    **log_losses,
):
    """Return the verdict on models with these log-losses, and accuracies that fit.

    The student's is less by `less_accurate`. The teacher's is the baseline's where it
    is `unsure`.
    """
    rng = np.random.default_rng(0)
    rows = {}
    for name, loss in log_losses.items():
        scale = student_noise if name == "student" else noise
        rows[name] = rng.normal(0, scale, size=(len(ROW_SCORES), 1, n_rows))
        rows[name][ROW_SCORES.index("log_loss")] += loss
        rows[name][ROW_SCORES.index("accuracy")] += 1 - loss
        rows[name][ROW_SCORES.index("agreement")] += 0.9
    accuracy = ROW_SCORES.index("accuracy")
    rows["student"][accuracy] -= less_accurate
    if unsure:
        rows["teacher"][accuracy] = rows["baseline"][accuracy]
    means = ScoreMeans(rows, ROW_SCORES)
    return verdict(Case(means, costs, reason, is_taught, is_own, how_to_calibrate))


def test_a_student_that_keeps_most_of_the_edge():
    verdict = found(teacher=0.2, student=0.25, baseline=0.5)
    assert verdict.kind == "good"
    assert verdict.text.startswith("The student keeps 8")
    assert (
        "of the teacher's edge in log-loss, at 1/160 of the teacher's size and 1/90 of "
        "its time for one row. In accuracy the student has 8"
    ) in verdict.text
    assert verdict.advice == ()


def test_a_student_beyond_its_teacher():
    verdict = found(teacher=0.3, student=0.2, baseline=0.5)
    assert verdict.kind == "good"
    assert "goes beyond the teacher: it has 15" in verdict.text


def test_a_student_that_gains_where_the_gap_is_noise():
    verdict = found(teacher=0.5, student=0.3, baseline=0.5)
    assert verdict.kind == "good"
    assert "lower than that of the same student on the labels alone" in verdict.text
    assert (
        "at 1/160 of the teacher's size and 1/90 of its time for one row. The "
        "teacher itself has no measurable edge"
    ) in verdict.text
    verdict = found(teacher=0.8, student=0.3, baseline=0.5)
    assert verdict.kind == "good"
    assert "The teacher itself is worse than the baseline." in verdict.text
    assert "measurable edge" not in verdict.text


def test_a_gain_of_less_than_half_of_the_edge_is_a_part():
    verdict = found(teacher=0.2, student=0.45, baseline=0.5, less_accurate=0.1)
    assert verdict.kind == "open"
    assert verdict.text.startswith(
        "Distillation helps only in part here. The student keeps 20 %"
    )
    assert "The student's accuracy is lower than that of the same" in verdict.text
    assert "hidden_layer_sizes" in str(verdict)
    verdict = found(teacher=0.2, student=0.45, baseline=0.5)
    assert verdict.kind == "open"
    assert found(teacher=0.2, student=0.352, baseline=0.5).kind == "good"


@pytest.mark.parametrize("teacher", [0.2, 0.5, 0.8, None])
def test_a_gain_that_costs_accuracy_is_a_part(teacher):
    losses = {"student": 0.25, "baseline": 0.5, "less_accurate": 0.3}
    losses |= {"reason": "it has left"} if teacher is None else {"teacher": teacher}
    verdict = found(**losses)
    assert verdict.kind == "open"
    assert verdict.text.startswith("Distillation helps only in part here. The")
    assert "accuracy is lower than that of the same student" in verdict.text
    assert verdict.advice


def test_a_student_that_gains_nothing_of_a_real_edge():
    verdict = found(teacher=0.2, student=0.5, baseline=0.5)
    assert verdict.kind == "bad"
    assert verdict.text.startswith("Distillation did not help here: ")
    assert "not measurably different from that of the same student" in verdict.text
    assert "Of the teacher's edge it has " in verdict.text
    assert "hidden_layer_sizes" in str(verdict)


def test_a_student_that_may_have_most_of_a_real_edge():
    verdict = found(teacher=0.2, student=0.45, baseline=0.5, student_noise=1.5)
    assert verdict.kind == "open"
    assert verdict.text.startswith("Distillation is not shown to help here: ")
    assert "Of the teacher's edge it has " in verdict.text
    assert "More test rows" in str(verdict)
    verdict = found(teacher=0.2, student=0.9, baseline=0.5, student_noise=0.5)
    assert verdict.text.startswith("Distillation did not help here: ")


def test_a_student_worse_than_without_a_teacher():
    verdict = found(teacher=0.2, student=0.6, baseline=0.5)
    assert "higher than that of the same student on the labels alone, by 0." in (
        verdict.text
    )
    assert "of the edge" not in verdict.text
    assert "edge it has" not in verdict.text
    assert "hidden_layer_sizes" in str(verdict)


def test_noise_is_no_verdict():
    verdict = found(teacher=0.5, student=0.5, baseline=0.5)
    assert verdict.kind == "open"
    assert verdict.text.startswith(
        "No difference is measurable between the log-loss of the same student on the "
        "labels alone (0."
    )
    assert verdict.advice == ("More test rows, or several fitted models, tell more.",)
    assert "did not help" not in str(verdict)


@pytest.mark.parametrize("student", [0.1, 0.9])
def test_few_rows_are_no_verdict(student):
    losses = {"teacher": 0.2, "student": student, "baseline": 0.5}
    verdict = found(**losses, linear=0.05, n_rows=99, noise=0, student_noise=0)
    assert verdict.kind == "open"
    assert str(verdict) == (
        "There are too few test rows for a verdict, 99 of the 100 that it takes. "
        f"Log-loss: teacher 0.200, student {student:.3f}, baseline 0.500, linear 0.050."
    )
    assert found(**losses, n_rows=100).kind != "open"
    verdict = found(teacher=0.2, student=0.3, n_rows=99)
    assert verdict.advice[0].startswith("Pass X_train and y_train")
    assert found(student=0.3, reason="alpha=0", n_rows=99).advice == ()


def kinds_of_noise(n_rows, n_times=200):
    """Return the verdicts on models that do not differ but by noise."""
    rng = np.random.default_rng(0)
    kinds = []
    for _ in range(n_times):
        y = rng.integers(0, 2, size=n_rows)
        proba = rng.uniform(0.2, 0.8, size=(3, n_rows, 1))
        proba = np.concatenate([proba, 1 - proba], axis=2)
        names = "teacher", "student", "baseline"
        rows = {
            name: row_scores(each, y, proba[0])[:, np.newaxis]
            for name, each in zip(names, proba, strict=True)
        }
        costs = dict.fromkeys(names, dict.fromkeys(COSTS["teacher"], np.nan))
        kinds.append(verdict(Case(ScoreMeans(rows, ROW_SCORES), costs)).kind)
    return kinds


@pytest.mark.parametrize("n_rows", [6, FEW_ROWS])
def test_noise_is_seldom_good_or_bad(n_rows):
    kinds = kinds_of_noise(n_rows)
    assert kinds.count("open") >= 0.92 * len(kinds)


def test_a_student_worse_than_a_baseline_that_the_teacher_does_not_beat():
    verdict = found(teacher=0.5, student=0.6, baseline=0.5)
    assert verdict.kind == "bad"
    assert verdict.text.startswith("Distillation did not help here: ")
    assert "Nor is the teacher measurably better" in verdict.text
    assert verdict.advice == ("Ship the baseline, or find a stronger teacher.",)


def test_a_teacher_worse_than_the_baseline():
    verdict = found(teacher=0.8, student=0.6, baseline=0.5)
    assert verdict.kind == "bad"
    assert "The teacher itself is worse than the baseline" in verdict.text
    assert "find a stronger teacher" in str(verdict)
    verdict = found(teacher=0.8, student=0.5, baseline=0.5)
    assert verdict.kind == "open"
    assert "The teacher itself is worse than the baseline" in verdict.text
    assert "did not help" not in verdict.text


@pytest.mark.parametrize(
    ("student", "advice"),
    [
        (0.3, None),
        (0.5, "More test rows"),
        (0.6, "Ship the baseline, or find a strong"),
    ],
)
def test_a_teacher_that_was_calibrated_for_the_student(student, advice):
    verdict = found(teacher=0.8, student=student, baseline=0.5, unsure=True)
    assert (
        "The teacher's own probabilities are worse than the baseline's; the student "
        "learned from calibrated ones."
    ) in verdict.text
    assert "CalibratedClassifierCV" not in str(verdict)
    assert "calibrate=" not in str(verdict)
    assert verdict.advice == () if advice is None else advice in str(verdict)


@pytest.mark.parametrize("student", [0.5, 0.6])
def test_a_teacher_that_was_not_calibrated_for_the_student(student):
    verdict = found(
        teacher=0.8,
        student=student,
        baseline=0.5,
        unsure=True,
        how_to_calibrate="wrap it",
    )
    assert "The teacher itself is worse than the baseline" in verdict.text
    assert str(verdict).endswith("but its probabilities are worse: wrap it.")


@pytest.mark.parametrize("student", [0.3, 0.5, 0.6])
@pytest.mark.parametrize("teacher", [0.2, 0.5, 0.8])
def test_a_given_baseline_is_called_the_baseline(student, teacher):
    losses = {"student": student, "teacher": teacher, "baseline": 0.5}
    assert "labels alone" not in str(found(**losses, is_own=False))


@pytest.mark.parametrize("student", [0.3, 0.5, 0.6])
def test_a_student_of_labels_alone_is_no_distillation(student):
    case = {"reason": "alpha=0", "is_taught": False, "is_own": False}
    verdict = found(student=student, baseline=0.5, **case)
    assert verdict.kind == "open"
    assert verdict.text.startswith("There is no teacher to compare with: alpha=0. The ")
    assert "that of the baseline" in verdict.text


def test_without_a_baseline_nothing_is_recovered():
    verdict = found(teacher=0.2, student=0.3)
    assert verdict.kind == "open"
    assert "says the same as the teacher in 90 % [" in verdict.text
    assert "Recovery is not measured: there is no baseline." in verdict.text
    assert "Pass X_train and y_train" in str(verdict)


def test_without_a_teacher_the_gain_counts():
    verdict = found(student=0.3, baseline=0.5, reason="it has left")
    assert verdict.kind == "good"
    assert "There is no teacher to compare with: it has left." in verdict.text
    verdict = found(student=0.6, baseline=0.5, reason="it has left")
    assert verdict.kind == "bad"
    assert verdict.text.startswith("Distillation did not help here. There is no ")
    verdict = found(student=0.5, baseline=0.5, reason="it has left")
    assert verdict.kind == "open"
    assert found(student=0.5, reason="it has left").kind == "open"


def test_a_better_model_beside_it_is_named():
    verdict = found(teacher=0.2, student=0.25, baseline=0.5, linear=0.1)
    assert verdict.kind == "open"
    assert "linear has a lower log-loss than the student, 0." in verdict.text
    verdict = found(teacher=0.2, student=0.25, baseline=0.5, linear=0.4)
    assert "linear" not in verdict.text


def test_what_was_not_measured_is_not_compared():
    costs = {
        "teacher": {"bytes": np.nan, "row_us_p50": np.nan},
        "student": {"bytes": 100.0, "row_us_p50": np.nan},
    }
    text = found(teacher=0.2, student=0.25, baseline=0.5, costs=costs).text
    assert "of the teacher's edge in log-loss. In accuracy" in text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1 / 160, "1/160 of"),
        (1 / 12.3, "1/12 of"),
        (0.1, "1/10 of"),
        (0.4, "1/2.5 of"),
        (0.42, "1/2.4 of"),
        (0.5, "1/2 of"),
        (0.66, "1/1.5 of"),
        (1.04, "1.0 times"),
        (1234, "1,234 times"),
    ],
)
def test_times(share, text):
    assert times(share) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.123"), (0.00123, "0.0012"), (0, "0.000")]
)
def test_numbers_have_digits_that_count(value, text):
    assert number(value) == text
    assert number(-value).removeprefix("-") == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("bytes", 864, "864 bytes"),
        ("bytes", 2_345_678, "2.3 MB"),
        ("bytes", 4e12, "4,000 GB"),
        ("row_us_p50", 19.54, "19.5 µs"),
        ("row_us_p50", 157_000, "157 ms"),
        ("parameters", 559_896, "559,896"),
        ("parameters", np.nan, "-"),
    ],
)
def test_costs_have_units(name, value, text):
    assert cost(name, value) == text
