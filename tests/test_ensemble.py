import random
import signal
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from scipy import special
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.dataset import ValidSplit
from torch import nn

from skdistill import EnsembleTeacher, TeacherModel, reference_recipe
from tests.nets import (
    LogitModule,
    ProbaModule,
    global_random_states,
    seed_everything,
    small_net,
    small_teacher,
)


def test_members_are_fitted_nets_that_work_on_their_own(binary):
    X, y = binary
    teacher = small_teacher(n_estimators=3, max_epochs=20, random_state=0).fit(X, y)
    assert len(teacher.estimators_) == 3
    for net in teacher.estimators_:
        assert isinstance(net, NeuralNetClassifier)
        assert isinstance(net.module_, TeacherModel)
        assert net.predict_proba(X).shape == (80, 2)
        assert set(net.predict(X)) <= {0, 1}
        assert net.score(X, y) > 0.6
        assert len(net.history) == 20
        assert "batches" not in net.history[0]
        assert not net.optimizer_.state


def test_the_teacher_of_the_reference_experiment(binary):
    given = reference_recipe().teacher
    assert given.max_epochs == 30
    teacher = given.set_params(max_epochs=1, random_state=0).fit(*binary)
    net = teacher.estimators_[0]
    assert len(teacher.estimators_) == 12
    assert isinstance(net.optimizer_, torch.optim.Adam)
    assert net.optimizer_.defaults["lr"] == 1e-3
    assert net.optimizer_.defaults["weight_decay"] == 0
    assert (net.batch_size, net.callbacks) == (64, None)
    assert net.train_split is None
    assert teacher.temperature_ == 1
    n_parameters = sum(p.numel() for p in net.module_.parameters())
    assert n_parameters == 7 * 256 + 257 * 128 + 129 * 64 + 65 * 2


def test_members_differ_in_initialization_and_batch_order(binary):
    X, y = binary
    # With a vanishing learning rate what differs is the initialization.
    still = small_teacher(lr=1e-12, random_state=0).fit(X, y)
    first, second = (net.module_.layers[0].weight for net in still.estimators_)
    assert not torch.allclose(first, second)

    orders = []

    class Recorder(Callback):
        def on_batch_begin(self, net, batch, training, **kwargs):
            orders.append(batch[1].tolist())

    net = small_net(max_epochs=1, callbacks=[Recorder()], iterator_train__shuffle=True)
    EnsembleTeacher(net, n_estimators=2, random_state=0).fit(X, y)
    half = len(orders) // 2
    assert half > 0
    assert orders[:half] != orders[half:]


def test_vote_is_the_softmax_of_the_mean_logit(blobs):
    X, y = blobs
    teacher = small_teacher(n_estimators=3, random_state=0).fit(X, y)
    logits = np.mean([net.forward(X).numpy() for net in teacher.estimators_], axis=0)
    np.testing.assert_allclose(teacher.predict_logits(X), logits, rtol=1e-5)
    proba = special.softmax(logits, axis=1)
    np.testing.assert_allclose(teacher.predict_proba(X), proba, rtol=1e-5)
    np.testing.assert_allclose(teacher.predict_log_proba(X), np.log(proba), rtol=1e-4)
    np.testing.assert_array_equal(
        teacher.predict(X), np.array(["a", "b", "c"])[proba.argmax(axis=1)]
    )


def test_proba_vote_is_the_mean_of_the_softmaxes(blobs):
    X, y = blobs
    teacher = small_teacher(n_estimators=3, averaging="proba", random_state=0)
    teacher.fit(X, y)
    proba = np.mean([net.predict_proba(X) for net in teacher.estimators_], axis=0)
    np.testing.assert_allclose(teacher.predict_proba(X), proba, rtol=1e-5)
    np.testing.assert_allclose(
        special.softmax(teacher.predict_logits(X), axis=1), proba, rtol=1e-5
    )


