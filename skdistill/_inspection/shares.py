"""Intervals of shares of rows, such as an accuracy."""

import numpy as np
from scipy import stats

NORMAL = stats.norm.ppf(0.975)
SHARES = ("accuracy", "agreement")
"""The scores that are 0 or 1 in every row."""


def wilson(share, n_rows, quantile=NORMAL):
    """Return the ends of Wilson's 95 % interval of a share of independent rows.

    It keeps its coverage where rows are few, or nearly all are alike: all that a
    resample of such rows can show is that they are alike [1]_.

    Parameters
    ----------
    share : float
    n_rows : float
    quantile : float
        How many standard errors are half an interval.

    References
    ----------
    .. [1] E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical
       Inference", Journal of the American Statistical Association 22, 1927. It is
       compared in L. D. Brown, T. T. Cai, A. DasGupta, "Interval Estimation for a
       Binomial Proportion", Statistical Science 16, 2001.
    """
    extra = quantile**2 / n_rows
    centre = share + extra / 2
    half = np.sqrt(extra * (share * (1 - share) + extra / 4))
    low, high = (centre - half) / (1 + extra), (centre + half) / (1 + extra)
    # By rounding it might leave out the share, or go beyond 0 and 1.
    return max(min(low, share), 0.0), min(max(high, share), 1.0)


def share_of_fits(share, variance, df, n_rows):
    """Return the ends of such an interval where the rows of several fits are shared.

    It is that of as many independent rows as would vary as much (E. L. Korn, B. I.
    Graubard, Survey Methodology 24, 1998), or of `n_rows` where nothing varies.
    """
    if variance == 0:
        return wilson(share, n_rows)
    return wilson(share, share * (1 - share) / variance, stats.t.ppf(0.975, df))
