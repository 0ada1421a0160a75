"""Damage and forge model files, and see what `CompactClassifier.load` makes of them.

    python benchmarks/fuzz_model_file.py 100000

Of every four files one has bits flipped, one is cut off or has bytes put in or taken
out, one has another header of safetensors, and one says something else in our own
header, with a checksum that is right. A file must be refused with the ValueError of
`load`, or give a model that predicts: the same as before, unless the header was forged
with its checksum. Each is loaded in a process with little memory to spare, where it may
take 3 times its size, and half a MiB for what Python and numpy need anyway.
"""

import argparse
import hashlib
import json
import resource
import signal
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections import Counter
from multiprocessing import Pipe, Process
from pathlib import Path

import numpy as np

from skdistill import CompactClassifier, DistilledClassifier

SPARE = 2**19
SECONDS = 10
ADDRESS_SPACE = 2**29
VALUES = (
    None, True, False, 0, 1, -1, 2, 3, 1.5, 2**31, 2**63, 10**400, 1e308, -1e-320, "",
    "a", "a\0", "\ud800", "x" * 300_000, "x" * 20_000, "category", "object", "U9",
    [], [[]], {}, {"a": []}, [None] * 9, [1, 2], ["a"] * 20, [0, 1e999], float("nan"),
)  # fmt: skip


def models():
    """Return models of several kinds, each with rows that it takes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 6))
    table = [
        [*row, colour, day]
        for row, colour, day in zip(
            X.tolist(),
            rng.choice(["red", "green", None], 200).tolist(),
            np.arange("2026-01-01", "2026-07-20", dtype="M8[D]").tolist(),
            strict=False,
        )
    ]
    table = np.array(table, dtype=object)
    table[::7, 0] = None
    y = (X[:, 0] > 0) + 0
    three = np.array(["no", "yes", "perhaps"])[y + (X[:, 1] > 0)]
    quick = {"alpha": 0.0, "max_epochs": 5, "random_state": 0}
    warnings.simplefilter("ignore")  # of so few epochs, and of overflows later
    wide = DistilledClassifier(**quick)
    small = DistilledClassifier(hidden_layer_sizes=(4,), **quick)
    auto = DistilledClassifier(hidden_layer_sizes=(4,), preprocessor="auto", **quick)
    yield wide.fit(X, y).compact(), X[:3]
    yield small.fit(X, three).compact(), X[:3]
    yield auto.fit(X, y > 0).compact(), X[:3]
    yield auto.fit(table, three).compact(), table[:3]


def seeds(folder):
    """Return the bytes of good files, each with rows and the answer for them."""
    found = []
    for model, X in models():
        for dtype in ("float32", "float16", "int8"):
            path = Path(folder, "good")
            model.save(path, dtype=dtype, metrics={"log_loss": 0.5})
            proba = CompactClassifier.load(path).predict_proba(X)
            found.append((path.read_bytes(), X, proba))
    return found


def split(data):
    """Return the header of safetensors as an object, and the bytes behind it."""
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def joined(header, rest):
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + rest


def with_header(data, change):
    """Return a file with another header of ours, and the checksum that it needs."""
    outer, rest = split(data)
    ours = json.loads(outer["__metadata__"]["skdistill"])
    text = json.dumps(change(ours))
    digest = hashlib.sha256(text.encode())
    names = {"F32": "float32", "F16": "float16", "I8": "int8"}
    for name in sorted(set(outer) - {"__metadata__"}):
        start, end = outer[name]["data_offsets"]
        shape, dtype = outer[name]["shape"], names[outer[name]["dtype"]]
        digest.update(f"\n{name} {dtype} {shape}\n".encode() + rest[start:end])
    outer["__metadata__"] = {"skdistill": text, "sha256": digest.hexdigest()}
    return joined(outer, rest)


def flipped(data, rng):
    data = bytearray(data)
    size = int.from_bytes(data[:8], "little")
    end = rng.choice([8, 8 + size, len(data)])
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        data[rng.integers(end)] ^= 1 << rng.integers(8)
    return bytes(data)


def cut(data, rng):
    start, end = np.sort(rng.integers(len(data) + 1, size=2))
    kinds = [
        data[:end],
        data[start:],
        data[:start] + data[end:],
        data[:end] + data[start:],
        data[:start] + bytes(rng.integers(64)) + data[start:],
        data + rng.bytes(rng.integers(1, 64)),
    ]
    return kinds[rng.integers(len(kinds))]


def mutated(value, rng):
    """Return a JSON value with one part of it, anywhere, made something else."""
    if rng.random() < 0.25 or not isinstance(value, list | dict) or not value:
        return VALUES[rng.integers(len(VALUES))]
    places = [*value] if isinstance(value, dict) else range(len(value))
    place = places[rng.integers(len(places))]
    copy = value.copy()
    chance = rng.random()
    if chance < 0.1:
        del copy[place]
    elif chance < 0.15 and isinstance(copy, list):
        copy *= 2
    elif chance < 0.15:
        copy["more"] = copy.pop(place)
    else:
        copy[place] = mutated(copy[place], rng)
    return copy


def forged_outside(data, rng):
    outer, rest = split(data)
    if rng.random() < 0.1:
        size = rng.choice([0, 1, 2**20, 2**27, 2**40, 2**63 - 1])
        return int(size).to_bytes(8, "little") + data[8:]
    if rng.random() < 0.3:
        name = rng.choice(sorted(set(outer) - {"__metadata__"}))
        shape = [[2**40, 0], [2**31, 2**31], [2**62], [1] * 40, [2**16, 2**16]]
        outer[name]["shape"] = shape[rng.integers(len(shape))]
        if rng.random() < 0.5:
            outer[name]["dtype"] = str(rng.choice(["F64", "BF16", "I8", "F16", "F32"]))
        if rng.random() < 0.5:
            outer[name]["data_offsets"] = [0, 2**40]
        return joined(outer, rest)
    return joined(mutated(outer, rng), rest)


def forged_inside(data, rng):
    return with_header(data, lambda header: mutated(header, rng))


DAMAGES = (flipped, cut, forged_outside, forged_inside)


def answer(path, X):
    """Return what a file's model predicts, or None if it is refused, and the memory."""
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    try:
        model = CompactClassifier.load(path)
    except ValueError as error:
        if "is not a model file of skdistill, or it is damaged: " not in str(error):
            raise
        return None, tracemalloc.get_traced_memory()[1] - before
    taken = tracemalloc.get_traced_memory()[1] - before
    try:
        return model.predict_proba(X), taken
    except ValueError:  # The forged header is of another table.
        return None, taken


