"""What is said of the labels that a model is to learn."""

import pandas as pd

from skdistill._command.rows import MISSING
from skdistill._inspection.columns import PLACEHOLDERS

MOST_SHOWN = 10
_MARKS = {mark.casefold() for mark in (*MISSING, *PLACEHOLDERS)}


def notes_on_labels(y, target):
    """Return lines on the classes of a table, and on what may be none.

    Parameters
    ----------
    y : ndarray
        The labels.
    target : str
        The name of their column.
    """
    counts = pd.Series(y).value_counts()
    classes = counts.index.tolist()
    most = zip(classes, counts.head(MOST_SHOWN), strict=False)
    shown = [f"{label!r}: {n:,}" for label, n in most]
    if len(classes) > MOST_SHOWN:
        shown.append(f"and {len(classes) - MOST_SHOWN:,} more classes")
    texts = [label for label in classes if isinstance(label, str)]
    return [
        f"Rows of each class of {target!r}: {', '.join(shown)}.",
        _note_on_marks(texts, target),
        _note_on_twins(texts, target),
    ]


def _note_on_marks(texts, target):
    marks = [text for text in texts if text.strip().casefold() in _MARKS]
    if not marks:
        return ""
    return (
        "Note: learned as a class, but maybe a mark for a missing value: "
        f"{', '.join(map(repr, marks))}. If so, leave {target!r} empty in these rows "
        "of the file, which leaves them out."
    )


def _note_on_twins(texts, target):
    groups = {}
    for text in texts:
        groups.setdefault(" ".join(text.split()).casefold(), []).append(text)
    twins = [" and ".join(map(repr, g)) for g in groups.values() if len(g) > 1]
    if not twins:
        return ""
    return (
        "Note: learned as different classes, but maybe the same, as only blanks or "
        f"case differ: {'; '.join(twins[:5])}{'; ...' * (len(twins) > 5)}. If so, "
        f"write them alike in {target!r} of the file."
    )
