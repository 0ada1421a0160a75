import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, Checkpoint, EarlyStopping
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split
from torch import nn

from skdistill import (
    DistilledClassifier,
    EnsembleTeacher,
    GaussianTransfer,
    MixupTransfer,
    MungeTransfer,
    StudentModel,
    SwapTransfer,
    reference_recipe,
)
from tests.nets import (
    FixedTeacher,
    LogitModule,
    ProbaModule,
    global_random_states,
    seed_everything,
    small_distilled,
    small_net,
    small_teacher,
)


@pytest.fixture(scope="module")
def probabilities():
    """9 rows with arbitrary probabilities of 3 classes, each row told by a feature."""
    proba = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], size=9) * 0.97 + 0.01
    return np.eye(9, dtype=np.float32), np.arange(9) % 3, proba


def fit_to_convergence(X, y, soft_targets=None, **params):
    model = DistilledClassifier(
        **params,
        hidden_layer_sizes=(32,),
        max_epochs=400,
        lr=0.02,
        batch_size=9,
        weight_decay=0.0,
        calibrate=False,
        random_state=0,
    )
    return model.fit(X, y, soft_targets=soft_targets)


@pytest.mark.parametrize("temperature", [1.0, 3.0, 10.0])
def test_student_has_the_teachers_probabilities_at_every_temperature(
    probabilities, temperature
):
    """Softening the student alone, or the teacher alone, would change them."""
    X, y, proba = probabilities
    teacher = FixedTeacher(proba, np.arange(3))
    model = fit_to_convergence(
        X, y, teacher=teacher, temperature=temperature, alpha=1.0
    )
    np.testing.assert_allclose(model.predict_proba(X), proba, atol=1e-3)


def test_soft_targets_stand_in_for_the_teacher(probabilities):
    X, y, proba = probabilities
    model = fit_to_convergence(X, y, temperature=3.0, alpha=1.0, soft_targets=proba)
    assert model.teacher_ is None
    np.testing.assert_allclose(model.predict_proba(X), proba, atol=1e-3)


def test_columns_of_soft_targets_go_by_their_names(binary):
    X, y = binary
    labels = np.array(["no", "yes"])[y]
    proba = np.random.default_rng(0).dirichlet([1, 1], size=len(y))
    expected = small_distilled().fit(X, labels, soft_targets=proba).predict_proba(X)
    named = pd.DataFrame(proba, columns=["no", "yes"])
    for frame in (named, named[["yes", "no"]], pd.DataFrame(proba)):
        model = small_distilled().fit(X, labels, soft_targets=frame)
        np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_soft_targets_of_zero_and_one_are_smoothed(probabilities):
    X, y, _ = probabilities
    model = fit_to_convergence(X, y, alpha=1.0, soft_targets=np.eye(3)[y])
    np.testing.assert_allclose(model.predict_proba(X), np.eye(3)[y], atol=1e-3)
    assert np.isfinite(model.predict_logits(X)).all()


def test_alpha_weights_the_teacher(probabilities):
    """At T=1 the optimum is alpha times the teacher plus 1 - alpha times the label."""
    X, y, proba = probabilities
    model = fit_to_convergence(X, y, temperature=1.0, alpha=0.8, soft_targets=proba)
    expected = 0.8 * proba + 0.2 * np.eye(3)[y]
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-3)


def test_the_recipe_of_the_reference_experiment(binary):
    X, y = binary
    model = reference_recipe(max_epochs=1, random_state=0)
    assert (model.temperature, model.alpha) == (3.0, 0.7)
    model.fit(X, y, soft_targets=np.full((80, 2), 0.5))
    net = model.student_
    assert isinstance(net.module_, StudentModel)
    assert isinstance(net.optimizer_, torch.optim.Adam)
    assert net.optimizer_.defaults["lr"] == 1e-3
    assert net.optimizer_.defaults["weight_decay"] == 1e-4
    assert net.batch_size == 64
    assert net.callbacks is None
    assert reference_recipe().max_epochs == 50


def test_no_teacher_given_is_an_ensemble(binary, monkeypatch):
    defaults = dict(EnsembleTeacher.__init__.__kwdefaults__, max_epochs=1)
    monkeypatch.setattr(EnsembleTeacher.__init__, "__kwdefaults__", defaults)
    model = DistilledClassifier(max_epochs=1, random_state=0).fit(*binary)
    assert isinstance(model.teacher_, EnsembleTeacher)
    assert len(model.teacher_.estimators_) == 12


# --- The teacher --------------------------------------------------------------------