def fault(damage, data, path, X, proba):
    """Return what is wrong with how a file is taken, or None, and the memory."""
    path.write_bytes(data)
    signal.alarm(SECONDS)
    try:
        found, taken = answer(path, X)
    except Exception as error:
        return f"crash: {type(error).__name__}: {str(error)[:200]}", 0.0
    finally:
        signal.alarm(0)
    if taken > 3 * len(data) + SPARE:
        return f"memory: {taken} bytes for a file of {len(data)}", taken
    is_forged = damage is forged_inside
    if found is None or is_forged or np.array_equal(found, proba):
        return None, max(0, taken - SPARE) / max(1, len(data))
    return "wrong answer", taken


def run(start, stop, seed, connection):
    """Take files by number, and send what came of each."""
    signal.signal(signal.SIGALRM, _hang)
    with tempfile.TemporaryDirectory() as folder:
        good, path = seeds(folder), Path(folder, "damaged")
        tracemalloc.start()
        used = int(Path("/proc/self/statm").read_text().split()[0])
        limit = used * resource.getpagesize() + ADDRESS_SPACE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for number in range(start, stop):
            rng = np.random.default_rng([seed, number])
            data, X, proba = good[rng.integers(len(good))]
            damage = DAMAGES[number % len(DAMAGES)]
            what, ratio = fault(damage, damage(data, rng), path, X, proba)
            connection.send((number, what, ratio))


def _hang(number, frame):
    raise TimeoutError(f"longer than {SECONDS} seconds")


def outcomes(n_files, seed):
    """Iterate over what came of each file; a process that dies is started anew."""
    number = 0
    while number < n_files:
        receiver, sender = Pipe(duplex=False)
        process = Process(target=run, args=(number, n_files, seed, sender))
        process.start()
        sender.close()
        try:
            while True:
                number, what, ratio = receiver.recv()
                yield number, what, ratio
                number += 1
        except EOFError:
            process.join()
        if process.exitcode:
            yield number, f"crash: the process ended with {process.exitcode}", 0.0
            number += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("n_files", type=int)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    found, largest, start = Counter(), 0.0, time.monotonic()
    for number, what, ratio in outcomes(args.n_files, args.seed):
        largest = max(largest, ratio)
        if what is not None:
            found[what.partition(":")[0]] += 1
            print(f"file {number} ({DAMAGES[number % len(DAMAGES)].__name__}): {what}")
    minutes = (time.monotonic() - start) / 60
    kinds = ("crash", "wrong answer", "memory")
    counts = ", ".join(f"{kind} {found[kind]}" for kind in kinds)
    print(
        f"{args.n_files} files in {minutes:.1f} minutes: {counts}. Most memory beyond "
        f"{SPARE} bytes: {largest:.2f} of a file's size."
    )
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