def test_prediction_in_chunks_is_prediction_at_once(binary, monkeypatch):
    X, y = binary
    teacher = small_teacher(random_state=0).fit(X, y)
    at_once = teacher.predict_logits(X)
    monkeypatch.setattr("skdistill._prediction.PREDICT_CHUNK", 7)
    np.testing.assert_allclose(teacher.predict_logits(X), at_once, atol=1e-6)


# --- A net of the user's ------------------------------------------------------------


def test_own_net_is_replicated_and_left_alone(blobs):
    X, y = blobs
    net = small_net(optimizer=torch.optim.SGD, module__width=5)
    params = net.get_params(deep=False)
    teacher = EnsembleTeacher(net, n_estimators=2, random_state=0).fit(X, y)
    assert not net.initialized_
    assert net.get_params(deep=False) == params
    for member in teacher.estimators_:
        assert isinstance(member.optimizer_, torch.optim.SGD)
        assert member.module_.layers[0].out_features == 5
    assert teacher.score(X, y) > 0.5


def test_own_net_may_return_probabilities(blobs):
    X, y = blobs
    net = small_net(ProbaModule, criterion=nn.NLLLoss)
    teacher = EnsembleTeacher(net, n_estimators=2, calibrate=False, random_state=0)
    teacher.fit(X, y)
    logs = np.mean([np.log(m.predict_proba(X)) for m in teacher.estimators_], axis=0)
    np.testing.assert_allclose(
        teacher.predict_proba(X), special.softmax(logs, axis=1), rtol=1e-4
    )


class TupleModule(LogitModule):
    def forward(self, X):
        return super().forward(X), X.mean()


class TupleNet(NeuralNetClassifier):
    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return super().get_loss(y_pred[0], y_true, *args, **kwargs)


def softmax(outputs):
    return torch.softmax(outputs, dim=1)


@pytest.mark.parametrize(
    "net",
    [
        TupleNet(TupleModule, criterion=nn.CrossEntropyLoss, train_split=None),
        small_net(criterion=nn.MultiMarginLoss, predict_nonlinearity=softmax),
    ],
    ids=["tuple", "nonlinearity"],
)
def test_outputs_are_read_as_skorch_reads_them(blobs, net):
    X, y = blobs
    teacher = EnsembleTeacher(net, n_estimators=1, random_state=0).fit(X, y)
    expected = teacher.estimators_[0].predict_proba(X)
    np.testing.assert_allclose(teacher.predict_proba(X), expected, rtol=1e-4)


@pytest.mark.parametrize("criterion", [nn.MultiMarginLoss, nn.NLLLoss])
def test_criterion_that_does_not_say_what_the_outputs_are_is_refused(blobs, criterion):
    """Their logarithm would be NaN, and so would all predictions."""
    teacher = EnsembleTeacher(small_net(criterion=criterion), n_estimators=1)
    with pytest.raises(ValueError, match="of your own predict_nonlinearity"):
        teacher.fit(*blobs)


def test_probabilities_of_zero_become_finite_logits(blobs):
    X, y = blobs
    teacher = EnsembleTeacher(small_net(ProbaModule, nn.NLLLoss), 1, random_state=0)
    logits = teacher.fit(X, y).predict_logits(X * 1e4)
    assert (teacher.estimators_[0].predict_proba(X * 1e4) == 0).any()
    assert np.isfinite(logits).all()


def test_early_stopping_stops_one_member_not_the_fit(binary):
    X, y = binary
    net = small_net(
        max_epochs=50,
        lr=1e-9,
        callbacks=[EarlyStopping(patience=3)],
        train_split=ValidSplit(4, stratified=True),
    )
    teacher = EnsembleTeacher(net, n_estimators=2, random_state=0).fit(X, y)
    assert [len(member.history) for member in teacher.estimators_] == [4, 4]


