"""A teacher that takes no labels but 0, ..., n_classes - 1."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone

from skdistill._pickling import VersionedPickleMixin
from skdistill._validation import ends_in


class EncodedTeacher(
    VersionedPickleMixin, MetaEstimatorMixin, ClassifierMixin, BaseEstimator
):
    """A classifier that is fitted on the indices of its labels.

    XGBoost takes neither names nor indices with a gap, such as a fold has that lacks a
    class. Once fitted, it has all that the fitted `estimator_` has, but for `classes_`
    and `predict`, which have the labels.

    Parameters
    ----------
    estimator : classifier
        What is to be fitted.

    Attributes
    ----------
    estimator_ : classifier
        The clone that is fitted.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    """

    __module__ = "skdistill"  # where it is pickled from

    def __init__(self, estimator):
        self.estimator = estimator

    def __getattr__(self, name):
        if name.startswith("_") or "estimator_" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}"
            )
        return getattr(self.estimator_, name)

    def fit(self, X, y, **fit_params):
        """Fit a clone of `estimator`.

        Parameters
        ----------
        X : array-like
            The rows, as the estimator takes them.
        y : array-like of shape (n_samples,)
            The labels.
        **fit_params : dict
            What else its `fit` is to get. The labels of an `eval_set` become indices
            as well.

        Returns
        -------
        self : EncodedTeacher

        Raises
        ------
        ValueError
            If an `eval_set` is no list of pairs, or has a label that `y` lacks.
        """
        self.classes_, index = np.unique(y, return_inverse=True)
        for name, value in fit_params.items():
            if ends_in(name, "eval_set") and value is not None:
                fit_params[name] = self._encoded(name, value)
        self.estimator_ = clone(self.estimator).fit(X, index, **fit_params)
        return self

    def _encoded(self, name, pairs):
        if not all(isinstance(each, tuple | list) and len(each) == 2 for each in pairs):
            raise ValueError(
                f"The {name!r} of fit must be a list of pairs (X, y). Got a "
                f"{type(pairs).__name__} of {[type(each).__name__ for each in pairs]}."
            )
        return [(X, self._index_of(y)) for X, y in pairs]

    def _index_of(self, y):
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                "The labels of 'eval_set' must be among those that the teacher is "
                f"fitted on, {self.classes_.tolist()}. Got {unknown.tolist()}."
            )
        return np.searchsorted(self.classes_, y)

    def predict_proba(self, X):
        """Return the probabilities, columns in the order of `classes_`.

        Parameters
        ----------
        X : array-like
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return self.estimator_.predict_proba(X)

    def predict(self, X):
        """Return the labels that the estimator predicts.

        Parameters
        ----------
        X : array-like
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self.classes_[self.estimator_.predict(X)]
