"""The answers: their code applies what they state, and they say no more than chapters, claims and records do."""

import contextlib
import io
import json
import math
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lrcourse import parse_schedule, records
from lrcourse.course import recording
from lrcourse.course.experiments import newcomer, recipes
from lrcourse.course.notebooks import glued
from lrcourse.study import Answer
from lrcourse.torch import GPT, ResNet, parameter_groups

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"
sys.path.insert(0, str(BOOK / "_ext"))
import answers  # noqa: E402

TABLE = tomllib.loads((BOOK / "answers.toml").read_text(encoding="utf-8"))
ROWS = {row["id"]: row for row in TABLE["answer"]}
PAGE = (BOOK / "answers.md").read_text(encoding="utf-8")
STEPS = 40


def model_for(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return GPT(50) if name.startswith("text") else ResNet(width=4)


def executed(code: str, **names: Any) -> dict[str, Any]:
    names |= {"torch": torch, "math": math}
    exec(code, names)
    return names


def train(names: dict[str, Any], steps: int) -> np.ndarray:
    """The rates that the optimizer has at each update, a column per parameter group."""
    rates = []
    for _ in range(steps):
        rates.append([group["lr"] for group in names["optimizer"].param_groups])
        for group in names["optimizer"].param_groups:
            for each in group["params"]:
                each.grad = torch.ones_like(each)
        names["optimizer"].step()
        names["scheduler"].step()
    return np.array(rates)


def stated(kind: str, lr: float, **numbers: int) -> np.ndarray:
    spec = TABLE["schedule"][kind]["spec"]
    return parse_schedule(spec.format(lr=lr, **numbers)).table(STEPS)


CODES = [(name, kind) for name, row in ROWS.items() for kind in ("lrcourse", "torch") if row.get(kind)]


@pytest.mark.parametrize(("name", "kind"), CODES, ids=[" ".join(each) for each in CODES])
@pytest.mark.parametrize("schedule", ["known", "open"])
def test_the_code_applies_the_schedule_that_it_states_update_by_update(name, kind, schedule):
    row, parts = ROWS[name], TABLE["schedule"][schedule]
    names = executed(answers.parts({**row, "torch": row.get("torch", "")})[kind] or answers.parts(row)["lrcourse"],
                     model=model_for(name), steps=STEPS)  # fmt: skip
    lr, first = row["rate"]["start"], [group["lr"] for group in names["optimizer"].param_groups]
    assert max(first) == lr
    names = executed(parts[kind].replace("warm = 100", "warm = 4"), **names)
    if schedule == "known":
        rates, expected = train(names, STEPS), stated("known", lr, steps=STEPS, warm=2)
    else:
        before = train(names, 24)
        names = executed(parts[f"{kind}_end"], **names)
        rates = np.concatenate([before, train(names, STEPS - 24)])
        expected = stated("open", lr, warm=4, now=24, cooldown=6)
        assert rates[30:].max() == 0  # a quarter of 24 updates
    assert expected[0] > 0 and expected.max() == lr
    np.testing.assert_allclose(rates, expected[:, None] * np.array(first) / lr, rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("steps", [2, 3, 9, 19])
@pytest.mark.parametrize("kind", ["lrcourse", "torch"])
def test_the_schedule_also_serves_a_run_that_is_short(steps, kind):
    model = torch.nn.Linear(2, 2)
    names = {"optimizer": torch.optim.SGD(model.parameters(), lr=0.1), "lr": 0.1, "steps": steps}
    rates = train(executed(TABLE["schedule"]["known"][kind], **names), steps)
    assert rates.max() == pytest.approx(0.1) and rates[0] > 0


SECOND = [(name, kind) for name, kind in CODES if f"{kind}_then" in ROWS[name]]


@pytest.mark.parametrize(("name", "kind"), SECOND, ids=[" ".join(each) for each in SECOND])
def test_a_second_rate_is_that_of_all_but_the_matrices_inside(name, kind):
    row, model = ROWS[name], model_for(name)
    names = executed(row[kind], model=model, lr=0.01, steps=STEPS)
    names = executed(row[f"{kind}_then"], **names)
    names = executed(TABLE["schedule"]["known"][kind], **names)
    rate = {id(each): group["lr"] for group in names["optimizer"].param_groups for each in group["params"]}
    decay = {id(each): group["weight_decay"] for group in names["optimizer"].param_groups for each in group["params"]}
    warm = STEPS // 20
    for parameter_name, each in model.named_parameters():
        inside = parameter_name.startswith("blocks.") and each.ndim >= 2
        assert rate[id(each)] == pytest.approx((0.01 if inside else 0.04) / warm)  # of the first update
        assert decay[id(each)] == (row["decay"]["value"] if each.ndim >= 2 else 0.0)
    rates = train(names, STEPS)
    assert rates.max() == pytest.approx(0.04) and rates.max(0).min() == pytest.approx(0.01)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.get("torch")])
