"""The forward pass of a small multilayer perceptron, in numpy."""

import numpy as np


def mlp_logits(X, layers):
    """Return the logits of a ReLU network.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), dtype float32
    layers : list of (ndarray of shape (n_in, n_out), ndarray of shape (n_out,))
        Weights and biases, from the first layer to the last.

    Returns
    -------
    ndarray of shape (n_samples, n_classes), dtype float32
    """
    *hidden, (weights_out, bias_out) = layers
    for weights, bias in hidden:
        X = X @ weights
        X += bias
        np.maximum(X, 0, out=X)
    X = X @ weights_out
    X += bias_out
    return X
