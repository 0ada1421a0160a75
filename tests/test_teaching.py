"""How a teacher teaches: calibrated, blended with peers, or only of unseen rows."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from joblib import parallel_config
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.class_weight import compute_sample_weight

from skdistill import EnsembleTeacher
from skdistill._targets.out_of_fold import fitted_weights
from tests.nets import (
    CountedTeacher,
    small_distilled,
    small_net,
    small_search,
    small_teacher,
)

HALF = np.arange(80) < 40


def calibrating(teacher, **params):
    return small_distilled(teacher, **{"calibrate": "auto", **params})


@pytest.fixture
def teacher(tmp_path):
    return CountedTeacher(tmp_path / "log.txt")


@pytest.fixture
def n_ensembles(monkeypatch):
    """A list that grows by one whenever an EnsembleTeacher is fitted."""
    fitted, fit = [], EnsembleTeacher.fit

    def counted(self, X, y, sample_weight=None):
        fitted.append(self)
        return fit(self, X, y, sample_weight)

    monkeypatch.setattr(EnsembleTeacher, "fit", counted)
    return fitted


@pytest.fixture
def noisy():
    """400 rows of 8 features to train on, 2000 to test; a third of the labels lie."""
    X, y = make_classification(
        2400, n_features=8, n_informative=4, flip_y=0.6, random_state=0
    )
    X = X.astype(np.float32)
    return X[:400], y[:400], X[400:], y[400:]


# --- Who is calibrated ----------------------------------------------------------------


def test_a_teacher_is_fitted_five_times_more(binary, teacher, n_ensembles):
    model = calibrating(teacher).fit(*binary)
    assert teacher.n_fits() == 1 + 5
    assert len(n_ensembles) == 1
    assert model.teacher_temperature_ != 1.0
    assert model.peer_weight_ > 0


def test_a_forest_is_calibrated(noisy):
    X, y, _, _ = noisy
    forest = RandomForestClassifier(n_estimators=30)
    model = calibrating(forest, blend=False, max_epochs=1).fit(X, y)
    assert model.teacher_temperature_ > 1.5
    assert model.peer_weight_ == 0.0


def test_the_student_learns_the_logits_over_the_temperature(binary):
    X, y = binary
    teacher = LogisticRegression(C=1e4)
    params = {"hidden_layer_sizes": (64,), "max_epochs": 500, "batch_size": 80}
    model = calibrating(teacher, blend=False, alpha=1.0, weight_decay=0.0, **params)
    model.fit(X, y)
    assert model.teacher_temperature_ > 1.2
    logits = np.log(model.teacher_.predict_proba(X)) / model.teacher_temperature_
    np.testing.assert_allclose(
        model.predict_proba(X), softmax(logits, axis=1), atol=0.02
    )


def test_without_calibration_the_student_is_as_sure_as_its_teacher(noisy):
    X, y, _, _ = noisy
    forest = RandomForestClassifier(n_estimators=30)
    params = {"blend": False, "alpha": 1.0, "max_epochs": 40}
    sure, honest = (
        calibrating(forest, calibrate=calibrate, **params).fit(X, y)
        for calibrate in (False, True)
    )
    assert (sure.teacher_temperature_, sure.peer_weight_) == (1.0, 0.0)
    confidence = [model.predict_proba(X).max(axis=1).mean() for model in (sure, honest)]
    assert confidence[0] > confidence[1] + 0.05


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda one: CalibratedClassifierCV(one, cv=2),
        lambda one: make_pipeline(StandardScaler(), CalibratedClassifierCV(one, cv=2)),
        lambda one: GridSearchCV(
            make_pipeline(CalibratedClassifierCV(one, cv=2)), {}, cv=2
        ),
    ],
    ids=["alone", "pipeline", "search"],
)
def test_who_is_calibrated_is_left_alone(binary, teacher, n_ensembles, wrapped):
    calibrated = wrapped(teacher)
    clone(calibrated).fit(*binary)
    n_fits = teacher.n_fits()
    model = calibrating(calibrated, calibrate=True).fit(*binary)
    assert teacher.n_fits() == 2 * n_fits
    assert n_ensembles == []
    assert (model.teacher_temperature_, model.peer_weight_) == (1.0, 0.0)


def test_what_is_frozen_is_left_alone(binary, teacher, n_ensembles):
    model = calibrating(FrozenEstimator(teacher.fit(*binary))).fit(*binary)
    assert teacher.n_fits() == 1
    assert n_ensembles == []
    assert (model.teacher_temperature_, model.peer_weight_) == (1.0, 0.0)


def test_an_ensemble_calibrates_itself(binary, n_ensembles):
    model = calibrating(small_teacher(calibrate="auto"), blend=False).fit(*binary)
    assert n_ensembles == [model.teacher_]
    assert model.teacher_.temperature_ != 1.0
    assert (model.teacher_temperature_, model.peer_weight_) == (1.0, 0.0)


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_an_ensemble_is_blended_by_what_it_left_out(binary, n_ensembles, in_pipeline):
    X, y = binary
    teacher = small_teacher(calibrate="auto")
    if in_pipeline:
        teacher = make_pipeline(StandardScaler(), teacher)
    model = calibrating(teacher).fit(X, y)
    ensemble, peers = n_ensembles
    of_both = fitted_weights([ensemble.oof_logits_, peers.oof_logits_], y)
    found = 1 / model.teacher_temperature_, model.peer_weight_
    assert found == pytest.approx(tuple(of_both))


def test_an_ensemble_of_other_rows_is_taken_as_it_is(binary, n_ensembles):
    """As one behind a step that draws rows, in a Pipeline that allows for it."""

    class OfHalf(EnsembleTeacher):
        def fit(self, X, y, sample_weight=None):
            return super().fit(X[::2], y[::2])

    teacher = OfHalf(**small_teacher(calibrate="auto").get_params())
    model = calibrating(teacher).fit(*binary)
    assert len(n_ensembles) == 1
    assert (model.teacher_temperature_, model.peer_weight_) == (1.0, 0.0)


def test_an_ensemble_that_does_not_is_calibrated(binary, n_ensembles):
    model = calibrating(small_teacher(n_estimators=1)).fit(*binary)
    assert len(n_ensembles) == 1 + 5 + 1
    assert model.teacher_temperature_ != 1.0


def test_the_baseline_asks_nobody(binary, teacher, n_ensembles):
    model = calibrating(teacher, alpha=0.0, target_cv=2).fit(*binary)
    assert teacher.n_fits() == 0
    assert n_ensembles == []
    assert (model.teacher_temperature_, model.peer_weight_) == (1.0, 0.0)


def test_soft_targets_are_taken_as_they_are(binary, teacher, n_ensembles):
    X, y = binary
    model = calibrating(teacher).fit(X, y, soft_targets=np.full((80, 2), 0.5))
    assert teacher.n_fits() == 0
    assert n_ensembles == []
    assert (model.teacher_temperature_, model.peer_weight_) == (1.0, 0.0)


# --- What cannot be -------------------------------------------------------------------


@pytest.fixture
def frozen(binary):
    return FrozenEstimator(LogisticRegression().fit(*binary))


@pytest.mark.parametrize("yes", [True, np.True_], ids=["python", "numpy"])
@pytest.mark.parametrize("make", [small_distilled, small_search])
def test_what_is_frozen_cannot_be_calibrated(binary, frozen, make, yes, no_training):
    with pytest.raises(ValueError, match="'calibrate' .* True with a FrozenEstimator"):
        make(frozen, calibrate=yes).fit(*binary)


@pytest.mark.parametrize("make", [small_distilled, small_search])
def test_what_is_frozen_has_no_target_cv(binary, frozen, make, no_training):
    with pytest.raises(ValueError, match="'target_cv' .* None with a FrozenEstimator"):
        make(frozen, target_cv=2).fit(*binary)


@pytest.mark.parametrize(
    "params", [{"calibrate": True}, {"calibrate": True, "blend": True}]
)
def test_soft_targets_cannot_be_calibrated(binary, params, no_training):
    model = small_distilled(**params)
    with pytest.raises(ValueError, match="'calibrate' .* True with soft_targets"):
        model.fit(*binary, soft_targets=np.full((80, 2), 0.5))


def test_soft_targets_have_no_target_cv(binary, no_training):
    model = small_distilled(target_cv=2)
    with pytest.raises(ValueError, match="'target_cv' .* None with soft_targets"):
        model.fit(*binary, soft_targets=np.full((80, 2), 0.5))


def test_what_is_frozen_and_calibrated_may_say_so(binary):
    ensemble = small_teacher(calibrate=True, random_state=0).fit(*binary)
    small_distilled(FrozenEstimator(ensemble), calibrate=True).fit(*binary)


@pytest.mark.parametrize("make", [small_distilled, small_search])
@pytest.mark.parametrize(
    "params",
    [
        {"calibrate": False},
        {"teacher": None, "calibrate": False},
        {"teacher": CalibratedClassifierCV(LogisticRegression())},
    ],
    ids=["uncalibrated", "ensemble", "calibrated"],
)
def test_peers_that_cannot_be_are_refused(binary, make, params, no_training):
    model = make(LogisticRegression(), blend=True, calibrate="auto")
    with pytest.raises(ValueError, match="'blend' parameter can be True only where"):
        model.set_params(**params).fit(*binary)


def test_peers_of_what_is_frozen_or_given_are_refused(binary, frozen, no_training):
    for yes in (True, np.True_):
        with pytest.raises(ValueError, match="'blend' parameter can be True only"):
            calibrating(frozen, blend=yes).fit(*binary)
    proba = np.full((80, 2), 0.5)
    with pytest.raises(ValueError, match="'blend' parameter can be True only where"):
        calibrating(None, blend=True).fit(*binary, soft_targets=proba)


def test_a_student_of_the_users_has_no_peers(binary, n_ensembles, no_training):
    settings = {"student": small_net(), "hidden_layer_sizes": (64, 32), "lr": 3e-3}
    settings |= {"max_epochs": "auto", "lr_schedule": "cosine", "batch_size": "auto"}
    model = calibrating(LogisticRegression(), weight_decay="auto", **settings)
    with pytest.raises(ValueError, match="'blend' parameter can be True only where"):
        model.set_params(blend=True).fit(*binary)
    with pytest.raises(AssertionError, match="training has started"):
        model.set_params(blend="auto").fit(*binary)
    assert n_ensembles == []


@pytest.mark.parametrize("name", ["calibrate", "blend"])
@pytest.mark.parametrize("make", [small_distilled, small_search])
def test_bad_values_are_named(binary, make, name, no_training):
    with pytest.raises(ValueError, match=f"'{name}' parameter of .* Got 'always'"):
        make(**{name: "always"}).fit(*binary)


# --- Peers ----------------------------------------------------------------------------


class RandomAnswers(ClassifierMixin, BaseEstimator):
    """A teacher that is sure of what it makes up."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.random.default_rng(len(X)).dirichlet([0.1, 0.1], size=len(X))


