"""`memory`: a teacher is fitted once for what it depends on, and never wrong."""

import functools
import inspect
import pickle
import subprocess
import sys
import warnings
from collections import OrderedDict

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import Memory, Parallel, delayed
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from torch import nn

from skdistill import EnsembleTeacher
from skdistill._targets import cache
from skdistill._targets.cache import content_key
from tests.nets import CountedTeacher, small_distilled, small_net

GRID = {"temperature": [1.0, 3.0, 5.0], "alpha": [0.3, 1.0]}


@pytest.fixture
def teacher(tmp_path):
    return CountedTeacher(tmp_path / "log.txt")


@pytest.fixture
def model(tmp_path, teacher):
    return small_distilled(teacher, memory=tmp_path / "memory", max_epochs=1)


# --- How often a teacher is fitted ----------------------------------------------------


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_grid_fits_the_teacher_once_per_fold_and_never_again(
    binary, model, teacher, n_jobs
):
    search = GridSearchCV(model, GRID, cv=5, n_jobs=n_jobs).fit(*binary)
    n_fits = teacher.n_fits()
    # And the refit. What one of two workers is about to keep, the other may fit, too.
    assert n_fits == 6 or (n_jobs == 2 and n_fits == 7)
    again = GridSearchCV(model, GRID, cv=5, n_jobs=n_jobs).fit(*binary)
    assert teacher.n_fits() == n_fits
    plain = GridSearchCV(clone(model).set_params(memory=None), GRID, cv=5).fit(*binary)
    assert teacher.n_fits() == n_fits + 31
    for result in (search, again):
        np.testing.assert_array_equal(
            result.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
        )
        np.testing.assert_array_equal(
            result.predict_proba(binary[0]), plain.predict_proba(binary[0])
        )


def test_other_searches_find_the_same_folds(binary, model, teacher):
    folds = StratifiedKFold(3)
    RandomizedSearchCV(model, GRID, n_iter=4, cv=folds, random_state=0).fit(*binary)
    assert teacher.n_fits() == 4
    GridSearchCV(model, GRID, cv=folds).fit(*binary)
    assert teacher.n_fits() == 4
    HalvingGridSearchCV(
        model, {"alpha": [0.5, 1.0]}, cv=folds, min_resources=60, factor=2
    ).fit(*binary)
    # A fold of 60 rows is new; the 80 rows of the last round and the refit are not.
    assert teacher.n_fits() <= 4 + 2 * 3


def test_further_teachers_and_peers_are_kept_too(binary, model, teacher, monkeypatch):
    model.set_params(calibrate="auto", target_cv=3)
    first = clone(model).fit(*binary)
    assert teacher.n_fits() == 1 + 3
    monkeypatch.setattr(EnsembleTeacher, "fit", None)  # by which peers are fitted
    again = clone(model).set_params(n_jobs=1).fit(*binary)
    assert teacher.n_fits() == 1 + 3
    assert again.teacher_temperature_ == first.teacher_temperature_
    assert again.peer_weight_ == first.peer_weight_
    np.testing.assert_array_equal(
        again.predict_proba(binary[0]), first.predict_proba(binary[0])
    )
    clone(model).set_params(temperature=7.0, alpha=1.0).fit(*binary)
    clone(model).set_params(hidden_layer_sizes=(3,), blend=False).fit(*binary)
    assert teacher.n_fits() == 1 + 3


@pytest.mark.parametrize(
    "params", [{"target_cv": 4}, {"target_cv": None}, {"random_state": 1}]
)
def test_other_folds_are_in_the_key(binary, model, teacher, params):
    model.set_params(calibrate="auto", target_cv=3).fit(*binary)
    n_fits = teacher.n_fits()
    again = model.set_params(**params).fit(*binary)
    assert teacher.n_fits() > n_fits
    plain = clone(again).set_params(memory=None).fit(*binary)
    assert again.teacher_temperature_ == plain.teacher_temperature_


@pytest.mark.parametrize(
    "params", [{"hidden_layer_sizes": (3,)}, {"lr": 0.1}, {"max_epochs": 2}]
)
def test_peers_depend_on_the_student_and_the_teacher_does_not(
    binary, model, teacher, params
):
    model.set_params(calibrate="auto").fit(*binary)
    again = clone(model).set_params(**params).fit(*binary)
    assert teacher.n_fits() == 1 + 5
    plain = clone(again).set_params(memory=None).fit(*binary)
    assert again.peer_weight_ == plain.peer_weight_


