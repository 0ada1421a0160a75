"""How often the intervals of a report hold the truth.

    python benchmarks/intervals.py

simulates teachers, students and baselines whose scores are known, draws test parts of
them, and writes docs/benchmarks/intervals.md: how many intervals hold the truth.
"""

import argparse

import numpy as np
import pandas as pd
from timing import table, write

from skdistill._inspection.intervals import ScoreMeans
from skdistill._inspection.report_scores import ROW_SCORES, row_scores

NOISE = {"teacher": 0.3, "student": 0.6, "baseline": 1.3}
"""Standard deviation of what a model is off in its logits."""
N_POPULATION = 2_000_000
SCORES = ROW_SCORES[:2]
COLUMNS = {
    "student": "student",
    "gain": "gain",
    "measurable": "recovery measurable",
    "recovery": "recovery, where measurable",
    "recovery or line": "recovery, of all",
}


def population(rng, n_rows):
    """Return the scores of all models on rows of two classes."""
    logit = rng.normal(0, 2.5, size=n_rows)
    y = (rng.random(n_rows) < 1 / (1 + np.exp(-logit))).astype(np.intp)
    scores = {}
    for name, noise in NOISE.items():
        positive = 1 / (1 + np.exp(-logit - rng.normal(0, noise, size=n_rows)))
        proba = np.column_stack([1 - positive, positive])
        scores[name] = row_scores(proba, y)[: len(SCORES)]
    return scores


def simulated(rng, scores, n_rows, n_simulations):
    """Return for each score what share of the intervals holds the truth."""
    truth = {name: values.mean(axis=1) for name, values in scores.items()}
    rows = []
    for _ in range(n_simulations):
        drawn = rng.integers(N_POPULATION, size=n_rows)
        means = ScoreMeans({n: v[:, None, drawn] for n, v in scores.items()}, SCORES)
        for place, score in enumerate(SCORES):
            t, s, b = (truth[name][place] for name in NOISE)
            row = {"score": score}
            for what, found, true in (
                ("student", means.score(score, "student"), s),
                ("gain", means.difference(score, "student", "baseline"), s - b),
                ("recovery", means.recovery(score), (s - b) / (t - b)),
            ):
                row[what] = np.nan if found is None else found.low <= true <= found.high
            rows.append(row)
    held = pd.DataFrame(rows).astype({"student": float, "gain": float})
    held["measurable"] = held["recovery"].notna()
    # All that is not measurable is a whole line, which holds the truth.
    held["recovery or line"] = held["recovery"].astype(float).fillna(1.0)
    held["recovery"] = held["recovery"].astype(float)
    return held.groupby("score", sort=False).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--rows", type=int, nargs="+", default=[300, 1000, 5000])
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    scores = population(rng, N_POPULATION)
    lines = []
    for n_rows in arguments.rows:
        found = simulated(rng, scores, n_rows, arguments.simulations)
        for score, shares in found.iterrows():
            cells = [f"{100 * shares[column]:.1f}" for column in COLUMNS]
            lines.append([f"{n_rows:,}", score.replace("_", "-"), *cells])
    write(
        "intervals",
        "Do the intervals of a report hold the truth?",
        "Teachers, students and baselines are simulated whose scores are known, and "
        f"{arguments.simulations:,} test parts of each size are drawn. Below is in how "
        "many percent the 95 % interval of a report holds the true score of the "
        "student, its gain over the baseline, and its recovery. A recovery is "
        "measurable where the interval of the gap between teacher and baseline "
        "is above zero; where it is not, its interval is a whole line, which does hold "
        "the truth: the last column counts that.",
        table(["test rows", "score", *COLUMNS.values()], lines),
    )


if __name__ == "__main__":
    main()
