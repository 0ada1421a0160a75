"""A model that is fitted already, asked in chunks; what it has answered is kept."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import _safe_indexing, gen_batches
from sklearn.utils.validation import _num_samples

from skdistill._pickling import VersionedPickleMixin
from skdistill._progress import epoch_progress
from skdistill._softmax import soften
from skdistill._targets.cache import computed_once, content_key
from skdistill._targets.logits import teacher_logits
from skdistill._targets.teacher import VERSIONS


class PredictFunction:
    """A function that predicts probabilities, as a fitted classifier."""

    def __init__(self, predict_proba, classes):
        self.predict_proba = predict_proba
        self.classes_ = classes


class AskedModel(VersionedPickleMixin, ClassifierMixin, BaseEstimator):
    """What `distill` makes a teacher of a model, for use in a `FrozenEstimator`.

    Its pickle, or deep copy, leaves the model out, so that a student is as small as it
    is.

    Parameters
    ----------
    model : object
        What predicts: with `classes_`, and `predict_logits` or `predict_proba`. None
        once it has been pickled.
    classes : ndarray of shape (n_classes,)
        The classes that it is asked about, in the order of the columns wanted.
    chunk_size : int
        Number of rows that it is asked for at once.
    memory : str, path, joblib.Memory or None
        Where its answers are kept.
    model_key : str or None
        What tells them from those of other models.
    """

    __module__ = "skdistill"  # where it is pickled from

    def __init__(self, model, classes, chunk_size, memory, model_key):
        self.model = model
        self.classes = classes
        self.chunk_size = chunk_size
        self.memory = memory
        self.model_key = model_key

    @property
    def classes_(self):
        return self.classes

    def __sklearn_is_fitted__(self):
        return True

    def __getstate__(self):
        return {**super().__getstate__(), "model": None}

    def fit(self, X, y):
        """Do nothing: the model is fitted.

        Parameters
        ----------
        X, y : object
            Ignored.

        Returns
        -------
        self : AskedModel
        """
        return self

    def predict_logits(self, X):
        """Ask the model, a chunk at a time.

        Parameters
        ----------
        X : array-like or DataFrame
            The rows, as the model wants them.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), dtype float32
            What `teacher_logits` makes of the answers.

        Raises
        ------
        ValueError
            If the model has been left out, or its answers are no probabilities.
        """
        if self.model is None:
            raise ValueError(
                "The model that this student was distilled from was left out when it "
                "was saved or copied: it can predict, but not be fitted again. Call "
                "distill with the model."
            )
        n_rows = _num_samples(X)
        logits = np.empty((n_rows, len(self.classes)), dtype=np.float32)
        chunks = list(gen_batches(n_rows, self.chunk_size))
        doing = f"{n_rows:,} rows for the teacher"
        with epoch_progress(len(chunks), description=doing, verbose=0) as bar:
            for chunk in chunks:
                logits[chunk] = self._kept_answers(_safe_indexing(X, chunk))
                bar.update()
        return logits

    def _kept_answers(self, X):
        if self.memory is None:
            return self._answers(X)
        # A memmap is the same rows as an array.
        content = np.asarray(X) if isinstance(X, np.ndarray) else X
        key = content_key(VERSIONS, "asked", self.model_key, self.classes, content)
        return computed_once(self.memory, key, lambda: self._answers(X))

    def _answers(self, X):
        logits = teacher_logits(self.model, X, self.classes)
        if len(logits) != _num_samples(X):
            raise ValueError(
                "The model must predict one row of probabilities for every row of X. "
                f"Of {_num_samples(X)} rows it gave {len(logits)}."
            )
        return logits

    def predict_proba(self, X):
        """Return the probabilities that a student learns from at temperature 1.

        Parameters
        ----------
        X : array-like or DataFrame
            The rows, as the model wants them.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), dtype float32
            Those of the model, smoothed, columns in the order of `classes_`.
        """
        return soften(self.predict_logits(X))

    def predict(self, X):
        """Return the most probable classes.

        Parameters
        ----------
        X : array-like or DataFrame
            The rows, as the model wants them.

        Returns
        -------
        ndarray of shape (n_samples,)
            The class labels.
        """
        return self.classes[self.predict_logits(X).argmax(axis=1)]
