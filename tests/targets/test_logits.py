import numpy as np
import pytest
from scipy import special
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill._softmax import log_softmax, soften
from skdistill._targets.logits import (
    align_columns,
    proba_to_logits,
    teacher_logits,
    without_zeros,
)
from tests.nets import FixedTeacher, small_distilled, small_search, small_teacher


class LogitTeacher:
    def __init__(self, logits, classes):
        self.logits, self.classes_ = logits, np.asarray(classes)

    def predict_logits(self, X):
        return self.logits


@pytest.mark.parametrize("temperature", [0.1, 1.0, 3.0, 10.0])
def test_soften_is_the_softmax_of_the_quotient(temperature):
    logits = np.random.default_rng(0).normal(size=(5, 3)) * 50
    expected = special.softmax(logits / temperature, axis=1)
    np.testing.assert_allclose(soften(logits, temperature), expected, rtol=1e-12)


def test_huge_logits_do_not_overflow():
    logits = np.array([[1e4, -1e4], [-1e30, 1e30]])
    np.testing.assert_array_equal(soften(logits), [[1, 0], [0, 1]])
    np.testing.assert_array_equal(
        log_softmax(logits), special.log_softmax(logits, axis=1)
    )


def test_smoothing_mixes_in_the_uniform_distribution():
    proba = np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.2]])
    smoothed = soften(proba_to_logits(proba, smoothing=0.03))
    np.testing.assert_allclose(smoothed, 0.97 * proba + 0.01, rtol=1e-12)


def test_probabilities_come_back_within_the_smoothing():
    proba = np.random.default_rng(0).dirichlet([0.1, 0.1, 0.1], size=50)
    np.testing.assert_allclose(soften(proba_to_logits(proba)), proba, atol=1e-4)


def test_columns_are_moved_filled_and_left_out():
    values = np.array([[1.0, 2.0, 3.0]])
    aligned = align_columns(
        values, np.array(["c", "a", "x"]), np.array(["a", "b", "c"]), fill=-9.0
    )
    np.testing.assert_array_equal(aligned, [[2.0, -9.0, 1.0]])


def test_exact_zeros_of_a_forest_become_finite_logits(blobs):
    X, y = blobs
    forest = RandomForestClassifier(n_estimators=5, random_state=0).fit(X, y)
    proba = forest.predict_proba(X)
    assert (proba == 0).any()
    logits = teacher_logits(forest, X, forest.classes_)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(soften(logits), proba, atol=1e-4)
    assert logits.min() == pytest.approx(np.log(1e-4 / 3), abs=1e-4)


def test_logits_are_taken_as_they_are():
    logits = np.array([[30.0, -30.0], [0.5, 0.25]])
    teacher = LogitTeacher(logits, [0, 1])
    np.testing.assert_array_equal(
        teacher_logits(teacher, None, np.array([0, 1])), logits
    )


def test_classes_in_another_order_are_lined_up():
    teacher = LogitTeacher(np.array([[1.0, 2.0, 3.0]]), ["c", "b", "a"])
    logits = teacher_logits(teacher, None, np.array(["a", "b", "c"]))
    np.testing.assert_array_equal(logits, [[3.0, 2.0, 1.0]])


@pytest.mark.parametrize("kind", ["proba", "logits"])
def test_class_the_teacher_never_saw_gets_the_smoothing(kind):
    proba = np.array([[0.75, 0.25]])
    teacher = (
        FixedTeacher(proba, np.array([0, 2])).fit(None, None)
        if kind == "proba"
        else LogitTeacher(np.log(proba), [0, 2])
    )
    softened = soften(
        teacher_logits(teacher, None, np.array([0, 1, 2]), smoothing=0.03)
    )
    np.testing.assert_allclose(softened, [[0.7375, 0.01, 0.2525]], rtol=1e-5)


@pytest.mark.parametrize("kind", ["proba", "logits"])
def test_further_classes_of_the_teacher_are_shared_out(kind):
    proba = np.array([[0.2, 0.2, 0.6], [0.0, 0.0, 1.0]])
    teacher = (
        FixedTeacher(proba, np.array([0, 1, 2])).fit(None, None)
        if kind == "proba"
        else LogitTeacher(np.log(np.maximum(proba, 1e-300)), [0, 1, 2])
    )
    softened = soften(teacher_logits(teacher, None, np.array([0, 1]), smoothing=0.0))
    # In the second row nothing is left to share out: that says nothing either way.
    np.testing.assert_allclose(softened, [[0.5, 0.5], [0.5, 0.5]], rtol=1e-6)


