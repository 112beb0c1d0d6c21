"""Language models: the law and the bound are the papers', the plans those of the record, which keeps the rules."""

import json
from functools import partial
from typing import Any

import nbformat
import numpy as np
import pytest
import torch

from lrcourse import WSD, Constant, Cosine, Linear, records, warmup
from lrcourse.course.experiments import language_models as experiment
from lrcourse.study import Answer
from lrcourse.torch import GPT
from lrcourse.torch.rules import RuleOptimizer

CHAPTER = "book/language-models.ipynb"


@pytest.fixture(scope="module")
def chapter(request):
    """The functions that the chapter defines: its own code, not a copy of it."""
    cells = {cell.id: cell.source for cell in nbformat.read(request.config.rootpath / CHAPTER, 4).cells}
    names: dict = {"np": np, "warmup": warmup, "WSD": WSD, "Constant": Constant, "Cosine": Cosine, "Linear": Linear}
    for each in ("scratch-law", "scratch-bound", "plans"):
        exec(cells[each], names)
    return names


def test_the_law_is_the_papers_sum_with_a_beta_of_1(chapter):
    rates = chapter["plans"](0.5, 40)["cosine"].table(40)
    a, alpha, b, c = p = np.array([0.3, 0.7, 2.0, 5.0])

    def after(t):
        settled = 0.0
        for k in range(1, t):  # rates[k] is that of update k + 1
            fall = max(0.0, rates[k - 1] - rates[k])
            settled += fall * (1 - 1 / (1 + c * rates[k:t].sum()))
        return a * rates[:t].sum() ** -alpha - b * settled

    at = np.array([1, 7, 25, 40])
    np.testing.assert_allclose(chapter["law"](np.log(p), rates, at), [after(t) for t in at])


def test_the_bound_is_the_papers_at_its_best_peak(chapter):
    rates = chapter["plans"](1.0, 30)["WSD"].table(30)

    def at_peak(peak):
        eta = peak * rates
        last = sum(eta[k] / eta[k + 1 :].sum() * (eta[k:] ** 2).sum() / eta[k:].sum() for k in range(29))
        return (1 + (eta**2).sum()) / (2 * eta.sum()) + last / 2

    best = min(at_peak(peak) for peak in np.geomspace(1e-3, 1e2, 4001))
    assert chapter["bound"](rates) == pytest.approx(best, rel=1e-4) == chapter["bound"](7 * rates)
    assert chapter["bound"](Linear(1.0, 0.0, 30).table(30)) < chapter["bound"](np.ones(30))


@pytest.mark.parametrize("name", experiment.SCHEDULES)
@pytest.mark.parametrize("steps", [200, 400])
def test_the_plans_are_those_of_the_record(chapter, name, steps):
    theirs = experiment.SCHEDULES[name](0.25, steps).table(steps)
    np.testing.assert_allclose(chapter["plans"](0.25, steps)[name].table(steps), theirs)


def test_the_rule_is_pytorchs_adamw_with_groups_that_spare_vectors():
    torch.manual_seed(0)
    ours, theirs = GPT(8, context=4, width=8).double(), GPT(8, context=4, width=8).double()
    theirs.load_state_dict(ours.state_dict())
    named = dict(theirs.named_parameters())
    inside = [p for name, p in named.items() if name.startswith("blocks.") and p.ndim == 2]
    rest = [p for name, p in named.items() if not name.startswith("blocks.") and p.ndim == 2]
    groups: list[Any] = [
        {"params": inside},
        {"params": rest, "lr": 0.02},
        {"params": [p for p in named.values() if p.ndim < 2], "lr": 0.02, "weight_decay": 0.0},
    ]
    optimizers = [
        RuleOptimizer(ours.named_parameters(), experiment.Inside(ratio=2.0), lr=0.01, weight_decay=0.1),
        torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.95), weight_decay=0.1),
    ]
    words = torch.arange(16).reshape(4, 4) % 8
    for _ in range(5):
        for model, optimizer in zip((ours, theirs), optimizers):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(words).mT, (words + 3) % 8).backward()
            optimizer.step()
    for name, mine in ours.named_parameters():
        torch.testing.assert_close(mine, named[name])


def test_no_model_is_better_on_average_than_the_probabilities_themselves():
    x, y = experiment.LANGUAGE.sample(4000, 32, seed=5)
    floor = experiment.LANGUAGE.floor(32).mean()
    assert experiment.lowest(x, y).mean() == pytest.approx(floor, abs=0.02)


def test_the_floors_of_batches_are_those_of_the_batches_that_a_sweep_takes():
    data = experiment.some_language(6, 3)
    order = np.random.default_rng(3).permutation(48)
    first = experiment.lowest(data.x_train[order[:8]], data.y_train[order[:8]]).mean()
    assert experiment.floors_of_batches(data, 3)[0] == pytest.approx(first)


def test_curves_come_down_and_end_where_the_test_does():
    results = experiment.run(experiment.named("curves", 8, 40), 0, "live", "cpu")
    for name in (*experiment.SCHEDULES, "line, twice as long"):
        curves = np.array(results[f"{name}: curves"]).reshape(2, -1)
        ends = np.array(results[f"{name}: ends"])
        assert curves.shape[1] == (8 if "twice" in name else 4)
        assert (ends > 0).all() and (curves[:, -1] < curves[:, 0]).all()
        np.testing.assert_allclose(curves[:, -1], ends, atol=0.15)


def test_english_windows_come_once():
    data = experiment.some_english(100, 1)
    assert len({each.tobytes() for each in data.x_train}) > 0.99 * len(data.x_train) == 0.99 * 800


def test_the_record_keeps_the_rules():
    record = records.read("language_models", "small")
    for run in record.runs:
        if "answer" in run["results"]:
            answer = Answer.from_dict(json.loads(run["results"]["answer"]))
            assert len(answer.report) >= 25 and not set(answer.select) & set(answer.report)
            assert len({len(each.trials) for each in answer.tuned.values()}) == 1


def mean_of(answer, arm) -> float:
    interval = answer.mean(arm)
    assert interval is not None
    return interval.mean


def test_wsd_has_the_lowest_mean_and_the_cosine_to_zero_the_highest_in_both_languages():
    results = {run["name"].partition(",")[0]: run["results"] for run in records.read("language_models", "small").runs}
    for question in ("schedules", "schedules on English"):
        answer = Answer.from_dict(json.loads(results[question]["answer"]))
        ordered = sorted(answer.tuned, key=partial(mean_of, answer))
        assert ordered[0] == "WSD" and ordered[-1] == "cosine"


def test_a_second_rate_is_worth_more_than_muon_and_both_want_it_higher_than_the_first():
    results = {run["name"].partition(",")[0]: run["results"] for run in records.read("language_models", "small").runs}
    muon, race = (Answer.from_dict(json.loads(results[name]["answer"])) for name in ("Muon", "schedules"))
    assert muon.report == race.report
    muons, adamws, lines = mean_of(muon, "Muon"), mean_of(muon, "AdamW"), mean_of(race, "line")
    assert lines - adamws > adamws - muons > 0
    assert all(muon.chosen(arm)["others_lr"] > muon.chosen(arm)["lr"] for arm in ("Muon", "AdamW"))
