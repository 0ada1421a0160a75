"""Predictions follow the nets, whatever is done to them between two calls."""

import gc
import pickle
import weakref

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from skorch import NeuralNetClassifier
from torch import nn
from torch.nn.utils import prune, vector_to_parameters

from skdistill import DistilledClassifier, EnsembleTeacher, StudentModel
from tests.nets import LogitModule, small_distilled, small_net, small_teacher


def nets_of(model):
    return getattr(model, "estimators_", None) or [model.student_]


@pytest.fixture(params=["teacher", "distilled"])
def model(request, binary):
    if request.param == "teacher":
        return small_teacher(random_state=0).fit(*binary)
    return small_distilled(LogisticRegression()).fit(*binary)


def as_skorch_predicts(model, X):
    logits = [net.forward(X, training=False).numpy() for net in nets_of(model)]
    return np.mean(logits, axis=0) / getattr(model, "temperature_", 1)


def train_by_hand(net, X, y):
    optimizer = torch.optim.Adam(net.module_.parameters(), lr=0.1, fused=True)
    loss = nn.functional.cross_entropy(
        net.module_(torch.from_numpy(X)), torch.from_numpy(y)
    )
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def replace_weight(net, X, y):
    layer = net.module_.layers[0]
    layer.weight = nn.Parameter(2 * layer.weight.detach())


def replace_data(net, X, y):
    layer = net.module_.layers[0]
    layer.weight.data = 2 * layer.weight.data


def write_to_data(net, X, y):
    net.module_.layers[0].weight.data.mul_(2)


def write_to_one_value(net, X, y):
    net.module_.layers[-1].bias.detach().numpy()[-1] += 5


def write_in_inference_mode(net, X, y):
    with torch.inference_mode():
        net.module_.layers[0].bias.add_(1)


def load_weights(net, X, y):
    state = net.module_.state_dict()
    net.module_.load_state_dict({name: 2 * value for name, value in state.items()})


def assign_vector(net, X, y):
    n_weights = sum(p.numel() for p in net.module_.parameters())
    vector_to_parameters(torch.linspace(-1, 1, n_weights), net.module_.parameters())


def replace_layer(net, X, y):
    net.module_.layers[0] = nn.Linear(X.shape[1], net.module_.layers[0].out_features)


def replace_all_layers(net, X, y):
    net.module_.layers = nn.Sequential(nn.Linear(X.shape[1], 2))


def replace_activation(net, X, y):
    net.module_.layers[1] = nn.Tanh()


def insert_layer(net, X, y):
    net.module_.layers.append(nn.Linear(2, 2))


def replace_module(net, X, y):
    net.module_ = LogitModule(X.shape[1], 2)


def exchange_forward(net, X, y):
    net.module_.layers[1].forward = torch.tanh


def add_hook(net, X, y):
    net.module_.layers[0].register_forward_hook(lambda *args: args[-1] + 1)


def remove_units(net, X, y):
    prune.l1_unstructured(net.module_.layers[0], "weight", amount=0.5)


@pytest.mark.parametrize(
    "change",
    [
        lambda net, X, y: net.partial_fit(X, y),
        lambda net, X, y: net.initialize(),
        train_by_hand,
        replace_weight,
        replace_data,
        write_to_data,
        write_to_one_value,
        write_in_inference_mode,
        load_weights,
        assign_vector,
        replace_layer,
        replace_all_layers,
        replace_activation,
        insert_layer,
        replace_module,
        exchange_forward,
        add_hook,
        remove_units,
    ],
)
def test_prediction_follows_what_is_done_to_a_net(model, binary, change):
    X, y = binary
    before = model.predict_logits(X)
    change(nets_of(model)[-1], X, y)
    after = model.predict_logits(X)
    assert not np.allclose(before, after, atol=1e-3)
    np.testing.assert_allclose(after, as_skorch_predicts(model, X), atol=1e-5)


@pytest.mark.parametrize("n_rows", [1, 7, 3000])
def test_prediction_is_that_of_skorch(model, n_rows):
    X = np.random.default_rng(0).normal(size=(n_rows, 6)).astype(np.float32)
    expected = as_skorch_predicts(model, X)
    np.testing.assert_allclose(model.predict_logits(X), expected, atol=1e-5)


