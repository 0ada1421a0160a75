"""What a `TablePreprocessor` does, in plain numbers and lists, without pandas."""

import numpy as np

from skdistill._rows import limits_of_rows
from skdistill._values import (
    days_of_date,
    days_of_duration,
    is_missing,
    number_of,
    text_of,
)

TO_NUMBER = {
    "number": number_of,
    "date": days_of_date,
    "duration": days_of_duration,
}
TO_TEXT = {
    "category": text_of,
    "boolean": lambda value: {0.0: "False", 1.0: "True"}.get(number_of(value)),
}
_DAY = np.timedelta64(1, "D")
_OF_DTYPES = {
    **{("number", kind): lambda values: values.astype(np.float64) for kind in "biuf"},
    ("date", "M"): lambda values: (
        (values.astype("M8[us]") - np.datetime64(0, "us")) / _DAY
    ),
    ("duration", "m"): lambda values: values.astype("m8[us]") / _DAY,
}
"""What converts a column at once, by its kind and the kind of its dtype."""


class CompactPreprocessor:
    """The transformation of a fitted `TablePreprocessor`, written down.

    Parameters
    ----------
    columns : list of dict
        What is done to each column of the table, in its order:

        name : str or None
        kind : {"number", "date", "duration", "category", "boolean", "empty"}
        fill : float, of numbers
            Stands for what is missing; dates are days since 1970, durations days.
        low, high : float, of numbers that are clipped, behind `fill`
        mean, scale : float, of numbers that are used
        indicator : True, of numbers that have an indicator of what is missing
        categories : list of str or None, of categories that are used
            Each has an output column; None is what is missing.
        other : bool, beside `categories`
            Whether one more column is there for all other categories.
    """

    __module__ = "skdistill"  # where it is pickled from

    def __init__(self, columns):
        self.columns = columns
        self._limits = limits_of_rows(self.limits_)

    def __repr__(self):
        return f"{type(self).__name__}(<{len(self.columns)} columns>)"

    @classmethod
    def of(cls, preprocessor):
        """Return what a fitted `TablePreprocessor` does, written down."""
        names = getattr(preprocessor, "feature_names_in_", None)
        columns = [
            {"name": None if names is None else str(names[j]), "kind": kind}
            for j, kind in enumerate(preprocessor.kinds_)
        ]
        for column, median in zip(columns, preprocessor.medians_, strict=True):
            if not np.isnan(median):
                column["fill"] = float(median)
        for column, (low, high) in zip(columns, preprocessor.limits_.T, strict=True):
            if np.isfinite(low):
                column |= {"low": float(low), "high": float(high)}
        scaler = preprocessor.scaler_
        if scaler is not None:
            of_scaled = zip(
                preprocessor._scaled, scaler.mean_, scaler.scale_, strict=True
            )
            for j, mean, scale in of_scaled:
                columns[j] |= {"mean": float(mean), "scale": float(scale)}
        for j in preprocessor._gappy:
            columns[j]["indicator"] = True
        encoder = preprocessor.encoder_
        if encoder is not None:
            of_encoded = zip(
                preprocessor._encoded,
                encoder.categories_,
                encoder.infrequent_categories_,
                strict=True,
            )
            for j, categories, rare in of_encoded:
                rare = set() if rare is None else set(rare.tolist())
                frequent = [c for c in categories.tolist() if c not in rare]
                columns[j] |= {"categories": frequent, "other": bool(rare)}
        return cls(columns)

    @property
    def medians_(self):
        """What stands for missing numbers; NaN for columns of other kinds."""
        return np.array([column.get("fill", np.nan) for column in self.columns])

    @property
    def limits_(self):
        """What numbers are clipped to; infinite for other columns."""
        low = [column.get("low", -np.inf) for column in self.columns]
        high = [column.get("high", np.inf) for column in self.columns]
        return np.array([low, high], dtype=np.float64)

    def transform(self, X):
        """Return what `TablePreprocessor.transform` does.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_samples, n_columns)
            Columns in their order; dates may be text in ISO format.

        Returns
        -------
        ndarray of shape (n_samples, n_columns_out), dtype float64

        Raises
        ------
        ValueError
            If a value is not what its column held in training, or is infinite.
        """
        scaled, indicators, encoded = [], [], []
        for column, given in zip(self.columns, _columns_of(X), strict=True):
            values = _array_of(given, column["kind"])
            if column["kind"] in TO_NUMBER:
                numbers = _converted(values, column, TO_NUMBER, np.nan, np.float64)
                if np.isinf(numbers).any():
                    raise ValueError(
                        f"Input X contains infinity, in column {column['name']!r}."
                    )
                missing = np.isnan(numbers)
                if "mean" in column:
                    numbers = np.where(missing, column["fill"], numbers)
                    if "low" in column:
                        numbers = numbers.clip(column["low"], column["high"])
                    scaled.append((numbers - column["mean"]) / column["scale"])
                if "indicator" in column:
                    indicators.append(missing.astype(np.float64))
            elif "categories" in column:
                texts = _converted(values, column, TO_TEXT, None, object)
                encoded.extend(_one_hot(texts, column["categories"], column["other"]))
        return np.stack([*scaled, *indicators, *encoded], axis=1)


def _columns_of(X):
    """Return the columns of a table, as pandas has them or as arrays."""
    if hasattr(X, "get_columns"):  # of polars
        return [column.to_numpy() for column in X.get_columns()]
    if hasattr(X, "iloc"):
        return [X.iloc[:, j] for j in range(X.shape[1])]
    values = np.asarray(X)
    # Numbers beside text in a list have become text.
    return (np.asarray(X, dtype=object) if values.dtype.kind in "US" else values).T


def _array_of(values, kind):
    """Return a column as an array; its text is that of the elements in Python.

    The text of numpy's own is another: of float32 and of dates, for example.
    """
    if hasattr(values, "iloc"):
        if hasattr(values.dtype, "categories"):
            # As they are: beside missing values, pandas makes floats of them.
            return _objects([*values.cat.categories, None])[values.cat.codes]
        return _objects(values) if kind in TO_TEXT else values.to_numpy()
    is_float_text = kind in TO_TEXT and values.dtype.kind == "f"
    return values.astype(object) if is_float_text else values


def _objects(values):
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):  # which may be a sequence
        array[i] = value
    return array


def _converted(values, column, functions, missing, dtype):
    """Return an array of values as the function for its kind makes them."""
    convert, kind = functions[column["kind"]], column["kind"]
    whole = _OF_DTYPES.get((kind, values.dtype.kind))
    if whole is not None:
        return whole(values)
    out = np.full(len(values), missing, dtype=dtype)
    for i, value in enumerate(values):
        if is_missing(value):
            continue
        try:
            out[i] = convert(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"Column {column['name']!r} of X must hold {kind}s, as it did in fit. "
                f"Got {value!r}."
            ) from error
    return out


def _one_hot(texts, categories, other):
    """Yield a float column for each category, and for all others if there is one."""
    place_of = {category: place for place, category in enumerate(categories)}
    places = np.array([place_of.get(text, len(categories)) for text in texts])
    for place in range(len(categories) + other):
        yield (places == place).astype(np.float64)
