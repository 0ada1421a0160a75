"""Messages: no wider than a screen, warnings and errors without their origin."""

import sys
import textwrap
import warnings
from contextlib import contextmanager

WIDTH = 100


def wrapped(text):
    """Return a text whose lines are no longer than `WIDTH`; what fits stays."""
    lines = []
    for line in text.split("\n"):
        if len(line) <= WIDTH:
            lines.append(line)
        else:
            lines += textwrap.wrap(
                line, WIDTH, subsequent_indent="  ", break_on_hyphens=False
            )
    return "\n".join(lines)


def printable(text):
    """Return a text with escapes for what a terminal may obey instead of showing."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in text
    )


def complain(text):
    """Write an error or a warning: one line, unless a person looks at it."""
    line = "skdistill: " + printable(" ".join(text.split()))
    print(wrapped(line) if sys.stderr.isatty() else line, file=sys.stderr)


@contextmanager
def plain_warnings():
    """Show each warning as one line, without the place in the code that it is from."""

    def show(message, category, filename, lineno, file=None, line=None):
        complain(f"warning: {message}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
