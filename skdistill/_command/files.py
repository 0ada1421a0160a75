"""Files that are written whole, or not at all."""

import os
from contextlib import contextmanager
from pathlib import Path

from skdistill._inspection.errors import InputError


def check_output(path, option, *inputs):
    """Raise if a file cannot be written, before any work is put into it.

    Parameters
    ----------
    path : path-like
    option : str
        The option that it was given by.
    *inputs : path-like
        Files that are read, which it must not replace.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise InputError(f"{option} {path} is not a file")
    if path.exists() and any(path.samefile(i) for i in inputs if Path(i).exists()):
        raise InputError(f"{option} {path} is a file that is read from")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputError(f"{option} {path}: cannot write to the folder {path.parent}")


@contextmanager
def replacing(path):
    """Yield another name to write to, which becomes `path` if nothing fails."""
    path = Path(path)
    # The ending stays, by which writers choose the format.
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