def test_another_process_finds_it(binary, model, teacher, tmp_path):
    fitted = model.fit(*binary)
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps((clone(model), *binary, fitted)))
    code = f"""if True:
        import pickle
        from pathlib import Path
        model, X, y, fitted = pickle.loads(Path({str(path)!r}).read_bytes())
        assert (model.fit(X, y).predict_proba(X) == fitted.predict_proba(X)).all()
    """
    subprocess.run([sys.executable, "-c", code], check=True)
    assert teacher.n_fits() == 1


def test_a_source_is_read_again_if_another_thread_has_disturbed_it(monkeypatch):
    """Python 3.11 does not always parse in two threads at once."""
    tries, getsource = [], inspect.getsource

    def disturbed(value):
        tries.append(value)
        if len(tries) in (1, 2, 5):
            raise SystemError("AST constructor recursion depth mismatch")
        return getsource(value)

    key = content_key(KNeighborsClassifier())
    monkeypatch.setattr(inspect, "getsource", disturbed)
    cache._source.cache_clear()
    assert content_key(KNeighborsClassifier()) == key
    assert tries[0] == tries[1] == tries[2] == KNeighborsClassifier


def test_processes_that_need_it_at_once_all_get_it(binary, model):
    fits = Parallel(n_jobs=2)(delayed(clone(model).fit)(*binary) for _ in range(6))
    expected = model.set_params(memory=None).fit(*binary).predict_proba(binary[0])
    for fitted in fits:
        np.testing.assert_array_equal(fitted.predict_proba(binary[0]), expected)


@pytest.mark.parametrize(
    "params",
    [
        {"temperature": 7.0},
        {"alpha": 0.1},
        {"lr": 0.1, "max_epochs": 2, "hidden_layer_sizes": (3,)},
        {"teacher__n_jobs": 1, "teacher__verbose": 0, "verbose": 0},
    ],
)
def test_what_the_teacher_does_not_depend_on_is_not_in_the_key(
    binary, model, teacher, params
):
    model.fit(*binary)
    model.set_params(**params).fit(*binary)
    assert teacher.n_fits() == 1


def other_value(X, y):
    X = X.copy()
    X[0, 0] += 1
    return X, y


@pytest.mark.parametrize(
    ("params", "data", "weighted"),
    [
        ({"teacher__C": 2.0}, None, False),
        ({"random_state": 1}, None, False),
        ({}, other_value, False),
        ({}, lambda X, y: (X, np.roll(y, 1)), False),
        ({}, lambda X, y: (X, y + 1), False),
        ({}, None, True),
    ],
)
def test_what_the_teacher_depends_on_is_in_the_key(
    binary, model, teacher, params, data, weighted
):
    X, y = binary
    model.fit(X, y)
    X, y = data(X, y) if data else (X, y)
    weight = np.arange(1.0, len(y) + 1) if weighted else None
    model.set_params(**params).fit(X, y, sample_weight=weight)
    assert teacher.n_fits() == 2


def test_another_version_is_another_key(binary, model, teacher, monkeypatch):
    model.fit(*binary)
    monkeypatch.setattr("skdistill._targets.teacher.VERSIONS", ("another",))
    model.fit(*binary)
    assert teacher.n_fits() == 2


def test_without_a_teacher_to_fit_nothing_is_kept(binary, model, tmp_path):
    X, y = binary
    model.set_params(alpha=0.0).fit(X, y)
    model.set_params(alpha=0.5).fit(X, y, soft_targets=np.full((len(y), 2), 0.5))
    frozen = FrozenEstimator(LogisticRegression().fit(X, y))
    model.set_params(teacher=frozen).fit(X, y)
    assert not (tmp_path / "memory").exists()


def test_tables_with_strings_are_found(tmp_path, teacher):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"number": rng.normal(size=60), "word": rng.choice(["a", "b", "c"], size=60)}
    )
    X["word"] = X["word"].astype(object)
    y = np.where(X["number"] > 0, "yes", "no")
    encoder = make_column_transformer(
        (OneHotEncoder(), ["word"]), remainder="passthrough"
    )
    model = make_pipeline(
        FunctionTransformer(as_categories),
        small_distilled(
            make_pipeline(encoder, teacher), memory=tmp_path / "memory", max_epochs=1
        ),
    )
    grid = {"distilledclassifier__alpha": [0.5, 1.0]}
    for _ in range(2):
        GridSearchCV(model, grid, cv=2).fit(X, y)
    assert teacher.n_fits() == 3


def as_categories(X):
    return X.assign(word=X["word"].map({"a": 1, "b": 2, "c": 3}))


