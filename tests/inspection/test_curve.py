"""Students of several sizes, their teacher and their baselines on the same folds."""

import pickle
import threading

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import Bunch

from skdistill import (
    DistilledClassifierCV,
    distillation_curve,
    one_standard_error,
    smallest_within,
)
from skdistill._inspection.curve import standard_error
from tests.nets import CountedTeacher, small_distilled, small_search, small_teacher

SIZES = [(2,), (8, 4)]


def unfitted_model(teacher=None, **params):
    teacher = LogisticRegression() if teacher is None else teacher
    return small_distilled(teacher, **params)


def check_by_cross_validation(model, X, y, **params):
    """Compare a curve to scikit-learn's `cross_val_score` of each of its models."""
    curve = distillation_curve(model, X, y, hidden_layer_sizes=SIZES, **params)
    scoring = {"scoring": "neg_log_loss", **params}

    def scored(**params):
        *steps, last = (
            model.named_steps.values() if hasattr(model, "steps") else [model]
        )
        each = clone(last).set_params(**params)
        return cross_val_score(make_pipeline(*steps, each), X, y, **scoring)

    for index, size in enumerate(SIZES):
        of_student = scored(hidden_layer_sizes=size)
        of_baseline = scored(hidden_layer_sizes=size, alpha=0)
        np.testing.assert_allclose(curve.test_scores[index], of_student, atol=1e-4)
        np.testing.assert_allclose(curve.baseline_scores[index], of_baseline, atol=1e-4)
    *steps, last = model.named_steps.values() if hasattr(model, "steps") else [model]
    of_teacher = cross_val_score(make_pipeline(*steps, last.teacher), X, y, **scoring)
    np.testing.assert_allclose(curve.teacher_scores, of_teacher, atol=1e-6)
    return curve


@pytest.fixture
def noise():
    """60 rows, 50 features that know nothing of the 2 classes."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 50)), rng.integers(2, size=60)


@pytest.fixture
def words():
    """60 rows of a text column and a number, 2 classes; one word is rare."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"word": rng.choice(["a", "b", "c"], 60), "size": rng.normal(size=60)}
    )
    X.loc[0, "word"] = "rare"  # in the training rows of some folds only
    return X, np.where((X["word"] == "a") ^ (X["size"] > 0.5), "yes", "no")


def test_scores_are_those_of_cross_validation(blobs):
    curve = check_by_cross_validation(unfitted_model(), *blobs, cv=3)
    assert curve.hidden_layer_sizes == SIZES
    assert curve.score_name == "neg_log_loss"
    assert curve.test_scores.shape == (2, 3)


def test_the_default_folds_and_another_score(blobs):
    params = {"hidden_layer_sizes": SIZES}
    curve = distillation_curve(unfitted_model(), *blobs, **params, scoring=None)
    same = distillation_curve(
        unfitted_model(), *blobs, **params, scoring="accuracy", cv=StratifiedKFold(5)
    )
    np.testing.assert_array_equal(curve.test_scores, same.test_scores)
    assert curve.score_name == same.score_name == "accuracy"


def test_steps_of_a_pipeline_see_no_test_rows(noise):
    # Features chosen by the labels of all rows would give away those of the tests.
    model = make_pipeline(SelectKBest(k=3), StandardScaler(), unfitted_model())
    check_by_cross_validation(model, *noise, cv=2, scoring="accuracy")


class Doubled(FunctionTransformer):
    """As a TargetEncoder does, it makes other numbers of the rows it is fitted on."""

    def fit_transform(self, X, y=None):
        return 2 * self.fit(X).transform(X)


def test_steps_may_treat_training_rows_differently(binary):
    check_by_cross_validation(make_pipeline(Doubled(), unfitted_model()), *binary, cv=2)


@pytest.mark.parametrize("sparse_output", [False, True])
def test_steps_may_make_other_columns_in_each_fold(words, sparse_output):
    X, y = words
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=sparse_output)
    svd = {"preprocessor": TruncatedSVD(2, random_state=0)} if sparse_output else {}
    model = make_pipeline(encoder, unfitted_model(**svd))
    check_by_cross_validation(model, X[["word"]], y, cv=2)


