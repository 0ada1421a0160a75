"""One net and its callbacks: how they stop it, and what they save of it."""

import functools
import signal

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from skorch.callbacks import Callback, Checkpoint

from skdistill import DistilledClassifier, EnsembleTeacher
from tests.nets import small_net

# --- Stopping -------------------------------------------------------------------------


def give_up():
    raise KeyboardInterrupt


def ctrl_c():
    signal.raise_signal(signal.SIGINT)


class EndsByHelper(Callback):
    def __init__(self, end):
        self.end = end

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            self.end()


class EndsUnderAnotherName(Callback):
    def on_epoch_end(this, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("callback", [EndsByHelper(give_up), EndsUnderAnotherName()])
def test_callbacks_stop_training_however_they_raise(binary, callback):
    net = small_net(callbacks=[callback])
    teacher = EnsembleTeacher(net, n_estimators=1).fit(*binary)
    assert len(teacher.estimators_[0].history) == 2


def raise_anew(after):
    try:
        after()
    except KeyboardInterrupt:
        raise KeyboardInterrupt from None


@pytest.mark.usefixtures("ctrl_c_interrupts")
def test_ctrl_c_that_a_callback_raises_anew_is_not_taken_for_a_stop(binary):
    net = small_net(callbacks=[EndsByHelper(functools.partial(raise_anew, ctrl_c))])
    with pytest.raises(KeyboardInterrupt):
        EnsembleTeacher(net, n_estimators=1).fit(*binary)


@pytest.mark.usefixtures("ctrl_c_interrupts")
@pytest.mark.parametrize("end", [give_up, functools.partial(raise_anew, give_up)])
def test_a_stop_is_one_where_ctrl_c_was_caught_before(binary, end):
    """As in a notebook that fits something smaller after an interrupted fit."""
    net = small_net(callbacks=[EndsByHelper(end)])
    try:
        ctrl_c()
    except KeyboardInterrupt:
        teacher = EnsembleTeacher(net, n_estimators=1).fit(*binary)
    assert len(teacher.estimators_[0].history) == 2


def raising_handler(signum, frame):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "handler",
    [
        signal.default_int_handler,
        raising_handler,
        functools.partial(raising_handler),
    ],
)
def test_ctrl_c_in_what_a_callback_calls_is_not_taken_for_a_stop(binary, handler):
    net = small_net(callbacks=[EndsByHelper(ctrl_c)])
    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            EnsembleTeacher(net, n_estimators=1).fit(*binary)
    finally:
        signal.signal(signal.SIGINT, before)


# --- Saving ---------------------------------------------------------------------------


def test_what_a_callback_saves_names_nothing_of_ours(binary, tmp_path):
    """So that it can be loaded whatever becomes of this package's private names."""
    save = Checkpoint(f_pickle="net.pkl", dirname=str(tmp_path), monitor=None)
    model = DistilledClassifier(
        LogisticRegression(), student=small_net(callbacks=[save]), random_state=0
    )
    model.fit(*binary, sample_weight=np.ones(len(binary[1])))
    assert b"skdistill." not in (tmp_path / "net.pkl").read_bytes()
