"""Metadata on its way to the teacher, with and without scikit-learn's routing."""

import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, log_loss, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    cross_validate,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifierCV, EnsembleTeacher
from tests.nets import small_distilled, small_search, small_teacher

SEEN = []


class Noting(LogisticRegression):
    """A teacher that notes the metadata of every fit."""

    def fit(self, X, y, sample_weight=None, groups=None):
        SEEN.append((len(y), sample_weight, groups))
        return super().fit(X, y, sample_weight)


class Weighing(LogisticRegression):
    """A teacher with a name of its own for the weights, and a number to note."""

    def fit(self, X, y, weights=None, number=None):
        SEEN.append((len(y), weights, number))
        return super().fit(X, y, weights)


@pytest.fixture
def seen():
    SEEN.clear()
    return SEEN


@pytest.fixture
def data(binary):
    """X, y, weights and groups that tell their rows."""
    X, y = binary
    return X, y, np.linspace(0.5, 2, 80), np.arange(80) % 4


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def assert_rows(found, of):
    """Assert that some metadata are those of as many rows, in their order."""
    assert np.isin(found, of).all()
    assert (np.diff(found) > 0).all()


# --- With routing ---------------------------------------------------------------------


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_weights_reach_the_teacher_under_its_own_name(data, routing, seen, in_pipeline):
    X, y, weight, _ = data
    teacher = Noting().set_fit_request(sample_weight="w")
    if in_pipeline:
        teacher = make_pipeline(StandardScaler(), teacher)
        teacher[0].set_fit_request(sample_weight=False)
    small_distilled(teacher).fit(X, y, w=weight)
    np.testing.assert_array_equal(seen[-1][1], weight)
    small_distilled(teacher).fit(X, y, sample_weight=np.ones(80), w=weight)
    np.testing.assert_array_equal(seen[-1][1], weight)


@pytest.mark.parametrize("make", [small_distilled, small_search])
def test_metadata_that_nothing_requests_are_refused(data, routing, make, no_training):
    X, y, weight, groups = data
    for alpha in (0.0, 0.5):
        model = make(Noting())
        model.set_params(
            **{"alphas": [alpha]}
            if "alphas" in model.get_params()
            else {"alpha": alpha}
        )
        with pytest.raises(TypeError, match="'v'}, which are not routed to any object"):
            model.fit(X, y, v=weight)
    with pytest.raises(TypeError, match="'groups'}, which are not routed"):
        make(LogisticRegression()).fit(X, y, groups=groups)


@pytest.mark.parametrize("make", [small_distilled, small_search])
@pytest.mark.parametrize("kind", ["alias", "none"])
def test_a_teacher_without_the_weights_is_told_of(data, routing, make, kind):
    X, y, weight, _ = data
    alias = LogisticRegression().set_fit_request(sample_weight="w")
    teacher = alias if kind == "alias" else KNeighborsClassifier()
    with pytest.warns(UserWarning, match="requests no sample_weight under that name"):
        make(teacher).fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("make", [small_distilled, small_search])
def test_other_metadata_are_not_taken_for_weights(data, routing, make, seen):
    X, y, weight, _ = data
    teacher = Weighing().set_fit_request(number=True)
    pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), teacher)
    for model in (make(teacher), make(pipe)):
        with pytest.warns(UserWarning, match="requests no sample_weight under that"):
            model.fit(X, y, sample_weight=weight, number=np.float64(7))
        assert seen[-1][1:] == (None, 7)


def test_weights_that_arrive_are_not_warned_about(data, routing):
    X, y, weight, _ = data
    teacher = LogisticRegression().set_fit_request(sample_weight="w")
    in_pipe = make_pipeline(StandardScaler(), teacher)
    in_pipe[0].set_fit_request(sample_weight=False)
    named = Weighing().set_fit_request(weights="sample_weight", number=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        small_distilled(in_pipe).fit(X, y, sample_weight=np.ones(80), w=weight)
        small_distilled(named).fit(X, y, sample_weight=weight, number=7)
        small_distilled(teacher).fit(X, y, sample_weight=weight, w=weight)
        small_distilled(teacher).fit(X, y, w=weight)
        default = EnsembleTeacher(max_epochs=1, n_estimators=1)
        default.set_fit_request(sample_weight=True)
        small_distilled(default).fit(X, y, sample_weight=weight)


def test_groups_reach_a_search_that_teaches(data, routing):
    X, y, _, groups = data
    teacher = GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=LeaveOneGroupOut())
    assert small_distilled(teacher).fit(X, y, groups=groups).teacher_.n_splits_ == 4
    model = small_search(teacher, cv=2, alphas=[0.8]).fit(X, y, groups=groups)
    assert model.teacher_.n_splits_ == 4
    assert model.n_splits_ == 2