@pytest.mark.parametrize(
    "teacher",
    [
        LogisticRegression(),
        RandomForestClassifier(n_estimators=5),
        KNeighborsClassifier(3),
        make_pipeline(StandardScaler(), LogisticRegression()),
        small_teacher(averaging="proba"),
        small_distilled(LogisticRegression()),
    ],
    ids=lambda teacher: type(teacher).__name__,
)
def test_any_classifier_with_probabilities_can_teach(blobs, teacher):
    X, y = blobs
    params = repr(teacher.get_params())
    model = small_distilled(teacher, max_epochs=30, alpha=1.0).fit(X, y)
    assert type(model.teacher_) is type(teacher)
    agreement = np.mean(model.predict(X) == model.teacher_.predict(X))
    assert agreement > 0.9
    # The teacher that was given is neither fitted nor changed.
    assert repr(teacher.get_params()) == params
    assert not [name for name in vars(teacher) if name.endswith("_")]


def test_teacher_learns_what_the_labels_say_in_their_own_terms(blobs):
    X, y = blobs
    teacher = FixedTeacher(np.full((90, 3), 1 / 3), np.array(["a", "b", "c"]))
    model = small_distilled(teacher).fit(X, y)
    np.testing.assert_array_equal(model.teacher_.y_, y)


def test_frozen_teacher_is_used_as_it_is(blobs):
    X, y = blobs
    fitted = RandomForestClassifier(n_estimators=5, random_state=0).fit(X, y)
    before = fitted.predict_proba(X)
    model = small_distilled(FrozenEstimator(fitted)).fit(X[:40], y[:40])
    assert model.teacher_.estimator is fitted
    np.testing.assert_array_equal(fitted.predict_proba(X), before)


def test_frozen_teacher_that_is_not_fitted_is_refused(blobs):
    with pytest.raises(NotFittedError, match="RandomForestClassifier"):
        small_distilled(FrozenEstimator(RandomForestClassifier())).fit(*blobs)


def test_teacher_classes_are_lined_up(blobs):
    X, y = blobs
    proba = np.column_stack([y == label for label in "cab"]).astype(float)
    teacher = FixedTeacher(proba, np.array(["c", "a", "b"]))
    model = small_distilled(teacher, alpha=1.0, max_epochs=40, lr=0.05).fit(X, y)
    assert model.score(X, y) > 0.9


def test_teacher_that_misses_a_class_still_teaches_the_others(blobs):
    X, y = blobs
    fitted = LogisticRegression().fit(X[y != "b"], y[y != "b"])
    model = small_distilled(
        FrozenEstimator(fitted), alpha=0.5, max_epochs=60, lr=0.05
    ).fit(X, y)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.predict_proba(X).shape == (90, 3)
    assert model.score(X[y != "b"], y[y != "b"]) > 0.9


def test_teacher_gets_the_callers_own_table(blobs):
    X, y = blobs
    frame = pd.DataFrame(X, columns=list("pqrs"), index=np.arange(90) * 2)
    teacher = FixedTeacher(np.full((90, 3), 1 / 3), np.array(["a", "b", "c"]))
    model = small_distilled(teacher).fit(frame, y)
    assert model.teacher_.X_ is frame
    assert model.feature_names_in_.tolist() == list("pqrs")


def test_pipeline_teacher_that_picks_columns_by_name(blobs):
    X, y = blobs
    frame = pd.DataFrame(X, columns=list("pqrs")).assign(code=np.arange(90) % 3)
    teacher = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(), ["code"]), (StandardScaler(), ["p", "q"])
        ),
        LogisticRegression(),
    )
    model = small_distilled(teacher, max_epochs=30).fit(frame, y)
    assert model.score(frame, y) > 0.8


def test_hard_label_baseline_never_fits_a_teacher(binary):
    class Untouchable(BaseEstimator):
        def fit(self, X, y):
            raise AssertionError("the teacher was fitted")

        def predict_proba(self, X):
            raise AssertionError("the teacher was asked")

    X, y = binary
    baseline = small_distilled(Untouchable(), alpha=0).fit(X, y)
    assert baseline.teacher_ is None
    # It is the student trained by skorch on the labels, and nothing else.
    other = small_distilled(alpha=0, temperature=9.0).fit(X, y)
    np.testing.assert_array_equal(other.predict_logits(X), baseline.predict_logits(X))