def test_teacher_without_a_common_class_is_refused():
    teacher = LogitTeacher(np.zeros((1, 2)), ["x", "y"])
    with pytest.raises(ValueError, match=r"classes \['x', 'y'\], while y has \[0, 1\]"):
        teacher_logits(teacher, None, np.array([0, 1]))


@pytest.mark.parametrize(
    ("proba", "message"),
    [
        (np.full(4, 0.5), r"one column for each of its 2 .* shape \(4,\)"),
        (np.array(["a", "b"] * 2), r"numbers, one for each of its 2 classes_, not lab"),
        (np.full((4, 3), 1 / 3), r"one column for each of its 2 .* shape \(4, 3\)"),
        (np.tile([1.5, -0.5], (4, 1)), "must be >= 0; it gave -0.5"),
    ],
)
def test_teacher_that_gives_no_probabilities_is_refused(proba, message):
    teacher = FixedTeacher(proba, np.array([0, 1])).fit(None, None)
    with pytest.raises(ValueError, match=message):
        teacher_logits(teacher, None, np.array([0, 1]))


def test_teacher_without_classes_is_refused():
    with pytest.raises(ValueError, match="must have classes_ once it is fitted"):
        teacher_logits(object(), None, np.array([0, 1]))


def test_teacher_that_gives_nan_is_refused():
    teacher = FixedTeacher(np.array([[np.nan, 1.0], [0.5, 0.5]]), np.array([0, 1]))
    with pytest.raises(ValueError, match="FixedTeacher must predict finite.* 1 of 2"):
        teacher_logits(teacher.fit(None, None), None, np.array([0, 1]))


# --- Wrapped ------------------------------------------------------------------------


def in_search(teacher):
    return GridSearchCV(teacher, {}, cv=2)


def in_pipeline(teacher):
    return make_pipeline("passthrough", teacher)


WRAPPERS = {
    "pipeline": in_pipeline,
    "nested": lambda teacher: in_pipeline(in_pipeline(teacher)),
    "search": in_search,
    "frozen": lambda teacher: FrozenEstimator(in_pipeline(teacher)),
    "all": lambda teacher: in_search(in_pipeline(FrozenEstimator(teacher))),
}


@pytest.mark.parametrize("wrapped", WRAPPERS.values(), ids=WRAPPERS)
def test_a_wrapped_teacher_teaches_what_it_teaches_alone(blobs, wrapped):
    X, y = blobs
    alone = small_teacher(max_epochs=60, lr=0.05, random_state=0).fit(X, y)
    wrapped = wrapped(alone)
    if not isinstance(wrapped, FrozenEstimator):
        wrapped.fit(X, y)
    logits = teacher_logits(wrapped, X, alone.classes_)
    np.testing.assert_array_equal(logits, alone.predict_logits(X))
    # Beyond what smoothed probabilities can say.
    assert np.ptp(logits, axis=1).max() > np.log(3e4)


def test_steps_before_a_wrapped_teacher_transform_its_rows(blobs):
    X, y = blobs
    pipe = make_pipeline(StandardScaler(), small_teacher(random_state=0))
    pipe.fit(X * 50 + 9, y)
    expected = pipe[-1].predict_logits(pipe[0].transform(X))
    np.testing.assert_array_equal(teacher_logits(pipe, X, pipe.classes_), expected)


@pytest.mark.parametrize(
    "model", [small_distilled(LogisticRegression()), small_search(LogisticRegression())]
)
def test_a_student_in_a_pipeline_teaches_its_logits(blobs, model):
    X, y = blobs
    pipe = make_pipeline(StandardScaler(), model).fit(X, y)
    expected = pipe[-1].predict_logits(pipe[0].transform(X))
    np.testing.assert_array_equal(teacher_logits(pipe, X, pipe.classes_), expected)


