"""The picture of training losses."""

import pickle

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier, TrainingDisplay, distill
from tests.nets import small_distilled, small_search, small_teacher


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def losses_of(teacher):
    return [net.history[:, "train_loss"] for net in teacher.estimators_]


def test_curves_are_the_losses(binary):
    model = small_distilled(small_teacher(n_estimators=3), max_epochs=7).fit(*binary)
    display = TrainingDisplay.from_estimator(model)
    assert display.student == model.loss_curve_
    assert display.members == losses_of(model.teacher_)
    drawn = [model.loss_curve_, *losses_of(model.teacher_)]
    for line, losses in zip(display.lines_, drawn, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, len(losses) + 1))
        np.testing.assert_array_equal(line.get_ydata(), losses)
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["student", "3 networks of the teacher"]
    assert display.ax_.get_yscale() == "log"
    table = display.frame()
    assert table.groupby(["model", "member"]).size().tolist() == [7, 5, 5, 5]
    of_student = table[table["model"] == "student"]
    assert of_student["loss"].tolist() == model.loss_curve_
    assert of_student["epoch"].tolist() == list(range(1, 8))
    assert display.lines_[0].get_linestyle() != display.lines_[1].get_linestyle()


def test_pipelines_searches_and_wrapped_teachers_are_looked_into(binary):
    X, y = binary
    teacher = make_pipeline(StandardScaler(), small_teacher()).fit(X, y)
    search = small_search(FrozenEstimator(teacher), alphas=[0.8], cv=2)
    model = make_pipeline(StandardScaler(), search).fit(X, y)
    display = TrainingDisplay.from_estimator(model)
    assert display.student == search.loss_curve_
    assert display.members == losses_of(teacher[-1])


def test_the_networks_of_a_distilled_model_are_drawn(binary):
    X, y = binary
    teacher = make_pipeline(StandardScaler(), small_teacher()).fit(X, y)
    model = distill(teacher, X, max_epochs=2)
    assert TrainingDisplay.from_estimator(model).members == losses_of(teacher[-1])
    alone = TrainingDisplay.from_estimator(pickle.loads(pickle.dumps(model)))
    assert len(alone.student) == 2
    assert alone.members == []


@pytest.mark.parametrize("make", [small_teacher, lambda: MLPClassifier(max_iter=5)])
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_teacher_alone_has_no_student(binary, make):
    teacher = make().fit(*binary)
    display = TrainingDisplay.from_estimator(teacher)
    assert display.student is None
    expected = getattr(teacher, "loss_curve_", None)
    assert display.members == ([expected] if expected else losses_of(teacher))
    assert set(display.frame()["model"]) == {"teacher"}


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_bag_of_networks_is_looked_into(binary):
    bag = BaggingClassifier(MLPClassifier(max_iter=3), n_estimators=2).fit(*binary)
    display = TrainingDisplay.from_estimator(bag)
    assert display.members == [net.loss_curve_ for net in bag.estimators_]


@pytest.mark.parametrize(
    "params",
    [
        {"teacher": LogisticRegression()},
        {"teacher": RandomForestClassifier(3)},
        {"alpha": 0},
    ],
)
def test_a_student_alone(binary, params):
    model = small_distilled(**params).fit(*binary)
    display = TrainingDisplay.from_estimator(model)
    (line,) = display.lines_
    assert line.get_label() == "student"
    assert len(display.members) == 0


def test_a_single_epoch_is_a_point(binary):
    model = small_distilled(LogisticRegression(), max_epochs=1).fit(*binary)
    (line,) = TrainingDisplay.from_estimator(model).lines_
    assert line.get_marker() == "o"


def test_a_loss_of_zero_is_on_a_linear_axis():
    display = TrainingDisplay([1.0, 0.0], [[1.0, 0.5]]).plot()
    assert display.ax_.get_yscale() == "linear"
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["student", "network of the teacher"]


def test_it_draws_on_axes_that_are_given_as_it_is_told():
    figure, ax = plt.subplots()
    display = TrainingDisplay([1.0, 0.5]).plot(ax=ax, color="green")
    assert (display.ax_, display.figure_) == (ax, figure)
    assert to_hex(display.lines_[0].get_color()) == to_hex("green")
    assert display.plot(ax=ax) is display
    assert len(ax.lines) == 1


@pytest.mark.parametrize(
    "model", [small_distilled(), make_pipeline(StandardScaler(), small_teacher())]
)
def test_models_that_are_not_fitted_are_refused(model):
    with pytest.raises(NotFittedError, match="'estimator' .* is not fitted, or has"):
        TrainingDisplay.from_estimator(model)


def test_models_without_networks_are_refused(binary):
    tree = DistilledClassifier(
        LogisticRegression(), student=DecisionTreeClassifier(), calibrate=False
    )
    with pytest.raises(NotFittedError, match="Got DistilledClassifier, .* has none"):
        TrainingDisplay.from_estimator(tree.fit(*binary))
