"""An old address leads to where its page stands now: `book/moved.toml` says which, the place on the page is kept.

Sphinx knows nothing of these pages, so that no list and no search shows them.
"""

import html
import posixpath
import tomllib
from pathlib import Path

from cards import address
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

# A refresh would lose the place on the page, so it is left to browsers without scripts.
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<link rel="canonical" href="{address}">
<script>location.replace("{link}" + location.search + location.hash)</script>
<noscript><meta http-equiv="refresh" content="0; url={link}"></noscript>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root {{ color-scheme: light dark; }} a {{ color: LinkText; }}</style></head>
<body><main><h1>This page has moved</h1><p>It is now <a href="{link}">{title}</a>.</p></main></body>
</html>
"""


def moves(root: Path) -> dict[str, str]:
    """Where each old page stands now, by names such as "book/decay"."""
    table = root / "book" / "moved.toml"
    return tomllib.loads(table.read_text(encoding="utf-8")) if table.exists() else {}


def write_moved(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.name != "html":
        return
    pages = app.env.found_docs
    for old, new in moves(Path(app.srcdir)).items():
        if old in pages or new not in pages:
            raise ExtensionError(f"moved.toml: from {old}, which must be no page, to {new}, which must be one")
        file = Path(app.outdir, f"{old}.html")
        file.parent.mkdir(parents=True, exist_ok=True)
        link = posixpath.relpath(f"{new}.html", posixpath.dirname(old))
        title = html.escape(app.env.titles[new].astext())
        file.write_text(PAGE.format(title=title, address=address(app, new), link=link), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", write_moved, priority=960)  # when those that look at all pages are done
    return {"parallel_read_safe": True, "parallel_write_safe": True}
