"""The questions about optimizers, decay and fine-tuning: each is answered by one of four words, by means that hold."""

import json

import numpy as np
import pytest
import torch

from lrcourse import records
from lrcourse.course.experiments import questions_optimizers as questions
from lrcourse.study import Answer, Task
from lrcourse.torch.rules import SGD

WORDS = {"ahead", "behind", "level", "undecided"}
QUICK = ["main effects", "fine-tuning rate", "beyond the edge"]


def answers(results):
    """The studies of a row, by their names."""
    ending = ": answer"
    return {
        name.removesuffix(ending): Answer.from_dict(json.loads(text))
        for name, text in results.items()
        if name.endswith(ending)
    }


def check(results):
    found = answers(results)
    assert found
    for study, answer in found.items():
        assert results[f"{study}: margin"] == f"{answer.margin:.3g}"
        assert not set(answer.select) & set(answer.report)
        for each in answer.verdicts:
            word = results[f"{study}: {each.a}-{each.b}"]
            assert word == each.word and word in WORDS
            assert results[f"{study}: {each.a}-{each.b}-says"] == str(each)


@pytest.mark.parametrize("name", [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in questions.ROWS
])  # fmt: skip
def test_each_row_is_answered_by_one_of_four_words(name):
    results = questions.run(name, 0, "live")
    check(results)
    assert all(isinstance(each, str | int | float | list) for each in results.values())


def test_the_record_answers_every_row_by_the_rules():
    record = records.read("questions_optimizers", "small")
    assert [run["name"] for run in record.runs] == list(questions.ROWS)
    for run in record.runs:
        check(run["results"])
        for answer in answers(run["results"]).values():
            assert len(answer.report) >= (5 if run["name"] == "main effects" else 20)
            assert len({len(tuned.trials) for tuned in answer.tuned.values()}) == 1


def test_every_contrast_of_both_networks_is_told():
    results = questions.run("main effects", 0, "small")
    for network in ("small network", "VGG-16"):
        assert len(results[f"words, {network}"].split("; ")) == len(results["contrasts"].split("; ")) == 11


def test_a_row_that_is_unknown_and_a_device_that_gains_nothing_are_named():
    with pytest.raises(ValueError, match="^name must be 'cycled momentum'"):
        questions.run("cycled rate", 0, "live")
    with pytest.raises(ValueError, match="^device must be 'cpu', got 'cuda'"):
        questions.run("main effects", 0, "live", "cuda")


def test_the_body_of_two_rates_moves_by_its_part_of_the_heads_rate():
    rule = questions.TwoRates(rule=SGD(momentum=0.0), body=0.01)
    params = {name: torch.ones(2) for name in ("0.weight", "4.weight")}
    new, _ = rule.update(params, rule.init(params), params, 0.5, 0.0, 0.0)
    assert list(new) == list(params)
    assert new["0.weight"].tolist() == pytest.approx([0.995] * 2) and new["4.weight"].tolist() == [0.5] * 2


def test_a_network_starts_with_the_weights_of_its_seed_and_a_new_head_is_new():
    bodies = {seed: {k: torch.full_like(v, seed) for k, v in questions.MLP(questions.SIZES_OF_BODY).named_parameters()}
              for seed in (3, 4)}  # fmt: skip
    task = Task(lambda: questions.with_body(bodies, new_head=True), questions.splits, 1)
    [(_, first), (_, second)] = task.scores([({"lr": 0.0}, 3), ({"lr": 0.0}, 4)], jobs=1)
    assert first != second
    torch.manual_seed(4)
    weights = dict(questions.with_body(bodies, new_head=True).named_parameters())
    assert torch.all(weights["0.weight"] == 4) and not torch.any(weights["4.weight"] == 4)


def test_moved_digits_are_the_digits_and_only_a_few_are_learned_from():
    known, moved = questions.splits(0), questions.few_digits(0, n=50, moved=1.0)
    assert len(moved.x_train) == len(moved.y_train) == 50
    images = moved.x_test.reshape(-1, 8, 8), known.x_test.reshape(-1, 8, 8)
    assert np.array_equal(images[0][:, :, 1:], images[1][:, :, :-1])


def test_one_schedule_for_groups_with_different_rates_is_refused():
    assert questions.schedule_refuses()
