"""The built pages in a browser, as a reader opens them: from file://, light and dark, wide and on a phone."""

import functools
import re
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from fontTools.ttLib import TTFont

from lrcourse.course.book import chapters_in_toc, pages_in_toc

ROOT = Path(__file__).parents[1]
PAGES = ["index.html", *sorted(path.with_suffix(".html").as_posix() for path in pages_in_toc(ROOT))]
NARROW = (ROOT / "tests" / "narrow.js").read_text(encoding="utf-8")
CONTRAST = "color-contrast"
CHAPTERS = [path.with_suffix(".html").as_posix() for path in chapters_in_toc(ROOT)]


@functools.cache
def html(path):
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_page_is_right_on_a_wide_screen_and_in_the_light(open_page, book, name, violations):
    page = live(open_page(name))
    assert page.locator("article h1").is_visible()
    assert not page.locator("header.bd-header").is_visible(), "the theme's second, empty bar is back"
    assert page.locator(".katex").count() >= html(book / name).count("math notranslate")
    assert page.locator(".katex-error").count() == 0
    assert any("/katex/" in url for url in page.loaded) == ("math notranslate" in html(book / name))
    assert weight(page) <= 1_500_000
    assert images(page) == []
    assert overflow(page) == 0
    assert cut_lines(page) == []
    assert off_center(page) == []
    assert "{{ " not in page.locator("article").inner_text(), "MyST left a name in the place of what it stands for"
    assert violations(page) == []
    assert violations(turned(page, "dark"), CONTRAST) == []


@pytest.mark.parametrize("name", PAGES)
def test_page_is_right_on_a_phone_and_in_the_dark(open_page, name, violations):
    page = live(open_page(name, width=390, scheme="dark"))
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert overflow(page) == 0
    assert violations(page) == []
    assert violations(turned(page, "light"), CONTRAST) == []
    for size in ({"width": 320, "height": 700}, {"width": 640, "height": 450}):  # the second: 1280 pixels at 200 %
        page.set_viewport_size(size)
        assert overflow(page) == 0
        assert page.evaluate(NARROW) == []


def turned(page, scheme):
    """The page when the reader's system becomes light or dark: its colors change, and nothing else."""
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
    page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished)).then(() => null)")  # they fade
    return page


def live(page):
    """The page, with its live figure drawn."""
    page.wait_for_function("document.querySelectorAll('figure.live:not(.live-on)').length === 0")
    return page


def test_pages_without_formulas_ask_for_nothing_that_sets_formulas(book):
    pages = list(book.rglob("*.html"))
    for path in pages:
        asked = set(re.findall(r"<(?:link|script) [^>]*/(katex\.min\.css|katex\.min\.js|math\.js)\b", html(path)))
        needed = {"katex.min.css", "katex.min.js", "math.js"} if "math notranslate" in html(path) else set()
        assert asked == needed, path
    without = [path.name for path in pages if "math notranslate" not in html(path)]
    assert {"intro.html", "search.html", "claims.html"} <= set(without) and len(without) < len(pages) - 20
    fonts = set(re.findall(r"url\((fonts/[^)]+)\)", html(book / "katex" / "katex.min.css")))
    assert fonts and all((book / "katex" / font).exists() for font in fonts)


def overflow(page):
    """How many pixels the page is wider than the window, folded content unfolded."""
    return page.evaluate("""async () => {
        document.querySelectorAll("details").forEach((each) => { each.open = true; });
        const frame = () => new Promise((done) => requestAnimationFrame(done));
        await frame(); await frame();  // an explorer draws itself anew in the frame after its box has changed
        return document.documentElement.scrollWidth - document.documentElement.clientWidth;
    }""")


def cut_lines(page):
    """The longest line of each block of code or output that has to be scrolled sideways, hidden tabs included."""
    return page.evaluate("""() => {
        const tabs = [...document.querySelectorAll(".sd-tab-content")];
        tabs.forEach((each) => { each.style.display = "block"; });
        const blocks = [...document.querySelectorAll(".bd-article pre")];
        const wide = blocks.filter((each) => each.scrollWidth > each.clientWidth);
        const lines = wide.map((each) => each.textContent.split("\\n").sort((a, b) => b.length - a.length)[0]);
        tabs.forEach((each) => { each.style.display = ""; });
        return lines;
    }""")