def test_peers_overrule_a_teacher_that_knows_nothing(noisy):
    X, y, X_test, y_test = noisy
    params = {"alpha": 1.0, "max_epochs": 40, "hidden_layer_sizes": (32,)}
    model = calibrating(RandomAnswers(), **params).fit(X, y)
    assert 1 / model.teacher_temperature_ < 0.2 * model.peer_weight_
    baseline = clone(model).set_params(alpha=0.0).fit(X, y)
    losses = [log_loss(y_test, one.predict_proba(X_test)) for one in (model, baseline)]
    assert losses[0] < losses[1] + 0.01


def test_peers_have_no_say_beside_a_teacher_that_knows_better():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 10)).astype(np.float32)
    chance = softmax(np.c_[X[:, 0] * 0, X.sum(axis=1)], axis=1)[:, 1]
    y = (rng.random(300) < chance).astype(int)
    model = calibrating(LogisticRegression(), max_epochs=20, lr=0.05).fit(X, y)
    assert 1 / model.teacher_temperature_ > 5 * model.peer_weight_


def test_peers_are_like_the_student(binary, n_ensembles):
    calibrating(LogisticRegression(), max_epochs=3).fit(*binary)
    (peers,) = n_ensembles
    assert (peers.hidden_layer_sizes, peers.max_epochs) == ((8,), 3)
    assert (peers.lr, peers.batch_size, peers.weight_decay) == (0.01, 16, 1e-4)
    assert peers.dropout == 0
    assert len(peers.estimators_) == 6


