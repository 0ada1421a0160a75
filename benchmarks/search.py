"""Time of a search over temperature and alpha, by every route.

    python benchmarks/search.py

writes docs/benchmarks/search.md and search.png.
"""

import inspect
import tempfile
import time

import numpy as np
from fit import REFERENCE, data
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from timing import RESULTS, ratio, table, write

from skdistill import DistilledClassifierCV, SearchDisplay, reference_recipe

TEMPERATURES = [1.0, 2.0, 3.0, 5.0]
ALPHAS = [0.3, 0.5, 0.7, 0.9]
GRID = {"temperature": TEMPERATURES, "alpha": ALPHAS}
FOLDS = StratifiedKFold(5)
N_FITS = 16 * 5
N_ROUNDS = 3


def model(engine="auto", memory=None):
    return reference_recipe(memory=memory, random_state=0, teacher__engine=engine)


def seconds(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def extrapolated(X, y, engine):
    """Return the seconds of a plain search, from one candidate on one fold of it.

    The teachers that it fits differ in rows only, and the students in numbers that no
    product's time depends on.
    """
    train, _ = next(FOLDS.split(X, y))
    fold, _ = seconds(lambda: clone(model(engine)).fit(X[train], y[train]))
    refit, _ = seconds(lambda: clone(model(engine)).fit(X, y))
    return N_FITS * fold + refit


def by_search(X, y):
    return seconds(lambda: GridSearchCV(model(), GRID, cv=FOLDS).fit(X, y))


def by_memory(X, y):
    with tempfile.TemporaryDirectory() as folder:
        search = GridSearchCV(model(memory=folder), GRID, cv=FOLDS)
        first, result = seconds(lambda: search.fit(X, y))
        second, _ = seconds(lambda: clone(search).fit(X, y))
    return first, second, result


def by_cv(X, y):
    of_recipe = model().get_params(deep=False)
    shared = inspect.signature(DistilledClassifierCV).parameters.keys() & of_recipe
    search = DistilledClassifierCV(
        **{name: of_recipe[name] for name in shared - {"n_jobs"}},
        temperatures=TEMPERATURES,
        alphas=ALPHAS,
        cv=FOLDS,
    )
    return seconds(lambda: search.fit(X, y))


def one_round(X, y):
    first, second, memory = by_memory(X, y)
    cv, stacked = by_cv(X, y)
    times = {
        'plain, `engine="joblib"`': extrapolated(X, y, "joblib"),
        "plain": extrapolated(X, y, "auto"),
        "`memory`": first,
        "`memory`, second run": second,
        "`DistilledClassifierCV`": cv,
    }
    return times, memory, stacked


def main():
    X, y = data(REFERENCE["n_rows"])
    rounds = [one_round(X, y) for _ in range(N_ROUNDS)]
    times = {
        name: np.array([times[name] for times, _, _ in rounds]) for name in rounds[0][0]
    }
    measured, plain = by_search(X, y)
    _, memory, stacked = rounds[-1]
    scores = {
        name: search.cv_results_["mean_test_score"]
        for name, search in (("plain", plain), ("memory", memory), ("cv", stacked))
    }
    apart = {
        name: np.abs(scores[name] - scores["plain"]).max() for name in ("memory", "cv")
    }
    names = list(times)
    write(
        "search",
        "Searching temperature and alpha",
        "4 x 4 candidates, 5 folds, the reference recipe: 4,000 rows, a teacher of 12 "
        "networks for 30 epochs, a student for 50. The plain searches, `GridSearchCV` "
        "over `DistilledClassifier`, are extrapolated from one fit on the rows of a "
        "fold and one on all rows.",
        table(
            ["", "seconds", f"{names[0]}, takes", f"{names[1]} takes"],
            [
                [
                    name,
                    f"{np.median(times[name]):.1f}",
                    ratio(times, names[0], name),
                    ratio(times, names[1], name),
                ]
                for name in names
            ],
        ),
        f"The plain search with the fast engine, run once in full: {measured:.0f} s. "
        "Mean scores of all candidates differ from its own by at most "
        f"{apart['memory']:.4f} with `memory` and {apart['cv']:.4f} with "
        "`DistilledClassifierCV`. Its choice is "
        f"{plain.best_params_}, score {plain.best_score_:.4f}; that of "
        f"`DistilledClassifierCV` is {stacked.best_params_}, score "
        f"{stacked.best_score_:.4f}.",
        "![score by temperature and alpha](search.png)",
    )
    display = SearchDisplay.from_estimator(stacked)
    display.figure_.savefig(RESULTS / "search.png", dpi=120)


if __name__ == "__main__":
    main()
