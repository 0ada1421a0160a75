"""The verdict of a report in plain words, and what to try where it is not good."""

from typing import NamedTuple

from skdistill._inspection.intervals import ScoreMeans
from skdistill._inspection.outcome import (
    HELPED,
    IN_PART,
    NO_HELP,
    NOT_SHOWN,
    NOTHING,
    outcome,
    too_few,
)

KINDS = {HELPED: "good", NO_HELP: "bad"}
"""Of what distillation came to; all else is "open"."""
WORSE_TEACHER = "The teacher itself is worse than the baseline."
STRONGER_TEACHER = "Ship the baseline, or find a stronger teacher."
NO_EDGE = "The teacher itself has no measurable edge over the baseline."
UNSURE_TEACHER = (
    "The teacher's own probabilities are worse than the baseline's; the student "
    "learned from calibrated ones."
)
CALIBRATE = (
    "The teacher is not measurably less accurate than the baseline, but its "
    "probabilities are worse: {}."
)
MORE_ROWS = "More test rows, or several fitted models, tell more."
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


class Case(NamedTuple):
    """What a verdict rests on.

    Attributes
    ----------
    means : ScoreMeans
        Of the `"student"`, of `"teacher"` and `"baseline"` where these exist, and of
        further models.
    costs : dict of str to dict
        What the models take, by `COSTS`.
    why_no_teacher : str or None
        Why there is no teacher, if there is none.
    is_taught : bool
        Whether the student learned from more than labels.
    is_own : bool
        Whether the baseline is the student itself without its teacher.
    how_to_calibrate : str or None
        What makes the student learn from calibrated probabilities, or None where it
        did.
    """

    means: ScoreMeans
    costs: dict
    why_no_teacher: str | None = None
    is_taught: bool = True
    is_own: bool = True
    how_to_calibrate: str | None = None


def verdict(case):
    """Return the verdict on the student of a `Case`."""
    means, few = case.means, too_few(case.means.n_rows)
    if few:
        return _on_few_rows(case, few)
    found = _on_distillation(case)
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


def _on_few_rows(case, text):
    models = case.means.models
    losses = [
        f"{name} {number(case.means.score('log_loss', name).value)}" for name in models
    ]
    lacks_baseline = "teacher" in models and "baseline" not in models
    advice = (PASS_BASELINE,) if lacks_baseline else ()
    return Verdict("open", f"{text} Log-loss: {', '.join(losses)}.", advice)


def _on_distillation(case):
    means = case.means
    has_baseline = "baseline" in means.models
    if "teacher" not in means.models:
        text = f"There is no teacher to compare with: {case.why_no_teacher}."
        return _by_gain_alone(case, text) if has_baseline else Verdict("open", text)
    if not has_baseline:
        agreement = means.score("agreement", "student")
        text = (
            f"The student says the same as the teacher in {percent(agreement)} of the "
            f"test rows{_at(case.costs)}, and its log-loss is "
            f"{_compared(case, 'log_loss', 'teacher')}. Recovery is not measured: "
            "there is no baseline."
        )
        return Verdict("open", text, (PASS_BASELINE,))
    gain = means.difference("log_loss", "baseline", "student")
    gap = means.difference("log_loss", "baseline", "teacher")
    accuracy = means.difference("accuracy", "student", "baseline")
    came_to = outcome(gain.sign, gap.sign, means.recovery("log_loss"), accuracy.sign)
    if came_to in (HELPED, IN_PART):
        return _helped(case, came_to, gap)
    if came_to == NOTHING:
        return _cannot_be_told(case, gap)
    return _did_not_help(case, came_to, gain, gap)


def _by_gain_alone(case, text):
    gain = case.means.difference("log_loss", "baseline", "student")
    accuracy = case.means.difference("accuracy", "student", "baseline")
    came_to = outcome(gain.sign, 0, None, accuracy.sign)
    text = (
        f"{text} The student's log-loss is {_compared(case, 'log_loss')}. Its accuracy "
        f"is {_compared(case, 'accuracy')}."
    )
    if came_to == NOTHING:
        return Verdict("open", text, (MORE_ROWS,))
    if not case.is_taught:
        return Verdict("open", text)
    if came_to == HELPED:
        return Verdict("good", text)
    return Verdict(KINDS.get(came_to, "open"), f"{came_to}. {text}", (BETTER_STUDENT,))


def _helped(case, came_to, gap):
    text = f"{_what_it_keeps(case, gap)} {_on_accuracy(case)}"
    if came_to == HELPED:
        return Verdict("good", text)
    return Verdict("open", f"{came_to}. {text}", (BETTER_STUDENT,))


