"""What GridSearchCV is given to search, and what needs its refit and its scorers."""

import time
from functools import update_wrapper
from types import MethodType

import numpy as np
from joblib import parallel_config
from joblib.parallel import get_active_backend
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from skdistill._distilled import DistilledClassifier
from skdistill._search_folds import train_candidates
from skdistill._sklearn import _routing_enabled
from skdistill._students.network import NETWORK_PARAMETERS, unfitted_student
from skdistill._teaching_settings import check_teaching
from skdistill._validation import copy_form

SHARED = (
    "teacher",
    "student",
    "preprocessor",
    *NETWORK_PARAMETERS,
    "calibrate",
    "blend",
    "target_cv",
    "transfer",
    "transfer_share",
    "memory",
    "random_state",
    "verbose",
)


def checked_model(search, X):
    """Return the unfitted model of all candidates, with the form of the data."""
    model = DistilledClassifier(**{name: getattr(search, name) for name in SHARED})
    copy_form(search, model)
    check_teaching(search)
    unfitted_student(search, X, len(search.classes_), len(X))
    return model


def checked_grid(temperatures, alphas):
    """Return the lists to search, by the parameter of `DistilledClassifier`."""
    grid = {"temperature": temperatures, "alpha": alphas}
    for name, given in grid.items():
        must = f"The '{name}s' parameter of DistilledClassifierCV must be a list of"
        values = np.asarray(given)
        if values.ndim != 1 or not values.size or values.dtype.kind not in "iuf":
            raise ValueError(f"{must} at least one number. Got {given!r}.")
        grid[name] = values.tolist()
        (allowed,) = DistilledClassifier._parameter_constraints[name]
        for value in grid[name]:
            if not allowed.is_satisfied_by(value):
                raise ValueError(f"{must} numbers, each {allowed}. Got {value!r}.")
    return grid


def scorers_of(search):
    """Return what scores the candidates of a search, None for their own `score`."""
    scoring = search.scoring
    if scoring is None or callable(scoring):
        return scoring
    return check_scoring(search, scoring)


def routing_to(scorers, router):
    """Return a router that also knows the way to scorers."""
    mapping = MethodMapping().add(caller="fit", callee="score")
    mapping.add(caller="score", callee="score")
    return router.add(scorer=scorers, method_mapping=mapping)


def metadata_for_scorers(search, groups, fit_params):
    """Return what of the `groups` and `fit_params` of a search its scorers take."""
    if not _routing_enabled():
        return {}
    given = fit_params if groups is None else {**fit_params, "groups": groups}
    taken = get_routing_for_object(scorers_of(search)).consumes("score", given)
    return {name: value for name, value in given.items() if name in taken}


def score_by(search, X, y, params):
    """Return the score of a search by the scorer that chose its candidate."""
    check_is_fitted(search)
    scorer, name = search.scorer_, search.refit
    if search.multimetric_ and not isinstance(name, str):
        raise AttributeError(
            "score is not available with several metrics unless refit names one. "
            f"Got refit={name!r}."
        )
    if isinstance(scorer, dict):
        scorer = scorer[name]
    if _routing_enabled() and search.scoring is not None:
        router = routing_to(scorer, MetadataRouter(owner=search))
        params = process_routing(router, "score", **params).scorer.score
    score = scorer(search.best_estimator_, X, y, **params)
    return score[name] if isinstance(score, dict) else score


class Candidates:
    """The models of all folds and candidates, trained when the first is asked for.

    By then GridSearchCV has checked its own parameters.

    Parameters
    ----------
    model : DistilledClassifier
        Unfitted, with the form of the data.
    data : Data
        All rows.
    grid : dict
        The lists of `temperature` and `alpha`.
    splits : list of (indices, indices)
        The training and test rows of each fold.
    n_jobs : int or None
        Number of jobs that the folds are divided among.
    """

    def __init__(self, model, data, grid, splits, n_jobs):
        self.model = model
        self.data = data
        self.grid = grid
        self.splits = splits
        self.n_jobs = n_jobs
        self.backend, self.backend_n_jobs = get_active_backend()
        self.models = self.error = self.last = None
        self.engine, self.seconds = None, 0.0

    def __sklearn_clone__(self):
        return self

    def searched(self, metadata, **params):
        """Return a GridSearchCV with `params` that has searched the candidates.

        The `metadata` are for its scorers, which get the weights as well.
        """
        data = self.data
        if data.sample_weight is not None:
            metadata = {**metadata, "sample_weight": data.sample_weight}
        candidate = _Candidate(self)
        if _routing_enabled():
            candidate.set_fit_request(rows=True, sample_weight=True)
            candidate.set_score_request(sample_weight=False)
        search = GridSearchCV(candidate, self.grid, cv=self.splits, n_jobs=1, **params)
        try:
            # What GridSearchCV calls is in this process, whatever trains it.
            with parallel_config("sequential"):
                search.fit(data.X, data.y, rows=np.arange(len(data.y)), **metadata)
        except ValueError:
            if self.error is None:
                raise
            # GridSearchCV has taken it for the error of every candidate.
            raise self.error from None
        return search

    def fitted(self, rows, temperature, alpha):
        """Return the model for the training rows of a fold; fit it if they are all."""
        with parallel_config(self.backend, n_jobs=self.backend_n_jobs):
            if self.models is None:
                self._train()
            self.last = self._fitted(rows, temperature, alpha)
        return self.last

    def _train(self):
        if self.error is not None:
            raise self.error
        start, rows = time.perf_counter(), np.arange(len(self.data.y))
        folds = [rows[train] for train, _ in self.splits]
        pairs = [(t, a) for a in self.grid["alpha"] for t in self.grid["temperature"]]
        try:
            self.models, self.engine = train_candidates(
                self.model, self.data, folds, pairs, self.n_jobs
            )
        except Exception as error:
            self.error = error
            raise
        self.seconds = time.perf_counter() - start

    def _fitted(self, rows, temperature, alpha):
        of_fold = self.models.get(rows.tobytes())
        if of_fold is not None:
            return of_fold[temperature, alpha]
        model = clone(self.model).set_params(temperature=temperature, alpha=alpha)
        data = self.data
        return model.fit(
            data.X, data.y, sample_weight=data.sample_weight, **data.metadata
        )


class _Candidate(DistilledClassifier):
    """What GridSearchCV clones, fits and scores: its `fit` takes what is trained."""

    def __init__(self, candidates=None, temperature=3.0, alpha=0.5):
        self.candidates = candidates
        self.temperature = temperature
        self.alpha = alpha

    def fit(self, X, y, rows, sample_weight=None):
        # The weights are there for GridSearchCV, which hands them to scorers as well.
        model = self.candidates.fitted(rows, self.temperature, self.alpha)
        # All of it, for scorers that look at parameters.
        vars(self).update(vars(model))
        return self

    def get_metadata_routing(self):
        return super(DistilledClassifier, self).get_metadata_routing()


class NeedsRefit:
    """A method of a search that is there if `fit` has refitted the best, or is to.

    Its error says why it is not; that of scikit-learn's `available_if` does not.
    """

    def __init__(self, method):
        self.method = method
        update_wrapper(self, method)

    def __get__(self, search, owner=None):
        if search is None:
            return self.method
        fitted = hasattr(search, "cv_results_")
        if not (hasattr(search, "best_estimator_") if fitted else search.refit):
            raise AttributeError(
                f"{self.__name__!r} is not available: this {type(search).__name__} has "
                "refit=False and cannot predict. Set refit=True and fit it, or fit a "
                "DistilledClassifier with what cv_results_ says."
            )
        return MethodType(self.method, search)
