"""DistilledClassifierCV: GridSearchCV's results at another price."""

import functools
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.metrics import get_scorer, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EarlyStopping, GradientNormClipping
from skorch.dataset import ValidSplit

from skdistill import (
    DistilledClassifier,
    DistilledClassifierCV,
    EnsembleTeacher,
    MixupTransfer,
    MungeTransfer,
    SwapTransfer,
    one_standard_error,
)
from skdistill._training.batches import ShuffledBatches
from skdistill._training.budget import STEPS
from skdistill._training.many_nets import train_replicas
from tests.nets import (
    CountedTeacher,
    small_distilled,
    small_net,
    small_search,
    small_teacher,
)

PAIRS = [(1.0, 0.0), (4.0, 0.0), (1.0, 0.8), (4.0, 0.8)]


def grid_search(model, **params):
    """The plain search that `model` stands for."""
    names = DistilledClassifier().get_params(deep=False)
    shared = {k: v for k, v in model.get_params(deep=False).items() if k in names}
    defaults = {
        "cv": model.cv,
        "scoring": model.scoring,
        "refit": model.refit,
    }
    return GridSearchCV(
        DistilledClassifier(**shared),
        {"temperature": model.temperatures, "alpha": model.alphas},
        **{**defaults, **params},
    )


def assert_same_results(model, plain, tolerance=1e-4):
    of_students = {"mean_student_bytes", "row_time"}
    assert model.cv_results_.keys() == plain.cv_results_.keys() | of_students
    assert model.cv_results_["params"] == plain.cv_results_["params"]
    for key, expected in plain.cv_results_.items():
        if "score" in key and "time" not in key and "rank" not in key:
            np.testing.assert_allclose(
                model.cv_results_[key], expected, atol=tolerance, err_msg=key
            )
        if key.startswith("param_"):
            assert model.cv_results_[key].tolist() == expected.tolist()
            assert isinstance(model.cv_results_[key], np.ma.MaskedArray)


# --- The results are GridSearchCV's ---------------------------------------------------