def _what_it_keeps(case, gap):
    kept = case.means.recovery("log_loss")
    if kept is None:
        return (
            f"The student's log-loss is {_compared(case, 'log_loss')}{_at(case.costs)}."
            f" {_worse_teacher(case) if gap.sign < 0 else NO_EDGE}"
        )
    verb = "keeps" if kept.value <= 1 else "goes beyond the teacher: it has"
    return (
        f"The student {verb} {percent(kept)} of the teacher's edge in "
        f"log-loss{_at(case.costs)}."
    )


def _did_not_help(case, came_to, gain, gap):
    kept = case.means.recovery("log_loss")
    text = f"{came_to}: the student's log-loss is {_compared(case, 'log_loss')}."
    # It may have most of the edge, on too few rows to tell.
    may_have = came_to == NOT_SHOWN
    advice = (MORE_ROWS, BETTER_STUDENT) if may_have else (BETTER_STUDENT,)
    if gap.sign > 0:
        # A negative share reads as if something were left of the edge.
        if kept is not None and gain.value >= 0:
            text += f" Of the teacher's edge it has {percent(kept)}."
    elif gap.sign < 0:
        text += f" {_worse_teacher(case)}"
        advice = (_on_teacher(case),)
    else:
        text += " Nor is the teacher measurably better than the baseline."
        advice = (STRONGER_TEACHER,)
    kind = KINDS.get(came_to, "open")
    return Verdict(kind, f"{text} {_on_accuracy(case)}", advice)


def _cannot_be_told(case, gap):
    if gap.sign < 0:
        text = f"The student's log-loss is {_compared(case, 'log_loss')}."
        text += f" {_worse_teacher(case)}"
        advice = MORE_ROWS if _is_only_unsure(case) else _on_teacher(case)
    else:
        names = "baseline", "student", "teacher"
        values = [number(case.means.score("log_loss", name).value) for name in names]
        text = (
            "No difference is measurable between the log-loss of {} ({}) and those of "
            "student ({}) and teacher ({})."
        ).format(_called(case), *values)
        advice = MORE_ROWS
    return Verdict("open", f"{text} {_on_accuracy(case)}", (advice,))


def _is_less_accurate(case):
    return case.means.difference("accuracy", "teacher", "baseline").sign < 0


def _is_only_unsure(case):
    """Tell whether what is worse of the teacher is not what the student learned."""
    return case.how_to_calibrate is None and not _is_less_accurate(case)


def _worse_teacher(case):
    """Return what is said of a teacher that is worse than the baseline."""
    return UNSURE_TEACHER if _is_only_unsure(case) else WORSE_TEACHER


def _on_teacher(case):
    """Return what to do about such a teacher."""
    if case.how_to_calibrate is None or _is_less_accurate(case):
        return STRONGER_TEACHER
    return CALIBRATE.format(case.how_to_calibrate)


def _on_accuracy(case):
    kept = case.means.recovery("accuracy")
    gain = case.means.difference("accuracy", "student", "baseline")
    if kept is not None and gain.value >= 0:
        return f"In accuracy the student has {percent(kept)} of the edge."
    return f"The student's accuracy is {_compared(case, 'accuracy')}."


def _compared(case, name, other="baseline"):
    """Return how a score of the student is compared to that of another, in words."""
    found = case.means.difference(name, "student", other)
    better, worse = ("lower", "higher") if name == "log_loss" else ("higher", "lower")
    what = "the teacher's" if other == "teacher" else f"that of {_called(case)}"
    values = [number(case.means.score(name, each).value) for each in ("student", other)]
    pair = f"{values[0]} against {values[1]}"
    if found.sign == 0:
        return f"not measurably different from {what} ({pair})"
    is_better = (found.sign > 0) == (name == "accuracy")
    ends = sorted(abs(end) for end in (found.low, found.high))
    by = f"by {number(abs(found.value))} [{number(ends[0])}, {number(ends[1])}]"
    return f"{better if is_better else worse} than {what}, {by} ({pair})"


def _called(case):
    """Return what the baseline is."""
    return "the same student on the labels alone" if case.is_own else "the baseline"


def _at(costs):
    """Return at what share of the teacher's size and time that is, in words."""
    shares = []
    for name, what in {"bytes": "size", "row_us_p50": "time for one row"}.items():
        student, teacher = (costs[each][name] for each in ("student", "teacher"))
        if teacher / student > 0:  # False for NaN
            whose = "its" if shares else "the teacher's"
            shares.append(f"{times(student / teacher)} {whose} {what}")
    return f", at {' and '.join(shares)}" if shares else ""


def times(share):
    """Return a ratio in words, such as "1/160 of", "1/1.5 of" or "3 times"."""
    if share < 0.67:
        digits = 0 if share < 0.1 else 1
        return f"1/{f'{1 / share:,.{digits}f}'.removesuffix('.0')} of"
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
