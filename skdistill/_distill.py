"""The two-line start: a model that is fitted already, and rows."""

import inspect
import warnings
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.validation import _num_samples, check_is_fitted

from skdistill._distilled import DistilledClassifier
from skdistill._sklearn import BaseSearchCV
from skdistill._targets.asked import AskedModel, PredictFunction
from skdistill._targets.cache import content_key

IN_CONTEXT = ("tabpfn", "tabicl")
"""Packages whose models look a row up in the table that they were fitted on."""


def distill(
    model,
    X,
    y=None,
    *,
    X_unlabelled=None,
    sample_weight=None,
    classes=None,
    chunk_size=4096,
    model_key=None,
    **params,
):
    """Train one small network to behave like a model that is fitted already.

    The model is asked for its probabilities of every row, once, and a
    :class:`DistilledClassifier` learns from these: from nothing else without `y`, from
    the labels as well with it. All it needs of a model are answers, so that it may be
    anywhere: in this process, behind a function, on a server [1]_.

    Parameters
    ----------
    model : fitted classifier or callable
        What has `classes_`, and `predict_logits` or `predict_proba`; or a function
        ``predict_proba(X)`` that returns an array of shape (n_samples, n_classes). It
        gets the rows as you give them, never scaled or encoded. It is never fitted.
    X : array-like of shape (n_samples, n_features)
        The rows to learn from.
    y : array-like of shape (n_samples,), default=None
        Their labels. Without, the student learns from the model alone: `alpha` is 1.
    X_unlabelled : array-like of shape (n_unlabelled, n_features), default=None
        Further rows for the model to label, with the columns of `X`: the `transfer` of
        `DistilledClassifier`, of which `transfer_share` is the weight. An `np.memmap`
        is not copied, but for the float32 array that the student learns from.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights of the rows of `X`.
    classes : array-like of shape (n_classes,), default=None
        The classes, in the order of the columns of what `model` returns. Needed if it
        has no `classes_`, as a function has not; an error otherwise.
    chunk_size : int, default=4096
        Number of rows that the model is asked for at once, at most.
    model_key : str, default=None
        What the answers of this model are kept under in `memory`. None stands for the
        content of the model. Give a name, another one for each version of the model, if
        it is a function or cannot be pickled, such as a connection to a server.
    **params : dict
        Any other parameters of :class:`DistilledClassifier`, such as `temperature`,
        `hidden_layer_sizes`, `random_state`, or ``verbose=1`` for a progress bar. With
        `memory`, every chunk of answers is kept in that folder as it comes: a run that
        was interrupted goes on from there, with the same rows and `chunk_size`.

    Returns
    -------
    DistilledClassifier
        A fitted one. Its `classes_` are those of `y`, or, without `y`, all of the
        model's. Its `teacher_` asks the model, which is
        ``teacher_.estimator.model``. A pickle or a deep copy leaves the model out, and
        `X_unlabelled` is not kept at all: what you save is the student. To fit it
        again, call `distill` again.

    Raises
    ------
    ValueError
        If the model, the rows or a parameter are invalid, before the model is asked;
        or if its answers are no probabilities.
    TypeError
        If `DistilledClassifier` has no such parameter.

    Warns
    -----
    UserWarning
        If `y` is given and the model is known to hand back the labels of rows that it
        was fitted on: nearest neighbours with ``n_neighbors=1`` or
        ``weights="distance"``, and models of TabPFN and TabICL. If rows of `X` are
        such, there is nothing else to learn from it. Give other rows, or an unfitted
        teacher to `DistilledClassifier` with `target_cv`.

    See Also
    --------
    DistilledClassifier : Fits the teacher as well, and calibrates it.

    Notes
    -----
    The model may have seen the rows, and is not calibrated here: if it is too sure of
    itself, so is the student. Never cross-validate the result with rows that the model
    was fitted on.

    The labels that a skorch net given as `student` validates on, without `y`, are
    arbitrary: its validation loss means something, its accuracy does not.

    References
    ----------
    .. [1] C. Bucila, R. Caruana, A. Niculescu-Mizil, "Model Compression", KDD 2006.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skdistill import distill
    >>> X, y = make_classification(n_samples=1000, random_state=0)
    >>> forest = RandomForestClassifier(random_state=0).fit(X[:300], y[:300])
    >>> student = distill(forest, X[300:], max_epochs=20, random_state=0)
    >>> bool((student.predict(X) == forest.predict(X)).mean() > 0.8)
    True

    A function will do:

    >>> def probabilities(X):
    ...     return forest.predict_proba(X)
    >>> student = distill(
    ...     probabilities, X, classes=["no", "yes"], max_epochs=20, random_state=0
    ... )
    >>> student.classes_.tolist()
    ['no', 'yes']
    """
    answering = _checked_model(model, classes)
    params = _checked_params(params, y, X_unlabelled)
    if not isinstance(chunk_size, Integral) or chunk_size < 1:
        raise ValueError(
            "The 'chunk_size' parameter of distill must be an int of 1 or more. Got "
            f"{chunk_size!r}."
        )
    if not hasattr(X, "shape"):
        X = np.asarray(X)
    if y is None:
        labels = _any_labels(answering.classes_, X)
    else:
        labels = check_array(y, dtype=None, ensure_2d=False, input_name="y")
        _warn_of_labels(model)
    memory = params.get("memory")
    if memory is not None and model_key is None:
        model_key = _key_of(answering)
    wanted = np.unique(labels)
    teacher = AskedModel(answering, wanted, int(chunk_size), memory, model_key)
    student = DistilledClassifier(FrozenEstimator(teacher), **params)
    student.fit(X, labels, sample_weight=sample_weight)
    # Rows are data, which no estimator is to drag along.
    return student if X_unlabelled is None else student.set_params(transfer=None)