@pytest.mark.parametrize("alias", [False, True])
def test_groups_reach_the_folds_without_a_request_of_the_search(data, routing, alias):
    X, y, _, groups = data
    cv = LeaveOneGroupOut()
    if alias:
        cv.set_split_request(groups="g")
    model = small_search(LogisticRegression(), cv=cv, max_epochs=1)
    metadata = {"g" if alias else "groups": groups}
    pipe = make_pipeline(StandardScaler(), model).fit(X, y, **metadata)
    assert pipe[-1].n_splits_ == 4


def test_metadata_of_a_search_are_cut_for_each_fold(data, routing, seen):
    X, y, weight, _ = data
    teacher = Noting().set_fit_request(sample_weight="w", groups="g")
    model = small_search(teacher, alphas=[0.8]).fit(X, y, w=weight, g=np.arange(80))
    assert len(seen) == 3 + 1
    for n_rows, weights, groups in seen:
        assert len(weights) == len(groups) == n_rows
        np.testing.assert_array_equal(weights, weight[groups])
    assert seen[-1][0] == 80
    assert model.engine_["teachers"] == "joblib"


def test_an_ensemble_of_a_search_has_its_own_weights(data, routing):
    X, y, weight, _ = data
    teacher = small_teacher().set_fit_request(sample_weight="w")
    search = small_search(teacher, alphas=[1.0])
    logits = []
    for metadata in ({}, {"w": weight**4}):
        model = clone(search).fit(X, y, **metadata)
        assert model.engine_["teachers"] == "vectorized"
        logits.append(model.teacher_.predict_logits(X))
    assert np.abs(logits[0] - logits[1]).max() > 1e-3


@pytest.mark.parametrize("around", ["pipeline", "grid", "cross_validate"])
@pytest.mark.parametrize("make", [small_distilled, small_search])
def test_weights_and_groups_come_all_the_way(data, routing, seen, around, make):
    X, y, weight, groups = data
    teacher = Noting().set_fit_request(sample_weight="w", groups=True)
    params = {"alphas": [0.8], "temperatures": [2.0], "cv": GroupKFold(2)}
    model = make(teacher, max_epochs=1, **(params if make is small_search else {}))
    pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
    metadata = {"w": weight, "groups": groups}
    if around == "pipeline":
        pipe.fit(X, y, **metadata)
    elif around == "grid":
        search = GridSearchCV(pipe, {}, cv=GroupKFold(2), error_score="raise")
        search.fit(X, y, **metadata)
    else:
        cross_validate(
            pipe, X, y, cv=GroupKFold(2), params=metadata, error_score="raise"
        )
    assert seen
    for n_rows, weights, of_rows in seen:
        assert len(weights) == len(of_rows) == n_rows
        rows = np.searchsorted(weight, weights)
        np.testing.assert_array_equal(groups[rows], of_rows)


def test_the_router_names_teacher_and_splitter():
    router = DistilledClassifierCV(cv=GroupKFold()).get_metadata_routing()
    assert router.consumes("fit", ["groups", "v"]) == {"groups"}
    router = DistilledClassifierCV().get_metadata_routing()
    assert router.consumes("fit", ["groups"]) == set()


def scorer_with(weights):
    scorer = make_scorer(
        log_loss, response_method="predict_proba", greater_is_better=False
    )
    return scorer.set_score_request(sample_weight=weights)


