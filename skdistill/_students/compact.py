"""What ships: a fitted student without torch, skorch or pandas."""

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from skdistill._checked_prediction import LogitsClassifierMixin, classifier_logits
from skdistill._onnx_hooks import OnnxHooksMixin
from skdistill._pickling import VersionedPickleMixin
from skdistill._students.compact_predictor import CompactMixin
from skdistill._students.compact_table import CompactPreprocessor
from skdistill._students.model_file import save_model


class CompactClassifier(
    CompactMixin,
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
    CompactPredictor : What `save` wrote, without scikit-learn.
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
        return super()._logits(X)

    def _of_dicts(self, rows):
        check_is_fitted(self)
        X = super()._of_dicts(rows)
        preprocessor = self._row_preprocessor
        if preprocessor is None or isinstance(preprocessor, CompactPreprocessor):
            return X
        return self._checked_form(_as_table(X, self.feature_names_in_))

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


def _as_table(X, names):
    """Return a DataFrame for a preprocessor that may ask for its columns by name."""
    try:
        from pandas import DataFrame
    except ImportError:  # Most take an array as well.
        return X
    return DataFrame(X, columns=names).infer_objects()
