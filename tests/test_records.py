"""Records: written run by run, resumed after a crash, begun anew when their sources change, and never stale unsaid."""

import json
import math
from types import SimpleNamespace

import nbformat
import pytest

from lrcourse import cli, experiments, records

ROOT = records.PACKAGE.parent
STORED = records.every(ROOT)


class Crash(Exception):
    pass


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """An experiment of four runs, in a package and a repository of its own."""
    (tmp_path / "toy.py").write_text('"""A toy."""\nvalue = 1\n')
    (tmp_path / "_toc.yml").touch()
    (tmp_path / "solutions").mkdir()
    toy = SimpleNamespace(SIZES={"small": 1}, SOURCES=["toy.py"], calls=[], crash_at=None, result=0.5)
    toy.plan = lambda size: [(name, seed) for seed in range(2) for name in ("a", "b")]

    def run(name, seed, size, device):
        if (name, seed) == toy.crash_at:
            raise Crash
        toy.calls.append((name, seed))
        return {"accuracy": toy.result + seed}

    toy.run = run
    monkeypatch.setattr(experiments, "find", lambda name: toy)
    monkeypatch.setattr(experiments, "names", lambda: ["toy"])
    monkeypatch.setattr(records, "PACKAGE", tmp_path)
    monkeypatch.chdir(tmp_path)
    return toy


def execute(root):
    return list(records.run(root, "toy", "small", "cpu"))


def test_a_crash_costs_one_run_and_the_rest_is_not_run_again(toy, tmp_path):
    toy.crash_at = ("a", 1)
    with pytest.raises(Crash):
        execute(tmp_path)
    assert records.read(tmp_path, "toy", "small").missing == [("a", 1), ("b", 1)]
    toy.crash_at = None
    execute(tmp_path)
    assert toy.calls == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    record = records.read(tmp_path, "toy", "small")
    assert not record.missing and not record.stale and record.seeds == [0, 1]
    assert record.values("a", "accuracy") == [0.5, 1.5]
    assert execute(tmp_path) == []


@pytest.mark.parametrize(("text", "again"), [
    ('"""Another docstring."""\nvalue = 1  # and a comment\n', 0),
    ('"""A toy."""\nvalue = 2\n', 4),
])  # fmt: skip
def test_only_code_makes_a_record_stale_and_then_everything_is_run_again(toy, tmp_path, text, again):
    execute(tmp_path)
    (tmp_path / "toy.py").write_text(text)
    record = records.read(tmp_path, "toy", "small")
    assert record.stale == bool(again)
    assert ("source changed since: STALE" in record.provenance()) == bool(again)
    assert ("source unchanged" in record.provenance()) != bool(again)
    toy.calls.clear()
    execute(tmp_path)
    assert len(toy.calls) == again and not records.read(tmp_path, "toy", "small").stale


def test_runs_of_two_devices_or_versions_are_never_mixed(toy, tmp_path, monkeypatch):
    execute(tmp_path)
    monkeypatch.setattr(records, "_device", lambda device: "another machine")
    execute(tmp_path)
    assert len(toy.calls) == 8 and records.read(tmp_path, "toy", "small").device == "another machine"


def test_a_diverged_run_is_written_as_null_and_read_as_nan(toy, tmp_path):
    toy.result = math.inf
    execute(tmp_path)
    stored = json.loads(records.path(tmp_path, "toy", "small").read_text(), parse_constant=pytest.fail)
    assert stored["runs"][0]["results"] == {"accuracy": None}
    assert math.isnan(records.read(tmp_path, "toy", "small").values("a", "accuracy")[0])


def test_provenance_names_day_machine_versions_seeds_and_the_command(toy, tmp_path):
    execute(tmp_path)
    text = records.read(tmp_path, "toy", "small").provenance()
    for part in (
        "recorded on 20",
        "4 runs, 2 seeds",
        "thread",
        "torch 2",
        "commit",
        "--only toy --size small --device cpu",
    ):
        assert part in text


def test_a_page_may_announce_a_stale_record(toy, tmp_path):
    execute(tmp_path)
    (tmp_path / "toy.py").write_text("value = 2\n")
    record = records.read(tmp_path, "toy", "small")
    assert "its source has changed" in records.problems(tmp_path, record)[0]
    (tmp_path / "book" / "page.md").write_text("```{admonition} Stale record: toy-small\nWe know.\n```\n")
    assert records.problems(tmp_path, record) == []


def test_the_command_runs_lists_shows_and_checks(toy, tmp_path, capsys):
    assert cli.main(["records", "run", "--only", "toy"]) == 0
    assert "recorded on" in capsys.readouterr().out
    assert cli.main(["records", "list"]) == 0 and "toy-small: 20" in capsys.readouterr().out
    assert cli.main(["records", "show", "--only", "toy"]) == 0 and "source unchanged" in capsys.readouterr().out
    assert cli.main(["records", "check"]) == 0
    (tmp_path / "toy.py").write_text("value = 2\n")
    capsys.readouterr()
    assert cli.main(["records", "check"]) == 1 and "toy-small: its source has changed" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "message"), [
    (("toy", "huge", "cpu"), "^size must be 'small'"),
    (("toy", "small", "abacus"), "^device must be 'cpu' or 'cuda'"),
])  # fmt: skip
def test_bad_input_is_named(toy, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        list(records.run(tmp_path, *arguments))


def test_a_missing_record_or_run_is_named_with_its_command(toy, tmp_path):
    with pytest.raises(RuntimeError, match="no record toy-small.json: make it with lrcourse records run --only toy"):
        records.read(tmp_path, "toy", "small")
    execute(tmp_path)
    with pytest.raises(ValueError, match="^name must be the name of a run, got 'c'"):
        records.read(tmp_path, "toy", "small").values("c", "accuracy")


def test_an_unknown_experiment_is_named():
    with pytest.raises(ValueError, match="^name must be 'comparison"):
        experiments.find("comparisons")


def test_there_are_records():
    assert STORED


@pytest.mark.parametrize("record", STORED, ids=lambda record: f"{record.experiment}-{record.size}")
def test_a_stored_record_is_complete_and_not_stale_unless_its_page_says_so(record):
    assert records.problems(ROOT, record) == []
    assert len(record.seeds) >= 5


@pytest.mark.parametrize("record", STORED, ids=lambda record: f"{record.experiment}-{record.size}")
def test_a_page_shows_the_record_with_its_provenance(record):
    pages = [nbformat.read(path, 4) for path in sorted((ROOT / "book").glob("*.ipynb"))]
    code = ["\n".join(cell.source for cell in page.cells if cell.cell_type == "code") for page in pages]
    shown = f'"{record.experiment}", "{record.size}"'
    assert any(shown in each and ".provenance()" in each for each in code)


@pytest.mark.parametrize("name", experiments.names())
def test_every_experiment_names_sources_that_exist_its_own_among_them(name):
    sources = experiments.find(name).SOURCES
    assert f"experiments/{name}.py" in sources
    assert all((records.PACKAGE / source).exists() for source in sources)
