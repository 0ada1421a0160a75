"""The report on a student of a table, as the commands make it."""

import pandas as pd

from skdistill._command.files import written
from skdistill._inspection.columns import condensed
from skdistill._inspection.estimates import OTHERS


def report_on(models, X, y, columns, *, timing=True):
    """Return the report on fitted models, with what was done to each column.

    Parameters
    ----------
    models : dict of str to list of estimator
        As the experiment names them: "distilled", "baseline", and of `OTHERS`.
    X : DataFrame
        The test rows.
    y : array-like
        Their classes.
    columns : list of Column
    timing : bool
        Whether to measure how long the models take.
    """
    from skdistill._inspection.report import DistillationReport

    report = DistillationReport.from_estimator(
        models["distilled"],
        X,
        y,
        baseline=models["baseline"],
        reference={OTHERS[name]: models[name][0] for name in OTHERS if name in models},
        timing=timing,
    )
    names, *about = zip(*condensed(columns), strict=True)
    about = dict(zip(("holds", "done"), about, strict=True))
    report.about["columns"] = pd.DataFrame(about, names)
    return report


def save_page(report, path):
    """Write the page of a report, whole or not at all."""
    with written(path) as part:
        report.to_html(part)
    print(f"saved {path}: what it costs, as a page")