def off_center(page):
    """The displayed formulas that do not stand in the middle of their line."""
    return page.locator("div.math .katex-display").evaluate_all("""(all) => all.filter((each) => {
        const [box, line] = [each, each.closest("div.math")].map((one) => one.getBoundingClientRect());
        return Math.abs(box.left + box.right - line.left - line.right) > 4;
    }).map((each) => each.textContent.slice(0, 40))""")


def weight(page):
    """The bytes of everything that the browser has loaded for the page so far: pictures further down are not."""
    paths = (Path(unquote(urlparse(url).path)) for url in page.loaded if url.startswith("file:"))
    return sum(path.stat().st_size for path in paths)


def images(page):
    """The images that do not load, are not described in words, or stand without a caption."""
    found = page.locator(".bd-article img").evaluate_all("""(all) => Promise.all(all.map(async (image) => [
        image.loading = "eager",
        image.alt || image.src,
        await image.decode().then(() => true, () => false),
        image.alt.trim().split(/\\s+/).length > 2 && !/[/]|[.](png|svg|jpe?g)$/.test(image.alt),
        Boolean(image.closest("figure")?.querySelector("figcaption")?.textContent.trim()),
    ]))""")
    return [image for image in found if not all(image)]


@pytest.mark.parametrize("name", PAGES)
def test_links_within_the_book_resolve(book, name):
    for target in re.findall(r'(?:href|src|action)="([^"]+)"', html(book / name)):
        address, fragment = urldefrag(target)
        if urlparse(address).scheme or address.startswith("//"):
            continue
        path = (book / name).parent / unquote(urlparse(address).path) if address else book / name
        assert path.exists(), f"{name} links to {target}"
        if fragment and path.suffix == ".html":
            assert f'id="{unquote(fragment)}"' in html(path.resolve()), f"{name} links to {target}"


@pytest.mark.parametrize("name", CHAPTERS)
def test_each_quiz_explains_every_answer(open_page, name):
    page = open_page(name)
    assert page.locator("fieldset.quiz").count() > 0
    for quiz in page.locator("fieldset.quiz").all():
        assert quiz.locator("details:visible").count() == 0
        for choice in quiz.locator(":scope > div").all():
            choice.locator("label").click()
            assert choice.locator("input").is_checked()
            assert len(choice.locator("details p").inner_text()) > len("Right. ")
            assert choice.locator("details p").is_visible()


def test_a_quiz_works_by_keyboard(open_page, violations):
    quiz = open_page(CHAPTERS[0]).locator("fieldset.quiz:has(input[type=radio])").first
    quiz.locator("input").first.focus()
    quiz.page.keyboard.press("Space")
    assert quiz.locator("details p:visible").count() == 1
    first = quiz.locator("details p:visible").inner_text()
    quiz.page.keyboard.press("ArrowDown")
    assert quiz.locator("details p:visible").count() == 1
    assert quiz.locator("details p:visible").inner_text() != first
    assert violations(quiz.page) == []


def test_a_quiz_can_be_read_without_scripts(open_page):
    quiz = open_page(CHAPTERS[0], scripts=False).locator("fieldset.quiz").first
    quiz.locator("summary").first.click()
    assert quiz.locator("details p").first.is_visible()


def test_search_finds_a_word_from_the_file_system(open_page, violations):
    page = open_page("search.html")
    page.goto(f"{page.url}?q=triangular")
    page.wait_for_selector("#search-results li a")
    assert "cyclical" in " ".join(page.locator("#search-results li a").evaluate_all("(all) => all.map((a) => a.href)"))
    assert violations(page) == []


def test_every_icon_in_use_is_in_the_trimmed_font(book):
    fonts = (book / "_static" / "vendor" / "fontawesome" / "webfonts").glob("*.ttf")
    drawable = {character for font in fonts for character in TTFont(font).getBestCmap()}
    css = html(book / "_static" / "styles" / "pydata-sphinx-theme.css")
    used = {f".{name}:before" for name in re.findall(r"\bfa-[a-z-]+\b", html(book / "book" / "intro.html"))}
    rules = dict(re.findall(r'(\.fa-[a-z-]+:before)\{content:"(.)"\}', css))
    assert {".fa-github:before", ".fa-magnifying-glass:before"} <= used & rules.keys()
    assert {ord(rules[name]) for name in used & rules.keys()} <= drawable
    signs = re.findall(r'--sign: "\\(\w{4})"', html(book / "_static" / "custom.css"))
    assert len(signs) == 6 and {int(sign, 16) for sign in signs} <= drawable
