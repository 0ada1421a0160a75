"""What the user can put right."""


class InputError(Exception):
    """Something the user can put right; shown as one line, without a traceback."""
