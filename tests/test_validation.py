import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier, EnsembleTeacher, reference_recipe
from skdistill._validation import largest_feature
from tests.nets import small_distilled, small_net, small_search, small_teacher

ESTIMATORS = [small_teacher(), small_distilled(), small_search()]

UNSCALED = "features on a scale of about 1"


@pytest.mark.parametrize("model", ESTIMATORS, ids=lambda model: type(model).__name__)
def test_a_target_of_numbers_is_said_to_look_like_regression(model, no_training):
    X = np.random.default_rng(0).normal(size=(80, 6))
    with pytest.raises(ValueError, match="Unknown label type: continuous.*regression"):
        model.fit(X, X[:, 0])


def one_message(fit, *args):
    """Return the one warning of a fit."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(*args)
    (message,) = [str(c.message) for c in caught if UNSCALED in str(c.message)]
    return message


@pytest.mark.parametrize(
    "model",
    [
        small_teacher(),
        small_distilled(),
        small_distilled(make_pipeline(StandardScaler(), small_teacher())),
        small_search(),
        small_search(small_teacher(engine="joblib"), alphas=[0.8]),
        small_search(alphas=[0.0]),
    ],
)
def test_unscaled_features_are_named_once_with_the_remedy(binary, model):
    X, y = binary
    X = X * [1, 1, 1, 1e6, 1, 1]
    message = one_message(model.fit, X, y)
    kind = type(model).__name__
    assert message.startswith(f"{kind} trains networks")
    assert "feature 3 has values around 9.33e+05" in message
    assert f"make_pipeline(StandardScaler(), {kind}(...))" in message
    assert one_message(model.fit, X, y) == message  # in every fit


def test_a_feature_has_its_name(binary):
    X, y = binary
    frame = pd.DataFrame(X, columns=list("uvwxyz"))
    frame["w"] += 2000
    message = one_message(small_distilled().fit, frame, y)
    assert re.search("feature 'w' has values around 2e[+]03", message)


def test_the_teacher_alone_may_be_unscaled(binary):
    X, y = binary
    teacher = small_teacher()
    student = small_net(lr=1e-9)  # which may scale as it likes
    model = DistilledClassifier(teacher, student=student, calibrate=False)
    assert one_message(model.fit, X * 1e6, y).startswith("EnsembleTeacher")


@pytest.mark.filterwarnings("error", "ignore:Training of")
@pytest.mark.parametrize(
    "model",
    [
        DistilledClassifier(LogisticRegression(), student=small_net(lr=1e-9)),
        EnsembleTeacher(small_net(lr=1e-9), n_estimators=1),
        make_pipeline(StandardScaler(), small_distilled()),
    ],
)
def test_networks_of_the_users_and_scaled_ones_are_not_warned_about(binary, model):
    X, y = binary
    model.fit(X * 150, y)


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (np.full((5, 3), 1e6), (0, 0.0)),
        (np.full((1, 2), 1e30), (0, 0.0)),
        (np.eye(4), (0, 0.5)),
        (np.array([[1, 30], [2, 40]]), (1, 1250**0.5)),
    ],
    ids=["constant", "one row", "one-hot", "integers"],
)
def test_the_largest_feature_is_no_constant(X, expected):
    assert largest_feature(X) == expected


@pytest.mark.parametrize("size", [1e3, 1e38])
def test_the_largest_feature_of_many_rows(size):
    X = np.zeros((12_345, 3), dtype=np.float32)
    X[:, 1] = np.linspace(-size, size, len(X))
    feature, found = largest_feature(X)
    assert feature == 1
    assert found == pytest.approx(size / 3**0.5, rel=0.01)


def test_wine_as_it_is_does_not_train_well():
    """It is right to warn about it."""
    X, y = load_wine(return_X_y=True)
    teacher = LogisticRegression(max_iter=9999)
    model = reference_recipe(teacher=teacher, random_state=0)
    with pytest.warns(UserWarning, match="feature 12 has values around 8"):
        raw = model.fit(X, y).score(X, y)
    assert raw < 0.8 < make_pipeline(StandardScaler(), model).fit(X, y).score(X, y)
