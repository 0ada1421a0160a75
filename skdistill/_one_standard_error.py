"""The choice among candidates whose scores are within noise of each other."""

import numpy as np

from skdistill._validation import ends_in


def one_standard_error(cv_results, metric="score"):
    """Choose the simplest candidate whose score is within the noise of the best.

    A callable for the `refit` parameter of `DistilledClassifierCV`, and of
    scikit-learn's searches over a temperature and an alpha. Of the candidates whose
    mean score is at most one standard error below the best, it takes the one with the
    lowest alpha, which leans the least on the teacher, and of several the one with the
    lowest temperature. The rule is that of section 7.10 of [1]_.

    Parameters
    ----------
    cv_results : dict
        The `cv_results_` of a search.
    metric : str, default="score"
        Name of the metric, if there are several. Set it with
        ``functools.partial(one_standard_error, metric=...)``.

    Returns
    -------
    int
        Index of the candidate.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical
       Learning", 2nd edition, Springer 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import one_standard_error
    >>> cv_results = {
    ...     "params": [{"alpha": 0.3}, {"alpha": 0.7}, {"alpha": 0.9}],
    ...     "split0_test_score": np.array([0.5, 0.8, 0.8]),
    ...     "split1_test_score": np.array([0.5, 0.8, 0.9]),
    ...     "mean_test_score": np.array([0.5, 0.8, 0.85]),
    ...     "std_test_score": np.array([0.0, 0.0, 0.05]),
    ... }
    >>> one_standard_error(cv_results)
    1
    """
    within = np.flatnonzero(within_one_standard_error(cv_results, metric))

    def complexity(index):
        params = cv_results["params"][index].items()
        return [
            next((value for name, value in params if ends_in(name, ending)), 0)
            for ending in ("alpha", "temperature")
        ]

    return int(min(within, key=complexity))


one_standard_error.__module__ = "skdistill"  # where it is pickled from


def within_one_standard_error(cv_results, metric="score"):
    """Return, for every candidate, whether its score is within noise of the best."""
    mean, std = cv_results[f"mean_test_{metric}"], cv_results[f"std_test_{metric}"]
    n_splits = sum(
        key.startswith("split") and key.endswith(f"_test_{metric}")
        for key in cv_results
    )
    best = np.nanargmax(mean)
    # GridSearchCV's deviation is that of the splits, with n_splits below the root.
    error = std[best] / np.sqrt(max(n_splits - 1, 1))
    return mean >= mean[best] - error
