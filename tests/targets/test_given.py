import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV

from skdistill._targets.given import checked_soft_targets
from tests.nets import small_distilled

CLASSES = np.array(["a", "b", "c"])


def named(rows, columns):
    return pd.DataFrame(np.array(rows, dtype=float), columns=list(columns))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (named([[0.2, 0.3, 0.5]], "cab"), [[0.3, 0.5, 0.2]]),
        # A class of y that no column is named as has nothing; smoothing adds its share.
        (named([[0.2, 0.8]], "ca"), [[0.8, 0.0, 0.2]]),
        # What other classes have is shared out; where nothing is left, evenly.
        (
            named([[0.1, 0.3, 0.0, 0.6], [0, 0, 0, 1]], "cabx"),
            [[0.75, 0.0, 0.25], [1 / 3, 1 / 3, 1 / 3]],
        ),
        (np.array([[0.2, 0.3, 0.5]]), [[0.2, 0.3, 0.5]]),
        (pd.DataFrame([[0.2, 0.3, 0.5]]), [[0.2, 0.3, 0.5]]),
    ],
)
def test_named_columns_are_lined_up_as_those_of_a_teacher(given, expected):
    proba = checked_soft_targets(given, len(given), CLASSES)
    np.testing.assert_allclose(proba, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "given", [np.full((4, 4), 0.25), pd.DataFrame(np.full((4, 4), 0.25))]
)
def test_columns_without_names_are_as_many_as_the_classes(given):
    message = r"shape \(4, 3\).* Got shape \(4, 4\)\. .* DataFrame with its columns"
    with pytest.raises(ValueError, match=message):
        checked_soft_targets(given, 4, CLASSES)
    # Classes 0 and 2 of 3, or 1 and 3 of some other 4: counting does not say.
    with pytest.raises(ValueError, match="DataFrame with its columns named"):
        checked_soft_targets(given, 4, np.array([0, 2]))


def test_names_without_a_class_of_y_are_refused():
    given = named([[0.2, 0.3, 0.5]], "xyz")
    with pytest.raises(ValueError, match=r"or not at all. Got \['x', 'y', 'z'\]"):
        checked_soft_targets(given, 1, CLASSES)


def test_a_fold_may_lack_a_class(blobs):
    X, y = blobs
    proba = named(np.random.default_rng(0).dirichlet([1, 1, 1], size=len(y)), "abc")
    search = GridSearchCV(
        small_distilled(),
        {"alpha": [0.5, 1.0]},
        cv=[(np.flatnonzero(y != "a"), np.flatnonzero(y == "b"))],
        error_score="raise",
    )
    search.fit(X, y, soft_targets=proba)
    assert search.best_estimator_.classes_.tolist() == ["a", "b", "c"]


def test_a_misspelt_column_is_warned_about():
    proba = pd.DataFrame(np.full((4, 3), 1 / 3), columns=["a", "b", "C"])
    with pytest.warns(UserWarning, match=r"classes \['c'\] .* columns \['C'\]"):
        checked_soft_targets(proba, 4, np.array(["a", "b", "c"]))
