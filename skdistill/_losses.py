"""The distillation loss. Knows torch and nothing else; the T^2 factor lives here."""

from torch import Tensor, nn
from torch.nn import functional as F


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor | None,
    y: Tensor,
    *,
    temperature: float,
    alpha: float,
    sample_weight: Tensor | None = None,
) -> Tensor:
    """Mean over the rows of the soft and the hard term, weighted by `alpha`.

    See `DistillationLoss`, which documents the arguments. With ``alpha=0`` the
    teacher's logits are not read, with ``alpha=1`` the labels are not.
    """
    rows = row_losses(
        student_logits,
        teacher_logits if alpha > 0 else None,
        y if alpha < 1 else None,
        temperature=temperature,
        alpha=alpha,
    )
    if sample_weight is not None:
        rows = rows * sample_weight
    return rows.mean()


def row_losses(
    student_logits: Tensor,
    teacher_logits: Tensor | None,
    y: Tensor | None,
    *,
    temperature: float | Tensor,
    alpha: float | Tensor,
) -> Tensor:
    """Loss of every row: the soft term if there are logits, the hard one if labels.

    Dimensions before the classes are free. As tensors, `temperature` broadcasts
    against the logits and `alpha` against the rows.
    """
    rows = student_logits.new_zeros(student_logits.shape[:-1])
    if teacher_logits is not None:
        log_teacher = F.log_softmax(teacher_logits / temperature, dim=-1)
        log_student = F.log_softmax(student_logits / temperature, dim=-1)
        kl = log_teacher.exp() * (log_teacher - log_student)
        # T^2 keeps the soft gradients at the scale of the hard ones, whatever T.
        rows = rows + alpha * (temperature**2 * kl).sum(dim=-1)
    if y is not None:
        hard = F.cross_entropy(
            student_logits.flatten(0, -2), y.flatten(), reduction="none"
        )
        rows = rows + (1 - alpha) * hard.view_as(y)
    return rows


class DistillationLoss(nn.Module):
    r"""Distillation loss; `alpha` is the weight of the teacher's term.

    .. math::
        L = \alpha T^2 \, \mathrm{KL}\left(\mathrm{softmax}(z_t / T) \,\|\,
        \mathrm{softmax}(z_s / T)\right) + (1 - \alpha) \, \mathrm{CE}(y, z_s)

    with the teacher's logits :math:`z_t`, the student's logits :math:`z_s`, the
    temperature :math:`T` and the labels :math:`y`, averaged over the rows [1]_.
    Both sides are softened, so a student that reaches the minimum at ``alpha=1``
    has the teacher's own probabilities, at every temperature.

    Parameters
    ----------
    temperature : float, default=3.0
        Positive number that divides both logits in the soft term.
    alpha : float, default=0.7
        Weight of the teacher's term, in [0, 1]. The labels' term has weight
        ``1 - alpha``; ``alpha=0`` is plain cross-entropy.

    See Also
    --------
    DistilledClassifier : The estimator that trains a student with this loss.

    References
    ----------
    .. [1] G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural
       Network", 2015, arXiv:1503.02531.

    Examples
    --------
    >>> import torch
    >>> from skdistill import DistillationLoss
    >>> teacher_logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    >>> y = torch.tensor([0, 1])
    >>> loss = DistillationLoss(temperature=3.0, alpha=1.0)
    >>> loss(teacher_logits, teacher_logits, y).item()
    0.0
    """

    def __init__(self, temperature: float = 3.0, alpha: float = 0.7) -> None:
        super().__init__()
        self.temperature = temperature
        self.alpha = alpha

    def forward(
        self,
        student_logits: Tensor,
        teacher_logits: Tensor | None,
        y: Tensor,
        sample_weight: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of one batch.

        Parameters
        ----------
        student_logits : Tensor of shape (n_samples, n_classes)
            The student's logits.
        teacher_logits : Tensor of shape (n_samples, n_classes) or None
            The teacher's logits, not softened. Not read when ``alpha=0``.
        y : Tensor of shape (n_samples,), dtype int64
            The labels, as class indices. Not read when ``alpha=1``.
        sample_weight : Tensor of shape (n_samples,), default=None
            Factors of the rows' losses. They are not normalized here: scale them
            to a mean of one over the whole training set, so that a batch of
            light rows moves the student less than a batch of heavy ones.

        Returns
        -------
        Tensor
            The loss, a scalar.
        """
        return distillation_loss(
            student_logits,
            teacher_logits,
            y,
            temperature=self.temperature,
            alpha=self.alpha,
            sample_weight=sample_weight,
        )

    def extra_repr(self) -> str:
        """Return what the module's repr shows.

        Returns
        -------
        str
            The settings.
        """
        return f"temperature={self.temperature}, alpha={self.alpha}"
