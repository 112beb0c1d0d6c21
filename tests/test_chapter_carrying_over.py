"""The exponents of the best rate: how they are estimated, and that muP divides the rates it should."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lrcourse import records
from lrcourse.course.experiments import carrying_over
from lrcourse.torch import GPT
from lrcourse.torch.rules import Adam

PAGE = Path(__file__).parents[1] / "book" / "carrying-over.ipynb"


def valleys(bests, lowest, seeds=3, noise=0.0, rates=7):
    """Scores of parabolas whose lowest points are `bests`, `(sizes, seeds, rates)`."""
    rng = np.random.default_rng(0)
    places = np.array(lowest)[:, None, None] + np.arange(rates)
    moved = np.array(bests)[:, None, None] + noise * rng.normal(size=(len(bests), seeds, 1))
    return 0.1 * (places - moved) ** 2 + 1


def test_the_best_rate_is_the_lowest_point_of_a_parabola():
    found = carrying_over.best([-6, -8], valleys([-3.3, -4.8], [-6, -8]))
    assert found == pytest.approx([-3.3, -4.8])


def test_the_exponent_is_a_slope_and_its_interval_holds_the_truth():
    sizes, lowest, truth = [8, 32, 128], [-8, -7, -6], np.array([-5.0, -4.0, -3.0])
    assert carrying_over.slope(sizes, lowest, valleys(truth, lowest)) == pytest.approx(0.5)
    exponent, half = carrying_over.with_interval(sizes, lowest, valleys(truth, lowest, seeds=6, noise=0.2))
    assert abs(exponent - 0.5) < half < 0.3


def test_mup_is_that_of_the_groups():
    torch.manual_seed(0)
    model = GPT(16, context=4, width=16, base_width=8)
    optimizer = torch.optim.Adam(model.groups(0.01), betas=(0.9, 0.95))
    rule = carrying_over.Slower(beta2=0.95, times=2.0)
    params = {name: each.detach().clone() for name, each in model.named_parameters()}
    state, zero = rule.init(params), torch.zeros(())
    for seed in range(3):
        torch.manual_seed(seed)
        grads = {name: torch.randn_like(each) for name, each in params.items()}
        for name, each in model.named_parameters():
            each.grad = grads[name].clone()
        optimizer.step()
        params, state = rule.update(grads, state, params, torch.tensor(0.01), torch.tensor(0.9), zero)
    for name, each in model.named_parameters():
        torch.testing.assert_close(params[name], each.detach(), rtol=1e-4, atol=1e-6)
    assert Adam(beta2=0.95) == Adam(beta2=0.95)


def test_a_live_run_keeps_what_the_page_reads():
    results = carrying_over.run("batch, Adam, MLP", 0, "live", "cpu")
    assert np.shape(results["log loss"]) == (2, 2, carrying_over.RATES)
    assert results["fitted"] == len(results["sizes"]) == len(results["log2 best"]) == 2
    assert results["low"] < results["exponent"] < results["high"]


def test_networks_are_on_the_device_of_the_record():
    assert {each.device.type for each in carrying_over.network(8, "meta").parameters()} == {"meta"}


@pytest.fixture(scope="module")
def kept():
    return {run["name"]: run["results"] for run in records.read("carrying_over", "small").runs}


def test_no_best_rate_of_the_record_stands_at_the_edge(kept):
    assert {name: each["at the edge"] for name, each in kept.items() if each["at the edge"]} == {}


def test_the_record_follows_from_its_scores(kept):
    for each in kept.values():
        fitted = int(each["fitted"])
        scores = np.array(each["log loss"])
        assert carrying_over.best(each["log2 lowest"], scores) == pytest.approx(each["log2 best"], abs=1e-4)
        found = carrying_over.slope(each["sizes"][:fitted], each["log2 lowest"], scores[:fitted])
        assert found == pytest.approx(each["exponent"], abs=1e-4)


def test_the_signs_that_the_page_names_are_those_of_the_record(kept):
    assert kept["batch, SGD, MLP"]["low"] > kept["batch, Adam, MLP"]["exponent"] > 0.5
    assert kept["length, SGD, MLP"]["exponent"] < 0 and kept["width, Adam, MLP"]["exponent"] < 0


def test_the_page_types_no_exponent():
    text = "".join("".join(each["source"]) for each in json.loads(PAGE.read_text())["cells"])
    assert "carry-exponent-batch-SGD-MLP" in text
