"""The pages under a finger: a swipe scrolls the page and changes nothing else, a tap places, a drag sideways moves."""

import pytest

PHONE = {"width": 390, "has_touch": True, "is_mobile": True}
TOUCHED = ".explorer :is(.handle:not(.free), .plot, input, select), fieldset.quiz label"
# All that a swipe could change: what is drawn, what is set, what is said, and the address.
STATE = """() => [location.hash, ...[...document.querySelectorAll(".explorer, fieldset.quiz")].map((each) => [
    each.innerHTML,
    ...[...each.querySelectorAll("input, select")].map((field) => [field.value, field.checked]),
    ...[...each.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL()),
].join())]"""
SPOKEN = "[...document.querySelectorAll('.explorer')].every((each) => each.querySelector('.spoken')?.textContent)"


@pytest.fixture
def phone(open_page):
    """Opens a page on a phone, its explorers drawn and described."""

    def opened(name="book/explore.html"):
        page = open_page(name, **PHONE)
        page.wait_for_function(SPOKEN)
        page.finger = page.context.new_cdp_session(page)
        return page

    return opened


def stroke(page, start, by, steps=8):
    """Move a finger from `start` by (x, y) pixels, as a screen reports it: bit by bit, a frame at a time."""

    def touch(kind, *points):
        where = [{"x": x, "y": y} for x, y in points]
        page.finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})
        page.evaluate("new Promise(requestAnimationFrame)")

    touch("touchStart", start)
    for step in range(1, steps + 1):
        touch("touchMove", tuple(at + far * step / steps for at, far in zip(start, by, strict=True)))
    page.wait_for_timeout(60)  # the finger rests before it leaves: the page does not slide on
    touch("touchEnd")


def center(element):
    box = element.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def to_the_middle(element):
    element.evaluate("(each) => each.scrollIntoView({ block: 'center', behavior: 'instant' })")


@pytest.mark.parametrize("name", ["book/explore.html", "book/train.html", "book/cyclical.html"])
def test_a_swipe_scrolls_and_changes_nothing(phone, name):
    page = phone(name)
    before = page.evaluate(STATE)
    touched = [each for each in page.locator(TOUCHED).all() if each.is_visible()]
    assert len(before) > 1 and len(touched) > 10
    changed, stuck = [], []
    for element in touched:
        for share, by in ((0.5, (0, -200)), (0.8, (25, 200))):
            to_the_middle(element)
            box, height = element.bounding_box(), page.evaluate("scrollY")
            by = by if height > 200 else (by[0], -200)  # at its top a page can only go down
            wide = box["width"] > 100
            stroke(page, (box["x"] + box["width"] * (share if wide else 0.5), box["y"] + box["height"] / 2), by)
            what = element.evaluate("(each) => each.outerHTML.slice(0, 120)")
            if abs(page.evaluate("scrollY") - height) < 50:
                stuck.append(what)
            if (after := page.evaluate(STATE)) != before:
                changed.append(what)
                before = after
    assert (stuck, changed) == ([], [])


def test_a_tap_places_the_mark(phone):
    page = phone()
    plots = page.locator(".plot:has(.handle)").all()
    assert len(plots) == 5
    for plot in plots:
        to_the_middle(plot)
        box, height = plot.bounding_box(), page.evaluate("scrollY")
        x, y = box["x"] + 0.7 * box["width"], box["y"] + 0.3 * box["height"]
        stroke(page, (x, y), (3, -2))  # no finger stands quite still
        found = center(plot.locator(".knob"))
        assert found[0] == pytest.approx(x + 3, abs=3), plot.get_attribute("aria-label")
        if "grip-along" not in plot.get_attribute("class"):
            assert found[1] == pytest.approx(y - 2, abs=3), plot.get_attribute("aria-label")
        assert page.evaluate("scrollY") == height


def test_a_finger_drags_a_handle_that_it_takes_sideways(phone):
    page = phone()
    for plot in page.locator(".plot:has(.handle)").all():
        to_the_middle(plot)
        (x, y), height = center(plot.locator(".knob")), page.evaluate("scrollY")
        stroke(page, (x, y), (60, -25))
        found = center(plot.locator(".knob"))
        assert found[0] == pytest.approx(x + 60, abs=3), plot.get_attribute("aria-label")
        if "grip-along" not in plot.get_attribute("class"):
            assert found[1] == pytest.approx(y - 25, abs=3), plot.get_attribute("aria-label")
        assert page.evaluate("scrollY") == height


@pytest.mark.parametrize("by", [(0, -40), (2, 60)])
def test_a_finger_drags_the_schedule_of_a_network_up_and_down(phone, by):
    page = phone("book/train.html")
    rate = page.get_by_label("A: rate at the peak", exact=True).last
    page.get_by_label("Updates of warm-up").last.fill("200")
    handle = page.get_by_role("slider", name="Peak:")
    to_the_middle(handle)
    assert handle.bounding_box()["width"] >= 44
    (x, y), height, before = center(handle), page.evaluate("scrollY"), float(rate.input_value())
    stroke(page, (x, y), by)
    assert center(handle)[1] == pytest.approx(y + by[1], abs=3)
    assert page.evaluate("scrollY") == height
    assert (float(rate.input_value()) > 3 * before) == (by[1] < 0)
    stroke(page, (x + 80, y), (0, -120))  # beside it a swipe is the page's
    assert page.evaluate("scrollY") > height + 50 and center(handle)[0] == pytest.approx(x, abs=3)


def test_two_fingers_zoom_the_map(phone):
    page = phone()
    figure = page.locator("figure.explorer-trainability")
    to_the_middle(figure.locator(".plot"))
    box = figure.locator(".plot").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + 40
    before = figure.locator(".frame").first.bounding_box()["width"]
    for kind, spread in (("touchStart", 40), *(("touchMove", 40 + 10 * i) for i in range(9)), ("touchEnd", None)):
        points = [{"x": x - spread, "y": y}, {"x": x + spread, "y": y}] if spread else []
        page.finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert figure.locator(".frame").first.bounding_box()["width"] == pytest.approx(3 * before, rel=0.1)
