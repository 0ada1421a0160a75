"""Values of a table as numbers and text, one by one, without pandas."""

from datetime import date, datetime, timedelta, timezone
from numbers import Number

import numpy as np

_DAY = np.timedelta64(1, "D")
_EPOCH = datetime(1970, 1, 1)


def is_missing(value):
    """Tell whether a value is None, NaN, NaT or `pandas.NA`."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA does not say whether it differs from itself
        return True


def text_of(value):
    """Return a category as text, the same for 1 and 1.0."""
    if isinstance(value, float | np.floating) and value.is_integer():
        value = int(value)
    return str(value)


def number_of(value):
    """Return a number as a float, or raise a TypeError."""
    # To numpy, a duration is a number too.
    if not isinstance(value, Number | np.bool_) or isinstance(value, np.timedelta64):
        raise TypeError("not a number")
    return float(value)


def days_of_date(value):
    """Return the days since 1970 of a date, or of one in ISO format."""
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            value = value.astimezone(timezone.utc).replace(tzinfo=None)
        return (value - _EPOCH) / timedelta(days=1)
    if isinstance(value, date):
        return float((value - _EPOCH.date()).days)
    raise TypeError("not a date")


def days_of_duration(value):
    """Return the days of a duration, or a number of days as it is."""
    if isinstance(value, np.timedelta64):
        return float(value.astype("timedelta64[us]") / _DAY)
    if isinstance(value, timedelta):
        return value / timedelta(days=1)
    return number_of(value)
