"""The questions about schedules: each is answered by one of four words, by means that do what they say."""

import json
import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lrcourse import Plateau, records
from lrcourse.course.experiments import questions_schedules as questions
from lrcourse.data import Dataset
from lrcourse.study import Answer, Task
from lrcourse.torch import LogicNet, range_test
from lrcourse.torch.training import mini_batches

WORDS = {"ahead", "behind", "level", "undecided"}


def verdicts(results):
    """The words of a question's verdicts, by their names."""
    answers = {of.removesuffix("answer"): Answer.from_dict(json.loads(text)) for of, text in results.items()
               if of.endswith("answer")}  # fmt: skip
    return {f"{of}{each.a}-{each.b}": each for of, answer in answers.items() for each in answer.verdicts}


@pytest.mark.parametrize("name", questions.QUESTIONS)
def test_each_question_is_answered_by_one_of_four_words_and_says_its_margin(name):
    results = questions.run(name, 0, "live", "cpu")
    found = verdicts(results)
    assert found and {each.word for each in found.values()} <= WORDS
    studies = [of.removesuffix("margin") for of in results if of.endswith("margin")]
    assert sum(int(results[f"{of}verdicts"]) for of in studies) == len(found)
    assert all(isinstance(each, str | int | float | list) for each in results.values())


def test_the_record_answers_every_question_and_its_words_follow_from_its_scores():
    record = records.read("questions_schedules", "small")
    assert [run["name"] for run in record.runs] == list(questions.QUESTIONS)
    for run in record.runs:
        for name, verdict in verdicts(run["results"]).items():
            assert run["results"][name] == verdict.word and run["results"][f"{name}-says"] == str(verdict)


def test_what_is_reported_was_not_used_to_choose():
    for size in questions.SIZES.values():
        assert not set(size.select(1000)) & set(size.report(1000))


def test_a_limit_is_where_training_fails_for_good():
    rates = [1.0, 2.0, 4.0, 8.0]
    limits = [questions.first_of_the_failing(np.array(each, dtype=bool), rates) for each in
              ([1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0])]  # fmt: skip
    assert limits == pytest.approx([2.0, 3.0, np.nan, np.nan], nan_ok=True)


def test_early_stopping_is_that_of_the_chapter():
    losses = np.random.default_rng(0).normal(size=(20, 30))
    for patience in (1, 3, 8):
        for each in losses:
            plateau = Plateau(lr=1.0, factor=0.5, patience=patience, threshold=0.0)
            cuts = [epoch for epoch, loss in enumerate(each, start=1) if plateau.update(loss) < 1.0]
            assert questions.early_stop(each, patience) == (cuts[0] if cuts else len(each))


def test_range_tests_side_by_side_are_range_tests():
    task = Task(lambda: questions.mlp("cpu"), questions.some_digits, steps=102, options=questions.BATCH)
    for seed, found in zip((3, 4), questions.range_tests(task, (3, 4), 0.01, 10.0)):
        torch.manual_seed(seed)
        model, data = questions.mlp("cpu"), questions.some_digits(seed)
        batches = mini_batches(torch.tensor(data.x_train), torch.tensor(data.y_train), 16, seed)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        alone = range_test(model, optimizer, F.cross_entropy, batches, start=0.01, end=10.0, steps=102, stop=np.inf)
        assert found.lrs == pytest.approx(alone.lrs) and found.losses == pytest.approx(alone.losses)


def moons_task(**options):
    return Task(lambda: LogicNet().double(), questions.some_moons, steps=20, **options)


def test_each_seed_trains_at_its_own_rate_and_one_without_a_rate_has_failed():
    task, seeds = moons_task(), (1, 2, 3)
    found = questions.trained_at(task, np.array([1.0, np.nan, 2.0]), seeds)
    alone = questions.trained(task, [{"lr": 1.0}, {"lr": 2.0}], seeds)
    assert found == pytest.approx([alone[0, 0], np.nan, alone[2, 1]], nan_ok=True)


def test_a_run_that_ends_no_better_than_guessing_is_no_score():
    task = moons_task()
    assert np.isnan(questions.trained(task, [{"lr": 1e9}], (1, 2))).all()
    with pytest.raises(RuntimeError, match="best rate must lie within the ladder, got .*lr=1 is the highest"):
        questions.best_rate(task, [0.25, 0.5, 1.0], (1, 2))


def test_no_point_of_the_regression_comes_twice_and_the_test_has_no_noise():
    data = questions.some_regression(0)
    assert len(data.x_train) == 300 * questions.BATCH["batch_size"]
    assert data.y_test == pytest.approx(questions.curved(data.x_test))
    assert np.std(data.y_train - questions.curved(data.x_train)) == pytest.approx(0.3, abs=0.02)
    assert np.array_equal(data.x_test, questions.some_regression(1).x_test)


def test_what_early_stopping_watches_is_not_trained_on():
    data, whole = questions.digits_to_watch(5), questions.some_digits(5)
    assert isinstance(data, Dataset) and len(data.y_test) == 419
    assert np.array_equal(data.x_test, whole.x_test[:419]) and np.array_equal(data.x_train, whole.x_train)


@pytest.mark.parametrize("norm", [False, True])
def test_networks_are_on_the_device_of_the_record(norm):
    for model in (questions.deep(3, norm, "meta"), questions.mlp("meta")):
        assert {each.device.type for each in model.parameters()} == {"meta"}


def test_the_questions_say_what_they_ask():
    for question in questions.QUESTIONS.values():
        assert re.search(r"\?.*Asked again: .*Margin: ", question.__doc__ or "", re.DOTALL)
