"""The search finds sections, with the words around what was found: a static index that Pagefind makes of the pages.

Served from a web address, the search page asks this index (`book/_static/section_search.js`); a page opened from the
disk may not fetch files, and keeps the theme's own search.
"""

import asyncio
import gzip
import json
import shutil
import tomllib
from pathlib import Path

from bs4 import BeautifulSoup
from pagefind.index import IndexConfig, PagefindIndex
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

FOLDER = "pagefind"
WORDS = "search.toml"  # what readers call a page's matter that does not say so itself
LEFT_OUT = "script, style, .headerlink, .explorer, .cell_input, .cell_output pre, .math"  # what no reader searches for
ATTEMPTS = 3  # to write the index
WEIGHT = "10"  # of those words; Pagefind gives a title 7 and a text 1
BEHIND = ("book/api", "book/lab-", "book/claims", "book/bibliography")  # lists of everything: behind pages that explain


def indexed(html: str, words: list[str], weight: str = "1") -> str | None:
    """What the index is told of a page: its article, each heading with the address of its section.

    Sphinx gives the address to the section around a heading, where Pagefind does not look; a glossary's term counts
    as a heading.
    """
    soup = BeautifulSoup(html, "html.parser")
    article, title = soup.select_one("article.bd-article"), soup.select_one("article.bd-article h1")
    if article is None or title is None:
        return None
    for each in article.select(LEFT_OUT):
        each.decompose()
    for heading in article.select("section[id] > :is(h1, h2, h3, h4)"):
        heading["id"] = heading.parent["id"]  # type: ignore[index]
    for term in article.select("dt[id^=term-]"):
        term.name = "h3"
    if weight != "1":
        article["data-pagefind-weight"] = weight
    if words:
        also = soup.new_tag("p", attrs={"data-pagefind-weight": WEIGHT})
        also.string = f"Also: {', '.join(words)}."
        title.insert_after(also)
    name = title.get_text()
    return f"<html lang='en'><head><title>{name}</title></head><body data-pagefind-body>{article}</body></html>"


def words_of_readers(root: Path) -> dict[str, list[str]]:
    """The words of `book/search.toml`, by names of pages such as "book/decay"."""
    table = root / "book" / WORDS
    return tomllib.loads(table.read_text(encoding="utf-8")) if table.exists() else {}


async def _write(pages: dict[str, str], target: Path) -> None:
    async with PagefindIndex(config=IndexConfig(output_path=str(target), force_language="en")) as index:
        for name, html in pages.items():
            await index.add_html_file(content=html, url=name)


def whole(folder: Path) -> bool:
    """Whether each file of the index is there to its end: Pagefind may stop before the last bytes are on the disk."""
    try:
        json.loads((folder / "pagefind-entry.json").read_text(encoding="utf-8"))
        packed = [*folder.rglob("*.pf_*"), *folder.glob("wasm.*.pagefind")]
        return bool(packed) and all(gzip.decompress(path.read_bytes()) for path in packed)
    except (OSError, EOFError, ValueError):  # not there or not a gzip file; cut off; no JSON
        return False


def write_index(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.name != "html":
        return
    site = Path(app.outdir)
    words = words_of_readers(Path(app.srcdir))
    if unknown := words.keys() - app.env.found_docs:
        raise ExtensionError(f"{WORDS} names pages that the book lacks: {', '.join(sorted(unknown))}")
    pages = {}
    for doc in sorted(app.env.found_docs):
        html = (site / f"{doc}.html").read_text(encoding="utf-8")
        if page := indexed(html, words.get(doc, []), "0.3" if doc.startswith(BEHIND) else "1"):
            pages[f"{doc}.html"] = page
    for _ in range(ATTEMPTS):
        shutil.rmtree(site / FOLDER, ignore_errors=True)
        asyncio.run(_write(pages, site / FOLDER))
        if whole(site / FOLDER):
            break
    else:
        raise ExtensionError(f"Pagefind did not write a whole index into {site / FOLDER}: is the disk full?")
    for unused in ("pagefind-ui*", "pagefind-modular*", "pagefind-component*", "pagefind-highlight*"):
        for path in (site / FOLDER).glob(unused):
            path.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", write_index, priority=940)  # before the first page is copied
    return {"parallel_read_safe": True, "parallel_write_safe": True}