@pytest.mark.parametrize("alias", [False, True])
@pytest.mark.parametrize("several", [False, True])
def test_weights_reach_the_scorers_of_a_search(data, routing, alias, several):
    X, y, weight, _ = data
    name = "v" if alias else "sample_weight"
    scoring = scorer_with(name if alias else True)
    if several:
        plain_loss = scorer_with(False)
        right = get_scorer("accuracy").set_score_request(sample_weight="w")
        scoring = {"loss": scoring, "plain": plain_loss, "right": right}
    refit = "loss" if several else True
    teacher = LogisticRegression().set_fit_request(sample_weight=True)
    model = small_search(teacher, scoring=scoring, refit=refit)
    shown = small_distilled(teacher).set_fit_request(sample_weight=True)
    grid = {"temperature": model.temperatures, "alpha": model.alphas}
    plain = GridSearchCV(shown, grid, scoring=scoring, refit=refit, cv=3)
    pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
    model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    for metadata in ({}, {name: weight**4}):
        pipe.fit(X, y, **metadata)
        plain.fit(pipe[0].transform(X), y, **metadata)
        for key, expected in plain.cv_results_.items():
            if key.startswith(("mean_test", "split")):
                found = model.cv_results_[key]
                np.testing.assert_allclose(found, expected, atol=1e-4, err_msg=key)
        loss = log_loss(y, pipe.predict_proba(X), sample_weight=metadata.get(name))
        assert pipe.score(X, y, **metadata) == pytest.approx(-loss)


def test_groups_reach_a_scorer_that_requests_them(data, routing):
    X, y, _, groups = data
    seen = []

    def of_groups(y_true, y_pred, groups=None):
        seen.append(groups)
        return 1.0

    scorer = make_scorer(of_groups).set_score_request(groups=True)
    params = {"alphas": [0.0], "scoring": scorer, "cv": GroupKFold(2)}
    model = small_search(**params).fit(X, y, groups=groups)
    assert [len(of_rows) for of_rows in seen] == [40] * 4
    assert model.score(X, y, groups=groups) == 1.0
    assert len(seen[-1]) == 80
    with pytest.raises(TypeError, match="'v'"):
        model.score(X, y, v=groups)


def test_weights_that_a_scorer_says_nothing_of_are_refused(data, routing, no_training):
    X, y, weight, _ = data
    model = small_search(scoring="neg_log_loss")
    with pytest.raises(ValueError, match="(?s)sample_weight.*not explicitly set"):
        model.fit(X, y, sample_weight=weight)


def rows_of_fits(target_cv, make, data, **metadata):
    """Return the groups of the rows of every fit of a teacher."""
    X, y, _, groups = data
    seen = []

    class Seeing(LogisticRegression):
        def fit(self, X, y):
            seen.append(set(X[:, 0].astype(int)))
            return super().fit(X, y)

    X = np.c_[groups, X[:, 1:]].astype(np.float32)
    make(Seeing(), target_cv=target_cv, calibrate="auto").fit(X, y, **metadata)
    return seen


@pytest.mark.parametrize("alias", [False, True])
def test_groups_reach_the_target_cv_as_it_requests_them(data, routing, alias):
    target_cv = GroupKFold(4)
    metadata = {"groups": data[3]}
    if alias:
        target_cv.set_split_request(groups="g")
        metadata = {"g": data[3]}
    fits = rows_of_fits(target_cv, small_distilled, data, **metadata)
    assert [len(groups) for groups in fits] == [3] * 4 + [4]
    search = rows_of_fits(
        target_cv, lambda *a, **k: small_search(*a, **k, alphas=[0.8]), data, **metadata
    )
    assert [len(groups) for groups in search] == 4 * ([3] * 4 + [4])


# --- Without --------------------------------------------------------------------------


def test_further_metadata_go_to_the_teacher_as_they_are(data, seen):
    X, y, weight, groups = data
    small_distilled(Noting()).fit(X, y, groups=groups)
    np.testing.assert_array_equal(seen[-1][2], groups)
    pipe = make_pipeline(StandardScaler(), Noting())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        small_distilled(pipe).fit(
            X, y, sample_weight=np.ones(80), noting__sample_weight=weight
        )
    np.testing.assert_array_equal(seen[-1][1], weight)
    search = small_search(pipe, alphas=[0.8], cv=2)
    search.fit(X, y, noting__sample_weight=weight)
    assert [n_rows for n_rows, _, _ in seen[-3:]] == [40, 40, 80]
    for n_rows, weights, _ in seen[-3:]:
        assert len(weights) == n_rows
        assert_rows(weights, weight)


