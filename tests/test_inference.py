import numpy as np
import pytest
import torch

from skdistill import StudentModel, TeacherModel
from skdistill._inference import mlp_logits


@pytest.mark.parametrize("module", [TeacherModel, StudentModel])
@pytest.mark.parametrize("widths", [(), (5,), (7, 3)])
def test_numpy_forward_is_torchs(module, widths):
    torch.manual_seed(0)
    model = module(4, 3, hidden_layer_sizes=widths).eval()
    X = torch.randn(10, 4)
    layers = [
        (layer.weight.detach().numpy().T, layer.bias.detach().numpy())
        for layer in model.layers
        if hasattr(layer, "weight")
    ]
    before = X.clone()
    logits = mlp_logits(X.numpy(), layers)
    np.testing.assert_allclose(logits, model(X).detach().numpy(), atol=1e-6)
    assert torch.equal(X, before)
