"""How to cite the course: the version, day and authors of CITATION.cff, in words and as BibTeX."""

from datetime import date
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Citation(SphinxDirective):
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
    return {"parallel_read_safe": True, "parallel_write_safe": True}
