"""The build does not execute the code in the PyTorch | Keras tabs, so this does, as a reader would paste it."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from lrcourse.course.book import chapters_in_toc

ROOT = Path(__file__).parents[1]
CHAPTERS = [ROOT / path for path in chapters_in_toc(ROOT)]
TAB = re.compile(r"^(`{3,})\{tab-item\}[^\n]*\n:sync: (\w+)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def tabs(chapter: Path, framework: str) -> list[str]:
    """The code of each tab of `framework`, its blocks joined: a tab stands on its own."""
    cells = [cell.source for cell in nbformat.read(chapter, 4).cells if cell.cell_type == "markdown"]
    found = [body for source in cells for _, sync, body in TAB.findall(source) if sync == framework]
    return ["\n".join(BLOCK.findall(body)) for body in found]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_shows_both_frameworks(chapter):
    assert any(tabs(chapter, "torch")) and any(tabs(chapter, "keras"))


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_the_code_in_every_tab_runs_as_it_stands(framework, tmp_path):
    named = [(chapter.stem, code) for chapter in CHAPTERS for code in tabs(chapter, framework) if code]
    script = tmp_path / "tabs.py"
    runs = "".join(
        f"print({name!r}, flush=True)\nexec(compile({code!r}, {name!r}, 'exec'), {{}})\n" for name, code in named
    )
    script.write_text(runs, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