def test_both_ways_give_each_parameter_the_same_rate_and_decay(name):
    found = []
    for kind in ("lrcourse", "torch"):
        model = model_for(name)
        optimizer = executed(ROWS[name][kind], model=model, lr=ROWS[name]["rate"]["start"])["optimizer"]
        names = {parameter: each for each, parameter in model.named_parameters()}
        settings = ("lr", "weight_decay", "betas" if "betas" in optimizer.defaults else "momentum")
        found.append({
            names[each]: [group[setting] for setting in settings]
            for group in optimizer.param_groups for each in group["params"]
        })  # fmt: skip
    assert found[0] == found[1] and len(found[0]) == len(list(model.parameters()))


@pytest.mark.parametrize("name", ROWS)
def test_the_code_has_the_numbers_of_the_table(name):
    row = ROWS[name]
    optimizer = executed(row["lrcourse"], model=model_for(name), lr=row["rate"]["start"])["optimizer"]
    decays = {group["weight_decay"] for group in optimizer.param_groups}
    spared = {0.0} if row["decay"]["exempt"] == "norms and biases" else set()
    assert decays == {row["decay"]["value"]} | spared
    if "betas" in optimizer.defaults:
        assert row["betas"].startswith("{} and {}".format(*optimizer.param_groups[0]["betas"]))
    clipped = "clip_grad_norm_" in row["lrcourse"]
    assert clipped == (row["clip"] == "to a norm of 1")
    assert row["rate"]["low"] <= row["rate"]["start"] <= row["rate"]["high"] and row["search"]["runs"] <= 20


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.get("keras")])
def test_keras_trains_at_the_same_rates_and_spares_the_same_weights(name):
    import keras

    row, lr = ROWS[name], ROWS[name]["rate"]["start"]
    names = executed(TABLE["schedule"]["known"]["keras"], lr=lr, steps=STEPS)
    optimizer = executed(row["keras"], **names, keras=keras)["optimizer"]
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization()])
    optimizer.build(model.trainable_variables)
    rates = []
    for _ in range(STEPS):
        rates.append(float(optimizer.learning_rate))
        optimizer.apply([keras.ops.zeros_like(each) for each in model.trainable_variables])
    np.testing.assert_allclose(rates, stated("known", lr, steps=STEPS, warm=2), rtol=1e-6)
    decayed = [each.name for each in model.trainable_variables if optimizer._use_weight_decay(each)]
    assert decayed == ["kernel"] and optimizer.weight_decay == row["decay"]["value"]


EVIDENCE = list(answers.evidence(BOOK))


@pytest.mark.parametrize("item", EVIDENCE, ids=[each.get("key", each.get("claim")) for each in EVIDENCE])
def test_what_an_answer_rests_on_is_there_and_says_what_the_answer_says(item):
    word, _ = answers.found(item, BOOK)
    assert word == item["says"]
    assert "claim" in item or word in answers.WORDS


def against(takes: dict[str, list[str]], rivals: dict[str, list[str]], verdicts: dict[str, str]) -> set[str]:
    """The verdicts in which what is taken is behind a rival.

    >>> sorted(against({"x": ["a"]}, {"x": ["b"]}, {"p-a-b": "behind", "q-b-a": "ahead", "r-a-b": "ahead"}))
    ['p-a-b', 'q-b-a']
    """
    pairs = [(a, b) for kind, own in takes.items() for a in own for b in rivals[kind]]
    return {
        key
        for key, word in verdicts.items()
        for a, b in pairs
        if (key.endswith(f"-{a}-{b}") and word == "behind") or (key.endswith(f"-{b}-{a}") and word == "ahead")
    }


def verdicts_of(chapter: Path) -> dict[str, str]:
    return {key: word for key, word in glued(chapter).items() if word in answers.WORDS}


def test_no_answer_contradicts_a_verdict_of_a_chapter_but_those_that_the_page_names():
    contrary = {
        (chapter.stem, key)
        for chapter in BOOK.glob("*.ipynb")
        for key in against(TABLE["takes"], TABLE["rivals"], verdicts_of(chapter))
    }
    assert contrary == {(row["chapter"], key) for row in TABLE["despite"] for key in row["keys"]}


