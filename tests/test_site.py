"""What the published site has besides pages: one file to keep, one PDF, notebooks that install, and the rest."""

import re
import zipfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from bs4 import BeautifulSoup
from pypdf import PdfReader

from lrcourse.course import offline, pdf
from lrcourse.course.book import pages_in_toc

ROOT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
SITE, REPOSITORY = CONFIG["html"]["baseurl"], CONFIG["repository"]["url"]
NAME = REPOSITORY.removeprefix("https://github.com/")
COVER = pdf.Cover("Two pages", "Ada <Love>", "Edition 1", "https://example.org/book")


def test_the_packed_site_opens_and_searches_from_the_disk(book, chromium, tmp_path):
    first, second = (offline.pack(book, tmp_path / name).read_bytes() for name in ("one.zip", "two.zip"))
    assert first == second
    zipfile.ZipFile(tmp_path / "one.zip").extractall(tmp_path)
    page = chromium.new_context(offline=True).new_page()
    page.goto((tmp_path / offline.FOLDER / "index.html").as_uri())
    page.get_by_role("article").get_by_role("link", name="decision guide").click()
    page.wait_for_url("**/book/decide.html")
    page.goto((tmp_path / offline.FOLDER / "search.html").as_uri() + "?q=OneCycle")
    page.wait_for_selector("#search-results li a")
    assert "OneCycle" in page.locator("#search-results li a").first.text_content()
    page.context.close()


def test_the_first_page_stands_at_the_address_of_the_site(open_page):
    page = open_page("index.html", scripts=False)
    assert page.url.endswith("/index.html")
    assert page.locator("html").get_attribute("lang") == "en"
    assert "learning rate" in page.title() and len(set(re.split(" [—:] ", page.title()))) == 2
    article = page.get_by_role("article")
    assert article.get_by_role("heading", level=1).is_visible()
    assert article.locator("figure img").is_visible()
    links = article.locator("a[href]").all()
    at_once = [link.get_attribute("href") for link in links if link.bounding_box()["y"] < 800]
    for place in ("gradient-descent", "decide", "explore", "lab-1-decay", "claims"):
        assert f"book/{place}.html" in at_once


def test_nothing_of_the_theme_is_published_twice_or_unfinished(book):
    assert not list(book.rglob("*macros.html"))
    for page in (book / "index.html", book / "book" / "cyclical.html"):
        assert page.read_text(encoding="utf-8").count('name="viewport"') == 1


def test_nothing_is_packed_where_nothing_is_built(tmp_path):
    with pytest.raises(RuntimeError, match="no book is built"):
        offline.pack(tmp_path, tmp_path / "site.zip")


@pytest.mark.parametrize(
    ("query", "page"),
    [("OneCycle", "api-schedules"), ("WSD", "api-schedules"), ("InverseSqrt", "api-schedules"),
     ("η", "notation"), ("μ", "notation"),
     ("momentum", "gradient-descent"), ("warm restarts", "warm-restarts"),
     ("ReduceLROnPlateau", "decay"), ("lr_find", "range-test"), ("SGDR", "warm-restarts"),
     ("λ", "notation"), ("mini-batch", "glossary"), ("edge of stability", "stability")],
)  # fmt: skip
def test_search_finds(book, chromium, query, page):
    tab = chromium.new_page()
    tab.goto((book / "search.html").as_uri() + f"?q={query}")
    tab.wait_for_selector("#search-results li a")
    found = tab.locator("#search-results li a").evaluate_all("(all) => all.slice(0, 8).map((a) => a.href)")
    tab.close()
    assert any(f"/{page}.html" in address for address in found), found


@pytest.mark.browser
def test_two_pages_as_one_pdf_with_links_between_them(book, tmp_path):
    pages = ["book/glossary.html", "book/notation.html"]
    whole = pdf.join(book, pages, COVER)
    ids = set(re.findall(r' id="([^"]+)"', whole))
    inner = re.findall(r'href="#([^"]+)"', whole)
    assert {"book--glossary", "book--notation"} <= set(inner)
    assert set(inner) <= ids, "a link leads nowhere"
    file = tmp_path / "two.pdf"
    arguments = [book, pages, file, COVER]  # another process: here a browser of the tests is open already
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        other.submit(pdf.print_book, *arguments).result()
    data = file.read_bytes()
    assert data.startswith(b"%PDF") and b"/ObjStm" in data
    printed = PdfReader(file)
    assert printed.metadata is not None and printed.metadata.author == "Ada <Love>"
    first, contents, *rest = [page.extract_text() for page in printed.pages]
    assert re.findall("Two pages|Ada <Love>|Edition 1|https://example.org/book", first) == [
        "Two pages", "Ada <Love>", "Edition 1", "https://example.org/book",
    ]  # fmt: skip
    assert printed.outline and "/Link" in {each["/Subtype"] for each in printed.pages[1].annotations or []}
    for title in ("Glossary", "Notation"):
        (number,) = re.findall(rf"^{title}\s*(\d+)$", contents, re.MULTILINE)
        assert rest[int(number) - 3].strip().startswith(title)
    assert not (book / "print.html").exists()


