"""The picture of a search."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import SearchDisplay
from tests.nets import small_distilled, small_search

GRID = {"temperature": [4.0, 1.0, 2.0], "alpha": [0.9, 0.3]}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def cv(binary):
    search = small_search(
        LogisticRegression(), temperatures=[4.0, 1.0, 2.0], alphas=[0.9, 0.3]
    )
    return search.set_params(scoring="neg_log_loss").fit(*binary)


def texts(display):
    return {tuple(t.get_position()): t.get_text() for t in display.ax_.texts}


def test_cells_hold_the_scores_in_order(cv):
    display = SearchDisplay.from_estimator(cv)
    assert display.alphas.tolist() == [0.3, 0.9]
    assert display.temperatures.tolist() == [1.0, 2.0, 4.0]
    for params, score in zip(
        cv.cv_results_["params"], cv.cv_results_["mean_test_score"], strict=True
    ):
        row = display.alphas.tolist().index(params["alpha"])
        column = display.temperatures.tolist().index(params["temperature"])
        assert display.scores[row, column] == score
        assert texts(display)[column, row].startswith(f"{score:.3f}")
    np.testing.assert_array_equal(display.im_.get_array(), display.scores)


def test_choice_and_region_are_marked(cv):
    display = SearchDisplay.from_estimator(cv)
    assert display.chosen == (cv.temperature_, cv.alpha_)
    (frame,) = display.ax_.patches
    column, row = frame.get_xy()
    assert display.temperatures[int(column + 0.5)] == cv.temperature_
    assert display.alphas[int(row + 0.5)] == cv.alpha_
    for (row, column), near in np.ndenumerate(display.within):
        assert ("●" in texts(display)[column, row]) == near
    best = np.unravel_index(np.argmax(display.scores), display.scores.shape)
    assert display.within[best]


def test_axes_say_what_they_show(cv):
    figure, ax = plt.subplots()
    display = SearchDisplay.from_estimator(cv, ax=ax, cmap="magma")
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert display.im_.get_cmap().name == "magma"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("temperature", "alpha")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2", "4"]
    assert figure.axes[1].get_ylabel() == "neg_log_loss"


def test_any_search_will_do(binary):
    model = small_distilled(LogisticRegression(), max_epochs=1)
    pipe = make_pipeline(StandardScaler(), model)
    grid = {f"distilledclassifier__{name}": values for name, values in GRID.items()}
    grid["distilledclassifier__lr"] = [0.001, 0.1]
    search = GridSearchCV(pipe, grid, cv=2).fit(*binary)
    display = SearchDisplay.from_estimator(search)
    assert display.scores.shape == (2, 3)
    assert display.score_name == "accuracy"
    by_cell = search.cv_results_["mean_test_score"].reshape(2, 2, 3)
    # ParameterGrid has alpha first, then lr, then temperature.
    expected = by_cell.max(axis=1)[::-1][:, [1, 2, 0]]
    np.testing.assert_array_equal(display.scores, expected)

    halving = HalvingGridSearchCV(model, GRID, cv=2, min_resources=40).fit(*binary)
    SearchDisplay.from_estimator(halving)


def test_cells_that_were_not_tried_stay_empty(binary):
    model = small_distilled(LogisticRegression(), max_epochs=1)
    grid = [
        {"temperature": [1.0], "alpha": [0.3, 0.9]},
        {"temperature": [2.0], "alpha": [0.9]},
    ]
    display = SearchDisplay.from_estimator(GridSearchCV(model, grid, cv=2).fit(*binary))
    assert np.isnan(display.scores).tolist() == [[False, True], [False, False]]
    assert len(display.ax_.texts) == 3


def test_several_metrics(binary):
    scoring = ["accuracy", "roc_auc"]
    search = small_search(LogisticRegression(), scoring=scoring, refit="roc_auc")
    search.fit(*binary)
    display = SearchDisplay.from_estimator(search)
    assert display.score_name == "roc_auc"
    assert display.scores.max() == search.cv_results_["mean_test_roc_auc"].max()
    display = SearchDisplay.from_estimator(search, metric="accuracy")
    assert display.scores.max() == search.cv_results_["mean_test_accuracy"].max()
    with pytest.raises(ValueError, match="'metric' parameter must be one of"):
        SearchDisplay.from_estimator(search, metric="speed")
    search.set_params(refit=False)
    with pytest.raises(ValueError, match="'accuracy', 'roc_auc'.*Got None"):
        SearchDisplay.from_estimator(search.fit(*binary))


def test_a_search_without_choice_has_no_frame(cv, binary):
    search = small_search(
        LogisticRegression(), scoring=["accuracy", "roc_auc"], refit=False
    )
    display = SearchDisplay.from_estimator(search.fit(*binary), metric="accuracy")
    assert display.chosen is None
    assert not display.ax_.patches


def test_what_is_no_such_search_is_refused(binary):
    model = small_distilled(LogisticRegression(), max_epochs=1)
    search = GridSearchCV(model, {"alpha": [0.5]}, cv=2)
    with pytest.raises(ValueError, match="not fitted"):
        SearchDisplay.from_estimator(search)
    with pytest.raises(ValueError, match="one parameter that is a temperature.* none"):
        SearchDisplay.from_estimator(search.fit(*binary))
    grids = [{"alpha": [0.0]}, {"alpha": [0.5], "temperature": [2.0]}]
    search = GridSearchCV(model, grids, cv=2).fit(*binary)
    with pytest.raises(ValueError, match="must have a temperature. There is none in"):
        SearchDisplay.from_estimator(search)
