"""Files that are written whole, or not at all."""

import os
import secrets
from contextlib import contextmanager
from pathlib import Path


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
    finally:
        part.unlink(missing_ok=True)
