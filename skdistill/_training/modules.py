"""The two networks, as plain torch modules."""

from torch import float32, nn


def _mlp(n_features, n_classes, hidden_layer_sizes, dropout=0.0):
    """Return Linear and ReLU layers, with dropout after all hidden ones but the last.

    Without dropout there are no Dropout layers at all.
    """
    layers = []
    width_in = n_features
    for position, width in enumerate(hidden_layer_sizes, start=1):
        layers += [nn.Linear(width_in, width, dtype=float32), nn.ReLU()]
        if dropout > 0 and position < len(hidden_layer_sizes):
            layers.append(nn.Dropout(dropout))
        width_in = width
    return nn.Sequential(*layers, nn.Linear(width_in, n_classes, dtype=float32))


class TeacherModel(nn.Module):
    """Multilayer perceptron with dropout, one member of an `EnsembleTeacher`.

    ReLU after every hidden layer, dropout after every hidden layer but the last.

    Parameters
    ----------
    n_features : int
        Number of input features.
    n_classes : int
        Number of classes.
    hidden_layer_sizes : tuple of int, default=(256, 128, 64)
        Widths of the hidden layers.
    dropout : float, default=0.3
        Probability with which a hidden unit is dropped in training, in [0, 1).

    See Also
    --------
    EnsembleTeacher : The estimator that trains an ensemble of these.

    Examples
    --------
    >>> import torch
    >>> from skdistill import TeacherModel
    >>> model = TeacherModel(n_features=20, n_classes=2)
    >>> sum(p.numel() for p in model.parameters())
    46658
    >>> model(torch.zeros(5, 20)).shape
    torch.Size([5, 2])
    """

    __module__ = "skdistill"  # where it is pickled from

    def __init__(
        self, n_features, n_classes, hidden_layer_sizes=(256, 128, 64), dropout=0.3
    ):
        super().__init__()
        self.layers = _mlp(n_features, n_classes, hidden_layer_sizes, dropout)

    def forward(self, X):
        """Return the logits of a batch.

        Parameters
        ----------
        X : Tensor of shape (n_samples, n_features), dtype float32
            The rows.

        Returns
        -------
        Tensor of shape (n_samples, n_classes), dtype float32
            The logits.
        """
        return self.layers(X)


class StudentModel(nn.Module):
    """Small multilayer perceptron, what a `DistilledClassifier` trains.

    ReLU after every hidden layer, no dropout.

    Parameters
    ----------
    n_features : int
        Number of input features.
    n_classes : int
        Number of classes.
    hidden_layer_sizes : tuple of int, default=(64, 32)
        Widths of the hidden layers.

    See Also
    --------
    DistilledClassifier : The estimator that trains one of these.

    Examples
    --------
    >>> import torch
    >>> from skdistill import StudentModel
    >>> model = StudentModel(n_features=20, n_classes=2)
    >>> sum(p.numel() for p in model.parameters())
    3490
    >>> model(torch.zeros(5, 20)).shape
    torch.Size([5, 2])
    """

    __module__ = "skdistill"  # where it is pickled from

    def __init__(self, n_features, n_classes, hidden_layer_sizes=(64, 32)):
        super().__init__()
        self.layers = _mlp(n_features, n_classes, hidden_layer_sizes)

    def forward(self, X):
        """Return the logits of a batch.

        Parameters
        ----------
        X : Tensor of shape (n_samples, n_features), dtype float32
            The rows.

        Returns
        -------
        Tensor of shape (n_samples, n_classes), dtype float32
            The logits.
        """
        return self.layers(X)
