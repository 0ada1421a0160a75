"""What students of several sizes are worth, beside their teacher and baselines."""

from inspect import signature
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import Bunch, _safe_indexing, indexable

from skdistill._distilled import DistilledClassifier
from skdistill._inspection.curve_search import (
    CurveScorer,
    Rows,
    curve_search,
    joined,
    transformed,
)

SIZES = ("n_parameters", "n_bytes", "row_time")
"""What of a curve says how much a student costs."""


def distillation_curve(
    model,
    X,
    y,
    *,
    hidden_layer_sizes,
    cv=None,
    scoring="neg_log_loss",
    sample_weight=None,
    groups=None,
    n_jobs=None,
):
    """Score students of several sizes, their teacher and their baselines.

    What `validation_curve` does for `hidden_layer_sizes`, but that it fits each teacher
    once per fold for all sizes, trains the students of one size as one stack, and
    scores the teacher and the hard-label baseline on the same folds. Which size is
    enough, `smallest_within` tells; `TradeoffDisplay` draws it.

    Parameters
    ----------
    model : DistilledClassifier or Pipeline
        The model, whose `hidden_layer_sizes` are set to each of the sizes, or a
        Pipeline that ends in one. The steps before it are fitted in each fold, on its
        training rows.
    X : array-like of shape (n_samples, n_features)
        The rows.
    y : array-like of shape (n_samples,)
        The class labels.
    hidden_layer_sizes : list of tuple of int
        The sizes: for each the widths of the student's hidden layers, or the width if
        there is one.
    cv : int, cross-validation generator or iterable, default=None
        The folds, as in :class:`~sklearn.model_selection.GridSearchCV`. None is five
        stratified ones.
    scoring : str, callable or None, default="neg_log_loss"
        What to score with: the name of a scorer, or a callable
        ``scorer(estimator, X, y)``, which takes `sample_weight` as well if that is
        given. None is the accuracy.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, for the model and the scores. Steps before the model do
        not get them.
    groups : array-like of shape (n_samples,), default=None
        Groups of the rows, for a `cv` that keeps them together.
    n_jobs : int, default=None
        Number of jobs that the folds are divided among, as in `DistilledClassifierCV`.

    Returns
    -------
    curve : :class:`~sklearn.utils.Bunch`
        With these, also as attributes:

        hidden_layer_sizes : list of tuple of int
            The sizes, in the order given.
        n_parameters, n_bytes : ndarray of shape (n_sizes,)
            What a student's network has, on average over the folds: weights, and the
            bytes that these take; a file has some more.
        row_time : ndarray of shape (n_sizes,)
            Seconds that `predict_proba` takes for one row, the median over the folds;
            of a Pipeline, with the steps before.
        test_scores : ndarray of shape (n_sizes, n_folds)
            The scores of the students.
        baseline_scores : ndarray of shape (n_sizes, n_folds)
            Those of the same networks on the labels alone (``alpha=0``).
        teacher_scores : ndarray of shape (n_folds,)
            Those of the teachers, by their own `predict_proba`: without the
            calibration that students get.
        teacher_n_parameters, teacher_n_bytes, teacher_row_time : float
            The same of the first fold's teacher. If that is no network, it has NaN
            parameters and the bytes of its pickle; NaN if it cannot be pickled.
        score_name : str
            What the scores are called.

    Raises
    ------
    ValueError
        If a parameter or the data is invalid.

    See Also
    --------
    smallest_within : Names the smallest student that is good enough.
    TradeoffDisplay : Draws score against size or latency.
    DistilledClassifierCV : Searches temperature and alpha as well.

    Notes
    -----
    The steps of a Pipeline make other rows in each fold. They are held for all folds at
    once, so that the students of all folds can be one stack.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdistill import DistilledClassifier, distillation_curve
    >>> X, y = make_classification(n_samples=200, random_state=0)
    >>> forest = RandomForestClassifier(n_estimators=20)
    >>> student = DistilledClassifier(
    ...     forest, calibrate=False, max_epochs=20, random_state=0
    ... )
    >>> curve = distillation_curve(
    ...     make_pipeline(StandardScaler(), student),
    ...     X,
    ...     y,
    ...     hidden_layer_sizes=[(4,), (16,), (64, 32)],
    ...     cv=3,
    ... )
    >>> curve.n_parameters.tolist()
    [94.0, 370.0, 3490.0]
    >>> curve.test_scores.shape, curve.teacher_scores.shape
    ((3, 3), (3,))
    """
    steps, last = _checked_parts(model)
    sizes = _checked_sizes(hidden_layer_sizes)
    _check_scoring(scoring, sample_weight)
    scorer = CurveScorer(check_scoring(last, scoring))
    X, y, sample_weight, groups = indexable(X, y, sample_weight, groups)
    splits = list(check_cv(cv, y, classifier=True).split(X, y, groups))
    parts, steps_time = [Rows(np.arange(len(splits)), X, None, splits)], 0.0
    if steps is not None:
        parts, steps_time = transformed(steps, X, y, splits)
    searches = []
    for part in parts:
        of_rows = [
            values
            if values is None or part.rows is None
            else _safe_indexing(values, part.rows)
            for values in (y, sample_weight, groups)
        ]
        search = curve_search(last, sizes, part.splits, scorer, n_jobs)
        searches.append(search.fit(part.X, *of_rows))
    return Bunch(
        hidden_layer_sizes=sizes,
        **joined(parts, searches, steps_time),
        teacher_n_parameters=scorer.teacher.n_parameters,
        teacher_n_bytes=scorer.teacher.n_bytes,
        teacher_row_time=scorer.teacher.row_time + steps_time,
        score_name=scoring
        if isinstance(scoring, str)
        else getattr(scoring, "__name__", "score" if scoring else "accuracy"),
    )


