"""A student that is any scikit-learn classifier, at the end of DistilledClassifier."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, export_text

from skdistill import DistilledClassifier, MixupTransfer
from skdistill._students.classifier import weighted_copies
from tests.nets import (
    CountedTeacher,
    FixedTeacher,
    global_random_states,
    small_net,
    small_teacher,
)


@pytest.fixture(scope="module")
def probabilities():
    """9 rows with arbitrary probabilities of 3 classes, each row told by a feature."""
    proba = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], size=9) * 0.97 + 0.01
    return np.eye(9), np.arange(9) % 3, proba


def tree_model(teacher=None, student=None, **params):
    teacher = LogisticRegression() if teacher is None else teacher
    student = DecisionTreeClassifier(max_depth=3) if student is None else student
    defaults = {"student": student, "calibrate": False, "random_state": 0}
    return DistilledClassifier(teacher, **{**defaults, **params})


def linear_student():
    return make_pipeline(StandardScaler(), LogisticRegression())


# --- What it learns -----------------------------------------------------------------


def test_copies_have_the_weights_of_both_terms():
    logits = np.log([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6], [0.1, 0.6, 0.3]])
    rows, columns, weight = weighted_copies(
        np.array([0, 1, -100]),
        alpha=0.5,
        teacher_logits=logits,
        sample_weight=np.array([1.0, 2.0, 1.0]),
    )
    table = np.zeros((3, 3))
    table[rows, columns] = weight
    expected = [[0.75, 0.125, 0.125], [0.2, 1.2, 0.6], [0.05, 0.3, 0.15]]
    np.testing.assert_allclose(table, expected)


def test_copies_of_no_weight_are_left_out():
    logits = np.array([[0.0, -1e4], [0.0, 0.0]])
    rows, columns, weight = weighted_copies(
        np.array([0, 1]), alpha=1.0, teacher_logits=logits
    )
    assert rows.tolist() == [0, 1, 1]
    assert columns.tolist() == [0, 0, 1]
    assert weight.tolist() == [1.0, 0.5, 0.5]


@pytest.mark.parametrize(
    "student",
    [
        DecisionTreeClassifier(),
        LogisticRegression(C=1e6, max_iter=1000),
        RandomForestClassifier(n_estimators=3, bootstrap=False, max_features=None),
        HistGradientBoostingClassifier(
            max_iter=100, min_samples_leaf=1, learning_rate=0.3
        ),
        make_pipeline(StandardScaler(), LogisticRegression(C=1e6, max_iter=1000)),
    ],
    ids=lambda student: type(student).__name__,
)
def test_a_student_that_can_has_the_teachers_probabilities(probabilities, student):
    X, y, proba = probabilities
    model = tree_model(FixedTeacher(proba, np.arange(3)), student, alpha=1.0)
    np.testing.assert_allclose(model.fit(X, y).predict_proba(X), proba, atol=5e-3)


def test_alpha_weights_the_teacher(probabilities):
    X, y, proba = probabilities
    model = tree_model(student=DecisionTreeClassifier(), alpha=0.8)
    model.fit(X, y, soft_targets=proba)
    expected = 0.8 * proba + 0.2 * np.eye(3)[y]
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-4)


@pytest.mark.parametrize("weighted", [False, True])
def test_alpha_zero_is_the_student_on_labels_alone(blobs, weighted):
    X, y = blobs
    # Of a mean of 2, so that scaling them to 1 rounds nothing.
    weight = np.resize([1.0, 3.0], len(y)) if weighted else None
    tree = DecisionTreeClassifier(min_samples_leaf=7, random_state=0)
    model = tree_model(DummyClassifier(), tree, alpha=0.0).fit(X, y, weight)
    plain = clone(tree).fit(X, y, sample_weight=weight)
    assert model.teacher_ is None
    np.testing.assert_array_equal(model.student_.tree_.threshold, plain.tree_.threshold)
    np.testing.assert_allclose(
        model.predict_proba(X), plain.predict_proba(X), atol=1e-6
    )


def test_a_linear_student_is_as_exact_as_on_its_own(binary):
    X, y = binary
    model = tree_model(student=LogisticRegression(), alpha=0.0).fit(X, y)
    plain = LogisticRegression().fit(X.astype(np.float64), y)
    np.testing.assert_array_equal(model.student_.coef_, plain.coef_)


def test_rows_of_weight_zero_count_for_nothing(blobs):
    X, y = blobs
    weight = (np.arange(len(y)) % 4 > 0).astype(float)
    model = tree_model().fit(X, y, sample_weight=weight)
    kept = tree_model().fit(X[weight > 0], y[weight > 0])
    np.testing.assert_array_equal(model.predict_proba(X), kept.predict_proba(X))


def test_a_class_without_weight_has_a_column(blobs):
    X, y = blobs
    model = tree_model(alpha=0.0).fit(X, y, sample_weight=(y != "b").astype(float))
    assert model.student_.classes_.tolist() == [0, 2]
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.predict_proba(X)[:, 1].max() < 1e-30
    assert np.isfinite(model.predict_logits(X)).all()
    assert set(model.predict(X)) == {"a", "c"}


def test_transfer_rows_are_learned_without_labels(binary):
    X, y = binary
    seen = []

    class Recorder(DecisionTreeClassifier):
        def fit(self, X, y, sample_weight=None):
            seen.append((X, y, sample_weight))
            return super().fit(X, y, sample_weight=sample_weight)

    student = Recorder(max_depth=3)
    tree_model(student=student, transfer=MixupTransfer(), alpha=0.25).fit(X, y)
    ((rows, columns, weight),) = seen
    assert len(rows) == len(columns) == 4 * len(X)  # two classes, twice the rows
    of_made = ~(rows[:, None] == X).all(axis=2).any(axis=1)
    # Half of the weight is theirs, and alpha of it.
    np.testing.assert_allclose(weight[~of_made].sum(), len(X), rtol=1e-5)
    np.testing.assert_allclose(weight[of_made].sum(), 0.25 * len(X), rtol=1e-5)


@pytest.mark.parametrize("target_cv", [3, "auto"])
def test_out_of_fold_targets_work(blobs, target_cv):
    X, y = blobs
    teacher = KNeighborsClassifier(1)
    model = tree_model(teacher, target_cv=target_cv, calibrate="auto").fit(X, y)
    assert model.out_of_fold_ == (target_cv == 3)
    assert model.score(X, y) > 0.8


# --- What comes out -----------------------------------------------------------------


@pytest.mark.parametrize(
    "student",
    [
        DecisionTreeClassifier(max_depth=3),
        linear_student(),
        HistGradientBoostingClassifier(max_iter=5),
        GaussianNB(),
    ],
    ids=lambda student: type(student).__name__,
)
@pytest.mark.parametrize("classes", [["a", "b", "c"], [-1.0, 2.0, 7.0], [3, 10, 20]])
def test_predictions_are_those_of_the_student(blobs, student, classes):
    X, labels = blobs
    y = np.array(classes)[np.searchsorted(["a", "b", "c"], labels)]
    model = tree_model(student=student).fit(X, y)
    proba = model.predict_proba(X)
    assert proba.dtype == model.predict_logits(X).dtype == np.float32
    np.testing.assert_allclose(
        proba, model.student_.predict_proba(X), rtol=1e-5, atol=1e-7
    )
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), proba, rtol=1e-5)
    assert model.predict(X).dtype == y.dtype
    assert model.score(X, y) > 0.9
    assert model.student_.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("package", "name", "params"),
    [
        ("lightgbm", "LGBMClassifier", {"n_estimators": 5, "verbose": -1}),
        ("xgboost", "XGBClassifier", {"n_estimators": 5}),
    ],
)
def test_boosters_of_other_packages(blobs, package, name, params):
    student = getattr(pytest.importorskip(package), name)(n_jobs=1, **params)
    X, y = blobs
    model = tree_model(student=student).fit(X, y)
    assert model.score(X, y) > 0.9
    np.testing.assert_allclose(
        model.predict_proba(X), model.student_.predict_proba(X), rtol=1e-5
    )
    assert len(model.student_.feature_importances_) == X.shape[1]


def test_the_student_is_there_to_look_at(blobs):
    X, y = blobs
    frame = pd.DataFrame(X, columns=list("pqrs"))
    model = tree_model().fit(frame, y)
    assert model.student_.feature_importances_.sum() == pytest.approx(1)
    rules = export_text(
        model.student_,
        feature_names=list(model.feature_names_in_),
        class_names=list(model.classes_),
    )
    assert "class: b" in rules
    assert not hasattr(model, "n_iter_")
    assert not hasattr(model, "loss_curve_")


def test_a_network_before_leaves_nothing_behind(binary):
    model = tree_model(student=small_net()).fit(*binary)
    assert model.n_iter_ == 4
    model.set_params(student=DecisionTreeClassifier()).fit(*binary)
    assert not hasattr(model, "n_iter_")
    assert not hasattr(model, "loss_curve_")


def test_pickle_and_clone(blobs):
    X, y = blobs
    model = tree_model().fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


# --- What it does not touch ---------------------------------------------------------


def test_seeds_come_from_random_state_and_nothing_is_changed(blobs):
    X, y = blobs
    student = DecisionTreeClassifier(max_features=1, max_depth=2)
    before, states = student.get_params(), global_random_states()
    trees = [
        export_text(tree_model(student=student, random_state=seed).fit(X, y).student_)
        for seed in (0, 0, 1, 2, None)
    ]
    assert trees[0] == trees[1]
    assert len(set(trees)) > 1
    assert student.get_params() == before
    assert not hasattr(student, "tree_")
    assert global_random_states() == states


def test_a_seed_of_the_students_own_stays(blobs):
    student = DecisionTreeClassifier(random_state=7)
    assert tree_model(student=student).fit(*blobs).student_.random_state == 7


def test_memory_keeps_the_teacher_whatever_the_student(binary, tmp_path):
    teacher = CountedTeacher(log=str(tmp_path / "log"), random_state=0)
    memory = str(tmp_path / "memory")
    for student in (DecisionTreeClassifier(), linear_student(), small_net()):
        tree_model(teacher, student=student, memory=memory).fit(*binary)
    assert teacher.n_fits() == 1


# --- With scikit-learn's tools ------------------------------------------------------


def test_searches_and_pipelines(blobs):
    X, y = blobs
    model = make_pipeline(StandardScaler(), tree_model())
    assert cross_val_score(model, X, y, cv=3).mean() > 0.8
    grid = {
        "distilledclassifier__alpha": [0.0, 1.0],
        "distilledclassifier__student__max_depth": [1, 3],
    }
    search = GridSearchCV(model, grid, cv=3).fit(X, y)
    assert search.best_params_["distilledclassifier__student__max_depth"] == 3


@pytest.mark.parametrize("routing", [False, True])
def test_weights_reach_the_last_step_of_a_pipeline(binary, routing):
    X, y = binary
    weight = np.random.default_rng(0).random(len(y))
    student = linear_student()
    with sklearn.config_context(enable_metadata_routing=routing):
        teacher = LogisticRegression()
        if routing:
            teacher.set_fit_request(sample_weight=True)
        model = tree_model(teacher, student, alpha=0.0)
        model.fit(X, y, sample_weight=weight)
        tree_model(teacher, student).fit(X, y, sample_weight=weight)
    weight /= weight.mean()  # only ratios count
    plain = linear_student().fit(X, y, logisticregression__sample_weight=weight)
    np.testing.assert_allclose(
        model.predict_proba(X), plain.predict_proba(X), atol=1e-3
    )


def test_routing_keeps_what_the_user_has_decided(binary):
    X, y = binary
    weight = np.where(X[:, 0] > 0, 100.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        student = make_pipeline(scaler, LogisticRegression())
        model = tree_model(student=student, alpha=0.0)
        mean = model.fit(X, y, sample_weight=weight).student_[0].mean_[0]
    assert mean == pytest.approx(np.average(X[:, 0], weights=weight), rel=1e-4)


def test_one_bar_for_a_teacher_of_networks_and_the_student(binary, capfd):
    tree_model(small_teacher(), verbose=1).fit(*binary)
    last = capfd.readouterr().err.strip().split("\r")[-1]
    assert last.startswith("student: 100%")
    assert "11/11" in last  # two networks of five epochs


# --- What is refused ----------------------------------------------------------------


class Unfittable(DummyClassifier):
    def fit(self, X, y):
        raise AssertionError("the teacher was fitted")


@pytest.mark.parametrize(
    ("student", "message"),
    [
        (LinearRegression(), "'predict_proba' or None. Got LinearRegression"),
        (SGDClassifier(), "'predict_proba' or None. Got SGDClassifier"),
        (SVC(), "'predict_proba' or None. Got SVC"),
        (KNeighborsClassifier(), "takes sample_weight.* Got KNeighborsClassifier"),
        (
            make_pipeline(StandardScaler(), GaussianProcessClassifier()),
            "takes sample_weight.* Got GaussianProcessClassifier",
        ),
        (DecisionTreeClassifier, r"not a class. .* write DecisionTreeClassifier\(\)"),
        (FrozenEstimator(LogisticRegression()), "to be fitted. Got FrozenEst"),
        (GridSearchCV(LogisticRegression(), {"C": [1.0]}), "takes sample_weight"),
        (
            LogisticRegressionCV(),
            "not cross-validate .*CV with cv=",
        ),
        (CalibratedClassifierCV(LogisticRegression()), "not cross-validate"),
        (
            HistGradientBoostingClassifier(early_stopping=True),
            "hold out rows .* with early_stopping=True",
        ),
        (
            make_pipeline(
                StandardScaler(), SGDClassifier(loss="log_loss", early_stopping=True)
            ),
            "hold out rows .* SGDClassifier with early_stopping=True",
        ),
        (
            BaggingClassifier(SGDClassifier(loss="log_loss", early_stopping=True)),
            "hold out rows .* SGDClassifier with early_stopping=True",
        ),
        (
            BaggingClassifier(GradientBoostingClassifier(n_iter_no_change=3)),
            "hold out rows .* GradientBoostingClassifier with n_iter_no_change=3",
        ),
        (AdaBoostClassifier(LogisticRegressionCV()), "RegressionCV with cv="),
        (GradientBoostingClassifier(n_iter_no_change=3), "with n_iter_no_change=3"),
    ],
)
def test_a_student_that_cannot_learn_is_refused_before_the_teacher(
    binary, student, message
):
    model = tree_model(Unfittable(), student)
    with pytest.raises(ValueError, match=f"The 'student' parameter .*{message}"):
        model.fit(*binary)


def test_svms_that_cross_validate_are_refused(binary):
    # scikit-learn is about to remove the parameter.
    student = SVC()
    if "probability" not in student.get_params():
        pytest.skip("nothing to refuse")
    model = tree_model(Unfittable(), student.set_params(probability=True))
    with pytest.raises(ValueError, match="hold out rows .* SVC with probability=True"):
        model.fit(*binary)


def test_no_booster_holds_out_rows_by_itself():
    X, y = make_classification(10_100, n_features=4, random_state=0)
    student = HistGradientBoostingClassifier(max_iter=2, random_state=0)
    alone = clone(student).fit(X, y)
    assert alone.do_early_stopping_
    model = tree_model(DecisionTreeClassifier(), student).fit(X, y)
    assert not model.student_.do_early_stopping_
    assert student.early_stopping == "auto"


@pytest.mark.parametrize(
    "params", [{"hidden_layer_sizes": (3,)}, {"lr": 0.1}, {"device": "auto"}]
)
def test_parameters_of_networks_are_refused(binary, params):
    (name,) = params
    with pytest.raises(ValueError, match=f"The '{name}' parameter .* 'student' is giv"):
        tree_model(Unfittable(), **params).fit(*binary)


def test_a_temperature_that_would_do_nothing_is_refused(binary):
    with pytest.raises(ValueError, match="'temperature' parameter must be 1, .*=5.0"):
        tree_model(Unfittable(), temperature=5.0).fit(*binary)
    at_one = tree_model(temperature=1.0).fit(*binary).student_
    by_default = tree_model().fit(*binary).student_
    assert export_text(at_one) == export_text(by_default)


def test_blend_is_refused(binary):
    model = tree_model(Unfittable(), calibrate=True, blend=True)
    with pytest.raises(ValueError, match="'blend' parameter can be True only"):
        model.fit(*binary)