def test_peers_can_be_done_without(binary, n_ensembles):
    model = calibrating(LogisticRegression(), blend=False).fit(*binary)
    assert n_ensembles == []
    assert model.teacher_temperature_ != 1.0
    assert model.peer_weight_ == 0.0


# --- Weights --------------------------------------------------------------------------


@pytest.mark.parametrize("blend", [False, True])
def test_rows_of_weight_0_change_nothing(binary, blend):
    X, y = binary
    weight = np.ones(80)
    weight[::4] = 0
    kept = weight > 0
    model = calibrating(LogisticRegression(), blend=blend, batch_size=1000)
    weighted = clone(model).fit(X, y, sample_weight=weight)
    without = model.fit(X[kept], y[kept])
    for name in ("teacher_temperature_", "peer_weight_"):
        found, expected = getattr(weighted, name), getattr(without, name)
        assert found == pytest.approx(expected, rel=0.01)
    np.testing.assert_allclose(
        weighted.predict_proba(X), without.predict_proba(X), atol=1e-3
    )


def test_rows_of_weight_0_have_no_say_about_the_weights_of_target_cv(binary):
    """Networks that nobody was without are nobody's judges: their logits were NaN."""
    X, y = binary
    weight = np.ones(80)
    weight[::4] = 0
    kept = weight > 0
    fold = np.arange(80) % 3
    model = calibrating(LogisticRegression(), target_cv=PredefinedSplit(fold))
    weighted = clone(model).fit(X, y, sample_weight=weight)
    without = model.set_params(target_cv=PredefinedSplit(fold[kept]))
    without.fit(X[kept], y[kept])
    for name in ("teacher_temperature_", "peer_weight_"):
        found, expected = getattr(weighted, name), getattr(without, name)
        assert found == pytest.approx(expected, rel=0.01)


