"""What GridSearchCV is given to search, and what needs its refit and its scorers."""

import time
from functools import update_wrapper
from types import MethodType

import numpy as np
from joblib import parallel_config
from joblib.parallel import get_active_backend
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.utils import _safe_indexing
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
from skdistill._students.kinds import is_classifier_student, keep_student, student_bytes
from skdistill._students.network import NETWORK_PARAMETERS
from skdistill._teaching_settings import check_teaching

N_TIMED = 5
_OF_CHOICE = ("best_index_", "best_params_", "best_score_", "refit_time_")
_FROM_SEARCH = (*_OF_CHOICE, "multimetric_", "n_splits_", "scorer_")
SEARCHED = ("hidden_layer_sizes", "preprocessor", "student", "weight_decay")
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


def checked_models(search, soft_targets):
    """Return unfitted models of the candidates, and what `param_grid` says of each.

    Candidates with the same model differ in temperature and alpha.
    """
    shared = {name: getattr(search, name) for name in SHARED}
    models, chosen = [], list(ParameterGrid(search.param_grid or {}))
    for params in chosen:
        unknown = sorted(set(params) - set(SEARCHED))
        if unknown:
            raise ValueError(
                "The 'param_grid' parameter of DistilledClassifierCV may have lists "
                f"for {', '.join(SEARCHED)}. Got one for {unknown}."
            )
        of_model = {**shared, **params}
        if params.get("student") is not None:
            # The search's own are for the networks among the students.
            defaults = DistilledClassifier().get_params()
            of_model |= {name: defaults[name] for name in NETWORK_PARAMETERS} | params
        model = DistilledClassifier(**of_model)
        model._validate_params()
        check_teaching(model, soft_targets)
        models.append(model)
    return models, chosen


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


def row_time(model, row):
    """Return the seconds that a fitted model takes for one row, the median of some."""
    times = []
    for _ in range(N_TIMED):
        start = time.perf_counter()
        model.predict_proba(row)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


class Candidates:
    """The models of all folds and candidates, trained when the first is asked for.

    By then GridSearchCV has checked its own parameters.

    Parameters
    ----------
    models : list of DistilledClassifier
        Unfitted, with the form of the data.
    chosen : list of dict
        What each has of the `param_grid`.
    data : Data
        All rows.
    grid : dict
        The lists of `temperature` and `alpha`.
    splits : list of (indices, indices)
        The training and test rows of each fold.
    n_jobs : int or None
        Number of jobs that the folds are divided among.
    """

    def __init__(self, models, chosen, data, grid, splits, n_jobs):
        self.models, self.chosen = models, chosen
        self.data = data
        self.grid = grid
        self.splits = splits
        self.n_jobs = n_jobs
        self.backend, self.backend_n_jobs = get_active_backend()
        self.trained = self.error = self.last = None
        self.engine, self.seconds = None, 0.0
        self.sizes, self.times = {}, {}

    def __sklearn_clone__(self):
        return self

    def grids(self):
        """Return what GridSearchCV is to search: a grid for each of the models."""
        grids = []
        for number, (model, params) in enumerate(
            zip(self.models, self.chosen, strict=True)
        ):
            grid = {name: [value] for name, value in params.items()}
            grid |= {"number": [number], **self.grid}
            if is_classifier_student(model.student):
                grid["temperature"] = [1.0]  # It has no other.
            grids.append(grid)
        return grids

    def searched(self, metadata, refit, **params):
        """Return a GridSearchCV with `params` that has searched the candidates.

        The `metadata` are for its scorers, which get the weights as well.
        """
        data = self.data
        if callable(refit):
            choose = refit
            refit = lambda results: choose(self.complete(results))  # noqa: E731
        if data.sample_weight is not None:
            metadata = {**metadata, "sample_weight": data.sample_weight}
        candidate = _Candidate(self)
        if _routing_enabled():
            candidate.set_fit_request(rows=True, sample_weight=True)
            candidate.set_score_request(sample_weight=False)
        search = GridSearchCV(
            candidate, self.grids(), cv=self.splits, n_jobs=1, refit=refit, **params
        )
        try:
            # What GridSearchCV calls is in this process, whatever trains it.
            with parallel_config("sequential"):
                search.fit(data.X, data.y, rows=np.arange(len(data.y)), **metadata)
        except ValueError:
            if self.error is None:
                raise
            # GridSearchCV has taken it for the error of every candidate.
            raise self.error from None
        search.cv_results_ = self.complete(search.cv_results_)
        if hasattr(search, "best_params_"):
            search.best_params_ = search.cv_results_["params"][search.best_index_]
        return search

    def complete(self, results):
        """Return `cv_results_` with sizes and times, and only the user's names."""
        keys = [
            (params["number"], params["temperature"], params["alpha"])
            for params in results["params"]
        ]
        n_fits = len(keys) * len(self.splits)
        results = {
            name: values for name, values in results.items() if name != "param_number"
        }
        return results | {
            "params": [
                {name: value for name, value in params.items() if name != "number"}
                for params in results["params"]
            ],
            "mean_fit_time": np.full(len(keys), self.seconds / n_fits),
            "std_fit_time": np.zeros(len(keys)),
            "mean_student_bytes": np.array([self.sizes[key] for key in keys]),
            "row_time": np.array([self.times[key] for key in keys]),
        }

    def fitted(self, rows, key):
        """Return the model for the training rows of a fold; fit it if they are all."""
        with parallel_config(self.backend, n_jobs=self.backend_n_jobs):
            if self.trained is None:
                self._train()
            self.last = self._fitted(rows, key)
        return self.last

    def _train(self):
        if self.error is not None:
            raise self.error
        start, rows = time.perf_counter(), np.arange(len(self.data.y))
        folds = [rows[train] for train, _ in self.splits]
        pairs = [
            [(t, a) for a in grid["alpha"] for t in grid["temperature"]]
            for grid in self.grids()
        ]
        try:
            trained, self.engine = train_candidates(
                self.models, pairs, self.data, folds, self.n_jobs
            )
            self.seconds = time.perf_counter() - start
            self._measure(list(trained.values()), folds[0])
        except Exception as error:
            self.error = error
            raise
        self.trained = trained

    def _measure(self, of_folds, rows):
        # A row that students were trained on, which they can do with.
        seen = self.data.subset(rows, self.data.sample_weight)["rows"]
        row = _safe_indexing(self.data.X, seen[:1])
        for key, model in of_folds[0].items():
            sizes = [student_bytes(of_fold[key].student_) for of_fold in of_folds]
            self.sizes[key] = np.mean(sizes)
            self.times[key] = row_time(model, row)

    def _fitted(self, rows, key):
        of_fold = self.trained.get(rows.tobytes())
        if of_fold is not None:
            return of_fold[key]
        number, temperature, alpha = key
        model = clone(self.models[number])
        model.set_params(temperature=temperature, alpha=alpha)
        data = self.data
        return model.fit(
            data.X,
            data.y,
            sample_weight=data.sample_weight,
            soft_targets=data.soft_targets,
            **data.metadata,
        )


