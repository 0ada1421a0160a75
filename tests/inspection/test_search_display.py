"""The picture of a search."""

from enum import Enum
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import SearchDisplay
from skdistill._inspection.search_display import labels
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

    halving = HalvingGridSearchCV(model, GRID, factor=2, cv=2, min_resources=20)
    halving.fit(*binary)
    display = SearchDisplay.from_estimator(halving)
    results = halving.cv_results_
    last = results["iter"] == results["iter"].max()
    assert 0 < last.sum() < len(last)
    for params, score, is_last in zip(
        results["params"], results["mean_test_score"], last, strict=True
    ):
        if is_last:
            row = display.alphas.tolist().index(params["alpha"])
            column = display.temperatures.tolist().index(params["temperature"])
            assert display.scores[row, column] == score
    assert display.within.sum() <= last.sum()


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
    with pytest.raises(ValueError, match="'search' .* Got Distilled.* no search"):
        SearchDisplay.from_estimator(model.fit(*binary))
    search = GridSearchCV(model, {"lr": [0.1]}, cv=2).fit(*binary)
    message = "temperature or the alpha of a DistilledClassifier. It is over \\['lr'\\]"
    with pytest.raises(ValueError, match=message):
        SearchDisplay.from_estimator(search)
    grids = [{"alpha": [0.0]}, {"alpha": [0.5], "temperature": [2.0]}]
    search = GridSearchCV(model, grids, cv=2).fit(*binary)
    with pytest.raises(ValueError, match="must have a temperature. There is none in"):
        SearchDisplay.from_estimator(search)
    grids = [{"temperature": [1.0]}, {"alpha": [0.5], "temperature": [2.0]}]
    search = GridSearchCV(model, grids, cv=2).fit(*binary)
    with pytest.raises(ValueError, match="must have an alpha. There is none in"):
        SearchDisplay.from_estimator(search)
    with pytest.raises(
        ValueError, match="must have the 'params' .* have \\['scores'\\]"
    ):
        SearchDisplay.from_estimator(SimpleNamespace(cv_results_={"scores": [1.0]}))


# --- A search over one of the two -----------------------------------------------------


@pytest.mark.parametrize("over", ["temperature", "alpha"])
def test_a_search_over_one_parameter_is_a_line(binary, over):
    model = small_distilled(LogisticRegression(), max_epochs=1)
    search = GridSearchCV(model, {over: GRID[over]}, cv=3, scoring="neg_log_loss")
    display = SearchDisplay.from_estimator(search.fit(*binary), color="black")
    results = search.cv_results_
    order = np.argsort(GRID[over])
    line, _, (bars,) = display.line_.lines
    np.testing.assert_array_equal(line.get_xdata(), np.sort(GRID[over]))
    np.testing.assert_array_equal(line.get_ydata(), results["mean_test_score"][order])
    error = results["std_test_score"][order] / np.sqrt(2)
    low, high = np.array([bar[:, 1] for bar in bars.get_segments()]).T
    np.testing.assert_allclose(high - low, 2 * error)
    assert line.get_color() == "black"
    ax = display.ax_
    assert (ax.get_xlabel(), ax.get_ylabel()) == (over, "neg_log_loss")
    (ring,) = [line for line in ax.lines if line.get_label() == "chosen"]
    assert ring.get_xdata().tolist() == [search.best_params_[over]]
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {
        "mean ± one standard error",
        "one standard error below the best",
        "chosen",
    }
    assert not ax.images


def test_one_value_of_the_other_is_a_line_too(binary):
    search = small_search(LogisticRegression(), alphas=[0.5]).fit(*binary)
    display = SearchDisplay.from_estimator(search)
    assert display.line_[0].get_xdata().tolist() == [1.0, 4.0]
    assert display.ax_.get_xlabel() == "temperature, with alpha = 0.5"
    search = small_search(LogisticRegression(), temperatures=[2.0]).fit(*binary)
    display = SearchDisplay.from_estimator(search)
    assert display.ax_.get_xlabel() == "alpha, with temperature = 2"


# --- Whose alpha it is ----------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_the_alpha_is_that_of_the_distilled_classifier(binary):
    model = small_distilled(MLPClassifier(max_iter=1), max_epochs=1)
    pipe = make_pipeline(StandardScaler(), model)
    own = {f"distilledclassifier__{name}": values for name, values in GRID.items()}
    decay = {"distilledclassifier__teacher__alpha": [0.1, 0.2]}
    search = GridSearchCV(pipe, {**decay, **own}, cv=2).fit(*binary)
    assert SearchDisplay.from_estimator(search).alphas.tolist() == [0.3, 0.9]
    del own["distilledclassifier__alpha"]
    search = GridSearchCV(pipe, {**decay, **own}, cv=2).fit(*binary)
    assert np.isnan(SearchDisplay.from_estimator(search).alphas).tolist() == [True]
    search = GridSearchCV(pipe, decay, cv=2).fit(*binary)
    with pytest.raises(ValueError, match="of a DistilledClassifier. It is over"):
        SearchDisplay.from_estimator(search)


