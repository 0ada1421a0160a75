"""The reference recipe: every setting of the experiment that came first."""

from skdistill._distilled import DistilledClassifier
from skdistill._ensemble import EnsembleTeacher

TEACHER = {
    "n_estimators": 12,
    "hidden_layer_sizes": (256, 128, 64),
    "dropout": 0.3,
    "max_epochs": 30,
    "lr": 1e-3,
    "lr_schedule": "constant",
    "batch_size": 64,
    "weight_decay": 0.0,
    "averaging": "logits",
    "calibrate": False,
}
STUDENT = {
    "temperature": 3.0,
    "alpha": 0.7,
    "hidden_layer_sizes": (64, 32),
    "max_epochs": 50,
    "lr": 1e-3,
    "lr_schedule": "constant",
    "batch_size": 64,
    "weight_decay": 1e-4,
    "calibrate": False,
    "blend": False,
    "target_cv": None,
}


def reference_recipe(**params):
    """Return an unfitted classifier with the settings of the reference experiment.

    Twelve networks are trained for 30 epochs and their student for 50, all with a
    constant learning rate of 1e-3 and batches of 64 rows; ``temperature=3.0``,
    ``alpha=0.7``, without calibration. The recipe is for comparison: the defaults of
    `DistilledClassifier` and `EnsembleTeacher` make better students.

    Parameters
    ----------
    **params : dict
        Parameters of `DistilledClassifier` to set otherwise, such as ``alpha=0`` for
        the recipe's hard-label baseline, or, as ``teacher__random_state``, of its
        `EnsembleTeacher`.

    Returns
    -------
    DistilledClassifier
        The classifier, with an `EnsembleTeacher` as its teacher.

    Examples
    --------
    >>> from skdistill import reference_recipe
    >>> reference_recipe(random_state=0).teacher.max_epochs
    30
    """
    model = DistilledClassifier(EnsembleTeacher(**TEACHER), **STUDENT)
    return model.set_params(**params)


reference_recipe.__module__ = "skdistill"  # where it is pickled from
