"""Temperature and alpha by cross-validation, at the price of a few fits."""

import time
from numbers import Integral

import numpy as np
from joblib import parallel_config
from joblib.parallel import get_active_backend
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import GridSearchCV
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import MethodMapping
from sklearn.utils.validation import check_is_fitted

from skdistill._distilled import (
    DistilledClassifier,
    chosen_teacher,
    routing_to_teacher,
)
from skdistill._prediction import LogitsClassifierMixin
from skdistill._progress import epoch_progress
from skdistill._search_folds import Data, folds_of, train_candidates
from skdistill._sklearn import StrOptions, _fit_context, _routing_enabled
from skdistill._students.network import unfitted_student
from skdistill._targets.teacher import (
    check_fit_params,
    check_teacher,
    metadata_for_teacher,
    teacher_fit_params,
)
from skdistill._validation import (
    all_or_nothing,
    copy_form,
    validate_classification,
    warn_unscaled,
)

_SHARED = (
    "teacher",
    "student",
    "hidden_layer_sizes",
    "max_epochs",
    "lr",
    "batch_size",
    "weight_decay",
    "device",
    "random_state",
    "verbose",
)


class DistilledClassifierCV(
    LogitsClassifierMixin, MetaEstimatorMixin, ClassifierMixin, BaseEstimator
):
    """`DistilledClassifier` with a cross-validated choice of temperature and alpha.

    Scores every pair of temperature and alpha as `GridSearchCV` over
    `DistilledClassifier` does, on the same folds with the same seeds, and fits the best
    one on all rows. It costs far less: the teacher, which depends on neither, is fitted
    once per fold, and networks of one shape are trained as one stack: the teachers of
    all folds, then the students of all candidates. A student starts from the
    same weights and sees the same batches as the others of its fold, so that what
    differs between their scores is temperature and alpha.

    Parameters
    ----------
    teacher : classifier, default=None
        Any classifier with `predict_proba`, fitted once for each fold, on its training
        rows, and once on all. None stands for ``EnsembleTeacher()``.
    temperatures : array-like of float, default=(1.0, 2.0, 3.0, 5.0)
        The temperatures to try, all positive.
    alphas : array-like of float, default=(0.3, 0.5, 0.7, 0.9, 1.0)
        The weights of the teacher's term to try, in [0, 1].
    cv : int, cross-validation generator or iterable, default=5
        The folds, as in :class:`~sklearn.model_selection.GridSearchCV`: an int is the
        number of stratified folds.
    scoring : str, callable, list, tuple, set or dict, default=None
        What to score with, as in `GridSearchCV`. None is the accuracy.
    refit : bool, str or callable, default=True
        Whether to fit the best candidate on all rows, as in `GridSearchCV`. With
        several metrics it is the name of the one that decides. A callable is given
        `cv_results_` and returns the index of its choice, such as
        `one_standard_error`.
    n_jobs : int, default=None
        Number of jobs that the folds are divided among. None means 1 unless in a
        :obj:`joblib.parallel_config` context, -1 all processors. One job trains all
        folds as one stack on torch's threads.
    student : skorch.NeuralNetClassifier, default=None
        Unfitted net to train in place of a `StudentModel`, as in
        `DistilledClassifier`.
    hidden_layer_sizes : tuple of int, default=(64, 32)
        Widths of the student's hidden layers.
    max_epochs : int, default=50
        Number of the student's passes over the training data.
    lr : float, default=1e-3
        Learning rate of Adam.
    batch_size : int, default=64
        Number of rows per training step.
    weight_decay : float, default=1e-4
        Weight decay of Adam.
    device : str, default="cpu"
        Where torch trains: `"cpu"`, `"cuda"`, `"cuda:<index>"`, `"mps"`, or `"auto"`
        for a GPU if there is one.
    random_state : int, RandomState instance or None, default=None
        Seed of the students, and of every `random_state` of the teacher that is None.
        Pass an int for the same result on every call.
    verbose : int, default=0
        0 is silent, 1 shows a progress bar, 2 prints skorch's table.

    Attributes
    ----------
    cv_results_ : dict of ndarrays
        What was tried and how it scored, with the keys of `GridSearchCV`: `params`,
        `mean_test_score`, `split0_test_score`, `rank_test_score` and so on. As the
        candidates were trained together, `mean_fit_time` is an equal share of the time
        that took, in seconds.
    best_params_ : dict
        The `temperature` and the `alpha` that were chosen. This and the next three
        need `refit`, or a single metric.
    temperature_ : float
        The temperature that was chosen.
    alpha_ : float
        The weight of the teacher's term that was chosen.
    best_index_ : int
        Index of the choice in `cv_results_`.
    best_score_ : float
        Its mean score. Not there if `refit` is a callable.
    best_estimator_ : DistilledClassifier
        The chosen candidate, fitted on all rows. This and the next three are not there
        with ``refit=False``.
    refit_time_ : float
        Seconds that this took.
    teacher_ : classifier or None
        The teacher that was fitted on all rows.
    student_ : skorch.NeuralNetClassifier
        The student that was trained on all rows.
    engine_ : dict
        How `"teachers"` and `"students"` were trained for the folds: `"vectorized"`
        for as one stack, or `"joblib"` for one by one, as a teacher or student must be
        that cannot be stacked; None without a teacher.
    scorer_ : callable or dict
        The scorer, or the scorers by name.
    n_splits_ : int
        Number of folds.
    multimetric_ : bool
        Whether there are several metrics.
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen by `fit`, if they are all strings.

    See Also
    --------
    DistilledClassifier : With a given temperature and alpha.
    one_standard_error : Chooses the simplest candidate within noise of the best.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skdistill import DistilledClassifierCV
    >>> X, y = make_classification(n_samples=200, random_state=0)
    >>> model = DistilledClassifierCV(
    ...     RandomForestClassifier(),
    ...     temperatures=[1.0, 4.0],
    ...     alphas=[0.0, 0.9],
    ...     scoring="neg_log_loss",
    ...     random_state=0,
    ... )
    >>> model.fit(X, y).cv_results_["mean_test_score"].shape
    (4,)
    >>> sorted(model.best_params_)
    ['alpha', 'temperature']
    """

    # With metadata routing, they go to the splitter and the teacher as these request.
    __metadata_request__fit = {"groups": False}

    _parameter_constraints = {
        **{name: DistilledClassifier._parameter_constraints[name] for name in _SHARED},
        "temperatures": ["array-like"],
        "alphas": ["array-like"],
        "cv": ["cv_object"],
        "scoring": [
            StrOptions(set(get_scorer_names())),
            callable,
            list,
            tuple,
            set,
            dict,
            None,
        ],
        "refit": ["boolean", str, callable],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        teacher=None,
        *,
        temperatures=(1.0, 2.0, 3.0, 5.0),
        alphas=(0.3, 0.5, 0.7, 0.9, 1.0),
        cv=5,
        scoring=None,
        refit=True,
        n_jobs=None,
        student=None,
        hidden_layer_sizes=(64, 32),
        max_epochs=50,
        lr=1e-3,
        batch_size=64,
        weight_decay=1e-4,
        device="cpu",
        random_state=None,
        verbose=0,
    ):
        self.teacher = teacher
        self.temperatures = temperatures
        self.alphas = alphas
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.n_jobs = n_jobs
        self.student = student
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, groups=None, **fit_params):
        """Choose temperature and alpha, and fit the choice on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training rows. The teacher gets them as they are, the student cast to
            float32.
        y : array-like of shape (n_samples,)
            The class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows in training, as in `DistilledClassifier`,
            and in the scores, where scikit-learn's `GridSearchCV` hands them to the
            scorer.
        groups : array-like of shape (n_samples,), default=None
            Groups of the rows, for a `cv` that keeps them together, and for a teacher
            that takes them, such as a search with such a `cv` of its own.
        **fit_params : dict
            What else the teacher's `fit` is to get, as in `DistilledClassifier`. What
            has a value for every row is cut for each fold.

        Returns
        -------
        self : DistilledClassifierCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, before any training; or if the
            loss of a network stops being finite. The estimator is then as it was.
        TypeError
            If the teacher takes no such `fit_params`, before any training.
        """
        with all_or_nothing(self):
            for name in [name for name in vars(self) if name.endswith("_")]:
                delattr(self, name)  # which this search may not have
            X_student, y_index, _ = validate_classification(self, X, y, sample_weight)
            X, sample_weight = indexable(X, sample_weight)
            y = self.classes_[y_index]
            model = self._checked_model(X_student)
            teacher = chosen_teacher(self)
            check_fit_params(self, teacher, fit_params)
            splits = folds_of(self, X, y, groups, fit_params)
            rows = np.arange(len(y))
            grid = self._checked_grid(model)
            if self.student is None:
                warn_unscaled(self, X_student)
            metadata = metadata_for_teacher(teacher, groups, fit_params)
            fit_params = {}
            if max(grid["alpha"]) > 0:
                fit_params = teacher_fit_params(self, teacher, sample_weight, metadata)
            candidates = _Candidates(
                model,
                Data(X, X_student, y, sample_weight, fit_params, metadata),
                [rows[train] for train, _ in splits],
                [(t, a) for a in grid["alpha"] for t in grid["temperature"]],
                self.n_jobs,
            )
            candidate = _Candidate(candidates)
            if _routing_enabled():
                candidate.set_fit_request(rows=True, sample_weight=True)
                candidate.set_score_request(sample_weight=False)
            search = GridSearchCV(
                candidate,
                grid,
                scoring=self.scoring,
                refit=self.refit,
                cv=splits,
                n_jobs=1,
                error_score="raise",
            )
            weights = {} if sample_weight is None else {"sample_weight": sample_weight}
            with (
                epoch_progress(0, description="search", verbose=self.verbose),
                # What GridSearchCV calls is in this process, whatever trains it.
                parallel_config("sequential"),
            ):
                search.fit(X, y, rows=rows, **weights)
            self._take_results(search, candidates)
        return self

    def _checked_model(self, X):
        """Return the unfitted model of all candidates, with the form of the data."""
        model = DistilledClassifier(**{name: getattr(self, name) for name in _SHARED})
        copy_form(self, model)
        check_teacher(self.teacher)
        unfitted_student(self, X, len(self.classes_))
        return model

    def _checked_grid(self, model):
        grid = {"temperature": self.temperatures, "alpha": self.alphas}
        for name, given in grid.items():
            values = np.asarray(given)
            if values.ndim != 1 or not values.size or values.dtype.kind not in "iuf":
                raise ValueError(
                    f"The '{name}s' parameter of DistilledClassifierCV must be a list "
                    f"of at least one number. Got {given!r}."
                )
            grid[name] = values.tolist()
            for value in grid[name]:
                clone(model).set_params(**{name: value})._validate_params()
        return grid

    def _take_results(self, search, candidates):
        self.cv_results_ = search.cv_results_
        n_fits = len(candidates.pairs) * search.n_splits_
        self.cv_results_["mean_fit_time"][:] = candidates.seconds / n_fits
        self.cv_results_["std_fit_time"][:] = 0
        self.engine_ = candidates.engine
        for name in (
            "best_index_",
            "best_params_",
            "best_score_",
            "multimetric_",
            "n_splits_",
            "refit_time_",
            "scorer_",
        ):
            if hasattr(search, name):
                setattr(self, name, getattr(search, name))
        if self.scoring is None:
            # GridSearchCV's own would drag all candidates along.
            self.scorer_ = check_scoring(candidates.model)
        if hasattr(search, "best_params_"):
            self.temperature_ = search.best_params_["temperature"]
            self.alpha_ = search.best_params_["alpha"]
        if self.refit:
            self.best_estimator_ = candidates.last
            self.teacher_ = candidates.last.teacher_
            self.student_ = candidates.last.student_

    def _logits(self, X):
        return self._refitted()._logits(X)

    def _refitted(self):
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(
                "This DistilledClassifierCV has refit=False and cannot predict. Set "
                "refit=True, or fit a DistilledClassifier with what cv_results_ says."
            )
        return self.best_estimator_

    def score(self, X, y, sample_weight=None):
        """Score the predictions with the scorer that chose the candidate.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,)
            The true labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for a scorer that takes them.

        Returns
        -------
        float
            The score by `scoring`, or, with several metrics, by the one that `refit`
            names.
        """
        check_is_fitted(self)
        best = self._refitted()
        scorer, name = self.scorer_, self.refit
        if self.multimetric_ and not isinstance(name, str):
            raise AttributeError(
                "score is not available with several metrics unless refit names one. "
                f"Got refit={name!r}."
            )
        if isinstance(scorer, dict):
            scorer = scorer[name]
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        score = scorer(best, X, y, **weights)
        return score[name] if isinstance(score, dict) else score

    def get_metadata_routing(self):
        """Return how metadata reaches the teacher, for scikit-learn's routing.

        Returns
        -------
        MetadataRouter
            What `fit` takes itself, what it hands to the teacher's `fit` and what to
            the splitter of `cv`.
        """
        mapping = MethodMapping().add(caller="fit", callee="split")
        return routing_to_teacher(self).add(splitter=self.cv, method_mapping=mapping)


