"""Files that the commands write."""

import os
from contextlib import contextmanager
from pathlib import Path

from skdistill._files import replacing
from skdistill._inspection.errors import InputError
from skdistill._inspection.tables import is_parquet

COMPRESSED = (".gz", ".bz2", ".xz")
TABLES = ".csv, .csv.gz, .csv.bz2, .csv.xz, .parquet or .pq"
"""How the name of a table that is written may end."""


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


def check_table_name(path, option):
    """Raise if the name of a table to be written says that it is no CSV or Parquet.

    One that says nothing, without an ending, is that of a CSV file.
    """
    stem, suffix = os.path.splitext(path)
    if suffix.lower() in COMPRESSED:
        suffix = os.path.splitext(stem)[1]
    if not is_parquet(path) and suffix.lower() not in ("", ".csv"):
        raise InputError(f"{option} {path}: its name must end in {TABLES}")


@contextmanager
def written(path):
    """Yield a name to write to, which becomes `path`; say so if that fails."""
    try:
        with replacing(path) as part:
            yield part
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
