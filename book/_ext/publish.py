"""What a published site needs besides its pages: notebooks that install what they import, and how to cite the version
that is read.

All addresses are made from the repository's address in _config.yml.
"""

from datetime import date
from pathlib import Path

import nbformat
import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PAGES_BRANCH = "gh-pages"  # where publish.yml puts the built site, and Colab finds the notebooks
EXTRAS = "torch,tensorflow,plots,data,sweep,tuner"  # what chapters import
SETUP_CELL = """\
# Installs the course where it is missing, as on Colab, with the versions that it was tested with.
try:
    import lrcourse
except ImportError:
    %pip install --quiet --constraint {raw}/constraints.txt "lrcourse[{extras}] @ git+{repository}"
"""


def publish(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.name != "html":
        return
    site = Path(app.outdir)
    repository = app.config.html_theme_options["repository_url"]
    for notebook in (site / "_sources").rglob("*.ipynb"):
        make_runnable(notebook, repository)
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        colab = f"colab.research.google.com/github/{repository.partition('github.com/')[2]}/blob/"
        if f"{colab}main/book/" in text:
            linked = text.replace(f"{colab}main/book/", f"{colab}{PAGES_BRANCH}/_sources/book/")
            page.write_text(linked, encoding="utf-8")


def make_runnable(path: Path, repository: str) -> None:
    """Put a cell that installs the course before the others of a notebook that is offered for download."""
    notebook = nbformat.read(path, as_version=4)
    if notebook.cells[0].id == "install":
        return
    raw = repository.replace("github.com", "raw.githubusercontent.com") + "/main"
    source = SETUP_CELL.format(raw=raw, repository=repository, extras=EXTRAS)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(source, id="install"))
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


class Citation(SphinxDirective):
    """How to cite the course: the version, day and authors of CITATION.cff, in words and as BibTeX."""

    def run(self) -> list[nodes.Node]:
        file = Path(self.env.srcdir) / "CITATION.cff"
        self.env.note_dependency(str(file))
        cite = yaml.safe_load(file.read_text(encoding="utf-8"))
        authors = " and ".join(author["name"] for author in cite["authors"])
        year = date.fromisoformat(str(cite["date-released"])).year
        bibtex = "\n".join([
            "@software{lrcourse,", f"  author = {{{{{authors}}}}},", f"  title = {{{cite['title']}}},",
            f"  version = {{{cite['version']}}},", f"  year = {{{year}}},", f"  url = {{{cite['url']}}},", "}",
        ])  # fmt: skip
        words = f"{authors} ({year}). *{cite['title']}*, version {cite['version']}. <{cite['url']}>"
        return self.parse_text_to_nodes(f"{words}\n\n```bibtex\n{bibtex}\n```")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("citation", Citation)
    app.connect("build-finished", publish, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
