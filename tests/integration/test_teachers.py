"""Classifiers of all kinds, of other packages too, as teachers."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from skdistill import DistilledClassifier
from tests.nets import small_distilled


def from_package(package, name, **params):
    """Return an instance of a class of another package; skip if that is not there."""
    module = pytest.importorskip(package, reason=f"{package} is not installed")
    return getattr(module, name)(**params)


def tabular_pipeline():
    skrub = pytest.importorskip("skrub", reason="skrub is not installed")
    make = getattr(skrub, "tabular_pipeline", None) or skrub.tabular_learner
    return make(LogisticRegression())


MEMBERS = [("naive", GaussianNB()), ("linear", LogisticRegression())]

TEACHERS = {
    "random forest": lambda: RandomForestClassifier(10, min_samples_leaf=5),
    "extra trees": lambda: ExtraTreesClassifier(10, min_samples_leaf=5),
    "histograms": lambda: HistGradientBoostingClassifier(max_iter=5),
    "svc": lambda: SVC(probability=True),
    "gaussian process": lambda: GaussianProcessClassifier(optimizer=None),
    "neighbours": lambda: KNeighborsClassifier(10),
    "voting": lambda: VotingClassifier(MEMBERS, voting="soft"),
    "stacking": lambda: StackingClassifier(MEMBERS, GaussianNB(), cv=2),
    "stacking, as it is": lambda: StackingClassifier(MEMBERS, cv=2),
    "calibrated": lambda: CalibratedClassifierCV(GaussianNB(), cv=2),
    "bagging": lambda: BaggingClassifier(LogisticRegression(), n_estimators=3),
    "search": lambda: GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1]}, cv=2),
    "xgboost": lambda: from_package(
        "xgboost", "XGBClassifier", n_estimators=5, max_depth=2, n_jobs=1
    ),
    "lightgbm": lambda: from_package(
        "lightgbm",
        "LGBMClassifier",
        n_estimators=5,
        min_child_samples=10,
        n_jobs=1,
        verbose=-1,
    ),
    "catboost": lambda: from_package(
        "catboost",
        "CatBoostClassifier",
        iterations=5,
        thread_count=1,
        verbose=0,
        allow_writing_files=False,
    ),
    "skrub": tabular_pipeline,
}

pytestmark = [
    # Until scikit-learn 1.11, a support vector machine predicts probabilities.
    pytest.mark.filterwarnings("ignore:.*`probability` parameter:FutureWarning"),
    # Of their own affairs with scikit-learn.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:catboost"),
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
]


@pytest.fixture(params=TEACHERS)
def teacher(request):
    return TEACHERS[request.param]()


def table_of(n_rows):
    """Return rows of 4 features, and labels "a", "b" and "c" that overlap."""
    X, y = make_classification(
        n_rows,
        n_features=4,
        n_informative=3,
        n_redundant=0,
        n_classes=3,
        random_state=0,
    )
    frame = pd.DataFrame(X.astype(np.float32), columns=list("pqrs"))
    return frame, np.array(["a", "b", "c"])[y]


@pytest.fixture(scope="module")
def table():
    return table_of(120)


@pytest.fixture(scope="module")
def mixed():
    """150 rows: a number that is missing at times, and a category that decides."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=150).astype(np.float32)
    kind = rng.choice(["rock", "sand", "clay"], size=150)
    y = np.where(kind == "sand", "none", np.where(size > 0, "high", "low"))
    size[::10] = np.nan
    return pd.DataFrame({"size": size, "kind": pd.Categorical(kind)}), y


def convinced(teacher, **params):
    """Return a student with the size and the time to learn all that a teacher says."""
    defaults = {
        "alpha": 1.0,
        "hidden_layer_sizes": (64,),
        "max_epochs": 300,
        "lr": 0.03,
        "batch_size": 150,
        "weight_decay": 0.0,
        "calibrate": False,
        "target_cv": None,
        "random_state": 0,
    }
    return DistilledClassifier(teacher, **{**defaults, **params})


def divergence(p, q):
    """Return the mean Kullback-Leibler divergence of `q` from `p`, over the rows."""
    p, q = np.maximum(p, 1e-9), np.maximum(q, 1e-9)
    return np.mean(np.sum(p * np.log(p / q), axis=1))


def assert_taught(model, X):
    """Assert that a student says of the rows what its teacher does."""
    said = model.teacher_.predict_proba(X)
    learned = model.predict_proba(X)
    at_all = divergence(said, np.broadcast_to(said.mean(axis=0), said.shape))
    assert at_all > 0.01
    assert divergence(said, learned) < 0.05 * at_all
    assert np.mean(said.argmax(axis=1) == learned.argmax(axis=1)) > 0.9


def test_a_student_learns_what_it_says(table, teacher):
    X, y = table
    before = repr(teacher.get_params()), sorted(vars(teacher))
    model = convinced(teacher).fit(X, y)
    assert model.teacher_.classes_.tolist() == ["a", "b", "c"]
    assert_taught(model, X)
    assert (repr(teacher.get_params()), sorted(vars(teacher))) == before


