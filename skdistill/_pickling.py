"""Pickles carry the version of the package that wrote them.

What is public is pickled under its public name, `skdistill.EnsembleTeacher`: its class
says ``__module__ = "skdistill"``, so that it may move from one file to another.
"""

import warnings

from sklearn.exceptions import InconsistentVersionWarning

from skdistill import __version__


class VersionedPickleMixin:
    """An estimator that warns if another version of the package has pickled it."""

    def __getstate__(self):
        return {**super().__getstate__(), "_skdistill_version": __version__}

    def __setstate__(self, state):
        version = state.get("_skdistill_version", "before 0.1")
        if version != __version__:
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=f"{type(self).__module__}.{type(self).__name__}",
                    current_sklearn_version=__version__,
                    original_sklearn_version=version,
                )
            )
        kept = {k: v for k, v in state.items() if k != "_skdistill_version"}
        super().__setstate__(kept)
