"""Parameter groups: each parameter that trains in exactly one, with the rate and the decay that were asked for."""

import re
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrcourse import Cosine
from lrcourse.torch import GPT, MLP, VGG, ResNet, ScheduleLR, applied_rates, muon_groups, parameter_groups

untyped: Any = parameter_groups  # takes what a type checker refuses
untyped_rates: Any = applied_rates
LAYERS = ["tokens|positions", r"blocks\.(\d+)\."]
MODELS: dict[str, Any] = {
    "perceptron": lambda: MLP([4, 8, 3]),
    "batch norm": VGG,
    "residual": ResNet,
    "GPT": lambda: GPT(20, layers=3, tied=False),
    "tied": lambda: GPT(20, layers=2),
    "torch's transformer": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2),
}


def by_name(model, groups):
    """The group of each parameter; a parameter in two groups or in none fails."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    found = [(names[parameter], group) for group in groups for parameter in group["params"]]
    assert sorted(name for name, _ in found) == sorted(names[each] for each in names if each.requires_grad)
    return dict(found)


def gpt():
    torch.manual_seed(0)
    return GPT(20, layers=3, tied=False)


@pytest.mark.parametrize("name", MODELS)
def test_each_parameter_is_in_one_group_and_vectors_do_not_decay(name):
    model = MODELS[name]()
    found = by_name(model, parameter_groups(model, 0.1, 0.01))
    for each, parameter in model.named_parameters():
        assert found[each]["weight_decay"] == (0.01 if parameter.ndim > 1 else 0.0)
        assert found[each]["lr"] == 0.1
    assert {group["name"] for group in found.values()} == {"all", "all, no decay"}


def test_norms_over_pictures_and_biases_that_are_no_vectors_do_not_decay():
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.LayerNorm([3, 4, 4]), nn.MultiheadAttention(4, 2, add_bias_kv=True))
    model.register_parameter("table_bias", nn.Parameter(torch.zeros(3, 3)))
    found = by_name(model, parameter_groups(model, 0.1, 0.01))
    decayed = {name for name, group in found.items() if group["weight_decay"]}
    assert model[1].weight.ndim == 3
    assert decayed == {"0.weight", "2.in_proj_weight", "2.out_proj.weight", "2.bias_k", "2.bias_v"}


def test_embeddings_are_spared_where_asked_and_what_is_named_has_its_own_decay():
    model = gpt()
    found = by_name(model, parameter_groups(
        model, 0.1, 0.01, decay_embeddings=False, decays={"positions": 0.5, r"blocks\.0\.": 0.0, "head": 0.02}
    ))  # fmt: skip
    assert found["tokens.weight"]["weight_decay"] == 0.0 and found["positions.weight"]["weight_decay"] == 0.5
    assert found["blocks.0.hidden.weight"]["weight_decay"] == 0.0 and found["head.weight"]["weight_decay"] == 0.02
    assert found["blocks.1.hidden.weight"]["weight_decay"] == 0.01
    assert found["head.weight"]["name"] == "all, decay 0.02"


def test_the_first_pattern_that_is_found_decides():
    model = gpt()
    found = by_name(model, parameter_groups(model, 0.5, factors={"head": 10.0, r"blocks\.2": 0.5, "blocks": 0.25}))
    assert (found["head.weight"]["lr"], found["head.weight"]["name"]) == (5.0, "head")
    assert found["blocks.2.hidden.weight"]["lr"] == 0.25 and found["blocks.1.hidden.weight"]["lr"] == 0.125
    assert found["tokens.weight"]["lr"] == 0.5
    with pytest.raises(ValueError, match=r"^factors must be .* no pattern before it decides for, got 'head': write it"):
        parameter_groups(model, 0.5, factors={"e": 0.5, "head": 10.0})


def test_frozen_parameters_are_in_no_group():
    model = gpt()
    model.blocks.requires_grad_(False)
    found = by_name(model, parameter_groups(model, 0.1, 0.01, layer_decay=0.5, layers=LAYERS))
    assert not any(name.startswith("blocks") for name in found)
    assert found["tokens.weight"]["factor"] == 0.5**4  # as far below the top as if the blocks trained
    with pytest.raises(ValueError, match="^factors must be found in the name of a parameter that trains, got 'blocks'"):
        parameter_groups(model, 0.1, factors={"blocks": 0.1})


def test_tied_weights_are_found_by_each_of_their_names():
    model = nn.ModuleDict({"embed": nn.Embedding(5, 4), "body": nn.Linear(4, 4), "head": nn.Linear(4, 5, bias=False)})
    model["head"].weight = model["embed"].weight
    for pattern in ("embed", "head"):
        found = by_name(model, parameter_groups(model, 0.1, 0.01, factors={pattern: 2.0}, decay_embeddings=False))
        assert (found["embed.weight"]["lr"], found["embed.weight"]["weight_decay"]) == (0.2, 0.0)
    with pytest.raises(ValueError, match=r"^layers must be apart .* in two of them, got 'embed\.weight'"):
        parameter_groups(model, 0.1, layer_decay=0.5, layers=["embed", "body", "head"])


# Layers


def reference_scales(model, blocks, layer_decay):
    """As timm's `param_groups_layer_decay` and BEiT have it: layer 0 is the embeddings, the last what follows."""
    scales = [layer_decay ** (blocks + 1 - i) for i in range(blocks + 2)]

    def layer(name):
        if name.startswith(("tokens", "positions")):
            return 0
        return int(name.split(".")[1]) + 1 if name.startswith("blocks") else blocks + 1

    return {name: scales[layer(name)] for name, _ in model.named_parameters()}


