"""A study is declared before it runs, tunes all arms alike, and reports on other seeds."""

import functools
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import matplotlib
import numpy as np
import pytest

from lrcourse import Constant, Cosine
from lrcourse.data import moons
from lrcourse.space import Choice, LogUniform, Space, octaves
from lrcourse.study import Answer, Arm, EdgeError, FunctionTask, Study, Task, compare_scores
from lrcourse.torch import LogicNet

matplotlib.use("Agg")
RATES = octaves(1 / 16, 1)
SEEDS: dict[str, Any] = {"select": range(5), "report": range(10, 20)}


def bowl(made, seed):
    lr, best, height = made
    return height + 0.1 * np.log2(lr / best) ** 2 + 0.05 * np.random.default_rng(seed).normal()


def raised(made, seed, shift):
    return bowl(made, seed) + shift


def arms(best=0.25, height=0.3):
    return {"low": lambda lr: (lr, 0.25, 0.0), "high": lambda lr: (lr, best, height)}


def study(task=FunctionTask(bowl), arms_=None, **options):  # noqa: B008
    return Study(task, arms_ or arms(), **{"rates": RATES, "margin": 0.05, **SEEDS, **options})


def answered(*args, **options):
    return study(*args, **options).run(progress=False, jobs=1)


def test_each_arm_is_reported_at_its_own_best_on_other_seeds():
    answer = answered(arms_=arms(best=0.5))
    assert answer.chosen("low") == {"lr": 0.25} and answer.chosen("high") == {"lr": 0.5}
    assert answer.scores["low"] == pytest.approx([bowl((0.25, 0.25, 0), seed) for seed in range(10, 20)])
    assert answer.verdict("low", "high").word == "ahead"
    assert answer.verdict("low", "high").difference.mean == pytest.approx(-0.3)


@pytest.mark.parametrize("best, which", [(1 / 16, "lowest"), (8.0, "highest")])
def test_a_best_trial_at_the_edge_is_refused(best, which):
    with pytest.raises(EdgeError, match=f"high: lr=.* is the {which} of 5") as error:
        answered(arms_=arms(best=best))
    assert "low:" not in str(error.value)


def test_an_end_is_no_edge_and_neither_is_a_value_that_is_no_number():
    space = Space({"decay": Choice([0.0, 0.1, 0.2]), "kind": Choice(["x", "y"])}).grid()
    made = {name: Arm(lambda decay, kind: (0.25, 0.25, decay), space, ends) for name, ends in
            (("a", {"decay": [0.0]}), ("b", {}))}  # fmt: skip
    with pytest.raises(EdgeError, match=r"got b: decay=0 is the lowest of 3: extend"):
        answered(arms_=made)


def test_of_equally_good_trials_the_middle_one_is_taken():
    task = FunctionTask(lambda made, seed: max(0.1, abs(np.log2(made / 0.25))) + seed * 1e-9)
    answer = answered(task, {"a": lambda lr: lr, "b": lambda lr: lr}, rates=[1 / 32, 0.249, 0.25, 0.251, 2.0])
    assert answer.chosen("a") == {"lr": 0.25}


def test_unequal_tuning_is_refused():
    few = Arm(lambda lr: (lr, 0.25, 0.0), [{"lr": rate} for rate in RATES[:3]])
    with pytest.raises(ValueError, match="arms must be of equally many trials, got {'low': 5, 'few': 3}"):
        study(arms_={"low": arms()["low"], "few": few})


@pytest.mark.parametrize("options, says", [
    ({"margin": 0}, "margin must be positive"),
    ({"select": range(12)}, r"report must be other seeds than those of select, got \[10, 11\]"),
    ({"report": range(10, 13)}, "report must be at least 5 seeds"),
    ({"select": range(3)}, "at least 5 seeds"),
    ({"report": [10] * 8}, "report must be different seeds"),
    ({"compare": [("low", "other")]}, "compare must be two of"),
    ({"compare": [("low", "low")]}, "compare must be two of"),
    ({"compare": []}, "compare must be one pair or more, each once"),
    ({"compare": [("low", "high"), ("high", "low")]}, "compare must be one pair or more, each once"),
    ({"select": range(3), "report": range(5, 12)}, "select must be at least 5 seeds"),
    ({"rates": None}, r"arms\['low'\] must be an Arm, or a function of the rate beside rates"),
    ({"arms_": {"one": lambda lr: lr}}, "arms must be two or more"),
])  # fmt: skip
def test_a_study_that_cannot_answer_is_refused_before_it_runs(options, says):
    with pytest.raises(ValueError, match=says):
        study(**options)


