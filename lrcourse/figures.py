"""Every figure of the book as a file, for slides: its chapter runs again and draws in the format that is asked for."""

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from . import notebooks
from .book import pages_in_toc
from .schedules.checks import bad, choice

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
    from tqdm import tqdm

    from .plots import THEMES

    mime = FORMATS[choice(*FORMATS)("format", format)]
    environment = {"LRCOURSE_THEME": choice(*THEMES)("theme", theme), "SOURCE_DATE_EPOCH": "0"}  # no date in the files
    figures = find(root)
    if unknown := set(only) - {figure.name for figure in figures}:
        raise bad("only", sorted(unknown), "names of figures", "see lrcourse figures --list")
    chosen = [figure for figure in figures if figure.name in only or not only]
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for page in tqdm(list(dict.fromkeys(figure.page for figure in chosen)), unit="chapter"):
        drawn = _drawn(root / page, format, mime, environment)
        for figure in (each for each in chosen if each.page == page):
            file = folder / f"{figure.name}.{format}"
            data = drawn[figure.name]
            file.write_bytes(data.encode() if format == "svg" else base64.b64decode(data))
            written.append(file)
    return written


def _of(page: Path, notebook: NotebookNode) -> list[Figure]:
    described = (cell.metadata.get("mystnb", {}) for cell in notebook.cells)
    return [Figure(each["figure"]["name"], page, each["figure"]["caption"], each["image"]["alt"])
            for each in described if "name" in each.get("figure", {})]  # fmt: skip


def _drawn(path: Path, format: str, mime: str, environment: dict[str, str]) -> dict[str, str]:
    """The pictures of a notebook by the names of their figures."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(f"%config InlineBackend.figure_formats = ['{format}']"))
    os.environ.update(environment)  # the kernel inherits it
    try:
        fresh = notebooks.execute(notebook, path)
    finally:
        for name in environment:
            del os.environ[name]
    pictures = {}
    for cell in fresh.cells:
        if "name" in (figure := cell.metadata.get("mystnb", {}).get("figure", {})):
            pictures[figure["name"]] = next(each.data[mime] for each in cell.outputs if mime in each.get("data", {}))
    return pictures