@pytest.mark.parametrize("as_modules", [False, True])
@pytest.mark.parametrize("blocks", [1, 3, 12])
def test_layers_have_the_rates_of_the_reference(blocks, as_modules):
    model = GPT(20, layers=blocks, tied=False)
    layers = [nn.ModuleList([model.tokens, model.positions]), *model.blocks] if as_modules else LAYERS
    found = by_name(model, parameter_groups(model, 0.3, 0.01, layer_decay=0.65, layers=layers))
    scales = reference_scales(model, blocks, 0.65)
    for name, group in found.items():
        assert group["factor"] == pytest.approx(scales[name], rel=1e-12)
        assert group["lr"] == pytest.approx(0.3 * scales[name], rel=1e-12)
    assert found["head.weight"]["name"] == "top" and found["tokens.weight"]["name"] == "layer 1"
    assert found["blocks.0.norm1.bias"]["name"] == "layer 2, no decay"


def test_more_than_nine_layers_are_in_the_order_of_their_numbers():
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(12)))
    found = by_name(model, parameter_groups(model, 1.0, layer_decay=0.5, layers=[r"^(\d+)\."]))
    assert [found[f"{i}.weight"]["factor"] for i in range(12)] == [0.5 ** (11 - i) for i in range(12)]


def test_the_number_decides_and_not_where_a_layer_stands():
    model = nn.ModuleDict({str(i): nn.Linear(2, 2) for i in (2, 0, 1)})
    found = by_name(model, parameter_groups(model, 1.0, layer_decay=0.5, layers=[r"^(\d+)\."]))
    assert [found[f"{i}.weight"]["factor"] for i in range(3)] == [0.25, 0.5, 1.0]


def test_if_the_layers_hold_everything_the_last_is_the_top():
    model: Any = MLP([4, 8, 8, 3])
    found = by_name(model, parameter_groups(model, 0.1, layer_decay=0.5, layers=["^0", "^2", "^4"]))
    assert {found[f"{i}.{part}"]["lr"] for i in (4,) for part in ("weight", "bias")} == {0.1}
    assert [found[f"{i}.bias"]["name"] for i in (0, 2, 4)] == ["layer 1", "layer 2", "top"]
    model[4].requires_grad_(False)  # and stays so whatever trains
    assert parameter_groups(model, 0.1, layer_decay=0.5, layers=["^0", "^2", "^4"])[-1]["lr"] == 0.05


def test_layers_and_factors_multiply():
    model = gpt()
    found = by_name(model, parameter_groups(model, 1.0, factors={"norm": 3.0}, layer_decay=0.5, layers=model.blocks))
    assert found["blocks.1.norm1.weight"]["factor"] == 3 * 0.5**2 and found["norm.weight"]["factor"] == 3.0
    assert found["tokens.weight"]["name"] == "top"
    assert found["blocks.1.norm1.weight"]["name"] == "layer 2, norm"


# In training