@pytest.mark.parametrize("trials, says", [
    ([], "a list of settings"), ([{"lr": 1}, {"rate": 1}], "give each trial the same names"),
    ([{"lr": 1}, {"lr": 1}], "list every trial once"),
])  # fmt: skip
def test_trials_are_settings_of_the_same_names(trials, says):
    with pytest.raises(ValueError, match=says):
        Arm(lambda lr: lr, trials)


def test_only_declared_pairs_have_a_verdict():
    three = {**arms(), "higher": lambda lr: (lr, 0.25, 0.6)}
    answer = answered(arms_=three, compare=[("low", "high"), ("low", "higher")])
    assert [each.family for each in answer.verdicts] == [2, 2]
    with pytest.raises(ValueError, match="compare must be one of the declared pairs"):
        answer.verdict("high", "higher")


def test_a_run_no_better_than_a_guess_has_failed_and_counts_as_a_guess_in_the_choice():
    def train(made, seed):
        lr, fails = made
        return np.nan if seed % 3 == 0 and fails else 1.5 if lr == 1.0 else 0.1 * lr + 0.01 * (seed % 2)

    trials = [{"lr": rate} for rate in (0.1, 0.9, 1.0)]
    both = {
        "sound": Arm(lambda lr: (lr, False), trials, {"lr": [0.1]}),
        "failing": Arm(lambda lr: (lr, True), trials, {"lr": [0.1]}),
    }
    answer = answered(FunctionTask(train, guess=1.0), both, margin=0.5)
    assert answer.failed["failing"].sum() == 3 and not answer.failed["sound"].any()
    assert answer.tuned["failing"].scores[0].tolist() == [1.0, 1.0, 1.0]
    assert answer.tuned["sound"].scores[1].tolist() == pytest.approx([0.02, 0.1, 1.0])


def test_without_a_guess_fewer_failures_come_first():
    def train(made, seed):
        lr, kind = made
        if lr >= 0.25:
            return np.nan if kind == "all" or seed % 2 else 0.4
        return 0.45 + 0.1 * (lr < 0.1) + 1e-3 * seed

    trials = [{"lr": rate} for rate in (0.05, 0.1, 0.2, 0.25, 0.5, 1.0)]
    both = {kind: Arm(lambda lr, kind=kind: (lr, kind), trials) for kind in ("all", "some")}
    answer = answered(FunctionTask(train), both, **{**SEEDS, "select": range(6)})
    assert answer.chosen("all")["lr"] in (0.1, 0.2) and answer.chosen("some")["lr"] in (0.1, 0.2)
    assert not answer.failed["some"].any() and np.isnan(answer.tuned["all"].means[-1])
    answer.plot()


def test_what_an_arm_makes_is_made_for_each_run():
    def train(made, seed):
        made.append(seed)
        return len(made) + 1e-3 * seed * (seed % 3)

    twice = {name: Arm(lambda lr, start=start: [lr] * start, [{"lr": 1.0}]) for name, start in (("a", 1), ("b", 3))}
    assert answered(FunctionTask(train), twice, margin=1.0).mean("a").mean < 2.1


def test_an_arm_all_of_whose_runs_fail_says_so():
    with pytest.raises(ValueError, match=r"arms\['high'\] must be such that a run survives"):
        answered(FunctionTask(lambda made, seed: bowl(made, seed) if made[2] == 0 else np.inf))


def test_what_is_kept_is_not_trained_again(tmp_path):
    calls = []

    class Counted(FunctionTask):
        def scores(self, runs, *args):
            calls.extend(runs)
            return super().scores(runs, *args)

    task = Counted(bowl)
    first = study(task).run(tmp_path, progress=False, jobs=1)
    assert len(calls) == 2 * 5 * 5 + 2 * 10
    again = study(task).run(tmp_path, progress=False, jobs=1)
    assert len(calls) == 70 and again.to_dict() == first.to_dict()
    study(task, rates=octaves(1 / 16, 2)).run(tmp_path, progress=False, jobs=1)
    assert len(calls) == 70 + 2 * 5


