"""Code in a line of text is not broken within a short word: browsers break after hyphens, `--jobs` after the second.

Long paths and calls may break, or a phone would have to scroll.
"""

from docutils import nodes
from sphinx.application import Sphinx

LONGEST = 20  # letters


def mark(app: Sphinx, doctree: nodes.document, page: str) -> None:
    for literal in doctree.findall(nodes.literal):
        if all(len(word) <= LONGEST for word in literal.astext().split()):
            literal["classes"].append("short")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-resolved", mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
