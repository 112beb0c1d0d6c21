"""The page of one's own run: a log is dropped, chosen, pasted or tried, drawn and diagnosed; nothing leaves the
machine; it works by mouse, keys and touch, and says without scripts what to do."""

import gzip
import re
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from lrcourse.audit.faults import FAULTS
from tests import test_audit_logs

PAGE = "book/own-run.html"
PHONE = {"width": 390, "has_touch": True, "is_mobile": True}
WEIGHT = 200_000
LONG = "step,lr,loss\n" + "".join(f"{t},{0.1 - t * 1e-6:.7f},{2 / (1 + t / 999):.5f}\n" for t in range(100_000))


@pytest.fixture
def own(open_page):
    """Opens the page and returns its section."""

    def opened(**options):
        return open_page(PAGE, **options).locator("section.own-run")

    return opened


def tried(section, name="stepped per epoch"):
    section.get_by_role("button", name=name).click()
    section.locator(".result").wait_for()
    return section


def said(section):
    return section.locator(".about").inner_text()


def test_a_chosen_file_is_drawn_and_diagnosed_with_the_package_s_words(own, tmp_path):
    section = own()
    section.get_by_label("Schedule that was meant").fill(test_audit_logs.SPEC)
    section.get_by_label("Updates of the whole run").fill("60")
    section.get_by_label("Drop a log here").set_input_files(
        test_audit_logs.as_lightning(tmp_path, test_audit_logs.PER_EPOCH)
    )
    section.locator(".result").wait_for()
    assert said(section) == "1 fault: stepped per epoch"
    card = section.locator(".findings > li").inner_text()
    fault = FAULTS["stepped per epoch"]
    assert "once in 12 updates" in card and fault.why in card and fault.fix in card
    assert section.locator(".plot:visible").count() == 2 and section.locator(".first-seen").count() == 2
    assert (
        section.locator("code").inner_text()
        == f'lrcourse audit metrics.csv --schedule "{test_audit_logs.SPEC}" --steps 60'
    )
    section.get_by_label("Updates of the whole run").fill("120")
    section.get_by_label("Schedule that was meant").fill("")
    section.get_by_text("1 fault, 1 note: ends high, stepped per epoch").wait_for()


def test_two_exports_of_tensorboard_together(own, tmp_path):
    section = own()
    section.get_by_label("Drop a log here").set_input_files(
        test_audit_logs.as_tensorboard(tmp_path, test_audit_logs.HEALTHY)
    )
    section.locator(".result").wait_for()
    assert section.locator(".plot:visible").count() == 2 and "loss" in section.locator(".readout").inner_text()


def test_a_dropped_file_stays_in_the_page(own):
    section = own()
    section.page.evaluate("""() => {
        const data = new DataTransfer();
        data.items.add(new File(["step,lr\\n0,0\\n1,0.1\\n2,0.1\\n"], "a.csv"));
        for (const type of ["dragover", "drop"])
            document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    }""")
    section.locator(".result").wait_for()
    assert "first update at rate 0" in said(section) and section.locator(".dropping").count() == 0


def test_pasted_text_short_and_long(own):
    section = own()
    section.get_by_label("or paste it").fill('{"step": 0, "lr": 0.1, "loss": 1}\n{"step": 1, "lr": 0.1, "loss": NaN}\n')
    section.get_by_text("1 fault: loss diverges").wait_for()
    section.get_by_label("or paste it").evaluate(
        """(area, text) => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text", text);
            area.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
        }""",
        LONG,
    )
    section.get_by_text("100000 updates, 0 to 99999").wait_for()
    assert section.get_by_label("or paste it").input_value() == ""
    section.get_by_label("or paste it").fill(" ")
    section.locator(".result").wait_for(state="hidden")


def test_unusual_columns_are_chosen(own):
    section = own()
    section.get_by_label("or paste it").fill("n,r\n" + "".join(f"{t},{0.1 * (t > 0)}\n" for t in range(9)))
    section.get_by_text("No column is known to hold rates").wait_for()
    section.get_by_label("Column of the rate").select_option("r")
    section.get_by_text("No fault found, 1 note: first update at rate 0").wait_for()
    assert section.locator("code").inner_text() == "lrcourse audit pasted.csv --rate r"
    section.get_by_label("Column of the step").select_option("n")
    section.get_by_text("--step n --rate r").wait_for()


@pytest.mark.parametrize(("spec", "complaint"), [
    ("Cosin(1, 0, 9)", "“Cosin” is not read here"), ("Cosine(0.1, 0)", "Cosine needs steps"),
    ("SGDR.over(60, 3, 0.1)", "SGDR.over"),
])  # fmt: skip
def test_a_text_that_is_no_schedule_is_named_and_mended(own, spec, complaint):
    section = tried(own())
    section.get_by_label("Schedule that was meant").fill(spec)
    section.get_by_text(complaint).wait_for()
    assert not section.locator(".result").is_visible()
    section.get_by_label("Schedule that was meant").fill("Constant(0.1)")
    section.locator(".result").wait_for()
    assert section.locator(".complaint").inner_text() == ""


