import numpy as np
import pytest
import torch

from skdistill import DistillationLoss
from skdistill._training.loss import (
    HIGH_TEMPERATURE,
    UNLABELLED,
    loss_and_gradient,
    stacked_targets,
)


def expected_loss(z_student, z_teacher, y, temperature, alpha, weight=None):
    """The definition, row by row, in float64 numpy."""
    rows = []
    for zs, zt, label in zip(z_student, z_teacher, y, strict=True):
        p = np.exp(zt / temperature) / np.exp(zt / temperature).sum()
        q = np.exp(zs / temperature) / np.exp(zs / temperature).sum()
        soft = temperature**2 * sum(
            pk * (np.log(pk) - np.log(qk)) for pk, qk in zip(p, q, strict=True)
        )
        hard = -np.log(np.exp(zs[label]) / np.exp(zs).sum())
        rows.append(alpha * soft + (1 - alpha) * hard)
    weight = np.ones(len(y)) if weight is None else weight
    return np.dot(weight, rows) / len(y)


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    z_student, z_teacher = 3 * rng.normal(size=(2, 7, 4))
    return z_student, z_teacher, rng.integers(4, size=7), rng.uniform(size=7)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_is_the_closed_form(batch, temperature, alpha, weighted):
    z_student, z_teacher, y, weight = batch
    weight = weight if weighted else None
    loss = DistillationLoss(temperature, alpha)(
        torch.tensor(z_student),
        torch.tensor(z_teacher),
        torch.tensor(y),
        torch.tensor(weight) if weighted else None,
    )
    expected = expected_loss(z_student, z_teacher, y, temperature, alpha, weight)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
def test_gradients_are_the_loss_derivatives(batch, alpha):
    z_student, z_teacher, y, weight = batch
    z_student = torch.tensor(z_student, requires_grad=True)
    others = torch.tensor(z_teacher), torch.tensor(y), torch.tensor(weight)
    loss = DistillationLoss(temperature=2.5, alpha=alpha)
    assert torch.autograd.gradcheck(lambda z: loss(z, *others), z_student)


def test_alpha_zero_needs_no_teacher_and_is_cross_entropy(batch):
    z_student, _, y, _ = map(torch.tensor, batch)
    loss = DistillationLoss(alpha=0.0)(z_student, None, y)
    assert loss == torch.nn.functional.cross_entropy(z_student, y)


def test_soft_term_vanishes_where_the_student_is_the_teacher(batch):
    _, z_teacher, y, _ = map(torch.tensor, batch)
    loss = DistillationLoss(temperature=5.0, alpha=1.0)
    # Logits are defined up to a constant per row.
    assert loss(z_teacher + 1.5, z_teacher, y).item() == pytest.approx(0, abs=1e-12)


def test_soft_gradient_keeps_its_scale_with_the_temperature(batch):
    """Without T^2 the gradient would shrink by 100 from T=10 to T=100."""
    z_student, z_teacher, y, _ = map(torch.tensor, batch)

    def gradient(temperature):
        z = z_student.clone().requires_grad_()
        DistillationLoss(temperature, 1.0)(z, z_teacher, y).backward()
        return z.grad.norm().item()

    assert gradient(100.0) == pytest.approx(gradient(10.0), rel=0.2)


def test_repr_shows_the_settings():
    text = repr(DistillationLoss(temperature=2.0, alpha=0.25))
    assert text == "DistillationLoss(temperature=2.0, alpha=0.25)"


def test_a_row_without_a_label_has_no_hard_term(batch):
    z_student, z_teacher, y, _ = map(torch.tensor, batch)
    z = z_student[:1].requires_grad_()
    unlabelled = torch.tensor([UNLABELLED])
    loss = DistillationLoss(2.0, 0.3)(z, z_teacher[:1], unlabelled)
    soft = DistillationLoss(2.0, 1.0)(z, z_teacher[:1], y[:1])
    torch.testing.assert_close(loss, 0.3 * soft)
    assert DistillationLoss(alpha=0.0)(z, None, unlabelled) == 0