def test_early_stopping_can_watch_the_accuracy(binary):
    X, y = binary
    stop = EarlyStopping("valid_acc", patience=2, lower_is_better=False)
    net = small_net(max_epochs=30, lr=1e-9, callbacks=[stop], train_split=ValidSplit(4))
    teacher = EnsembleTeacher(net, n_estimators=1, random_state=0).fit(X, y)
    assert len(teacher.estimators_[0].history) < 30


def test_early_stopping_can_bring_back_the_best_weights(binary):
    X, y = binary
    stop = EarlyStopping("train_loss", patience=3, load_best=True)
    net = small_net(
        max_epochs=30, lr=30.0, optimizer=torch.optim.Adam, callbacks=[("stop", stop)]
    )
    teacher = EnsembleTeacher(net, n_estimators=1, random_state=0).fit(X, y)
    member = teacher.estimators_[0]
    stop = dict(member.callbacks_)["stop"]
    best = stop.best_model_weights_
    assert stop.best_epoch_ < len(member.history)
    for name, weights in member.module_.state_dict().items():
        assert torch.equal(weights, best[name])


def test_callbacks_of_a_fitted_member_are_its_own(binary):
    teacher = small_teacher(engine="joblib", random_state=0).fit(*binary)
    names = [name for name, _ in teacher.estimators_[0].callbacks_]
    assert "skdistill" not in names
    assert "train_loss" in names


def test_learning_rate_schedule_of_own_net_is_followed(binary):
    X, y = binary
    schedule = LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.1)
    net = small_net(max_epochs=3, callbacks=[("lr", schedule)])
    teacher = EnsembleTeacher(net, n_estimators=1, random_state=0).fit(X, y)
    rates = teacher.estimators_[0].history[:, "event_lr"]
    np.testing.assert_allclose(rates, [0.05, 0.005, 0.0005])


def test_module_gets_the_sizes_it_leaves_unset(blobs):
    X, y = blobs
    net = NeuralNetClassifier(
        TeacherModel,
        criterion=nn.CrossEntropyLoss,
        max_epochs=1,
        module__hidden_layer_sizes=(3,),
    )
    teacher = EnsembleTeacher(net, n_estimators=1, random_state=0).fit(X, y)
    layers = teacher.estimators_[0].module_.layers
    assert (layers[0].in_features, layers[-1].out_features) == (4, 3)


def test_set_params_reaches_into_own_net(binary):
    teacher = EnsembleTeacher(small_net(), n_estimators=1, random_state=0)
    teacher.set_params(estimator__lr=0.125, estimator__max_epochs=2).fit(*binary)
    assert teacher.estimators_[0].lr == 0.125
    assert len(teacher.estimators_[0].history) == 2


# --- Weights ------------------------------------------------------------------------


def test_weights_act_like_repetitions_in_a_full_batch(binary):
    X, y = binary
    weight = np.arange(len(y)) % 3
    params = {"dropout": 0, "batch_size": 1000, "random_state": 0}
    weighted = small_teacher(**params).fit(X, y, sample_weight=weight)
    repeated = small_teacher(**params).fit(X.repeat(weight, 0), y.repeat(weight))
    np.testing.assert_allclose(
        weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-5
    )
    plain = small_teacher(**params).fit(X, y).predict_proba(X)
    assert np.abs(plain - repeated.predict_proba(X)).max() > 1e-3


def test_rows_of_weight_zero_are_not_seen_at_all(binary):
    X, y = binary
    weight = np.ones(len(y))
    weight[::4] = 0
    kept = weight > 0
    weighted = small_teacher(random_state=0).fit(X, y, sample_weight=weight)
    without = small_teacher(random_state=0).fit(X[kept], y[kept])
    # Equal weights are no weights, up to the rounding of the products.
    np.testing.assert_allclose(
        weighted.predict_proba(X), without.predict_proba(X), atol=1e-5
    )


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"criterion__weight": torch.tensor([1.0, 5.0])},
        {"criterion__reduction": "sum", "lr": 0.002},
    ],
    ids=["plain", "class weights", "sum"],
)
def test_equal_weights_are_no_weights_whatever_the_criterion(binary, params):
    X, y = binary
    teacher = EnsembleTeacher(small_net(**params), 1, engine="joblib", random_state=0)
    plain = teacher.fit(X, y).predict_proba(X)
    weighted = teacher.fit(X, y, sample_weight=np.ones(80)).predict_proba(X)
    np.testing.assert_allclose(weighted, plain, atol=1e-5)


