"""Files that the commands write."""

import os
from contextlib import contextmanager
from pathlib import Path

from skdistill._files import replacing
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
    folder = Path(os.path.realpath(path)).parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{option} {path}: cannot write to the folder {folder}")


@contextmanager
def written(path):
    """Yield a name to write to, which becomes `path`; say so if that fails."""
    try:
        with replacing(path) as part:
            yield part
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
