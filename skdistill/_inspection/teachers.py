"""Teachers that the command line knows by name, or finds in a file."""

import joblib
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

from skdistill._inspection.errors import InputError
from skdistill._preprocessing import TablePreprocessor

NAMES = ("ensemble", "forest", "boosting")


def teacher_of(name, *, n_jobs=None, **params):
    """Return an unfitted teacher, or a frozen one, for tables of all kinds of columns.

    Parameters
    ----------
    name : str
        One of `NAMES`, or the path of a file that joblib or pickle wrote, whose code
        is executed.
    n_jobs : int
        What it trains with at once.
    **params : dict
        Parameters of `EnsembleTeacher`.

    Returns
    -------
    classifier
        A fitted one from a file is frozen.
    """
    if name == "ensemble":
        # Here, as torch takes seconds.
        from skdistill._ensemble import EnsembleTeacher

        return EnsembleTeacher(preprocessor="auto", n_jobs=n_jobs, **params)
    if name == "forest":
        return make_pipeline(TablePreprocessor(), RandomForestClassifier(n_jobs=n_jobs))
    if name == "boosting":
        return make_pipeline(TablePreprocessor(), HistGradientBoostingClassifier())
    return teacher_in_file(name)


def teacher_in_file(path):
    """Return what joblib or pickle wrote; a fitted classifier frozen."""
    try:
        teacher = joblib.load(path)
    except Exception as error:  # what is pickled may raise anything
        raise InputError(
            f"cannot read the --teacher {path}: {type(error).__name__}: {error}; it is "
            f"one of {', '.join(NAMES)}, or a file that joblib.dump wrote"
        ) from error
    if not (hasattr(teacher, "predict_proba") and hasattr(teacher, "get_params")):
        raise InputError(
            f"the --teacher in {path} must be a classifier with predict_proba; it is "
            f"of type {type(teacher).__name__}"
        )
    try:
        check_is_fitted(teacher)
    except NotFittedError:
        return teacher
    return FrozenEstimator(teacher)