def test_groups_of_a_search_reach_a_teacher_that_takes_them(data, seen):
    X, y, _, groups = data
    params = {"alphas": [0.8], "cv": GroupKFold(2)}
    small_search(Noting(), **params).fit(X, y, groups=groups)
    assert [(n, len(g)) for n, _, g in seen] == [(40, 40), (40, 40), (80, 80)]
    teacher = GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=LeaveOneGroupOut())
    model = small_search(teacher, **params).fit(X, y, groups=groups)
    assert model.teacher_.n_splits_ == 4
    for without in (teacher.set_params(cv=3), LogisticRegression(), small_teacher()):
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # as of groups that a splitter ignores
            warnings.simplefilter("ignore", ConvergenceWarning)
            small_search(without, **params).fit(X, y, groups=groups)


@pytest.mark.parametrize("make", [small_distilled, small_search])
@pytest.mark.parametrize("teacher", [KNeighborsClassifier(), small_teacher()])
def test_what_the_teacher_does_not_take_is_refused(data, make, teacher, no_training):
    X, y, weight, _ = data
    message = rf"teacher {type(teacher).__name__}, which takes \['X', 'y'.*Got \['w'\]"
    with pytest.raises(TypeError, match=message):
        make(teacher).fit(X, y, w=weight)


def test_metadata_for_a_teacher_that_is_not_fitted_are_accepted(data, seen):
    X, y, weight, groups = data
    small_distilled(Noting(), alpha=0.0).fit(X, y, groups=groups)
    proba = np.full((80, 2), 0.5)
    small_distilled(Noting()).fit(X, y, soft_targets=proba, groups=groups)
    small_search(Noting(), alphas=[0.0]).fit(X, y, groups=groups)
    assert not seen
    search = GridSearchCV(small_distilled(Noting()), {"alpha": [0.0, 0.5]}, cv=2)
    search.set_params(error_score="raise")
    search.fit(X, y, sample_weight=weight)
    assert len(seen) >= 2


def test_groups_reach_the_target_cv(data):
    fits = rows_of_fits(GroupKFold(4), small_distilled, data, groups=data[3])
    assert [len(groups) for groups in fits] == [3] * 4 + [4]


def test_groups_of_a_search_reach_its_target_cv(data):
    def make(*args, **params):
        return small_search(*args, **params, alphas=[0.8], cv=GroupKFold(2))

    # Each fold has two of the four groups.
    fits = rows_of_fits(GroupKFold(2), make, data, groups=data[3])
    assert [len(groups) for groups in fits] == 2 * [1, 1, 2] + [2, 2, 4]


def test_groups_reach_target_cv_and_a_teacher_that_takes_them(data, seen):
    X, y, _, groups = data
    model = small_distilled(Noting(), target_cv=GroupKFold(2)).fit(X, y, groups=groups)
    assert model.out_of_fold_
    assert [sorted(set(found)) for _, _, found in seen] in (
        [[0, 2], [1, 3], [0, 1, 2, 3]],
        [[1, 3], [0, 2], [0, 1, 2, 3]],
    )


def test_groups_that_are_missing_are_asked_for(data, no_training):
    X, y, _, _ = data
    with pytest.raises(ValueError, match="'groups' parameter should not be None"):
        small_distilled(LogisticRegression(), target_cv=GroupKFold(2)).fit(X, y)


@pytest.mark.parametrize("target_cv", [3, None, GroupKFold(2)])
def test_groups_for_nobody_are_refused(data, target_cv, no_training):
    X, y, _, groups = data
    model = small_distilled(LogisticRegression(), target_cv=target_cv)
    with pytest.raises(TypeError, match=r"which takes \['X', 'y'.* Got \['g'\]"):
        model.fit(X, y, g=groups)
