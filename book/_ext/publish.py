"""What a published site needs besides its pages: notebooks that install what they import, cards for links that are
shared, a site map, a page for wrong addresses, and how to cite the version that is read.

All addresses are made from `html_baseurl` and the repository's address in _config.yml.
"""

import html
from datetime import date
from pathlib import Path
from typing import Any

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
NOT_FOUND = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Page not found</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="{base}/_static/favicon.svg">
<style>:root {{ color-scheme: light dark; }} a {{ color: LinkText; }}
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1rem; }}</style></head>
<body><main><h1>There is no such page</h1><p>It may have moved. Try the <a href="{base}/search.html">search</a>, the
<a href="{base}/book/glossary.html">glossary</a>, or start at the <a href="{base}/">first page</a>.</p></main></body>
</html>
"""


def card(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """What a link to the page shows where it is shared."""
    if doctree is None:
        return
    base = app.config.html_baseurl.rstrip("/")
    first = next((node.astext() for node in doctree.findall(nodes.paragraph)), "")
    properties = {
        "og:title": context.get("title", ""), "og:type": "article", "og:url": f"{base}/{pagename}.html",
        "og:site_name": app.config.html_title, "og:image": f"{base}/_static/card.png",
        "og:image:alt": "Four learning rate schedules over a run: constant, cosine, cycles and one cycle",
        "og:description": " ".join(first.split())[:200],
    }  # fmt: skip
    tags = [
        f'<meta property="{name}" content="{html.escape(html.unescape(value))}" />'
        for name, value in properties.items()
    ]
    tags += ['<meta name="twitter:card" content="summary_large_image" />']
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)


def publish(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.name != "html":
        return
    site, base = Path(app.outdir), app.config.html_baseurl.rstrip("/")
    addresses = [f"{base}/{page}.html" for page in sorted(app.env.found_docs)]
    entries = "".join(f"<url><loc>{html.escape(address)}</loc></url>" for address in addresses)
    (site / "sitemap.xml").write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>\n',
        encoding="utf-8",
    )
    (site / "404.html").write_text(NOT_FOUND.format(base=base), encoding="utf-8")
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
    app.connect("html-page-context", card)
    app.connect("build-finished", publish, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
