"""The coordinate check: in standard parametrization layers learn more in a wide network, and in muP they do not."""

import numpy as np
import pytest
import torch

from lrcourse.data import digits
from lrcourse.torch import MLP, CoordinateCheck, coordinate_check

BASE, WIDTHS, RATE = 64, [64, 128, 256, 512], 0.001
LAYERS = ("0", "2", "4")
PIXELS = digits(seed=0)
BATCH = PIXELS.x_train[:64], PIXELS.y_train[:64]


def standard(width):
    return MLP([64, width, width, 10])


def adam(model):
    return torch.optim.Adam(model.parameters(), lr=RATE)


def mup(width):
    """At the width BASE the network of standard parametrization; the output's variance falls as 1 / width²."""
    model = standard(width)
    with torch.no_grad():
        model[4].weight *= (BASE / width) ** 0.5
    return model


def mup_adam(model):
    """Weights with many inputs get a rate that falls as 1 / width; biases and the first layer keep theirs."""
    scaled = [model[2].weight, model[4].weight]
    others = [*model[0].parameters(), model[2].bias, model[4].bias]
    return torch.optim.Adam([{"params": others}, {"params": scaled, "lr": RATE * BASE / model[2].in_features}], lr=RATE)


def test_in_standard_parametrization_with_adam_layers_change_more_the_wider_they_are():
    check = coordinate_check(standard, WIDTHS, adam, BATCH)
    slopes = check.slopes()
    assert abs(slopes["0"]) < 0.15, "the pixels are not more"
    assert slopes["2"] > 0.5 and slopes["4"] > 0.7
    assert (np.diff(check.changes[:, -1, 2]) > 0).all()
    assert check.slopes(step=1)["4"] == pytest.approx(1, abs=0.15)


def test_in_mup_every_layer_changes_as_much_at_every_width():
    check = coordinate_check(mup, WIDTHS, mup_adam, BATCH)
    assert check.layers == LAYERS
    for step in (1, 4):
        assert max(map(abs, check.slopes(step=step).values())) < 0.15, check
    assert check.slopes("sizes", step=0)["4"] == pytest.approx(-0.5, abs=0.25), "small at the start: no fault"


def test_one_missing_factor_is_found_at_its_layer():
    def hidden_rate_kept(model):
        optimizer = mup_adam(model)
        optimizer.add_param_group({"params": [optimizer.param_groups[1]["params"].pop(0)]})
        return optimizer

    slopes = coordinate_check(mup, WIDTHS, hidden_rate_kept, BATCH).slopes(step=1)
    assert abs(slopes["0"]) < 0.15 and slopes["2"] > 0.5, "the first that is not flat"


def test_sizes_and_changes_are_those_of_a_loop_by_hand():
    check = coordinate_check(standard, [8, 16], adam, BATCH, steps=2, seeds=[5, 6])
    assert check.sizes.shape == check.changes.shape == (2, 3, 3)
    for i, width in enumerate([8, 16]):
        sizes, changes = [], []
        for seed in (5, 6):
            torch.manual_seed(seed)
            model = standard(width)
            optimizer, x, y = adam(model), torch.tensor(BATCH[0]).float(), torch.tensor(BATCH[1])
            hidden = []
            for _ in range(3):
                with torch.no_grad():
                    hidden.append([layer_output(model, x, layer) for layer in range(3)])
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
            sizes.append([[each.abs().mean().item() for each in now] for now in hidden])
            changes.append([[(a - b).square().mean().sqrt().item() for a, b in zip(now, hidden[0])] for now in hidden])
        np.testing.assert_allclose(check.sizes[i], np.mean(sizes, axis=0), rtol=1e-5)
        np.testing.assert_allclose(check.changes[i], np.mean(changes, axis=0), rtol=1e-4)


def layer_output(model, x, layer):
    for each in list(model)[: 2 * layer + 1]:
        x = each(x)
    return x


@pytest.mark.parametrize("power", [0.0, -0.5, 1.0])
def test_a_power_of_the_width_is_its_slope(power):
    table = np.array([3.0 * width**power for width in (10, 30, 1000)])[:, None, None]
    check = CoordinateCheck((10, 30, 1000), ("a",), table, table)
    assert check.slopes()["a"] == check.slopes("sizes", 0)["a"] == pytest.approx(power, abs=1e-12)


