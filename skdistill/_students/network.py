"""A student that is a skorch net: built from an estimator's parameters, and kept."""

import torch
from sklearn.base import clone
from torch import nn

from skdistill._preprocessing import linear_part
from skdistill._training.budget import budget_of, warn_unconverged
from skdistill._training.many_nets import Replica, train_replicas
from skdistill._training.modules import StudentModel
from skdistill._training.nets import check_student, mlp_net, prepared
from skdistill._validation import refuse_overridden

NETWORK_PARAMETERS = (
    "hidden_layer_sizes",
    "max_epochs",
    "lr",
    "lr_schedule",
    "batch_size",
    "weight_decay",
    "device",
)


def student_name(estimator):
    """Return what errors call the student of `estimator`."""
    return f"the student of {type(estimator).__name__}"


def unfitted_student(estimator, X, n_classes, n_rows, error=None):
    """Return the net that the parameters of `estimator` describe, checked on `X`.

    It is for training on `n_rows`, of which a teacher gets the share `error` wrong.
    """
    if estimator.student is None:
        settings = {name: getattr(estimator, name) for name in NETWORK_PARAMETERS}
        settings.update(budget_of(estimator, n_rows, "student", error)._asdict())
        net = mlp_net(StudentModel, **settings)
    else:
        refuse_overridden(estimator, "student", NETWORK_PARAMETERS)
        net = clone(estimator.student)
        check_student(net)
    return prepared(net, X, n_classes, student_name(estimator))


def train_student(estimator, net, X, y, values, seed, bar):
    """Train the student of `estimator` as its parameters say, and keep it.

    Parameters
    ----------
    estimator : DistilledClassifier
    net : skorch.NeuralNetClassifier
        As `unfitted_student` returns it.
    X : ndarray of shape (n_samples, n_features), dtype float32
    y : ndarray of shape (n_samples,), dtype int64
    values : dict
        What `Replica` takes of `sample_weight` and `teacher_logits`.
    seed : int
    bar : tqdm
    """
    # A stack of one has less overhead than skorch's own loop.
    replica = Replica(
        student_name(estimator),
        seed,
        **values,
        temperature=estimator.temperature,
        alpha=estimator.alpha,
    )
    (student,), _ = train_replicas(
        net,
        X,
        y,
        [replica],
        n_classes=len(estimator.classes_),
        bar=bar,
        verbose=estimator.verbose,
    )
    fold_scaling(estimator, student)
    keep_student(estimator, student)
    if estimator.student is None:
        warn_unconverged(student_name(estimator), estimator.loss_curve_)


def fold_scaling(estimator, net):
    """Let the first layer of a trained StudentModel scale, if that is all there is.

    It then takes the rows as they are, and `estimator` predicts without its
    preprocessor.
    """
    if estimator.student is not None or estimator._row_preprocessor is None:
        return
    scaling = linear_part(estimator.preprocessor_)
    if scaling is None:
        return
    weight, bias = map(torch.from_numpy, scaling)
    layer = net.module_.layers[0]
    with torch.no_grad():
        of_layer = layer.weight.double()
        layer.bias += (of_layer @ bias).float()
        layer.weight = nn.Parameter((of_layer @ weight).float())
    layer.in_features = net.module__n_features = weight.shape[1]
    estimator._row_preprocessor = None


def keep_student(estimator, net):
    """Set what `fit` learns, on `estimator`, from a net that is trained."""
    estimator.student_ = net
    estimator.n_iter_ = len(net.history)
    estimator.loss_curve_ = net.history[:, "train_loss"]