def trained(groups_of, schedule_of):
    model = gpt()
    optimizer = torch.optim.AdamW(groups_of(model))
    scheduler = schedule_of(optimizer)
    tokens = torch.arange(64).reshape(4, 16) % 20
    used = []
    for _ in range(4):
        used.append([group["lr"] for group in optimizer.param_groups])
        optimizer.zero_grad()
        F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()).backward()
        optimizer.step()
        scheduler.step()
    return used, optimizer


def grouped(model):
    return parameter_groups(model, 0.01, 0.1, factors={"head": 4.0}, layer_decay=0.5, layers=LAYERS)


def test_a_relative_schedule_is_the_fastest_groups_and_a_list_that_of_a_factor_of_one():
    s = Cosine(0.04, 0.0, 4)
    relative, optimizer = trained(grouped, lambda optimizer: ScheduleLR(optimizer, s, relative=True))
    listed, _ = trained(
        grouped, lambda optimizer: ScheduleLR(optimizer, [g["factor"] * 0.25 * s for g in optimizer.param_groups])
    )
    factors = [group["factor"] for group in optimizer.param_groups]
    assert max(factors) == 4.0
    for t, (a, b) in enumerate(zip(relative, listed, strict=True)):
        assert a == pytest.approx([s(t) * factor / 4 for factor in factors], rel=1e-12)
        assert a == pytest.approx(b, rel=1e-12)


def test_an_optimizers_state_with_such_groups_is_saved_and_loaded(tmp_path):
    _, optimizer = trained(grouped, lambda optimizer: ScheduleLR(optimizer, Cosine(0.04, 0.0, 4), relative=True))
    torch.save(optimizer.state_dict(), tmp_path / "o.pt")
    other = torch.optim.AdamW(grouped(gpt()))
    other.load_state_dict(torch.load(tmp_path / "o.pt", weights_only=True))
    names = [group["name"] for group in other.param_groups]
    assert names == [group["name"] for group in optimizer.param_groups] and len(set(names)) == len(names)


def test_a_logger_has_the_rate_of_each_group_by_its_name():
    optimizer = torch.optim.AdamW(grouped(gpt()))
    scheduler = ScheduleLR(optimizer, Cosine(0.04, 0.0, 4), relative=True)
    named = applied_rates(optimizer)
    assert len(named) == len(optimizer.param_groups) and named["lr/top, head"] == 0.04
    assert list(named.values()) == scheduler.get_last_lr()


def test_groups_without_names_or_with_one_name_are_told_apart():
    def rates(*groups):
        held = [{"params": [nn.Parameter(torch.ones(1))], **each} for each in groups]
        return applied_rates(torch.optim.SGD(held, lr=torch.tensor(0.25)), "rate")

    assert rates({}) == {"rate": 0.25} and rates({"name": "a"}) == {"rate/a": 0.25}
    assert rates({"lr": 0.5}, {}) == {"rate/0": 0.5, "rate/1": 0.25}
    assert rates({"lr": 0.5, "name": "a"}, {"name": "a"}) == {"rate/a (0)": 0.5, "rate/a (1)": 0.25}


# Muon


def test_muon_has_the_hidden_matrices_and_adamw_everything_else():
    model = gpt()
    hidden, others = muon_groups(model, 0.02, 0.001, 0.1, outside="^head")
    by_name(model, hidden + others)
    inside = {name for name in by_name(model, hidden + others) if name.startswith("blocks") and "norm" not in name}
    assert {id(each) for group in hidden for each in group["params"]} == {id(model.get_parameter(n)) for n in inside}
    expected = [(0.001, 0.1, 3), (0.001, 0.0, 3 * 4 + 2)]
    assert [(group["lr"], group["weight_decay"], len(group["params"])) for group in others] == expected


def test_both_optimizers_train_with_a_schedule_each():
    model = gpt()
    before = {name: each.clone() for name, each in model.named_parameters()}
    hidden, others = muon_groups(model, 0.02, 0.001, 0.1, outside="^head")
    optimizers = torch.optim.Muon(hidden), torch.optim.AdamW(others)
    schedulers = [ScheduleLR(each, Cosine(each.param_groups[0]["lr"], 0.0, 4)) for each in optimizers]
    tokens = torch.arange(64).reshape(4, 16) % 20
    F.cross_entropy(model(tokens).flatten(0, 1), (tokens.flatten() * 7) % 20).backward()
    for optimizer, scheduler in zip(optimizers, schedulers, strict=True):
        optimizer.step()
        scheduler.step()
    assert all((each != before[name]).any() for name, each in model.named_parameters())


