"""A negative number in a text or a table has a minus sign, not a hyphen, and no zero has one; code stays as it is."""

import re

from docutils import nodes
from sphinx.application import Sphinx

NEGATIVE = re.compile(r"(?<![\w.)\]/−-])-(?=\.?\d)")  # not in 3-5, e-5, 2026-12-01 or --jobs
NEGATIVE_ZERO = re.compile(r"−(?=0(\.0*)?(?![\d.]*\d))")
CELL = re.compile(r"(<t[dh]\b[^>]*>)([^<]*)")
KEPT = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw, nodes.comment)


def typographic(text: str) -> str:
    """
    >>> typographic("difference -0.013 [-0.040, 0.015], at 1e-5 in 3-5 runs, x = -.5")
    'difference −0.013 [−0.040, 0.015], at 1e-5 in 3-5 runs, x = −.5'
    >>> typographic("-0.00 [-0.02, -0], -0.001, -0.0.1")
    '0.00 [−0.02, 0], −0.001, −0.0.1'
    """
    return NEGATIVE_ZERO.sub("", NEGATIVE.sub("−", text))


def tables(html: str) -> str:
    """
    >>> tables('<td class="a-1">-0.5</td><script>-1</script>')
    '<td class="a-1">−0.5</td><script>-1</script>'
    """
    return CELL.sub(lambda match: match[1] + typographic(match[2]), html)


def sign(app: Sphinx, doctree: nodes.document, page: str) -> None:
    for text in list(doctree.findall(nodes.Text)):
        better = typographic(text)
        if better != text and not any(isinstance(above, KEPT) for above in _around(text)):
            text.parent.replace(text, nodes.Text(better))
    for raw in doctree.findall(nodes.raw):
        if "html" in raw.get("format", ""):
            raw.children[:] = [nodes.Text(tables(raw.astext()))]


def _around(node: nodes.Node) -> list[nodes.Node]:
    above = []
    while node.parent is not None:
        node = node.parent
        above.append(node)
    return above


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-resolved", sign)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
