"""The book as one PDF: the built pages, one after another in one document, printed by Chromium.

One document rather than one per page, so that links between chapters and the outline are Chromium's own work. It is
printed twice: the first time shows on which page each chapter begins, and the contents of the second say so.
"""

import io
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

import pikepdf

from . import chromium
from .book import OUTPUT

PDF = OUTPUT / "learning-rates.pdf"
# Code that the pages fold away, how a figure is drawn, is not printed; folded answers and solutions are.
NOT_PRINTED = ".headerlink, .copybtn, script, details.hide, .sd-tab-set > input, .explorer-live"
STYLE = """
html { font-size: 10pt; }
*:not(#none) { box-shadow: none !important; text-shadow: none !important; }
figcaption, figcaption * { color: inherit !important; }
.print-page, .print-front { break-before: page; }
.print-cover { text-align: center; padding-top: 60mm; }
.print-cover img { width: 70mm; }
.print-cover h1 { font-size: 30pt; margin: 12mm 0 4mm; }
.print-cover .author { font-size: 13pt; margin: 12mm 0 2mm; }
article { max-width: none; }
h1, h2, h3, h4 { break-after: avoid; }
figure, table, .admonition, .sd-tab-content, .katex-display { break-inside: avoid; }
pre, pre span { white-space: pre-wrap !important; overflow-wrap: anywhere; }
.sd-tab-set, .sd-tab-content { display: block !important; }
.sd-tab-set > label { display: block; border: none !important; font-weight: 600; color: inherit !important; }
.print-contents { padding: 0; }
.print-contents li { display: flex; list-style: none; margin: 0.3em 0; }
.print-contents li::before { content: ""; order: 1; flex: 1; border-bottom: 1px dotted #888; margin: 0 0.5em 0.3em; }
.print-contents .number { order: 2; width: 2.5em; text-align: right; }
img { max-width: 100% !important; height: auto !important; }
"""
FOOTER = """<div style="width: 100%; font: 8px sans-serif; text-align: center; color: #555">
<span class="pageNumber"></span> / <span class="totalPages"></span></div>"""
FILL = """(begins) => document.querySelectorAll(".print-contents li").forEach((each) => {
    each.querySelector(".number").textContent = begins[each.querySelector("a").hash.slice(1)];
})"""


@dataclass(frozen=True)
class Cover:
    """What stands on the first page: who wrote which book, in which state, and where its newest is."""

    title: str
    author: str
    state: str
    address: str


def print_book(site: Path, pages: Sequence[str], target: Path, cover: Cover) -> Path:
    """Print `pages`, paths such as "book/intro.html" below the built `site`, to the file `target`.

    Raises: `RuntimeError` if there is no Chromium, or no built page.
    """
    browser = chromium.find()
    if browser is None:
        raise RuntimeError("no Chromium to print with: install it with `sudo apt-get install chromium-headless-shell`")
    missing = [page for page in pages if not (site / page).exists()]
    if missing:
        raise RuntimeError(f"not built: {', '.join(missing)}: run `lrcourse book` first")
    whole = site / "print.html"
    whole.write_text(join(site, pages, cover), encoding="utf-8")
    try:
        packed(_printed(browser, whole), target, cover)
    finally:
        whole.unlink()
    return target


