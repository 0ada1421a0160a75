"""Files that are written whole, or not at all."""

import os
import secrets
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
    folder = Path(os.path.realpath(path)).parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{option} {path}: cannot write to the folder {folder}")


@contextmanager
def replacing(path):
    """Yield another name to write to, which becomes `path` if nothing fails."""
    target = Path(os.path.realpath(path))  # behind a link, what it points to
    # Nobody can guess it, and put a link there. The ending stays, by which writers
    # choose the format.
    part = target.with_name(f".part-{secrets.token_hex(8)}-{target.name}")
    try:
        part.open("xb").close()
        yield part
        os.replace(part, target)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
