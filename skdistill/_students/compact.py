"""What ships: a fitted student without torch, skorch or pandas."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from skdistill._onnx_hooks import OnnxHooksMixin
from skdistill._pickling import VersionedPickleMixin
from skdistill._prediction import LogitsClassifierMixin, classifier_logits
from skdistill._students.compact_table import CompactPreprocessor
from skdistill._students.model_file import load_model, save_model


class CompactClassifier(
    LogitsClassifierMixin,
    OnnxHooksMixin,
    VersionedPickleMixin,
    ClassifierMixin,
    BaseEstimator,
):
    """A fitted student that needs neither torch nor skorch nor pandas.

    `DistilledClassifier.compact` makes one, and so does :func:`~skdistill.compact` in
    the place of a Pipeline's last step. It predicts what the estimator does, to the
    rounding of float32. It cannot be fitted, and a clone of it is itself.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    coefs_ : list of ndarray of shape (n_in, n_out), dtype float32
        The weights of each layer, if the student is a network.
    intercepts_ : list of ndarray of shape (n_out,), dtype float32
        The biases of each layer, if the student is a network. ReLU follows each layer
        but the last, which gives the logits.
    student_ : classifier or None
        The fitted student, if it is no network. It predicts indices into `classes_`.
    preprocessor_ : object
        What makes numbers of the rows, if the student had a `preprocessor`.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen by `fit`, if they are all strings.
    provenance_ : dict
        Where the student comes from: `created` (in ISO format), `versions` of packages,
        `n_samples`, `teacher` (its class), `temperature`, `alpha`, and `metrics` if
        `save` was given some.

    See Also
    --------
    compact : Makes one of an estimator or a Pipeline.
    to_onnx : The student as an ONNX model.

    Notes
    -----
    Beside what scikit-learn's estimators take, the methods take a dict with a value for
    each name in `feature_names_in_`, or a list of such: rows as a web service gets
    them. Other names in it are ignored. A date may then be text in ISO format.

    Examples
    --------
    >>> import pickle
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skdistill import DistilledClassifier
    >>> X, y = make_classification(n_samples=200, random_state=0)
    >>> forest = RandomForestClassifier(n_estimators=20)
    >>> model = DistilledClassifier(forest, max_epochs=20, random_state=0).fit(X, y)
    >>> small = model.compact()
    >>> bool((small.predict(X) == model.predict(X)).all())
    True
    >>> len(pickle.dumps(small)) < 16_500
    True
    """

    __module__ = "skdistill"  # where it is pickled from

    def fit(self, X, y=None):
        """Raise a TypeError: there is nothing to train it with.

        Parameters
        ----------
        X, y : object
            Ignored.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(
            "CompactClassifier cannot be fitted: it is the copy of a fitted student. "
            "Fit the DistilledClassifier, and make a compact copy of that."
        )

    def __sklearn_clone__(self):
        return self

    def __sklearn_is_fitted__(self):
        return "classes_" in vars(self)

    def _logits(self, X):
        if self.student_ is not None:
            return classifier_logits(self.student_, X, len(self.classes_))
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
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            raise ValueError(
                "Rows can be dicts only where the model was fitted on a table with "
                f"named columns. It takes arrays of {self.n_features_in_} features."
            )
        for place, row in enumerate(rows):
            missing = [name for name in names if name not in row]
            if missing:
                raise ValueError(
                    f"Row {place} of X must have a value, or None, for each of the "
                    f"{len(names)} features of the model. It lacks {missing}."
                )
        X = np.empty((len(rows), len(names)), dtype=object)
        for row, values in zip(X, rows, strict=True):
            row[:] = [values[name] for name in names]
        preprocessor = self._row_preprocessor
        if isinstance(preprocessor, CompactPreprocessor):
            return X
        if preprocessor is not None:
            return super()._checked_form(_as_table(X, names))
        try:
            return X.astype(np.float64)
        except OverflowError as error:
            raise ValueError(
                "X must hold numbers that a float can hold. Got a whole number that is "
                "too large."
            ) from error

    def save(self, path, *, dtype="float32", metrics=None):
        """Write the model to a file that can be read without pickle.

        Its format, safetensors [1]_ with a JSON header, is described in the user guide.

        Parameters
        ----------
        path : str or path-like
            Where to. An existing file is replaced, once the new one is written.
        dtype : {"float32", "float16", "int8"}, default="float32"
            How weights are stored. They are computed with as float32.
        metrics : dict of str to float, default=None
            What to keep of the quality of the model, such as its log-loss on a test
            set, in its `provenance_`.

        Raises
        ------
        ValueError
            If the student is no network, or has a preprocessor other than "auto": such
            a model can be pickled, or dumped by skops. If a parameter is invalid.

        References
        ----------
        .. [1] https://huggingface.co/docs/safetensors

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
        ...     small.save(path, dtype="float16", metrics={"log_loss": 0.1})
        ...     path.stat().st_size < 2 * 2_600 + 2_048  # weights, and little more
        True
        """
        check_is_fitted(self)
        save_model(self, path, dtype, metrics)

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
        CompactClassifier
            The model.

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


def _as_table(X, names):
    """Return a DataFrame for a preprocessor that may ask for its columns by name."""
    try:
        from pandas import DataFrame
    except ImportError:  # Most take an array as well.
        return X
    return DataFrame(X, columns=names).infer_objects()
