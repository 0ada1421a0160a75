"""One progress bar for a whole fit, however many estimators take part in it."""

from contextlib import contextmanager
from contextvars import ContextVar

from tqdm.auto import tqdm

_shown_bar = ContextVar("skdistill_shown_bar", default=None)


@contextmanager
def epoch_progress(n_epochs, *, description, verbose):
    """Yield a bar of `n_epochs` more epochs; shown if `verbose` is 1.

    Inside another fit that shows a bar, that bar is made longer and yielded, so that
    a teacher fitted by a `DistilledClassifier` counts in the same bar.
    """
    bar = _shown_bar.get()
    if bar is not None:
        bar.total += n_epochs
        bar.set_description(description)
        yield bar
        return
    with tqdm(
        total=n_epochs, desc=description, unit="epoch", disable=verbose != 1
    ) as bar:
        token = _shown_bar.set(bar if verbose == 1 else None)
        try:
            yield bar
        finally:
            _shown_bar.reset(token)
