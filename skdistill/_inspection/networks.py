"""The networks in a fitted model, whatever it is wrapped in."""

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skdistill._targets.asked import AskedModel
from skdistill._targets.encoded import EncodedTeacher


def unwrapped(model):
    """Return what predicts in a fitted pipeline, search or other wrapper."""
    while True:
        if isinstance(model, Pipeline):
            model = model[-1]
        elif isinstance(model, FrozenEstimator):
            model = model.estimator
        elif isinstance(model, EncodedTeacher):
            model = model.estimator_
        elif isinstance(model, AskedModel) and model.model is not None:
            model = model.model
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            return model


def networks_of(model):
    """Return the fitted skorch nets that a teacher consists of; none for others."""
    model = unwrapped(model)
    members = getattr(model, "estimators_", None)
    nets = [model] if members is None else list(members)
    return nets if all(hasattr(net, "module_") for net in nets) else []


def n_parameters_of(nets):
    """Return the number of weights of fitted skorch nets."""
    return sum(w.numel() for net in nets for w in net.module_.parameters())