def test_ensembles_and_forests_come_back_as_they_were(binary, tmp_path):
    for teacher in (
        EnsembleTeacher(n_estimators=2, max_epochs=2),
        RandomForestClassifier(n_estimators=5),
    ):
        model = small_distilled(teacher, memory=tmp_path)
        first = model.fit(*binary)
        proba, of_teacher = (
            first.predict_proba(binary[0]),
            first.teacher_.predict_proba(binary[0]),
        )
        second = clone(model).fit(*binary)
        np.testing.assert_array_equal(second.predict_proba(binary[0]), proba)
        np.testing.assert_array_equal(
            second.teacher_.predict_proba(binary[0]), of_teacher
        )
        assert second.teacher_ is not first.teacher_


# --- Keys -----------------------------------------------------------------------------


def net_with(weight):
    return EnsembleTeacher(
        small_net(criterion__weight=torch.tensor(weight)), random_state=0
    )


def test_equal_tensors_have_equal_keys():
    assert content_key(net_with([1.0, 2.0])) == content_key(net_with([1.0, 2.0]))
    assert content_key(net_with([1.0, 2.0])) != content_key(net_with([1.0, 3.0]))
    doubles = torch.ones(2, dtype=torch.float64)
    assert content_key(doubles) != content_key(torch.ones(2))
    assert content_key(torch.ones(2, 1)) != content_key(torch.ones(1, 2))
    bfloat = torch.ones(2, dtype=torch.bfloat16)
    assert content_key(bfloat) == content_key(bfloat.clone())


def test_modules_count_with_their_weights():
    first, same, other = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)
    same.load_state_dict(first.state_dict())
    assert content_key(first) == content_key(same) != content_key(other)
    assert content_key(nn.Dropout(0.1)) != content_key(nn.Dropout(0.2))


def test_frozen_weights_and_the_order_of_modules_count():
    free, frozen = nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False)
    frozen.load_state_dict(free.state_dict())
    assert content_key(free) != content_key(frozen)
    parts = {"a": nn.Tanh(), "b": nn.Linear(2, 2)}
    orders = [
        nn.Sequential(OrderedDict(items))
        for items in (parts.items(), reversed(parts.items()))
    ]
    assert content_key(orders[0]) != content_key(orders[1])


def test_categories_count_with_their_order():
    keys = {
        content_key(pd.DataFrame({"a": pd.Categorical([1, 2], categories, ordered)}))
        for categories in ([1, 2], [2, 1], [1, 2, 3])
        for ordered in (False, True)
    }
    assert len(keys) == 6


def test_a_parameter_that_is_only_called_memory_counts():
    class Remembering(LogisticRegression):
        def __init__(self, memory=None):
            super().__init__()
            self.memory = memory

    assert content_key(Remembering(1)) != content_key(Remembering(5))
    assert content_key(Remembering("a")) == content_key(Remembering("b"))


def test_what_a_class_inherits_counts():
    def child_of(base):
        class Child(base):
            pass

        return Child

    assert content_key(child_of(LogisticRegression)()) != content_key(
        child_of(CountedTeacher)()
    )


def test_a_class_made_at_a_prompt_is_not_kept(binary, model, tmp_path):
    scope = {"__name__": "a_prompt", "LogisticRegression": LogisticRegression}
    exec("class Typed(LogisticRegression):\n    pass", scope)
    with pytest.warns(UserWarning, match="Typed is not kept .*source of Typed"):
        model.set_params(teacher=scope["Typed"]()).fit(*binary)
    assert not (tmp_path / "memory").exists()


def test_functions_count_with_their_source():
    def made(code):
        def function(x):
            return x

        return function

    def function(x):
        return 2 * x

    function.__qualname__ = made(0).__qualname__
    assert content_key(made(0)) == content_key(made(1)) != content_key(function)
    assert content_key(functools.partial(made(0), 1)) != content_key(
        functools.partial(made(0), 2)
    )


def test_fitted_state_inside_a_frozen_part_counts(binary):
    X, y = binary
    one = make_pipeline(FrozenEstimator(LogisticRegression(C=1.0).fit(X, y)))
    same = make_pipeline(FrozenEstimator(LogisticRegression(C=1.0).fit(X, y)))
    other = make_pipeline(FrozenEstimator(LogisticRegression(C=1.0).fit(X + 1, y)))
    assert content_key(one) == content_key(same) != content_key(other)


# --- What can go wrong ----------------------------------------------------------------


def entries(tmp_path):
    return sorted((tmp_path / "memory").rglob("output.pkl"))


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b"")


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def overwrite(path):
    path.write_bytes(pickle.dumps(("0", b"not what was kept")))