def test_weights_count_in_the_temperature(binary):
    X, y = binary
    teacher = KNeighborsClassifier(5)
    model = calibrating(teacher, blend=False, max_epochs=1)
    plain = model.fit(X, y).teacher_temperature_
    right = model.teacher_.predict(X) == y
    weight = np.where(right, 5.0, 1.0)
    with pytest.warns(UserWarning, match="names no sample_weight"):
        model.fit(X, y, sample_weight=weight)
    assert model.teacher_temperature_ < 0.9 * plain


def with_boosters(name, **params):
    package = {"LGBM": "lightgbm", "XGB": "xgboost", "CatBoost": "catboost"}[name]
    module = pytest.importorskip(package, reason=f"{package} is not installed")
    return getattr(module, f"{name}Classifier")(**params)


BALANCED = LogisticRegression(class_weight="balanced")


@pytest.mark.parametrize(
    ("make", "weighs"),
    [
        (lambda: BALANCED, "class_weight='balanced'"),
        (lambda: LogisticRegression(class_weight={0: 2}), r"class_weight=\{0: 2\}"),
        (lambda: make_pipeline(StandardScaler(), BALANCED), "class_weight='balanced'"),
        (lambda: GridSearchCV(BALANCED, {}, cv=2), "class_weight='balanced'"),
        (
            lambda: VotingClassifier([("one", BALANCED)], voting="soft"),
            "one__class_weight='balanced'",
        ),
        (lambda: with_boosters("XGB", scale_pos_weight=9), "scale_pos_weight=9"),
        (lambda: with_boosters("LGBM", is_unbalance=True), "is_unbalance=True"),
        (
            lambda: with_boosters("CatBoost", auto_class_weights="Balanced"),
            "auto_class_weights='Balanced'",
        ),
    ],
    ids=["balanced", "dict", "pipeline", "search", "voting", "xgb", "lgbm", "catboost"],
)
def test_a_teacher_that_weighs_classes_is_warned_of(binary, no_training, make, weighs):
    model = small_distilled(make(), target_cv=None)
    with (
        pytest.warns(UserWarning, match=rf"\({weighs}\), the labels' term of its"),
        pytest.raises(AssertionError, match="training has started"),
    ):
        model.fit(*binary)


