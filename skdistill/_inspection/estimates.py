"""The figures of an experiment: estimates with intervals, as text and as a picture."""

from collections import namedtuple

import numpy as np
import pandas as pd
from scipy import stats

from skdistill._inspection.outcome import (
    IN_PART,
    NO_HELP,
    NOT_SHOWN,
    NOTHING,
    outcome,
    too_few,
)
from skdistill._inspection.shares import share_of_fits

MODELS = {
    "baseline": "hard-label baseline",
    "distilled": "distilled student",
    "single": "single teacher",
    "ensemble": "ensemble teacher",
}
OTHERS = {"linear": "LogisticRegression", "boosting": "HistGradientBoosting"}
"""What else one could ship, fitted with its defaults."""

PERCENT = "{:.2f} ± {:.2f}"
METRICS = {"accuracy %": PERCENT, "log-loss": "{:.3f} ± {:.3f}", "agreement %": PERCENT}

ACCURACY, LOG_LOSS, AGREEMENT = 0, 1, 2

OTHER_OPTIONS = "try another --teacher, --temperature or --alpha"
MORE = "more test rows, or several seeds, tell more"
ADVICE = {
    IN_PART: OTHER_OPTIONS,
    NO_HELP: OTHER_OPTIONS,
    NOT_SHOWN: MORE,
    NOTHING: MORE,
}
"""What to try, by what distillation came to."""

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


def gain_and_gap(repeats, overlap=0.0, metric=ACCURACY):
    """Estimate how much better distilled student and ensemble are than the baseline."""
    sign, rows = -1 if metric == LOG_LOSS else 1, []
    for repeat in repeats:
        baseline, distilled, ensemble = (
            sign * repeat.scores[name][metric]
            for name in ("baseline", "distilled", "ensemble")
        )
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


def model_scores(repeats, overlap=0.0, names=None):
    """Return an estimate of the scores for each of the models.

    Of accuracy and agreement, `half` reaches to the farther end of Wilson's interval.
    """
    found = []
    for name in repeats[0].names if names is None else names:
        rows = [repeat.scores[name] for repeat in repeats]
        # That a teacher agrees with itself is no estimate.
        shares = (ACCURACY,) if name == "ensemble" else (ACCURACY, AGREEMENT)
        n_rows = rows[0].shape[-1]
        found.append(_with_shares(estimate(rows, overlap), shares, n_rows))
    return found


def _with_shares(found, places, n_rows):
    half = found.half.copy()
    for place in places:
        share, variance = found.mean[place] / 100, found.cov[place, place] / 100**2
        low, high = share_of_fits(share, variance, found.df[place], n_rows)
        half[place] = 100 * max(share - low, high - share)
    return found._replace(half=half)


def report(repeats, overlap, unit):
    """Return the tables and what they come to, as text."""
    names, sizes = repeats[0].names, repeats[0].sizes
    # Others beside these would make it too wide.
    main = [name for name in MODELS if name in names]
    rows = {}
    for repeat in repeats:
        scores = model_scores([repeat], names=main)
        cells = [PERCENT.format(score.mean[0], score.half[0]) for score in scores]
        rows[repeat.seed] = [*cells, recovery_text(gain_and_gap([repeat]))]
    by_unit = pd.DataFrame(rows, [*main, "recovery"]).T
    shared = ", allowing for shared rows" if overlap else ""
    repeated = f", and over the {unit}s{shared}" if len(repeats) > 1 else ""
    teacher, student = sizes["ensemble"], sizes["distilled"]
    lines = [
        f"\nAccuracy in % by {unit}; 95 % intervals over test rows and fits",
        by_unit.to_string(),
        f"\nMeans; 95 % intervals over test rows and fits{repeated}",
        score_table(repeats, overlap).to_string(),
        "\nHow much better than the baseline, and recovery, the ratio of the two",
        _gains(repeats, overlap, names["ensemble"]).to_string(),
        f"\ncompression: {teacher:,} / {student:,} = {teacher / student:.0f}x\n",
        *verdict(repeats, overlap),
    ]
    return "\n".join(lines)


def score_table(repeats, overlap=0.0):
    """Return the scores and the size of each model, as text in a DataFrame."""
    scores = model_scores(repeats, overlap)
    rows = [map(str.format, METRICS.values(), s.mean, s.half) for s in scores]
    table = pd.DataFrame(rows, repeats[0].names.values(), METRICS)
    table[repeats[0].size_unit] = [f"{size:,}" for size in repeats[0].sizes.values()]
    return table


