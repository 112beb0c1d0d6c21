"""The residual network: its depth, how its blocks start, and pictures of any size and color."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F

from lrcourse.data import glyphs
from lrcourse.torch import MLP, ResNet, train
from lrcourse.torch.resnet import Residual


@pytest.mark.parametrize("depth", [8, 14, 20])
def test_the_depth_counts_the_layers_with_weights(depth):
    model = ResNet(depth)
    assert sum(isinstance(each, nn.Conv2d | nn.Linear) for each in model.modules()) == depth
    channels = [each.out_channels for each in model.modules() if isinstance(each, nn.Conv2d)]
    each = (depth - 2) // 3
    assert channels == [8] * (1 + each) + [16] * each + [32] * each


@pytest.mark.parametrize("norm", ["group", "batch", None])
@pytest.mark.parametrize(("shape", "channels"), [((6, 8, 8), 1), ((6, 28, 28), 1), ((6, 32, 32, 3), 3)])
def test_pictures_of_any_size_and_color_start_with_equally_likely_classes(norm, shape, channels):
    torch.manual_seed(0)
    scores = ResNet(channels=channels, norm=norm)(torch.rand(*shape))
    assert scores.shape == (6, 10) and scores.softmax(1).sub(0.1).abs().max() < 0.05


def test_a_block_adds_what_its_convolutions_find():
    torch.manual_seed(0)
    block = Residual(8, 16, "group")
    scale = torch.randn(16)
    block.norm2.load_state_dict({"weight": scale, "bias": torch.zeros(16)})
    x = torch.rand(2, 8, 6, 6)
    change = F.group_norm(F.conv2d(x, block.convolution1.weight, stride=2, padding=1), 4).relu()
    change = F.group_norm(F.conv2d(change, block.convolution2.weight, padding=1), 4, scale)
    kept = torch.cat([x[:, :, ::2, ::2], torch.zeros(2, 8, 3, 3)], 1)
    torch.testing.assert_close(block(x), (kept + change).clamp(min=0))


@pytest.mark.parametrize("norm", ["group", "batch", None])
def test_every_channel_is_trained(norm):
    torch.manual_seed(0)
    model = ResNet(14, norm=norm)
    F.cross_entropy(model(torch.rand(20, 12, 12)), torch.arange(20) % 10).backward()
    gradients = {
        name: each.grad.reshape(len(each), -1) for name, each in model.named_parameters() if each.grad is not None
    }
    assert len(gradients) == len(list(model.parameters()))
    assert [name for name, gradient in gradients.items() if not gradient.any(1).all()] == []


@pytest.mark.parametrize("depth", [8, 50])
def test_without_norms_what_enters_the_last_layer_keeps_its_size_at_any_depth(depth):
    torch.manual_seed(0)
    features = nn.Sequential(*list(ResNet(depth, norm=None))[:-1])(torch.rand(20, 16, 16))
    assert 0.1 < features.square().mean().sqrt() < 3


@pytest.mark.parametrize("norm", ["group", None])
def test_many_are_trained_as_one(norm):
    models = [ResNet(norm=norm).double() for _ in range(2)]
    weights, buffers = stack_module_state(models)
    structure = copy.deepcopy(models[0]).to("meta")
    x, y = torch.rand(2, 4, 8, 8, dtype=torch.float64), torch.arange(8).reshape(2, 4)

    def objective(weights, buffers, x, y):
        return F.cross_entropy(functional_call(structure, (weights, buffers), (x,)), y)

    gradients = vmap(grad(objective))(weights, buffers, x, y)
    for i, model in enumerate(models):
        F.cross_entropy(model(x[i]), y[i]).backward()
        for name, weight in model.named_parameters():
            torch.testing.assert_close(gradients[name][i], weight.grad)


def perceptron():
    return nn.Sequential(nn.Flatten(), MLP([256, 64, 10]))


def test_it_tells_more_glyphs_apart_than_a_perceptron():
    data = glyphs(n=1250, size=16, n_test=250)
    right = []
    for build, lr in [(ResNet, 0.03), (perceptron, 0.001), (perceptron, 0.003), (perceptron, 0.01)]:
        torch.manual_seed(0)
        model = build()
        run = train(model, torch.optim.AdamW(model.parameters(), lr=lr), data, steps=120, batch_size=32)
        right.append(run.evaluations.test_accuracy[-1])
    print(right)
    assert right[0] > max(right[1:]) + 0.15


BAD = [
    ({"depth": 9}, "depth"),
    ({"depth": 2}, "depth"),
    ({"width": 6}, "width"),
    ({"width": 0, "norm": None}, "width"),
    ({"classes": 0}, "classes"),
    ({"channels": 0}, "channels"),
    ({"norm": "layer"}, "norm"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD)
def test_bad_input_is_named(arguments, named):
    with pytest.raises(ValueError, match=rf"^{named} must be .*: \w+"):
        ResNet(**arguments)