def test_classes_of_a_wrapped_teacher_are_lined_up(blobs):
    X, y = blobs
    pipe = in_pipeline(small_teacher(random_state=0)).fit(X, y)
    logits = teacher_logits(pipe, X, np.array(["c", "x", "b"]))
    proba = pipe.predict_proba(X)[:, [2, 1]]
    proba /= proba.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(soften(logits)[:, [0, 2]], proba, atol=1e-4)


def test_a_wrapper_that_changes_probabilities_is_not_looked_through(blobs):
    X, y = blobs
    ensemble = small_teacher(random_state=0).fit(X, y)
    calibrated = CalibratedClassifierCV(FrozenEstimator(ensemble)).fit(X, y)
    logits = teacher_logits(in_pipeline(calibrated), X, calibrated.classes_)
    expected = proba_to_logits(calibrated.predict_proba(X))
    np.testing.assert_allclose(logits, expected, rtol=1e-5)


@pytest.mark.parametrize("logit", [1e300, -1e39, 3e38])
def test_logits_too_large_for_float32_are_the_teachers_fault(logit):
    teacher = LogitTeacher(np.array([[logit, 0.0], [1.0, 0.0]]), [0, 1])
    with pytest.raises(ValueError, match="teacher LogitTeacher .* beyond 1e.30.* 1 of"):
        teacher_logits(teacher, None, np.array([0, 1]))


class Sure(FixedTeacher):
    def predict_logits(self, X):
        return self.proba[: len(X)]


HUGE = np.array([[1e30, -1e30]] * 80)


def test_a_student_learns_from_the_largest_logits(binary):
    teacher = Sure(HUGE, np.arange(2))
    model = small_distilled(teacher, temperature=1e-6).fit(*binary)
    assert np.isfinite(model.loss_curve_).all()


@pytest.mark.parametrize(
    ("teacher", "temperature"),
    [
        (Sure(HUGE, np.arange(2)), 1e-9),
        (Sure(HUGE, np.arange(2)), 5e-9),
        (LogisticRegression(), 1e-40),
    ],
)
def test_a_temperature_that_is_too_low_for_the_logits_is_named(
    binary, teacher, temperature
):
    message = f"temperature of the student .* at least .* teacher.* Got {temperature}"
    with pytest.raises(ValueError, match=message):
        small_distilled(teacher, temperature=temperature).fit(*binary)
    with pytest.raises(ValueError, match=message):
        small_search(teacher, temperatures=[1.0, temperature]).fit(*binary)


@pytest.mark.parametrize(
    ("proba", "floor"),
    [
        ([[1, 0, 0], [0.9, 0.1, 0]], 0.005),
        ([[1, 0, 0], [0.998, 0.002, 0]], 0.001),
        ([[1, 0, 0], [0.9, 0.1 - 1e-9, 1e-9]], 1e-4 / 3),
        ([[1, 0, 0], [0, 1, 0]], 1e-4 / 3),
        ([[0.2, 0.3, 0.5]], None),
    ],
    ids=["coarse", "fine", "no floor", "labels", "no zeros"],
)
def test_a_zero_is_half_of_the_smallest_probability(proba, floor):
    """At most 0.005, and not less than the smoothing."""
    proba = np.array(proba)
    logits = proba_to_logits(proba).astype(np.float32)
    (raised,) = without_zeros(logits)
    np.testing.assert_array_equal(raised[proba > 0], logits[proba > 0])
    if floor is not None:
        np.testing.assert_allclose(np.exp(raised[proba == 0]), floor, rtol=0.02)


def test_zeros_in_and_out_of_fold_are_the_same():
    seen = proba_to_logits(np.array([[1.0, 0.0]])).astype(np.float32)
    left_out = proba_to_logits(np.array([[0.996, 0.004], [0, 1]])).astype(np.float32)
    left_out = np.append(left_out, [[np.nan, np.nan]], axis=0).astype(np.float32)
    raised, others = without_zeros(seen, left_out)
    assert raised[0, 1] == others[1, 0] == pytest.approx(np.log(0.002), abs=0.02)
    assert np.isnan(others[2]).all()


def test_logits_that_are_no_probabilities_have_no_zeros():
    logits = np.random.default_rng(0).normal(0, 20, (100, 3)).astype(np.float32)
    (same,) = without_zeros(logits)
    assert same is logits