def test_huge_weights_do_not_overflow(binary):
    X, y = binary
    huge = small_teacher(random_state=0).fit(X, y, sample_weight=np.full(80, 1.7e308))
    one = small_teacher(random_state=0).fit(X, y, sample_weight=np.ones(80))
    np.testing.assert_array_equal(huge.predict_logits(X), one.predict_logits(X))


def test_rows_in_reverse_are_rows(binary):
    """torch refuses negative strides."""
    X, y = binary
    one = small_teacher(random_state=0).fit(X[::-1], y[::-1])
    other = small_teacher(random_state=0).fit(X[::-1].copy(), y[::-1].copy())
    np.testing.assert_array_equal(one.predict_logits(X), other.predict_logits(X))


def test_module_may_be_made_by_a_partial(blobs):
    net = small_net(partial(LogitModule, width=5))
    teacher = EnsembleTeacher(net, n_estimators=1, random_state=0).fit(*blobs)
    assert teacher.estimators_[0].module_.layers[0].out_features == 5


def test_epoch_without_a_batch_is_refused(binary):
    net = small_net(batch_size=1000, iterator_train__drop_last=True)
    with pytest.raises(ValueError, match="no batch in an epoch.* 1000"):
        EnsembleTeacher(net, n_estimators=1).fit(*binary)


def test_only_the_ratios_of_the_weights_count(binary):
    X, y = binary
    weight = np.random.default_rng(0).uniform(1, 2, size=len(y))
    one, other = (
        small_teacher(random_state=0).fit(X, y, sample_weight=factor * weight)
        for factor in (1, 1000)
    )
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-5)


def test_weights_need_a_criterion_that_can_tell_rows_apart(binary):
    class Summed(nn.Module):
        def forward(self, logits, y):
            return nn.functional.cross_entropy(logits, y)

    X, y = binary
    teacher = EnsembleTeacher(
        small_net(criterion=Summed, predict_nonlinearity=softmax), n_estimators=1
    )
    with pytest.raises(ValueError, match="criterion with a `reduction`.*Summed"):
        teacher.fit(X, y, sample_weight=np.ones(len(y)))


# --- Reproducibility ----------------------------------------------------------------


@pytest.mark.parametrize("engine", ["joblib", "vectorized"])
def test_int_random_state_repeats_whatever_n_jobs_and_the_global_seeds(binary, engine):
    X, y = binary
    results = []
    for n_jobs, seed in [(None, 0), (1, 1), (2, 2)]:
        seed_everything(seed)
        params = {"engine": engine, "n_jobs": n_jobs, "random_state": 7}
        teacher = small_teacher(n_estimators=3, **params)
        results.append(teacher.fit(X, y).predict_logits(X))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


class RandomModule(LogitModule):
    """Draws its initial weights with whatever generator its author had at hand."""

    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        with torch.no_grad():
            self.layers[0].weight += random.random()
            self.layers[0].bias += np.random.rand()  # noqa: NPY002


def test_modules_that_draw_from_other_generators_repeat_too(binary):
    X, y = binary
    results = []
    for seed in (0, 1):
        seed_everything(seed)
        teacher = EnsembleTeacher(small_net(RandomModule), 2, random_state=0)
        results.append(teacher.fit(X, y).predict_logits(X))
    np.testing.assert_array_equal(*results)