def test_steps_may_make_a_dataframe(words):
    X, y = words
    steps = make_pipeline(FunctionTransformer())
    model = unfitted_model(
        make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()),
        preprocessor="auto",
    )
    check_by_cross_validation(make_pipeline(*steps, model), X, y, cv=2)


def test_a_pipeline_in_a_pipeline_is_one(blobs):
    inner = make_pipeline(StandardScaler(), unfitted_model())
    X, y = blobs
    params = {"hidden_layer_sizes": SIZES, "cv": 3}
    curve = distillation_curve(
        make_pipeline(FunctionTransformer(), inner), X, y, **params
    )
    alone = distillation_curve(inner, X, y, **params)
    np.testing.assert_array_equal(curve.test_scores, alone.test_scores)


def test_a_teacher_is_fitted_once_per_fold(binary, tmp_path):
    teacher = CountedTeacher(tmp_path / "log")
    model = make_pipeline(StandardScaler(), unfitted_model(teacher))
    distillation_curve(model, *binary, hidden_layer_sizes=SIZES, cv=3)
    assert teacher.n_fits() == 3


def test_students_of_a_size_are_one_stack(binary, monkeypatch):
    from skdistill import _search_stacks

    sizes = []
    train = _search_stacks.train_replicas

    def train_replicas(student, X, y, replicas, **params):
        sizes.append(len(replicas))
        return train(student, X, y, replicas, **params)

    monkeypatch.setattr(_search_stacks, "train_replicas", train_replicas)
    model = make_pipeline(StandardScaler(), unfitted_model())
    distillation_curve(model, *binary, hidden_layer_sizes=SIZES, cv=3)
    assert sizes == [6, 6]  # three folds, each with a teacher and without


def test_weights_and_groups_find_their_rows(binary):
    X, y = binary
    rng = np.random.default_rng(0)
    params = {
        "hidden_layer_sizes": SIZES,
        "cv": GroupKFold(3),
        "groups": rng.integers(9, size=len(y)),
        "sample_weight": rng.uniform(0.1, 2, size=len(y)),
    }
    curve = distillation_curve(unfitted_model(), X, y, **params)
    piped = make_pipeline(FunctionTransformer(), unfitted_model())
    of_pipeline = distillation_curve(piped, X, y, **params)
    search = small_search(
        LogisticRegression(),
        cv=GroupKFold(3),
        scoring="neg_log_loss",
        temperatures=[3.0],
        alphas=[0.5],
        param_grid={"hidden_layer_sizes": SIZES},
        refit=False,
    )
    fit_params = {name: params[name] for name in ("groups", "sample_weight")}
    search.fit(X, y, **fit_params)
    for fold in range(3):
        expected = search.cv_results_[f"split{fold}_test_score"]
        np.testing.assert_allclose(curve.test_scores[:, fold], expected, atol=1e-6)
    for name in ("test_scores", "baseline_scores", "teacher_scores"):
        np.testing.assert_allclose(of_pipeline[name], curve[name], atol=1e-6)


def test_a_frozen_teacher_is_scored_in_each_fold(blobs):
    X, y = blobs
    fitted = GaussianNB().fit(X, y)
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    model = unfitted_model(FrozenEstimator(fitted))
    curve = distillation_curve(
        model, X, y, hidden_layer_sizes=SIZES, cv=cv, scoring="accuracy"
    )
    expected = [fitted.score(X[test], y[test]) for _, test in cv.split(X, y)]
    np.testing.assert_allclose(curve.teacher_scores, expected)


def test_a_callable_scores_both(binary):
    def brier(estimator, X, y):
        return -np.mean((estimator.predict_proba(X)[:, 1] - y) ** 2)

    curve = check_by_cross_validation(unfitted_model(), *binary, scoring=brier, cv=2)
    assert curve.score_name == "brier"


def test_what_students_and_networks_of_teachers_cost(binary):
    X, y = binary
    teacher = small_teacher(n_estimators=3)
    curve = distillation_curve(
        unfitted_model(teacher), X, y, hidden_layer_sizes=[5, (8, 4), ()], cv=2
    )
    assert curve.hidden_layer_sizes == [(5,), (8, 4), ()]
    assert curve.n_parameters.tolist() == [47, 102, 14]
    assert curve.n_bytes.tolist() == [188, 408, 56]
    assert curve.teacher_n_parameters == 3 * 102
    assert curve.teacher_n_bytes == 12 * 102
    assert curve.row_time.shape == (3,)
    assert (curve.row_time > 0).all()
    assert curve.teacher_row_time > 0