def test_a_search_over_two_models_is_refused(binary):
    inner = small_distilled(LogisticRegression(), max_epochs=1)
    model = small_distilled(inner, max_epochs=1)
    grid = {"alpha": [0.5], "teacher__alpha": [0.3, 0.9]}
    search = GridSearchCV(model, grid, cv=2).fit(*binary)
    with pytest.raises(ValueError, match=r"several: \['alpha', 'teacher__alpha'\]"):
        SearchDisplay.from_estimator(search)


def test_the_search_may_be_the_last_step_of_a_pipeline(binary):
    pipe = make_pipeline(StandardScaler(), small_search(LogisticRegression()))
    with pytest.raises(ValueError, match="Got DistilledClassifierCV, .* not fitted"):
        SearchDisplay.from_estimator(pipe)
    display = SearchDisplay.from_estimator(pipe.fit(*binary))
    assert display.scores.shape == (2, 2)


# --- Optuna ---------------------------------------------------------------------------

State = Enum("State", "COMPLETE PRUNED FAIL")


def trial(temperature, alpha, score, state=State.COMPLETE):
    scores = {f"split{i}_test_score": score for i in range(2)}
    scores |= {"mean_test_score": score, "std_test_score": 0.0, "mean_fit_time": 1.0}
    return SimpleNamespace(
        params={"temperature": temperature, "alpha": alpha},
        user_attrs={} if state is State.FAIL else scores,
        state=state,
    )


class OptunaLikeSearch:
    """What optuna-integration's OptunaSearchCV has."""

    def __init__(self, *trials):
        self.trials_ = list(trials)

    @property
    def cv_results_(self):
        attributes = [trial.user_attrs for trial in self.trials_]
        return {key: [each[key] for each in attributes] for key in attributes[0]}

    @property
    def best_params_(self):
        return self.trials_[0].params


def test_the_complete_trials_of_optuna_are_read():
    search = OptunaLikeSearch(
        trial(2.0, 0.5, 0.9),
        trial(1.0, 0.5, 0.7),
        trial(2.0, 0.1, 0.99, State.PRUNED),
        trial(1.0, 0.2, np.nan, State.FAIL),
        trial(2.0, 0.9, 0.8),
    )
    display = SearchDisplay.from_estimator(search)
    np.testing.assert_array_equal(display.scores, [[0.7, 0.9], [np.nan, 0.8]])
    assert display.chosen == (2.0, 0.5)
    with pytest.raises(ValueError, match="must have a complete trial"):
        SearchDisplay.from_estimator(OptunaLikeSearch(trial(1.0, 0.2, 0.5, State.FAIL)))


# --- Drawing --------------------------------------------------------------------------


def test_drawn_again_there_is_one_of_each(cv):
    display = SearchDisplay.from_estimator(cv)
    before = display.ax_.get_position().bounds
    for again in (display, SearchDisplay.from_estimator(cv, ax=display.ax_)):
        again.plot(ax=display.ax_)
        assert len(display.figure_.axes) == 2
        assert len(display.ax_.images) == len(display.ax_.patches) == 1
        assert len(display.ax_.texts) == 6
    display.figure_.canvas.draw()
    width = display.ax_.get_position().bounds[2]
    assert width == pytest.approx(before[2], rel=0.3)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.128842, 2.0, 10.0], ["1.13", "2", "10"]),
        ([1.128842, 1.128901], ["1.1288", "1.1289"]),
        ([1000.0, 12345.678], ["1000", "1.23e+04"]),
    ],
)
def test_labels_are_short_and_distinct(values, expected):
    assert labels(np.array(values)) == expected


def test_numbers_are_seen_on_any_colour(cv):
    for cmap in ("viridis", "Blues"):
        display = SearchDisplay.from_estimator(cv, cmap=cmap)
        for text in display.ax_.texts:
            column, row = text.get_position()
            cell = np.mean(display.im_.to_rgba(display.scores[row, column])[:3])
            assert (cell > 0.6) <= (text.get_color() == "black")
            assert (cell < 0.4) <= (text.get_color() == "white")


def test_the_table_has_what_is_drawn(cv):
    display = SearchDisplay.from_estimator(cv)
    table = display.frame()
    assert len(table) == 6
    expected = dict(
        zip(
            [(p["temperature"], p["alpha"]) for p in cv.cv_results_["params"]],
            cv.cv_results_["mean_test_score"],
            strict=True,
        )
    )
    by_cell = table.set_index(["temperature", "alpha"])
    assert by_cell["score"].to_dict() == expected
    np.testing.assert_allclose(
        np.sort(table["standard_error"]),
        np.sort(cv.cv_results_["std_test_score"]) / np.sqrt(2),
    )
    assert by_cell["within"].sum() == display.within.sum()
    display = SearchDisplay(
        display.scores, display.within, display.alphas, display.temperatures
    )
    assert display.frame()["standard_error"].isna().all()
