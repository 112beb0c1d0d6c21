"""Records: written run by run, resumed after a crash, begun anew when their sources change, and never stale unsaid."""

import json
import math
import re
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from lrcourse import records
from lrcourse.course import cli, experiments, recording
from lrcourse.course.experiments import gpu_speed, labs, superconvergence

ROOT = Path(__file__).parents[1]
STORED = records.every()
ONE_SEED = {"trainability": "one network, every setting", "labs": "the seeds are in the notebooks",
            "sweep_speed": "rounds, for the clock", "range_tests": "curves to read, nothing is compared",
            "questions_optimizers": "each question has its own seeds",
             "questions_schedules": "each question has its own seeds",
            "language_models": "each question has its own seeds", "carrying_over": "each size has its own seeds",
            "recipes": "each recipe has its own seeds", "newcomer": "each task has its own seeds"}  # fmt: skip
UNFINISHED = {"labs-full": "no GPU has run lab 6"}
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import recorded  # noqa: E402


class Crash(Exception):
    pass


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """An experiment of four runs, in a package and a repository of its own."""
    (tmp_path / "toy.py").write_text('"""A toy."""\nvalue = 1\n')
    (tmp_path / "_toc.yml").touch()
    for each in ("book", "solutions"):
        (tmp_path / each).mkdir()
    toy = SimpleNamespace(SIZES={"small": 1, "full": 2}, calls=[], crash_at=None, result=0.5)
    toy.plan = lambda size: [(name, seed) for seed in range(2) for name in ("a", "b")]

    def run(name, seed, size, device):
        if (name, seed) == toy.crash_at:
            raise Crash
        toy.calls.append((name, seed))
        return {"accuracy": toy.result + seed}

    toy.run = run
    monkeypatch.setattr(experiments, "find", lambda name: toy)
    monkeypatch.setattr(experiments, "names", lambda: ["toy"])
    monkeypatch.setattr(recording, "sources", lambda name: {"toy.py": tmp_path / "toy.py"})
    monkeypatch.chdir(tmp_path)
    return toy


def execute(root):
    return list(recording.run(root, "toy", "small", "cpu"))


def toy_record(root):
    return records.read("toy", "small", recording.folder(root))


def toy_file(root):
    return records.path("toy", "small", recording.folder(root))


def test_a_crash_costs_one_run_and_the_rest_is_not_run_again(toy, tmp_path):
    toy.crash_at = ("a", 1)
    with pytest.raises(Crash):
        execute(tmp_path)
    assert recording.missing(toy_record(tmp_path)) == [("a", 1), ("b", 1)]
    toy.crash_at = None
    execute(tmp_path)
    assert toy.calls == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    record = toy_record(tmp_path)
    assert not recording.missing(record) and recording.changed(record) == [] and record.seeds == [0, 1]
    assert record.values("a", "accuracy") == [0.5, 1.5]
    assert execute(tmp_path) == []


@pytest.mark.parametrize(("text", "again"), [
    ('"""Another docstring."""\nvalue = 1  # and a comment\n', 0),
    ('"""A toy."""\nvalue = 2\n', 4),
])  # fmt: skip
def test_only_code_makes_a_record_stale_and_then_everything_is_run_again(toy, tmp_path, text, again):
    execute(tmp_path)
    (tmp_path / "toy.py").write_text(text)
    record = toy_record(tmp_path)
    assert recording.changed(record) == ["toy.py"] * bool(again)
    assert ("STALE: changed since: toy.py" in recording.provenance(record)) == bool(again)
    assert ("sources unchanged" in recording.provenance(record)) != bool(again)
    toy.calls.clear()
    execute(tmp_path)
    assert len(toy.calls) == again and not recording.changed(toy_record(tmp_path))


def test_where_a_source_is_not_at_hand_nobody_knows_whether_it_changed(toy, tmp_path):
    execute(tmp_path)
    (tmp_path / "toy.py").unlink()
    record = toy_record(tmp_path)
    assert recording.changed(record) is None
    assert "sources not here to compare" in recording.provenance(record)
    assert "sources not here" in recorded.provenance(record, [record])


def test_runs_of_two_devices_or_versions_are_never_mixed(toy, tmp_path, monkeypatch):
    execute(tmp_path)
    monkeypatch.setattr(recording, "_device", lambda device: "another machine")
    execute(tmp_path)
    assert len(toy.calls) == 8 and toy_record(tmp_path).device == "another machine"