distillation_curve.__module__ = "skdistill"  # where it is pickled from


def smallest_within(
    curve, tolerance="one_standard_error", *, of="teacher", by="n_parameters"
):
    """Name the smallest student whose score is close to that of the teacher.

    Parameters
    ----------
    curve : Bunch
        What `distillation_curve` returns.
    tolerance : float or "one_standard_error", default="one_standard_error"
        How much the mean score may be lower, in the units of the score. The standard
        error is that of the teacher's mean over the folds, or of the best student's, as
        in section 7.10 of [1]_.
    of : {"teacher", "best"}, default="teacher"
        Whom the student is compared with: the teacher, or the best of the students.
    by : {"n_parameters", "n_bytes", "row_time"}, default="n_parameters"
        What is to be as small as can be. Of several with as much, it is the one with
        the best score.

    Returns
    -------
    tuple of int
        Its `hidden_layer_sizes`.

    Raises
    ------
    ValueError
        If a parameter is invalid, or if no student is that close to the teacher.

    See Also
    --------
    distillation_curve : Makes the curve.
    one_standard_error : The same in a `DistilledClassifierCV`.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical
       Learning", 2nd edition, Springer 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.utils import Bunch
    >>> from skdistill import smallest_within
    >>> curve = Bunch(
    ...     hidden_layer_sizes=[(4,), (16,), (64,)],
    ...     n_parameters=np.array([94, 370, 1474]),
    ...     test_scores=np.array([[0.80, 0.82], [0.89, 0.90], [0.90, 0.92]]),
    ...     teacher_scores=np.array([0.91, 0.91]),
    ...     score_name="accuracy",
    ... )
    >>> smallest_within(curve, 0.02)
    (16,)
    >>> smallest_within(curve, 0.005)
    (64,)
    """
    for name, value, allowed in (("of", of, ("teacher", "best")), ("by", by, SIZES)):
        if value not in allowed:
            raise ValueError(
                f"The {name!r} parameter of smallest_within must be one of "
                f"{list(allowed)}. Got {value!r}."
            )
    means = curve.test_scores.mean(axis=1)
    best = int(np.argmax(means))
    scores = curve.teacher_scores if of == "teacher" else curve.test_scores[best]
    allowance = _checked_tolerance(tolerance, scores)
    within = np.flatnonzero(means >= scores.mean() - allowance)
    if not len(within):
        raise ValueError(
            f"No student is within {allowance:.3g} of the teacher, whose mean "
            f"{curve.score_name} is {scores.mean():.4g}. The best of them, "
            f"{curve.hidden_layer_sizes[best]}, has {means[best]:.4g}: take a larger "
            "'tolerance', larger students, or of='best'."
        )
    chosen = min(within, key=lambda index: (curve[by][index], -means[index]))
    return curve.hidden_layer_sizes[chosen]


