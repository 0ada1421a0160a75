"""The student: one small network trained on the soft targets of a teacher."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import indexable

from skdistill._further import further_rows, join
from skdistill._network_rows import fit_preprocessor
from skdistill._pickling import VersionedPickleMixin
from skdistill._progress import describe, epoch_progress
from skdistill._sklearn import HasMethods, Interval, StrOptions, _fit_context
from skdistill._students import kinds
from skdistill._students.compacting import StudentClassifierMixin
from skdistill._targets.given import checked_soft_targets
from skdistill._targets.teacher import PredictsProba, teacher_fit_params
from skdistill._teaching import (
    Lesson,
    ask_teacher,
    given_lesson,
    keep_lesson,
    lesson_from,
    seeds_of,
)
from skdistill._teaching_settings import (
    TEACHING,
    check_teaching,
    chosen_teacher,
    divided_metadata,
    routing_to_teacher,
    warn_of_class_weight,
)
from skdistill._validation import (
    NETWORK,
    PREPROCESSOR,
    all_or_nothing,
    n_weighty,
    validate_classification,
    warn_unscaled,
    without_weightless,
)


class DistilledClassifier(
    StudentClassifierMixin,
    VersionedPickleMixin,
    MetaEstimatorMixin,
    ClassifierMixin,
    BaseEstimator,
):
    r"""One small network that behaves like a big teacher; `alpha` weights the teacher.

    `fit` fits the teacher, softens its output and trains one student on it, with

    .. math::
        L = \alpha T^2 \, \mathrm{KL}\left(\mathrm{softmax}(z_t / T) \,\|\,
        \mathrm{softmax}(z_s / T)\right) + (1 - \alpha) \, \mathrm{CE}(y, z_s)

    for the teacher's logits :math:`z_t`, the student's logits :math:`z_s`, the
    temperature :math:`T` and the labels :math:`y` [1]_.

    Parameters
    ----------
    teacher : classifier, default=None
        Any classifier with `predict_proba`. It is cloned and fitted inside `fit`, on
        `X` just as the caller gave it. A :class:`~sklearn.frozen.FrozenEstimator` is
        used as it is. None stands for ``EnsembleTeacher()``.
    temperature : float, default=3.0
        Positive number that divides the logits of both sides in the soft term. The
        student predicts at temperature 1. A `student` that is no network also learns
        at 1: any other value than that and the default is an error.
    alpha : float, default=0.5
        Weight of the teacher's term, in [0, 1]; the labels' term has weight
        ``1 - alpha``. With ``alpha=0`` no teacher is fitted: this is the baseline
        that learns from hard labels alone.
    student : skorch.NeuralNetClassifier or classifier, default=None
        Any unfitted classifier whose `fit` takes `sample_weight`, or a Pipeline that
        ends in one, to train in place of a `StudentModel`: see the Notes. Or a net
        with a module, optimizer and callbacks of your own. Its criterion only says
        what the module returns: logits with `CrossEntropyLoss`, probabilities with
        `NLLLoss`. Where the module takes `n_features` and `n_classes` and the net
        leaves them unset, they are filled in from the data. The parameters of networks
        below must keep their defaults then.
    preprocessor : transformer or "auto", default=None
        What makes rows for the student of those of `X`, which the teacher gets as they
        are. It is cloned, and fitted inside `fit`. "auto" stands for
        `TablePreprocessor`, which takes text, categories, dates and missing values;
        the ensemble that ``teacher=None`` stands for gets the same. Where it comes to
        scaling, the first layer does it after the fit.
    hidden_layer_sizes : tuple of int, default=(64, 32)
        Widths of the student's hidden layers.
    max_epochs : int or "auto", default="auto"
        Number of the student's passes over the training data. "auto" stands for about
        12,000 training steps, but for 5 passes at least and 2,000 at most.
    lr : float, default=3e-3
        Learning rate of Adam, with which training starts.
    lr_schedule : {"cosine", "constant"}, default="cosine"
        Whether the learning rate falls to zero, along half a cosine [2]_, or stays.
    batch_size : int or "auto", default="auto"
        Number of rows per training step. "auto" stands for 64, and for more in a table
        of more than some 10,000 rows: 512 from 50,000 on.
    weight_decay : float or "auto", default="auto"
        Weight decay of Adam. "auto" is ``1 / n_samples``, to a power of two, times ten
        times the share of rows that is wrong out of fold where that is above a tenth.
    calibrate : bool or "auto", default="auto"
        Whether the teacher's logits are divided by one temperature, which minimizes
        their log-loss for rows that it was not fitted on: overconfidence is handed on
        to the student [3]_. `EnsembleTeacher` and
        :class:`~sklearn.calibration.CalibratedClassifierCV` do so themselves. Others
        are fitted five times more, each time without a fifth of the rows. "auto" does
        so unless the teacher is a :class:`~sklearn.frozen.FrozenEstimator` or `fit`
        gets `soft_targets`, where True is an error.
    blend : bool or "auto", default="auto"
        Whether the logits of six networks like the student, trained on labels, are
        added to the teacher's, by weights that minimize the log-loss of the sum for
        rows that neither was fitted on [4]_. "auto" does so if `student` is None, and
        the teacher is calibrated here or is an `EnsembleTeacher`; else, and with
        ``calibrate=False``, True is an error.
    target_cv : int, cross-validation generator, iterable or None, default="auto"
        Folds for soft targets from teachers that were fitted without the row's fold,
        as for a teacher that hands back the labels of its rows. They serve `calibrate`,
        too. "auto" takes the out-of-fold logits that calibration has anyway, if they
        are wrong about more than a tenth of the rows: such labels are noise, which a
        teacher knows by heart. None takes what the teacher says of its own rows.
    transfer : array-like or object with a `sample` method, default=None
        Further rows for the fitted teacher to label: unlabelled ones of your own, with
        the columns of `X`, or what makes some of `X`, such as `MixupTransfer` [5]_.
        They have no labels' term, and "auto" counts them. Where a `student` of yours
        validates on some, a score counts them as wrong. Of an `np.memmap` the teacher
        gets 65,536 at a time; `clone` copies rows. Without effect if ``alpha=0``; an
        error with `soft_targets`.
    transfer_share : float, default=0.5
        Share of these rows in the sum of all weights, in (0, 1).
    memory : str, path or joblib.Memory, default=None
        Where fitted teachers and their logits are kept, so that a search over
        `temperature` and `alpha` fits the teacher once per fold. Later runs find them,
        for the same data, teacher and versions of packages. It needs integers as
        seeds of the teacher and of the folds of `calibrate`, which an integer
        `random_state` provides; otherwise a warning says that nothing is kept. It holds
        pickles: use a folder that only you can write to. None keeps nothing.
    n_jobs : int, default=None
        Number of jobs for the further teachers of `calibrate` and `target_cv`.
    device : str, default="cpu"
        Where torch trains the student, and the teacher that ``teacher=None`` stands
        for: `"cpu"`, `"cuda"`, `"cuda:<index>"`, `"mps"`, or `"auto"` for a GPU if
        there is one. The fitted networks are brought back to the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed of the student's initialization and batch order, and of every
        `random_state` of teacher and `student` that is None. An int repeats results.
    verbose : int, default=0
        0 is silent, 1 shows one progress bar for all, 2 prints skorch's tables.

    Attributes
    ----------
    teacher_ : classifier or None
        The fitted teacher; None if ``alpha=0`` or if `fit` was given `soft_targets`.
        XGBoost's, which takes no labels but 0, ..., n_classes - 1, is
        `teacher_.estimator_` where there are others.
    teacher_temperature_ : float
        What the teacher's logits were divided by, before `temperature` softens them;
        1.0 where this fit found none. With `blend`, one over the teacher's weight.
    peer_weight_ : float
        What the logits that `blend` adds were multiplied by; 0.0 without.
    teacher_score_ : float or None
        Accuracy of the teacher, or of others of its kind, for rows of `X` that it was
        not fitted on; None without such rows.
    out_of_fold_ : bool
        Whether the student learned from out-of-fold logits.
    student_ : skorch.NeuralNetClassifier or classifier
        The fitted student. It works on its own, on float32 arrays of rows as
        `preprocessor_` makes them, unless a first layer does that, and predicts
        indices into `classes_`. A net is on the CPU and keeps no optimizer state.
    preprocessor_ : transformer
        The fitted preprocessor, if there is one.
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen by `fit`, if they are all strings.
    n_iter_ : int
        Number of epochs that the student was trained for, if it is a net.
    loss_curve_ : list of float
        The student's mean training loss in each epoch, if it is a net.

    See Also
    --------
    EnsembleTeacher : The default teacher.
    DistillationLoss : The loss, as a torch module.

    Notes
    -----
    A student that is no network is fitted on a copy of each row per class, with the
    weight ``alpha * p_teacher + (1 - alpha) * is_label``. What it counts in rows, such
    as `min_samples_leaf`, it counts in copies. One that holds out rows, as for early
    stopping, has copies of them on both sides: switch that off.

    The teacher's logits come from its `predict_logits` where that exists, and else are
    ``log((1 - 1e-4) * proba + 1e-4 / n_classes)``. An exact zero, also of a class that
    it never saw, is half of its smallest probability, 0.005 at most; as it is smoothed
    if it gives only zeros and ones. Columns are lined up by `classes_`.

    A teacher predicts with more confidence on rows it was fitted on. Never put a
    :class:`~sklearn.frozen.FrozenEstimator` that has seen all rows into a
    cross-validation: its knowledge of the test folds leaks into the student.

    A teacher that weighs classes (``class_weight="balanced"``) does so alone: what
    learns from labels beside it does not. Weigh rows by `sample_weight` instead.

    References
    ----------
    .. [1] G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural
       Network", 2015, arXiv:1503.02531.
    .. [2] I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm
       Restarts", 2017, arXiv:1608.03983.
    .. [3] C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural
       Networks", ICML 2017, arXiv:1706.04599.
    .. [4] D. Wolpert, "Stacked Generalization", Neural Networks 5, 1992.
    .. [5] C. Bucila, R. Caruana, A. Niculescu-Mizil, "Model Compression", KDD 2006.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdistill import DistilledClassifier
    >>> X, y = make_classification(n_samples=200, random_state=0)
    >>> forest = RandomForestClassifier(n_estimators=20)
    >>> student = DistilledClassifier(forest, max_epochs=20, random_state=0)
    >>> model = make_pipeline(StandardScaler(), student).fit(X, y)
    >>> model.score(X, y) > 0.8
    True
    """

    __module__ = "skdistill"  # where it is pickled from

    _parameter_constraints = {
        "teacher": [PredictsProba(), None],
        "temperature": [Interval(Real, 0, np.inf, closed="neither")],
        "alpha": [Interval(Real, 0, 1, closed="both")],
        "student": [HasMethods(["fit", "predict_proba"]), None],
        "preprocessor": PREPROCESSOR,
        **NETWORK,
        "weight_decay": [StrOptions({"auto"}), *NETWORK["weight_decay"]],
        **TEACHING,
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        teacher=None,
        temperature=3.0,
        alpha=0.5,
        *,
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
        n_jobs=None,
        device="cpu",
        random_state=None,
        verbose=0,
    ):
        self.teacher = teacher
        self.temperature = temperature
        self.alpha = alpha
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
        self.n_jobs = n_jobs
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, soft_targets=None, **fit_params):
        """Fit the teacher and train the student on its soft targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training rows. The teacher gets them as they are, the student cast to
            float32.
        y : array-like of shape (n_samples,)
            The class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows, in both terms of the loss; only their
            ratios count. A teacher whose `fit` takes them gets them too. A row of
            weight 0 counts for nothing, except that its class is known.
        soft_targets : array-like of shape (n_samples, n_classes), default=None
            Class probabilities to learn from in place of a teacher's, such as another
            model's `predict_proba`, columns in the sorted order of the classes in
            `y`. Those of a DataFrame may be named as the classes, and are lined up as
            a teacher's then, so that a fold may lack a class. They are smoothed and
            softened as a teacher's would be, so give them as they are, at
            temperature 1.
        **fit_params : dict
            What else the teacher's `fit` is to get, under the names it has there; with
            scikit-learn's metadata routing enabled, under those the teacher requests.
            Without effect where no teacher is fitted. `groups` are also for a
            `target_cv` that takes them, such as
            :class:`~sklearn.model_selection.GroupKFold`.

        Returns
        -------
        self : DistilledClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, before any training; or if the
            student's loss stops being finite. The estimator is then as it was.
        TypeError
            If the teacher takes no such `fit_params`, before any training.
        """
        with all_or_nothing(self):
            X_student, y_index, weight = validate_classification(
                self, X, y, sample_weight, as_given=self.preprocessor is not None
            )
            X, sample_weight = indexable(X, sample_weight)
            if soft_targets is not None:
                shape = len(y_index), self.classes_
                soft_targets = checked_soft_targets(soft_targets, *shape)
            check_teaching(self, soft_targets)
            fit_params, for_folds = divided_metadata(self, fit_params)
            if sample_weight is None and soft_targets is None:
                warn_of_class_weight(self)
            seeds = seeds_of(self, self.random_state)
            X_student = fit_preprocessor(self, X_student, y_index, weight, seeds.others)
            further = further_rows(self, X, weight, seeds.transfer)
            n_rows = n_weighty(y_index, weight)
            n_rows += 0 if further is None else len(further.X_student)
            shape = len(self.classes_), n_rows
            # Checked before the teacher is fitted, which says how noisy the rows are.
            student = kinds.unfitted_student(self, X_student, *shape)
            if self.student is None:
                warn_unscaled(self, X_student)
            # An EnsembleTeacher makes it count.
            with epoch_progress(
                kinds.n_steps(student),
                description=f"teacher {type(chosen_teacher(self)).__name__}",
                verbose=self.verbose,
                counts=False,
            ) as bar:
                lesson = Lesson()
                if self.alpha > 0 and soft_targets is not None:
                    lesson = given_lesson(soft_targets)
                elif self.alpha > 0:
                    # As the caller gave them: the teacher's.
                    params = teacher_fit_params(
                        self, chosen_teacher(self), sample_weight, fit_params
                    )
                    rows = X, self.classes_[y_index], params
                    answers = ask_teacher(self, *rows, weight, seeds, for_folds)
                    rows = X_student, y_index, weight
                    lesson = lesson_from(self, answers, *rows, seeds)
                student = kinds.unfitted_student(self, X_student, *shape, lesson.error)
                keep_lesson(self, lesson)
                values = {"sample_weight": weight, "teacher_logits": lesson.logits}
                rows = without_weightless(X_student, y_index, **values)
                rows = join(self, lesson, further, *rows)
                del further  # a second copy, as large
                describe(bar, "student")
                kinds.train_student(self, student, *rows, seeds.student, bar)
        return self

    def get_metadata_routing(self):
        """Return how metadata reaches the teacher, for scikit-learn's routing.

        Returns
        -------
        MetadataRouter
            What `fit` takes itself and what it hands to the teacher's `fit`.
        """
        return routing_to_teacher(self)