def test_muon_leaves_filters_and_tied_heads_to_adamw():
    hidden, _ = muon_groups(GPT(20, layers=1), 0.02, 0.001, outside=None)
    assert len(hidden[0]["params"]) == 6
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    hidden, others = muon_groups(model, 0.02, 0.001, outside="4")
    assert [each is model[2].weight for each in hidden[0]["params"]] == [True]
    assert [group["name"] for group in others] == ["others", "others, no decay"]


# What is put around a model, and what is refused


def test_a_compiled_model_has_the_names_of_its_own():
    model = gpt()
    compiled: Any = torch.compile(model)
    groups = parameter_groups(compiled, 0.1, 0.01, factors={"^head": 2.0})
    assert by_name(model, groups)["head.weight"]["lr"] == 0.2


def of_gpt(**given):
    return lambda: parameter_groups(gpt(), 0.1, 0.01, **given)


def frozen():
    return gpt().requires_grad_(False)


BAD = {
    "pattern": (of_gpt(factors={"nowhere": 1.0}), r"factors must be found .* 'nowhere': choose among tokens\.weight"),
    "decay's pattern": (of_gpt(decays={"nowhere": 1.0}), "decays must be found"),
    "no expression": (of_gpt(factors={"(": 1.0}), r"factors must be a regular expression \("),
    "no text": (of_gpt(factors={1: 1.0}), "factors must be a regular expression, got 1"),
    "no dictionary": (of_gpt(factors=[0.1]), "factors must be a dictionary"),
    "factor": (of_gpt(factors={"head": 0}), r"factors\['head'\] must be positive, got 0"),
    "decay": (of_gpt(decays={"head": -1}), r"decays\['head'\] must be zero or positive, got -1"),
    "flag": (of_gpt(decay_embeddings="no"), "decay_embeddings must be True or False"),
    "no layers": (of_gpt(layer_decay=0.5), "layers must be given with layer_decay, got None"),
    "no layer decay": (of_gpt(layers=LAYERS), "layer_decay must be a finite number, got None"),
    "empty": (of_gpt(layer_decay=0.5, layers=[]), "layers must be a list"),
    "a single text": (of_gpt(layer_decay=0.5, layers="blocks"), "layers must be a list"),
    "not there": (of_gpt(layer_decay=0.5, layers=["tokens", "nowhere"]), r"layers\[1\] must be one that holds"),
    "a foreign module": (of_gpt(layer_decay=0.5, layers=[nn.Linear(2, 2)]), r"layers\[0\] must be one that holds"),
    "no weights": (of_gpt(layer_decay=0.5, layers=[nn.ReLU()]), r"layers\[0\] must be .*, got 'ReLU'"),
    "two": (of_gpt(layer_decay=0.5, layers=["hidden", r"blocks\.(\d+)\."]), r"layers must be apart .*'blocks\.0"),
    "a word": (of_gpt(layer_decay=0.5, layers=[r"blocks\.\d+\.(hidden|output)"]), r"layers\[0\] must be one whose"),
    "model": (lambda: untyped("gpt", 0.1), "model must be a torch"),
    "frozen": (lambda: parameter_groups(frozen(), 0.1), "model must be one with a parameter that trains"),
    "lazy": (lambda: parameter_groups(nn.LazyLinear(3), 0.1), "model must be without lazy layers"),
    "flat": (lambda: parameter_groups(nn.BatchNorm1d(3), 0.1, 0.01), "weight_decay must be 0, as all"),
    "no optimizer": (lambda: untyped_rates("adam"), "optimizer must be one with parameter groups"),
    "outside": (lambda: muon_groups(gpt(), 0.1, 0.1, outside="nowhere"), "outside must be found"),
    "no matrix": (lambda: muon_groups(nn.Conv2d(1, 1, 1), 0.1, 0.1, outside=None), "model must be one with hidden"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_a_fix(name):
    call, told = BAD[name]
    with pytest.raises(ValueError, match=rf"^{told}") as raised:
        call()
    assert re.search(r"[^:]: \w+", str(raised.value))
