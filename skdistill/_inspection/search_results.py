"""What a search has found, read from scikit-learn's searches and from Optuna's."""

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline

from skdistill._one_standard_error import distillation_names

CALLED = {"temperature": "a temperature", "alpha": "an alpha"}


def results_of(search):
    """Return a search, the last step if it is a Pipeline, and its `cv_results_`."""
    while isinstance(search, Pipeline):
        search = search[-1]
    if hasattr(search, "trials_"):
        return search, _results_of_trials(search.trials_)
    if not hasattr(search, "cv_results_"):
        raise NotFittedError(
            "The 'search' parameter must be a fitted search, which has cv_results_, or "
            f"a Pipeline that ends in one. Got {type(search).__name__}, which is not "
            "fitted, or no search."
        )
    if "params" not in search.cv_results_:
        raise ValueError(
            "The cv_results_ of the 'search' parameter must have the 'params' of every "
            f"candidate. Those of {type(search).__name__} have "
            f"{sorted(search.cv_results_)}."
        )
    return search, search.cv_results_


def _results_of_trials(trials):
    """Return the trials of an OptunaSearchCV, whose `cv_results_` has no params."""
    # The scores of others are of fewer rounds, or none.
    trials = [
        trial
        for trial in trials
        if trial.state.name == "COMPLETE" and "mean_test_score" in trial.user_attrs
    ]
    if not trials:
        raise ValueError(
            "The 'search' parameter must have a complete trial with scores. None of "
            "its trials_ is one."
        )
    scores = {
        name: np.array([trial.user_attrs[name] for trial in trials])
        for name in trials[0].user_attrs
        if name.endswith("_test_score")
    }
    return {"params": [trial.params for trial in trials], **scores}


def searched_names(search, results):
    """Return the names of the searched temperature and alpha; None for one that is not.

    What the estimator of the search has tells them from other parameters called alpha.
    """
    searched = {name for candidate in results["params"] for name in candidate}
    estimator = getattr(search, "estimator", None)
    known = estimator.get_params() if hasattr(estimator, "get_params") else ()
    names = distillation_names(searched, known)
    if not any(names.values()):
        raise ValueError(
            "The search must be over the temperature or the alpha of a "
            f"DistilledClassifier. It is over {sorted(searched)}."
        )
    return names


def score_name_of(search, results, metric):
    """Return what the scores are to be called, and are called in the results."""
    names = [
        key.removeprefix("mean_test_")
        for key in results
        if key.startswith("mean_test_")
    ]
    if metric is None and "score" in names:
        metric = "score"
    elif metric is None and isinstance(getattr(search, "refit", None), str):
        metric = search.refit
    if metric not in names:
        raise ValueError(
            f"The 'metric' parameter must be one of {sorted(names)}. Got {metric!r}."
        )
    scoring = getattr(search, "scoring", None)
    if metric == "score" and (scoring is None or isinstance(scoring, str)):
        return scoring or "accuracy", metric
    return metric, metric


def values_of(params, name, called):
    """Return the values of a parameter of all candidates; NaN if there is no `name`."""
    if name is None:
        return np.full(len(params), np.nan)
    without = [candidate for candidate in params if name not in candidate]
    if without:
        raise ValueError(
            f"Every candidate of the search must have {CALLED[called]}. There is none "
            f"in {without[0]}."
        )
    return np.array([candidate[name] for candidate in params], dtype=float)