def test_what_is_no_text_is_refused(own, tmp_path):
    (tmp_path / "log.csv").write_bytes(b"\xff\xfe\x00")
    section = own()
    section.get_by_label("Drop a log here").set_input_files(tmp_path / "log.csv")
    section.get_by_text("no text file that can be read").wait_for()


def test_by_keys(own):
    section = own()
    keyboard = section.page.keyboard
    section.get_by_role("button", name="a loss that grows").focus()
    keyboard.press("Enter")
    section.get_by_text("1 fault: loss diverges").wait_for()
    mark = section.get_by_role("slider", name="Update to read")
    mark.focus()
    before = section.locator(".readout").inner_text()
    keyboard.press("ArrowLeft")
    assert section.locator(".readout").inner_text() != before
    (step,) = re.findall(r"\d+", section.get_by_role("button", name="Show step").inner_text())
    section.get_by_role("button", name="Show step").focus()
    keyboard.press("Enter")
    assert f"At the mark: update {step}," in section.locator(".readout").inner_text()
    section.page.wait_for_function("document.querySelector('.own-run .spoken').textContent.includes('loss diverges')")


def test_under_a_finger(own):
    section = own(**PHONE)
    section.get_by_role("button", name="resumed without").tap()
    section.locator(".result").wait_for()
    plot = section.locator(".plot:has(.handle)")
    plot.scroll_into_view_if_needed()
    before, box = section.locator(".readout").inner_text(), plot.bounding_box()
    section.page.touchscreen.tap(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"])
    assert section.locator(".readout").inner_text() != before
    assert plot.evaluate("(plot) => getComputedStyle(plot).touchAction") == "pan-y"


@pytest.mark.parametrize("width", [320, 390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits(own, violations, scheme, width):
    section = own(scheme=scheme, width=width)
    assert violations(section.page) == []
    tried(section, "a healthy run")
    tried(section).locator("details").evaluate("(each) => { each.open = true; }")
    section.page.wait_for_timeout(400)
    assert violations(section.page) == []
    assert section.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    inside = section.locator(".drop").evaluate("(drop) => drop.scrollWidth - drop.clientWidth")
    assert inside <= 0


def test_without_scripts_the_command_is_named(own):
    section = own(scripts=False)
    assert "lrcourse audit log.csv" in section.inner_text() and section.locator("input").count() == 0


def test_the_page_forbids_itself_every_connection(chromium, book):
    page = chromium.new_page()
    page.goto((book / PAGE).as_uri())
    assert "stays on your machine" in page.locator("article").inner_text()
    refused = page.evaluate("""async () => {
        const refused = [];
        document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
        await fetch("data:text/plain,x").catch(() => undefined);
        navigator.sendBeacon("https://example.org/");
        await new Promise((done) => setTimeout(done, 100));
        return refused;
    }""")
    assert refused == ["connect-src", "connect-src"]
    page.close()


def test_it_weighs_little(own):
    page = tried(own()).page
    paths = {Path(unquote(urlparse(url).path)) for url in page.loaded if url.startswith("file:")}
    weights = {
        path.name: len(data if path.suffix == ".woff2" else gzip.compress(data))
        for path in paths
        for data in [path.read_bytes()]
    }
    print(sum(weights.values()), weights)
    assert {"own-run.js", "rules.js", "data.js"} <= set(weights) and sum(weights.values()) <= WEIGHT


def test_of_a_long_log_no_more_is_drawn_than_is_seen(own, tmp_path):
    section = own()
    (tmp_path / "long.csv").write_text(LONG, encoding="utf-8")
    section.get_by_label("Schedule that was meant").fill("warmup(Cosine(0.1, 0, 90000), 10000)")
    section.get_by_label("Drop a log here").set_input_files(tmp_path / "long.csv")
    section.get_by_text("100000 updates, 0 to 99999").wait_for()
    drawn = section.locator(".line").evaluate_all("(lines) => lines.map((line) => line.getAttribute('d').length)")
    assert len(drawn) == 3 and 5000 < max(drawn) < 60_000
    spiked = LONG.splitlines(keepends=True)
    spiked[50_001] = "50000,0.05,9\n"
    (tmp_path / "spike.csv").write_text("".join(spiked), encoding="utf-8")
    line = section.locator(".line-2").get_attribute("d")
    section.get_by_label("Drop a log here").set_input_files(tmp_path / "spike.csv")
    section.page.wait_for_function("(line) => document.querySelector('.line-2').getAttribute('d') !== line", arg=line)
    ticks = section.locator(".plot").last.locator("text").all_text_contents()
    assert "10" in ticks, "the one high loss is seen"


def test_it_is_linked_from_where_readers_ask(book):
    for name in ("answers", "audit", "decide"):
        assert 'href="own-run.html"' in (book / "book" / f"{name}.html").read_text(encoding="utf-8"), name
