"""What a search is given: its rows, and the folds of them."""

from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import process_routing

from skdistill._sklearn import _routing_enabled
from skdistill._targets.given import checked_soft_targets
from skdistill._targets.out_of_fold import fit_params_of_rows
from skdistill._teaching import given_lesson
from skdistill._validation import validated_weight


class Data:
    """What all folds are made of. `y` has labels.

    `fit_params` is what the teacher's `fit` is given for all rows beside X and y;
    `metadata` is what that of a `DistilledClassifier` is, for the same, and
    `for_folds` what its `target_cv` takes.
    """

    def __init__(
        self, X, y, sample_weight, soft_targets, fit_params, metadata, for_folds
    ):
        self.X, self.y, self.sample_weight = X, y, sample_weight
        self.soft_targets = soft_targets
        self.fit_params, self.for_folds = fit_params, for_folds
        self.metadata = {**metadata, **for_folds}

    def given_lesson(self, rows, classes):
        """Return what `soft_targets` say of some of the rows."""
        given = _safe_indexing(self.soft_targets, rows)
        given = checked_soft_targets(given, len(rows), classes)
        return given_lesson(given)

    def of_teacher(self, rows):
        """Return some of the rows as the caller gave them, for any teacher.

        Behind them are what else its `fit` is given, and what `target_cv` is.
        """
        fit_params, for_folds = (
            fit_params_of_rows(params, rows, len(self.y))
            for params in (self.fit_params, self.for_folds)
        )
        return _safe_indexing(self.X, rows), self.y[rows], fit_params, for_folds

    def weight_of(self, rows, sample_weight):
        """Return the weights of some of the rows, as `validate_classification` does."""
        if sample_weight is None:
            return None
        weight = _safe_indexing(sample_weight, rows)
        return validated_weight(weight, len(rows))

    def subset(self, rows, sample_weight):
        """Return rows that training sees and their weights, for `Replica`."""
        weight = self.weight_of(rows, sample_weight)
        if weight is None:
            return {"rows": rows}
        return {"rows": rows[weight > 0], "sample_weight": weight[weight > 0]}


def folds_of(search, X, y, groups, fit_params):
    """Return the training and test rows of every fold of `search`."""
    if _routing_enabled():
        given = fit_params if groups is None else {**fit_params, "groups": groups}
        params = process_routing(search, "fit", **given).splitter.split
    else:
        params = {"groups": groups}
    return list(check_cv(search.cv, y, classifier=True).split(X, y, **params))