def test_number_of_torch_threads_does_not_matter(binary):
    X, y = binary
    results = []
    for n_threads in (1, 2):
        torch.set_num_threads(n_threads)
        try:
            teacher = small_teacher(random_state=0).fit(X, y)
            assert torch.get_num_threads() == n_threads
        finally:
            torch.set_num_threads(1)
        results.append(teacher.predict_logits(X))
    np.testing.assert_array_equal(*results)


def test_without_a_random_state_fits_differ(binary):
    X, y = binary
    results = []
    for _ in range(2):
        seed_everything(0)  # numpy's global state must not decide
        before = global_random_states()
        results.append(small_teacher().fit(X, y).predict_logits(X))
        assert global_random_states() == before
    assert not np.allclose(*results)


def test_global_random_states_are_left_alone(binary):
    X, y = binary
    before = global_random_states()
    teacher = small_teacher(random_state=0).fit(X, y)
    teacher.predict(X)
    assert global_random_states() == before


def test_threads_get_the_same_result_as_processes(binary):
    from joblib import parallel_config

    X, y = binary
    params = {"n_estimators": 4, "engine": "joblib", "random_state": 0}
    alone = small_teacher(**params).fit(X, y)
    with parallel_config("threading", n_jobs=4):
        threaded = small_teacher(**params).fit(X, y)
    np.testing.assert_array_equal(alone.predict_logits(X), threaded.predict_logits(X))


# --- What goes wrong ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"estimator": object()}, "'estimator' parameter of EnsembleTeacher must be"),
        ({"n_estimators": 0}, r"'n_estimators' .* Got 0 instead"),
        ({"hidden_layer_sizes": (8, -1)}, r"'hidden_layer_sizes' .* Got \(8, -1\)"),
        ({"hidden_layer_sizes": (8.5,)}, r"'hidden_layer_sizes' .* Got \(8.5,\)"),
        ({"hidden_layer_sizes": [[8, 4]]}, r"integer for each .* Got \[\[8, 4\]\]"),
        ({"hidden_layer_sizes": [[8], [4, 2]]}, "'hidden_layer_sizes' .* integer for"),
        ({"hidden_layer_sizes": "wide"}, "'hidden_layer_sizes' .* Got 'wide'"),
        ({"dropout": 1.0}, r"'dropout' .* \[0.0, 1.0\). Got 1.0"),
        ({"max_epochs": 0}, "'max_epochs' .* Got 0"),
        ({"lr": 0.0}, "'lr' .* Got 0.0"),
        ({"lr": np.inf}, "'lr' .* Got inf"),
        ({"batch_size": 0}, "'batch_size' .* Got 0"),
        ({"weight_decay": -1.0}, "'weight_decay' .* Got -1.0"),
        ({"averaging": "median"}, "'averaging' .* Got 'median'"),
        ({"random_state": "x"}, "'random_state' .* Got 'x'"),
        ({"device": "gpu"}, "'device' parameter must be 'cpu', 'cuda'.* Got 'gpu'"),
        ({"device": "meta"}, "'device' parameter must be .* Got 'meta'"),
        ({"device": "cuda:99"}, "'device' parameter asks for 'cuda:99', which torch"),
    ],
)
def test_bad_parameter_is_named_before_training(binary, params, message, no_training):
    with pytest.raises(ValueError, match=message):
        small_teacher(**params).fit(*binary)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-np.ones(80), "sample_weight must be >= 0 in every row; got -1.0 in row 0"),
        (
            np.zeros(80),
            "sample_weight must be > 0 in some row; all 80 weights are zero",
        ),
        (np.full(80, np.nan), "sample_weight contains NaN"),
        (np.ones(79), r"sample_weight must have shape \(80,\).* Got shape \(79,\)"),
        (np.ones((80, 2)), r"sample_weight must have shape .* Got shape \(80, 2\)"),
    ],
)
def test_bad_weights_are_refused_before_training(binary, weight, message, no_training):
    with pytest.raises(ValueError, match=message):
        small_teacher().fit(*binary, sample_weight=weight)