def test_a_changed_function_is_trained_anew(tmp_path):
    scores = [
        study(FunctionTask(functools.partial(raised, shift=shift))).run(tmp_path, progress=False, jobs=1).scores["low"]
        for shift in (0.0, 1.0)
    ]
    assert scores[1] - scores[0] == pytest.approx(1.0)


KILLED = """
import sys, time
from lrcourse.study import FunctionTask, Study

def train(made, seed):
    time.sleep(0.02)
    return made + seed * 1e-3

if __name__ == "__main__":
    arms = {"a": lambda lr: abs(lr - 0.25), "b": lambda lr: abs(lr - 0.5) + 0.1}
    answer = Study(FunctionTask(train), arms, rates=[0.1, 0.25, 0.5, 1.0], margin=0.1, select=range(10),
                   report=range(20, 40)).run(sys.argv[1], progress=False, jobs=1)
    print(answer.to_dict())
"""


def test_a_killed_study_goes_on_and_finds_the_same(tmp_path):
    script, folder = tmp_path / "killed.py", tmp_path / "kept"
    script.write_text(KILLED)
    command = [sys.executable, str(script), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not (folder / "scores.jsonl").exists() or (folder / "scores.jsonl").stat().st_size < 800:
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with (folder / "scores.jsonl").open("ab") as file:
        file.write(b'{"run": "half a li')
    before = len((folder / "scores.jsonl").read_bytes().splitlines()) - 1
    again, anew = (
        subprocess.run([*command[:2], str(place)], capture_output=True, text=True, check=True).stdout
        for place in (folder, tmp_path / "anew")
    )
    assert again == anew and before > 5
    assert len((folder / "scores.jsonl").read_text().splitlines()) == 2 * 4 * 10 + 2 * 20


def test_a_damaged_line_is_named(tmp_path):
    (tmp_path / "scores.jsonl").write_text('{"run": 1}\n')
    with pytest.raises(ValueError, match=r"scores.jsonl, line 1"):
        study().run(tmp_path, progress=False, jobs=1)


def test_processes_find_what_one_finds():
    assert study().run(progress=False, jobs=2).to_dict() == study().run(progress=False, jobs=1).to_dict()


def test_networks_are_trained_by_a_sweep_and_what_it_trains_is_the_score():
    task = Task(LogicNet, moons(n=60, n_test=200), steps=40, metric="test_loss")
    arms: dict[str, Any] = {
        "constant": lambda lr: Constant(lr),
        "adam": Arm(lambda lr: {"lr": lr, "optimizer": "adam"}, [{"lr": 2.0**-i} for i in range(8, -1, -1)]),
    }
    answer = Study(task, arms, rates=octaves(2**-4, 16.0), margin=0.02, **SEEDS).run(progress=False)
    [(_, score)] = task.scores([({"lr": answer.chosen("adam")["lr"], "optimizer": "adam"}, 10)])
    assert answer.scores["adam"][0] == pytest.approx(score, rel=1e-4)
    assert task.guesses(0) == pytest.approx(np.log(2))


def test_a_sweep_within_a_study_leaves_scores_and_nothing_else(tmp_path):
    task = Task(LogicNet, moons(n=60, n_test=200), steps=10, metric="test_accuracy")
    both = {"constant": lambda lr: Constant(lr), "cosine": lambda lr: Cosine(lr, 0.0, 10)}
    trials = {name: Arm(make, [{"lr": 1.0}]) for name, make in both.items()}
    kept = Study(task, trials, margin=0.02, report=range(6)).run(tmp_path, progress=False)
    assert [each.name for each in tmp_path.iterdir()] == ["scores.jsonl"]
    assert kept.better == "higher" and kept.chosen("cosine") == {"lr": 1.0} and len(kept.scores["cosine"]) == 6


def test_a_metric_may_be_a_function_of_the_result():
    def steps_to_a_half(result):
        return (result.curves > 0.5).sum(1)

    task = Task(LogicNet, moons(n=60), steps=10, metric=steps_to_a_half, better="lower")
    assert [0 < score <= 10 for _, score in task.scores([(Constant(1.0), 0), (Constant(2.0), 1)])] == [True, True]
    wrong = Task(LogicNet, moons(n=60), steps=10, metric=lambda result: 1.0, better="lower")
    with pytest.raises(ValueError, match="metric must be a function that returns 1 numbers"):
        list(wrong.scores([(Constant(1.0), 0)]))


def test_the_answer_is_plain_data():
    answer = answered()
    copy = Answer.from_dict(json.loads(json.dumps(answer.to_dict())))
    assert copy.to_dict() == answer.to_dict()
    assert str(copy.verdicts[0]) == str(answer.verdicts[0])


def test_every_result_has_a_name():
    values = dict(answered().values())
    assert values["low-high"] == "ahead" and values["low-lr"] == "0.25" and values["runs"] == "10"
    assert values["low-high-difference"].startswith("-0.300")


def test_table_and_picture_show_every_pair_and_arm():
    answer = answered()
    assert list(answer.table().index) == ["low against high"]
    assert answer.table()["verdict"].iloc[0] == "ahead"
    assert list(answer.arms().index) == ["low", "high"] and "lr 0.25" in answer.arms()["chosen"].iloc[0]
    ax = answer.plot()
    assert [each.get_text() for each in ax.get_legend().get_texts()] == ["low", "high"]
    assert answer.plot_differences().get_yticklabels()[0].get_text() == "low against high\nahead"


def test_a_task_refuses_what_contradicts_it():
    with pytest.raises(ValueError, match="better must be 'higher' for test_accuracy"):
        Task(LogicNet, moons(), steps=1, metric="test_accuracy", better="lower")
    task = Task(LogicNet, moons(n=20), steps=1, metric=functools.partial(np.shape), better="lower")
    with pytest.raises(ValueError, match=r"what an arm makes must be what may differ between arms, got \['loss'\]"):
        list(task.scores([({"lr": 0.1, "loss": "mse"}, 0)]))


def test_names_that_two_results_would_share_are_refused():
    answer = answered(arms_={"a": arms()["low"], "b": arms()["high"], "a-b": lambda lr: (lr, 0.25, 0.6)})
    with pytest.raises(ValueError, match="rename the arm"):
        list(answer.values())
    assert repr(answer).splitlines()[0].startswith("a is ahead of b")


def test_spaces_may_differ_between_arms():
    first = Space({"lr": LogUniform(1 / 16, 1.0)}).grid(5)
    second = Space({"lr": LogUniform(1 / 8, 2.0)}).grid(5)
    made = {"a": Arm(lambda lr: (lr, 0.25, 0), first), "b": Arm(lambda lr: (lr, 0.5, 0.3), second)}
    assert answered(arms_=made).chosen("b")["lr"] == pytest.approx(0.5)


def test_scores_that_are_there_are_compared_and_nan_is_a_failure():
    fine, lost = np.arange(20.0), np.where(np.arange(20) < 12, np.nan, 0.0)
    answer = compare_scores({"a": fine, "b": lost}, margin=0.1, seeds=range(5, 25))
    found = answer.named("both: ")
    assert (found["both: a-failed"], found["both: b-failed"]) == ("0", "12") and answer.report == list(range(5, 25))
    assert found["both: a-b"] == "undecided"  # b scores lower where it survives
    assert "fails more often" in found["both: a-b-says"]
    assert repr(Answer.from_dict(json.loads(found["both: answer"]))) == repr(answer)
    assert not [name for name in found if name.endswith("-arm")]
    with pytest.raises(ValueError, match="scores must be 20 for each name, got {'a': 20, 'b': 19}"):
        compare_scores({"a": fine, "b": lost[1:]}, margin=0.1)
    with pytest.raises(ValueError, match="scores must be at least 5 for each name"):
        compare_scores({"a": fine[:4], "b": lost[:4]}, margin=0.1)
    with pytest.raises(ValueError, match="seeds must be different seeds"):
        compare_scores({"a": fine[:5], "b": fine[5:10]}, margin=0.1, seeds=[0, 0, 1, 2, 3])


def test_a_task_reads_the_data_of_a_seed_once_for_its_guesses_and_once_for_each_sweep():
    drawn = []

    def draw(seed):
        drawn.append(seed)
        return moons(n=30, seed=seed)

    task = Task(LogicNet, draw, steps=5)
    both = {"low": Arm(lambda lr: {"lr": lr}, [{"lr": 0.1}]), "high": Arm(lambda lr: {"lr": lr}, [{"lr": 1.0}])}
    Study(task, both, margin=0.1, report=range(5)).run(progress=False)
    assert all(drawn.count(seed) <= 3 for seed in range(5)), drawn