def test_what_is_taken_and_its_rivals_are_names_that_studies_use():
    keys = [key for chapter in BOOK.glob("*.ipynb") for key in verdicts_of(chapter)]
    for kind, own in TABLE["takes"].items():
        for name in (*own, *TABLE["rivals"][kind]):
            assert any(f"-{name}-" in f"{key}-" for key in keys), f"no study compares {name!r}"


def test_every_answer_and_every_recipe_is_on_the_page():
    assert re.findall(r"(?m)^```\{answer\} (.+)$", PAGE) == list(ROWS)
    shown = set(re.findall(r"```\{literalinclude\} recipes/(\w+)\.py", PAGE))
    stored = {path.stem for path in (BOOK / "recipes").glob("*.py")}
    assert shown == stored == {row["recipe"] for row in ROWS.values() if row["recipe"]}
    headings = re.findall(r"(?m)^## (.+)$", PAGE)
    assert all(row["train"] in headings for row in ROWS.values())


SMALL: dict[str, dict[str, int]] = {
    "images_from_scratch": {"steps": 20}, "images_fine_tuned": {"steps": 4, "pretraining": 10},
    "language_model": {"steps": 20, "lora_steps": 5}, "table": {"steps": 40},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_recipe_runs_and_prints_what_came_out(name):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        found = recipes.script(name).main(seed=1, **SMALL[name])
    assert np.isfinite(found).all() and re.search(r"test (accuracy|loss)", said.getvalue())
    code = (BOOK / "recipes" / f"{name}.py").read_text(encoding="utf-8")
    assert len(code.splitlines()) <= 130 and code.count("def main(") == 1


def test_a_recipe_is_a_script_of_its_own():
    """It runs outside of the repository, from its file alone."""
    code = "import runpy; runpy.run_path('table.py')['main'](steps=5)"
    done = subprocess.run([sys.executable, "-c", code], cwd=BOOK / "recipes", capture_output=True, text=True)
    assert done.returncode == 0 and "test loss" in done.stdout, done.stderr


@pytest.mark.parametrize("name", ["images_from_scratch", "language_model", "table", "images_fine_tuned"])
def test_a_recipe_takes_the_schedule_of_its_answer(name):
    recipe, share = recipes.script(name), 10 if name == "images_fine_tuned" else 20
    warm = max(1, STEPS // share)
    assert recipe.schedule_of(0.3, STEPS).table(STEPS) == pytest.approx(stated("known", 0.3, steps=STEPS, warm=warm))


def test_the_old_guide_took_one_rate_for_all_between_the_steepest_fall_and_the_minimum():
    lrs = np.geomspace(1e-5, 10, 100)
    losses = 2 - 1 / (1 + (1e-2 / lrs) ** 2) + lrs**2
    test = recipes.RangeTest(lrs, losses, losses)
    found, steepest, minimum = recipes.old_rate(test), test.suggest("steepest"), test.suggest("minimum")
    assert steepest and minimum and steepest < found < minimum
    assert recipes.old_rate(recipes.RangeTest(lrs[:5], losses[:5], losses[:5])) == recipes.ADAM  # too few points


def test_the_record_holds_every_recipe_and_its_words_follow_from_its_scores():
    record = records.read("recipes", "small")
    assert [run["name"] for run in record.runs] == list(recipes.RECIPES) and recording.changed(record) == []
    assert min(recipes.SIZES["small"].report(30)) >= 10  # those below were used to write the recipes
    for run in record.runs:
        found = Answer.from_dict(json.loads(run["results"]["answer"]))
        assert len(found.report) >= 10
        for verdict in found.verdicts:
            assert run["results"][f"{verdict.a}-{verdict.b}"] == verdict.word


def test_the_newcomer_followed_the_answers_as_they_stand():
    record = records.read("newcomer", "small")
    assert [run["name"] for run in record.runs] == list(newcomer.TASKS) and recording.changed(record) == []
    for run in record.runs:
        task, held = newcomer.TASKS[run["name"]], run["results"]
        row = ROWS[task.answer]
        assert json.loads(held["code"]) == [
            row["lrcourse"], row.get("lrcourse_then", ""), TABLE["schedule"]["known"]["lrcourse"]
        ]  # fmt: skip
        start = 1 if run["name"] == "table" else 0  # the search of the text tries it, too
        assert held["runs of the newcomer"] == start + row["search"]["runs"] <= 20
        assert held["runs of the search"] == 200
        found = Answer.from_dict(json.loads(held["answer"]))
        assert str(found.verdict("newcomer", "random search").word) == held["newcomer-random search"]


@pytest.mark.parametrize(("name", "answer", "better"), [
    ("images_from_scratch", "images-from-scratch", 1), ("language_model", "text-from-scratch", -1),
])  # fmt: skip
def test_a_range_test_that_points_above_the_range_to_search_did_worse(name, answer, better):
    run = next(run["results"] for run in records.read("recipes", "small").runs if run["name"] == name)
    rates, scores = np.array(run["rates, recipe"]), better * np.array(json.loads(run["answer"])["scores"]["recipe"])
    above = rates > ROWS[answer]["rate"]["high"]
    assert above.mean() >= 0.5 and scores[above].mean() < scores[~above].mean()
    assert "then take the upper end" in ROWS[answer]["look"][0]


@pytest.mark.slow
@pytest.mark.parametrize("name", newcomer.TASKS)
def test_a_newcomer_runs_at_a_small_size(name):
    held = newcomer.run(name, 0, "live", "cpu")
    assert held["newcomer-random search"] in answers.WORDS and held["runs"] == "5"
    assert held["runs of the search"] == newcomer.SIZES["live"].runs


def followed(monkeypatch, losses):
    """The runs of a newcomer whose losses on the data held out are a function of rate, second rate and length."""
    task, row, runs = newcomer.TASKS["text"], ROWS["text-from-scratch"], []

    def tried(self, lr, decay=None, times=1, shorter=1):
        runs.append((lr, times, shorter))
        return losses(lr, times, shorter), 0.0

    monkeypatch.setattr(newcomer.Newcomer, "tried", tried)
    task.follow(newcomer.Newcomer(task, row, [], seed=0, steps=100))
    return runs


def test_a_newcomer_to_text_searches_short_then_the_two_best_at_length_then_a_second_rate(monkeypatch):
    runs = followed(monkeypatch, lambda lr, times, shorter: abs(math.log(lr / (0.003 if shorter == 1 else 0.0055))))
    short, full = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016], [(0.004, 1, 1), (0.008, 1, 1)]
    assert runs == [*((lr, 1, 10) for lr in short), *full, *((0.004, times, 1) for times in (2, 4, 8))]
    assert ROWS["text-from-scratch"]["search"]["runs"] == len(runs)


def test_of_two_losses_the_one_held_out_chooses_and_the_other_is_told():
    assert newcomer.best([(2.0, 0.1), (1.0, 0.3), (math.nan, 0.0), (math.inf, 0.2)]) == 0.3


@pytest.mark.parametrize("name", newcomer.TASKS)
def test_a_newcomer_chooses_and_reports_on_data_that_it_does_not_train_on(name):
    (chosen, told), (other, _) = newcomer.TASKS[name].split(200), newcomer.TASKS[name].split(201)
    rows = [{each.tobytes() for each in x} for x in (chosen.x_train, chosen.x_test, told.x_test)]
    assert told.x_train is chosen.x_train and not np.array_equal(chosen.x_train, other.x_train)
    for a, b in ((0, 1), (0, 2), (1, 2)):  # some marriages, and some phrases, are alike
        assert len(rows[a] & rows[b]) < (0.02 if name == "text" else 0.5) * len(rows[b])


def test_another_networkx_is_refused(monkeypatch):
    newcomer.documents.cache_clear()
    monkeypatch.setattr(newcomer, "GRAPHS", "another")
    with pytest.raises(RuntimeError, match=r'pip install "networkx==3\.6\.1"'):
        newcomer.documents()


def test_networkx_is_pinned_to_the_version_whose_words_the_newcomer_reads():
    assert "networkx==3.6.1" in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("path", recipes.SCRIPTS, ids=lambda path: path.stem)
def test_a_changed_recipe_makes_the_record_stale(path, tmp_path, monkeypatch):
    copied = tmp_path / path.name
    copied.write_text(path.read_text(encoding="utf-8") + "\nchanged = 1\n", encoding="utf-8")
    others = [each for each in recipes.SCRIPTS if each != path]
    monkeypatch.setattr(recipes, "SCRIPTS", [*others, copied])
    assert path.name in (recording.changed(records.read("recipes", "small")) or [])


def test_a_chapter_that_is_not_there_is_not_linked():
    row = ROWS["images-from-scratch"]
    assert answers.link({**row, "chapter": "nowhere"}, BOOK) == ""
    assert answers.link({**row, "chapter": "warmup"}, BOOK) == "The chapter for it: [](warmup.ipynb)."


def test_groups_that_the_library_makes_spare_norms_and_biases():
    spared = parameter_groups(ResNet(width=4), lr=0.1, weight_decay=0.1)
    assert {each.ndim for group in spared if group["weight_decay"] == 0 for each in group["params"]} == {1}