def test_what_is_zero_or_infinite_has_no_slope():
    check = coordinate_check(standard, [8, 16], adam, BATCH, steps=1, seeds=[0])
    assert all(np.isnan(slope) for slope in check.slopes(step=0).values())
    diverged = coordinate_check(standard, [8, 16], lambda model: torch.optim.SGD(model.parameters(), lr=1e30), BATCH)
    assert all(np.isnan(slope) for slope in diverged.slopes().values())


def test_as_text_it_is_a_table():
    table = np.array([[[0.0, 0.0], [0.5, 0.01]], [[0.0, 0.0], [0.5, 0.02]]])
    assert str(CoordinateCheck((64, 128), ("hidden", "output"), table, table)) == (
        "layer         64       128   slope\nhidden       0.5       0.5    0.00\noutput      0.01      0.02    1.00"
    )


class Twice(torch.nn.Module):
    """One layer runs twice, one never; another has a tuple as its output, and dropout and noise are at work."""

    def __init__(self, width):
        super().__init__()
        self.rnn = torch.nn.GRU(64, width, batch_first=True)
        self.hidden, self.never = torch.nn.Linear(width, width), torch.nn.Linear(width, 1)
        self.dropout, self.out = torch.nn.Dropout(0.5), torch.nn.Linear(width, 10)

    def forward(self, x):
        x, _ = self.rnn(x[:, None])
        return self.out(self.dropout(torch.relu_(self.hidden(self.hidden(x[:, 0])))))


def test_layers_that_run_twice_or_never_or_return_more():
    check = coordinate_check(Twice, [8, 16], adam, BATCH, steps=1, seeds=[0])
    assert check.layers == ("rnn", "hidden", "out")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, x = Twice(8).eval(), torch.tensor(BATCH[0]).float()
    with torch.no_grad():
        first = model.hidden(model.rnn(x[:, None])[0][:, 0])
        both = torch.cat([first, model.hidden(first)])
    assert check.sizes[0, 0, 1] == pytest.approx(both.abs().mean().item(), rel=1e-5)


def test_attention_is_seen_layer_by_layer():
    def model_fn(width):
        layer = torch.nn.TransformerEncoderLayer(width, 2, width, batch_first=True)
        return torch.nn.Sequential(torch.nn.Unflatten(1, (4, 16)), torch.nn.Linear(16, width), layer,
                                   torch.nn.Flatten(), torch.nn.Linear(4 * width, 10))  # fmt: skip

    check = coordinate_check(model_fn, [8, 16], adam, BATCH, steps=1, seeds=[0])
    assert {"1", "2.self_attn", "2.linear1", "2.norm2", "4"} <= set(check.layers)


def test_the_random_numbers_are_as_before_and_a_seed_gives_the_same():
    numbers = torch.get_rng_state()
    first = coordinate_check(Twice, [8, 16], adam, BATCH, steps=2, seeds=[0])
    assert torch.equal(torch.get_rng_state(), numbers)
    torch.manual_seed(77)
    again = coordinate_check(Twice, [8, 16], adam, BATCH, steps=2, seeds=[0])
    np.testing.assert_array_equal(first.changes, again.changes)


@pytest.mark.parametrize("message, arguments", [
    ("widths must be two different ones or more", {"widths": [8, 8]}),
    (r"widths\[1\] must be a whole number, at least 1", {"widths": [8, 0]}),
    ("steps must be a whole number of steps, at least 1", {"steps": 0}),
    ("seeds must be one or more", {"seeds": []}),
    (r"seeds\[0\] must be a whole number", {"seeds": [-1]}),
    ("loss must be 'cross_entropy' or 'mse'", {"loss": "hinge"}),
    ("data must be a Dataset or a pair", {"data": (BATCH[0],)}),
    ("model_fn must be a function whose models have the same layers",
     {"model_fn": lambda width: MLP([64, *[width] * (width // 8), 10])}),
])  # fmt: skip
def test_bad_arguments_are_named(message, arguments):
    given = {"model_fn": standard, "widths": [8, 16], "optimizer_fn": adam, "data": BATCH, **arguments}
    with pytest.raises(ValueError, match=message):
        coordinate_check(**given)


def test_a_slope_is_asked_for_by_what_was_measured():
    check = coordinate_check(standard, [8, 16], adam, BATCH, steps=1, seeds=[0])
    with pytest.raises(ValueError, match="step must be at most 1, as many updates as were made, got 2"):
        check.slopes(step=2)
    with pytest.raises(ValueError, match="of must be 'changes' or 'sizes'"):
        check.slopes("rates")