def _gains(repeats, overlap, teacher):
    columns = {}
    for name, metric, form in (
        ("accuracy, points", ACCURACY, "{:+.2f} ± {:.2f}"),
        ("log-loss, less", LOG_LOSS, "{:+.3f} ± {:.3f}"),
    ):
        differences = gain_and_gap(repeats, overlap, metric)
        gain, gap = map(form.format, *differences[:2])
        columns[name] = [gain, gap, recovery_text(differences)]
    return pd.DataFrame(columns, [MODELS["distilled"], teacher, "recovery"])


def verdict(repeats, overlap=0.0):
    """Return in plain words, as lines, whether distillation helped and what else would.

    What the intervals leave open is about the same.
    """
    n_rows = [repeat.scores["distilled"].shape[-1] for repeat in repeats]
    # Splits of one table have the same rows again.
    few = too_few(max(n_rows) if overlap else sum(n_rows))
    if few:
        return [f"Verdict: {few[0].lower()}{few[1:]}"]
    accuracy, loss = _signs(repeats, "baseline", overlap)
    more = {1: "more accurate", 0: "about as accurate", -1: "less accurate"}[accuracy]
    lower = {1: "lower", 0: "about the same", -1: "higher"}[loss]
    lines = [
        "Verdict: beside the same student without a teacher, the distilled one is "
        f"{more},",
        f"and its log-loss is {lower}.",
    ]
    differences = gain_and_gap(repeats, overlap, LOG_LOSS)
    (_, gap), (_, half) = differences[:2]
    kept = recovery(differences)
    came_to = outcome(loss, int(gap > half) - int(gap < -half), kept, accuracy)
    if loss < 0 < accuracy:
        lines.append(
            "Its probabilities are worse: try a lower --temperature or --alpha."
        )
    elif came_to in ADVICE:
        lines.append(f"{came_to}: {ADVICE[came_to]}.")
    return lines + _better_others(repeats, overlap)


def _better_others(repeats, overlap):
    lines = []
    for name in OTHERS:
        if name in repeats[0].names and _signs(repeats, name, overlap)[1] < 0:
            theirs, ours = (
                np.mean([r.scores[n][LOG_LOSS].mean() for r in repeats])
                for n in (name, "distilled")
            )
            lines.append(
                f"{OTHERS[name]} has a lower log-loss, {theirs:.3f} against {ours:.3f}"
                ": consider shipping that."
            )
    return lines


def _signs(repeats, name, overlap):
    """Return, for accuracy and log-loss, 1 if the student is clearly better, or -1."""
    rows = [(r.scores["distilled"] - r.scores[name])[:2] for r in repeats]
    mean, half, *_ = estimate(rows, overlap)
    accuracy, loss = np.where(abs(mean) > half, np.sign(mean), 0)
    return int(accuracy), -int(loss)


def draw(repeats_of, overlap, unit):
    """Return a figure of the accuracies, a panel for each title; needs matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.5 * len(repeats_of)), layout="constrained")
    panels = figure.subplots(len(repeats_of), sharey=True, squeeze=False)[:, 0]
    for axes, (title, repeats) in zip(panels, repeats_of.items(), strict=True):
        _draw_panel(axes, title, repeats, overlap, unit)
    return figure


def _draw_panel(axes, title, repeats, overlap, unit):
    names, size_unit = repeats[0].names, repeats[0].size_unit
    ticks = np.arange(len(names))
    for place, repeat in enumerate(repeats):
        scores = model_scores([repeat])
        mean, half = np.transpose([(score.mean[0], score.half[0]) for score in scores])
        x = ticks + 0.4 * ((place + 0.5) / len(repeats) - 0.5)
        label = f"{unit} {repeat.seed}: {recovery_text(gain_and_gap([repeat]))}"
        # Other models are no steps from baseline to teacher: no line leads there.
        n_joined = sum(name in MODELS for name in names)
        line = axes.errorbar(
            x[:n_joined],
            mean[:n_joined],
            half[:n_joined],
            fmt="o:",
            capsize=3,
            label=label,
        )
        axes.errorbar(
            x[n_joined:],
            mean[n_joined:],
            half[n_joined:],
            fmt="o",
            capsize=3,
            color=line[0].get_color(),
        )
    sizes = [f"{size:,} {size_unit}" for size in repeats[0].sizes.values()]
    labels = map("\n".join, zip(names.values(), sizes, strict=True))
    axes.set_xticks(ticks, labels, fontsize="medium" if len(names) <= 4 else "x-small")
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylabel("accuracy on the test part in %, with 95 % intervals")
    recovered = recovery_text(gain_and_gap(repeats, overlap))
    axes.set_title(f"{title}: recovery {recovered}")
    axes.legend(
        title="recovery", loc="upper left", bbox_to_anchor=(1, 1), frameon=False
    )
