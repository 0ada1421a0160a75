import io
import subprocess
import sys
import time
import warnings
from types import ModuleType, SimpleNamespace

from skdistill import _progress
from skdistill._progress import epoch_progress


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
