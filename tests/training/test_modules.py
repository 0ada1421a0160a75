import pytest
import torch
from torch import nn

from skdistill import StudentModel, TeacherModel


def n_parameters(module):
    return sum(weights.numel() for weights in module.parameters())


def test_sizes_of_the_reference_recipe():
    teacher, student = TeacherModel(20, 2), StudentModel(20, 2)
    assert n_parameters(teacher) == 46_658
    assert n_parameters(student) == 3_490
    assert 12 * n_parameters(teacher) // n_parameters(student) == 160


def test_dropout_follows_every_hidden_layer_but_the_last():
    kinds = [type(layer) for layer in TeacherModel(20, 2).layers]
    hidden = [nn.Linear, nn.ReLU]
    assert kinds == [*hidden, nn.Dropout, *hidden, nn.Dropout, *hidden, nn.Linear]


def test_dropout_acts_in_training_alone():
    torch.manual_seed(0)
    model, X = TeacherModel(5, 2, dropout=0.5), torch.ones(1, 5)
    assert not torch.equal(model(X), model(X))
    model.eval()
    assert torch.equal(model(X), model(X))


def test_student_has_no_dropout():
    assert [type(layer) for layer in StudentModel(20, 2, (8,)).layers] == [
        nn.Linear,
        nn.ReLU,
        nn.Linear,
    ]


@pytest.mark.parametrize("module", [TeacherModel, StudentModel])
def test_no_hidden_layer_is_a_linear_model(module):
    assert n_parameters(module(4, 3, hidden_layer_sizes=())) == 15
