"""`lrcourse book`: execute what changed, and build the pages of the book."""

import argparse
import re
from datetime import date
from pathlib import Path
from typing import Any

from ..repository import repository


def add(commands: Any) -> None:
    book = commands.add_parser("book", help="execute what changed and build the book")
    book.add_argument("--stored", action="store_true", help="execute nothing, show the outputs stored in the notebooks")
    book.add_argument("--pdf", action="store_true", help="print the built book as one PDF as well (needs Chromium)")
    book.add_argument("--zip", action="store_true", help="pack the built pages into one file as well, to read offline")
    book.set_defaults(run=run, extra="book")


def run(options: argparse.Namespace) -> int:
    root = repository()
    from .. import book

    book.build(root, options.stored)
    site = root / book.OUTPUT / "html"
    if options.zip:
        from .. import offline

        print(offline.pack(site, root / offline.ZIP))
    if options.pdf:
        from .. import pdf

        pages = [page.with_suffix(".html").as_posix() for page in book.pages_in_toc(root)]
        print(pdf.print_book(site, pages, root / pdf.PDF, _cover(root)))
    return 0


def _cover(root: Path) -> Any:
    from ... import __version__
    from ..pdf import Cover

    config = (root / "_config.yml").read_text(encoding="utf-8")
    said = dict(re.findall(r"^ *(title|author|site): (?:&site )?(.+)$", config, re.MULTILINE))
    today = date.today()
    state = f"Edition {__version__}, printed on {today.day} {today:%B %Y}"
    return Cover(said["title"], said["author"], state, said["site"])
