"""The teacher: an ensemble of networks that vote with their mean logit."""

from copy import copy
from numbers import Integral, Real

import numpy as np
import torch
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from skorch import NeuralNet

from skdistill._pickling import VersionedPickleMixin
from skdistill._prediction import LogitsClassifierMixin
from skdistill._progress import epoch_progress
from skdistill._sklearn import Interval, StrOptions, _fit_context
from skdistill._training.many_nets import Replica, train_stacked
from skdistill._training.modules import TeacherModel
from skdistill._training.nets import check_member, mlp_net, net_logits, prepared
from skdistill._training.one_net import train_net
from skdistill._training.stackable import why_not_stacked
from skdistill._validation import (
    all_or_nothing,
    copy_form,
    draw_seeds,
    refuse_overridden,
    validate_classification,
    warn_unscaled,
    without_weightless,
)

MEMBER_PARAMETERS = (
    "hidden_layer_sizes",
    "dropout",
    "max_epochs",
    "lr",
    "batch_size",
    "weight_decay",
    "device",
)


class EnsembleTeacher(
    LogitsClassifierMixin, VersionedPickleMixin, ClassifierMixin, BaseEstimator
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
    hidden_layer_sizes : tuple of int, default=(256, 128, 64)
        Widths of the hidden layers.
    dropout : float, default=0.3
        Probability of dropping a hidden unit in training, in [0, 1).
    max_epochs : int, default=30
        Number of passes over the training data.
    lr : float, default=1e-3
        Learning rate of Adam.
    batch_size : int, default=64
        Number of rows per training step.
    weight_decay : float, default=0.0
        Weight decay of Adam.
    averaging : {"logits", "proba"}, default="logits"
        What the vote averages: `"logits"` gives the softmax of the mean logit,
        `"proba"` the mean of the softmaxes.
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

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skdistill import EnsembleTeacher
    >>> X, y = make_classification(n_samples=200, random_state=0)
    >>> teacher = EnsembleTeacher(n_estimators=3, max_epochs=10, random_state=0)
    >>> teacher.fit(X, y).predict(X[:5])
    array([0, 0, 1, 0, 0])
    >>> teacher.predict_logits(X).shape
    (200, 2)
    """

    __module__ = "skdistill"  # where it is pickled from

    _parameter_constraints = {
        "estimator": [NeuralNet, None],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, np.inf, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "weight_decay": [Interval(Real, 0, np.inf, closed="left")],
        "averaging": [StrOptions({"logits", "proba"})],
        "engine": [StrOptions({"auto", "vectorized", "joblib"})],
        "n_jobs": [Integral, None],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator=None,
        n_estimators=12,
        *,
        hidden_layer_sizes=(256, 128, 64),
        dropout=0.3,
        max_epochs=30,
        lr=1e-3,
        batch_size=64,
        weight_decay=0.0,
        averaging="logits",
        engine="auto",
        n_jobs=None,
        device="cpu",
        random_state=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.averaging = averaging
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
            The training rows; they are cast to float32.
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
            X, y, sample_weight = validate_classification(self, X, y, sample_weight)
            net = self._member(X)
            self.engine_ = self._chosen_engine(net, X)
            if self.estimator is None:
                warn_unscaled(self, X)
            X, y, rows = without_weightless(X, y, sample_weight=sample_weight)
            total = self.n_estimators * net.max_epochs
            with epoch_progress(
                total, description="teacher", verbose=self.verbose
            ) as bar:
                if self.engine_ == "vectorized":
                    (self.estimators_,) = self._fit_stacked(net, X, y, [rows], bar)
                else:
                    self.estimators_ = self._fit_each(net, X, y, rows, bar)
        return self

    def _member(self, X):
        """Return the unfitted net that all members are copies of."""
        if self.estimator is None:
            net = mlp_net(
                TeacherModel,
                **{name: getattr(self, name) for name in MEMBER_PARAMETERS},
            )
        else:
            refuse_overridden(self, "estimator", MEMBER_PARAMETERS)
            net = clone(self.estimator)
            check_member(net)
        return prepared(net, X, len(self.classes_), "the networks of EnsembleTeacher")

    def _chosen_engine(self, net, X):
        if self.engine == "joblib":
            return "joblib"
        reason = why_not_stacked(net, X)
        if reason is None:
            return "vectorized"
        if self.engine == "vectorized":
            raise ValueError(
                "The 'engine' parameter of EnsembleTeacher cannot be 'vectorized' for "
                f"this net: {reason}. Use 'auto' or 'joblib'."
            )
        return "joblib"

    def _names_and_seeds(self):
        seeds = draw_seeds(self.random_state, self.n_estimators)
        names = [f"member {i} of EnsembleTeacher" for i in range(self.n_estimators)]
        return list(zip(names, seeds, strict=True))

    def _fit_stacked(self, net, X, y, subsets, bar):
        """Return the members trained on each of the subsets."""
        replicas = [
            Replica(name, seed, **subset)
            for subset in subsets
            # A RandomState starts anew for each, as it does in a fit of a clone.
            for name, seed in clone(self)._names_and_seeds()
        ]
        n_classes = len(self.classes_)
        nets = train_stacked(
            net, X, y, replicas, n_classes=n_classes, bar=bar, verbose=self.verbose
        )
        n = self.n_estimators
        return [nets[start : start + n] for start in range(0, len(nets), n)]

    def _fit_each(self, net, X, y, rows, bar):
        # Processes would only take turns on a GPU, each with a copy of torch there.
        n_jobs = self.n_jobs if torch.device(net.device).type == "cpu" else 1
        in_process = effective_n_jobs(n_jobs) == 1
        fits = Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(_train_member)(
                clone(net),
                (X, y, rows),
                seed=seed,
                name=name,
                bar=bar if in_process else None,
                verbose=self.verbose,
            )
            for name, seed in self._names_and_seeds()
        )
        members = []
        for fitted in fits:
            members.append(fitted)
            if not in_process:
                loss = fitted.history[-1, "train_loss"]
                bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
                bar.update(net.max_epochs)
        return members

    def _logits(self, X):
        logits = torch.stack([net_logits(net, X) for net in self.estimators_])
        # Not torch's sums, which depend on where in the batch a row stands.
        if self.averaging == "logits":
            mean = np.add.reduce(logits.numpy()) / np.float32(len(logits))
        else:
            log_proba = torch.log_softmax(logits, dim=-1).numpy()
            mean = np.logaddexp.reduce(log_proba) - np.float32(np.log(len(logits)))
        return torch.from_numpy(mean)


def fitted_on_subsets(ensemble, X, y, subsets, form):
    """Return copies of an ensemble, each fitted on a subset of the rows, in one stack.

    Parameters
    ----------
    ensemble : EnsembleTeacher
        Unfitted.
    X, y : ndarray
        As `validate_classification` returns them.
    subsets : list of dict
        The `rows` of each subset, and perhaps their `sample_weight`.
    form : estimator
        One that has what `validate_classification` sets.

    Returns
    -------
    list of EnsembleTeacher, or None
        None if the networks cannot be stacked, or are not to be.
    """
    ensemble._validate_params()
    copy_form(form, ensemble)
    net = ensemble._member(X)
    ensemble.engine_ = ensemble._chosen_engine(net, X)
    if ensemble.engine_ != "vectorized":
        return None
    teachers = []
    total = len(subsets) * ensemble.n_estimators * net.max_epochs
    with epoch_progress(total, description="teachers", verbose=ensemble.verbose) as bar:
        for members in ensemble._fit_stacked(net, X, y, subsets, bar):
            teacher = copy(ensemble)
            teacher.estimators_ = members
            teachers.append(teacher)
    return teachers


def _train_member(net, data, **how):
    # In one tuple, as a single array would be lost for good with the worker of a
    # cluster that joblib had sent it to.
    X, y, rows = data
    return train_net(net, X, y, rows=rows, **how)