class _Candidate(DistilledClassifier):
    """What GridSearchCV clones, fits and scores: its `fit` takes what is trained."""

    def __init__(
        self,
        candidates=None,
        temperature=3.0,
        alpha=0.5,
        number=0,
        hidden_layer_sizes=None,
        preprocessor=None,
        student=None,
        weight_decay=None,
    ):
        self.candidates = candidates
        self.temperature = temperature
        self.alpha = alpha
        # Of the model that has the following, which are there to be shown.
        self.number = number
        self.hidden_layer_sizes = hidden_layer_sizes
        self.preprocessor = preprocessor
        self.student = student
        self.weight_decay = weight_decay

    def fit(self, X, y, rows, sample_weight=None):
        # The weights are there for GridSearchCV, which hands them to scorers as well.
        key = self.number, self.temperature, self.alpha
        model = self.candidates.fitted(rows, key)
        # All of it, for scorers that look at parameters.
        vars(self).update(vars(model))
        return self

    def get_metadata_routing(self):
        return super(DistilledClassifier, self).get_metadata_routing()


def keep_results(estimator, search, candidates):
    """Set on `estimator` what its `fit` learns from a search of the candidates."""
    estimator.cv_results_ = search.cv_results_
    estimator.engine_ = candidates.engine
    for name in _FROM_SEARCH:
        if hasattr(search, name):
            setattr(estimator, name, getattr(search, name))
    if estimator.scoring is None:
        # GridSearchCV's own would drag all candidates along.
        estimator.scorer_ = check_scoring(candidates.models[0])
    if hasattr(search, "best_params_"):
        estimator.temperature_ = search.best_params_["temperature"]
        estimator.alpha_ = search.best_params_["alpha"]
    if estimator.refit:
        estimator.best_estimator_ = candidates.last
        for name in ("teacher_", "preprocessor_", "_row_preprocessor"):
            if hasattr(candidates.last, name):
                setattr(estimator, name, getattr(candidates.last, name))
        keep_student(estimator, candidates.last.student_)


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
