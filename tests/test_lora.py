"""LoRA: the same model at first, two thin matrices that train, and a plain model again after the merge."""

import copy
import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrcourse.torch import GPT, MLP, LoRA, add_lora, merge_lora

TOKENS = torch.from_numpy(np.random.default_rng(0).integers(20, size=(4, 32)))


def gpt():
    torch.manual_seed(0)
    return GPT(20, layers=2).double()


def trained(model, parameters):
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(model(TOKENS).flatten(0, 1), TOKENS.flatten()).backward()
        optimizer.step()
    return model


def test_at_first_the_model_computes_what_it_did():
    model = gpt()
    before = model(TOKENS)
    add_lora(model)
    assert torch.equal(model(TOKENS), before)


def test_only_the_thin_matrices_train_and_everything_else_stays():
    model = gpt()
    frozen = {name: each.clone() for name, each in model.named_parameters()}
    parameters = add_lora(model, rank=3, names="query")
    assert [tuple(each.shape) for each in parameters] == [(3, 32), (32, 3)] * 2
    trained(model, parameters)
    with_gradient = {name for name, each in model.named_parameters() if each.grad is not None}
    assert with_gradient == {f"blocks.{i}.attention.query.{part}" for i in (0, 1) for part in "ab"}
    assert all((each != 0).any() for each in parameters)
    for name, each in model.named_parameters():
        if name not in with_gradient:
            assert torch.equal(each, frozen[name.replace("linear.", "")])


def test_a_layer_computes_the_formula():
    torch.manual_seed(0)
    layer = LoRA(nn.Linear(6, 5), rank=2, alpha=3.0)
    nn.init.normal_(layer.b)
    x = torch.randn(7, 6)
    weight = layer.linear.weight + 3 / 2 * layer.b @ layer.a
    torch.testing.assert_close(layer(x), x @ weight.T + layer.linear.bias)


def test_merged_the_model_is_a_plain_one_that_computes_the_same_and_trains_again():
    model, plain = gpt(), gpt()
    trained(model, add_lora(model, names=r"attention|hidden"))
    learned = model(TOKENS)
    assert not torch.allclose(learned, plain(TOKENS))
    merge_lora(model)
    torch.testing.assert_close(model(TOKENS), learned)
    assert not any(isinstance(each, LoRA) for each in model.modules())
    plain.load_state_dict(model.state_dict())
    assert all(each.requires_grad for each in model.parameters())


def test_names_are_found_in_the_full_names_of_linear_layers():
    model = gpt()
    add_lora(model, names=r"^blocks\.1\..*(query|output)$")
    replaced = [name for name, each in model.named_modules() if isinstance(each, LoRA)]
    assert replaced == ["blocks.1.attention.query", "blocks.1.attention.output", "blocks.1.output"]


def test_a_new_head_can_train_beside_it():
    model = MLP([4, 8, 3])
    parameters = [*add_lora(model, rank=2, names="0"), *model[2].requires_grad_(True).parameters()]
    assert {id(each) for each in model.parameters() if each.requires_grad} == set(map(id, parameters))


def test_what_is_refused_leaves_the_model_as_it_was():
    model = MLP([4, 8, 3])
    before = copy.deepcopy(model)
    with pytest.raises(ValueError, match=re.escape("choose among 0, 2")):
        add_lora(model, names="query")
    with pytest.raises(ValueError, match=r"^rank must be at most 3"):
        add_lora(model, rank=4, names="0|2")
    assert repr(model) == repr(before) and all(each.requires_grad for each in model.parameters())


BAD = [
    (lambda: LoRA(nn.Linear(4, 4), rank=0), "rank"),
    (lambda: LoRA(nn.Linear(4, 4), rank=5), "rank"),
    (lambda: LoRA(nn.Linear(4, 4), alpha=0), "alpha"),
    (lambda: add_lora(gpt(), names="nowhere"), "names"),
]


@pytest.mark.parametrize(("call", "named"), BAD)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=rf"^{named} must be .*: \w+"):
        call()