distill.__module__ = "skdistill"  # where it is pickled from


def _checked_model(model, classes):
    """Return what has `classes_` and predicts, or raise."""
    if isinstance(model, BaseEstimator):
        check_is_fitted(model)
    predicts = any(hasattr(model, f"predict_{what}") for what in ("logits", "proba"))
    if isinstance(model, type) or not (predicts or callable(model)):
        raise ValueError(
            "The 'model' parameter of distill must be a fitted classifier with "
            "predict_proba, or a function that returns probabilities. Got "
            f"{model!r}."
        )
    has_classes = hasattr(model, "classes_")
    if has_classes == (classes is not None):
        raise ValueError(
            "The 'classes' parameter of distill must name the columns of a model that "
            "has no classes_, such as a function, and must be None for any other. Got "
            f"classes={classes!r} for a {type(model).__name__} "
            f"{'with' if has_classes else 'without'} classes_."
        )
    known = np.asarray(model.classes_ if has_classes else classes)
    if known.ndim != 1 or len(known) < 2 or len(np.unique(known)) < len(known):
        raise ValueError(
            "The classes of the model must be a list of two or more, none of them "
            f"twice. Got {known.tolist()!r}."
        )
    if has_classes:
        return model
    return PredictFunction(getattr(model, "predict_proba", model), known)


def _checked_params(params, y, X_unlabelled):
    """Return the parameters of `DistilledClassifier`, or raise."""
    allowed = set(inspect.signature(DistilledClassifier).parameters) - {"teacher"}
    for name in params:
        if name not in allowed:
            raise TypeError(
                f"distill() got an unexpected keyword argument {name!r}. Beside its "
                f"own, it takes those of DistilledClassifier: {sorted(allowed)}."
            )
    alpha = params.get("alpha", 1.0)
    if y is None and alpha != 1:
        raise ValueError(
            "The 'alpha' parameter must be 1 without y: there are no labels to learn "
            f"from. Got {alpha!r}."
        )
    if y is not None and alpha == 0:
        raise ValueError(
            "The 'alpha' parameter of distill must be above 0: at 0 nothing is learned "
            "from the model. Fit a DistilledClassifier(alpha=0)."
        )
    if X_unlabelled is not None and params.get("transfer") is not None:
        raise ValueError(
            "distill() takes either X_unlabelled or transfer. Got both, transfer a "
            f"{type(params['transfer']).__name__}."
        )
    params = params if X_unlabelled is None else {**params, "transfer": X_unlabelled}
    return params if y is not None else {**params, "alpha": 1.0}


def _any_labels(classes, X):
    """Return a label for every row, which counts for nothing at ``alpha=1``.

    All classes are among them, so that the student knows them.
    """
    n_rows = _num_samples(X)
    if n_rows < len(classes):
        raise ValueError(
            f"Without y, X must have as many rows as the model has classes, "
            f"{len(classes)}, or more. Got {n_rows}."
        )
    return np.resize(np.asarray(classes), n_rows)


def _key_of(model):
    """Return what the answers of `model` are kept under, or raise."""
    if isinstance(model, PredictFunction):
        reason = "a function says nothing of what it calls"
    else:
        try:
            return content_key(model)
        except Exception as error:  # pickle raises several kinds
            reason = f"{type(error).__name__}: {error}"
    raise ValueError(
        "With 'memory', the 'model_key' parameter of distill must name this model, as "
        f"its content cannot be told: {reason}."
    )


def _warn_of_labels(model):
    """Warn if `model` hands back the labels of rows that it was fitted on."""
    while True:
        match model:
            case FrozenEstimator():
                model = model.estimator
            case BaseSearchCV():
                model = model.best_estimator_
            case Pipeline():
                model = model.steps[-1][1]
            case _:
                break
    if isinstance(model, KNeighborsClassifier):
        hands_back = model.n_neighbors == 1 or model.weights == "distance"
    else:
        hands_back = type(model).__module__.lower().startswith(IN_CONTEXT)
    if hands_back:
        warnings.warn(
            f"Of rows that a {type(model).__name__} was fitted on, it hands back the "
            "labels. If X has such rows, the student learns nothing else from it: give "
            "rows that it has not seen, or use "
            "DistilledClassifier(teacher, target_cv=5) with an unfitted teacher.",
            UserWarning,
            stacklevel=3,
        )