def test_bad_data_is_refused_before_training(binary, no_training):
    X, y = binary
    broken = X.copy()
    broken[3, 2] = np.inf
    with pytest.raises(ValueError, match="Input X contains infinity"):
        small_teacher().fit(broken, y)
    with pytest.raises(ValueError, match="value too large for dtype"):
        small_teacher().fit(X.astype(np.float64) * 1e200, y)
    with pytest.raises(
        ValueError, match=r"at least 2 classes in y; got 1 class: 'one'"
    ):
        small_teacher().fit(X, ["one"] * len(X))


def test_training_parameter_next_to_own_net_is_refused(binary):
    teacher = EnsembleTeacher(small_net(), lr=0.5)
    with pytest.raises(
        ValueError,
        match=r"'lr' parameter of EnsembleTeacher must be left at its default 0.001 "
        r"when 'estimator' is given.* Got lr=0.5; set it on the estimator instead",
    ):
        teacher.fit(*binary)


def test_module_instance_is_refused(binary):
    net = NeuralNetClassifier(LogitModule(6, 2), criterion=nn.CrossEntropyLoss)
    with pytest.raises(ValueError, match="module class.*instance of LogitModule"):
        EnsembleTeacher(net).fit(*binary)


def test_wrong_number_of_outputs_is_named(blobs):
    teacher = EnsembleTeacher(small_net(module__n_classes=2), n_estimators=1)
    with pytest.raises(
        ValueError, match=r"\(n_samples, 3\). It returned shape \(2, 2\)"
    ):
        teacher.fit(*blobs)


@pytest.mark.parametrize("engine", ["joblib", "vectorized"])
def test_net_without_an_epoch_is_refused(blobs, engine):
    """It would come back untrained, and vote like any other."""
    teacher = EnsembleTeacher(small_net(max_epochs=0), 2, engine=engine)
    with pytest.raises(ValueError, match="max_epochs of the networks .* Got 0"):
        teacher.fit(*blobs)


def test_wrong_number_of_inputs_is_named(blobs):
    teacher = EnsembleTeacher(small_net(module__n_features=5), n_estimators=1)
    with pytest.raises(ValueError, match="must take float32 X with 4 features"):
        teacher.fit(*blobs)


def test_logits_under_a_criterion_for_probabilities_are_refused(blobs):
    """skorch's default criterion takes the log of what it believes is a probability."""
    teacher = EnsembleTeacher(small_net(criterion=nn.NLLLoss), n_estimators=1)
    with pytest.raises(ValueError, match="criterion=torch.nn.CrossEntropyLoss"):
        teacher.fit(*blobs)


def test_diverging_loss_stops_with_epoch_and_advice(binary):
    X, y = binary
    net = small_net(optimizer=torch.optim.SGD, lr=1e30, max_epochs=9)
    with pytest.raises(
        ValueError,
        match=r"member 0 of EnsembleTeacher stopped: its loss became nan in epoch \d "
        r"of 9. Try a lower lr \(it is 1e\+30\), or scale the features",
    ):
        EnsembleTeacher(net, random_state=0).fit(X, y)


def test_weights_that_diverge_in_the_last_step_are_noticed(binary):
    X, y = binary
    net = small_net(
        optimizer=torch.optim.SGD,
        lr=1e38,
        max_epochs=1,
        batch_size=len(X),
        module__width=1,
    )
    with pytest.raises(ValueError, match="(loss|weights) became .* in epoch 1 of 1"):
        EnsembleTeacher(net, n_estimators=1, random_state=0).fit(X * 1e3, y)


class InterruptedModule(LogitModule):
    """Raises KeyboardInterrupt, as Ctrl-C would, in its second training batch."""

    n_calls = 0

    def forward(self, X):
        if self.training:
            type(self).n_calls += 1
            if type(self).n_calls == 2:
                raise KeyboardInterrupt
        return super().forward(X)


