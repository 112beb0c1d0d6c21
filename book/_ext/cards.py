"""What the world outside is told of the site: cards for links that are shared, a site map, a page for wrong addresses.

All addresses are made from `html_baseurl` in _config.yml.
"""

import html
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

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


def tell(app: Sphinx, exception: Exception | None) -> None:
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


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", card)
    app.connect("build-finished", tell, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
