"""A page stands still while it loads: light or dark, and the width of its text, are known from the start."""

import pytest

SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_or_dark_is_known_before_the_scripts_of_the_theme(chromium, book, scheme):
    context = chromium.new_context(color_scheme=scheme)
    page = context.new_page()
    page.route("**/pydata-sphinx-theme.js*", lambda route: route.abort())
    page.goto((book / "book" / "decay.html").as_uri())
    assert page.locator("html").get_attribute("data-theme") == scheme
    assert page.locator(".logo__image:visible").count() == 1
    context.close()


def test_text_is_as_wide_before_the_contents_beside_it_are_there(open_page):
    page = open_page("book/decay.html")
    for width in (1200, 1280, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        wide = "document.querySelector('article').clientWidth"
        before = page.evaluate(wide)
        assert page.locator(".bd-sidebar-secondary").is_visible()
        with_none = page.evaluate(f"""() => {{
            const contents = document.querySelector(".bd-sidebar-secondary");
            contents.hidden = true;
            contents.style.display = "none";
            const width = {wide};
            contents.style.display = "";
            contents.hidden = false;
            return width;
        }}""")
        assert with_none == before


@pytest.mark.parametrize("width", [1440, 1280, 390])
def test_the_first_chapter_stands_still(chromium, book, width):
    context = chromium.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.add_init_script(SHIFTS)
    page.goto((book / "book" / "gradient-descent.html").as_uri())
    page.wait_for_function("document.querySelector('figure.live').classList.contains('live-on')")
    page.wait_for_function("document.querySelectorAll('.katex').length > 9")
    page.evaluate("() => new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))")
    assert page.evaluate("shift") < 0.1
    context.close()
