"""What a notebook shows of a fitted estimator."""

import pickle
import re

import numpy as np
import pytest
from sklearn import config_context
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import estimator_html_repr

from skdistill import DistilledClassifier, EnsembleTeacher, distill
from skdistill._notebook import summary
from tests.nets import small_distilled, small_search, small_teacher


def html_of(estimator):
    bundle = estimator._repr_mimebundle_()["text/html"]
    # Each call of scikit-learn's has ids of its own, with digits and hexadecimals.
    texts = [
        re.sub(r"id-[\w-]*", "", text) for text in (estimator._repr_html_(), bundle)
    ]
    assert texts[0] == texts[1]
    return bundle


def test_a_student_says_what_it_is_and_who_taught_it(blobs):
    model = small_distilled(small_teacher()).fit(*blobs)
    each = 4 * 8 + 8 + 8 * 4 + 4 + 4 * 3 + 3
    assert summary(model) == {
        "classes": "3: a, b, c",
        "student": f"StudentModel of {4 * 8 + 8 + 8 * 3 + 3} parameters",
        "teacher": f"EnsembleTeacher of {2 * each} parameters",
    }
    html = html_of(model)
    assert "EnsembleTeacher of 182 parameters" in html
    assert len(html) > len(estimator_html_repr(model))


def test_the_teacher_of_distill_is_the_model_itself(blobs):
    model = distill(small_teacher().fit(*blobs), blobs[0], max_epochs=2)
    assert summary(model)["teacher"] == "EnsembleTeacher of 182 parameters"
    alone = pickle.loads(pickle.dumps(model))
    assert summary(alone)["teacher"] == "left out when this was saved or copied"


def test_an_ensemble_says_how_it_was_trained(blobs):
    found = summary(small_teacher().fit(*blobs))
    assert found["networks"] == "2, each a TeacherModel of 91 parameters"
    assert found["engine"] == "vectorized"
    assert list(found) == ["classes", "networks", "engine"]


def test_a_search_says_what_it_chose(binary):
    search = small_search(LogisticRegression(), alphas=[0.5], temperatures=[2.0])
    found = summary(search.fit(*binary))
    assert "alpha=0.5" in found["chosen"]
    assert found["cross-validated score"] == f"{search.best_score_:.4g}"
    assert found["teacher"] == "LogisticRegression"
    assert found["engine"] == "teachers joblib, students vectorized"


def test_any_student_and_no_teacher(binary):
    model = DistilledClassifier(alpha=0, student=DecisionTreeClassifier())
    found = summary(model.fit(*binary))
    assert found["student"] == "DecisionTreeClassifier"
    assert found["teacher"] == "none"
    frozen = FrozenEstimator(LogisticRegression().fit(*binary))
    assert summary(small_distilled(frozen).fit(*binary))["teacher"] == (
        "LogisticRegression"
    )


def test_labels_are_escaped_and_few():
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = np.array([f"<{i % 12:02}>" for i in range(60)])
    model = small_distilled(alpha=0).fit(X, y)
    assert "12: &lt;00&gt;, " in html_of(model)
    assert html_of(model).endswith("</dl>")
    assert summary(model)["classes"].endswith("<07> and 4 more")


def test_before_fit_it_is_scikit_learns_alone():
    for estimator in (EnsembleTeacher(), DistilledClassifier()):
        assert summary(estimator) == {}
        assert not html_of(estimator).endswith("</dl>")


def test_with_text_display_there_is_no_html(binary):
    model = small_distilled(alpha=0).fit(*binary)
    with config_context(display="text"):
        assert not hasattr(model, "_repr_html_")
        assert list(model._repr_mimebundle_()) == ["text/plain"]


def test_the_score_of_the_teacher_is_shown_where_rows_were_left_out(blobs):
    X, y = blobs
    teacher = small_teacher(calibrate=True, n_estimators=6)
    model = small_distilled(teacher).fit(X, y)
    voted = model.classes_[model.teacher_.oof_logits_.argmax(axis=1)]
    score = (voted == y).mean()
    assert model.teacher_score_ == pytest.approx(score)
    assert summary(model)["teacher's accuracy out of fold"] == f"{score:.3f}"
    assert small_distilled(alpha=0).fit(X, y).teacher_score_ is None
    search = small_search(teacher, temperatures=[2.0], alphas=[0.5]).fit(X, y)
    assert summary(search)["teacher's accuracy out of fold"] == f"{score:.3f}"
