"""The figures of an experiment: estimates with intervals, as text and as a picture."""

from collections import namedtuple

import numpy as np
import pandas as pd
from scipy import stats

MODELS = {
    "baseline": "hard-label baseline",
    "distilled": "distilled student",
    "single": "single teacher",
    "ensemble": "ensemble teacher",
}
PERCENT = "{:.2f} ± {:.2f}"
METRICS = {"accuracy %": PERCENT, "log-loss": "{:.3f} ± {:.3f}", "agreement %": PERCENT}

Estimate = namedtuple("Estimate", "mean half cov df")


def estimate(rows, overlap=0.0):
    """Estimate the means of some quantities, with 95 % t-intervals.

    Parameters
    ----------
    rows : list of ndarray of shape (n_quantities, n_fits, n_rows)
        One array per data seed or split. The variance between these and those within
        them, between fits and between test rows, add up: few repeats can agree by
        chance. The degrees of freedom are Satterthwaite's.
    overlap : float
        Ratio of test to training rows of splits of one table. They share rows, so that
        the naive variance is too small (Nadeau and Bengio, Machine Learning 52, 2003).
    """
    means = np.array([part.mean(axis=(1, 2)) for part in rows])
    within = [part.mean(axis=axis).T / len(rows) for part in rows for axis in (1, 2)]
    samples = [(means, overlap), *((sample, 0) for sample in within)]
    samples = [(x, 1 / len(x) + shared) for x, shared in samples if len(x) > 1]
    parts = [(np.atleast_2d(np.cov(x.T)) * weight, len(x) - 1) for x, weight in samples]
    cov = sum(part for part, _ in parts)
    spread = sum(part.diagonal() ** 2 / size for part, size in parts)
    df = np.maximum(cov.diagonal() ** 2 / spread.clip(np.finfo(float).tiny), 1)
    half = stats.t.ppf(0.975, df) * np.sqrt(cov.diagonal())
    return Estimate(means.mean(axis=0), half, cov, df)


def gain_and_gap(repeats, overlap=0.0):
    """Estimate how much better distilled student and ensemble are than the baseline."""
    rows = []
    for repeat in repeats:
        baseline, distilled, _, ensemble = (repeat.scores[name][0] for name in MODELS)
        rows.append(np.stack([distilled - baseline, ensemble - baseline]))
    return estimate(rows, overlap)


def recovery(differences):
    """Return gain / gap and its 95 % interval, or None where it is not measurable.

    Fieller's interval for a ratio of means, which allows for the noise in the gap. It
    has two ends only where the interval of the gap excludes 0.
    """
    (gain, gap), _, cov, df = differences
    t_squared = stats.t.ppf(0.975, df[1]) ** 2
    (c, b), (_, a) = np.outer((gain, gap), (gain, gap)) - t_squared * cov
    if gap <= 0 or a <= 0:
        return None
    root = np.sqrt(max(b**2 - a * c, 0))
    return gain / gap, (b - root) / a, (b + root) / a


def recovery_text(differences):
    """Return the recovery as text."""
    found = recovery(differences)
    return "{:.2f} [{:.2f}, {:.2f}]".format(*found) if found else "not measurable"


def model_scores(repeats, overlap=0.0):
    """Return an estimate of the scores for each of the models."""
    return [estimate([r.scores[name] for r in repeats], overlap) for name in MODELS]


def report(repeats, overlap, unit):
    """Return the tables and what they come to, as text."""
    rows, sizes = {}, repeats[0].sizes
    for repeat in repeats:
        scores = model_scores([repeat])
        cells = [PERCENT.format(score.mean[0], score.half[0]) for score in scores]
        rows[repeat.seed] = [*cells, recovery_text(gain_and_gap([repeat]))]
    by_unit = pd.DataFrame(rows, [*MODELS, "recovery"]).T
    scores = model_scores(repeats, overlap)
    rows = [map(str.format, METRICS.values(), s.mean, s.half) for s in scores]
    table = pd.DataFrame(rows, MODELS.values(), METRICS)
    table["parameters"] = [f"{size:,}" for size in sizes.values()]
    shared = ", allowing for shared rows" if overlap else ""
    repeated = f", and over the {unit}s{shared}" if len(repeats) > 1 else ""
    differences = gain_and_gap(repeats, overlap)
    gain, gap = map(PERCENT.format, *differences[:2])
    teacher, student = sizes["ensemble"], sizes["distilled"]
    lines = [
        f"\nAccuracy in % by {unit}; 95 % intervals over test rows and fits",
        by_unit.to_string(),
        f"\nMeans; 95 % intervals over test rows and fits{repeated}",
        table.to_string(),
        f"\ndistilled - baseline: {gain} points, ensemble - baseline: {gap} points",
        f"recovery, the ratio of the two: {recovery_text(differences)}",
        f"compression: {teacher:,} / {student:,} = {teacher / student:.0f}x",
    ]
    return "\n".join(lines)


def draw(repeats_of, overlap, unit):
    """Return a figure of the accuracies, a panel for each title; needs matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.5 * len(repeats_of)), layout="constrained")
    panels = figure.subplots(len(repeats_of), sharey=True, squeeze=False)[:, 0]
    for axes, (title, repeats) in zip(panels, repeats_of.items(), strict=True):
        _draw_panel(axes, title, repeats, overlap, unit)
    return figure


def _draw_panel(axes, title, repeats, overlap, unit):
    ticks = np.arange(len(MODELS))
    for place, repeat in enumerate(repeats):
        scores = model_scores([repeat])
        mean, half = np.transpose([(score.mean[0], score.half[0]) for score in scores])
        x = ticks + 0.4 * ((place + 0.5) / len(repeats) - 0.5)
        label = f"{unit} {repeat.seed}: {recovery_text(gain_and_gap([repeat]))}"
        axes.errorbar(x, mean, half, fmt="o:", capsize=3, label=label)
    sizes = [f"{size:,} parameters" for size in repeats[0].sizes.values()]
    axes.set_xticks(ticks, map("\n".join, zip(MODELS.values(), sizes, strict=True)))
    axes.set_xlim(-0.5, len(MODELS) - 0.5)
    axes.set_ylabel("accuracy on the test part in %, with 95 % intervals")
    recovered = recovery_text(gain_and_gap(repeats, overlap))
    axes.set_title(f"{title}: recovery {recovered}")
    axes.legend(
        title="recovery", loc="upper left", bbox_to_anchor=(1, 1), frameon=False
    )