def test_a_diverged_run_is_written_as_null_and_read_as_nan(toy, tmp_path):
    toy.result = math.inf
    execute(tmp_path)
    stored = json.loads(toy_file(tmp_path).read_text(), parse_constant=pytest.fail)
    assert stored["runs"][0]["results"] == {"accuracy": None}
    assert math.isnan(toy_record(tmp_path).values("a", "accuracy")[0])


def test_provenance_names_day_machine_versions_seeds_and_the_command(toy, tmp_path):
    execute(tmp_path)
    text = recording.provenance(toy_record(tmp_path))
    for part in (
        "recorded on 20",
        "4 runs, 2 seeds",
        "thread",
        "torch 2",
        "commit",
        "--only toy --size small --device cpu",
    ):
        assert part in text


def test_missing_runs_and_changed_sources_are_problems_and_the_page_says_both(toy, tmp_path):
    toy.crash_at = ("b", 1)
    with pytest.raises(Crash):
        execute(tmp_path)
    record = toy_record(tmp_path)
    assert recording.problems(record) == ["1 runs are missing: " + record.command]
    assert "**1 run missing.**" in recorded.provenance(record, [record])
    (tmp_path / "toy.py").write_text("value = 2\n")
    assert recording.problems(record)[1:] == ["changed since: toy.py: " + record.command]
    assert "**stale: `toy.py` changed since**" in recorded.provenance(record, [record])


def test_a_record_without_its_experiment_and_an_experiment_without_a_record_are_named(
    toy, tmp_path, capsys, monkeypatch
):
    execute(tmp_path)
    monkeypatch.setattr(experiments, "names", lambda: ["other"])
    assert cli.main(["records", "check"]) == 1 and "toy-small: its experiment is gone" in capsys.readouterr().out
    assert cli.main(["records", "check", "--only", "toy"]) == 1
    assert "--only must be 'other', got 'toy'" in capsys.readouterr().err


