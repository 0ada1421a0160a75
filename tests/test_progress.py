import io
import subprocess
import sys
import time
import warnings
from types import ModuleType, SimpleNamespace

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skdistill import (
    DistilledClassifier,
    DistilledClassifierCV,
    EnsembleTeacher,
    _progress,
)
from skdistill._progress import _lengthen, epoch_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def states_of(bar_stream):
    return [state.strip() for state in bar_stream.getvalue().split("\r") if state]


def states_of_100_seconds(stream, monkeypatch):
    now = [time.time()]
    monkeypatch.setattr(sys, "stderr", stream)
    with epoch_progress(100, description="teacher", verbose=1) as bar:
        bar._time = lambda: now[0]
        for _ in range(100):
            now[0] += 1
            bar.update()
    return states_of(stream)


def test_a_log_gets_few_states(monkeypatch):
    # The first, one in thirty seconds of a hundred, and the last.
    assert 3 <= len(states_of_100_seconds(io.StringIO(), monkeypatch)) <= 6


def test_terminal_and_notebook_get_all_states(monkeypatch):
    assert len(states_of_100_seconds(Terminal(), monkeypatch)) > 90
    notebook = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})
    assert len(states_of_100_seconds(notebook(), monkeypatch)) > 90


def test_small_epochs_show_after_big_ones(monkeypatch):
    # tqdm guessed from the big ones how many to wait for, and skipped the rest.
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with epoch_progress(4004, description="fit", verbose=1) as bar:
        for count in [1000] * 4 + [1] * 4:
            time.sleep(0.11)
            bar.update(count)
    assert all(f" {n}/4004 " in stream.getvalue() for n in range(4000, 4005))


def test_the_widget_of_a_notebook_gets_longer_with_its_bar():
    # It kept its end, and stood there full for the rest of the fit.
    widget = SimpleNamespace(
        max=1, bar_style="info", layout=SimpleNamespace(width="20px")
    )
    bar = SimpleNamespace(
        total=0, container=SimpleNamespace(children=("left", widget, "right"))
    )
    _lengthen(bar, 7)
    assert bar.total == widget.max == 7
    assert (widget.bar_style, widget.layout.width) == ("", None)


def test_no_stderr_is_no_terminal():
    assert not _progress._is_live(None)


def test_silence_does_not_look_for_widgets():
    code = """
import sys, torch, skorch
before = set(sys.modules)
from sklearn.datasets import make_classification
from skdistill import DistilledClassifier, EnsembleTeacher
teacher = EnsembleTeacher(n_estimators=2, max_epochs=1)
X, y = make_classification(50, random_state=0)
DistilledClassifier(teacher, max_epochs=1).fit(X, y)
added = set(sys.modules) - before
print(sorted({"tqdm.auto", "tqdm.autonotebook", "tqdm.notebook"} & added))
"""
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_a_notebook_without_widgets_gets_the_plain_bar_without_a_warning(
    monkeypatch,
):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    # What the tqdm of today looks for.
    zmqshell = ModuleType("ipykernel.zmqshell")
    monkeypatch.setitem(sys.modules, zmqshell.__name__, zmqshell)
    for name in ("ipywidgets", "IPython.html", "IPython.html.widgets"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("tqdm.auto", "tqdm.autonotebook", "tqdm.notebook"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with epoch_progress(2, description="teacher", verbose=1) as bar:
            bar.update(2)
    assert not caught
    assert "2/2" in states_of(terminal)[-1]


def fast_states(fit, monkeypatch):
    """Return all that the bar shows, however fast it moves."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    new_bar = _progress._new_bar

    def fast_bar(*args):
        bar = new_bar(*args)
        bar.mininterval, bar.miniters, bar.dynamic_miniters = 0, 1, False
        return bar

    monkeypatch.setattr(_progress, "_new_bar", fast_bar)
    fit()
    return states_of(sys.stderr)


def test_a_bar_that_stands_still_shows_no_count(binary, monkeypatch):
    teacher = make_pipeline(LogisticRegression())
    model = DistilledClassifier(teacher, max_epochs=3, blend=False, random_state=0)
    model.set_params(verbose=1)
    states = fast_states(lambda: model.fit(*binary), monkeypatch)
    assert states[0] == "teacher Pipeline ..."
    assert [state[:9] for state in states[1:]] == ["student: "] * (len(states) - 1)
    assert "3/3" in states[-1]


def test_a_teacher_of_networks_counts(binary, monkeypatch):
    teacher = EnsembleTeacher(n_estimators=2, max_epochs=5, random_state=0)
    model = DistilledClassifier(teacher, max_epochs=3, verbose=1, random_state=0)
    states = fast_states(lambda: model.fit(*binary), monkeypatch)
    counting = [state for state in states if state.startswith("teacher:")]
    assert any("10/13" in state for state in counting)


def test_networks_beside_the_teacher_count(binary, monkeypatch):
    model = DistilledClassifier(LogisticRegression(), max_epochs=3, random_state=0)
    states = fast_states(lambda: model.set_params(verbose=1).fit(*binary), monkeypatch)
    assert states[0] == "teacher LogisticRegression ..."
    assert any(f"{6 * 3}/{6 * 3 + 3}" in state for state in states)
    assert "21/21" in states[-1]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_bar_of_a_search_moves(binary, monkeypatch, capfd, n_jobs):
    model = DistilledClassifierCV(
        LogisticRegression(),
        temperatures=[1.0, 4.0],
        alphas=[0.5],
        cv=4,
        max_epochs=5,
        calibrate=False,
        verbose=1,
        random_state=0,
        n_jobs=n_jobs,
    )
    states = fast_states(lambda: model.fit(*binary), monkeypatch)
    total = 2 * 4 * 5
    if n_jobs == 1:
        assert any("teacher LogisticRegression, fold 3 of 4" in s for s in states)
        doing, n_moves = "students", 5
    else:
        assert "4 folds in 2 jobs ..." in states
        doing, n_moves = "4 folds in 2 jobs", 2
    for n in range(1, n_moves + 1):
        assert any(f"{doing}: {n / n_moves:>4.0%}|" in state for state in states)
    assert f"{total + 5}/{total + 5}" in states[-1]
    # Nothing from the processes.
    assert capfd.readouterr() == ("", "")
    assert model.best_estimator_.verbose == 1


def test_a_stream_need_not_know_of_terminals(monkeypatch):
    class Stream:
        def write(self, text):
            pass

    monkeypatch.setattr("sys.stderr", Stream())
    with epoch_progress(1, description="it", verbose=1) as bar:
        bar.update()
    assert bar.n == 1
