"""How a curve is searched: rows of all folds at once, students and teachers scored."""

import pickle
from collections import namedtuple
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from skdistill._columns import as_pandas_or_array
from skdistill._inspection.networks import n_parameters_of, networks_of
from skdistill._search import DistilledClassifierCV
from skdistill._search_candidates import row_time

Rows = namedtuple("Rows", "folds X rows splits")
"""Rows that are searched at once: those of the `folds`, which are the `rows` of the
caller's; `splits` are the training and test rows of each."""


def transformed(steps, X, y, splits):
    """Return the rows as steps make them that are fitted in each fold.

    Folds with the same columns are together: rare categories may be columns in some
    folds only. The second that is returned is the seconds that the steps take for a
    row.
    """
    alike, seconds = {}, None
    for number, (train, test) in enumerate(splits):
        fitted = clone(steps)
        # As Pipeline does, where some transformers treat training rows differently.
        made = fitted.fit_transform(_safe_indexing(X, train), _safe_indexing(y, train))
        if _num_samples(made) != len(train):
            raise ValueError(
                "The steps of a Pipeline for distillation_curve must keep the rows. "
                f"These made {_num_samples(made)} rows of {len(train)}."
            )
        tables = (
            as_pandas_or_array(made),
            as_pandas_or_array(fitted.transform(_safe_indexing(X, test))),
        )
        columns = tuple(getattr(tables[0], "columns", [tables[0].shape[1]]))
        alike.setdefault(columns, []).append((number, tables, train, test))
        if seconds is None:
            transforms = SimpleNamespace(predict_proba=fitted.transform)
            seconds = row_time(transforms, _safe_indexing(X, train[:1]))
    return [_stacked(folds) for folds in alike.values()], seconds


def _stacked(folds):
    """Return the tables of several folds as one, one below the other."""
    numbers, tables, rows, splits, start = [], [], [], [], 0
    for number, of_fold, train, test in folds:
        numbers.append(number)
        tables += of_fold
        rows += [train, test]
        middle, end = start + len(train), start + len(train) + len(test)
        splits.append((np.arange(start, middle), np.arange(middle, end)))
        start = end
    if any(map(sparse.issparse, tables)):
        X = sparse.vstack(tables, format="csr")
    elif isinstance(tables[0], pd.DataFrame):
        X = pd.concat(tables, ignore_index=True)
    else:
        X = np.concatenate(tables)
    return Rows(np.array(numbers), X, np.concatenate(rows), splits)


def curve_search(model, sizes, splits, scorer, n_jobs):
    """Return an unfitted search over the sizes, each with a teacher and without."""
    search = DistilledClassifierCV()
    shared = model.get_params(deep=False)
    names = search.get_params(deep=False).keys() & shared.keys()
    return search.set_params(
        **{name: shared[name] for name in names},
    ).set_params(
        temperatures=[model.temperature],
        alphas=[model.alpha, 0.0],
        param_grid={"hidden_layer_sizes": sizes},
        cv=splits,
        scoring=scorer,
        refit=False,
        error_score="raise",
        n_jobs=n_jobs,
    )


def joined(parts, searches, steps_time):
    """Return scores, sizes and times from the searches of some of the folds each."""
    n_folds = sum(len(part.folds) for part in parts)
    n_sizes = len(of_students(searches[0])["mean_student_bytes"])
    scores = {name: np.empty((n_sizes, n_folds)) for name in CurveScorer.NAMES}
    scores["baseline"] = np.empty((n_sizes, n_folds))
    n_bytes = np.zeros(n_sizes)
    for part, search in zip(parts, searches, strict=True):
        results = of_students(search)
        n_bytes += results["mean_student_bytes"] * len(part.folds) / n_folds
        for place, fold in enumerate(part.folds):
            for name in CurveScorer.NAMES:
                scores[name][:, fold] = results[f"split{place}_test_{name}"]
            of_fold = of_students(search, taught=False)[f"split{place}_test_student"]
            scores["baseline"][:, fold] = of_fold
    return {
        "n_parameters": scores["n_parameters"].mean(axis=1),
        "n_bytes": n_bytes,
        "row_time": np.median(scores["row_time"], axis=1) + steps_time,
        "test_scores": scores["student"],
        "baseline_scores": scores["baseline"],
        "teacher_scores": scores["teacher"][0],
    }


def of_students(search, taught=True):
    """Return the results of those with a teacher, or without, in the sizes' order."""
    results = search.cv_results_
    chosen = [(params["alpha"] > 0) == taught for params in results["params"]]
    return {
        name: np.asarray(values)[chosen]
        for name, values in results.items()
        if name != "params"
    }


class CurveScorer:
    """A scorer of students, which scores their teachers as well, and measures both.

    Parameters
    ----------
    scorer : callable
        What scores any classifier.

    Attributes
    ----------
    teacher : SimpleNamespace
        What the first teacher takes, once there was one.
    """

    NAMES = ("student", "teacher", "n_parameters", "row_time")

    def __init__(self, scorer):
        self.scorer = scorer
        self.of_teachers = {}
        self.teacher = None

    def __call__(self, student, X, y, sample_weight=None):
        """Return the scores by `NAMES`."""
        # GridSearchCV looks for the parameter. Not all scorers have it.
        params = {} if sample_weight is None else {"sample_weight": sample_weight}
        score = self.scorer(student, X, y, **params)
        # The baseline has no teacher. Not NaN, which GridSearchCV would warn of.
        of_teacher = score
        row = _safe_indexing(X, [0])
        if student.teacher_ is not None:
            # A frozen one is the same object in all folds.
            key = id(student.teacher_), joblib.hash((X, y))
            if key not in self.of_teachers:
                self.of_teachers[key] = self.scorer(student.teacher_, X, y, **params)
            of_teacher = self.of_teachers[key]
            if self.teacher is None:
                self.teacher = _measured(student.teacher_, row)
        n_parameters = n_parameters_of([student.student_])
        values = score, of_teacher, n_parameters, row_time(student, row)
        return dict(zip(self.NAMES, values, strict=True))


def _measured(teacher, row):
    """Return how large a fitted teacher is, and the seconds that a row takes."""
    nets = networks_of(teacher)
    if nets:
        n_bytes = sum(w.nbytes for net in nets for w in net.module_.parameters())
    else:
        try:
            n_bytes = len(pickle.dumps(teacher))
        except (AttributeError, TypeError, pickle.PicklingError):
            # A client of a server, say. The curve does not depend on it.
            n_bytes = np.nan
    return SimpleNamespace(
        n_parameters=float(n_parameters_of(nets)) if nets else np.nan,
        n_bytes=float(n_bytes),
        row_time=row_time(teacher, row),
    )
