"""A report as a page, and as part of a notebook. Neither has a script."""

from html import escape
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from skdistill._inspection import report_cells as cells
from skdistill._inspection.report_plots import plots
from skdistill._inspection.report_style import OF_FRAGMENT, OF_PAGE

NO_PLOTS = "The plots need matplotlib: pip install 'skdistill[plot]'."
N_CLASSES = 100
"""How many classes a page has: those that student and teacher disagree about most."""

HEADINGS = {
    "rows": "rows",
    "agreement": "agreement",
    "kl": "KL",
    "teacher_accuracy": "teacher's accuracy",
    "student_accuracy": "student's accuracy",
    "baseline_accuracy": "baseline's accuracy",
    "true": "true class",
    "teacher": "teacher says",
    "student": "student says",
    "teacher_proba": "at",
    "student_proba": "at",
    "holds": "holds",
    "done": "what is done",
}


def write_page(report, path):
    """Write a report as one page, and return its path."""
    path = Path(path)
    path.write_text(_page(report), encoding="utf-8")
    return path


def _page(report):
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>Distillation report: {cells.title(report)}</title>\n"
        f"<style>{OF_PAGE}</style>\n</head>\n<body>\n<main>\n"
        f"{fragment(report, _plots(report))}\n</main>\n</body>\n</html>\n"
    )


def fragment(report, pictures=""):
    """Return a report as a part of a page, with its style."""
    parts = [
        f"<h1>Distillation report</h1><p>{cells.title(report)}</p>",
        _verdict(report),
        _scores(report),
        "".join(_note(text) for text in report.about["notes"]),
        _recovery(report),
        pictures,
        _costs(report),
        _by_class(report),
        _largest(report),
        _columns(report),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        f'<style>{OF_FRAGMENT}</style>\n<div class="skdistill-report">\n{body}\n</div>'
    )


def _note(text):
    return f"<p><small>{escape(text)}</small></p>"


def _verdict(report):
    kind = report.about["kind"]
    return f'<p class="verdict {kind}">{escape(report.verdict)}</p>'


def _plots(report):
    if find_spec("matplotlib") is None:
        return _note(NO_PLOTS)
    figures = [
        f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, svg in plots(report).items()
    ]
    return f'<div class="plots">{"".join(figures)}</div>'


def _scores(report):
    rows = [(label, map(_two_lines, row)) for label, row in cells.score_rows(report)]
    return _section("Scores", _table(["", *report.scores.index], rows))


def _costs(report):
    rows = [(label, map(escape, row)) for label, row in cells.cost_rows(report)]
    return _section("Size and time", _table(["", *report.scores.index], rows))


def _recovery(report):
    rows = [(label, map(_two_lines, row)) for label, row in cells.recovery_rows(report)]
    text = (
        "What the student gains over the baseline, as a share of the gap between "
        "teacher and baseline."
    )
    head = ["", "recovery", "gain of student", "gap to teacher"]
    return _section("Recovery", f"<p>{text}</p>{_table(head, rows)}") if rows else ""


def _by_class(report):
    table = report.by_class.head(N_CLASSES)
    title = "By class"
    if len(report.by_class) > N_CLASSES:
        title += f" ({N_CLASSES} of {len(report.by_class):,})"
    return _section(title, _of_frame(table, "class"))


def _largest(report):
    if not len(report.largest):
        return ""
    title = "Test rows where the student is furthest from the teacher"
    return _section(title, _of_frame(report.largest, "row"))


def _columns(report):
    """Return what became of each column, where somebody has said it."""
    if "columns" not in report.about:
        return ""
    table = _of_frame(report.about["columns"], "column")
    return _section("Columns", f'<div class="words">{table}</div>')


def _of_frame(table, corner):
    head = [corner, *(HEADINGS[column] for column in table)]
    rows = [
        (label, [escape(_text(value)) for value in row])
        for label, row in zip(table.index, table.astype(object).to_numpy(), strict=True)
    ]
    return _table(head, rows)


def _text(value):
    is_share = isinstance(value, float | np.floating)
    return cells.number(value) if is_share else str(value)


def _two_lines(cell):
    value, interval = map(escape, cell)
    return f"{value}<small>{interval}</small>" if interval else value


def _section(title, content):
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _table(head, rows):
    """Return a table of a label and cells, which are HTML already, for each row."""
    first, *others = (escape(str(cell)) for cell in head)
    columns = "".join(f'<th scope="col">{cell}</th>' for cell in others)
    # An empty heading is none.
    corner = f'<th scope="col">{first}</th>' if first else "<td></td>"
    lines = [
        f'<tr><th scope="row">{escape(str(label))}</th>'
        + "".join(f"<td>{cell}</td>" for cell in row)
        + "</tr>"
        for label, row in rows
    ]
    return (
        '<div class="wide" tabindex="0"><table>'
        f"<thead><tr>{corner}{columns}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
