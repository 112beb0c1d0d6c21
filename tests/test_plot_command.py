"""`lrcourse plot`: schedules in the terminal and as pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from lrcourse import Constant, Cyclic, Geometric, Linear, plots
from lrcourse.course.cli import main

SPEC = "warmup(Cosine(0.1, 0, 900), 100)"


def columns(drawn: str) -> list[str]:
    """The columns of the first chart, from top to bottom."""
    rows = [line.split("┤", 1)[1] for line in drawn.splitlines() if "┤" in line]
    width = max(map(len, rows))
    return ["".join(each) for each in zip(*(row.ljust(width) for row in rows))]


def heights(drawn: str) -> list[float]:
    """How high each column is full, in characters."""
    return [sum(plots.BLOCKS.index(each) for each in column if each != "░") / 8 for column in columns(drawn)]


def test_a_schedule_is_drawn_in_the_terminal(capsys):
    assert main(["plot", SPEC]) == 0
    first, *rows, axis, steps, said = capsys.readouterr().out.splitlines()
    assert first == SPEC and len(rows) == 10 and rows[0].startswith("0.1 ┤") and rows[-1].startswith("  0 ┤")
    assert axis.strip().startswith("└┬") and steps.split() == ["0", "999"]
    assert said == "update 0: 0, highest: 0.1 at update 100, update 999: 3.05e-07, mean: 0.05"


@pytest.mark.parametrize("steps", [1, 2, 37, 40, 1000, 12345])
def test_columns_are_as_high_as_the_rates(steps):
    drawn = plots.text({"a": Linear(1.0, 0.0, steps)}, steps, width=40, height=12)
    lowest = [1 - (max((i + 1) * steps // 40, i * steps // 40 + 1) - 1) / steps for i in range(40)]
    np.testing.assert_allclose(heights(drawn), 12 * np.array(lowest), atol=1 / 8 + 1e-9)
    assert max(map(len, drawn.splitlines()[:-1])) <= 40 + 4


def test_on_a_logarithmic_axis_a_rise_by_factors_is_a_line():
    drawn = plots.text({"a": Geometric(1e-4, 1.0, 400)}, 400, width=40, height=10, log=True)
    np.testing.assert_allclose(np.diff(heights(drawn)), 10 / 40, atol=1 / 8 + 1e-9)
    assert "0.0001 ┤" in drawn


def test_cycles_that_are_shorter_than_a_column_are_shaded():
    drawn = plots.text({"a": Cyclic(0.5, 1.0, 5)}, 1000, width=40, height=10)
    assert set(columns(drawn)) == {"░" * 5 + "█" * 5}


def test_several_schedules_share_a_scale():
    drawn = plots.text({"a": Constant(1.0), "b": Constant(0.5), "c": Constant(0.0)}, 10, width=8, height=4)
    a, b, c = (drawn.split(f"{name}\n")[1].splitlines()[:4] for name in "abc")
    assert ["█" * 8 in row for row in a] == [True] * 4 and ["█" * 8 in row for row in b] == [False, False, True, True]
    assert not any("█" in row for row in c) and all(rows[0].startswith("1 ┤") for rows in (a, b, c))


@pytest.mark.parametrize("log", [False, True])
def test_nothing_but_zeros_is_drawn_too(log):
    assert set("".join(columns(plots.text({"a": Constant(0.0)}, 10, width=8, height=4, log=log)))) <= {" "}


@pytest.mark.parametrize("wrong", [{"width": 1}, {"height": 0}, {"width": 2.5}])
def test_a_chart_has_room(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be a whole number, at least 2"):
        plots.text({"a": Constant(1.0)}, 10, **wrong)


def test_a_terminal_without_blocks_gets_plain_characters(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    assert main(["plot", "Cosine(0.1, 0, 1000)", "Cyclic(0.01, 0.1, 5)"]) == 0
    drawn = written.getvalue().decode("ascii")
    assert "0.1 |###" in drawn and ":::" in drawn and "++---" in drawn


@pytest.mark.parametrize(("terminal", "width"), [("5", 20), ("80", 68), ("1000", 100)])
def test_a_chart_is_as_wide_as_the_terminal_within_reason(terminal, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", terminal)
    assert main(["plot", "Constant(1)"]) == 0
    assert len(columns(capsys.readouterr().out)) == width


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.PDF"])
def test_a_picture_is_written(name, tmp_path, capsys):
    assert main(["plot", SPEC, "--log", "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / name).stat().st_size > 1000 and capsys.readouterr().out == ""


def test_a_picture_shows_the_rates(tmp_path):
    file = tmp_path / "a.png"
    for spec, dark in (("Constant(1)", False), ("Cosine(1, 0, 1000)", True)):
        main(["plot", spec, "--out", str(file)])
        picture = np.asarray(Image.open(file).convert("RGB")).astype(int)
        blue = abs(picture - [0x00, 0x72, 0xB2]).sum(axis=2) < 30
        assert (np.ptp(np.flatnonzero(blue.any(axis=1))) > 100) == dark


@pytest.mark.parametrize(("arguments", "said"), [
    (["Cosin(1, 0, 9)"], "spec must be a schedule, got 'Cosin(1, 0, 9)': character 1, 'Cosin'"),
    (["Constant(1)", "--steps", "0"], "--steps must be a whole number, at least 1, got 0"),
    (["Constant(1)", "--steps", "99999999999"], "--steps must be at most 10000000"),
    (["Constant(1)", "--out", "a.txt"], "--out must be a file that ends with .png, .svg or .pdf"),
    (["Constant(1)", "--out", "nowhere/a.png"], "--out must be in a folder that exists"),
    (["1 - Linear(0, 2, 9)"], "must be a finite number, zero or more, got -0.1"),
])  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(arguments, said, capsys):
    assert main(["plot", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("lrcourse: ") and said in err and err.count("\n") == 1
