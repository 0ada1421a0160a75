import numpy as np
import pytest
from scipy import stats

from skdistill._inspection import estimates
from skdistill._inspection.experiment import Repeat


@pytest.fixture
def several():
    """Two related quantities in 6 repeats of 3 fits and 40 rows."""
    rng = np.random.default_rng(0)
    level = rng.normal(1.0, 0.2, size=(6, 1, 1, 1))
    noise = rng.normal(size=(6, 2, 3, 40))
    return list(level + [[[0.0]], [[1.0]]] + 0.3 * noise)


def test_estimate_of_repeats_without_noise_is_a_t_interval_of_their_means():
    means = np.random.default_rng(0).normal(size=(6, 2))
    estimate = estimates.estimate(
        [np.tile(mean[:, None, None], (3, 40)) for mean in means]
    )
    np.testing.assert_allclose(estimate.mean, means.mean(axis=0))
    low, high = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    np.testing.assert_allclose(estimate.mean - estimate.half, low)
    np.testing.assert_allclose(estimate.mean + estimate.half, high)


def test_estimate_is_wider_for_splits_that_share_rows():
    means = np.random.default_rng(0).normal(size=(6, 2))
    parts = list(means[:, :, None, None])
    ratio = (
        estimates.estimate(parts, overlap=0.25).half / estimates.estimate(parts).half
    )
    np.testing.assert_allclose(ratio, np.sqrt((1 / 6 + 0.25) / (1 / 6)))


def test_estimate_of_repeats_that_agree_by_chance_keeps_the_noise_within(several):
    centred = [part - part.mean(axis=(1, 2), keepdims=True) for part in several]
    alone = np.array([estimates.estimate([part]).cov.diagonal() for part in centred])
    np.testing.assert_allclose(
        estimates.estimate(centred).cov.diagonal(), alone.sum(axis=0) / 6**2
    )


def test_estimate_adds_the_variances_between_and_within(several):
    estimate = estimates.estimate(several, overlap=0.25)
    for quantity in range(2):
        values = np.array([part[quantity] for part in several])
        variances = [(values.mean(axis=(1, 2)).var(ddof=1) * (1 / 6 + 0.25), 5)]
        for part in values:
            variances.append((part.mean(axis=0).var(ddof=1) / 40 / 36, 39))
            variances.append((part.mean(axis=1).var(ddof=1) / 3 / 36, 2))
        total = sum(variance for variance, _ in variances)
        df = total**2 / sum(variance**2 / n for variance, n in variances)
        half = stats.t.ppf(0.975, df) * np.sqrt(total)
        assert estimate.mean[quantity] == pytest.approx(values.mean())
        assert estimate.half[quantity] == pytest.approx(half)


def test_estimate_within_one_repeat_adds_rows_and_fits(several):
    values = several[0]
    estimate = estimates.estimate([values], overlap=0.25)
    for quantity in range(2):
        rows = values[quantity].mean(axis=0)
        fits = values[quantity].mean(axis=1)
        by_rows, by_fits = rows.var(ddof=1) / 40, fits.var(ddof=1) / 3
        df = (by_rows + by_fits) ** 2 / (by_rows**2 / 39 + by_fits**2 / 2)
        half = stats.t.ppf(0.975, df) * np.sqrt(by_rows + by_fits)
        assert estimate.mean[quantity] == pytest.approx(values[quantity].mean())
        assert estimate.half[quantity] == pytest.approx(half)


def test_estimate_of_one_fit_is_over_its_rows(several):
    one = several[0][:, :1]
    estimate = estimates.estimate([one])
    low, high = stats.ttest_1samp(one[:, 0], 0, axis=1).confidence_interval(0.95)
    np.testing.assert_allclose(estimate.mean - estimate.half, low)
    np.testing.assert_allclose(estimate.mean + estimate.half, high)


def test_estimate_of_a_constant_has_no_width():
    estimate = estimates.estimate([np.ones((3, 1, 20))])
    np.testing.assert_array_equal(estimate.half, 0)


def test_the_ends_of_recovery_are_the_ratios_that_a_t_test_barely_rejects():
    rng = np.random.default_rng(0)
    gap = rng.normal(1, 0.3, size=6)
    gain = 0.6 * gap + rng.normal(0, 0.1, size=6)
    differences = estimates.estimate(
        list(np.stack([gain, gap], axis=1)[:, :, None, None])
    )
    ratio, low, high = estimates.recovery(differences)
    assert ratio == pytest.approx(gain.mean() / gap.mean())
    assert low < ratio < high
    for end in (low, high):
        assert stats.ttest_1samp(gain - end * gap, 0).pvalue == pytest.approx(0.05)