def test_a_copy_without_a_history_is_told_its_commit(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("LRCOURSE_COMMIT", "0123456789ab")
    execute(tmp_path)
    assert toy_record(tmp_path).commit == "0123456789ab"


def test_the_command_runs_lists_shows_and_checks(toy, tmp_path, capsys):
    assert cli.main(["records", "run", "--only", "toy"]) == 0
    assert "recorded on" in capsys.readouterr().out
    assert cli.main(["records", "list"]) == 0 and "toy-small: 20" in capsys.readouterr().out
    assert cli.main(["records", "show", "--only", "toy"]) == 0 and "sources unchanged" in capsys.readouterr().out
    assert cli.main(["records", "check"]) == 0
    (tmp_path / "toy.py").write_text("value = 2\n")
    capsys.readouterr()
    assert cli.main(["records", "check"]) == 1 and "toy-small: changed since: toy.py" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "message"), [
    (("toy", "huge", "cpu"), "^size must be 'small'"),
    (("toy", "small", "abacus"), "^device must be 'cpu' or 'cuda'"),
])  # fmt: skip
def test_bad_input_is_named(toy, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        list(recording.run(tmp_path, *arguments))


def test_a_missing_record_or_run_is_named_with_its_command(toy, tmp_path):
    with pytest.raises(RuntimeError, match="no record toy-small.json: make it with lrcourse records run --only toy"):
        toy_record(tmp_path)
    execute(tmp_path)
    with pytest.raises(ValueError, match="^name must be the name of a run, got 'c'"):
        toy_record(tmp_path).values("c", "accuracy")


def test_an_unknown_experiment_is_named():
    with pytest.raises(ValueError, match="^name must be 'carrying_over' or 'comparison'"):
        experiments.find("comparisons")


def test_there_are_records():
    assert STORED


@pytest.mark.parametrize("record", STORED, ids=lambda record: f"{record.experiment}-{record.size}")
def test_a_stored_record_has_five_seeds_and_its_page_says_how_it_stands(record, book):
    assert len(record.seeds) >= 5 or record.experiment in ONE_SEED
    page = (book / "book" / "records.html").read_text(encoding="utf-8")
    shown = re.sub(r"<[^>]+>", "", page)
    told = re.search(rf"{record.experiment}, size {record.size}: recorded on [^.]*", shown)
    assert told is not None
    assert ("stale" in told[0]) == bool(recording.changed(record))
    assert ("sources unchanged" in told[0]) == (recording.changed(record) == [])
    assert f"{record.experiment}-{record.size}" in UNFINISHED or not recording.missing(record)


def test_every_record_that_a_page_shows_is_there_and_the_page_of_records_lists_all():
    pages = [each.read_text(encoding="utf-8") for end in ("md", "ipynb") for each in (ROOT / "book").glob(f"*.{end}")]
    shown = {pair for page in pages for pair in re.findall(r"```\{record\} (\w+) (\w+)", page)}
    shown |= {pair for page in pages for pair in re.findall(r'records\.read\(\\"(\w+)\\", \\"(\w+)\\"', page)}
    assert {("superconvergence", "small"), ("comparison", "small")} <= shown
    assert shown <= {(each.experiment, each.size) for each in STORED}
    assert "```{record-list}" in (ROOT / "book" / "records.md").read_text(encoding="utf-8")


def test_a_page_whose_code_reads_a_record_says_how_it_stands():
    for path in (ROOT / "book").glob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        for experiment, size in re.findall(r'records\.read\(\\"(\w+)\\", \\"(\w+)\\"', text):
            assert f"```{{record}} {experiment} {size}" in text, path.name


def test_what_is_trained_through_the_stack_of_models_depends_on_it_and_nothing_else_does():
    through = {name for name in experiments.names() if "sweep/stacked.py" in recording.sources(name)}
    questions = {"questions_optimizers", "questions_schedules", "carrying_over", "language_models"}
    assert through == {"heatmaps", "newcomer", "sweep_speed", "trainability"} | questions


@pytest.mark.parametrize("name", experiments.names())
def test_an_experiment_depends_on_itself_and_on_no_part_of_the_grader_or_the_book(name):
    sources = recording.sources(name)
    assert f"course/experiments/{name}.py" in sources
    assert not [each for each in sources if re.match(r"course/(grading|labs|book|pdf|cli|commands)", each)]


def changed(tmp_path, change):
    """The file of a record, changed as someone could."""
    execute(tmp_path)
    stored = toy_file(tmp_path)
    plain = json.loads(stored.read_text())
    change(plain)
    stored.write_text(json.dumps(plain))
    return stored


@pytest.mark.parametrize(("change", "message"), [
    (lambda plain: plain.update(extra=1), r"keys must be neither unknown nor missing, got \['extra'\]"),
    (lambda plain: plain.pop("device"), r"got \['device'\]"),
    (lambda plain: plain.update(schema=1), "schema must be 2, got 1: update lrcourse"),
    (lambda plain: plain["runs"][0].pop("seed"), "a run must be an object with the keys name, seed"),
    (lambda plain: plain["runs"][0].update(seconds="long"), "a run's seconds must be of type float, got 'long'"),
])  # fmt: skip
def test_a_file_that_is_no_record_is_named_with_what_is_wrong(toy, tmp_path, change, message):
    stored = changed(tmp_path, change)
    with pytest.raises(ValueError, match=f"^toy-small.json.*{message}"):
        records.parse(stored)


def test_a_file_that_is_cut_off_is_named(toy, tmp_path):
    execute(tmp_path)
    stored = toy_file(tmp_path)
    stored.write_text(stored.read_text()[:-30])
    with pytest.raises(ValueError, match="^toy-small.json must be JSON"):
        toy_record(tmp_path)


def test_records_from_before_processor_time_are_read(toy, tmp_path):
    def older(plain):
        for each in plain["runs"]:
            del each["processor"]

    record = records.parse(changed(tmp_path, older))
    assert recorded.processor(record) is None


def test_text_and_lists_of_numbers_are_results_too(toy, tmp_path):
    toy.run = lambda *run: {"printed": "right", "curve": [0.5, math.nan]}
    execute(tmp_path)
    assert toy_record(tmp_path).runs[0]["results"] == {"printed": "right", "curve": [0.5, None]}


def test_how_long_ago_is_counted_at_the_build(toy, tmp_path, monkeypatch):
    execute(tmp_path)
    record = toy_record(tmp_path)
    record.recorded = "2026-01-01"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1768435200")  # 15 January 2026
    assert record.ago() == "14 days ago" and record.ago(date(2029, 1, 1)) == "3 years ago"
    assert "recorded on 2026-01-01, 14 days ago, sources unchanged" in recorded.provenance(record, [record])
    (tmp_path / "toy.py").write_text("value = 2\n")
    assert "**stale: `toy.py` changed since**" in recorded.provenance(record, [record])


def test_a_page_says_what_no_gpu_has_run_and_stops_when_one_has(toy, tmp_path):
    execute(tmp_path)
    cpu = toy_record(tmp_path)
    assert "No GPU has run it yet: `lrcourse records run --only toy --size full" in recorded.provenance(cpu, [cpu])
    assert "| toy | full | GPU | 4 | not recorded yet |" in recorded.times([cpu])
    gpu = records.Record("toy", "full", "Fake 9000", {"cuda": "13.0"}, "", {}, "2026-01-01", cpu.runs)
    assert "No GPU" not in recorded.provenance(cpu, [cpu, gpu])
    assert recorded.times([cpu, gpu]).count("| toy |") == 2 and "not recorded" not in recorded.times([cpu, gpu])


def test_nothing_is_awaited_of_a_gpu_where_an_experiment_has_no_size_for_one(toy, tmp_path):
    toy.SIZES.pop("full")
    execute(tmp_path)
    record = toy_record(tmp_path)
    assert "GPU" not in recorded.provenance(record, [record]) and "GPU" not in recorded.times([record])


def test_the_times_of_a_lab_on_both_devices():
    run = {"name": "05-shoot-out", "seed": 0, "seconds": 61.0, "results": {"points": 17.0, "of": 17}}
    cpu = records.Record("labs", "small", "a CPU", {}, "", {}, "2026-01-01", [run])
    told = recorded.lab_times("05-shoot-out", [cpu])
    assert "| a CPU | 61 s | – | 17 of 17 |\n| GPU: not recorded yet |" in told and "On a CPU: **stale" in told
    gpu = records.Record("labs", "full", "Fake 9000", {"cuda": "13.0"}, "", {}, "2026-01-01", [run])
    assert "| Fake 9000 | 61 s |" in recorded.lab_times("05-shoot-out", [cpu, gpu])


def lab(tmp_path, monkeypatch, check="2"):
    """A solved lab of two cells, in a repository of its own."""
    folder = tmp_path / "solutions" / "05-shoot-out"
    monkeypatch.setattr(labs, "NOTEBOOKS", [folder / "05-shoot-out.ipynb"])
    folder.mkdir(parents=True)
    graded = {"nbgrader": {"grade": True, "solution": False, "points": 3, "grade_id": "check"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_code_cell("import os\nprint(os.environ['LRCOURSE_DEVICE'])", id="device"),
        nbformat.v4.new_code_cell(check, id="check", metadata=graded),
    ]), folder / "05-shoot-out.ipynb")  # fmt: skip