@pytest.mark.parametrize("damage", [cut_off, empty, flip_a_bit, overwrite])
def test_a_damaged_entry_is_made_anew_with_a_warning(
    binary, model, teacher, tmp_path, damage
):
    expected = model.fit(*binary).predict_proba(binary[0])
    (path,) = entries(tmp_path)
    damage(path)
    with pytest.warns(UserWarning, match="A result in .*memory is damaged"):
        again = clone(model).fit(*binary)
    np.testing.assert_array_equal(again.predict_proba(binary[0]), expected)
    assert teacher.n_fits() == 2
    clone(model).fit(*binary)
    assert teacher.n_fits() == 2


@pytest.mark.parametrize(
    ("params", "of_teacher"),
    [
        ({"random_state": None}, {}),
        ({"random_state": np.random.RandomState(0)}, {}),
        ({}, {"random_state": np.random.RandomState(0)}),
    ],
)
def test_without_an_integer_seed_nothing_is_kept_and_one_warning_says_why(
    binary, model, teacher, tmp_path, params, of_teacher
):
    model.set_params(**params)
    model.teacher.set_params(**of_teacher)
    with pytest.warns(UserWarning, match="CountedTeacher is not kept .* no integer"):
        model.fit(*binary)
    assert not (tmp_path / "memory").exists()


@pytest.mark.parametrize(
    ("cv", "kept"),
    [
        (StratifiedKFold(2, shuffle=True), False),
        (StratifiedKFold(2, shuffle=True, random_state=0), True),
        (StratifiedKFold(2), True),
    ],
)
@pytest.mark.filterwarnings("ignore:The teacher GridSearchCV is not kept")
def test_a_splitter_inside_the_teacher_needs_a_seed_too(
    binary, model, tmp_path, cv, kept
):
    teacher = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=cv)
    model.set_params(teacher=teacher).fit(*binary)
    assert (tmp_path / "memory").exists() == kept


def test_a_seed_of_the_teachers_own_will_do(binary, model, teacher):
    model.set_params(random_state=None, teacher__random_state=0)
    model.fit(*binary)
    model.fit(*binary)
    assert teacher.n_fits() == 1


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"random_state": None}, "folds that random_state draws"),
        ({"random_state": None, "target_cv": 3}, None),
        ({"target_cv": StratifiedKFold(2, shuffle=True)}, "random_state of target_cv"),
        ({"target_cv": StratifiedKFold(2, shuffle=True, random_state=0)}, None),
        ({"random_state": None, "calibrate": False}, None),
    ],
)
def test_folds_of_further_teachers_need_a_seed_too(
    binary, model, teacher, tmp_path, params, message
):
    model.set_params(calibrate="auto", blend=False, teacher__random_state=0)
    model.set_params(**params)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", UserWarning)
        model.fit(*binary)
        n_fits = teacher.n_fits()
        model.fit(*binary)
    messages = [str(w.message) for w in warned if "not kept" in str(w.message)]
    if message is None:
        assert messages == []
        assert teacher.n_fits() == n_fits
    else:
        assert len(messages) == 2
        assert message in messages[0]
        assert teacher.n_fits() == 2 * n_fits
        assert not (tmp_path / "memory").exists()


def test_a_teacher_that_draws_nothing_is_kept(binary, model, tmp_path):
    model.set_params(teacher=KNeighborsClassifier(), random_state=None).fit(*binary)
    assert len(entries(tmp_path)) == 1


def test_a_teacher_that_cannot_be_pickled_is_fitted_all_the_same(
    binary, model, tmp_path
):
    class Local(LogisticRegression):
        pass

    with pytest.warns(UserWarning, match="cannot be kept in .*memory"):
        fitted = model.set_params(teacher=Local()).fit(*binary)
    assert fitted.teacher_.classes_.tolist() == [0, 1]


def test_errors_of_the_teacher_are_its_own(binary, model):
    model.set_params(teacher__C=-1.0)
    with pytest.raises(ValueError, match="'C' parameter of CountedTeacher"):
        model.fit(*binary)


def test_any_memory_will_do(binary, model, teacher, tmp_path):
    for memory in (tmp_path / "memory", str(tmp_path / "memory")):
        model.set_params(memory=memory).fit(*binary)
    model.set_params(memory=Memory(str(tmp_path / "memory"), verbose=0)).fit(*binary)
    assert teacher.n_fits() == 1
    model.set_params(memory=Memory(None)).fit(*binary)
    assert teacher.n_fits() == 2
    with pytest.raises(ValueError, match="'memory' parameter of DistilledClassifier"):
        model.set_params(memory=3).fit(*binary)


def test_a_disk_that_takes_nothing_costs_the_fit_nothing(
    binary, model, teacher, monkeypatch
):
    def full(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr("joblib._store_backends.numpy_pickle.dump", full)
    with pytest.warns(Warning, match="No space left"):
        model.fit(*binary)
    assert teacher.n_fits() == 1