def test_interrupt_propagates_and_leaves_no_half_fit(binary, monkeypatch):
    """skorch's own fit swallows Ctrl-C and returns as if it had finished."""
    X, y = binary
    monkeypatch.setattr(InterruptedModule, "n_calls", 0)
    teacher = EnsembleTeacher(small_net(InterruptedModule), random_state=0)
    with pytest.raises(KeyboardInterrupt):
        teacher.fit(X, y)
    assert vars(teacher) == vars(clone(teacher)) | {"estimator": teacher.estimator}


class StopsAtTwo(Callback):
    def __init__(self, stop):
        self.stop = stop

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            if self.stop == "signal":
                signal.raise_signal(signal.SIGINT)
            raise KeyboardInterrupt


@pytest.mark.usefixtures("ctrl_c_interrupts")
def test_interrupt_inside_a_callback_is_told_from_early_stopping(binary):
    """Both are a KeyboardInterrupt; only one of them is raised by the callback."""
    X, y = binary
    stopped = EnsembleTeacher(small_net(callbacks=[StopsAtTwo("raise")]), 1).fit(X, y)
    assert len(stopped.estimators_[0].history) == 2
    with pytest.raises(KeyboardInterrupt):
        EnsembleTeacher(small_net(callbacks=[StopsAtTwo("signal")]), 1).fit(X, y)


def test_failed_fit_keeps_the_fit_before(binary, monkeypatch):
    X, y = binary
    monkeypatch.setattr(InterruptedModule, "n_calls", 2)
    teacher = EnsembleTeacher(small_net(InterruptedModule), n_estimators=1)
    before = teacher.fit(X, y).predict_logits(X)
    monkeypatch.setattr(InterruptedModule, "n_calls", 0)
    with pytest.raises(KeyboardInterrupt):
        teacher.fit(X[:, :3], np.where(y, "yes", "no"))
    with pytest.raises(ValueError, match="contains NaN"):
        teacher.fit(X * np.nan, y)
    np.testing.assert_array_equal(teacher.predict_logits(X), before)
    assert set(teacher.predict(X)) <= {0, 1}


# --- What it shows ------------------------------------------------------------------


def test_silent_by_default(binary, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        X, y = binary
        X.flags.writeable = y.flags.writeable = False  # as joblib's workers get them
        for engine in ("joblib", "vectorized"):
            small_teacher(engine=engine, random_state=0).fit(X, y)
        net = small_net(verbose=1)
        EnsembleTeacher(net, n_estimators=1, engine="joblib").fit(X, y).predict(X)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@pytest.mark.parametrize(
    ("engine", "n_jobs"), [("joblib", 1), ("joblib", 2), ("vectorized", 1)]
)
def test_verbose_1_shows_one_bar_over_all_members(binary, capfd, engine, n_jobs):
    params = {"engine": engine, "n_jobs": n_jobs, "verbose": 1}
    small_teacher(n_estimators=3, **params).fit(*binary)
    out, err = capfd.readouterr()
    assert out == ""
    last = err.strip().split("\r")[-1]
    assert "15/15" in last
    assert err.count("\n") == 1
    assert "loss=" in last


@pytest.mark.parametrize(("engine", "n_tables"), [("joblib", 2), ("vectorized", 1)])
def test_verbose_2_prints_skorch_tables(binary, capsys, engine, n_tables):
    small_teacher(n_estimators=2, engine=engine, verbose=2).fit(*binary)
    out = capsys.readouterr().out
    assert out.count("train_loss") == n_tables


def test_bar_is_full_after_early_stopping(binary, capfd):
    net = small_net(
        max_epochs=20,
        lr=1e-9,
        callbacks=[EarlyStopping(patience=2)],
        train_split=ValidSplit(4),
    )
    EnsembleTeacher(net, n_estimators=2, verbose=1).fit(*binary)
    assert "40/40" in capfd.readouterr().err
