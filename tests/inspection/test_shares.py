"""Intervals of shares of rows, which few rows and shares near 1 must not break."""

import numpy as np
import pytest
from scipy import stats

from skdistill._inspection.estimates import estimate, model_scores, score_table
from skdistill._inspection.experiment import Repeat
from skdistill._inspection.intervals import ScoreMeans
from skdistill._inspection.shares import wilson

NAMES = ("accuracy", "log_loss", "agreement")


def rights(n_right, n_rows):
    """Return scores of one fit that is right, and agrees, in so many rows."""
    right = (np.arange(n_rows) < n_right).astype(float)
    return np.stack([right, 1 - right, right])[:, np.newaxis]


def on_percent(*fits):
    """Return a repeat of an experiment whose student has these fits."""
    scores = np.concatenate(fits, axis=1) * np.array([100, 1, 100])[:, None, None]
    names = {name: name for name in ("distilled", "ensemble")}
    scores = dict.fromkeys(names, scores)
    return Repeat(0, scores, dict.fromkeys(names, 5), None, names)


@pytest.mark.parametrize("n_right", [0, 1, 25, 49, 50])
@pytest.mark.parametrize("name", ["accuracy", "agreement"])
def test_the_interval_of_a_share_is_that_of_scipy(n_right, name):
    found = ScoreMeans({"student": rights(n_right, 50)}, NAMES).score(name, "student")
    expected = stats.binomtest(n_right, 50).proportion_ci(method="wilson")
    assert found == pytest.approx((n_right / 50, *expected), rel=0, abs=1e-12)


@pytest.mark.parametrize("n_rows", [20, 50, 100])
@pytest.mark.parametrize("share", [0.9, 0.97, 0.991])
def test_they_hold_shares_near_1(n_rows, share):
    held = 0
    for n_right, chance in enumerate(stats.binom.pmf(range(n_rows + 1), n_rows, share)):
        low, high = wilson(n_right / n_rows, n_rows)
        held += chance * (low <= share <= high)
    assert held > 0.92


def test_many_rows_have_the_interval_of_the_bootstrap():
    rows = {"student": rights(270, 300)}
    found = ScoreMeans(rows, NAMES).score("accuracy", "student")
    means = ScoreMeans(rows, ("one", "two", "three")).score("one", "student")
    assert found.high - found.low == pytest.approx(means.high - means.low, rel=0.06)


def test_several_fits_that_are_always_right_may_err_next_time():
    rows = np.concatenate([rights(50, 50)] * 3, axis=1)
    found = ScoreMeans({"student": rows}, NAMES).score("accuracy", "student")
    assert found.high == 1
    assert found.low == pytest.approx(wilson(1, 50)[0])


def test_the_noise_between_fits_counts_in_shares():
    rows = [rights(n, 400) for n in (300, 320, 340)]
    found = ScoreMeans({"student": np.concatenate(rows, axis=1)}, NAMES)
    wide = found.score("accuracy", "student")
    one = ScoreMeans({"student": rows[1]}, NAMES).score("accuracy", "student")
    assert wide.high - wide.low > 1.5 * (one.high - one.low)


def test_that_a_teacher_agrees_with_itself_is_certain():
    means = ScoreMeans({"teacher": rights(20, 20)}, NAMES)
    assert means.score("agreement", "teacher") == (1, 1, 1)
    assert means.score("accuracy", "teacher").low < 0.9


def test_the_tables_of_an_experiment_have_such_intervals_too():
    table = score_table([on_percent(rights(50, 50))])
    low, high = wilson(1, 50)
    assert high == 1
    expected = f"100.00 ± {100 * (1 - low):.2f}"
    assert table.loc["distilled", "accuracy %"] == expected
    assert table.loc["distilled", "agreement %"] == expected
    assert table.loc["ensemble", "accuracy %"] == expected
    assert table.loc["ensemble", "agreement %"] == "100.00 ± 0.00"


@pytest.mark.parametrize(("n_right", "wider"), [(500, 1.01), (800, 1.06), (950, 1.16)])
def test_they_are_hardly_wider_where_there_are_many_rows(n_right, wider):
    fits = [rights(n, 1000) for n in (n_right, n_right - 6, n_right + 3)]
    for repeat in (on_percent(*fits), on_percent(fits[0])):
        (found, _), scores = model_scores([repeat]), repeat.scores["distilled"]
        ratio = found.half[:2] / estimate([scores]).half[:2]
        assert (ratio > 0.99).all()
        assert (ratio < wider).all()


def test_six_rows_are_no_more_than_half_wrong():
    (found, _) = model_scores([on_percent(rights(3, 6))])
    assert found.half[0] < 40
