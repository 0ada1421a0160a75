"""The figures of a report as text in cells, for the console and for a page."""

import numpy as np

from skdistill._inspection.verdict import number, percent

SCORES = {
    "log_loss": "log-loss",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "brier": "Brier score",
    "ece": "calibration error (ECE)",
    "roc_auc": "ROC AUC",
    "agreement": "agreement with teacher",
    "kl": "KL from teacher",
}
COSTS = {
    "parameters": "parameters",
    "bytes": "file",
    "row_us_p50": "one row, median",
    "row_us_p99": "one row, 99th percentile",
    "us_per_row_of_1000": "each of 1,000 rows",
}
RECOVERED = {"log_loss": "log-loss", "accuracy": "accuracy"}
NOTHING = "-"


def interval(low, high):
    """Return an interval as text, empty where there is none."""
    return "" if np.isnan(low) else f"[{number(low)}, {number(high)}]"


def cost(name, value):
    """Return what a model takes as text, with a unit."""
    if np.isnan(value):
        return NOTHING
    if name == "parameters":
        return f"{value:,.0f}"
    units = ("bytes", "kB", "MB", "GB") if name == "bytes" else ("µs", "ms", "s")
    place = 0
    while value >= 1000 and place < len(units) - 1:
        value /= 1000
        place += 1
    digits = 0 if value >= 100 or units[place] == "bytes" else 1
    return f"{value:,.{digits}f} {units[place]}"


def score_rows(report):
    """Return rows of a label and a pair for each model: a score and its interval."""
    rows = []
    for name, label in SCORES.items():
        cells = []
        for model, row in report.scores.iterrows():
            value = row[name]
            if model == "teacher" and name in ("agreement", "kl"):
                value = np.nan  # with itself
            ends = [row.get(f"{name}_{end}", np.nan) for end in ("low", "high")]
            text = interval(*ends) if not np.isnan(value) else ""
            cells.append((number(value), text))
        if any(cell[0] != NOTHING for cell in cells):
            rows.append((label, cells))
    return rows


def cost_rows(report):
    """Return rows of a label and a text for each model: what it takes."""
    rows = []
    for name, label in COSTS.items():
        cells = [cost(name, value) for value in report.scores[name]]
        if set(cells) != {NOTHING}:
            rows.append((label, cells))
    return rows


def recovery_rows(report):
    """Return rows of a label, recovery, gain and gap, each with its interval."""
    rows = []
    for name, row in report.recovery.iterrows():
        cells = [("not measurable", "")]
        if not np.isnan(row["recovery"]):
            found = percent(row[["recovery", "recovery_low", "recovery_high"]])
            share, _, ends = found.partition(" [")
            cells = [(share, f"[{ends}")]
        for what in ("gain", "gap"):
            ends = interval(row[f"{what}_low"], row[f"{what}_high"])
            cells.append((number(row[what]), ends))
        rows.append((RECOVERED[name], cells))
    return rows


def title(report):
    """Return what a report is on, in words."""
    about = report.about
    fits = f", {about['n_fits']} fits" if about["n_fits"] > 1 else ""
    return f"{about['n_rows']:,} test rows, {about['n_classes']} classes{fits}"
