"""The verdict of a report in plain words, and what to try where it is not good."""

from typing import NamedTuple

STRONGER_TEACHER = (
    "The teacher knows no more than this student finds out by itself: ship the "
    "baseline, or find a stronger teacher."
)
CALIBRATE = (
    "The teacher is no less accurate than the baseline, but too sure or unsure of "
    "itself: use calibrate='auto', or wrap it in a CalibratedClassifierCV."
)
MORE_ROWS = (
    "What matters here is within the noise of the test part: more test rows, or "
    "several fitted models, tell more."
)
BETTER_STUDENT = (
    "Try a larger hidden_layer_sizes, further rows by transfer= (unlabelled ones, or "
    "MungeTransfer()), or DistilledClassifierCV with scoring='neg_log_loss'."
)
PASS_BASELINE = (
    "Pass X_train and y_train, or a baseline, to see what the same student learns "
    "without a teacher."
)


class Verdict(NamedTuple):
    """What to think of it: "good", "bad" or "open", in words, and what to try."""

    kind: str
    text: str
    advice: tuple = ()

    def __str__(self):
        return " ".join([self.text, *self.advice])


def verdict(means, costs, why_no_teacher=None):
    """Return the verdict on a student.

    Parameters
    ----------
    means : ScoreMeans
        Of the `"student"`, of `"teacher"` and `"baseline"` where these exist, and of
        further models.
    costs : dict of str to dict
        What the models take, by `COSTS`.
    why_no_teacher : str or None
        Why there is no teacher, if there is none.
    """
    found = _on_distillation(means, costs, why_no_teacher)
    others = [
        name for name in means.models if name not in ("teacher", "student", "baseline")
    ]
    better = [n for n in others if means.difference("log_loss", n, "student").sign < 0]
    if not better:
        return found
    best = min(better, key=lambda name: means.score("log_loss", name).value)
    values = [means.score("log_loss", name).value for name in (best, "student")]
    text = "{} has a lower log-loss than the student, {} against {}.".format(
        best, *map(number, values)
    )
    kind = "open" if found.kind == "good" else found.kind
    return Verdict(kind, f"{found.text} {text}", found.advice)


def _on_distillation(means, costs, why_no_teacher):
    has_baseline = "baseline" in means.models
    if "teacher" not in means.models:
        text = f"There is no teacher to compare with: {why_no_teacher}."
        if not has_baseline:
            return Verdict("open", text)
        return _by_gain_alone(means, text)
    if not has_baseline:
        agreement = means.score("agreement", "student")
        text = (
            f"The student says the same as the teacher in {percent(agreement)} of the "
            f"test rows{_at(costs)}, and its log-loss is "
            f"{_compared(means, 'log_loss', 'student', 'teacher')}. Recovery is not "
            "measured: there is no baseline."
        )
        return Verdict("open", text, (PASS_BASELINE,))
    gain = means.difference("log_loss", "baseline", "student")
    gap = means.difference("log_loss", "baseline", "teacher")
    kept = means.recovery("log_loss")
    if gain.sign > 0:
        return _helped(means, costs, kept)
    return _did_not_help(means, gain, gap, kept)


def _by_gain_alone(means, text):
    gain = means.difference("log_loss", "baseline", "student")
    compared = _compared(means, "log_loss", "student", "baseline")
    text = f"{text} The student's log-loss is {compared}."
    if gain.sign > 0:
        return Verdict("good", text)
    advice = MORE_ROWS if gain.sign == 0 else BETTER_STUDENT
    return Verdict("bad", f"Distillation did not help here: {text}", (advice,))


def _helped(means, costs, kept):
    if kept is None:
        text = (
            f"The student's log-loss is "
            f"{_compared(means, 'log_loss', 'student', 'baseline')}{_at(costs)} of the "
            "teacher. The teacher's own edge is too small to say how much of it that "
            "is."
        )
    else:
        verb = "keeps" if kept.value <= 1 else "goes beyond the teacher: it has"
        text = (
            f"The student {verb} {percent(kept)} of the teacher's edge in "
            f"log-loss{_at(costs)}; without the teacher it would have 0 %."
        )
    return Verdict("good", f"{text} {_on_accuracy(means)}")


def _did_not_help(means, gain, gap, kept):
    compared = _compared(means, "log_loss", "student", "baseline")
    text = f"Distillation did not help here: the student's log-loss is {compared}."
    if gap.sign < 0:
        text += " The teacher itself is worse than the baseline."
        as_accurate = means.difference("accuracy", "teacher", "baseline").sign >= 0
        advice = (CALIBRATE if as_accurate else STRONGER_TEACHER,)
        return Verdict("bad", f"{text} {_on_accuracy(means)}", advice)
    if kept is not None:
        text += f" Of the teacher's edge it has {percent(kept)}."
        advice = (BETTER_STUDENT,)
    else:
        text += " Nor is the teacher measurably better than the baseline."
        advice = (STRONGER_TEACHER, MORE_ROWS)
    return Verdict("bad", f"{text} {_on_accuracy(means)}", advice)


def _on_accuracy(means):
    kept = means.recovery("accuracy")
    gain = means.difference("accuracy", "student", "baseline")
    if kept is not None and gain.sign >= 0:
        return f"In accuracy it has {percent(kept)} of the edge."
    compared = _compared(means, "accuracy", "student", "baseline")
    return f"Its accuracy is {compared}."


def _compared(means, name, model, other):
    """Return how a score of one model is compared to that of another, in words."""
    found = means.difference(name, model, other)
    better, worse = ("lower", "higher") if name == "log_loss" else ("higher", "lower")
    what = "that of the same student on the labels alone"
    if other == "teacher":
        what = "the teacher's"
    values = [number(means.score(name, each).value) for each in (model, other)]
    pair = f"{values[0]} against {values[1]}"
    if found.sign == 0:
        return f"not measurably different from {what} ({pair})"
    is_better = (found.sign > 0) == (name == "accuracy")
    ends = sorted(abs(end) for end in (found.low, found.high))
    by = f"by {number(abs(found.value))} [{number(ends[0])}, {number(ends[1])}]"
    return f"{better if is_better else worse} than {what}, {by} ({pair})"


def _at(costs):
    """Return at what share of the teacher's size and time that is, in words."""
    shares = []
    for name, what in {"bytes": "size", "row_us_p50": "time for one row"}.items():
        student, teacher = (costs[each][name] for each in ("student", "teacher"))
        if teacher / student > 0:  # False for NaN
            shares.append(f"{times(student / teacher)} its {what}")
    return f", at {' and '.join(shares)}" if shares else ""


def times(share):
    """Return a ratio in words, such as "1/160 of" or "3 times"."""
    if share < 0.67:
        return f"1/{1 / share:,.0f} of"
    return f"{share:.1f} times" if share < 10 else f"{share:,.0f} times"


def percent(measured):
    """Return a share and its interval in percent."""
    value, low, high = (f"{100 * each:.0f}" for each in measured)
    return f"{value} % [{low}, {high}]"


def number(value):
    """Return a figure in three digits behind the point, or two that count."""
    if value != value:
        return "-"
    return f"{value:.2g}" if 0 < abs(value) < 0.01 else f"{value:.3f}"
