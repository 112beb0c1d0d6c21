"""The pages by keyboard alone: Tab reaches everything, in order and in sight; Escape leaves what opens."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

TOUR = (Path(__file__).parent / "keyboard.js").read_text(encoding="utf-8")


@pytest.fixture
def still(open_page):
    """Opens a page on which nothing fades or slides, so that looks can be compared at once."""

    def opened(name, **options):
        return open_page(name, reduced_motion="reduce", **options)

    return opened


def settle(page):
    """Waits until all is there and nothing is new: 300 ms after a change the theme looks for code that scrolls."""
    page.evaluate("document.fonts.ready.then(() => 0)")
    if page.locator("figure.live").count():
        page.wait_for_selector("figure.live-on")
    if page.locator("figure.explorer").count():
        page.locator("figure.explorer input, figure.explorer [role=slider]").last.wait_for()
    names = None
    while names != (names := reached(page)):
        page.wait_for_timeout(500)


def reached(page):
    """What Tab should reach."""
    page.evaluate(TOUR)
    return page.evaluate("tour.names")


def focus(page):
    return page.evaluate("document.activeElement.outerHTML.slice(0, 100)")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["book/intro.html", "book/cyclical.html", "book/explore.html", "book/train.html"])
def test_tab_reaches_everything_in_order_and_shows_where_it_is(still, name, width):
    page = still(name, width=width)
    settle(page)
    names = reached(page)
    assert "Skip to main content" in names[0] and len(names) > 25
    stops = []
    while len(stops) <= len(names):
        page.keyboard.press("Tab")
        stop = page.evaluate("tour.stop()")
        if stop is None:
            break
        stops.append(stop)
    assert [stop["number"] for stop in stops] == list(range(len(names))), [stop["name"] for stop in stops]
    assert [stop["name"] for stop in stops if not stop["ring"]] == [], "no focus ring"
    assert [stop["name"] for stop in stops if not stop["inSight"]] == [], "out of sight"


def test_the_first_link_skips_to_the_text(still):
    page = still("book/cyclical.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('#main-content').contains(document.activeElement)"), focus(page)


@pytest.mark.parametrize(("width", "opener"), [(1280, None), (1280, ".search-button-field"), (390, ".search-button")])
def test_search_opens_and_escape_closes_it(still, width, opener):
    page = still("book/cyclical.html", width=width)
    dialog = page.locator("#pst-search-dialog")
    if opener:
        page.locator(f"{opener}:visible").first.focus()
        page.keyboard.press("Enter")
    else:
        page.keyboard.press("Control+k")
    expect(dialog).to_be_visible()
    page.keyboard.type("momentum")
    assert dialog.locator("input").input_value() == "momentum"
    page.keyboard.press("Escape")
    if dialog.is_visible():
        page.keyboard.press("Escape")  # the first may only have emptied the field
    expect(dialog).not_to_be_visible()
    if opener:
        expect(page.locator(f"{opener}:visible").first).to_be_focused()


def test_search_by_keys_leads_to_a_page(still):
    page = still("book/cyclical.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("warm restarts")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a")
    page.locator("#search-results li a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/book/*.html*")


@pytest.mark.parametrize("side", ["primary", "secondary"])
def test_a_sidebar_on_a_phone_opens_and_closes(still, side):
    page = still("book/cyclical.html", width=390)
    dialog = page.locator(f"#pst-{side}-sidebar-modal")
    toggle = page.locator(f"button.{side}-toggle:visible")
    toggle.focus()
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    assert dialog.locator("a").count() > 5
    for _ in range(3):
        page.keyboard.press("Tab")
        assert dialog.locator(":focus").count() == 1, focus(page)
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    expect(toggle).to_be_focused()


@pytest.mark.parametrize("menu", ["Run", "Source", "Download"])
def test_a_menu_of_the_page_opens_and_closes(still, menu):
    page = still("book/cyclical.html")
    toggle = page.locator(f"button.dropdown-toggle[aria-label^={menu}]")
    toggle.focus()
    page.keyboard.press("Enter")
    items = page.locator(".dropdown-menu.show :is(a, button)")
    assert items.count() > 0
    page.keyboard.press("ArrowDown")
    assert page.locator(".dropdown-menu.show :focus").count() == 1, focus(page)
    page.keyboard.press("Escape")
    assert page.locator(".dropdown-menu.show").count() == 0
    expect(toggle).to_be_focused()
