"""One way to every kind of student: a skorch net, or another classifier."""

import pickle

import torch

from skdistill._checked_prediction import classifier_logits
from skdistill._students import classifier, network
from skdistill._students.classifier import is_classifier_student
from skdistill._training.nets import net_logits


def unfitted_student(estimator, X, n_classes, n_rows, error=None):
    """Return the student that the parameters of `estimator` describe, checked.

    It is for training on `n_rows` like those of `X`, of which a teacher gets the share
    `error` wrong out of fold, if that is known.
    """
    if not is_classifier_student(estimator.student):
        return network.unfitted_student(estimator, X, n_classes, n_rows, error)
    classifier.check_classifier_student(estimator.student)
    classifier.check_parameters(estimator)
    return estimator.student


def n_steps(student):
    """Return how far `train_student` moves its bar: by the epochs of a net, or by 1."""
    return 1 if is_classifier_student(student) else student.max_epochs


def train_student(estimator, student, X, y, values, seed, bar):
    """Train a student as `estimator` says, and set on `estimator` what `fit` learns.

    The arguments are those of `network.train_student`.
    """
    if is_classifier_student(student):
        classifier.train_classifier(estimator, X, y, values, seed)
        bar.update()
    else:
        network.train_student(estimator, student, X, y, values, seed, bar)


def keep_student(estimator, student):
    """Set on `estimator` what `fit` learns from a student that is trained."""
    if is_classifier_student(student):
        estimator.student_ = student
    else:
        network.keep_student(estimator, student)


def student_bytes(student):
    """Return the size of a fitted student: of a net's weights, or else of a pickle."""
    if is_classifier_student(student):
        return len(pickle.dumps(student))
    return sum(weight.nbytes for weight in student.module_.parameters())


def student_logits(student, X, n_classes):
    """Return the logits of a fitted student for float32 rows, as an array."""
    if is_classifier_student(student):
        return classifier_logits(student, X, n_classes)
    with torch.inference_mode():
        return net_logits(student, torch.from_numpy(X)).numpy()