def test_a_printed_page_keeps_the_styles_that_the_first_page_lacks(book):
    whole = pdf.join(book, ["book/intro.html", "book/notation.html"], COVER)
    styles = re.findall(r'<link rel="stylesheet" href="([^"?]+)', whole)
    assert len(styles) == len(set(styles)) and any(style.endswith("katex.min.css") for style in styles)
    assert all((book / style).exists() for style in styles)


def test_a_pdf_of_pages_that_are_not_built_names_them(tmp_path):
    with pytest.raises(RuntimeError, match=r"not built: book/none\.html"):
        pdf.print_book(tmp_path, ["book/none.html"], tmp_path / "none.pdf", COVER)


@pytest.mark.parametrize(
    ("page", "notebook"), [("cyclical", "book/cyclical.ipynb"), ("lab-3-clr", "labs/03-clr/03-clr.ipynb")]
)
def test_the_buttons_of_a_page_open_what_is_published(book, page, notebook):
    text = (book / "book" / f"{page}.html").read_text(encoding="utf-8")
    source = "ipynb" if page == "cyclical" else "md"
    assert (book / "_sources" / notebook).exists()
    assert f'href="../_sources/{notebook}"' in text
    assert f'href="https://colab.research.google.com/github/{NAME}/blob/gh-pages/_sources/{notebook}"' in text
    assert f'href="https://mybinder.org/v2/gh/{NAME}/gh-pages?urlpath=lab/tree/_sources/{notebook}"' in text
    assert f"{REPOSITORY}/edit/main/book/{page}.{source}" in text


def test_binder_installs_all_that_a_notebook_looks_for(book):
    conda = yaml.safe_load((book / "binder" / "environment.yml").read_text(encoding="utf-8"))
    pins, course = conda["dependencies"][-1]["pip"]
    assert pins == "--constraint https://raw.githubusercontent.com/lrcourse/lrcourse/main/constraints.txt"
    extras = set(re.findall(rf"^lrcourse\[([\w,]+)\] @ git\+{REPOSITORY}$", course)[0].split(","))
    asked = {
        each
        for path in (book / "_sources").rglob("*.ipynb")
        for each in re.findall(r"lrcourse\[([\w,]+)\]", path.read_text(encoding="utf-8"))[0].split(",")
    }
    assert extras >= asked - {"plots", "torch"}  # which others bring


def test_every_page_has_a_card_and_stands_in_the_site_map(book):
    tree = ElementTree.parse(book / "sitemap.xml")
    listed = {entry.text for entry in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")}
    first, *others = pages_in_toc(ROOT)
    addresses = {first: f"{SITE}/", **{page: f"{SITE}/{page.with_suffix('.html').as_posix()}" for page in others}}
    for page, address in addresses.items():
        assert address in listed
        text = (book / page.with_suffix(".html")).read_text(encoding="utf-8")
        assert f'property="og:url" content="{address}"' in text
        assert text.count('rel="canonical"') == 1 and f'rel="canonical" href="{address}"' in text
        descriptions = re.findall(r'(?:name="|og:)description" content="([^"]*)"', text)
        assert len(descriptions) == 2 and len(set(descriptions)) == 1 and 50 < len(descriptions[0]) < 250, page
        assert f'property="og:image" content="{SITE}/_static/card.png"' in text
    assert (book / "_static" / "card.png").exists()


def test_a_negative_number_has_a_minus_sign_and_no_zero_is_negative(book):
    found: dict[str, list[str]] = {}
    for path in (book / "book").glob("*.html"):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for code in page.select("pre, code, script, style, .math, dt.sig"):
            code.decompose()
        text = "".join(article.get_text() for article in page.select("article"))
        found[path.name] = re.findall(r".{20}(?<![\w.)\]/-])-\d.{10}", text) + re.findall(
            r".{9}−0(?:\.0+)?(?![\d.]).{9}", text
        )
    assert {name: each for name, each in found.items() if each} == {} and len(found) > 40
    assert "−0." in (book / "book" / "decay.html").read_text(encoding="utf-8")


def test_a_wrong_address_leads_back(book):
    text = (book / "404.html").read_text(encoding="utf-8")
    for target in re.findall(r'href="([^"]+)"', text):
        assert target.startswith(f"{SITE}/") and (book / target.removeprefix(f"{SITE}/")).exists(), target


def test_an_old_address_leads_to_the_page_and_to_the_place_on_it(book, open_page):
    page = open_page("book/07-cyclical.html")
    page.wait_for_url("**/book/cyclical.html")
    page.goto((book / "book" / "07-cyclical.html").as_uri() + "#the-formula")
    page.wait_for_url("**/book/cyclical.html#the-formula")
    assert page.locator("#the-formula").is_visible()


def test_an_old_address_leads_to_the_page_without_scripts(open_page):
    open_page("book/07-cyclical.html", scripts=False).wait_for_url("**/book/cyclical.html")


def test_the_citation_is_that_of_the_citation_file(book):
    cite = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    text = (book / "book" / "run.html").read_text(encoding="utf-8")
    assert cite["title"] in text and f"version {cite['version']}" in text and cite["url"] in text
