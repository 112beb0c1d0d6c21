"""What the world outside is told of the site: title, description and address of each page, cards for links that are
shared, a site map, a page for wrong addresses.

All addresses are made from `html_baseurl` in _config.yml.
"""

import html
import textwrap
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

FIRST_TITLE = "How to choose a learning rate: a course that tests its claims"
NOT_FOUND = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Page not found</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="{base}/_static/favicon.svg">
<style>:root {{ color-scheme: light dark; }} a {{ color: LinkText; }}
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1rem; }}</style></head>
<body><main><h1>There is no such page</h1><p>It may have moved. Try the <a href="{base}/search.html">search</a>, the
<a href="{base}/book/glossary.html">glossary</a>, or start at the <a href="{base}/">first page</a>.</p></main></body>
</html>
"""


def address(app: Sphinx, page: str) -> str:
    """Where the page stands in public; the first page stands at the address of the site."""
    base = app.config.html_baseurl.rstrip("/")
    return f"{base}/" if page == app.config.root_doc else f"{base}/{page}.html"


def card(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """What a search engine is told of the page, and what a link to it shows where it is shared."""
    if doctree is None:
        return
    context["pageurl"] = address(app, pagename)  # the theme makes the canonical link of it
    if pagename == app.config.root_doc:
        context["title"] = FIRST_TITLE
    first = next((node.astext() for node in doctree.findall(nodes.paragraph)), context["title"])
    description = textwrap.shorten(first, 200, placeholder=" …")
    properties = {
        "og:title": context["title"], "og:type": "article", "og:url": context["pageurl"],
        "og:site_name": app.config.html_title, "og:image": app.config.html_baseurl.rstrip("/") + "/_static/card.png",
        "og:image:alt": "Four learning rate schedules over a run: constant, cosine, cycles and one cycle",
        "og:description": description,
    }  # fmt: skip
    names = {"description": description, "twitter:card": "summary_large_image"}
    tags = [_meta("property", *each) for each in properties.items()] + [_meta("name", *each) for each in names.items()]
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)


def _meta(kind: str, name: str, value: str) -> str:
    return f'<meta {kind}="{name}" content="{html.escape(html.unescape(value))}" />'


def tell(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.name != "html":
        return
    site, base = Path(app.outdir), app.config.html_baseurl.rstrip("/")
    addresses = sorted(address(app, page) for page in app.env.found_docs)
    entries = "".join(f"<url><loc>{html.escape(each)}</loc></url>" for each in addresses)
    (site / "sitemap.xml").write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>\n',
        encoding="utf-8",
    )
    (site / "404.html").write_text(NOT_FOUND.format(base=base), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", card)
    app.connect("build-finished", tell, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
