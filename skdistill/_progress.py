"""One progress bar for a whole fit, however many estimators take part in it."""

import sys
import warnings
from contextlib import contextmanager
from contextvars import ContextVar

import tqdm

_shown_bar = ContextVar("skdistill_shown_bar", default=None)

# Seconds between two states of the bar where each of them stays, as in a log file.
LOG_INTERVAL = 30


@contextmanager
def epoch_progress(n_epochs, *, description, verbose, counts=True):
    """Yield a bar of `n_epochs` more epochs; shown if `verbose` is 1.

    Inside another fit that shows a bar, that bar is made longer and yielded, so that
    a teacher fitted by a `DistilledClassifier` counts in the same bar. `counts` is as
    in `describe`.
    """
    bar = _shown_bar.get()
    if bar is not None:
        _lengthen(bar, n_epochs)
        describe(bar, description, counts=counts)
        yield bar
        return
    if verbose != 1:
        yield tqdm.tqdm(total=n_epochs, disable=True)
        return
    with _new_bar(n_epochs, description, counts) as bar:
        token = _shown_bar.set(bar)
        try:
            yield bar
        finally:
            _shown_bar.reset(token)


def _lengthen(bar, n_epochs):
    bar.total += n_epochs
    if hasattr(bar, "container"):
        # A notebook's widget has an end of its own; without, it is narrow and full.
        _, widget, _ = bar.container.children
        widget.max, widget.bar_style, widget.layout.width = bar.total, "", None


def describe(bar, description, *, counts=True):
    """Say on the bar what goes on; without the count if that does not move it."""
    bar.bar_format = _bar_format(counts)
    # Not set_description, which ends in a colon.
    bar.set_description_str(description)


def _bar_format(counts):
    return None if counts else "{desc} ..."


def _new_bar(n_epochs, description, counts):
    with warnings.catch_warnings():
        # Without ipywidgets, the plain bar does as well.
        warnings.simplefilter("ignore", tqdm.TqdmWarning)
        # Only now, as it looks for a notebook's widgets.
        from tqdm.auto import tqdm as chosen
    options = {}
    if not _is_live(sys.stderr):
        options = {"mininterval": LOG_INTERVAL, "maxinterval": LOG_INTERVAL}
    return chosen(
        total=n_epochs,
        desc=description,
        unit="epoch",
        bar_format=_bar_format(counts),
        # An epoch may move it by a hundred or by one: tqdm is not to guess by which.
        miniters=1,
        **options,
    )


def _is_live(stream):
    """Tell a terminal or a notebook, where a bar writes over what it wrote before."""
    if type(stream).__module__.partition(".")[0] == "ipykernel":
        return True
    return getattr(stream, "isatty", lambda: False)()