@pytest.mark.parametrize(
    ("params", "weighs"),
    [
        ({"alpha": 0.5, "calibrate": True}, "the labels' term and the calibration of"),
        ({"alpha": 1.0, "calibrate": True}, "the calibration of its student does not"),
        ({"alpha": 1.0, "calibrate": False}, None),
        ({"alpha": 0.0, "calibrate": False}, None),
    ],
)
def test_who_does_not_weigh_classes_is_named(binary, params, weighs):
    model = small_distilled(BALANCED, max_epochs=1, **params)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        model.fit(*binary)
    about = [str(one.message) for one in caught if "weighs classes" in str(one.message)]
    assert len(about) == (weighs is not None)
    assert weighs is None or weighs in about[0]


@pytest.mark.parametrize(
    "teacher",
    [
        LogisticRegression(class_weight=None),
        CalibratedClassifierCV(BALANCED, cv=2),
        StackingClassifier([("one", BALANCED)], cv=2),
    ],
    ids=["none", "calibrated", "stacked"],
)
def test_others_are_not(binary, teacher):
    X, y = binary
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        small_distilled(teacher, max_epochs=1).fit(X, y)
        weight = compute_sample_weight("balanced", y)
        small_distilled(BALANCED, max_epochs=1).fit(X, y, sample_weight=weight)


def test_weights_of_rows_balance_the_student():
    """By its own class weights, a teacher hardly moves what else learns from labels."""
    X, y = make_classification(
        900, n_features=5, n_redundant=0, weights=[0.9], class_sep=0.7, random_state=0
    )
    X = X.astype(np.float32)
    params = {"calibrate": "auto", "target_cv": "auto", "max_epochs": 30}
    said = []
    for weight in (None, compute_sample_weight("balanced", y)):
        model = small_distilled(LogisticRegression(), **params)
        said.append(model.fit(X, y, sample_weight=weight).predict_proba(X)[:, 1].mean())
    with pytest.warns(UserWarning, match="weighs classes"):
        model = small_distilled(BALANCED, **params).fit(X, y)
    halfway = model.predict_proba(X)[:, 1].mean()
    balanced = LogisticRegression(class_weight="balanced").fit(X, y)
    assert said[1] == pytest.approx(balanced.predict_proba(X)[:, 1].mean(), abs=0.08)
    assert halfway < (said[0] + said[1]) / 2


# --- Unseen rows only -----------------------------------------------------------------


def test_a_teacher_that_memorises_teaches_better_of_unseen_rows(noisy):
    X, y, X_test, y_test = noisy
    teacher = KNeighborsClassifier(15, weights="distance")
    params = {"hidden_layer_sizes": (64,), "max_epochs": 100, "alpha": 1.0}
    losses = [
        log_loss(
            y_test,
            small_distilled(teacher, target_cv=target_cv, **params)
            .fit(X, y)
            .predict_proba(X_test),
        )
        for target_cv in (None, 5)
    ]
    assert losses[1] < 0.8 * losses[0]


def test_the_student_learns_what_is_said_of_unseen_rows(binary):
    X, y = binary
    order = np.random.default_rng(0).permutation(80)
    halves = [(order[:40], order[40:]), (order[40:], order[:40])]
    params = {"hidden_layer_sizes": (64,), "max_epochs": 500, "batch_size": 80}
    teacher = LogisticRegression(C=0.1)
    model = small_distilled(teacher, alpha=1.0, weight_decay=0.0, **params)
    model.set_params(target_cv=halves).fit(X, y)
    expected = np.empty((80, 2))
    for train, test in halves:
        fitted = clone(teacher).fit(X[train], y[train])
        expected[test] = fitted.predict_proba(X[test])
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=0.03)