def test_what_another_teacher_costs(binary):
    X, y = binary
    forest = RandomForestClassifier(5, random_state=0)
    curve = distillation_curve(
        unfitted_model(forest), X, y, hidden_layer_sizes=SIZES, cv=[(range(80),) * 2]
    )
    assert np.isnan(curve.teacher_n_parameters)
    assert curve.teacher_n_bytes == len(pickle.dumps(clone(forest).fit(X, y)))


class LockedTeacher(GaussianNB):
    """A teacher that cannot be pickled."""

    def fit(self, X, y, sample_weight=None):
        self.lock_ = threading.Lock()
        return super().fit(X, y, sample_weight)


def test_a_teacher_that_cannot_be_pickled_has_no_bytes(binary):
    model = unfitted_model(LockedTeacher())
    curve = distillation_curve(model, *binary, hidden_layer_sizes=SIZES, cv=2)
    assert np.isnan(curve.teacher_n_bytes)
    assert np.isfinite(curve.teacher_scores).all()


def test_the_model_stays_as_it_was(binary):
    X, y = binary
    model = make_pipeline(StandardScaler(), unfitted_model(temperature=2.0))
    before = repr(model), vars(model[-1]).copy()
    X.setflags(write=False)
    distillation_curve(model, X, y, hidden_layer_sizes=SIZES, cv=2)
    assert (repr(model), vars(model[-1])) == before
    assert not hasattr(model[0], "mean_")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LogisticRegression(), "'model' .* Pipeline that .* Got LogisticRegression"),
        (make_pipeline(StandardScaler()), "'model' .* Got Pipeline"),
        (DistilledClassifierCV(), "'model' .* Got DistilledClassifierCV"),
        (unfitted_model(alpha=0), "'alpha' .* > 0 .* Got alpha=0"),
        (
            unfitted_model(student=DecisionTreeClassifier()),
            "'student' parameter .* None. Got DecisionTreeClassifier",
        ),
        (unfitted_model(max_epochs=0), "'max_epochs'"),
    ],
)
def test_models_without_such_a_curve(binary, no_training, model, message):
    with pytest.raises(ValueError, match=message):
        distillation_curve(model, *binary, hidden_layer_sizes=SIZES)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"hidden_layer_sizes": []}, "'hidden_layer_sizes' .* Got an empty one"),
        ({"hidden_layer_sizes": 8}, "'hidden_layer_sizes' .* such as .* Got 8"),
        ({"hidden_layer_sizes": "auto"}, "'hidden_layer_sizes' .* Got 'auto'"),
        ({"hidden_layer_sizes": [(8,), (0,)]}, r"Got \(0,\) among them"),
        ({"hidden_layer_sizes": [(8, 0.5)]}, r"Got \(8, 0.5\) among them"),
        ({"hidden_layer_sizes": ["64"]}, "Got '64' among them"),
        ({"scoring": ["accuracy"]}, r"'scoring' .* Got \['accuracy'\]"),
        ({"cv": 1}, "n_splits=1"),
    ],
)
def test_invalid_parameters(binary, no_training, params, message):
    with pytest.raises(ValueError, match=message):
        distillation_curve(
            unfitted_model(), *binary, **{"hidden_layer_sizes": SIZES, **params}
        )


def test_steps_that_drop_rows_are_refused(binary):
    model = make_pipeline(FunctionTransformer(lambda X: X[::2]), unfitted_model())
    with pytest.raises(ValueError, match="must keep the rows. .* 20 rows of 40"):
        distillation_curve(model, *binary, hidden_layer_sizes=SIZES, cv=2)


def test_weights_need_a_score_that_takes_them(binary, no_training):
    def score(estimator, X, y):
        return 0.0

    weight = np.ones(len(binary[1]))
    with pytest.raises(ValueError, match="'scoring' .* must take sample_weight"):
        distillation_curve(
            unfitted_model(),
            *binary,
            hidden_layer_sizes=SIZES,
            scoring=score,
            sample_weight=weight,
        )