def join(site: Path, pages: Sequence[str], cover: Cover) -> str:
    """One HTML document of the pages' articles, below the folder `site`; their links lead to one another."""
    from bs4 import BeautifulSoup

    soups = {page: BeautifulSoup((site / page).read_text(encoding="utf-8"), "html.parser") for page in pages}
    articles, contents = [], []
    for page, soup in soups.items():
        article = soup.select_one("article.bd-article")
        assert article is not None, f"{page} has no article"
        _own(article, page, soups.keys())
        heading = article.select_one("h1")
        title = escape(heading.get_text().rstrip("#") if heading else page)
        contents.append(f'<li><a href="#{_name(page)}">{title}</a><span class="number"></span></li>')
        articles.append(f'<section class="print-page" id="{_name(page)}">{article}</section>')
    # Without what stands behind "?": a page that was not written again may have another one.
    used = dict.fromkeys(str(link["href"]).replace("../", "", 1).partition("?")[0]
                         for soup in soups.values() for link in soup.select('link[rel="stylesheet"]'))  # fmt: skip
    styles = "".join(f'<link rel="stylesheet" href="{address}">' for address in used)
    title, author, state, address = map(escape, (cover.title, cover.author, cover.state, cover.address))
    return f"""<!doctype html><html lang="en" data-theme="light" data-mode="light"><head><meta charset="utf-8">
<title>{title}</title><meta name="author" content="{author}">{styles}<style>{STYLE}</style></head><body><main>
<section class="print-cover"><img src="_static/logo.svg" alt=""><h1>{title}</h1><p class="author">{author}</p>
<p>{state}<br><a href="{address}">{address}</a></p></section>
<section class="print-front"><h2>Contents</h2><ol class="print-contents">{"".join(contents)}</ol></section>
{"".join(articles)}</main>
<script src="katex/katex.min.js"></script><script src="_static/math.js"></script></body></html>"""


def _name(page: str) -> str:
    return page.removesuffix(".html").replace("/", "--")


def _own(article, page: str, pages) -> None:  # type: ignore[no-untyped-def]
    """Give the article's anchors names of their own, and let its links and pictures find their targets."""
    folder = Path(page).parent
    for node in article.select(NOT_PRINTED):
        node.decompose()
    for node in article.select("[id]"):
        node["id"] = f"{_name(page)}--{node['id']}"
    for details in article.select("details"):
        details["open"] = ""
    for image in article.select("img"):
        image.attrs.pop("loading", None)
        image["src"] = _from(folder, image["src"])
    for link in article.select("a[href]"):
        address, fragment = urldefrag(link["href"])
        if "://" in address or address.startswith("mailto:"):
            continue
        target = _from(folder, address) if address else page
        if target in pages:
            link["href"] = f"#{_name(target)}" + (f"--{fragment}" if fragment else "")
        else:
            link.unwrap()  # a download or a page that is not printed


def _from(folder: Path, address: str) -> str:
    """An address relative to `folder`, relative to the site."""
    return posixpath.normpath(posixpath.join(folder.as_posix(), address))


def _printed(browser: str, whole: Path) -> bytes:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=chromium.FLAGS)
        page = opened.new_page(color_scheme="light")
        page.set_default_timeout(300_000)
        page.goto(whole.resolve().as_uri())
        page.wait_for_function("document.readyState === 'complete'")
        page.evaluate("document.fonts.ready.then(() => null)")

        def printed() -> bytes:
            return page.pdf(format="A4", outline=True, tagged=True, display_header_footer=True,
                            header_template="<span></span>", footer_template=FOOTER,
                            margin={"top": "16mm", "bottom": "16mm", "left": "16mm", "right": "16mm"})  # fmt: skip

        page.evaluate(FILL, begins(printed()))
        data = printed()
        opened.close()
    return data


def begins(printed: bytes) -> Mapping[str, int]:
    """On which page of a PDF each place that links lead to is, the first page being 1."""
    with pikepdf.open(io.BytesIO(printed)) as document:
        pages: dict[Any, int] = {page.obj.objgen: number for number, page in enumerate(document.pages, 1)}
        return {name.removeprefix("/"): pages[place[0].objgen] for name, place in document.Root.Dests.items()}


def packed(printed: bytes, target: Path, cover: Cover) -> None:
    """Write a PDF with its author and its many small objects compressed, of which Chromium does neither."""
    with pikepdf.open(io.BytesIO(printed)) as document:
        document.docinfo["/Author"] = cover.author
        document.save(target, object_stream_mode=pikepdf.ObjectStreamMode.generate)
