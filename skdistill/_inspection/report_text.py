"""A report as text, for the console."""

import textwrap

import pandas as pd

from skdistill._inspection import report_cells as cells

WIDTH = 88
N_CLASSES = 10
"""How many classes are printed: those that student and teacher disagree about most."""


def as_text(report):
    """Return a report as text."""
    models = report.scores.index.tolist()
    parts = [
        f"DistillationReport: {cells.title(report)}",
        textwrap.fill(report.verdict, WIDTH),
    ]
    rows = {
        label: dict(zip(models, map(_joined, row), strict=True))
        for label, row in cells.score_rows(report)
    }
    parts.append(_table(rows))
    notes = [textwrap.fill(note, WIDTH) for note in report.about["notes"]]
    parts.append("\n".join(notes))
    recovered = {
        label: dict(zip(("recovery", "gain", "gap"), map(_joined, row), strict=True))
        for label, row in cells.recovery_rows(report)
    }
    if recovered:
        parts.append(
            "Recovery: gain of the student over gap of the teacher, both over the "
            "baseline\n" + _table(recovered)
        )
    rows = {
        label: dict(zip(models, row, strict=True))
        for label, row in cells.cost_rows(report)
    }
    parts.append("Size and time\n" + _table(rows))
    by_class = report.by_class.head(N_CLASSES)
    heading = "By class"
    if len(report.by_class) > N_CLASSES:
        heading += f" ({N_CLASSES} of {len(report.by_class)})"
    parts.append(f"{heading}\n{by_class.round(3).to_string(na_rep=cells.NOTHING)}")
    if len(report.largest):
        largest = report.largest.round(3).to_string()
        parts.append(
            f"Test rows where the student is furthest from the teacher\n{largest}"
        )
    return "\n\n".join(parts)


def _joined(cell):
    return " ".join(filter(None, cell))


def _table(rows):
    return pd.DataFrame.from_dict(rows, orient="index").to_string()
