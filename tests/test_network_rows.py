"""What students and ensembles see of the caller's rows: `preprocessor`."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from skdistill import (
    DistilledClassifier,
    EnsembleTeacher,
    SwapTransfer,
    TablePreprocessor,
    one_standard_error,
)
from skdistill._one_standard_error import within_one_standard_error
from skdistill._training.budget import STEPS
from tests.nets import (
    CountedTeacher,
    global_random_states,
    small_distilled,
    small_search,
    small_teacher,
)

# One that takes dates as well.
TEACHER = make_pipeline(
    TablePreprocessor(), RandomForestClassifier(n_estimators=5, random_state=0)
)


def of(teacher=TEACHER, **params):
    """Return a small classifier whose teacher is not calibrated."""
    return small_distilled(teacher, **{"calibrate": False, **params})


@pytest.fixture
def mixed():
    """A table of numbers, holes, text, categories and dates; and labels."""
    rng = np.random.default_rng(0)
    n = 80
    colour = rng.choice(["red", "green", "blue"], n)
    size = rng.normal(1000, 50, n)
    X = pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, size),
            "colour": pd.Categorical(colour),
            "day": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(rng.integers(99, size=n), "D"),
            "flag": rng.random(n) < 0.5,
        }
    )
    return X, np.where((colour == "red") | (size > 1040), "yes", "no")


@pytest.fixture
def numbers():
    """Numbers that are not scaled, and labels."""
    rng = np.random.default_rng(0)
    X = rng.normal([100, -5, 0.01], [20, 1, 1e-3], (90, 3))
    return X, (X[:, 0] > 100).astype(int)


@pytest.mark.parametrize(
    "estimator", [of(), small_teacher()], ids=["student", "ensemble"]
)
def test_a_mixed_table_is_learned(mixed, estimator):
    X, y = mixed
    if isinstance(estimator, EnsembleTeacher):
        X = X.astype({"colour": str})
    before = X.copy()
    model = clone(estimator).set_params(preprocessor="auto", max_epochs=40).fit(X, y)
    pd.testing.assert_frame_equal(X, before)
    assert model.score(X, y) > 0.85
    assert "colour_red" in model.preprocessor_.get_feature_names_out()
    assert model.feature_names_in_.tolist() == [*X.columns]
    proba = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X[[*X.columns[::-1]]]), proba)
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.predict_proba(X), proba)
    # Rows are looked at one by one.
    np.testing.assert_allclose(model.predict_proba(X[7:8]), proba[7:8], atol=1e-6)


def test_a_booster_of_categories_teaches_in_one_line(mixed):
    X, y = mixed[0].drop(columns="day"), mixed[1]
    booster = HistGradientBoostingClassifier(
        categorical_features="from_dtype", max_iter=5, min_samples_leaf=2
    )
    model = of(booster, preprocessor="auto", max_epochs=40).fit(X, y)
    assert model.score(X, y) > 0.85


def test_the_teacher_gets_the_rows_as_they_are(mixed):
    X, y = mixed

    class Watched(RandomForestClassifier):
        def fit(self, X, y):
            self.seen_ = X
            return super().fit(X[["size"]].fillna(0), y)

        def predict_proba(self, X):
            return super().predict_proba(X[["size"]].fillna(0))

    model = of(Watched(n_estimators=3), preprocessor="auto").fit(X, y)
    pd.testing.assert_frame_equal(model.teacher_.seen_, X)


def test_the_ensemble_of_none_gets_the_preprocessor_of_the_student(mixed, monkeypatch):
    X, y = mixed
    monkeypatch.setitem(STEPS, "member", 4)
    model = DistilledClassifier(preprocessor="auto", max_epochs=2, random_state=0)
    model.fit(X, y)
    assert model.teacher_.preprocessor == "auto"
    names = model.preprocessor_.get_feature_names_out().tolist()
    assert model.teacher_.preprocessor_.get_feature_names_out().tolist() == names


@pytest.mark.parametrize("scaler", ["auto", StandardScaler()])
def test_scaling_costs_nothing_at_prediction(numbers, scaler):
    X, y = numbers
    model = of(alpha=0.0, preprocessor=scaler).fit(X, y)
    scaled = StandardScaler().fit_transform(X)
    expected = of(alpha=0.0).fit(scaled, y)
    np.testing.assert_allclose(
        model.predict_proba(X), expected.predict_proba(scaled), atol=1e-5
    )
    # The net takes the rows as they are.
    np.testing.assert_allclose(
        model.student_.predict_proba(X.astype(np.float32)),
        model.predict_proba(X),
        rtol=1e-6,
    )


def test_columns_without_information_are_folded_away(numbers):
    X, y = numbers
    X = np.insert(X, 1, 7.0, axis=1)
    model = of(LogisticRegression(), preprocessor="auto").fit(X, y)
    assert model.student_.module_.layers[0].weight.shape[1] == 4
    other = X.copy()
    other[:, 1] = 1e6
    np.testing.assert_allclose(
        model.predict_proba(other), model.predict_proba(X), atol=1e-6
    )
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.predict_proba(X), model.predict_proba(X))


def test_offsets_that_float32_does_not_hold_are_not_folded(numbers):
    X, y = numbers
    X[:, 0] += 1e9
    model = of(LogisticRegression(), preprocessor="auto", max_epochs=40).fit(X, y)
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize(
    "change",
    [
        lambda X: X * 1e-40,
        lambda X: X * 1e40,
        lambda X: np.insert(X, 1, 1e300, axis=1),
    ],
    ids=["tiny", "huge", "huge constant"],
)
def test_sizes_that_float32_does_not_hold_are_not_folded(numbers, change):
    X, y = numbers
    model = of(alpha=0.0, preprocessor="auto", max_epochs=40).fit(change(X), y)
    assert model.score(change(X), y) > 0.9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_holes_are_filled_where_there_were_none(numbers, dtype):
    X, y = numbers
    model = of(LogisticRegression(), preprocessor="auto").fit(X, y)
    holes = X[:5].astype(dtype)
    holes[2, 0] = np.nan
    filled = holes.copy()
    filled[2, 0] = np.median(X[:, 0])
    np.testing.assert_allclose(
        model.predict_proba(holes), model.predict_proba(filled), atol=1e-6
    )
    assert np.isnan(holes[2, 0])
    holes[2, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        model.predict_proba(holes)


def test_a_transformer_of_ones_own(mixed):
    X, y = mixed
    given = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["colour"]), (StandardScaler(), ["size"])
    )
    X = X.fillna({"size": 1000})
    model = of(preprocessor=given).fit(X, y)
    assert not hasattr(given, "transformers_")
    by_hand = given.fit_transform(X)
    expected = of(alpha=0.0).fit(by_hand, y)
    model = of(alpha=0.0, preprocessor=given).fit(X, y)
    np.testing.assert_allclose(
        model.predict_proba(X), expected.predict_proba(by_hand), atol=1e-6
    )


class Centred(TransformerMixin, BaseEstimator):
    """Moves the rows that it was fitted on, and no others, by their labels."""

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def fit_transform(self, X, y):
        return np.asarray(X) - np.unique(y, return_inverse=True)[1][:, np.newaxis]

    def transform(self, X):
        return np.asarray(X)


def test_a_frozen_preprocessor_stays_as_it_is(numbers):
    X, y = numbers
    scaler = FrozenEstimator(StandardScaler().fit(X[:30]))
    model = of(LogisticRegression(), preprocessor=scaler).fit(X, y)
    assert model.preprocessor_.mean_.tolist() == scaler.mean_.tolist()
    assert model.score(X, y) > 0.5


def test_a_preprocessor_that_looks_at_labels_is_fitted_as_in_a_pipeline(mixed):
    X, y = mixed
    X = X[["size"]].fillna(1000) / 100
    encoder = Centred()
    model = of(alpha=0.0, preprocessor=encoder).fit(X, y)
    expected = of(alpha=0.0).fit(encoder.fit_transform(X, y), y)
    np.testing.assert_allclose(
        model.predict_proba(X),
        expected.predict_proba(encoder.transform(X)),
        atol=1e-6,
    )


def test_what_draws_is_seeded(numbers):
    X, y = numbers
    model = of(
        LogisticRegression(),
        alpha=0.0,
        preprocessor=QuantileTransformer(n_quantiles=10, subsample=50),
    )
    before = global_random_states()
    proba = model.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), proba)
    assert global_random_states() == before


def test_rows_of_weight_zero_are_not_looked_at(mixed):
    X, y = mixed
    more = X.iloc[:3].copy()
    more["size"] = 1e12
    both, labels = pd.concat([X, more], ignore_index=True), np.append(y, y[:3])
    weight = np.append(np.ones(len(y)), np.zeros(3))
    model = of(LogisticRegression(), alpha=0.0, preprocessor="auto")
    expected = clone(model).fit(X, y).predict_proba(X)
    found = clone(model).fit(both, labels, sample_weight=weight).predict_proba(X)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_search_does_not_look_at_rows_of_weight_zero(mixed):
    X, y = mixed
    X = X.copy()
    X.loc[0, "size"] = np.inf
    weight = np.ones(len(y))
    weight[0] = 0
    search = small_search(TEACHER, preprocessor="auto", alphas=[0.0], max_epochs=3)
    # No test fold has the row, which cannot be predicted.
    folds = [(np.arange(60), np.arange(60, 80)), (np.arange(50), np.arange(50, 80))]
    search.set_params(cv=folds).fit(X, y, sample_weight=weight)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_sparse_rows_take_a_preprocessor_that_makes_them_dense(numbers):
    X, y = numbers
    X = sparse.csr_matrix(np.where(np.abs(X) > 1, X, 0))
    model = of(LogisticRegression(), preprocessor=TruncatedSVD(2, random_state=0))
    assert model.fit(X, y).predict_proba(X).shape == (90, 2)
    with pytest.raises(ValueError, match="'preprocessor' .* dense .* TruncatedSVD"):
        of(LogisticRegression(), preprocessor=FunctionTransformer()).fit(X, y)
    with pytest.raises(TypeError, match="Sparse .* preprocessor=TruncatedSVD"):
        of(LogisticRegression()).fit(X, y)


def test_what_networks_cannot_take_is_said_before_the_teacher_is_fitted(mixed):
    X, y = mixed
    model = of(Unfittable(), preprocessor=FunctionTransformer())
    with pytest.raises(ValueError, match="could not convert|Timestamp|cannot"):
        model.fit(X[["size", "colour"]], y)
    with pytest.raises(ValueError, match="what the preprocessor of .* NaN"):
        model.fit(X[["size"]], y)


class Unfittable(LogisticRegression):
    def fit(self, X, y):
        raise AssertionError("the teacher was fitted")


def test_rows_to_predict_are_there_and_have_columns(mixed):
    X, y = mixed
    model = of(LogisticRegression(), alpha=0.0, preprocessor="auto").fit(X, y)
    with pytest.raises(ValueError, match="0 sample"):
        model.predict(X[:0])
    for row in (X.iloc[0], X.iloc[0].to_numpy(), X.iloc[0].tolist()):
        with pytest.raises(ValueError, match=r"two dimensions.* shape \(4,\)"):
            model.predict_proba(row)


@pytest.mark.parametrize("columns", [["size"], ["colour"], ["size", "day"]])
def test_without_a_preprocessor_the_error_names_it(mixed, columns):
    X, y = mixed
    with pytest.raises(ValueError, match="preprocessor='auto'"):
        of().fit(X[columns], y)


def test_of_cells_that_are_no_numbers_the_error_names_it_too(mixed):
    X, y = mixed
    months = pd.DataFrame({"month": X["day"].dt.to_period("M")})
    for estimator in (of(), small_teacher()):
        with pytest.raises(TypeError, match="'Period'. preprocessor='auto' takes"):
            estimator.fit(months, y)


def test_a_preprocessor_of_before_is_forgotten(numbers):
    X, y = numbers
    model = of(LogisticRegression(), preprocessor="auto").fit(X, y)
    model.set_params(preprocessor=None).fit(StandardScaler().fit_transform(X), y)
    assert not hasattr(model, "preprocessor_")


def test_generators_see_the_rows_of_the_caller(mixed):
    X, y = mixed
    model = of(preprocessor="auto", transfer=SwapTransfer(n_rows=0.5), max_epochs=3)
    model.fit(X, y)
    own = of(preprocessor="auto", transfer=X[:20], max_epochs=3).fit(X, y)
    assert model.score(X, y) > 0
    assert own.score(X, y) > 0


def test_a_tree_behind_a_preprocessor(mixed):
    X, y = mixed
    tree = DecisionTreeClassifier(max_leaf_nodes=8)
    model = DistilledClassifier(
        TEACHER, calibrate=False, student=tree, preprocessor="auto", random_state=0
    )
    model.fit(X, y)
    n_columns = len(model.preprocessor_.get_feature_names_out())
    assert len(model.student_.feature_importances_) == n_columns
    assert model.score(X, y) > 0.85


# --- In searches ----------------------------------------------------------------------


def test_a_search_fits_it_per_fold_as_grid_search_does(mixed):
    X, y = mixed
    model = of(preprocessor="auto", max_epochs=3)
    grid = {"temperature": [1.0, 4.0], "alpha": [0.0, 0.7]}
    plain = GridSearchCV(model, grid, cv=3, scoring="neg_log_loss").fit(X, y)
    search = (
        small_search(TEACHER, preprocessor="auto", max_epochs=3, scoring="neg_log_loss")
        .set_params(temperatures=grid["temperature"], alphas=grid["alpha"])
        .fit(X, y)
    )
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"],
        plain.cv_results_["mean_test_score"],
        atol=1e-5,
    )
    assert "colour_red" in search.preprocessor_.get_feature_names_out()
    np.testing.assert_allclose(
        search.predict_proba(X), search.best_estimator_.predict_proba(X)
    )


@pytest.mark.parametrize("scaler", ["auto", StandardScaler()])
def test_every_student_of_a_search_takes_over_the_scaling(numbers, scaler):
    X, y = numbers
    model = of(LogisticRegression(), preprocessor=scaler)
    grid = {"temperature": [1.0, 4.0], "alpha": [0.0, 0.5, 1.0]}
    plain = GridSearchCV(model, grid, cv=2, scoring="neg_log_loss").fit(X, y)
    search = (
        small_search(LogisticRegression(), preprocessor=scaler, cv=2)
        .set_params(calibrate=False, scoring="neg_log_loss")
        .set_params(temperatures=grid["temperature"], alphas=grid["alpha"])
        .fit(X, y)
    )
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"],
        plain.cv_results_["mean_test_score"],
        atol=1e-4,
    )


def test_a_pipeline_with_one_cross_validates(mixed):
    X, y = mixed
    scores = cross_val_score(make_pipeline(of(preprocessor="auto")), X, y, cv=3)
    assert (scores > 0.5).all()


def test_a_search_over_students_and_preprocessors(mixed):
    X, y = mixed
    rules = DecisionTreeClassifier(max_leaf_nodes=4, random_state=0)
    search = small_search(
        TEACHER,
        param_grid=[
            {"hidden_layer_sizes": [(4,), (8,)], "preprocessor": ["auto"]},
            {"student": [rules], "preprocessor": [TablePreprocessor(min_frequency=1)]},
        ],
        scoring="neg_log_loss",
        max_epochs=40,
    ).fit(X, y)
    params = search.cv_results_["params"]
    assert len(params) == 2 * 4 + 2
    assert [p["temperature"] for p in params if "student" in p] == [1.0, 1.0]
    assert search.cv_results_["param_student"].tolist()[-1] is rules
    for of_candidate, score in zip(
        params, search.cv_results_["mean_test_score"], strict=True
    ):
        shared = {} if "student" in of_candidate else {"max_epochs": 40}
        model = of(**{**shared, **of_candidate})
        if "student" in of_candidate:
            model = DistilledClassifier(
                TEACHER, calibrate=False, target_cv=None, random_state=0, **of_candidate
            )
        alone = cross_val_score(model, X, y, cv=3, scoring="neg_log_loss")
        np.testing.assert_allclose(score, alone.mean(), atol=1e-4)
    sizes = search.cv_results_["mean_student_bytes"]
    assert (sizes[:4] < sizes[4:8]).all()
    assert (search.cv_results_["row_time"] > 0).all()
    best = search.best_params_
    assert best == params[search.best_index_]
    np.testing.assert_array_equal(
        search.predict_proba(X), search.best_estimator_.predict_proba(X)
    )


def test_the_teacher_of_students_of_all_kinds_is_fitted_once_per_fold(
    numbers, tmp_path
):
    X, y = numbers
    teacher = CountedTeacher(tmp_path / "log")
    search = small_search(
        teacher,
        alphas=[0.5, 0.8],
        preprocessor="auto",
        param_grid={"student": [None, DecisionTreeClassifier(max_depth=2)]},
    ).fit(X, y)
    assert teacher.n_fits() == 4
    copied = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(copied.predict_proba(X), search.predict_proba(X))


def test_the_smallest_student_within_noise(numbers):
    X, y = numbers
    choose = partial(one_standard_error, by="mean_student_bytes")
    search = small_search(
        LogisticRegression(),
        preprocessor="auto",
        param_grid={"hidden_layer_sizes": [(64, 32), (2,)]},
        refit=choose,
    ).fit(X, y)
    assert search.best_index_ == choose(search.cv_results_)
    chosen = search.cv_results_["mean_student_bytes"][search.best_index_]
    within = within_one_standard_error(search.cv_results_)
    assert chosen == search.cv_results_["mean_student_bytes"][within].min()


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"lr": [0.1]}, "'param_grid' .* hidden_layer_sizes.*'lr'"),
        ({"student": [RandomForestRegressor()]}, "'student'"),
        ({"weight_decay": [-1.0]}, "'weight_decay'"),
        ({"preprocessor": ["scale"]}, "'preprocessor'"),
        (
            {"student": [DecisionTreeClassifier()], "weight_decay": [0.1]},
            "'weight_decay' .* 'student'",
        ),
    ],
)
def test_a_grid_that_cannot_be_searched_is_refused_first(numbers, grid, message):
    with pytest.raises(ValueError, match=message):
        small_search(Unfittable(), param_grid=grid).fit(*numbers)


def test_soft_targets_are_cut_for_each_fold(numbers):
    X, y = numbers
    X = StandardScaler().fit_transform(X)
    proba = LogisticRegression().fit(X, y).predict_proba(X)
    search = small_search(Unfittable(), scoring="neg_log_loss")
    search.fit(X, y, soft_targets=proba)
    plain = GridSearchCV(
        small_distilled(Unfittable()),
        {"temperature": [1.0, 4.0], "alpha": [0.0, 0.8]},
        cv=3,
        scoring="neg_log_loss",
    ).fit(X, y, soft_targets=proba)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"],
        plain.cv_results_["mean_test_score"],
        atol=1e-5,
    )
    assert search.teacher_ is None


def test_a_second_search_finds_the_teachers(numbers, tmp_path):
    X, y = numbers
    teacher = CountedTeacher(tmp_path / "log", random_state=0)
    for alphas in ([0.5], [0.3, 0.8]):
        search = small_search(
            teacher, preprocessor="auto", alphas=alphas, memory=tmp_path / "cache"
        )
        search.fit(X, y)
    assert teacher.n_fits() == 4
