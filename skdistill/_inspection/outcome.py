"""What distillation came to: one rule, for every verdict there is."""

HELPED = "Distillation helps here"
IN_PART = "Distillation helps only in part here"
NOT_SHOWN = "Distillation is not shown to help here"
NO_HELP = "Distillation did not help here"
NOTHING = "No difference in log-loss is measurable here"

FEW_ROWS = 100
"""With fewer, simulated models that do not differ are too often good or bad."""


def too_few(n_rows):
    """Return, in words, that there are too few test rows for a verdict, or None."""
    if n_rows >= FEW_ROWS:
        return None
    need = f"{n_rows} of the {FEW_ROWS} that it takes"
    return f"There are too few test rows for a verdict, {need}."


def outcome(gain, gap, kept, accuracy):
    """Return what distillation came to, one of the above.

    Parameters
    ----------
    gain, gap : int
        1 if the log-loss of the student, and of the teacher, is measurably lower than
        the baseline's, -1 if it is higher, else 0.
    kept : tuple of float or None
        Which share of the teacher's edge in log-loss the student has, and the ends of
        its interval; None where that is not measurable.
    accuracy : int
        1 if the student is measurably more accurate than the baseline, -1 if less.
    """
    may_have_half = kept is None or kept[2] >= 0.5
    if gain > 0:
        return HELPED if may_have_half and accuracy >= 0 else IN_PART
    if gain < 0:
        return NO_HELP
    if gap > 0:
        return NOT_SHOWN if may_have_half else NO_HELP
    return NOTHING
