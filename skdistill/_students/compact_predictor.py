"""What predicts from a file of a student by numpy alone."""

import numpy as np

from skdistill._prediction import PredictionMixin
from skdistill._rows import numbers_of
from skdistill._students.model_file import load_model


class CompactMixin:
    """A student that is read from a file, and answers rows that are dicts too."""

    def _logits(self, X):
        last = len(self.coefs_) - 1
        for place, coef in enumerate(self.coefs_):
            X = np.dot(X, coef)  # For one row, faster than the @ that means the same.
            X += self.intercepts_[place]
            if place < last:
                np.maximum(X, 0, out=X)
        return X

    def _checked_form(self, X):
        if isinstance(X, dict):
            X = [X]
        if isinstance(X, list) and X and isinstance(X[0], dict):
            return self._of_dicts(X)
        return super()._checked_form(X)

    def _of_dicts(self, rows):
        """Return a row for each dict of values by name."""
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            raise ValueError(
                "Rows can be dicts only where the model was fitted on a table with "
                f"named columns. It takes arrays of {self.n_features_in_} features."
            )
        for place, row in enumerate(rows):
            if not isinstance(row, dict):
                raise ValueError(
                    f"Row {place} of X must be a dict, as row 0 is. Got {row!r}."
                )
            missing = [name for name in names if name not in row]
            if missing:
                raise ValueError(
                    f"Row {place} of X must have a value, or None, for each of the "
                    f"{len(names)} features of the model. It lacks {missing}."
                )
        X = np.empty((len(rows), len(names)), dtype=object)
        for row, values in zip(X, rows, strict=True):
            row[:] = [values[name] for name in names]
        return X if self._row_preprocessor is not None else numbers_of(X)

    @classmethod
    def load(cls, path):
        """Read a model that `save` has written.

        Nothing in the file is executed, and all of it is checked before use.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        CompactClassifier or CompactPredictor
            The model, of the class that this is called on.

        Raises
        ------
        ValueError
            If the file is damaged, cut off, none of ours, or of a newer format.
        OSError
            If it cannot be read.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from sklearn.datasets import load_iris
        >>> from skdistill import CompactClassifier, DistilledClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = DistilledClassifier(alpha=0.0, max_epochs=20, random_state=0)
        >>> small = model.fit(X, y).compact()
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "iris.safetensors")
        ...     small.save(path)
        ...     again = CompactClassifier.load(path)
        >>> bool((again.predict_proba(X) == small.predict_proba(X)).all())
        True
        """
        return load_model(cls, path)


class CompactPredictor(CompactMixin, PredictionMixin):
    """A student that `CompactClassifier.save` wrote, by numpy alone.

    It predicts what `CompactClassifier.load` does, from the same file. Neither its
    import nor its use loads scikit-learn, whose import takes most of the time until a
    new process answers: it is for where that counts, such as serverless functions and
    command lines. It is no estimator: it cannot be a step of a Pipeline.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen by `fit`, if they are all strings.
    provenance_ : dict
        Where the student comes from, as of a `CompactClassifier`.

    See Also
    --------
    CompactClassifier : The scikit-learn estimator, which writes the file.

    Notes
    -----
    Beside arrays, tables and lists of rows, the methods take a dict with a value for
    each name in `feature_names_in_`, or a list of such. They raise a ValueError for
    what is no number, is infinite, or has other columns than in training. Columns of a
    table may come in any order. Of names there is no warning: an array is taken to have
    the columns of training.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> from skdistill import CompactPredictor, DistilledClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> student = DistilledClassifier(alpha=0.0, max_epochs=100, random_state=0)
    >>> small = student.fit(X, y).compact()
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "iris.safetensors")
    ...     small.save(path)
    ...     model = CompactPredictor.load(path)
    >>> model
    CompactPredictor(4 features, 3 classes)
    >>> model.predict([[5.1, 3.5, 1.4, 0.2]])
    array([0])
    """

    __module__ = "skdistill"  # where it is pickled from

    def __repr__(self):
        if "classes_" not in vars(self):
            return "CompactPredictor()"
        n_features, n_classes = self.n_features_in_, len(self.classes_)
        return f"CompactPredictor({n_features} features, {n_classes} classes)"

    def _checked_form(self, X):
        if "classes_" not in vars(self):
            raise AttributeError(
                "This CompactPredictor has no model. CompactPredictor.load(path) reads "
                "one from a file."
            )
        return super()._checked_form(X)
