"""Temperature and alpha by cross-validation, at the price of a few fits."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.model_selection import GridSearchCV
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import MethodMapping

from skdistill._distilled import DistilledClassifier
from skdistill._pickling import VersionedPickleMixin
from skdistill._progress import epoch_progress
from skdistill._search_candidates import (
    SHARED,
    Candidates,
    NeedsRefit,
    checked_grid,
    checked_models,
    keep_results,
    metadata_for_scorers,
    routing_to,
    score_by,
    scorers_of,
)
from skdistill._search_data import Data, folds_of
from skdistill._sklearn import _fit_context
from skdistill._students.compacting import StudentClassifierMixin
from skdistill._targets.given import checked_soft_targets
from skdistill._targets.teacher import (
    check_fit_params,
    metadata_for_splitter,
    metadata_for_teacher,
    teacher_fit_params,
)
from skdistill._teaching_settings import chosen_teacher, routing_to_teacher
from skdistill._validation import (
    all_or_nothing,
    copy_form,
    validate_classification,
    warn_unscaled,
)

_AS_GRID_SEARCH = ("cv", "scoring", "refit", "error_score", "n_jobs")


class DistilledClassifierCV(
    StudentClassifierMixin,
    VersionedPickleMixin,
    MetaEstimatorMixin,
    ClassifierMixin,
    BaseEstimator,
):
    """`DistilledClassifier` with a cross-validated choice of temperature and alpha.

    Scores every pair of temperature and alpha as `GridSearchCV` over
    `DistilledClassifier` does, on the same folds with the same seeds, and fits the best
    one on all rows. It costs far less: the teacher, which depends on neither, is fitted
    once per fold, and networks of one shape are trained as one stack: the teachers of
    all folds, then the students of all candidates. A student starts from the same
    weights and sees the same batches as the others of its fold. With a `param_grid`
    it also answers which student to take: a network, a tree, another preprocessor.

    Parameters
    ----------
    teacher : classifier, default=None
        Any classifier with `predict_proba`, fitted once for each fold, on its training
        rows, and once on all. None stands for ``EnsembleTeacher()``.
    temperatures : array-like of float, default=(1.0, 2.0, 3.0, 5.0)
        The temperatures to try, all positive.
    alphas : array-like of float, default=(0.0, 0.3, 0.5, 0.7, 1.0)
        The weights of the teacher's term to try, in [0, 1].
    param_grid : dict or list of dict, default=None
        What else to try, as in `GridSearchCV`: lists for `student`, `preprocessor`,
        `hidden_layer_sizes` and `weight_decay`. Each comes with every temperature and
        alpha; a `student` that is no network learns at temperature 1 only, and takes
        no notice of this search's parameters of networks.
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
    error_score : "raise" or float, default=np.nan
        The score of a candidate on a fold where scoring fails, which a warning says;
        "raise" raises the error. As in `GridSearchCV`, but that an error in training
        is always raised: it is that of all candidates.
    n_jobs : int, default=None
        Number of jobs that the folds are divided among. None means 1 unless in a
        :obj:`joblib.parallel_config` context, -1 all processors. One job trains all
        folds as one stack on torch's threads.
    student : skorch.NeuralNetClassifier or classifier, default=None
        What to train; this and the rest is as in `DistilledClassifier`.
    preprocessor : transformer or "auto", default=None
        What makes rows for the student, fitted in each fold.
    hidden_layer_sizes : tuple of int, default=(64, 32)
        Widths of the student's hidden layers.
    max_epochs : int or "auto", default="auto"
        Number of the student's passes over the training data.
    lr : float, default=3e-3
        Learning rate of Adam, with which training starts.
    lr_schedule : {"cosine", "constant"}, default="cosine"
        Whether the learning rate falls to zero.
    batch_size : int or "auto", default="auto"
        Number of rows per training step.
    weight_decay : float or "auto", default="auto"
        Weight decay of Adam.
    calibrate : bool or "auto", default="auto"
        Whether the teacher is calibrated, on the training rows of each fold.
    blend : bool or "auto", default="auto"
        Whether networks like the student share in teaching.
    target_cv : int, cross-validation generator, iterable or None, default="auto"
        Folds, within the training rows of each fold, for out-of-fold soft targets.
    transfer : array-like or object with a `sample` method, default=None
        Further rows for the teacher: your own, or what makes some of a fold's.
    transfer_share : float, default=0.5
        Share of these rows in the sum of all weights, in (0, 1).
    memory : str, path or joblib.Memory, default=None
        Where fitted teachers are kept; of each fold an `EnsembleTeacher` of its own.
    device : str, default="cpu"
        Where torch trains.
    random_state : int, RandomState instance or None, default=None
        Seed of the students, and of every `random_state` of the teacher that is None.
    verbose : int, default=0
        0 is silent, 1 shows a progress bar, 2 prints skorch's table.

    Attributes
    ----------
    cv_results_ : dict of ndarrays
        What was tried and how it scored, with the keys of `GridSearchCV`: `params`,
        `mean_test_score`, `split0_test_score`, `rank_test_score` and so on. As the
        candidates were trained together, `mean_fit_time` is an equal share of the time
        that took, in seconds. `mean_student_bytes` is the size of the students: of a
        network's weights, or of another's pickle. `row_time` is what
        `predict_proba` of one row takes, in seconds.
    best_params_ : dict
        The `temperature`, the `alpha` and what of `param_grid` was chosen. This and
        the next three need `refit`, or a single metric.
    temperature_ : float
        The temperature that was chosen.
    alpha_ : float
        The weight of the teacher's term that was chosen.
    best_index_ : int
        Index of the choice in `cv_results_`.
    best_score_ : float
        Its mean score. Not there if `refit` is a callable.
    best_estimator_ : DistilledClassifier
        The chosen candidate, fitted on all rows. This and the next six are not there
        with ``refit=False``.
    refit_time_ : float
        Seconds that this took.
    teacher_ : classifier or None
        The teacher that was fitted on all rows.
    student_ : skorch.NeuralNetClassifier or classifier
        The student that was trained on all rows.
    preprocessor_ : transformer
        The preprocessor that was fitted on all rows, if there is one.
    n_iter_ : int
        Number of epochs that the student was trained for, if it is a net.
    loss_curve_ : list of float
        Its mean training loss in each epoch, if it is a net.
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
    ...     RandomForestClassifier(n_estimators=20),
    ...     max_epochs=20,
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

    __module__ = "skdistill"  # where it is pickled from

    # With metadata routing, they go to the splitter and the teacher as these request.
    __metadata_request__fit = {"groups": False}

    _parameter_constraints = {
        **{name: DistilledClassifier._parameter_constraints[name] for name in SHARED},
        "temperatures": ["array-like"],
        "alphas": ["array-like"],
        "param_grid": [dict, list, None],
        **{name: GridSearchCV._parameter_constraints[name] for name in _AS_GRID_SEARCH},
    }

    def __init__(
        self,
        teacher=None,
        *,
        temperatures=(1.0, 2.0, 3.0, 5.0),
        alphas=(0.0, 0.3, 0.5, 0.7, 1.0),
        param_grid=None,
        cv=5,
        scoring=None,
        refit=True,
        error_score=np.nan,
        n_jobs=None,
        student=None,
        preprocessor=None,
        hidden_layer_sizes=(64, 32),
        max_epochs="auto",
        lr=3e-3,
        lr_schedule="cosine",
        batch_size="auto",
        weight_decay="auto",
        calibrate="auto",
        blend="auto",
        target_cv="auto",
        transfer=None,
        transfer_share=0.5,
        memory=None,
        device="cpu",
        random_state=None,
        verbose=0,
    ):
        self.teacher = teacher
        self.temperatures = temperatures
        self.alphas = alphas
        self.param_grid = param_grid
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.error_score = error_score
        self.n_jobs = n_jobs
        self.student = student
        self.preprocessor = preprocessor
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_epochs = max_epochs
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.calibrate = calibrate
        self.blend = blend
        self.target_cv = target_cv
        self.transfer = transfer
        self.transfer_share = transfer_share
        self.memory = memory
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X, y, sample_weight=None, groups=None, soft_targets=None, **fit_params
    ):
        """Choose temperature and alpha, and fit the choice on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training rows. The teacher gets them as they are, the student cast to
            float32.
        y : array-like of shape (n_samples,)
            The class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows in training, and in the scores, where
            `GridSearchCV` hands them to the scorer.
        groups : array-like of shape (n_samples,), default=None
            Groups of the rows, for a `cv` or `target_cv` that keeps them together, and
            for a teacher that takes them, such as a search with such a `cv`.
        soft_targets : array-like of shape (n_samples, n_classes), default=None
            Class probabilities to learn from in place of a teacher's, as in
            `DistilledClassifier`. They must not have seen the rows of a test fold.
        **fit_params : dict
            What else the teacher's `fit` is to get, as in `DistilledClassifier`, and
            with metadata routing what the scorers request. What has a value for every
            row is cut for each fold.

        Returns
        -------
        self : DistilledClassifierCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, before any training; or if a loss
            stops being finite. The estimator is then as it was.
        TypeError
            If the teacher takes no such `fit_params`, before any training.
        """
        with all_or_nothing(self):
            for name in [name for name in vars(self) if name.endswith("_")]:
                delattr(self, name)  # which this search may not have
            models, chosen = checked_models(self, soft_targets)
            as_given = any(model.preprocessor is not None for model in models)
            X_student, y_index, _ = validate_classification(
                self, X, y, sample_weight, as_given=as_given
            )
            X, sample_weight = indexable(X, sample_weight)
            y = self.classes_[y_index]
            for model in models:
                copy_form(self, model)
            if soft_targets is not None:
                checked_soft_targets(soft_targets, len(y), self.classes_)
            teacher = chosen_teacher(self)
            check_fit_params(self, teacher, fit_params)
            splits = folds_of(self, X, y, groups, fit_params)
            grid = checked_grid(self.temperatures, self.alphas)
            if self.student is None and not as_given:
                warn_unscaled(self, X_student)
            metadata = metadata_for_teacher(teacher, groups, fit_params)
            for_folds = metadata_for_splitter(self.target_cv, groups, fit_params)
            for_scorers = metadata_for_scorers(self, groups, fit_params)
            fit_params = {}
            if max(grid["alpha"]) > 0 and soft_targets is None:
                fit_params = teacher_fit_params(self, teacher, sample_weight, metadata)
            rows = X, y, sample_weight, soft_targets
            data = Data(*rows, fit_params, metadata, for_folds)
            candidates = Candidates(models, chosen, data, grid, splits, self.n_jobs)
            with epoch_progress(0, description="search", verbose=self.verbose):
                search = candidates.searched(
                    for_scorers,
                    refit=self.refit,
                    scoring=self.scoring,
                    error_score=self.error_score,
                )
            keep_results(self, search, candidates)
        return self

    predict = NeedsRefit(StudentClassifierMixin.predict)
    predict_proba = NeedsRefit(StudentClassifierMixin.predict_proba)
    predict_log_proba = NeedsRefit(StudentClassifierMixin.predict_log_proba)
    predict_logits = NeedsRefit(StudentClassifierMixin.predict_logits)
    compact = NeedsRefit(StudentClassifierMixin.compact)

    @NeedsRefit
    def score(self, X, y, sample_weight=None, **score_params):
        """Score the predictions with the scorer that chose the candidate.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,)
            The true labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for a scorer that takes them.
        **score_params : dict
            What else the scorer is to get, with metadata routing as it requests it.

        Returns
        -------
        float
            The score by `scoring`, or, with several metrics, by the one that `refit`
            names.
        """
        if sample_weight is not None:
            score_params["sample_weight"] = sample_weight
        return score_by(self, X, y, score_params)

    def get_metadata_routing(self):
        """Return how metadata reaches teacher and scorers, for scikit-learn's routing.

        Returns
        -------
        MetadataRouter
            What `fit` and `score` take themselves and what they hand to the teacher's
            `fit`, to the scorers of `scoring` and to the splitter of `cv`.
        """
        mapping = MethodMapping().add(caller="fit", callee="split")
        router = routing_to_teacher(self).add(splitter=self.cv, method_mapping=mapping)
        return routing_to(scorers_of(self), router)
