"""Every figure of the book as a file, for slides: its chapter runs again and draws in the format that is asked for."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ..validation import bad, choice
from . import notebooks
from .book import pages_in_toc

FORMATS = {"svg": "image/svg+xml", "pdf": "application/pdf", "png": "image/png"}


@dataclass(frozen=True)
class Figure:
    """A figure of the book: its `name` (the label that pages link to), the page that draws it, caption and alt text."""

    name: str
    page: Path
    caption: str
    alt: str


def find(root: Path) -> list[Figure]:
    """Every figure, in the order of the book."""
    pages = [page for page in pages_in_toc(root) if page.suffix == ".ipynb"]
    return [figure for page in pages for figure in _of(page, nbformat.read(root / page, as_version=4))]


def export(root: Path, folder: Path, only: Sequence[str] = (), format: str = "svg", theme: str = "light") -> list[Path]:
    """Draw the figures named in `only` (default: all) into `folder`; returns the files.

    `format`: "svg", "pdf" or "png". `theme`: "light", "dark" or "transparent". A chapter runs once for all its figures.

    Raises: `ValueError` for a name, format or theme that does not exist; `NotebookError` if a chapter fails.
    """
    from ..plots import THEMES
    from . import progress

    mime = FORMATS[choice(*FORMATS)("format", format)]
    environment = {"LRCOURSE_THEME": choice(*THEMES)("theme", theme), "SOURCE_DATE_EPOCH": "0"}  # no date in the files
    figures = find(root)
    if unknown := set(only) - {figure.name for figure in figures}:
        raise bad("only", sorted(unknown), "names of figures", "see lrcourse figures --list")
    chosen = [figure for figure in figures if figure.name in only or not only]
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    pages = dict.fromkeys(figure.page for figure in chosen)
    with progress.bar("drawing", len(pages), "chapters") as bar:
        for page in pages:
            bar.set_postfix_str(page.name)
            drawn = _drawn(root / page, format, environment)
            for figure in (each for each in chosen if each.page == page):
                file = folder / f"{figure.name}.{format}"
                data = picture(drawn[figure.name], mime)
                file.write_bytes(data.encode() if format == "svg" else base64.b64decode(data))
                written.append(file)
            bar.update()
    return written


def cells(notebook: NotebookNode) -> dict[str, NotebookNode]:
    """The cells that draw a figure, by the figure's name."""
    described = ((cell.metadata.get("mystnb", {}).get("figure", {}), cell) for cell in notebook.cells)
    return {figure["name"]: cell for figure, cell in described if "name" in figure}


def picture(cell: NotebookNode, mime: str) -> str:
    """What a cell drew in a format, as the notebook stores it."""
    return next(output.data[mime] for output in cell.outputs if mime in output.get("data", {}))


def _of(page: Path, notebook: NotebookNode) -> list[Figure]:
    described = {name: cell.metadata.mystnb for name, cell in cells(notebook).items()}
    return [Figure(name, page, each.figure.caption, each.image.alt) for name, each in described.items()]


def _drawn(path: Path, format: str, environment: dict[str, str]) -> dict[str, NotebookNode]:
    """The cells of a notebook after a run that draws in `format`."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(f"%config InlineBackend.figure_formats = ['{format}']"))
    return cells(notebooks.execute(notebook, path, environment))
