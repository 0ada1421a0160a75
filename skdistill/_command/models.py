"""Models in files, and what they expect of the rows of a table."""

import json
from collections import namedtuple

from sklearn.pipeline import Pipeline

from skdistill._inspection.errors import InputError
from skdistill._students.compact import CompactClassifier

Expected = namedtuple("Expected", "names kinds n_features categories commas")
"""The names of a model's columns, or None, and what each of them holds, or None.

`categories` has for each column the texts that it encodes, or None; `commas` the names
of those whose numbers had a decimal comma.
"""

COMMAS = "decimal_comma"
"""What in the provenance of a model has these names, a list in JSON."""


def load_model(path, *, trust_pickle=False):
    """Return the model in a file.

    Parameters
    ----------
    path : path-like
        A file that `CompactClassifier.save` wrote, or a pickle.
    trust_pickle : bool
        Whether a pickle is read, which executes what is in it.

    Raises
    ------
    InputError
        If there is no model in it.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(9)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    # safetensors: the length of the header, and its first brace.
    if start[8:] == b"{":
        try:
            return CompactClassifier.load(path)
        except ValueError as error:
            raise InputError(str(error)) from error
    if not trust_pickle:
        raise InputError(
            f"{path} is no model file of skdistill; if it is a file of joblib or "
            "pickle that you trust, add --trust-pickle: reading it runs the code in it"
        )
    return _unpickled(path)


def _unpickled(path):
    import joblib

    try:
        model = joblib.load(path)
    except Exception as error:  # what is pickled may raise anything
        raise InputError(
            f"cannot read {path}: {type(error).__name__}: {error}"
        ) from error
    if not (hasattr(model, "predict_proba") and hasattr(model, "classes_")):
        raise InputError(
            f"{path} must hold a fitted classifier with predict_proba; it holds an "
            f"object of type {type(model).__name__}"
        )
    return model


def expected_of(model):
    """Return what a model expects of the columns of a table."""
    names = getattr(model, "feature_names_in_", None)
    n_features = model.n_features_in_
    first = model[0] if isinstance(model, Pipeline) else model
    preprocessor = vars(first).get("preprocessor_", first)
    kinds = getattr(preprocessor, "kinds_", None)  # of a TablePreprocessor
    if kinds is None and isinstance(getattr(preprocessor, "columns", None), list):
        kinds = [column["kind"] for column in preprocessor.columns]
    if kinds is None and first is preprocessor and isinstance(first, CompactClassifier):
        kinds = ["number"] * n_features
    categories = _categories(preprocessor, n_features)
    names = None if names is None else [*names]
    return Expected(names, kinds, n_features, categories, _with_commas(model))


def _with_commas(model):
    try:
        names = json.loads(getattr(model, "provenance_", {}).get(COMMAS, "[]"))
    except (TypeError, ValueError, RecursionError):  # the file may be anybody's
        return []
    return names if isinstance(names, list) else []


def _categories(preprocessor, n_features):
    """Return for each column the categories that it encodes, or None."""
    columns = getattr(preprocessor, "columns", None)  # of a CompactPreprocessor
    if isinstance(columns, list):
        return [column.get("categories") for column in columns]
    categories = [None] * n_features
    # A TablePreprocessor, told by what it has: its module takes pandas.
    if hasattr(preprocessor, "kinds_") and preprocessor.encoder_ is not None:
        encoder = preprocessor.encoder_
        for j, known in zip(preprocessor._encoded, encoder.categories_, strict=True):
            categories[j] = known.tolist()
    return categories
