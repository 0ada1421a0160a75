"""Intervals over test rows, by the bootstrap."""

import numpy as np
import pytest
from scipy import stats

from skdistill._inspection import intervals
from skdistill._inspection.estimates import estimate, recovery
from skdistill._inspection.intervals import (
    Measured,
    ScoreMeans,
    bootstrap_means,
    bootstrap_ratio,
)

NAMES = ("accuracy", "log_loss")


def scores(n_rows=400, n_fits=1, seed=0, student=0.8):
    """Return scores with a known edge of the teacher, of which the student has some."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=n_rows)
    edges = {"teacher": 1.0, "student": student, "baseline": 0.0}
    found = {}
    for name, edge in edges.items():
        noise = rng.normal(scale=1.5, size=(n_fits, n_rows))
        found[name] = np.stack([edge + shared + noise, -edge + shared - noise])
    return found


def test_bootstrap_means_spread_as_the_mean_does():
    rows = np.random.default_rng(0).gamma(2.0, size=(500, 3))
    means = bootstrap_means(rows)
    assert means.shape == (intervals.N_RESAMPLES, 3)
    error = rows.std(axis=0) / np.sqrt(500)
    np.testing.assert_allclose(means.std(axis=0), error, rtol=0.08)
    assert (abs(means.mean(axis=0) - rows.mean(axis=0)) < 0.2 * error).all()


def test_bootstrap_means_draw_all_quantities_of_a_row_together():
    rows = np.random.default_rng(0).normal(size=(300, 1))
    means = bootstrap_means(np.hstack([rows, 2 * rows + 1]))
    np.testing.assert_allclose(means[:, 1], 2 * means[:, 0] + 1, rtol=1e-9)


def test_bootstrap_means_are_the_same_in_parts(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(100, 2))
    at_once = bootstrap_means(rows, n_resamples=30)
    monkeypatch.setattr(intervals, "N_AT_ONCE", 700)
    np.testing.assert_allclose(bootstrap_means(rows, n_resamples=30), at_once)


def test_many_rows_are_drawn_in_groups_that_vary_as_much(monkeypatch):
    monkeypatch.setattr(intervals, "MAX_UNITS", 300)
    # Sorted, so that neighbours are alike.
    rows = np.sort(np.random.default_rng(0).normal(size=(5_050, 1)), axis=0)
    means = bootstrap_means(rows)
    error = rows.std() / np.sqrt(len(rows))
    assert means.std() == pytest.approx(error, rel=0.15)
    assert means.mean() == pytest.approx(rows.mean(), abs=0.2 * error)


def test_the_interval_of_a_mean_is_that_of_theory():
    found = ScoreMeans(scores(2000), NAMES).score("log_loss", "teacher")
    rows = scores(2000)["teacher"][1, 0]
    low, high = stats.ttest_1samp(rows, 0).confidence_interval(0.95)
    assert found.value == pytest.approx(rows.mean())
    width = high - low
    assert found.low == pytest.approx(low, abs=0.06 * width)
    assert found.high == pytest.approx(high, abs=0.06 * width)


def test_differences_are_paired_by_row():
    # All of the noise is in both: the difference has none.
    rows = np.random.default_rng(0).normal(size=(1, 1, 200))
    means = ScoreMeans({"student": rows + 0.5, "baseline": rows}, ("accuracy",))
    found = means.difference("accuracy", "student", "baseline")
    np.testing.assert_allclose(found, 0.5)


@pytest.mark.parametrize("name", NAMES)
def test_recovery_is_the_share_of_the_edge_for_scores_up_and_down(name):
    found = ScoreMeans(scores(4000), NAMES).recovery(name)
    assert found.low < 0.8 < found.high
    assert 0.1 < found.high - found.low < 0.3
    place = NAMES.index(name)
    t, s, b = (each[place].mean() for each in scores(4000).values())
    assert found.value == pytest.approx((s - b) / (t - b))


def test_recovery_is_not_measurable_where_the_gap_is_noise_or_negative():
    rows = scores(400)
    rows["teacher"] = scores(400, seed=1)["baseline"]
    assert ScoreMeans(rows, NAMES).recovery("accuracy") is None
    rows["teacher"] = rows["baseline"] + [[[-1.0]], [[1.0]]]
    means = ScoreMeans(rows, NAMES)
    assert means.recovery("accuracy") is None
    assert means.recovery("log_loss") is None


def test_a_ratio_with_some_gaps_below_0_has_wide_ends():
    gap = np.concatenate([np.full(20, -0.1), np.full(980, 0.5)])
    gain = np.concatenate([np.full(10, 1.0), np.full(990, 0.2)])
    value, low, high = bootstrap_ratio(0.4, gain, gap)
    assert (value, low) == (0.4, 0.4)
    assert high == 0.4
    high = bootstrap_ratio(0.4, np.where(gap < 0, 1.0, 0.2), np.roll(gap, 0)).high
    assert high == 0.4
    wide = np.where(gap < 0, 1.0, np.linspace(0.1, 0.3, 1000))
    assert bootstrap_ratio(0.4, wide, gap).high > 0.58
    gap[:30] = -0.1  # more than the interval leaves out
    assert bootstrap_ratio(0.4, gain, gap) is None


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Few simulations here; benchmarks/intervals.py does a thousand."""
    held = {"recovery": 0, "gain": 0}
    for seed in range(120):
        means = ScoreMeans(scores(250, seed=seed), NAMES)
        gain = means.difference("accuracy", "student", "baseline")
        kept = means.recovery("accuracy")
        held["gain"] += gain.low < 0.8 < gain.high
        held["recovery"] += kept.low < 0.8 < kept.high
    for times in held.values():
        assert 109 <= times <= 119  # 114, give or take two standard errors


def test_several_fits_have_the_intervals_of_the_experiment():
    rows = scores(300, n_fits=4)
    rows["baseline"] = rows["baseline"][:, :1]  # one stands for four
    means = ScoreMeans(rows, NAMES)
    assert means.n_fits == 4
    gain = rows["student"][0] - rows["baseline"][0]
    gap = rows["teacher"][0] - rows["baseline"][0]
    found = means.difference("accuracy", "student", "baseline")
    expected = estimate([gain[np.newaxis]])
    (value,), (half,) = expected.mean, expected.half
    assert found == pytest.approx((value, value - half, value + half))
    expected = recovery(estimate([np.stack([gain, gap])]))
    assert means.recovery("accuracy") == pytest.approx(expected)
    rows["teacher"] = rows["baseline"]
    assert ScoreMeans(rows, NAMES).recovery("accuracy") is None


def test_the_noise_between_fits_counts():
    rows = scores(300, n_fits=4)
    narrow = ScoreMeans(rows, NAMES).score("log_loss", "student")
    rows["student"] = rows["student"] + np.arange(4.0)[:, np.newaxis]
    wide = ScoreMeans(rows, NAMES).score("log_loss", "student")
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


@pytest.mark.parametrize(("ends", "sign"), [((1, 2), 1), ((-2, -1), -1), ((-1, 1), 0)])
def test_the_sign_is_that_of_the_whole_interval(ends, sign):
    assert Measured(0.5, *ends).sign == sign
