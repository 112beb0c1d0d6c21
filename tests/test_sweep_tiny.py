"""The step of networks of a few units, called without the compiler, which takes a minute for each."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrcourse.sweep import stacked

MEMBERS, POINTS = 3, 7
CLASSES = torch.tensor([0, 1, 1, 0, 1, 0, 0])


def network(seed, outputs, bias, scale=1.0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(2, 3, bias=bias), nn.Tanh(), nn.Linear(3, outputs, bias=bias)).double()
    with torch.no_grad():
        net[2].weight *= scale
    return net


def stacked_losses(nets, x, outputs, bias):
    """The members' losses, and the gradients as `(members, weights)`."""
    layers = ((2, 3, bias), torch.tanh, (3, outputs, bias))
    program = stacked.Program(layers, "cross_entropy", "sgd", False, False, False, tiny=True)
    weights = torch.stack([nn.utils.parameters_to_vector(net.parameters()).detach() for net in nets], 1).unbind(0)
    share = x.new_full((POINTS,), 1 / POINTS)
    gradients, losses = torch.func.grad(program.objective, has_aux=True)(
        list(weights), list(x.unbind(-1)), CLASSES.to(x.dtype), share
    )
    return losses, torch.stack(list(gradients), 1)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("outputs", [2, 3])
@pytest.mark.parametrize("scale", [1.0, 100.0])  # differences of the outputs from 1 to 100: all parts of the softplus
def test_losses_and_gradients_equal_those_of_each_network(outputs, bias, scale):
    nets = [network(seed, outputs, bias, scale) for seed in range(MEMBERS)]
    x = torch.randn(POINTS, 2, dtype=torch.float64)
    losses, gradients = stacked_losses(nets, x, outputs, bias)
    for net, loss, gradient in zip(nets, losses, gradients):
        expected = F.cross_entropy(net(x), CLASSES)
        expected.backward()
        torch.testing.assert_close(loss, expected.detach(), rtol=0, atol=1e-12)
        own = torch.cat([each.grad.flatten() for each in net.parameters()])
        torch.testing.assert_close(gradient, own, rtol=0, atol=1e-12)


@pytest.mark.parametrize("outputs", [2, 3])
def test_an_infinite_output_has_no_loss_even_if_it_is_right(outputs):
    calm, wild = (network(seed, outputs, True) for seed in range(2))
    with torch.no_grad():
        wild[2].bias[1] = torch.inf
    x = torch.randn(POINTS, 2, dtype=torch.float64)
    losses, _ = stacked_losses([calm, wild], x, outputs, True)
    assert F.cross_entropy(wild(x)[1:2], CLASSES[1:2]).isnan()
    assert losses.isnan().tolist() == [False, True]
