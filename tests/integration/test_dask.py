"""On a cluster: two worker processes of dask, by joblib's own backend."""

import os
import signal

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from skdistill import EnsembleTeacher
from tests.nets import (
    CountedTeacher,
    LogitModule,
    small_distilled,
    small_net,
    small_search,
    small_teacher,
)

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster_client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def client(cluster_client):
    cluster_client.wait_for_workers(2)  # again, after one was killed
    return cluster_client


@pytest.fixture
def on_cluster(client):
    with joblib.parallel_config("dask"):
        yield client


def test_members_are_spread(binary, on_cluster):
    teacher = small_teacher(n_estimators=4, engine="joblib", random_state=0)
    spread = teacher.fit(*binary).predict_proba(binary[0])
    alone = teacher.set_params(n_jobs=1).fit(*binary).predict_proba(binary[0])
    np.testing.assert_array_equal(spread, alone)


def test_a_search_with_memory_is_spread(binary, on_cluster, tmp_path):
    teacher = CountedTeacher(tmp_path / "log.txt")
    model = small_distilled(teacher, memory=tmp_path / "memory", max_epochs=2)
    grid = {"temperature": [1.0, 2.0, 4.0], "alpha": [0.5, 1.0]}
    search = GridSearchCV(model, grid, cv=3).fit(*binary)
    # Two workers may want the same fold at the same time.
    assert teacher.n_fits() <= 2 * 3 + 1
    n_fits = teacher.n_fits()
    with joblib.parallel_config("threading", n_jobs=1):
        again = GridSearchCV(model, grid, cv=3).fit(*binary)
    assert teacher.n_fits() == n_fits
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], again.cv_results_["mean_test_score"]
    )


def test_a_stacked_search_is_spread(binary, on_cluster):
    model = small_search(small_teacher(), scoring="neg_log_loss").fit(*binary)
    assert model.engine_ == {"teachers": "vectorized", "students": "vectorized"}
    alone = small_search(small_teacher(), scoring="neg_log_loss", n_jobs=1)
    np.testing.assert_allclose(
        model.cv_results_["mean_test_score"],
        alone.fit(*binary).cv_results_["mean_test_score"],
        atol=1e-6,
    )


def die_once(mark, at_home):
    """Kill this process, unless it is `at_home` or one before has left a `mark`."""
    if os.getpid() == at_home:
        return
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


class Fatal(CountedTeacher):
    """Kills the first process that fits it, other than that of the test."""

    def __init__(self, log=None, at_home=None, random_state=None):
        super().__init__(log, random_state=random_state)
        self.at_home = at_home

    def fit(self, X, y, sample_weight=None):
        die_once(f"{self.log}.mark", self.at_home)
        return super().fit(X, y, sample_weight)

    def has_killed(self):
        return os.path.exists(f"{self.log}.mark")


def test_a_worker_killed_in_a_stacked_search_costs_a_retry(
    binary, on_cluster, tmp_path
):
    teacher = Fatal(tmp_path / "log.txt", os.getpid())
    model = small_search(teacher).fit(*binary)
    assert teacher.has_killed()
    expected = small_search(CountedTeacher(tmp_path / "other.txt"), n_jobs=1)
    np.testing.assert_array_equal(
        model.cv_results_["mean_test_score"],
        expected.fit(*binary).cv_results_["mean_test_score"],
    )


def test_a_worker_killed_in_a_search_with_memory_costs_a_retry(
    binary, client, tmp_path
):
    X, y = binary
    teacher = Fatal(tmp_path / "log.txt", os.getpid())
    model = small_distilled(teacher, memory=tmp_path / "memory", max_epochs=2)
    grid = {"temperature": [1.0, 4.0]}
    # Without `scatter` joblib gives each array to one worker, and it dies with that.
    with joblib.parallel_config("dask", scatter=[X, y]):
        search = GridSearchCV(model, grid, cv=3).fit(X, y)
    assert teacher.has_killed()
    with joblib.parallel_config("threading", n_jobs=1):
        again = GridSearchCV(model, grid, cv=3).fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], again.cv_results_["mean_test_score"]
    )


class FatalModule(LogitModule):
    """Kills the first process that makes it, other than that of the test."""

    def __init__(self, n_features, n_classes, mark, at_home):
        super().__init__(n_features, n_classes)
        die_once(mark, at_home)


def test_a_worker_killed_in_an_ensemble_costs_a_retry(binary, on_cluster, tmp_path):
    mark = tmp_path / "mark"
    net = small_net(FatalModule, module__mark=mark, module__at_home=os.getpid())
    teacher = EnsembleTeacher(net, n_estimators=4, engine="joblib", random_state=0)
    proba = teacher.fit(*binary).predict_proba(binary[0])
    assert mark.exists()
    expected = EnsembleTeacher(
        small_net(), n_estimators=4, engine="joblib", random_state=0
    )
    with joblib.parallel_config("threading", n_jobs=1):
        expected.fit(*binary)
    np.testing.assert_array_equal(proba, expected.predict_proba(binary[0]))