class _Candidate(DistilledClassifier):
    """What GridSearchCV clones, fits and scores: its `fit` takes what is trained."""

    def __init__(self, candidates=None, temperature=3.0, alpha=0.7):
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


class _Candidates:
    """The models of all folds and candidates, trained when the first is asked for.

    By then GridSearchCV has checked its own parameters.
    """

    def __init__(self, model, data, folds, pairs, n_jobs):
        self.model = model
        self.data = data
        self.folds = folds
        self.pairs = pairs
        self.n_jobs = n_jobs
        self.backend, self.backend_n_jobs = get_active_backend()
        self.models = None

    def __sklearn_clone__(self):
        return self

    def fitted(self, rows, temperature, alpha):
        """Return the model for the training rows of a fold; fit it if they are all."""
        with parallel_config(self.backend, n_jobs=self.backend_n_jobs):
            self.last = self._fitted(rows, temperature, alpha)
        return self.last

    def _fitted(self, rows, temperature, alpha):
        if self.models is None:
            start = time.perf_counter()
            self.models, self.engine = train_candidates(
                self.model, self.data, self.folds, self.pairs, self.n_jobs
            )
            self.seconds = time.perf_counter() - start
        of_fold = self.models.get(rows.tobytes())
        if of_fold is not None:
            return of_fold[temperature, alpha]
        model = clone(self.model).set_params(temperature=temperature, alpha=alpha)
        data = self.data
        return model.fit(
            data.X, data.y, sample_weight=data.sample_weight, **data.metadata
        )