smallest_within.__module__ = "skdistill"  # where it is pickled from


def standard_error(scores):
    """Return the standard error of the mean over the folds, the last axis.

    It is NaN of a single fold.
    """
    n_folds = scores.shape[-1]
    if n_folds < 2:
        return np.full(scores.shape[:-1], np.nan)
    return scores.std(axis=-1, ddof=1) / np.sqrt(n_folds)


def _check_scoring(scoring, sample_weight):
    """Raise if `scoring` is nothing to score with, or takes no weights."""
    if not (scoring is None or isinstance(scoring, str) or callable(scoring)):
        raise ValueError(
            "The 'scoring' parameter of distillation_curve must be the name of a "
            f"scorer, a callable or None. Got {scoring!r}."
        )
    if sample_weight is None or not callable(scoring):
        return
    taken = signature(scoring).parameters.values()
    if not any(p.name == "sample_weight" or p.kind == p.VAR_KEYWORD for p in taken):
        raise ValueError(
            "The 'scoring' parameter of distillation_curve must take sample_weight "
            f"when that is given. Got {scoring!r}."
        )


def _checked_tolerance(tolerance, scores):
    """Return by how much a student may be worse than what has the `scores`."""
    if isinstance(tolerance, str) and tolerance == "one_standard_error":
        allowance = standard_error(scores)
        if np.isnan(allowance):
            raise ValueError(
                "The 'tolerance' parameter of smallest_within must be a number where "
                "the curve has a single fold, of which there is no standard error. Got "
                f"{tolerance!r}."
            )
        return allowance
    if not isinstance(tolerance, Real) or not 0 <= tolerance < np.inf:
        raise ValueError(
            "The 'tolerance' parameter of smallest_within must be a number >= 0, or "
            f"'one_standard_error'. Got {tolerance!r}."
        )
    return tolerance


def _checked_parts(model):
    """Return the steps before a DistilledClassifier, or None, and itself, unfitted."""
    steps, last = [], model
    while isinstance(last, Pipeline):
        if len(last) > 1:
            steps.append(last[:-1])
        last = last[-1]
    if not isinstance(last, DistilledClassifier):
        raise ValueError(
            "The 'model' parameter of distillation_curve must be a "
            "DistilledClassifier, or a Pipeline that ends in one. Got "
            f"{type(model).__name__}."
        )
    if last.student is not None:
        raise ValueError(
            "distillation_curve sets 'hidden_layer_sizes', which needs the 'student' "
            f"parameter of the model to be None. Got {last.student!r}."
        )
    if last.alpha == 0:
        raise ValueError(
            "The 'alpha' parameter of the model must be > 0 for distillation_curve: "
            "at 0 there is no teacher to compare with. Got alpha=0."
        )
    return (make_pipeline(*steps) if steps else None), clone(last)


def _checked_sizes(hidden_layer_sizes):
    """Return the sizes as tuples."""
    must = (
        "The 'hidden_layer_sizes' parameter of distillation_curve must be a list with "
        "the widths of the hidden layers of each student, such as [(16,), (64, 32)]."
    )
    if isinstance(hidden_layer_sizes, str) or not hasattr(
        hidden_layer_sizes, "__iter__"
    ):
        raise ValueError(f"{must} Got {hidden_layer_sizes!r}.")
    sizes = []
    for size in hidden_layer_sizes:
        widths = (size,) if isinstance(size, Integral) else size
        if not (
            hasattr(widths, "__iter__")
            and all(isinstance(width, Integral) and width > 0 for width in widths)
        ):
            raise ValueError(f"{must} Got {size!r} among them.")
        sizes.append(tuple(map(int, widths)))
    if not sizes:
        raise ValueError(f"{must} Got an empty one.")
    return sizes
