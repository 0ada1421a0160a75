import re
import sys
import threading

import pytest

from skdistill._inspection import fits_bar
from skdistill._inspection.fits_bar import FitsBar


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_seconds_left_are_guessed_until_a_kind_has_been_fitted(clock):
    bar = FitsBar({"small": 2, "big": 1}, {"small": 1, "big": 10}, clock=clock)
    with bar:
        assert bar.seconds_left() is None
        with bar.fitting("small", "a"):
            clock.now += 3
        assert bar.seconds_left() == 3 + 30
        with bar.fitting("small", "b"):
            clock.now += 5
        assert bar.seconds_left() == 40
        with bar.fitting("big", "c"):
            clock.now += 15
            assert bar.seconds_left() == 25
            clock.now += 100
            assert bar.seconds_left() == 0
        assert bar.seconds_left() == 0


def test_the_bar_moves_while_a_fit_runs(clock, capsys, monkeypatch):
    monkeypatch.setattr(fits_bar, "INTERVAL", 0.001)
    with FitsBar({"small": 2}, {"small": 1}, disable=False, clock=clock) as bar:
        with bar.fitting("small", "first"):
            clock.now += 60
        with bar.fitting("small", "second"):
            refresh, has_moved = bar._bar.refresh, threading.Event()

            def moved():
                refresh()
                has_moved.set()

            monkeypatch.setattr(bar._bar, "refresh", moved)
            assert has_moved.wait(60)
            assert bar._bar.total == 120
            assert bar._bar.n == 60
    assert not bar._thread.is_alive()
    assert re.search(r"second: .*50%\|.* left", capsys.readouterr().err)


def test_nothing_is_shown_where_nobody_looks(clock, capsys):
    assert not sys.stderr.isatty()
    with FitsBar({"small": 1}, {"small": 1}, clock=clock) as bar:
        with bar.fitting("small", "first"):
            clock.now += 1
        assert not bar._thread.is_alive()
    assert capsys.readouterr().err == ""
