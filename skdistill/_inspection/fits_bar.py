"""One bar for many fits of several kinds, with the time that is left."""

import threading
import time
from contextlib import contextmanager

import numpy as np
from tqdm import tqdm

INTERVAL = 1.0
"""Seconds between two states of the bar."""

UNKNOWN = "{desc}{elapsed} gone"
KNOWN = "{l_bar}{bar}| {elapsed} gone, {remaining} left"


class FitsBar:
    """A bar that moves while a fit runs, and knows how long each kind takes.

    Until a kind has been fitted once, it is guessed from those that have.

    Parameters
    ----------
    planned : dict of str to int
        The number of fits of each kind.
    guesses : dict of str to float
        How long they may take, relative to each other.
    disable : bool or None
        As of tqdm: None shows the bar on a terminal only.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(self, planned, guesses, *, disable=None, clock=time.monotonic):
        self._planned, self._guesses = dict(planned), guesses
        self._took = {kind: [] for kind in planned}
        self._running = None
        self._disable, self._clock = disable, clock

    def __enter__(self):
        self._start, self._done = self._clock(), threading.Event()
        self._bar = tqdm(disable=self._disable, bar_format=UNKNOWN)
        self._thread = threading.Thread(target=self._keep_moving, daemon=True)
        if not self._bar.disable:
            self._thread.start()
        return self

    def __exit__(self, *exception):
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()
        self._bar.close()

    @contextmanager
    def fitting(self, kind, description):
        """Count what is done inside as one fit of a kind."""
        self._bar.set_description(description)
        start = self._clock()
        self._running = kind, start
        yield
        self._running = None
        self._took[kind].append(self._clock() - start)

    def seconds_left(self):
        """Return the seconds that all fits will still take, or None."""
        left, now = 0.0, self._clock()
        for kind, n_planned in self._planned.items():
            seconds = self._seconds_of(kind)
            if seconds is None:
                return None
            left += (n_planned - len(self._took[kind])) * seconds
        running = self._running
        if running is not None:
            kind, start = running
            left -= min(now - start, self._seconds_of(kind))
        return left

    def _seconds_of(self, kind):
        if self._took[kind]:
            return np.mean(self._took[kind])
        units = [
            np.mean(took) / self._guesses[kind]
            for kind, took in self._took.items()
            if took
        ]
        return self._guesses[kind] * np.mean(units) if units else None

    def _keep_moving(self):
        while not self._done.wait(INTERVAL):
            self._show()
        self._show()

    def _show(self):
        left = self.seconds_left()
        # In seconds, so that what tqdm makes of its speed is the time left.
        self._bar.n = self._clock() - self._start
        self._bar.total = None if left is None else self._bar.n + left
        self._bar.bar_format = UNKNOWN if left is None else KNOWN
        self._bar.refresh()