@pytest.mark.notebooks
@pytest.mark.parametrize(("check", "points"), [("2", 2), ("pass", 3)])
def test_a_lab_is_executed_as_a_notebook_on_the_chosen_device(tmp_path, monkeypatch, check, points):
    lab(tmp_path, monkeypatch, check)
    assert labs.run("05-shoot-out", 0, "small", "cpu") == {"points": points, "of": 3, "shows: device": "cpu"}


@pytest.mark.notebooks
def test_a_lab_that_fails_gives_no_record_and_its_size_is_that_of_its_device(tmp_path, monkeypatch):
    lab(tmp_path, monkeypatch, "assert False")
    with pytest.raises(RuntimeError, match="a cell failed"):
        labs.run("05-shoot-out", 0, "small", "cpu")
    with pytest.raises(ValueError, match="^device must be 'cuda' for labs of size 'full', got 'cpu'"):
        labs.run("05-shoot-out", 0, "full", "cpu")


@pytest.mark.parametrize("name", [name for name, arm in superconvergence.ARMS.items() if arm.rate == 0.1])
def test_superconvergence_runs_live_and_says_how_many_updates_it_made(name):
    arm = superconvergence.ARMS[name]
    results = superconvergence.run(name, 0, "live")
    assert results["updates"] == {"few": 4, "half": 4, "many": 8}[arm.length]
    assert 0 <= results["accuracy_after_few"] <= 1 and results["train_loss"] > 0


def test_the_full_sizes_train_by_the_fast_loop(monkeypatch):
    assert superconvergence.SIZES["full"].fast and superconvergence.SIZES["cifar10"].data == "cifar10"
    seen = []
    monkeypatch.setitem(superconvergence.SIZES, "live", replace(superconvergence.SIZES["live"], fast=True))
    monkeypatch.setattr(superconvergence, "train_fast", lambda *given, **options: seen.append(options) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        superconvergence.run("one-cycle 0.1, no norm, few", 0, "live")
    assert seen[0]["steps"] == 4


def test_the_speed_of_a_run_and_its_share_of_the_product():
    results = gpu_speed.run("plain", 0, "live")
    assert results["share"] == pytest.approx(results["tflops"] / results["product_tflops"])
    assert results["tflops"] == pytest.approx(results["images_per_second"] * gpu_speed.operations("live") / 1e12)
