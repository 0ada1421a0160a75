"""The picture of how networks were trained."""

import numpy as np
import pandas as pd
from sklearn.exceptions import NotFittedError

from skdistill._inspection.networks import networks_of, unwrapped

# By Okabe and Ito, for every eye. In grey they differ in line and width.
STUDENT = {"color": "#0072B2", "linestyle": "-", "linewidth": 2, "zorder": 3}
MEMBER = {"color": "#D55E00", "linestyle": "--", "linewidth": 1, "alpha": 0.7}


class TrainingDisplay:
    """Picture of the training losses of a student and of its teacher's networks.

    The losses are as they were minimized, by epoch: of a student the distillation loss,
    of a teacher's network mostly the cross-entropy of labels. So their shapes compare,
    not their heights: a curve that is falling at its end would have taken more epochs.
    Use `from_estimator` to make one.

    Parameters
    ----------
    student : array-like of shape (n_epochs,), default=None
        The mean loss of the student in each epoch, if there is one.
    members : list of array-like of shape (n_epochs,), default=()
        Those of the networks of the teacher. They may have different lengths.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes that were drawn on. Like the next two it is there after `plot`.
    figure_ : matplotlib.figure.Figure
        Its figure.
    lines_ : list of matplotlib.lines.Line2D
        The curves, that of the student first.

    See Also
    --------
    TradeoffDisplay : Draws score against size or latency.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skdistill import DistilledClassifier, EnsembleTeacher, TrainingDisplay
    >>> X, y = make_classification(n_samples=100, random_state=0)
    >>> teacher = EnsembleTeacher(n_estimators=3, max_epochs=5)
    >>> model = DistilledClassifier(teacher, max_epochs=8).fit(X, y)
    >>> display = TrainingDisplay.from_estimator(model)
    >>> len(display.student), len(display.members)
    (8, 3)
    >>> display.frame().columns.tolist()
    ['model', 'member', 'epoch', 'loss']
    """

    __module__ = "skdistill"  # where it is pickled from

    def __init__(self, student=None, members=()):
        self.student = student
        self.members = members

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **line_kw):
        """Draw how a fitted model was trained.

        Parameters
        ----------
        estimator : DistilledClassifier, EnsembleTeacher or Pipeline
            A fitted model with networks: a `DistilledClassifier`, of which the student,
            the teacher or both are; a search for one; an `EnsembleTeacher`, or what
            else has networks of skorch or a `loss_curve_`; or a Pipeline that ends in
            one.
        ax : matplotlib.axes.Axes, default=None
            What to draw on; it is cleared first. None makes a new figure.
        **line_kw : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for all curves.

        Returns
        -------
        TrainingDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If there is no loss of a network, as in a model that is not fitted, or that
            has none.
        """
        model = unwrapped(estimator)
        student, members = None, []
        if hasattr(model, "student_"):
            student = getattr(model, "loss_curve_", None)
            if model.teacher_ is not None:
                members = _losses_of(model.teacher_)
        else:
            members = _losses_of(model)
        if student is None and not members:
            raise NotFittedError(
                "The 'estimator' parameter of TrainingDisplay must be a fitted model "
                "with a network, such as DistilledClassifier, or a Pipeline that ends "
                f"in one. Got {type(model).__name__}, which is not fitted, or has none."
            )
        return cls(student, members).plot(ax=ax, **line_kw)

    def frame(self):
        """Return what is drawn as a table.

        Returns
        -------
        pandas.DataFrame
            A row for every network and epoch: the `model`, "student" or "teacher", the
            number of the `member` of the teacher, -1 for the student, the `epoch`, from
            1 on, and the `loss`.
        """
        tables = [
            pd.DataFrame(
                {
                    "model": model,
                    "member": member,
                    "epoch": np.arange(1, len(losses) + 1),
                    "loss": np.asarray(losses, dtype=float),
                }
            )
            for model, member, losses in self._curves()
        ]
        return pd.concat(tables, ignore_index=True)

    def plot(self, *, ax=None, **line_kw):
        """Draw the losses by epoch, on a logarithmic axis.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            What to draw on; it is cleared first. None makes a new figure.
        **line_kw : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for all curves.

        Returns
        -------
        TrainingDisplay
            Itself.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        ax.clear()
        self.ax_, self.figure_, self.lines_ = ax, ax.figure, []
        n_members = len(self.members)
        networks = f"{n_members} networks" if n_members > 1 else "network"
        for model, member, losses in self._curves():
            style = STUDENT if model == "student" else MEMBER
            label = {-1: "student", 0: f"{networks} of the teacher"}.get(member)
            # A single epoch makes no line.
            marker = {"marker": "o"} if len(losses) == 1 else {}
            self.lines_ += ax.plot(
                np.arange(1, len(losses) + 1),
                losses,
                **{"label": label, **style, **marker, **line_kw},
            )
        if (self.frame()["loss"] > 0).all():
            ax.set_yscale("log")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set(xlabel="epoch", ylabel="training loss")
        # Above the axes, where it hides nothing.
        ax.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            frameon=False,
            ncols=2,
            fontsize="small",
            borderaxespad=0.2,
            handlelength=3,
        )
        return self

    def _curves(self):
        """Return the kind, the number and the losses of every network."""
        of_student = [] if self.student is None else [("student", -1, self.student)]
        return of_student + [
            ("teacher", member, losses) for member, losses in enumerate(self.members)
        ]


def _losses_of(model):
    """Return the losses of every network in a fitted model that is no student."""
    nets = networks_of(model)
    if nets:
        return [net.history[:, "train_loss"] for net in nets]
    model = unwrapped(model)
    members = getattr(model, "estimators_", [model])
    losses = [getattr(unwrapped(each), "loss_curve_", None) for each in members]
    return [] if None in losses else losses
