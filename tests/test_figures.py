"""Figures as files: what is listed, and what the drawn files are."""

import base64
import io
import json
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from lrcourse import plots
from lrcourse.course import figures
from lrcourse.course.cli import main

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
from lean import fewer_colors  # noqa: E402

CODE = """import matplotlib.pyplot as plt
from lrcourse import plots
plots.use_style()
fig, ax = plots.figure()
ax.plot([1, 2])
plt.show()"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A book of one page with two figures."""
    cells = [
        nbformat.v4.new_code_cell(CODE, id=name, metadata={
            "mystnb": {"figure": {"name": f"fig-{name}", "caption": "A line."}, "image": {"alt": "It rises."}},
        })
        for name in ("one", "two")
    ]  # fmt: skip
    (tmp_path / "book").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "book" / "page.ipynb")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/page\n", encoding="utf-8")
    (tmp_path / "_config.yml").write_text("title: Toy\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lrcourse.course.commands.figures.repository", lambda: tmp_path)
    return tmp_path


def test_every_figure_is_listed_in_the_order_of_the_book(toy, capsys):
    assert [each.name for each in figures.find(toy)] == ["fig-one", "fig-two"]
    assert main(["figures", "--list"]) == 0
    assert capsys.readouterr().out.split() == ["fig-one", "book/page.ipynb", "fig-two", "book/page.ipynb"]


@pytest.mark.notebooks
def test_a_drawing_is_the_same_file_again(toy):
    first, second = (figures.export(toy, toy / name, only=["fig-two"])[0].read_bytes() for name in ("a", "b"))
    assert first == second and first.startswith(b"<?xml") and b"<svg" in first
    assert not (toy / "a" / "fig-one.svg").exists()


@pytest.mark.notebooks
def test_the_theme_colors_the_ground_and_the_pages_stay_as_they_are(toy):
    before = (toy / "book" / "page.ipynb").read_text(encoding="utf-8")
    assert main(["figures", "--only", "fig-one", "--format", "png", "--theme", "dark", "--folder", "out"]) == 0
    corner = np.asarray(Image.open(io.BytesIO((toy / "out" / "fig-one.png").read_bytes())).convert("RGB"))[0, 0]
    assert corner.max() < 40
    assert (toy / "book" / "page.ipynb").read_text(encoding="utf-8") == before
    assert json.loads(before)["cells"][0]["outputs"] == []


@pytest.mark.parametrize("wrong", [{"only": ["fig-three"]}, {"format": "gif"}, {"theme": "pink"}])
def test_what_does_not_exist_is_named(toy, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        figures.export(toy, toy / "out", **wrong)


@pytest.mark.parametrize("chapter", ["intro", "adaptive"])
def test_a_series_keeps_its_color_where_colors_are_few(chapter):
    notebook = nbformat.read(ROOT / "book" / f"{chapter}.ipynb", as_version=4)
    outputs = (output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs)
    stored = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    seen = set()
    for png in stored:
        picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
        many, few = (np.asarray(each.convert("RGB")).astype(int) for each in (picture, fewer_colors(picture)))
        for name in plots.COLORS:
            color = np.round(255 * np.array(to_rgb(name))).astype(int)
            line = (many == color).all(axis=-1)
            if line.sum() > 20:
                seen.add(name)
                assert np.abs(few[line] - color).max() <= 3, name
    assert len(seen) >= 4