@pytest.mark.parametrize("high", [False, True])
@pytest.mark.parametrize("taught", [False, True])
@pytest.mark.parametrize("unlabelled", [False, True])
def test_the_stacked_loss_is_that_of_every_student(taught, high, unlabelled):
    rng = np.random.default_rng(0)
    n_batches, n_students, n_rows, n_classes = 2, 3, 5, 4
    shape = n_batches, n_students, n_rows
    z_student, z_teacher = 3 * torch.tensor(rng.normal(size=(2, *shape, n_classes)))
    y = torch.tensor(rng.integers(n_classes, size=shape))
    if unlabelled:
        y[torch.tensor(rng.random(shape) < 0.4)] = UNLABELLED
    weight = torch.tensor(rng.uniform(size=shape))
    temperatures, alphas = [1.0, 7.0, 1e5 if high else 9.0], [0.0, 0.4, 1.0]
    temperature = torch.tensor(temperatures)[:, None, None]
    alpha = torch.tensor(alphas if taught else [0.0] * 3)[:, None, None]
    targets = stacked_targets(
        z_teacher if taught else None,
        y,
        weight / n_rows,
        n_classes=n_classes,
        temperature=temperature,
        alpha=alpha,
        is_high=high,
    )
    batches = list(targets.by_batch())
    assert len(batches) == n_batches
    for batch, of_batch in enumerate(batches):
        losses, gradients = loss_and_gradient(z_student[batch], of_batch, temperature)
        for student in range(n_students):
            at = batch, student
            z = z_student[at].clone().requires_grad_()
            criterion = DistillationLoss(
                temperatures[student], alphas[student] if taught else 0.0
            )
            loss = criterion(z, z_teacher[at], y[at], weight[at])
            loss.backward()
            torch.testing.assert_close(losses[student], loss.detach())
            torch.testing.assert_close(gradients[student], z.grad)


@pytest.mark.parametrize("temperature", [1e-2, 0.3, 11.0, 1e3, 1e4])
@pytest.mark.parametrize("scale", [0.01, 3.0, 100.0])
def test_float32_holds_at_every_temperature(temperature, scale):
    """The soft term was three times too large at 1e4: T^2 multiplies its rounding."""
    rng = np.random.default_rng(0)
    z_student, z_teacher = scale * torch.tensor(rng.normal(size=(2, 1, 1, 50, 4)))
    y = torch.zeros(1, 1, 50, dtype=torch.int64)
    exact = z_student[0, 0].clone().requires_grad_()
    expected = DistillationLoss(temperature, 1.0)(exact, z_teacher[0, 0], y[0, 0])
    expected.backward()
    size = exact.grad.abs().max().item()
    single = z_student[0, 0].float().requires_grad_()
    alone = DistillationLoss(temperature, 1.0)(single, z_teacher[0, 0].float(), y[0, 0])
    alone.backward()
    T = torch.full((1, 1, 1), temperature)
    (targets,) = stacked_targets(
        z_teacher.float(),
        y,
        torch.full((1, 1, 50), 1 / 50),
        n_classes=4,
        temperature=T,
        alpha=torch.ones(1, 1, 1),
        is_high=temperature > HIGH_TEMPERATURE,
    ).by_batch()
    losses, gradients = loss_and_gradient(z_student[0].float(), targets, T)
    for loss, gradient in [(alone, single.grad), (losses[0], gradients[0])]:
        assert loss.item() == pytest.approx(expected.item(), rel=1e-3)
        np.testing.assert_allclose(gradient, exact.grad, rtol=1e-3, atol=1e-3 * size)


def test_the_expected_loss_holds_at_every_temperature():
    """The float64 that the float32 above is held to, by a Taylor series."""
    z_student, z_teacher = torch.tensor([[1.0, -1.0]]), torch.tensor([[0.5, 2.0]])
    loss = DistillationLoss(1e4, 1.0)(z_student.double(), z_teacher.double(), None)
    # The variance of the difference under equal probabilities, over two.
    assert loss.item() == pytest.approx(np.var([0.5, -3.0]) / 2, rel=1e-3)