@pytest.mark.parametrize(
    "teacher",
    [
        RandomForestClassifier(n_estimators=20),
        small_teacher(calibrate="auto", max_epochs=40),
        make_pipeline(StandardScaler(), small_teacher(calibrate=True, max_epochs=40)),
    ],
)
def test_it_learns_out_of_fold_where_labels_are_noise(noisy, blobs, teacher):
    model = calibrating(teacher, target_cv="auto", blend=False)
    X, y, _, _ = noisy
    assert model.fit(X, y).out_of_fold_
    assert not model.set_params(target_cv=None).fit(X, y).out_of_fold_
    # A forest has it right of nearly every row that it was fitted on.
    assert not model.set_params(target_cv="auto").fit(*blobs).out_of_fold_


@pytest.mark.parametrize(
    "teacher", [LogisticRegression(), small_teacher(max_epochs=40)]
)
def test_the_students_decay_grows_with_noise(noisy, blobs, teacher):
    def decay(X, y, **params):
        model = calibrating(teacher, weight_decay="auto", **params)
        if isinstance(teacher, EnsembleTeacher):
            model.set_params(teacher__calibrate="auto")
        return model.fit(X, y).student_.optimizer__weight_decay * len(y)

    X, y, _, _ = noisy
    assert decay(X, y) > 1.5
    assert 0.7 < decay(*blobs) < 1.42
    # Without a teacher, nobody knows.
    assert 0.7 < decay(X, y, alpha=0.0) < 1.42


def test_rows_of_weight_0_do_not_make_labels_noise(noisy, blobs):
    X, y = blobs
    lies = np.roll(y, 7)
    model = calibrating(LogisticRegression(), target_cv="auto")
    both, labels = np.r_[X, X], np.r_[y, lies]
    assert model.fit(both, labels).out_of_fold_
    assert not model.fit(
        both, labels, sample_weight=np.r_[y != "", y == ""]
    ).out_of_fold_


@pytest.mark.parametrize("teacher", [EnsembleTeacher(calibrate=False), None])
def test_without_out_of_fold_logits_there_is_no_choice(noisy, teacher):
    X, y, _, _ = noisy
    fitted = small_teacher(calibrate="auto", random_state=0).fit(X, y)
    given = FrozenEstimator(fitted) if teacher is None else small_teacher()
    model = calibrating(given, target_cv="auto", calibrate=False)
    assert not model.fit(X, y).out_of_fold_


def test_its_folds_serve_calibration_too(binary, teacher, n_ensembles):
    model = calibrating(teacher, target_cv=3).fit(*binary)
    assert teacher.n_fits() == 1 + 3
    assert len(n_ensembles) == 1
    assert model.teacher_temperature_ != 1.0
    assert model.peer_weight_ > 0


def test_a_calibrated_teacher_may_have_a_target_cv(binary, n_ensembles):
    model = calibrating(small_teacher(calibrate="auto"), target_cv=2).fit(*binary)
    assert len(n_ensembles) == 1 + 2 + 1
    assert model.peer_weight_ > 0


@pytest.mark.parametrize(
    ("target_cv", "n_folds"),
    [
        (4, 4),
        (KFold(3, shuffle=True, random_state=0), 3),
        (PredefinedSplit(np.arange(80) % 6), 6),
        ([(range(40), range(40, 80)), (range(40, 80), range(40))], 2),
        ([(HALF, ~HALF), (~HALF, HALF)], 2),
    ],
    ids=["int", "kfold", "predefined", "rows", "masks"],
)
def test_folds_of_any_kind(binary, teacher, target_cv, n_folds):
    small_distilled(teacher, target_cv=target_cv).fit(*binary)
    assert teacher.n_fits() == 1 + n_folds


