"""At the site's own address stands the first page itself, no leap to it: a copy whose links start a folder higher."""

import posixpath
import re
from pathlib import Path

from sphinx.application import Sphinx

# The address in an attribute, unless it leads elsewhere (https:, mailto:, data:) or to a place on the same page.
ADDRESS = re.compile(r'(?<=\s)(href|src|action)="(?![a-z]+:|#|//)([^"#?]*)')


def moved_up(html: str, folder: str) -> str:
    """The page with its addresses, which are relative to `folder`, relative to the folder above.

    >>> moved_up('<html data-content_root="../"><a href="../search.html?q=a#b"><img src="../_images/a.png">', "book")
    '<html data-content_root="./"><a href="search.html?q=a#b"><img src="_images/a.png">'
    >>> moved_up('<a href="decide.html"><a href="#start"><a href="https://example.org/">', "book")
    '<a href="book/decide.html"><a href="#start"><a href="https://example.org/">'
    """
    html = html.replace('data-content_root="../"', 'data-content_root="./"')
    return ADDRESS.sub(lambda match: f'{match[1]}="{posixpath.normpath(posixpath.join(folder, match[2]))}', html)


def write_front(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.name != "html":
        return
    site, first = Path(app.outdir), f"{app.config.root_doc}.html"
    page = (site / first).read_text(encoding="utf-8")
    (site / "index.html").write_text(moved_up(page, posixpath.dirname(first)), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", write_front, priority=950)  # when the others have finished that page
    return {"parallel_read_safe": True, "parallel_write_safe": True}