def test_what_is_frozen_teaches_as_well(table, teacher):
    X, y = table
    if type(teacher).__module__.startswith("xgboost"):
        y = np.unique(y, return_inverse=True)[1]  # it takes no others
    fitted = clone(teacher).fit(X, y)
    model = convinced(FrozenEstimator(fitted)).fit(X, y)
    assert model.teacher_.estimator is fitted
    assert_taught(model, X)


def test_an_integer_seeds_it(table, teacher):
    X, y = table
    model = small_distilled(teacher, max_epochs=1)
    first, second = (clone(model).fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_it_is_calibrated_and_blended(table, teacher):
    X, y = table
    params = {"calibrate": "auto", "target_cv": "auto", "max_epochs": 2}
    model = small_distilled(teacher, **params).fit(X, y)
    is_calibrated = isinstance(teacher, CalibratedClassifierCV)
    assert (model.teacher_temperature_ == 1.0) == is_calibrated
    assert (model.peer_weight_ == 0.0) == is_calibrated


def test_stacking_predicts_if_its_final_estimator_does(table, no_training):
    """By itself it says so only once it is fitted, where that is the default one."""
    X, y = table
    pipe = make_pipeline(StandardScaler(), StackingClassifier(MEMBERS, cv=2))
    with pytest.raises(AssertionError, match="training has started"):
        small_distilled(pipe).fit(X, y)
    with pytest.raises(ValueError, match="'teacher' .* implementing .*predict_proba"):
        small_distilled(StackingClassifier(MEMBERS, LinearSVC())).fit(X, y)


# --- Tables of all kinds --------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: HistGradientBoostingClassifier(
            max_iter=20, min_samples_leaf=5, categorical_features="from_dtype"
        ),
        lambda: from_package(
            "xgboost",
            "XGBClassifier",
            n_estimators=5,
            n_jobs=1,
            enable_categorical=True,
        ),
        lambda: from_package(
            "lightgbm", "LGBMClassifier", n_estimators=20, n_jobs=1, verbose=-1
        ),
        lambda: from_package(
            "catboost",
            "CatBoostClassifier",
            iterations=20,
            thread_count=1,
            verbose=0,
            allow_writing_files=False,
        ),
        tabular_pipeline,
    ],
    ids=["histograms", "xgboost", "lightgbm", "catboost", "skrub"],
)
def test_categories_as_the_teacher_takes_them(mixed, make):
    X, y = mixed
    teacher, params = make(), {}
    if type(teacher).__module__.startswith("catboost"):
        params = {"cat_features": ["kind"]}  # with it as its own, it has no clone
    model = convinced(teacher, preprocessor="auto").fit(X, y, **params)
    assert_taught(model, X)
    known = X["size"].notna()
    assert model.score(X[known], y[known]) > 0.95


# --- Models that answer from their training rows --------------------------------------


class InContext(ClassifierMixin, BaseEstimator):
    """A model that keeps the rows, and answers by how near they are to the new ones.

    As models do that are given the training rows with each question, it knows the
    label of a row that is among them.
    """

    def fit(self, X, y):
        self.classes_, index = np.unique(y, return_inverse=True)
        self.X_, self.labels_ = np.asarray(X), np.eye(len(self.classes_))[index]
        return self

    def predict_proba(self, X):
        distance = euclidean_distances(np.asarray(X), self.X_)
        nearness = np.exp(-(distance**2))
        proba = nearness @ self.labels_ + 1e-3
        proba /= proba.sum(axis=1, keepdims=True)
        rows, same = np.nonzero(distance < 1e-6)
        proba[rows] = self.labels_[same]
        return proba


def test_of_its_own_rows_it_knows_the_labels():
    X, y = table_of(60)
    model = InContext().fit(X[:40], y[:40])
    known = model.predict_proba(X[:40])
    np.testing.assert_array_equal(known, y[:40, np.newaxis] == model.classes_)
    assert model.predict_proba(X[40:]).max() < 1


def test_target_cv_asks_it_about_rows_that_it_does_not_have():
    """Half of the labels lie: what it says of its own rows is no more than they do."""
    X, y = table_of(1200)
    rng = np.random.default_rng(0)
    y = np.where(rng.random(1200) < 0.5, rng.permutation(y), y)
    seen, new = slice(None, 300), slice(300, None)
    losses = []
    for target_cv in (None, 5):
        model = convinced(InContext(), target_cv=target_cv, max_epochs=100)
        model.fit(X[seen], y[seen])
        losses.append(log_loss(y[new], model.predict_proba(X[new])))
    teacher = model.teacher_.predict_proba(X[new])
    assert losses[1] < 0.8 * losses[0]
    assert losses[1] < log_loss(y[new], teacher) + 0.05