def test_an_error_of_the_score_is_raised(binary):
    def score(estimator, X, y):
        raise RuntimeError("no such score")

    with pytest.raises(RuntimeError, match="no such score"):
        distillation_curve(
            unfitted_model(), *binary, hidden_layer_sizes=SIZES, cv=2, scoring=score
        )


@pytest.fixture
def curve():
    """A curve of four students; the third is the best."""
    return Bunch(
        hidden_layer_sizes=[(4,), (16,), (64,), (64, 32)],
        n_parameters=np.array([94, 370, 1474, 3490]),
        n_bytes=np.array([376, 1480, 5896, 13960]),
        row_time=np.array([5e-5, 7e-5, 6e-5, 8e-5]),
        test_scores=np.array([[0.80, 0.82], [0.89, 0.90], [0.91, 0.92], [0.90, 0.92]]),
        teacher_scores=np.array([0.92, 0.94]),
        score_name="accuracy",
    )


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, None),
        ({"tolerance": 0.02}, (64,)),
        ({"tolerance": 0.036}, (16,)),
        ({"tolerance": 0.036, "by": "row_time"}, (64,)),
        ({"tolerance": 1.0}, (4,)),
        ({"of": "best"}, (64, 32)),
        ({"tolerance": 0, "of": "best"}, (64,)),
        ({"tolerance": 0.021, "of": "best"}, (16,)),
        ({"tolerance": 0.021, "of": "best", "by": "row_time"}, (64,)),
    ],
)
def test_the_smallest_within_a_tolerance(curve, params, expected):
    if params == {"of": "best"}:
        # (0.91, 0.92) has an error of 0.005, which is what the last is worse.
        curve.n_parameters[2] = 9999
    if expected is None:
        with pytest.raises(
            ValueError,
            match=r"within 0.01 of the teacher, .* accuracy is 0.93. .* \(64,\), has "
            "0.915: .*of='best'",
        ):
            smallest_within(curve, **params)
    else:
        assert smallest_within(curve, **params) == expected


def test_of_students_that_cost_the_same_the_best_is_taken(curve):
    curve.n_parameters[:] = 7
    assert smallest_within(curve, 1.0) == (64,)


def test_the_smallest_within_noise_is_that_of_the_search(binary):
    X, y = binary
    model = unfitted_model(alpha=0.8, temperature=4.0, max_epochs=20)
    sizes = [(1,), (4,), (16,), (64, 32)]
    params = {"cv": 4, "scoring": "neg_log_loss"}
    curve = distillation_curve(model, X, y, hidden_layer_sizes=sizes, **params)
    search = small_search(
        LogisticRegression(),
        temperatures=[4.0],
        alphas=[0.8],
        param_grid={"hidden_layer_sizes": sizes},
        refit=False,
        max_epochs=20,
        **params,
    ).fit(X, y)
    chosen = one_standard_error(search.cv_results_, by="mean_student_bytes")
    assert smallest_within(curve, of="best", by="n_bytes") == sizes[chosen]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"of": "student"}, "'of' .* \\['teacher', 'best'\\]. Got 'student'"),
        ({"by": "flops"}, "'by' .* 'row_time'\\]. Got 'flops'"),
        ({"tolerance": -0.1}, "'tolerance' .* >= 0.* Got -0.1"),
        ({"tolerance": np.nan}, "'tolerance' .* Got nan"),
        ({"tolerance": "none"}, "'tolerance' .* Got 'none'"),
    ],
)
def test_invalid_parameters_of_smallest_within(curve, params, message):
    with pytest.raises(ValueError, match=message):
        smallest_within(curve, **params)


def test_one_fold_has_no_standard_error(curve):
    curve.test_scores = curve.test_scores[:, :1]
    curve.teacher_scores = curve.teacher_scores[:1]
    assert np.isnan(standard_error(curve.test_scores)).all()
    with pytest.raises(ValueError, match="'tolerance' .* a single fold"):
        smallest_within(curve)
    assert smallest_within(curve, 0.02) == (64,)
