"""The notebooks that a reader takes along: each chapter as its page shows it, each lab as it is given out, and before
their cells one that brings the course.

They lie in the site, and Binder finds beside them what to install.
"""

from pathlib import Path

import nbformat
import yaml
from docutils import nodes
from install_cell import course, needs, pins, source
from launch import FOLDER, notebook_of
from nbformat import NotebookNode
from plain_markdown import Plain
from sphinx.application import Sphinx

NAMED = "application/papermill.record/"  # an output that holds a result for the text and shows nothing


class Notebooks:
    """The text of each page's cells, noted while pages are written, and put into notebooks when all of them are.

    To resolve a page once more for it would be simpler, but the list of its references grows each time.
    """

    def __init__(self) -> None:
        self.texts: dict[str, dict[int, str]] = {}

    def note(self, app: Sphinx, doctree: nodes.document, page: str) -> None:
        if app.builder.name == "html" and notebook_of(app.env, page) == f"{page}.ipynb":
            counted = app.env.toc_fignumbers.get(page, {}).get("figure", {})
            numbers = {each: app.config.numfig_format["figure"] % ".".join(map(str, n)) for each, n in counted.items()}
            for number in app.env.toc_secnumbers.get(page, {}).get("", ()):
                numbers |= {each: f"{number}." for each in next(doctree.findall(nodes.section))["ids"]}
            base = app.config.html_baseurl.rstrip("/")
            pictures = {uri: f"{base}/_images/{name}" for uri, (_, name) in app.env.images.items()}
            self.texts[page] = Plain(doctree, f"{base}/{page}.html", numbers, pictures).cells()

    def write(self, app: Sphinx, exception: Exception | None) -> None:
        if exception or app.builder.name != "html":
            return
        root, site, repository = Path(app.srcdir), Path(app.outdir), app.config.html_theme_options["repository_url"]
        imports: set[str] = set()
        for page in app.env.found_docs:
            if (name := notebook_of(app.env, page)) is None:
                continue
            notebook, target = nbformat.read(root / name, as_version=4), site / FOLDER / name
            first = nbformat.v4.new_code_cell(source(notebook, root, repository), id="install")
            imports |= needs(notebook, root)
            if name == f"{page}.ipynb":
                kept = None if page in self.texts else published(target)
                if page not in self.texts and kept is None:  # an earlier build wrote the page and was stopped
                    app.env.get_and_resolve_doctree(page, app.builder)
                notebook.cells = kept or plain(notebook, self.texts[page])
            notebook.cells.insert(0, first)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
        binder = site / "binder" / "environment.yml"
        binder.parent.mkdir(exist_ok=True)
        binder.write_text(environment(imports, root, repository), encoding="utf-8")


def published(target: Path) -> list[NotebookNode] | None:
    """The cells that an earlier build has published, without the first; None if what lies there is not from here."""
    cells: list[NotebookNode] = nbformat.read(target, as_version=4).cells if target.exists() else []
    return cells[1:] if cells and cells[0].id == "install" else None


def plain(notebook: NotebookNode, texts: dict[int, str]) -> list[NotebookNode]:
    """The cells with the text of the page, captions below their figures."""
    cells = []
    for index, cell in enumerate(notebook.cells):
        text = texts.get(index)
        if cell.cell_type == "markdown":
            cells += [nbformat.v4.new_markdown_cell(text, id=cell.id)] if text else []
            continue
        cell.outputs = [
            each for each in cell.outputs if not all(kind.startswith(NAMED) for kind in each.get("data", [""]))
        ]
        cell.metadata.pop("mystnb", None)
        cells += [cell, nbformat.v4.new_markdown_cell(text, id=f"{cell.id}-caption")] if text else [cell]
    return cells


def environment(imports: set[str], root: Path, repository: str) -> str:
    """What Binder installs, so that the first cell of every notebook finds all that it looks for."""
    conda = yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))
    *others, _ = conda["dependencies"]
    packages = {"pip": [f"--constraint {pins(repository)}", course(imports, root, repository)]}
    text: str = yaml.safe_dump({**conda, "dependencies": [*others, packages]}, sort_keys=False)
    return text


def setup(app: Sphinx) -> dict[str, bool]:
    notebooks = Notebooks()
    app.connect("doctree-resolved", notebooks.note)
    app.connect("build-finished", notebooks.write, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
