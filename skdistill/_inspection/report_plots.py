"""The plots of a report's page, as inline SVG that takes its colours from the page."""

import io
import re

import numpy as np

from skdistill._inspection.reliability_display import STYLES, styles_of

INK = "#010203"
"""Stands for the colour of the text, which a dark page has light."""
VARIABLES = {INK: "currentColor"} | {
    colour: f"var(--colour-{i})" for i, (colour, *_) in enumerate(STYLES)
}
SETTINGS = {
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(
        [
            "text.color",
            "axes.edgecolor",
            "axes.labelcolor",
            "xtick.color",
            "ytick.color",
        ],
        INK,
    ),
}
SCORES = {
    "log_loss": "log-loss (lower is better)",
    "accuracy": "accuracy (higher is better)",
}


def plots(report):
    """Return the plots of a report: captions and SVG; needs matplotlib."""
    return {
        "Scores on the test rows, with 95 % intervals": _drawn(_draw_scores, report),
        "How often models are right, by how sure they are": _drawn(
            _draw_reliability, report
        ),
    }


def _drawn(draw, report):
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # So that the same report is the same page.
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": draw.__name__}):
        figure = Figure(layout="constrained")
        draw(figure, report)
        text = io.StringIO()
        meta = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=meta)
    return _inline(text.getvalue(), draw.__name__.strip("_"))


def _inline(svg, prefix):
    """Return an SVG file as part of a page, in the page's colours and fonts."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font: [^;\"]*", "font-size: 10px", svg)
    # Two plots are not to share an id.
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, variable)
    size = r' width="[^"]*pt"| height="[^"]*pt"'
    head, rest = svg.split(">", 1)
    return re.sub(size, "", head) + ' role="img" fill="currentColor">' + rest


def _draw_scores(figure, report):
    """Draw log-loss and accuracy of each model, a panel each."""
    models = report.scores.index.tolist()
    figure.set_size_inches(4.4, 1.3 + 0.56 * len(models))
    places = np.arange(len(models))[::-1]
    for ax, (name, label) in zip(
        figure.subplots(2, 1, sharey=True), SCORES.items(), strict=True
    ):
        for place, model, (colour, marker, _) in zip(
            places, models, styles_of(models), strict=True
        ):
            row = report.scores.loc[model]
            ends = [[row[f"{name}_low"]], [row[f"{name}_high"]]]
            error = np.abs(np.subtract(ends, row[name]))
            ax.errorbar(
                row[name], place, xerr=error, color=colour, fmt=marker, capsize=3
            )
        ax.set_yticks(places, models)
        ax.set_ylim(-0.6, len(models) - 0.4)
        ax.set_xlabel(label)
        ax.margins(x=0.08)


def _draw_reliability(figure, report):
    figure.set_size_inches(4.4, 5.2)
    report.reliability.plot(ax=figure.subplots())