def test_no_teacher_per_fold_sees_the_test_rows():
    """A frozen teacher that saw all rows scores 0.69 here against a truth of 0.5."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 10)), rng.integers(2, size=300)
    model = small_distilled(RandomForestClassifier(n_estimators=20), alpha=1.0)
    scores = cross_val_score(model, X, y, cv=5)
    assert abs(scores.mean() - 0.5) < 0.09  # three standard errors of 300 coin flips


# --- Weights and metadata -----------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
def test_weights_count_in_both_terms_like_repetitions(binary, alpha):
    X, y = binary
    proba = np.random.default_rng(0).dirichlet([1, 1], size=len(y))
    weight = np.arange(len(y)) % 3
    model = small_distilled(alpha=alpha, batch_size=1000)
    weighted = model.fit(X, y, sample_weight=weight, soft_targets=proba)
    weighted = weighted.predict_proba(X)
    repeated = model.fit(
        X.repeat(weight, 0), y.repeat(weight), soft_targets=proba.repeat(weight, 0)
    )
    np.testing.assert_allclose(weighted, repeated.predict_proba(X), atol=1e-5)
    plain = model.fit(X, y, soft_targets=proba).predict_proba(X)
    assert np.abs(plain - weighted).max() > 1e-3


def test_weights_reach_a_teacher_that_takes_them(binary):
    X, y = binary
    teacher = FixedTeacher(np.full((80, 2), 0.5), np.arange(2))
    weight = np.linspace(0, 2, 80)
    model = small_distilled(teacher).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(model.teacher_.sample_weight_, weight)


def test_weights_reach_the_last_step_of_a_pipeline(binary):
    X, y = binary
    teacher = FixedTeacher(np.full((80, 2), 0.5), np.arange(2))
    weight = np.linspace(0, 2, 80)
    model = small_distilled(make_pipeline(StandardScaler(), teacher))
    fitted = model.fit(X, y, sample_weight=weight).teacher_[-1]
    np.testing.assert_array_equal(fitted.sample_weight_, weight)


def test_teacher_that_takes_no_weights_is_fitted_without_and_says_so(binary):
    X, y = binary
    model = small_distilled(KNeighborsClassifier())
    with pytest.warns(UserWarning, match="KNeighborsClassifier names no sample_weight"):
        model.fit(X, y, sample_weight=np.ones(80))


def test_frozen_teacher_needs_no_weights(binary):
    X, y = binary
    model = small_distilled(FrozenEstimator(KNeighborsClassifier().fit(X, y)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y, sample_weight=np.ones(80))
    assert model.teacher_ is model.teacher


def test_weights_and_soft_targets_come_through_a_pipeline(binary):
    X, y = binary
    proba = np.tile([0.9, 0.1], (80, 1))
    model = small_distilled(alpha=1.0, max_epochs=30)
    pipe = make_pipeline(StandardScaler(), model).fit(
        X,
        y,
        distilledclassifier__soft_targets=proba,
        distilledclassifier__sample_weight=np.ones(80),
    )
    assert (pipe.predict(X) == 0).all()
    assert pipe[-1].teacher_ is None


def test_metadata_routing_reaches_student_and_teacher(binary):
    X, y = binary
    weight = np.linspace(0, 2, 80)
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        teacher = FixedTeacher(np.full((80, 2), 0.5), np.arange(2))
        model = small_distilled(teacher.set_fit_request(sample_weight=True))
        model.set_fit_request(sample_weight=True, soft_targets=True)
        pipe = make_pipeline(scaler, model).fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(pipe[-1].teacher_.sample_weight_, weight)

        model.set_params(teacher=FixedTeacher(np.full((80, 2), 0.5), np.arange(2)))
        model.teacher.set_fit_request(sample_weight=False)
        pipe = make_pipeline(scaler, model).fit(X, y, sample_weight=weight)
        assert pipe[-1].teacher_.sample_weight_ is None

        pipe.fit(X, y, soft_targets=np.full((80, 2), 0.5))
        assert pipe[-1].teacher_ is None


def test_metadata_routing_gives_the_default_teacher_its_weights(binary, monkeypatch):
    X, y = binary
    seen = []

    def fit(self, X, y, sample_weight=None):
        seen.append(sample_weight)
        raise KeyboardInterrupt

    monkeypatch.setattr(EnsembleTeacher, "fit", fit)
    routing = sklearn.config_context(enable_metadata_routing=True)
    with routing, pytest.raises(KeyboardInterrupt):
        DistilledClassifier().fit(X, y, sample_weight=np.ones(80))
    np.testing.assert_array_equal(seen, [np.ones(80)])


def test_metadata_routing_asks_for_a_decision_about_the_teacher(binary):
    X, y = binary
    with sklearn.config_context(enable_metadata_routing=True):
        model = small_distilled(LogisticRegression())
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            model.fit(X, y, sample_weight=np.ones(80))


# --- A student of the user's --------------------------------------------------------


def test_own_student_is_trained_on_the_teacher(probabilities):
    X, y, proba = probabilities
    net = small_net(optimizer=torch.optim.Adam, module__width=32, max_epochs=300)
    params = net.get_params(deep=False)
    model = DistilledClassifier(alpha=1.0, student=net, random_state=0)
    model.fit(X, y, soft_targets=proba)
    assert type(model.student_) is NeuralNetClassifier
    assert isinstance(model.student_.module_, LogitModule)
    np.testing.assert_allclose(model.predict_proba(X), proba, atol=1e-3)
    np.testing.assert_allclose(
        model.student_.predict_proba(X), model.predict_proba(X), rtol=1e-4
    )
    assert net.get_params(deep=False) == params
    assert not net.initialized_


def test_own_student_may_return_probabilities(probabilities):
    X, y, proba = probabilities
    net = small_net(ProbaModule, nn.NLLLoss, optimizer=torch.optim.Adam, max_epochs=300)
    model = DistilledClassifier(alpha=1.0, student=net, random_state=0)
    model.fit(X, y, soft_targets=proba)
    np.testing.assert_allclose(model.predict_proba(X), proba, atol=1e-3)


def test_own_student_may_start_from_weights_it_has(blobs):
    X, y = blobs
    module = LogitModule(4, 3)
    before = module.layers[0].weight.detach().clone()
    net = NeuralNetClassifier(
        module, criterion=nn.CrossEntropyLoss, lr=1e-12, max_epochs=1, train_split=None
    )
    model = DistilledClassifier(LogisticRegression(), student=net, random_state=0)
    trained = model.fit(X, y).student_.module_
    assert trained is not module
    assert torch.allclose(trained.layers[0].weight, before)
    assert torch.equal(module.layers[0].weight, before)


def test_own_student_stops_early_on_skorchs_own_terms(blobs):
    """Stratified validation, accuracy and loss work on labels, not on soft targets."""
    X, y = blobs
    net = NeuralNetClassifier(
        LogitModule,
        criterion=nn.CrossEntropyLoss,
        max_epochs=50,
        lr=1e-9,
        callbacks=[EarlyStopping("valid_acc", patience=4, lower_is_better=False)],
        train_split=ValidSplit(3, stratified=True),
        verbose=0,
    )
    model = DistilledClassifier(LogisticRegression(), student=net, random_state=0)
    model.fit(X, y, sample_weight=np.linspace(0.5, 1, 90))
    assert model.n_iter_ < 50
    assert model.n_iter_ == len(model.loss_curve_) == len(model.student_.history)
    assert "valid_loss" in model.student_.history[-1]


class AsksForShape(Callback):
    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.shape = X.shape


def test_own_student_keeps_to_skorchs_ways(blobs, tmp_path):
    """A set to validate on, a callback that asks for shapes, one that pickles."""
    X, y = blobs
    index = np.unique(y, return_inverse=True)[1]

    save = Checkpoint(f_pickle="net.pkl", dirname=str(tmp_path), monitor=None)
    net = small_net(
        callbacks=[("asks", AsksForShape()), save],
        train_split=predefined_split(Dataset(X[:20], index[:20])),
    )
    model = DistilledClassifier(
        LogisticRegression(), student=net, random_state=0, verbose=1
    ).fit(X, y)
    fitted = dict(model.student_.callbacks_)["asks"]
    assert fitted.shape == X.shape
    assert "valid_acc" in model.student_.history[-1]
    assert (
        type(pickle.loads((tmp_path / "net.pkl").read_bytes())) is NeuralNetClassifier
    )


def test_own_student_without_callbacks_has_a_loss_curve(blobs):
    net = small_net(callbacks="disable")
    model = DistilledClassifier(LogisticRegression(), student=net, random_state=0)
    assert len(model.fit(*blobs).loss_curve_) == model.n_iter_ == 4


def test_own_student_with_a_get_loss_of_its_own_is_refused(binary):
    class Penalized(NeuralNetClassifier):
        def get_loss(self, *args, **kwargs):
            return 2 * super().get_loss(*args, **kwargs)

    net = Penalized(LogitModule, criterion=nn.CrossEntropyLoss)
    with pytest.raises(ValueError, match="skorch's own get_loss.* Got Penalized"):
        DistilledClassifier(student=net).fit(*binary)


@pytest.mark.parametrize(
    ("criterion", "params"),
    [(nn.MSELoss, {}), (nn.CrossEntropyLoss, {"criterion__label_smoothing": 0.1})],
)
def test_own_student_with_a_loss_of_its_own_is_refused(binary, criterion, params):
    model = DistilledClassifier(student=small_net(criterion=criterion, **params))
    with pytest.raises(ValueError, match="'student' parameter must have criterion="):
        model.fit(*binary)


def test_training_parameter_next_to_own_student_is_refused(binary):
    model = DistilledClassifier(student=small_net(), hidden_layer_sizes=(3,))
    with pytest.raises(
        ValueError, match=r"'hidden_layer_sizes' .* Got hidden_layer_sizes=\(3,\); set"
    ):
        model.fit(*binary)


# --- Further rows -------------------------------------------------------------------


class TeacherOfUnitRows(FixedTeacher):
    """Tells the nine rows of `probabilities` apart, in any order and with noise."""

    def predict_proba(self, X):
        return self.proba[np.argmax(X, axis=1)]


class RecordedTransfer(BaseEstimator):
    """Copies the rows, and remembers what it was given."""

    def __init__(self, n_copies=1):
        self.n_copies = n_copies
        self.given = []

    def sample(self, X, random_state=None):
        self.given.append((X, random_state))
        return np.repeat(np.asarray(X), self.n_copies, axis=0)


class Taken(Exception):
    pass


def taken_by_training(monkeypatch, model, X, y, **fit_params):
    """Return the net, rows, labels and replica that the student would be trained by."""

    def take(net, X, y, replicas, **_):
        raise Taken(net, X, y, *replicas)

    with monkeypatch.context() as patch:
        patch.setattr("skdistill._students.network.train_replicas", take)
        with pytest.raises(Taken) as taken:
            model.fit(X, y, **fit_params)
    return taken.value.args


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_further_rows_have_their_share_and_no_labels(probabilities, share):
    """At T=1 the optimum has the teacher of all rows, and the label of its own ones."""
    X, y, proba = probabilities
    model = fit_to_convergence(
        X,
        y,
        teacher=TeacherOfUnitRows(proba, np.arange(3)),
        temperature=1.0,
        alpha=0.4,
        transfer=GaussianTransfer(scale=1e-3),
        transfer_share=share,
    )
    of_labels = (1 - share) * 0.6
    expected = (0.4 * proba + of_labels * np.eye(3)[y]) / (0.4 + of_labels)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=5e-3)
    assert model.student_.classes_.tolist() == [0, 1, 2]


def test_further_rows_are_labelled_as_the_others_are(binary, monkeypatch):
    X, y = binary
    weight = np.linspace(0, 2, 80)
    model = small_distilled(
        RandomForestClassifier(random_state=0),
        calibrate=True,
        transfer=RecordedTransfer(n_copies=2),
        transfer_share=0.8,
    )
    given = {"sample_weight": weight}
    _, rows, labels, replica = taken_by_training(monkeypatch, model, X, y, **given)
    (sampled, seed) = model.transfer.given[0]
    np.testing.assert_array_equal(sampled, X[1:])  # not that of weight 0
    assert isinstance(seed, int)
    np.testing.assert_array_equal(rows, np.r_[X[1:], np.repeat(X[1:], 2, axis=0)])
    assert labels.tolist() == y[1:].tolist() + [-100] * 158
    # By teacher, temperature and peers, as these were on the rows themselves.
    logits = replica.teacher_logits
    np.testing.assert_allclose(
        logits[79:], np.repeat(logits[:79], 2, axis=0), rtol=1e-5, atol=1e-5
    )
    shares = replica.sample_weight / replica.sample_weight.sum()
    assert shares[79:].sum() == pytest.approx(0.8, rel=1e-5)
    np.testing.assert_allclose(shares[:79] / shares[78], weight[1:] / 2, rtol=1e-5)
    assert replica.sample_weight.mean() == pytest.approx(1)


def test_networks_like_the_student_are_kept_in_memory(binary, tmp_path):
    params = {"calibrate": True, "transfer": MixupTransfer(), "max_epochs": 2}
    teacher = RandomForestClassifier(5, random_state=0)
    expected = small_distilled(teacher, **params).fit(*binary)
    assert expected.peer_weight_ > 0
    model = small_distilled(teacher, memory=tmp_path, **params)
    for _ in range(2):
        predicted = model.fit(*binary).predict_proba(binary[0])
        np.testing.assert_array_equal(predicted, expected.predict_proba(binary[0]))


def test_further_rows_count_in_the_budget(binary, monkeypatch):
    model = DistilledClassifier(
        LogisticRegression(), calibrate=False, transfer=RecordedTransfer(15)
    )
    net, *_ = taken_by_training(monkeypatch, model, *binary)
    assert (net.max_epochs, net.optimizer__weight_decay) == (600, 2**-10)


@pytest.mark.parametrize("seed", [0, np.random.RandomState(0)])
def test_without_further_rows_nothing_changes(binary, seed):
    X, y = binary

    def fitted(**params):
        return small_distilled(random_state=clone(seed, safe=False), **params).fit(X, y)

    plain = fitted(alpha=0.0).predict_proba(X)
    model = fitted(alpha=0.0, transfer=RecordedTransfer())
    np.testing.assert_array_equal(model.predict_proba(X), plain)
    assert model.transfer.given == []
    # The teacher is that of before, too.
    teachers = fitted().teacher_, fitted(transfer=MixupTransfer()).teacher_
    np.testing.assert_array_equal(*(t.predict_proba(X) for t in teachers))


@pytest.mark.parametrize(
    "transfer", [MixupTransfer(), SwapTransfer(), MungeTransfer(), GaussianTransfer()]
)
def test_further_rows_of_every_kind(binary, transfer):
    X, y = binary
    before, params = global_random_states(), transfer.get_params()
    models = [small_distilled(transfer=transfer).fit(X, y) for _ in range(2)]
    assert global_random_states() == before
    assert transfer.get_params() == params
    first, second = (model.predict_proba(X) for model in models)
    np.testing.assert_array_equal(first, second)
    assert (first != small_distilled().fit(X, y).predict_proba(X)).any()
    restored = pickle.loads(pickle.dumps(models[0]))
    np.testing.assert_array_equal(restored.predict_proba(X), first)
    assert type(restored.transfer) is type(transfer)
    copied = clone(models[0]).set_params(transfer__n_rows=0.5)
    assert (copied.transfer.n_rows, transfer.n_rows) == (0.5, 1.0)


def test_further_rows_have_the_names_of_the_others(binary):
    X, y = binary
    X = pd.DataFrame(X, columns=list("abcdef"))
    model = small_distilled(LogisticRegression(), transfer=MixupTransfer())
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of scikit-learn, on rows without names
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)


@pytest.mark.parametrize("train_split", [None, ValidSplit(3)])
@pytest.mark.parametrize("module", [LogitModule, ProbaModule])
def test_own_student_learns_from_further_rows(binary, module, train_split):
    criterion = nn.CrossEntropyLoss if module is LogitModule else nn.NLLLoss
    model = DistilledClassifier(
        LogisticRegression(),
        calibrate=False,
        student=small_net(module, criterion, train_split=train_split),
        transfer=SwapTransfer(),
        random_state=0,
    ).fit(*binary)
    assert model.student_.classes_.tolist() == [0, 1]
    assert np.isfinite(model.loss_curve_).all()


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_soft_targets_are_for_no_further_rows(binary, alpha, no_training):
    model = small_distilled(alpha=alpha, transfer=MixupTransfer())
    with pytest.raises(ValueError, match="'transfer' .* None with soft_targets"):
        model.fit(*binary, soft_targets=np.full((80, 2), 0.5))


def test_further_rows_that_cannot_be_made_stop_it_before_training(binary, no_training):
    X, y = binary
    model = small_distilled(transfer=MixupTransfer())
    with pytest.raises(ValueError, match="All 80 rows of X are the same"):
        model.fit(np.ones_like(X), y)
    model.set_params(transfer__alpha=0)
    with pytest.raises(ValueError, match="'alpha' parameter of MixupTransfer"):
        model.fit(X, y)


# --- Fitted state -------------------------------------------------------------------


def test_student_is_a_net_that_works_on_its_own(blobs):
    X, y = blobs
    model = small_distilled(max_epochs=7).fit(X, y)
    net = model.student_
    np.testing.assert_allclose(
        net.predict_proba(X), model.predict_proba(X), rtol=1e-5, atol=1e-7
    )
    np.testing.assert_array_equal(model.classes_[net.predict(X)], model.predict(X))
    np.testing.assert_allclose(
        model.predict_log_proba(X), np.log(model.predict_proba(X)), atol=1e-5
    )
    assert model.n_iter_ == 7
    assert len(model.loss_curve_) == 7
    assert model.loss_curve_[-1] < model.loss_curve_[0]


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1]),
        np.array([-1.0, 1.0]),
        np.array([-1.0, 1.0], dtype=np.float32),
        np.array([3, 7], dtype=np.int8),
        np.array([False, True]),
        np.array(["no", "yes"]),
        np.array(["no", "yes"], dtype=object),
    ],
    ids=lambda labels: str(labels.dtype),
)
@pytest.mark.parametrize("make", [small_teacher, small_distilled])
def test_labels_of_every_kind_come_back(binary, make, labels):
    X, y = binary
    model = make(random_state=0).fit(X, labels[y])
    assert model.classes_.dtype == labels.dtype
    assert model.predict(X).dtype == labels.dtype
    assert set(model.predict(X)) <= set(labels)


def test_one_row_and_array_likes(binary):
    X, y = binary
    model = small_distilled().fit(X.tolist(), y.tolist())
    np.testing.assert_allclose(
        model.predict_proba([X[0].tolist()]), model.predict_proba(X)[:1], rtol=1e-5
    )


@pytest.mark.parametrize("make", [small_teacher, small_distilled])
def test_unfitted_and_mismatched_prediction(blobs, make):
    X, y = blobs
    for method in ("predict", "predict_proba", "predict_log_proba", "predict_logits"):
        with pytest.raises(NotFittedError):
            getattr(make(), method)(X)
    frame = pd.DataFrame(X, columns=list("pqrs"))
    model = make(random_state=0).fit(frame, y)
    with pytest.raises(ValueError, match="X has 3 features, but .* expecting 4"):
        model.predict(X[:, :3])
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"p": "other"}))
    with pytest.raises(ValueError, match="contains NaN"):
        model.predict(X * np.nan)


# --- Reproducibility ----------------------------------------------------------------


def test_int_random_state_decides_teacher_and_student(binary):
    X, y = binary
    # Neither the forest nor the ensemble in it has a seed of its own.
    results = []
    for seed in (0, 1):
        seed_everything(seed)
        model = small_distilled(
            make_pipeline(RandomForestClassifier(5)), random_state=3
        )
        results.append(model.fit(X, y).predict_logits(X))
    np.testing.assert_array_equal(*results)
    other = clone(model).set_params(random_state=4).fit(X, y)
    assert not np.allclose(other.predict_logits(X), results[0])


def test_parts_of_the_teacher_get_seeds_of_their_own(binary):
    """With one seed for all, the members of a vote would be copies of each other."""
    vote = VotingClassifier(
        [("a", RandomForestClassifier(3)), ("b", RandomForestClassifier(3))],
        voting="soft",
    )
    model = small_distilled(vote).fit(*binary)
    first, second = model.teacher_.estimators_
    assert first.random_state != second.random_state


def test_without_a_random_state_numpys_global_state_does_not_decide(binary):
    X, y = binary
    results = []
    for _ in range(2):
        seed_everything(0)
        before = global_random_states()
        model = small_distilled(LogisticRegression(), random_state=None).fit(X, y)
        assert global_random_states() == before
        results.append(model.predict_logits(X))
    assert not np.allclose(*results)


def test_without_a_random_state_the_teacher_gets_none(binary):
    forest = RandomForestClassifier(5)
    model = small_distilled(forest, random_state=None).fit(*binary)
    assert model.teacher_.random_state is None


def test_teachers_own_seed_is_kept(binary):
    model = small_distilled(RandomForestClassifier(5, random_state=11)).fit(*binary)
    assert model.teacher_.random_state == 11


def test_without_a_random_state_fits_differ(binary):
    X, y = binary
    first, second = (
        small_distilled(LogisticRegression(), random_state=None).fit(X, y)
        for _ in range(2)
    )
    assert not np.allclose(first.predict_logits(X), second.predict_logits(X))


def test_global_random_states_are_left_alone(binary):
    X, y = binary
    before = global_random_states()
    small_distilled().fit(X, y).predict(X)
    assert global_random_states() == before


# --- What goes wrong ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"teacher": Perceptron()}, "'teacher' .* 'predict_proba'.* Got Perceptron"),
        ({"temperature": 0.0}, r"'temperature' .* \(0.0, inf\). Got 0.0"),
        ({"temperature": -3}, "'temperature' .* Got -3"),
        ({"temperature": np.inf}, "'temperature' .* Got inf"),
        ({"temperature": np.nan}, "'temperature' .* Got nan"),
        ({"temperature": "hot"}, "'temperature' .* Got 'hot'"),
        ({"alpha": 1.5}, r"'alpha' .* \[0.0, 1.0\]. Got 1.5"),
        ({"alpha": -0.1}, "'alpha' .* Got -0.1"),
        ({"alpha": np.nan}, "'alpha' .* Got nan"),
        ({"student": Perceptron()}, "'student' .* 'predict_proba'.* Got Perceptron"),
        ({"hidden_layer_sizes": (0,)}, r"'hidden_layer_sizes' .* Got \(0,\)"),
        ({"max_epochs": 2.5}, "'max_epochs' .* Got 2.5"),
        ({"transfer": "mixup"}, "'transfer' .* 'sample' or None. Got 'mixup'"),
        ({"transfer_share": 0.0}, r"'transfer_share' .* \(0.0, 1.0\). Got 0.0"),
        ({"transfer_share": 1.0}, "'transfer_share' .* Got 1.0"),
        ({"device": "tpu"}, "'device' parameter must be 'cpu', .* Got 'tpu'"),
        ({"verbose": -1}, "'verbose' .* Got -1"),
    ],
)
def test_bad_parameter_is_named_before_training(binary, params, message, no_training):
    with pytest.raises(ValueError, match=message):
        small_distilled(**params).fit(*binary)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_that_is_absent_is_named(binary, no_training):
    with pytest.raises(ValueError, match="asks for 'cuda', which torch does not find"):
        small_distilled(device="cuda").fit(*binary)


@pytest.mark.parametrize(
    ("soft_targets", "message"),
    [
        (np.full((80, 3), 1 / 3), r"shape \(80, 2\).* classes \[0, 1\]. .* \(80, 3\)"),
        (np.full((79, 2), 0.5), r"shape \(80, 2\).* Got shape \(79, 2\)"),
        (np.full(80, 0.5), r"shape \(80, 2\).* Got shape \(80,\)"),
        (
            np.full((80, 2), 0.6),
            r"distribution in every row.* Got \[0.6, 0.6\] in row 0",
        ),
        (np.tile([1.5, -0.5], (80, 1)), r"distribution .* Got \[1.5, -0.5\] in row 0"),
        (np.full((80, 2), np.nan), "soft_targets contains NaN"),
        (
            pd.DataFrame(np.full((80, 2), 0.5), columns=["1", "0"]),
            r"named as the classes in y, \[0, 1\], or not at all. Got \['1', '0'\]",
        ),
    ],
)
def test_bad_soft_targets_are_refused(binary, soft_targets, message, no_training):
    with pytest.raises(ValueError, match=message):
        small_distilled().fit(*binary, soft_targets=soft_targets)


def test_data_and_conflicts_are_checked_before_the_teacher_is_fitted(
    binary, no_training
):
    """A teacher takes minutes: what can be known before must be said before."""
    X, y = binary
    broken = X.copy()
    broken[0, 0] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        small_distilled(LogisticRegression()).fit(broken, y)
    with pytest.raises(ValueError, match="at least 2 classes in y; got 1 class: 5"):
        small_distilled().fit(X, np.full(80, 5))
    with pytest.raises(ValueError, match="'student' is given"):
        small_distilled(student=small_net()).fit(X, y)


class Unfittable(DummyClassifier):
    def fit(self, X, y):
        raise AssertionError("the teacher was fitted")


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (small_net(module__n_classes=5), "one output per class"),
        (small_net(criterion=nn.NLLLoss), "CrossEntropyLoss"),
        (small_net(max_epochs=0), "max_epochs of the student .* Got 0"),
    ],
    ids=["outputs", "criterion", "epochs"],
)
def test_student_that_cannot_be_trained_is_refused_before_the_teacher(
    binary, net, message
):
    with pytest.raises(ValueError, match=message):
        DistilledClassifier(Unfittable(), student=net).fit(*binary)


def test_bare_skorch_net_as_teacher_is_refused_with_the_way_out(binary):
    with pytest.raises(ValueError, match=r"EnsembleTeacher\(net, n_estimators=1\)"):
        DistilledClassifier(small_net()).fit(*binary)


def test_diverging_student_says_so(binary):
    model = DistilledClassifier(
        LogisticRegression(), student=small_net(optimizer=torch.optim.SGD, lr=1e30)
    )
    with pytest.raises(ValueError, match="the student of DistilledClassifier stopped"):
        model.fit(*binary)


def test_interrupted_teacher_leaves_the_fit_before(binary):
    class Interrupted(DummyClassifier):
        def fit(self, X, y):
            raise KeyboardInterrupt

    X, y = binary
    model = small_distilled(LogisticRegression()).fit(X, y)
    before = model.predict_logits(X)
    model.set_params(teacher=Interrupted())
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:, :2], y)
    np.testing.assert_array_equal(model.predict_logits(X), before)
    unfitted = clone(model)
    with pytest.raises(KeyboardInterrupt):
        unfitted.fit(X, y)
    with pytest.raises(NotFittedError):
        unfitted.predict(X)


# --- What it shows ------------------------------------------------------------------


def test_silent_by_default(binary, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        converging = {"max_epochs": 40, "lr_schedule": "cosine"}
        small_distilled(small_teacher(**converging), **converging).fit(*binary)
    assert capfd.readouterr() == ("", "")


def test_verbose_1_shows_one_bar_for_teacher_and_student(binary, capfd):
    small_distilled(small_teacher(n_estimators=3), max_epochs=4, verbose=1).fit(*binary)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    last = err.strip().split("\r")[-1]
    assert last.startswith("student: 100%")
    assert "19/19" in last
    assert "loss=" in last


def test_verbose_2_prints_skorchs_table(binary, capsys):
    small_distilled(LogisticRegression(), verbose=2).fit(*binary)
    assert capsys.readouterr().out.count("train_loss") == 1
