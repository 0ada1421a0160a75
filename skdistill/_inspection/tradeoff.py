"""What a model costs, in words, and whether another is better and cheaper."""

import numpy as np

UNITS = {
    "n_bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B")),
    "row_time": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")),
}


def pareto_front(costs, scores):
    """Return, for each, whether no other is as good or better at a lower cost.

    Parameters
    ----------
    costs, scores : array-like of shape (n,)
        A cost is better low, a score high.

    Returns
    -------
    ndarray of shape (n,), dtype bool
    """
    costs, scores = np.asarray(costs), np.asarray(scores)
    no_worse = (costs <= costs[:, None]) & (scores >= scores[:, None])
    better = (costs < costs[:, None]) | (scores > scores[:, None])
    return ~(no_worse & better).any(axis=1)


def size_name(sizes):
    """Return the widths of hidden layers in short: 64-32."""
    return "-".join(map(str, sizes)) or "linear"


def cost_text(cost, against):
    """Return a cost with its unit, in three digits; less than 10,000 is exact."""
    if against == "n_parameters":
        for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
            if cost >= max(unit, 1e4):
                return f"{cost / unit:.3g}{name}"
        return f"{cost:,.0f}"
    for unit, name in UNITS[against]:
        if cost >= unit:
            return f"{cost / unit:.3g} {name}"
    return f"{cost:.3g}"
