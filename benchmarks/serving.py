"""What it takes to serve a student: installed size, cold start, memory.

    python benchmarks/serving.py

writes docs/benchmarks/serving.md. It makes virtual environments without torch, which
takes a package index.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from importlib import metadata
from pathlib import Path

import joblib
import numpy as np
from packaging.requirements import Requirement
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from timing import ratio, table, write

from skdistill import DistilledClassifier

N_ROUNDS = 9
ROOT = Path(__file__).parent.parent
NUMPY = ("numpy", "safetensors")
LIGHT = (*NUMPY, "joblib", "scikit-learn", "scipy")
HEAVY = (*LIGHT, "pandas", "skorch", "torch", "tqdm")

LOAD = {
    **{
        name: (
            f"from skdistill import {name}\n"
            f"model = {name}.load('{{folder}}/model.safetensors')\n"
        )
        for name in ("CompactPredictor", "CompactClassifier")
    },
    "pickle": "import joblib\nmodel = joblib.load('{folder}/model.joblib')\n",
}
ANSWER = (
    "import numpy as np\n"
    "model.predict_proba(np.zeros((1, 20)))\n"
    "import sys\n"
    "assert ('torch' in sys.modules) == {torch}\n"
    "import resource\n"
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
)
RUN = """
import subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], capture_output=True, text=True, check=True)
print(time.perf_counter() - start, done.stdout.strip() or 0)
"""


def closure(names):
    """Return the distributions that some need, those among them."""
    found, waiting = {}, [*names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = metadata.distribution(name)
        for line in found[name].requires or ():
            needed = Requirement(line)
            marker = needed.marker
            if marker is None or marker.evaluate({"extra": ""}):
                waiting.append(needed.name.lower().replace("_", "-"))
    return found


def megabytes(distributions):
    """Return the size of what they have installed, without compiled bytecode."""
    paths = {
        file.locate()
        for distribution in distributions.values()
        for file in distribution.files or ()
        if file.suffix != ".pyc"
    }
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def environment(folder, packages):
    """Make a virtual environment of some packages, and return its interpreter."""
    venv.create(folder, with_pip=True)
    python = Path(folder) / "bin" / "python"
    pins = [f"{name}=={metadata.version(name)}" for name in packages]
    install = [python, "-m", "pip", "install", "-q"]
    subprocess.run([*install, *pins], check=True)
    subprocess.run([*install, "--no-deps", ROOT], check=True)
    return str(python)


def models(folder):
    """Write a student as a file for each kind of start."""
    X = np.random.default_rng(0).normal(size=(500, 20))
    student = DistilledClassifier(alpha=0, preprocessor="auto", max_epochs=5)
    student.fit(X, X[:, 0] > 0).compact().save(f"{folder}/model.safetensors")
    student = DistilledClassifier(alpha=0, max_epochs=5)
    pipeline = make_pipeline(StandardScaler(), student).fit(X, X[:, 0] > 0)
    joblib.dump(pipeline, f"{folder}/model.joblib")


def starts(folder, bare, light):
    """Return the commands that are compared, by their names in the table."""
    predictor, classifier, pickle = (
        (LOAD[name] + ANSWER).format(folder=folder, torch=name == "pickle")
        for name in ("CompactPredictor", "CompactClassifier", "pickle")
    )
    memory = (
        "import resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    here = sys.executable
    return {
        "python alone": [bare, "-c", memory],
        "CompactPredictor, no scikit-learn installed": [bare, "-c", predictor],
        "CompactPredictor, all installed": [here, "-c", predictor],
        "CompactClassifier, no torch installed": [light, "-c", classifier],
        "CompactClassifier, all installed": [here, "-c", classifier],
        "`import torch` alone": [here, "-c", "import torch\n" + memory],
        "DistilledClassifier": [here, "-c", pickle],
    }


def measured(commands):
    """Return seconds and megabytes of each command, in turn, after a warm-up."""
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    # So that nothing is compiled anew at each start.
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    seconds = {name: [] for name in commands}
    memory = {name: [] for name in commands}
    for _ in range(N_ROUNDS + 1):
        for name, command in commands.items():
            timer = [sys.executable, "-S", "-c", RUN, *command]
            done = subprocess.run(
                timer, capture_output=True, text=True, check=True, env=variables
            )
            elapsed, kilobytes = map(float, done.stdout.split())
            seconds[name].append(elapsed)
            memory[name].append(kilobytes / 1e3)
    return (
        {name: np.array(times[1:]) for name, times in seconds.items()},
        {name: np.median(sizes[1:]) for name, sizes in memory.items()},
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models(folder)
        kilobytes = Path(f"{folder}/model.safetensors").stat().st_size / 1000
        bare = environment(f"{folder}/bare", NUMPY)
        light = environment(f"{folder}/light", LIGHT)
        seconds, memory = measured(starts(folder, bare, light))
    sizes = {
        "for CompactPredictor": closure(NUMPY),
        "for CompactClassifier": closure(LIGHT),
        "for all of skdistill": closure(HEAVY),
    }
    installed = [
        [name, f"{megabytes(found):,.0f}", ", ".join(sorted(found))]
        for name, found in sizes.items()
    ]
    started = [
        [
            name,
            f"{np.median(times):.2f}",
            ratio(seconds, name, "`import torch` alone"),
            f"{memory[name]:,.0f}",
        ]
        for name, times in seconds.items()
    ]
    write(
        "serving",
        "Serving: size, cold start, memory",
        "What the packages have installed, without compiled bytecode. skdistill itself "
        f"is below 1 MB, and the model has {kilobytes:.0f} kB. This torch is the one "
        "for CPUs: those with a GPU's libraries take gigabytes.",
        table(["environment", "MB", "packages"], installed),
        "From the start of the process to its end, with one answer to one row of 20 "
        f"numbers in between: the median of {N_ROUNDS} starts of each, in turn, with "
        "files in the system's cache and one thread. The memory is the most that was "
        "resident.",
        table(
            ["start", "seconds", "to `import torch`, median (min-max)", "MB"], started
        ),
    )


if __name__ == "__main__":
    main()