@pytest.mark.parametrize(
    "teacher",
    [
        small_teacher(),
        small_teacher(averaging="proba", random_state=3),
        RandomForestClassifier(n_estimators=5),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=["ensemble", "proba", "forest", "pipeline"],
)
def test_scores_and_choice_are_those_of_grid_search(blobs, teacher):
    X, y = blobs
    weight = np.linspace(0, 2, len(y))
    model = small_search(teacher, scoring="neg_log_loss")
    plain = grid_search(model).fit(X, y, sample_weight=weight)
    model.fit(X, y, sample_weight=weight)
    assert_same_results(model, plain)
    assert model.best_params_ == plain.best_params_
    assert model.best_index_ == plain.best_index_
    assert model.best_score_ == pytest.approx(plain.best_score_, abs=1e-4)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert model.temperature_ == plain.best_params_["temperature"]
    assert model.alpha_ == plain.best_params_["alpha"]
    assert model.n_splits_ == 3


@pytest.mark.parametrize(
    ("teacher", "params"),
    [
        (small_teacher(), {}),
        (small_teacher(), {"n_jobs": 2, "transfer": SwapTransfer(n_rows=0.3)}),
        (RandomForestClassifier(n_estimators=5), {"calibrate": "auto"}),
        (LogisticRegression(), {"target_cv": 2, "transfer": MungeTransfer()}),
        (LogisticRegression(), {"random_state": np.random.RandomState(0)}),
        (LogisticRegression(), {"max_epochs": "auto", "weight_decay": "auto"}),
    ],
    ids=["stacked", "jobs", "blended", "out of fold", "state", "auto"],
)
def test_further_rows_are_those_of_grid_search(binary, monkeypatch, teacher, params):
    monkeypatch.setitem(STEPS, "student", 40)
    X, y = binary
    X, weight = pd.DataFrame(X, columns=list("abcdef")), np.linspace(0, 2, len(y))
    params = {"transfer": MixupTransfer(n_rows=2), "transfer_share": 0.7, **params}
    model = small_search(teacher, scoring="neg_log_loss", **params)
    plain = grid_search(clone(model)).fit(X, y, sample_weight=weight)
    model.fit(X, y, sample_weight=weight)
    assert_same_results(model, plain)
    assert model.best_index_ == plain.best_index_
    assert model.student_.classes_.tolist() == [0, 1]


def test_further_rows_change_what_is_learned_from_a_teacher_alone(binary):
    # So that the test above compares more than the same students without them.
    scores = [
        small_search(transfer=transfer, scoring="neg_log_loss")
        .fit(*binary)
        .cv_results_["mean_test_score"]
        for transfer in (None, MixupTransfer())
    ]
    assert (scores[0] == scores[1]).tolist() == [True, True, False, False]


def test_multimetric_search(binary):
    scoring = {"loss": "neg_log_loss", "right": "accuracy", "own": own_score}
    model = small_search(scoring=scoring, refit="loss").fit(*binary)
    plain = grid_search(model).fit(*binary)
    assert_same_results(model, plain)
    assert model.multimetric_
    assert model.best_params_ == plain.best_params_
    assert model.score(*binary) == pytest.approx(plain.score(*binary), abs=1e-4)
    assert set(model.scorer_) == set(scoring)


def own_score(estimator, X, y):
    return estimator.predict_proba(X)[np.arange(len(y)), y].mean()


@pytest.mark.parametrize(
    "cv",
    [
        StratifiedKFold(2, shuffle=True, random_state=1),
        ShuffleSplit(2, test_size=0.3, random_state=0),
        RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0),
        PredefinedSplit(np.arange(80) % 3 - 1),
        [(np.arange(50), np.arange(50, 80)), (np.arange(30, 80), np.arange(30))],
        [(np.arange(80) < 40, np.arange(40, 80))],
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_folds_of_any_kind(binary, cv):
    model = small_search(cv=cv).fit(*binary)
    plain = grid_search(model).fit(*binary)
    assert_same_results(model, plain, tolerance=0.02)


@pytest.mark.parametrize("cv", [GroupKFold(3), LeaveOneGroupOut()])
def test_groups_stay_together(binary, cv):
    X, y = binary
    groups = np.arange(len(y)) % 4
    model = small_search(cv=cv).fit(X, y, groups=groups)
    plain = grid_search(model).fit(X, y, groups=groups)
    assert_same_results(model, plain, tolerance=0.02)
    with pytest.raises(ValueError, match="groups"):
        small_search(cv=cv).fit(X, y)


def test_folds_that_lack_a_class_are_trained_apart(blobs):
    X, y = blobs
    groups = np.where(y == "a", 0, np.arange(len(y)) % 2 + 1)
    model = small_search(cv=LeaveOneGroupOut()).fit(X, y, groups=groups)
    plain = grid_search(model).fit(X, y, groups=groups)
    assert_same_results(model, plain, tolerance=0.02)
    with pytest.raises(ValueError, match="at least 2 classes in the training rows"):
        small_search(cv=LeaveOneGroupOut()).fit(X, y, groups=y != "a")


def test_a_table_with_names_and_text_labels(blobs):
    X, y = blobs
    frame = pd.DataFrame(X, columns=list("wxyz"))
    model = small_search(RandomForestClassifier(n_estimators=5)).fit(frame, y)
    assert model.feature_names_in_.tolist() == list("wxyz")
    assert model.teacher_.feature_names_in_.tolist() == list("wxyz")
    assert_same_results(model, grid_search(model).fit(frame, y), tolerance=0.02)
    assert set(model.predict(frame)) <= set(y)


def test_candidates_are_like_fits_of_their_own(binary):
    """What a scorer sees is a whole DistilledClassifier."""
    seen = []

    def look(estimator, X, y):
        seen.append(estimator)
        return 1.0

    model = small_search(scoring=look).fit(*binary)
    assert len(seen) == 4 * 3
    for estimator in seen:
        assert isinstance(estimator, DistilledClassifier)
        assert (estimator.max_epochs, estimator.teacher) == (5, model.teacher)
        assert estimator.n_iter_ == len(estimator.loss_curve_) == 5
        assert (estimator.teacher_ is None) == (estimator.alpha == 0)
        assert estimator.classes_.tolist() == [0, 1]
    assert type(model.best_estimator_) is DistilledClassifier


# --- Calibrated, blended and out of fold ----------------------------------------------

AUTO = {"calibrate": "auto", "scoring": "neg_log_loss"}


@pytest.mark.parametrize(
    ("teacher", "params"),
    [
        (LogisticRegression(), {}),
        (LogisticRegression(), {"blend": False}),
        (LogisticRegression(), {"target_cv": 3}),
        (LogisticRegression(), {"target_cv": 3, "calibrate": False}),
        (RandomForestClassifier(n_estimators=5), {}),
        (small_teacher(calibrate="auto"), {}),
        (small_teacher(calibrate="auto", averaging="proba"), {"target_cv": 2}),
        (small_teacher(calibrate=False), {}),
        (LogisticRegression(), {"target_cv": "auto"}),
        (small_teacher(calibrate="auto"), {"target_cv": "auto"}),
    ],
    ids=[
        "blended",
        "calibrated",
        "unseen",
        "unseen only",
        "forest",
        "ensemble",
        "unseen ensemble",
        "plain ensemble",
        "auto",
        "auto ensemble",
    ],
)
def test_teaching_is_that_of_grid_search(blobs, teacher, params):
    X, y = blobs
    if params.get("target_cv") == "auto":
        y = np.roll(y, 7)  # so that it learns out of fold
    is_forest = isinstance(teacher, RandomForestClassifier)
    weight = None if is_forest else np.linspace(0, 2, len(y))
    model = small_search(teacher, **{**AUTO, "cv": 2, **params})
    plain = grid_search(model).fit(X, y, sample_weight=weight)
    model.fit(X, y, sample_weight=weight)
    assert_same_results(model, plain)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    for name in (
        "teacher_temperature_",
        "peer_weight_",
        "out_of_fold_",
        "teacher_score_",
    ):
        found = getattr(model.best_estimator_, name)
        assert found == getattr(plain.best_estimator_, name)


@pytest.mark.parametrize("teacher", [LogisticRegression(), small_teacher()])
def test_jobs_do_not_change_how_is_taught(binary, teacher):
    model = small_search(teacher, **AUTO, target_cv=2)
    alone, spread = (
        clone(model).set_params(n_jobs=n_jobs).fit(*binary) for n_jobs in (1, 2)
    )
    assert_same_results(alone, spread, tolerance=1e-6)
    assert_same_results(spread, grid_search(model).fit(*binary))


def test_batches_may_be_larger_than_the_table(binary):
    """Dropout is drawn for a batch, whether a fold is in a stack or alone."""
    teacher = small_teacher(batch_size=256, dropout=0.5)
    model = small_search(teacher, scoring="neg_log_loss").fit(*binary)
    assert_same_results(model, grid_search(model).fit(*binary), tolerance=1e-6)


def test_further_teachers_are_fitted_once_per_fold(binary, tmp_path):
    teacher = CountedTeacher(tmp_path / "log.txt")
    model = small_search(teacher, refit=False, **AUTO).fit(*binary)
    assert teacher.n_fits() == 3 * (1 + 5)
    assert model.engine_ == {"teachers": "joblib", "students": "vectorized"}


@pytest.mark.parametrize(
    "teacher",
    [LogisticRegression(), small_teacher(max_epochs="auto", calibrate="auto")],
    ids=["linear", "ensemble"],
)
def test_a_budget_is_that_of_the_fold(binary, monkeypatch, teacher):
    """Folds of other sizes are trained for other numbers of epochs."""
    monkeypatch.setattr("skdistill._training.budget.MIN_EPOCHS", 1)
    for role in STEPS:
        monkeypatch.setitem(STEPS, role, 12)
    rows, seen = np.arange(80), []

    def look(estimator, X, y):
        decay = estimator.student_.optimizer__weight_decay
        seen.append((estimator.alpha, estimator.n_iter_, decay))
        return get_scorer("neg_log_loss")(estimator, X, y)

    model = small_search(teacher, **{**AUTO, "scoring": look})
    model.set_params(max_epochs="auto", weight_decay="auto")
    model.set_params(cv=[(rows[n:], rows[:n]) for n in (60, 32, 31)])
    assert_same_results(model.fit(*binary), grid_search(model).fit(*binary))
    # Of 2, 3 and 4 batches; a teacher also tells of noise, which changes the decay.
    of_labels = {(n, decay) for alpha, n, decay in seen if alpha == 0}
    assert of_labels == {(6, 1 / 16), (4, 1 / 64), (3, 1 / 64)}
    assert {n for _, n, _ in seen} == {6, 4, 3}


def test_folds_that_lack_a_class_are_taught_apart(blobs):
    X, y = blobs
    groups = np.where(y == "a", 0, np.arange(len(y)) % 2 + 1)
    model = small_search(LogisticRegression(), cv=LeaveOneGroupOut(), calibrate="auto")
    plain = grid_search(model).fit(X, y, groups=groups)
    assert_same_results(model.fit(X, y, groups=groups), plain)


@pytest.mark.parametrize("of_teacher", [True, False])
def test_random_states_start_anew_for_further_teachers(binary, of_teacher):
    state = np.random.RandomState(7)
    model = small_search(RandomForestClassifier(n_estimators=5), **AUTO)
    model.set_params(
        **{"teacher__random_state" if of_teacher else "random_state": state}
    )
    plain = grid_search(model).fit(*binary)
    assert_same_results(model.fit(*binary), plain)


# --- At the price of a few fits -------------------------------------------------------


def test_without_teacher_a_student_is_trained_once_for_all_temperatures(
    binary, monkeypatch
):
    trained = []

    def recorded(net, X, y, replicas, **params):
        trained.extend((replica.temperature, replica.alpha) for replica in replicas)
        return train_replicas(net, X, y, replicas, **params)

    monkeypatch.setattr("skdistill._search_stacks.train_replicas", recorded)
    model = small_search(scoring="neg_log_loss").fit(*binary)
    assert trained == [(1.0, 0.0), (1.0, 0.8), (4.0, 0.8)] * 3
    scores = model.cv_results_["mean_test_score"]
    assert scores[0] == scores[1]
    assert len(set(scores)) == 3


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_teacher_is_fitted_once_per_fold(binary, tmp_path, n_jobs):
    teacher = CountedTeacher(tmp_path / "log.txt")
    model = small_search(teacher, n_jobs=n_jobs).fit(*binary)
    assert teacher.n_fits() == 3 + (model.alpha_ > 0)
    assert model.engine_ == {"teachers": "joblib", "students": "vectorized"}


@pytest.mark.parametrize(
    ("params", "engine"),
    [
        ({}, {"teachers": "vectorized", "students": "vectorized"}),
        ({"alphas": [0.0]}, {"teachers": None, "students": "vectorized"}),
        (
            {"teacher": small_teacher(engine="joblib")},
            {"teachers": "joblib", "students": "vectorized"},
        ),
        (
            {"teacher": EnsembleTeacher(small_net(), n_estimators=2)},
            {"teachers": "vectorized", "students": "vectorized"},
        ),
    ],
)
def test_engine_says_how_it_was_done(binary, params, engine):
    model = small_search(**params).fit(*binary)
    assert model.engine_ == engine
    assert_same_results(model, grid_search(model).fit(*binary), tolerance=0.02)


def test_a_student_that_cannot_be_stacked_is_trained_alone(binary, tmp_path):
    net = small_net(callbacks=[GradientNormClipping(1.0)])
    teacher = CountedTeacher(tmp_path / "log.txt")
    model = DistilledClassifierCV(
        teacher, student=net, alphas=[0.5, 1.0], temperatures=[2.0], cv=2
    )
    model.set_params(random_state=0, scoring="neg_log_loss").fit(*binary)
    assert model.engine_ == {"teachers": "joblib", "students": "joblib"}
    assert teacher.n_fits() == 3 * (1 + 5)
    assert_same_results(model, grid_search(model).fit(*binary))


def test_students_that_stop_early_are_stacked(binary):
    stop = EarlyStopping(patience=1, threshold=0.05)
    net = small_net(
        callbacks=[stop], train_split=ValidSplit(3), iterator_train=ShuffledBatches
    )
    model = DistilledClassifierCV(
        LogisticRegression(), student=net, alphas=[0.5, 1.0], temperatures=[2.0], cv=2
    )
    model.set_params(random_state=0, scoring="neg_log_loss").fit(*binary)
    assert model.engine_ == {"teachers": "joblib", "students": "vectorized"}
    assert_same_results(model, grid_search(model).fit(*binary))


def test_fit_time_is_an_equal_share(binary):
    model = small_search().fit(*binary)
    times = model.cv_results_["mean_fit_time"]
    assert (times == times[0]).all()
    assert times[0] > 0
    assert not model.cv_results_["std_fit_time"].any()
    assert model.refit_time_ > 0


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_jobs_do_not_change_the_result(binary, n_jobs):
    model = small_search(scoring="neg_log_loss", n_jobs=n_jobs).fit(*binary)
    expected = small_search(scoring="neg_log_loss").fit(*binary)
    np.testing.assert_allclose(
        model.cv_results_["mean_test_score"],
        expected.cv_results_["mean_test_score"],
        atol=1e-6,
    )


def test_noise_cross_validates_at_chance(tmp_path):
    """No teacher of a fold has seen its test rows, in the search or inside it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 10)).astype(np.float32)
    y = rng.integers(2, size=400)
    teacher = RandomForestClassifier(n_estimators=30)
    model = small_search(teacher, alphas=[0.5, 1.0], max_epochs=20).fit(X, y)
    plain = grid_search(model, refit=False)
    plain.estimator.set_params(memory=tmp_path)
    plain.fit(X, y)
    for results in (model.cv_results_, plain.cv_results_):
        # Two standard errors of 400 tosses.
        assert (np.abs(results["mean_test_score"] - 0.5) < 0.05).all()


# --- Choosing -------------------------------------------------------------------------


def test_refit_by_one_standard_error(binary):
    model = small_search(refit=one_standard_error, scoring="neg_log_loss").fit(*binary)
    assert model.best_index_ == one_standard_error(model.cv_results_)
    assert not hasattr(model, "best_score_")
    assert model.best_estimator_.alpha == model.alpha_
    plain = grid_search(model).fit(*binary)
    assert plain.best_params_ == model.best_params_


def results(means, deviations, params, metric="score"):
    means, deviations = np.array(means), np.array(deviations)
    return {
        "params": params,
        **{f"split{i}_test_{metric}": means for i in range(5)},
        f"mean_test_{metric}": means,
        f"std_test_{metric}": deviations,
        "split0_test_other": means,
    }


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ([0.9, 0.5, 0.5, 0.5], 0),
        # The error is 0.04 / sqrt(4) = 0.02.
        ([0.5, 0.5, 0.89, 0.9], 2),
        ([0.5, 0.5, 0.87, 0.9], 3),
        ([0.89, 0.9, 0.9, 0.9], 0),
        ([0.87, 0.9, 0.89, 0.91], 1),
        ([np.nan, 0.5, 0.9, 0.6], 2),
    ],
)
def test_the_simplest_within_one_standard_error(means, expected):
    params = [{"alpha": a, "temperature": t} for a in (0.3, 0.9) for t in (1.0, 4.0)]
    cv_results = results(means, [0.04] * 4, params)
    assert one_standard_error(cv_results) == expected
    in_pipeline = [{f"a__b__{k}": v for k, v in p.items()} for p in params]
    cv_results = results(means, [0.04] * 4, in_pipeline, "loss")
    by_loss = functools.partial(one_standard_error, metric="loss")
    assert by_loss(cv_results) == expected


def choice(params, **more):
    """What is chosen where all candidates have the same score."""
    same = results([0.9] * len(params), [0.0] * len(params), params)
    return one_standard_error({**same, **more})


def test_the_alpha_is_that_of_the_temperature():
    """The first that is called alpha may be the weight decay of an MLP."""
    own = [("a__b__temperature", t) for t in (1.0, 4.0)]
    params = [
        {"a__mlp__alpha": decay, "a__b__alpha": alpha, **dict([temperature])}
        for decay, alpha in ((0.1, 0.9), (0.2, 0.3))
        for temperature in own
    ]
    assert choice(params) == 2
    without = [{k: v for k, v in p.items() if k != "a__b__alpha"} for p in params]
    assert choice(without[1:]) == 1
    only_alphas = [{"b__alpha": 0.9}, {"b__alpha": 0.3}]
    assert choice(only_alphas) == 1
    with_teachers = [
        {"b__alpha": 0.9, "b__teacher__alpha": 0.1, "b__teacher__mlp__alpha": 0.1},
        {"b__alpha": 0.3, "b__teacher__alpha": 0.2, "b__teacher__mlp__alpha": 0.2},
    ]
    assert choice(with_teachers) == 1
    assert choice([{"lr": 0.1}, {"lr": 0.2}]) == 0
    side_by_side = [{"b__alpha": 0.9, "c__mlp__alpha": 0.1}]
    with pytest.raises(ValueError, match="several: \\['b__alpha', 'c__mlp__alpha'\\]"):
        choice(side_by_side)
    two = [{**p, "c__temperature": 1.0, "c__alpha": 0.5} for p in params]
    named = "\\['a__b__alpha', 'a__b__temperature', 'c__alpha', 'c__temperature'\\]"
    with pytest.raises(ValueError, match=f"of one model.* of several: {named}"):
        choice(two)


def test_only_the_last_round_of_a_halving_search_counts():
    params = [{"alpha": alpha} for alpha in (0.3, 0.9, 0.5)]
    assert choice(params, iter=np.array([0, 1, 1])) == 2


def test_without_scores_the_choice_is_the_simplest():
    params = [{"alpha": alpha} for alpha in (0.9, 0.3)]
    assert choice(params, mean_test_score=np.full(2, np.nan)) == 1


def test_without_refit_there_is_no_prediction(binary):
    model = small_search(refit=False).fit(*binary)
    assert (model.temperature_, model.alpha_) in PAIRS
    assert not hasattr(model, "best_estimator_")
    with pytest.raises(AttributeError, match="refit=False and cannot predict"):
        model.predict(binary[0])


def predictions(model):
    names = ("predict", "predict_proba", "predict_log_proba", "predict_logits", "score")
    return {name for name in names if hasattr(model, name)}


def test_what_predicts_is_there_if_there_is_a_refit(binary):
    """As with GridSearchCV; a Pipeline asks with hasattr."""
    model = small_search(LogisticRegression(), max_epochs=1, refit=False)
    assert not predictions(model)
    pipe = make_pipeline(StandardScaler(), model)
    assert not hasattr(pipe.fit(*binary), "predict")
    # It is what fit has done that counts.
    assert not predictions(pipe[-1].set_params(refit=True))
    assert len(predictions(pipe[-1].fit(*binary))) == 5
    assert len(predictions(small_search())) == 5


def test_the_training_of_the_refit_can_be_read(binary):
    model = small_search(LogisticRegression()).fit(*binary)
    assert model.n_iter_ == 5
    assert model.loss_curve_ == model.best_estimator_.loss_curve_
    assert not hasattr(model.set_params(refit=False).fit(*binary), "n_iter_")


def test_score_is_by_the_scoring(binary):
    X, y = binary
    model = small_search(scoring="neg_log_loss").fit(X, y)
    assert model.score(X, y) < 0
    model.set_params(scoring=None).fit(X, y)
    right = model.predict(X) == y
    assert model.score(X, y) == right.mean()
    weight = np.where(right, 1.0, 3.0)
    assert model.score(X, y, sample_weight=weight) == pytest.approx(
        np.average(right, weights=weight)
    )


def test_a_refit_leaves_nothing_of_the_fit_before(binary):
    model = small_search().fit(*binary)
    model.set_params(refit=False).fit(*binary)
    assert not hasattr(model, "best_estimator_")
    assert not hasattr(model, "student_")
    model.set_params(cv=100)
    before = set(vars(model))
    with pytest.raises(ValueError, match="n_splits=100"):
        model.fit(*binary)
    assert set(vars(model)) == before


@pytest.mark.parametrize("scoring", [None, "accuracy"])
def test_the_candidates_are_not_kept(binary, scoring):
    model = small_search(LogisticRegression(), scoring=scoring).fit(*binary)
    size = len(pickle.dumps(model)) - len(pickle.dumps(model.best_estimator_))
    assert size < 6_000  # the table of results


@pytest.mark.parametrize("of_teacher", [True, False])
def test_random_states_start_anew_for_every_fold(binary, of_teacher):
    state = np.random.RandomState(7)
    model = small_search(scoring="neg_log_loss", alphas=[0.8])
    model.set_params(
        **{"teacher__random_state" if of_teacher else "random_state": state}
    )
    plain = grid_search(model).fit(*binary)
    model.fit(*binary)
    assert_same_results(model, plain)
    np.testing.assert_array_equal(
        model.predict_proba(binary[0]), plain.predict_proba(binary[0])
    )


def two_scores(estimator, X, y):
    right = (estimator.predict(X) == y).mean()
    return {"right": right, "wrong": 1 - right}


def test_score_by_one_of_several_metrics(binary):
    model = small_search(scoring=two_scores, refit="right").fit(*binary)
    assert model.score(*binary) == (model.predict(binary[0]) == binary[1]).mean()
    model.set_params(refit=one_index).fit(*binary)
    with pytest.raises(AttributeError, match="unless refit names one"):
        model.score(*binary)
    with pytest.raises(AttributeError, match="refit=False and cannot predict"):
        model.set_params(refit=False).fit(*binary).score(*binary)


def one_index(cv_results):
    return 1


# --- At home --------------------------------------------------------------------------


def test_in_a_pipeline_nested_in_a_cross_validation(binary):
    pipe = make_pipeline(StandardScaler(), small_search())
    assert cross_val_score(pipe, *binary, cv=2).mean() > 0.7
    weight = np.ones(80)
    pipe.fit(*binary, distilledclassifiercv__sample_weight=weight)
    loaded = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(loaded.predict(binary[0]), pipe.predict(binary[0]))


def test_metadata_routing(binary):
    import sklearn

    X, y = binary
    weight = np.linspace(0.1, 2, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        teacher = small_teacher().set_fit_request(sample_weight=True)
        model = small_search(teacher).fit(X, y, sample_weight=weight)
        pipe = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False),
            small_search(teacher, cv=GroupKFold(2)).set_fit_request(
                groups=True, sample_weight=True
            ),
        )
        pipe.fit(X, y, groups=np.arange(len(y)) % 4, sample_weight=weight)
    chosen = small_distilled(**model.best_params_).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(model.predict_proba(X), chosen.predict_proba(X))


def test_repeats_with_an_integer_seed(binary):
    first = small_search(scoring="neg_log_loss").fit(*binary)
    second = clone(first).fit(*binary)
    for key in ("mean_test_score", "split1_test_score"):
        np.testing.assert_array_equal(first.cv_results_[key], second.cv_results_[key])
    other = clone(first).set_params(random_state=None).fit(*binary)
    assert (
        other.cv_results_["mean_test_score"] != first.cv_results_["mean_test_score"]
    ).any()


def test_verbose_1_shows_one_bar(binary, capfd):
    model = small_search(verbose=1).fit(*binary)
    shown = capfd.readouterr().err
    # Three students and two teachers in three folds, and the refit.
    total = 5 * (3 + 2) * 3 + 5 * (1 + 2 * (model.alpha_ > 0))
    assert f"{total}/{total}" in shown
    assert shown.count("\n") == 1, shown
    small_search().fit(*binary)
    assert capfd.readouterr() == ("", "")


# --- Errors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"temperatures": []}, "'temperatures' .* at least one number. Got \\[\\]"),
        (
            {"temperatures": [1.0, 0.0]},
            "'temperatures' parameter of DistilledClassifierCV must .* Got 0.0",
        ),
        ({"temperatures": 3.0}, "'temperatures' parameter of DistilledClassifierCV"),
        (
            {"alphas": [0.5, 1.5]},
            "'alphas' parameter of DistilledClassifierCV must .* Got 1.5",
        ),
        ({"alphas": ["high"]}, "'alphas' .* Got \\['high'\\]"),
        ({"cv": 1}, "'cv' parameter of DistilledClassifierCV"),
        ({"cv": 100}, "n_splits=100"),
        ({"scoring": "speed"}, "'scoring' .* Got 'speed'"),
        ({"scoring": ["accuracy", "roc_auc"]}, "refit"),
        ({"teacher": Perceptron()}, "'teacher' .* 'predict_proba'"),
        ({"lr": -1}, "'lr' parameter of DistilledClassifierCV"),
        ({"transfer_share": 1.0}, "'transfer_share' .* Got 1.0"),
        ({"device": "tpu"}, "'device' parameter must be"),
        ({"n_jobs": "all"}, "'n_jobs'"),
        ({"error_score": "zero"}, "'error_score' .* Got 'zero'"),
        ({"student": small_net()}, "'hidden_layer_sizes' parameter"),
    ],
)
def test_bad_parameter_is_named_before_training(binary, params, message, no_training):
    with pytest.raises(ValueError, match=message):
        small_search(**params).fit(*binary)


def test_a_bad_teacher_of_the_folds_is_named(binary, no_training):
    with pytest.raises(ValueError, match="'dropout' parameter of EnsembleTeacher"):
        small_search(small_teacher(dropout=2.0)).fit(*binary)


def test_a_diverging_candidate_is_named(binary):
    model = small_search(lr=1e30)
    with pytest.raises(ValueError, match="student for temperature=1.0, alpha=0.0"):
        model.fit(*binary)
    assert not hasattr(model, "cv_results_")


@pytest.mark.parametrize("error_score", [np.nan, "raise"])
def test_an_error_in_training_is_raised_as_it_is(binary, tmp_path, error_score):
    """It is no candidate's own, and is not to be met again by each of them."""
    teacher = CountedTeacher(tmp_path / "log.txt", C=-1.0)
    model = small_search(teacher, error_score=error_score)
    with pytest.raises(ValueError, match="^The 'C' parameter of CountedTeacher"):
        model.fit(*binary)
    assert teacher.n_fits() == 1


@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_scorer_that_needs_what_is_not_there_says_so(binary):
    scorer = make_scorer(own_score, response_method="decision_function")
    with pytest.raises(AttributeError, match="decision_function"):
        small_search(scoring=scorer, error_score="raise").fit(*binary)
    with pytest.warns(UserWarning, match="(?s)Scoring failed.*decision_function"):
        model = small_search(scoring=scorer).fit(*binary)
    assert np.isnan(model.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("error_score", [np.nan, -9.0])
@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_a_fold_that_cannot_be_scored_gets_the_error_score(blobs, error_score):
    """A class that training never saw ended a search by log loss after its training."""
    X, y = blobs
    rows = np.arange(len(y))
    cv = [(rows[y != "a"], rows), (rows[::2], rows[1::2])]
    params = {"scoring": "neg_log_loss", "error_score": error_score}
    model = small_search(LogisticRegression(), cv=cv, **params)
    plain = grid_search(model, error_score=error_score)
    with pytest.warns(UserWarning, match="Scoring failed"):
        plain.fit(X, y)
    with pytest.warns(UserWarning, match="Scoring failed"):
        model.fit(X, y)
    assert_same_results(model, plain)
    np.testing.assert_array_equal(model.cv_results_["split0_test_score"], error_score)
    assert np.isfinite(model.cv_results_["split1_test_score"]).all()
    assert model.predict(X).shape == (90,)
    with pytest.raises(ValueError, match="y_true"):
        model.set_params(error_score="raise").fit(X, y)


def test_a_teacher_that_predicts_the_prior_is_no_problem(binary):
    model = small_search(DummyClassifier()).fit(*binary)
    plain = grid_search(model).fit(*binary)
    assert_same_results(model, plain, tolerance=0.02)


def test_distilled_and_search_share_their_parameters():
    shared = small_distilled().get_params(deep=False).keys()
    own = {"temperatures", "alphas", "param_grid", "cv", "scoring", "refit"}
    assert DistilledClassifierCV().get_params(deep=False).keys() == (
        shared - {"temperature", "alpha"} | own | {"n_jobs", "error_score"}
    )
