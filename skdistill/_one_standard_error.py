"""The choice among candidates whose scores are within noise of each other."""

import numpy as np

from skdistill._validation import ends_in


def one_standard_error(cv_results, metric="score", by=None):
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
    by : str, default=None
        What of `cv_results` is to be as small as can be, before alpha and temperature
        are, such as the ``"mean_student_bytes"`` of a `DistilledClassifierCV` over
        several students. Set it with `functools.partial` as well.

    Returns
    -------
    int
        Index of the candidate.

    Raises
    ------
    ValueError
        If `cv_results` has no `by`, or if the search is over the temperatures or
        alphas of several models.

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
    params = cv_results["params"]
    names = distillation_names({name for candidate in params for name in candidate})

    if by is not None and by not in cv_results:
        raise ValueError(
            "The 'by' parameter of one_standard_error must name something of "
            f"cv_results. Got {by!r}; there are {sorted(cv_results)}."
        )

    def complexity(index):
        size = [] if by is None else [cv_results[by][index]]
        return size + [
            params[index].get(names[called], 0) for called in ("alpha", "temperature")
        ]

    return int(min(within, key=complexity))


one_standard_error.__module__ = "skdistill"  # where it is pickled from


def distillation_names(searched, known=()):
    """Return the parameters of a search that are temperature and alpha of one model.

    What else is called alpha is another's, such as the weight decay of an MLP.

    Parameters
    ----------
    searched : iterable of str
        The parameters of the candidates.
    known : iterable of str, default=()
        All parameters of the estimator, if it is there to be asked.

    Returns
    -------
    dict
        The names of `"temperature"` and `"alpha"`; None for one that is not searched.
    """
    searched = set(searched)
    with_temperature = _owners(searched, "temperature")
    with_alpha = _owners(searched, "alpha")
    of_estimator = _owners(known, "temperature") & _owners(known, "alpha")
    owners = (
        (with_temperature | with_alpha) & of_estimator
        if of_estimator
        else with_temperature & with_alpha
        or with_temperature
        or _without_teachers(with_alpha)
    )
    if len(owners) > 1:
        of_owners = {f"{o}{e}" for o in owners for e in ("temperature", "alpha")}
        raise ValueError(
            "The search must be over the temperature and alpha of one model. It is "
            f"over those of several: {sorted(of_owners & searched)}."
        )
    return {
        called: next(
            (f"{o}{called}" for o in owners if f"{o}{called}" in searched), None
        )
        for called in ("temperature", "alpha")
    }


def _without_teachers(owners):
    """Leave out what lies in the teacher of another, such as an MLP with its alpha."""
    return {o for o in owners if not any(o.startswith(f"{p}teacher__") for p in owners)}


def _owners(names, ending):
    """Return what comes before `ending` in the parameters that are called that."""
    return {name.removesuffix(ending) for name in names if ends_in(name, ending)}


def within_one_standard_error(cv_results, metric="score"):
    """Return, for every candidate, whether its score is within noise of the best."""
    mean = np.asarray(cv_results[f"mean_test_{metric}"])
    # The rounds of a halving search before the last are scores of fewer rows.
    rounds = np.asarray(cv_results.get("iter", np.zeros(len(mean))))
    compared = rounds == rounds.max()
    if np.isnan(mean[compared]).all():
        return compared
    best = np.nanargmax(np.where(compared, mean, np.nan))
    return compared & (mean >= mean[best] - standard_errors(cv_results, metric)[best])


def standard_errors(cv_results, metric="score"):
    """Return the standard error of every candidate's mean score."""
    n_splits = sum(
        key.startswith("split") and key.endswith(f"_test_{metric}")
        for key in cv_results
    )
    # GridSearchCV's deviation is that of the splits, with n_splits below the root.
    return np.asarray(cv_results[f"std_test_{metric}"]) / np.sqrt(max(n_splits - 1, 1))
