"""The teacher: an ensemble of networks that vote with their mean logit."""

from copy import deepcopy
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from skorch import NeuralNet

from skdistill._checked_prediction import LogitsClassifierMixin
from skdistill._ensemble_members import (
    check_calibrate,
    chosen_engine,
    fitted_members,
    keep_members,
    mean_logits,
    replicas_of,
    unfitted_member,
)
from skdistill._network_rows import fit_preprocessor
from skdistill._notebook import NotebookSummaryMixin
from skdistill._onnx_hooks import OnnxHooksMixin
from skdistill._pickling import VersionedPickleMixin
from skdistill._progress import epoch_progress
from skdistill._sklearn import Interval, StrOptions, _fit_context
from skdistill._training.budget import warn_unconverged
from skdistill._validation import (
    NETWORK,
    PREPROCESSOR,
    all_or_nothing,
    draw_seeds,
    n_weighty,
    validate_classification,
    warn_unscaled,
    without_weightless,
)


class EnsembleTeacher(
    NotebookSummaryMixin,
    LogitsClassifierMixin,
    OnnxHooksMixin,
    VersionedPickleMixin,
    ClassifierMixin,
    BaseEstimator,
):
    """Ensemble of neural networks with a soft vote, to be distilled into one.

    Fits `n_estimators` skorch nets that differ in their initialization and in the
    order of their batches, and predicts with the mean of their logits (or of their
    probabilities). Deep ensembles of this kind are described in [1]_.

    Parameters
    ----------
    estimator : skorch.NeuralNetClassifier, default=None
        Unfitted net to replicate, with a module, optimizer and callbacks of your
        own. Its criterion says what the module returns: logits with
        `CrossEntropyLoss`, probabilities with `NLLLoss`. It shuffles its batches
        only if it says so, with ``iterator_train__shuffle=True``. Where the module
        takes `n_features` and `n_classes` and the net leaves them unset, they are
        filled in from the data. With None, a net of a `TeacherModel` is built from
        the parameters below, which must keep their defaults otherwise.
    n_estimators : int, default=12
        Number of networks.
    preprocessor : transformer or "auto", default=None
        What makes rows for the networks of those of `X`. It is cloned, and fitted
        inside `fit`. "auto" stands for `TablePreprocessor`, which takes text,
        categories, dates and missing values.
    hidden_layer_sizes : tuple of int, default=(256, 128, 64)
        Widths of the hidden layers.
    dropout : float, default=0.3
        Probability of dropping a hidden unit in training, in [0, 1).
    max_epochs : int or "auto", default="auto"
        Number of passes over the training data. "auto" stands for about
        3,000 training steps, but for 5 passes at least and 2,000 at most.
    lr : float, default=1e-3
        Learning rate of Adam, with which training starts.
    lr_schedule : {"cosine", "constant"}, default="cosine"
        Whether the learning rate falls to zero, along half a period of a cosine [2]_,
        or stays as it is.
    batch_size : int or "auto", default="auto"
        Number of rows per training step. "auto" stands for 64, and for more in a table
        of more than some 10,000 rows: 512 from 50,000 on.
    weight_decay : float, default=0.0
        Weight decay of Adam.
    averaging : {"logits", "proba"}, default="logits"
        What the vote averages: `"logits"` gives the softmax of the mean logit,
        `"proba"` the mean of the softmaxes.
    calibrate : bool or "auto", default="auto"
        Whether each network leaves out one of up to six folds of the rows, on which
        the others' confidence is checked: the vote's logits are divided by one
        temperature, which minimizes the log-loss of the logits that every row gets
        from the networks that were not fitted on it [3]_. This costs no time. "auto"
        is True unless ``n_estimators=1``. The folds are stratified; rows that belong
        together, such as copies, are not kept together.
    engine : {"auto", "vectorized", "joblib"}, default="auto"
        How the networks are trained. `"vectorized"` trains all of them as one stacked
        network, several times as fast; `"joblib"` fits them one by one with skorch.
        `"auto"` takes `"vectorized"` whenever that computes the same thing, which it
        does for networks without buffers, elementwise optimizers, and no callbacks but
        either learning rate schedules, or `EarlyStopping` and `EpochScoring` on
        validation data.
    n_jobs : int, default=None
        Number of networks that ``engine="joblib"`` trains at once, in processes of
        their own. None means 1 unless in a :obj:`joblib.parallel_config` context, -1
        all processors. Each network trains on one thread, so that the result does not
        depend on `n_jobs`. The vectorized engine uses torch's threads instead. On a
        GPU networks are trained one at a time, whatever `n_jobs` is.
    device : str, default="cpu"
        Where torch trains: `"cpu"`, `"cuda"`, `"cuda:<index>"`, `"mps"`, or `"auto"`
        for a GPU if there is one. The fitted networks are brought back to the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed of initialization, batch order and dropout. Each network gets a seed of
        its own drawn from this. Pass an int for the same result on every call.
    verbose : int, default=0
        0 is silent, 1 shows one progress bar for all networks, 2 prints skorch's
        table: of every network, or with the vectorized engine of their mean.

    Attributes
    ----------
    estimators_ : list of skorch.NeuralNetClassifier
        The fitted nets. Each works on its own, on float32 arrays, and predicts
        indices into `classes_`. They are on the CPU and keep no optimizer state.
    engine_ : {"vectorized", "joblib"}
        How the networks were trained.
    preprocessor_ : transformer
        The fitted preprocessor, if there is one.
    temperature_ : float
        What the vote's logits are divided by; 1.0 without calibration.
    oof_logits_ : ndarray of shape (n_samples, n_classes), dtype float32, or None
        The logits of every row of `fit` from those networks that left it out, divided
        by `temperature_`; NaN for rows of weight 0. None without calibration.
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen by `fit`, if they are all strings.

    See Also
    --------
    DistilledClassifier : Compresses this ensemble into one small network.

    References
    ----------
    .. [1] B. Lakshminarayanan, A. Pritzel, C. Blundell, "Simple and Scalable
       Predictive Uncertainty Estimation using Deep Ensembles", NeurIPS 2017.
    .. [2] I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm
       Restarts", ICLR 2017, arXiv:1608.03983.
    .. [3] C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural
       Networks", ICML 2017, arXiv:1706.04599.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skdistill import EnsembleTeacher
    >>> X, y = make_classification(n_samples=200, random_state=0)
    >>> teacher = EnsembleTeacher(n_estimators=3, max_epochs=10, random_state=0)
    >>> teacher.fit(X, y).score(X, y) > 0.8
    True
    >>> teacher.predict_logits(X).shape
    (200, 2)
    """

    __module__ = "skdistill"  # where it is pickled from

    _parameter_constraints = {
        "estimator": [NeuralNet, None],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "preprocessor": PREPROCESSOR,
        **NETWORK,
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "averaging": [StrOptions({"logits", "proba"})],
        "calibrate": ["boolean", StrOptions({"auto"})],
        "engine": [StrOptions({"auto", "vectorized", "joblib"})],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator=None,
        n_estimators=12,
        *,
        preprocessor=None,
        hidden_layer_sizes=(256, 128, 64),
        dropout=0.3,
        max_epochs="auto",
        lr=1e-3,
        lr_schedule="cosine",
        batch_size="auto",
        weight_decay=0.0,
        averaging="logits",
        calibrate="auto",
        engine="auto",
        n_jobs=None,
        device="cpu",
        random_state=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.preprocessor = preprocessor
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.averaging = averaging
        self.calibrate = calibrate
        self.engine = engine
        self.n_jobs = n_jobs
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None):
        """Fit the networks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training rows; they are cast to float32, behind the `preprocessor`.
        y : array-like of shape (n_samples,)
            The class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows; only their ratios count. A row of
            weight 0 counts for nothing, except that its class is known.

        Returns
        -------
        self : EnsembleTeacher
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, before any training; or if the loss
            of a network stops being finite. The estimator is then as it was.
        """
        with all_or_nothing(self):
            as_given = self.preprocessor is not None
            X, y, sample_weight = validate_classification(
                self, X, y, sample_weight, as_given=as_given
            )
            check_calibrate(self)
            (seed,) = draw_seeds(deepcopy(self.random_state), 1)
            X = fit_preprocessor(self, X, y, sample_weight, seed)
            net = unfitted_member(self, X, n_weighty(y, sample_weight))
            self.engine_ = chosen_engine(self, net, X)
            if self.estimator is None:
                warn_unscaled(self, X)
            n_rows, kept = len(X), slice(None)
            if sample_weight is not None:
                kept = sample_weight > 0
            X, y, subset = without_weightless(X, y, sample_weight=sample_weight)
            replicas, folds = replicas_of(self, y, subset)
            total = len(replicas) * net.max_epochs
            with epoch_progress(
                total, description="teacher", verbose=self.verbose
            ) as bar:
                members = fitted_members(self, net, X, y, replicas, bar)
            keep_members(self, members, folds, X, y, **subset)
            if self.oof_logits_ is not None:
                logits = np.full((n_rows, len(self.classes_)), np.nan, np.float32)
                logits[kept] = self.oof_logits_
                self.oof_logits_ = logits
            if self.estimator is None:
                curves = [net.history[:, "train_loss"] for net in members]
                warn_unconverged(
                    "the networks of EnsembleTeacher", np.mean(curves, axis=0)
                )
        return self

    def _logits(self, X):
        mean = mean_logits(self.estimators_, X, self.averaging)
        return mean / np.float32(self.temperature_)