def test_recovery_is_not_measurable_where_the_interval_of_the_gap_holds_0():
    means = np.array([[0.1, -0.2], [0.2, 0.5], [0.1, 0.3]])
    differences = estimates.estimate(list(means[:, :, None, None]))
    assert differences.mean[1] - differences.half[1] < 0
    assert estimates.recovery(differences) is None
    assert estimates.recovery_text(differences) == "not measurable"


def test_recovery_is_not_measurable_of_an_ensemble_worse_than_the_baseline():
    means = np.array([[-0.1, -1.0], [-0.2, -1.1], [-0.1, -1.05]])
    assert estimates.recovery(estimates.estimate(list(means[:, :, None, None]))) is None


def test_gain_and_gap_are_paired_within_a_repeat():
    rng = np.random.default_rng(0)
    n_fits = {"baseline": 2, "distilled": 2, "single": 4, "ensemble": 1}
    repeats = [
        Repeat(seed, {m: rng.random((3, n, 9)) for m, n in n_fits.items()}, {}, None)
        for seed in range(4)
    ]
    accuracy = [{m: repeat.scores[m][0] for m in n_fits} for repeat in repeats]
    for place, better in enumerate(["distilled", "ensemble"]):
        differences = [(a[better] - a["baseline"])[None] for a in accuracy]
        alone = estimates.estimate([np.repeat(part, 2, axis=0) for part in differences])
        together = estimates.gain_and_gap(repeats)
        assert together.mean[place] == pytest.approx(alone.mean[0])
        assert together.half[place] == pytest.approx(alone.half[0])


def repeats_with(n_rows=50, **shifts):
    """Return repeats whose models are worse than 90 % and 0.3 by what is given."""
    rng = np.random.default_rng(0)
    names = {name: name for name in ("baseline", "distilled", "ensemble", *shifts)}
    repeats = []
    for seed in range(4):
        scores = {}
        for name in names:
            accuracy, loss = shifts.get(name, (0, 0))
            means = np.array([90 - accuracy, 0.3 + loss, 95])[:, None, None]
            scores[name] = means + rng.normal(0, 0.01, size=(3, 2, n_rows))
        repeats.append(Repeat(seed, scores, dict.fromkeys(names, 5), None, names, "kB"))
    return repeats


@pytest.mark.parametrize(
    ("baseline", "words"),
    [
        ((5, 0.2), "is more accurate,\nand its log-loss is lower."),
        ((0, 0.2), "is about as accurate,\nand its log-loss is lower."),
        ((5, 0), "is more accurate,\nand its log-loss is about the same."),
        (
            (5, -0.2),
            "its log-loss is higher.\nIts probabilities are worse: try a lower --temp",
        ),
        (
            (0, 0),
            "log-loss is about the same.\nNo difference in log-loss is measurable",
        ),
        (
            (-5, -0.2),
            "is less accurate,\nand its log-loss is higher.\nDistillation did",
        ),
        (
            (-5, 0.2),
            "is less accurate,\nand its log-loss is lower.\nDistillation helps only in",
        ),
    ],
)
def test_the_verdict_speaks_of_accuracy_and_of_log_loss(baseline, words):
    assert words in "\n".join(estimates.verdict(repeats_with(baseline=baseline)))


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (0.3, None),
        (0.05, "Distillation helps only in part here: try another --teacher"),
        (0, "Distillation did not help here: try another --teacher"),
    ],
)
def test_the_verdict_counts_how_much_of_the_edge_is_kept(gain, words):
    repeats = repeats_with(baseline=(5, 0.4), distilled=(0, 0.4 - gain))
    lines = estimates.verdict(repeats)
    assert len(lines) == (2 if words is None else 3)
    assert words is None or lines[2].startswith(words)


def test_the_verdict_names_what_else_has_a_lower_log_loss():
    worse, better = (0, 0.1), (0, -0.1)
    repeats = repeats_with(baseline=worse, linear=better, boosting=worse)
    text = "\n".join(estimates.verdict(repeats))
    assert "LogisticRegression has a lower log-loss, 0.200 against 0.300" in text
    assert "HistGradientBoosting" not in text


def test_few_rows_have_no_verdict():
    shifts = {"baseline": (5, 0.2), "linear": (0, -0.1)}
    assert estimates.verdict(repeats_with(n_rows=24, **shifts)) == [
        "Verdict: there are too few test rows for a verdict, 96 of the 100 that it "
        "takes."
    ]
    assert len(estimates.verdict(repeats_with(n_rows=25, **shifts))) > 1


def test_the_gap_in_log_loss_counts_down_as_better():
    repeats = repeats_with(baseline=(5, 0.2), distilled=(0, 0.1))
    gain, gap = estimates.gain_and_gap(repeats, metric=estimates.LOG_LOSS).mean
    assert gain == pytest.approx(0.1, abs=0.01)
    assert gap == pytest.approx(0.2, abs=0.01)
    assert max(map(len, estimates.report(repeats, 0, "split").splitlines())) <= 100