@pytest.mark.parametrize(
    "target_cv",
    [
        ShuffleSplit(3, random_state=0),
        PredefinedSplit(np.arange(80) % 3 - 1),
        [(range(40), range(40, 80))],
        [(range(40), range(80)), (range(40, 80), range(40))],
    ],
    ids=["shuffle", "predefined", "half", "twice"],
)
def test_folds_that_are_no_partition_are_refused(
    binary, teacher, target_cv, no_training
):
    with pytest.raises(ValueError, match="'target_cv' .* every row once.* with row"):
        calibrating(teacher, target_cv=target_cv).fit(*binary)
    assert teacher.n_fits() == 0


@pytest.mark.parametrize("make", [small_distilled, small_search])
@pytest.mark.parametrize("kind", ["iterator", "generator"])
def test_folds_that_can_be_read_once_are_refused(binary, make, kind, no_training):
    X, y = binary
    folds = KFold(2).split(X)
    model = make(LogisticRegression())
    model.target_cv = iter(list(folds)) if kind == "iterator" else folds
    with pytest.raises(ValueError, match=f"'target_cv' .* Got a .*{kind}, which is"):
        model.fit(X, y)


def test_folds_drawn_from_a_random_state_are_the_same_in_every_fit(binary):
    X, y = binary
    rng = np.random.RandomState(0)
    before = rng.get_state()[1].copy()
    target_cv = KFold(3, shuffle=True, random_state=rng)
    model = small_distilled(KNeighborsClassifier(3), target_cv=target_cv)
    first, second = (model.fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(rng.get_state()[1], before)
    assert rng.get_state()[2] == np.random.RandomState(0).get_state()[2]
    other = model.set_params(target_cv=KFold(3, shuffle=True, random_state=1))
    assert (other.fit(X, y).predict_proba(X) != first).any()


# --- Rare classes ---------------------------------------------------------------------


@pytest.mark.parametrize("target_cv", [None, KFold(4)])
def test_classes_of_a_single_row_survive(blobs, target_cv):
    X, y = blobs
    y = np.where(y == "c", "b", y)
    y[7] = "s"
    model = calibrating(LogisticRegression(), target_cv=target_cv).fit(X, y)
    assert model.classes_.tolist() == ["a", "b", "s"]
    assert model.teacher_.classes_.tolist() == ["a", "b", "s"]
    assert np.isfinite(model.predict_proba(X)).all()
    assert np.isfinite([model.teacher_temperature_, model.peer_weight_]).all()


def test_a_single_row_of_each_class_will_do(binary):
    X, _ = binary
    model = calibrating(LogisticRegression()).fit(X[:3], ["a", "b", "c"])
    assert (model.teacher_temperature_, model.peer_weight_) == (1.0, 0.0)
    assert model.predict_proba(X).shape == (80, 3)


# --- At home --------------------------------------------------------------------------


def test_the_only_row_of_a_class_does_not_spoil_noise(binary):
    X, _ = binary
    y = np.random.default_rng(0).integers(2, size=len(X))
    y[0] = 2
    model = calibrating(RandomForestClassifier(n_estimators=5), target_cv="auto")
    assert model.fit(X, y).out_of_fold_
    assert np.isfinite(model.loss_curve_).all()


def test_what_is_frozen_in_a_pipeline_is_left_alone_too(binary):
    X, y = binary
    frozen = FrozenEstimator(RandomForestClassifier(random_state=0).fit(X, y))
    teacher = make_pipeline(StandardScaler(), frozen)
    assert calibrating(teacher).fit(X, y).teacher_temperature_ == 1
    with pytest.raises(ValueError, match="'target_cv' .* a FrozenEstimator"):
        calibrating(teacher, target_cv=3).fit(X, y)


def test_a_teacher_that_needs_all_rows_is_told_what_to_do(binary):
    model = calibrating(KNeighborsClassifier(70))
    with pytest.raises(ValueError, match="with the 64 of 80 rows .* calibrate=False"):
        model.fit(*binary)
    model.set_params(calibrate=False).fit(*binary)


def test_what_fails_on_all_rows_is_no_fault_of_a_fold(binary):
    X, y = binary
    with pytest.raises(ValueError, match="'n_estimators' .* Got -1") as caught:
        calibrating(RandomForestClassifier(n_estimators=-1)).fit(X, y)
    assert type(caught.value) is InvalidParameterError
    table = pd.DataFrame(X).assign(text=["u", "v"] * 40).rename(columns=str)
    message = r"gets the rows as they are: could not convert .*TablePreprocessor\(\)"
    with pytest.raises(ValueError, match=message):
        calibrating(RandomForestClassifier(), preprocessor="auto").fit(table, y)


@pytest.mark.parametrize("make", [small_distilled, small_search])
def test_a_class_is_no_teacher(binary, make):
    with pytest.raises(ValueError, match=r"'teacher' .* write LogisticRegression\(\)"):
        make(LogisticRegression).fit(*binary)


def test_a_student_is_no_calibrated_teacher(binary):
    teacher = small_distilled(LogisticRegression(), calibrate=True)
    assert calibrating(teacher).fit(*binary).teacher_temperature_ != 1


def test_jobs_do_not_change_the_result(binary):
    X, y = binary
    model = calibrating(RandomForestClassifier(n_estimators=5))
    for target_cv in (None, 3):
        model.set_params(target_cv=target_cv)
        alone = clone(model).fit(X, y)
        spread = clone(model).set_params(n_jobs=2).fit(X, y)
        assert spread.teacher_temperature_ == alone.teacher_temperature_
        assert spread.peer_weight_ == alone.peer_weight_
        np.testing.assert_array_equal(spread.predict_proba(X), alone.predict_proba(X))


class OnlyWithAssumeFinite(LogisticRegression):
    """A teacher that is fitted in one configuration of scikit-learn only."""

    def fit(self, X, y):
        if not sklearn.get_config()["assume_finite"]:
            raise ValueError("fitted with another configuration")
        return super().fit(X, y)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_jobs_have_the_configuration_of_scikit_learn(binary, n_jobs):
    model = small_distilled(OnlyWithAssumeFinite(), target_cv=2, n_jobs=n_jobs)
    # A thread has its own, which is the default one to begin with.
    with parallel_config("threading"):
        with sklearn.config_context(assume_finite=True):
            model.fit(*binary)
        with pytest.raises(ValueError, match="fitted with another configuration"):
            model.fit(*binary)


def test_an_integer_seed_decides_all(binary):
    X, y = binary
    model = calibrating(RandomForestClassifier(n_estimators=5))
    first, same = (clone(model).fit(X, y) for _ in range(2))
    other = clone(model).set_params(random_state=1).fit(X, y)
    assert first.teacher_temperature_ == same.teacher_temperature_
    assert first.peer_weight_ == same.peer_weight_ != other.peer_weight_
    np.testing.assert_array_equal(first.predict_proba(X), same.predict_proba(X))


def test_metadata_are_cut_for_the_further_teachers(binary):
    X, y = binary
    seen = []

    class Noting(LogisticRegression):
        def fit(self, X, y, sample_weight=None, tags=None):
            seen.append((len(y), sample_weight, tags))
            return super().fit(X, y, sample_weight)

    weight, tags = np.linspace(1, 2, 80), np.arange(80)
    model = calibrating(Noting(), blend=False, max_epochs=1)
    model.fit(X, y, sample_weight=weight, tags=tags)
    assert [n_rows for n_rows, _, _ in seen] == [64] * 5 + [80]
    left_out = []
    for n_rows, weights, rows in seen:
        assert len(rows) == n_rows
        np.testing.assert_array_equal(weights, weight[rows])
        left_out += np.setdiff1d(tags, rows).tolist()
    assert sorted(left_out) == tags.tolist()


def test_what_was_learned_is_pickled(binary):
    X, y = binary
    model = calibrating(LogisticRegression()).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.teacher_temperature_ == model.teacher_temperature_
    assert loaded.peer_weight_ == model.peer_weight_
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_a_refit_forgets_what_was_learned(binary):
    model = calibrating(LogisticRegression()).fit(*binary)
    model.set_params(calibrate=False).fit(*binary)
    assert (model.teacher_temperature_, model.peer_weight_) == (1.0, 0.0)
