import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def mixed():
    """A table of many kinds of columns, and labels."""
    rng = np.random.default_rng(0)
    n = 120
    colour = rng.choice(["red", "green", "blue", None], n).astype(object)
    colour[:3] = "rare", "rarer", "rarest"
    size = rng.normal(1000, 50, n)
    moments = pd.Timestamp("2024-01-01 12:30") + pd.to_timedelta(rng.random(n) * 9, "D")
    X = pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, size),
            "colour": colour,
            "level": pd.Categorical(rng.choice([1, 2, 3], n)),
            "grade": rng.choice([1.0, 2.5, np.nan], n),
            "moment": moments,
            "day": pd.Series(moments.date),
            "zoned": moments.tz_localize("Europe/Paris"),
            "age": pd.to_timedelta(rng.integers(99, size=n), "D"),
            "flag": rng.random(n) < 0.5,
            "nothing": None,
            "count": pd.array(rng.integers(9, size=n), dtype="Int64"),
        }
    )
    X["grade"] = pd.Categorical(X["grade"])
    X.loc[5:7, "count"] = pd.NA
    X.loc[9, "moment"] = pd.NaT
    # What is clipped.
    X.loc[11, "size"] = -1e6
    X.loc[12, "moment"] = pd.Timestamp("1900-01-01")
    return X, np.where((colour == "red") | (size > 1040), "yes", "no")