@pytest.mark.parametrize("averaging", ["logits", "proba"])
def test_prediction_of_a_row_does_not_depend_on_its_place(averaging):
    """To the bit, which holds for some orders of summation and layouts only."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 20)), rng.integers(7, size=400)
    teacher = EnsembleTeacher(
        n_estimators=5, max_epochs=1, averaging=averaging, random_state=0
    ).fit(X, y)
    for n_rows in range(12, 400, 25):
        order = rng.permutation(n_rows)
        moved = teacher.predict_proba(X[order])
        np.testing.assert_array_equal(moved, teacher.predict_proba(X[:n_rows])[order])


def test_members_that_came_to_differ_still_vote(binary):
    X, y = binary
    model = small_teacher(random_state=0).fit(X, y)
    model.predict(X)
    wide = small_teacher(n_estimators=1, hidden_layer_sizes=(9, 5)).fit(X, y)
    model.estimators_[0] = wide.estimators_[0]
    np.testing.assert_allclose(
        model.predict_logits(X), as_skorch_predicts(model, X), atol=1e-5
    )


def test_nets_with_an_infer_of_their_own_are_asked(blobs):
    X, y = blobs

    class Shifted(NeuralNetClassifier):
        def infer(self, x, **fit_params):
            return super().infer(x, **fit_params) + torch.tensor([0.0, 5.0, 0.0])

    net = Shifted(**small_net().get_params(deep=False))
    model = EnsembleTeacher(net, n_estimators=2)
    model.fit(X, y)
    np.testing.assert_allclose(
        model.predict_logits(X), as_skorch_predicts(model, X), atol=1e-5
    )


def test_a_refit_is_followed(model, binary):
    X, y = binary
    before = model.predict_logits(X)
    model.set_params(random_state=7).fit(X, y)
    after = model.predict_logits(X)
    assert not np.allclose(before, after, atol=1e-3)
    np.testing.assert_allclose(after, as_skorch_predicts(model, X), atol=1e-5)


def test_the_nets_before_a_refit_are_let_go(model, binary):
    model.predict(binary[0])
    module = weakref.ref(nets_of(model)[0].module_)
    model.fit(*binary)
    gc.collect()
    assert module() is None


def test_inference_mode_is_no_obstacle(model, binary):
    X, y = binary
    expected = model.predict_logits(X)
    with torch.inference_mode():
        loaded = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(loaded.predict_logits(X), expected)
        model.fit(X, y)
    np.testing.assert_array_equal(loaded.predict_logits(X), expected)
    np.testing.assert_array_equal(model.predict_logits(X), expected)


def test_hooks_see_what_layers_return(binary):
    """The next layer wrote into what a hook had kept."""
    X, y = binary
    model, kept = small_distilled(LogisticRegression()).fit(X, y), []
    layer = model.student_.module_.layers[0]
    layer.register_forward_hook(lambda layer, inputs, output: kept.append(output))
    model.predict_proba(X)
    expected = nn.functional.linear(torch.from_numpy(X), layer.weight, layer.bias)
    np.testing.assert_allclose(kept[0], expected.detach(), atol=1e-6)


@pytest.mark.parametrize("before", [False, True])
def test_hooks_for_all_modules_are_called(model, binary, before):
    X, _ = binary
    plain = model.predict_logits(X)
    hooks = torch.nn.modules.module
    hook = (
        hooks.register_module_forward_pre_hook(lambda module, inputs: (inputs[0] + 1,))
        if before
        else hooks.register_module_forward_hook(lambda *args: args[-1] + 1)
    )
    try:
        hooked = model.predict_logits(X)
        expected = as_skorch_predicts(model, X)
    finally:
        hook.remove()
    np.testing.assert_allclose(hooked, expected, atol=1e-5)
    assert not np.allclose(hooked, plain, atol=1e-3)
    np.testing.assert_array_equal(model.predict_logits(X), plain)


def test_a_net_of_ours_with_a_module_of_the_users_is_seeded(binary):
    class Noisy(StudentModel):
        def forward(self, X):
            noise = np.random.normal(size=X.shape)  # noqa: NPY002
            return super().forward(X + torch.from_numpy(noise.astype(np.float32)))

    net = small_distilled(LogisticRegression()).fit(*binary).student_
    net = clone(net).set_params(module=Noisy)
    fits = [
        DistilledClassifier(alpha=0, student=net, random_state=0).fit(*binary)
        for _ in range(2)
    ]
    assert fits[0].loss_curve_ == fits[1].loss_curve_
