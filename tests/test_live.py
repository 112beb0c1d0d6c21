"""The live figures of the chapters: their numbers are the package's, they wait until a reader is near, nothing moves
when they come, words set them by mouse, keys and touch, and without scripts sentences stand there."""

import gzip
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import pytest

from lrcourse.optimizers import SGD, Adam
from lrcourse.schedules import Constant, Cosine, Linear, Schedule, warmup
from lrcourse.surfaces import Bowl, Saddle, descend

ROOT = Path(__file__).parents[1]
FIGURES = tomllib.loads((ROOT / "book" / "live.toml").read_text(encoding="utf-8"))
CHAPTERS = list(FIGURES)
each_chapter = pytest.mark.parametrize("name", CHAPTERS)
MODULE_BYTES, FIGURE_BYTES, CHAPTER_BYTES = 4096, 20_000, 350_000
PHONE = {"width": 390, "has_touch": True, "is_mobile": True}


@pytest.fixture
def chapter(open_page):
    """Opens the page of a chapter and waits for its figure, which is its result."""

    def opened(name, fragment="", **options):
        page = open_page(f"book/{name}.html", **options)
        if fragment:
            page.goto(page.url + fragment)
            page.reload()
        page.wait_for_function("document.querySelector('figure.live').classList.contains('live-on')")
        return page.locator("figure.live")

    return opened


def values(figure, settings):
    """What the figure draws with these settings."""
    return figure.evaluate(
        "(figure, s) => lrcourse.figures[figure.dataset.module](JSON.parse(figure.dataset.given)).values(s)", settings
    )


def close(given, wanted):
    np.testing.assert_allclose(np.array(given, dtype=float), wanted, rtol=1e-9, atol=1e-12)


def test_descents_equal_the_package(chapter):
    figure, rng = chapter("gradient-descent"), np.random.default_rng(0)
    for _ in range(20):
        rates, momenta = rng.uniform(0.01, 2.0, 2), rng.choice([0, 0.5, 0.9, 0.99], 2)
        s = {"start": -4, "rate": rates[0], "rate2": rates[1], "momentum": momenta[0], "momentum2": momenta[1]}
        for run, rate, momentum in zip(values(figure, s), rates, momenta, strict=True):
            path = descend(Bowl(1.0, 1.0), SGD(lr=rate, momentum=momentum), (-4.0, 0.0), 30)
            close(run["path"], path[:, 0])
            close(run["losses"], Bowl(1.0, 1.0)(*path.T))


class Blurred(Saddle):
    """A saddle whose gradients are given noise, one after another."""

    def __init__(self, noise):
        self.noise = iter(noise)

    def gradient(self, x, y):
        return super().gradient(x, y) + next(self.noise)


def test_descents_beside_a_saddle_equal_the_package(chapter):
    figure, rng = chapter("why-training-stalls"), np.random.default_rng(1)
    for draw in range(1, 12):
        noise = np.array(figure.evaluate("(_, draw) => lrcourse.normals(draw, 60)", draw))
        s = {"x": rng.uniform(-1.8, 1.8), "y": rng.uniform(-1, 1), "rate": rng.uniform(0.01, 0.5), "noise": 0.3}
        for run, size in zip(values(figure, {**s, "draw": draw}), (0.0, 0.3), strict=True):
            path = descend(Blurred(size * noise), SGD(lr=s["rate"]), (s["x"], s["y"]), 60)
            close(run["path"], path)
            close(run["heights"], Saddle()(*path.T) + 0.25)
            close(run["slopes"], np.hypot(*Saddle().gradient(*path.T)))
    many = np.array(figure.evaluate("() => lrcourse.normals(3, 20000)")).ravel()
    assert abs(many.mean()) < 0.02 and abs(many.std() - 1) < 0.02 and 3 < abs(many).max() < 6
    assert abs(np.corrcoef(many[:-1], many[1:])[0, 1]) < 0.02


def fields(name):
    return {each["name"]: each for each in FIGURES[name]["given"]["fields"]}


def drawn(name, rng):
    """Settings of a schedule figure at random, within what its fields allow."""
    return {key: _drawn(each, rng) for key, each in fields(name).items()} | {"stop": 1}


def _drawn(field, rng):
    if "options" in field:
        return field["options"][rng.integers(len(field["options"]))]
    if isinstance(field["value"], bool):
        return bool(rng.integers(2))
    low, high = field["min"], field["max"]
    if field.get("log"):
        return float(np.exp(rng.uniform(np.log(low or 1e-4), np.log(high))))
    return float(rng.uniform(low, high)) if field["step"] != 1 else int(rng.integers(low, high + 1))


def mean_losses(table, noise):
    """The mean of θ²/2 from θ = 10 where each gradient is θ plus noise."""
    squares = [100.0]
    for rate in table:
        squares.append((1 - rate) ** 2 * squares[-1] + (rate * noise) ** 2)
    return np.array(squares) / 2


@pytest.mark.parametrize("name", [name for name in CHAPTERS if FIGURES[name]["module"] == "schedule"])
def test_schedules_and_their_mean_losses_equal_the_package(chapter, name):
    figure, rng, given = chapter(name), np.random.default_rng(2), FIGURES[name]["given"]
    seen = 0
    for _ in range(60):
        s = drawn(name, rng)
        found = values(figure, s)
        if "wrong" in found:
            continue
        seen += 1
        for run in found["runs"]:
            table = Schedule.from_dict(run["plain"]).table(len(run["table"]))
            close(run["table"], table)
            close(run["losses"], mean_losses(table, s.get("noise", given.get("noise", 1))))
            assert run["area"] == pytest.approx(table.sum())
        if s.get("same"):
            assert found["runs"][0]["area"] == pytest.approx(found["runs"][1]["area"])
    assert seen >= 15


def test_the_rates_are_those_that_are_set(chapter):
    figure = chapter("decay")
    s = {key: each["value"] for key, each in fields("decay").items()} | {"stop": 200}
    a, b = values(figure, s | {"a.shape": "line", "a.rate": 0.3, "b.shape": "steps", "b.rate": 0.2})["runs"]
    close(a["table"], np.linspace(0.3, 0, 201)[:-1])
    close(b["table"], 0.2 * 0.3 ** (np.arange(200) // 50))


def test_the_mean_loss_is_that_of_many_noisy_descents(chapter):
    figure, rng = chapter("decay"), np.random.default_rng(3)
    s = {key: each["value"] for key, each in fields("decay").items()} | {"stop": 200}
    run = values(figure, s)["runs"][0]
    theta = np.full(20_000, 10.0)
    for rate in run["table"][:150]:
        theta = theta - rate * (theta + rng.normal(size=theta.size))
    assert np.mean(theta**2) / 2 == pytest.approx(run["losses"][150], rel=0.05)


def test_warm_ups_and_adams_first_updates_equal_the_package(chapter):
    figure, rng = chapter("warmup"), np.random.default_rng(4)
    noise = np.array(figure.evaluate("() => lrcourse.normals(1, 1500)")).reshape(60, 50)
    for after, curve in {
        "line to zero": lambda n: Linear(1.0, 0.0, n),
        "cosine": lambda n: Cosine(1.0, 0.0, n),
        "constant": lambda n: Constant(1.0),
    }.items():
        agreement, start, steps = rng.uniform(0, 3), rng.uniform(0, 1), [0, int(rng.integers(1, 150))]
        s = {"steps": steps[0], "steps2": steps[1], "start": start, "after": after, "agreement": agreement}
        adam, x, lengths = Adam(lr=1.0), np.zeros(50), []
        for each in noise:
            moved = adam.step(x, agreement + each)
            lengths.append(np.sqrt(np.mean((moved - x) ** 2)))
            x = 0 * moved
        for run, count in zip(values(figure, s), steps, strict=True):
            rest = curve(300 - count)
            table = (warmup(rest, count, start) if count else rest).table(300)
            close(run["rates"], table)
            close(run["moves"], lengths * table[:60])


class Turned:
    """A surface turned about the origin."""

    def __init__(self, surface, degrees):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        self.surface, self.turn = surface, np.array([[c, s], [-s, c]])
        self.minimum = (0.0, 0.0)

    def __call__(self, x, y):
        return self.surface(*np.tensordot(self.turn, [x, y], 1))

    def gradient(self, x, y):
        return self.turn.T @ self.surface.gradient(*self.turn @ [x, y])


def test_sgd_and_adam_on_a_turned_bowl_equal_the_package(chapter):
    figure, rng = chapter("adaptive"), np.random.default_rng(5)
    for degrees in (0, 45, 13, 90, 60, 30):
        steep, rates = rng.uniform(1, 50), [rng.uniform(0.001, 0.04), rng.uniform(0.01, 0.5)]
        s = {"x": -3, "y": 0.8, "rate": rates[0], "rate2": rates[1], "steep": steep, "turn": degrees}
        surface: Any = Turned(Bowl(1.0, steep), degrees)
        start = tuple(surface.turn.T @ [-3, 0.8])
        for run, optimizer in zip(values(figure, s), (SGD(lr=rates[0]), Adam(lr=rates[1])), strict=True):
            path = descend(surface, optimizer, start, 100)
            close(run["path"], path)
            close(run["losses"], surface(*path.T))


def test_the_noise_of_a_batch_and_what_it_leaves_equal_numpy(chapter):
    figure, rng = chapter("batch-size"), np.random.default_rng(6)
    for _ in range(20):
        sizes, rates = 2 ** rng.integers(0, 10, 2), rng.uniform(0.001, 1.9, 2)
        s = {"batch": int(sizes[0]), "batch2": int(sizes[1]), "rate": rates[0], "rate2": rates[1], "count": "updates"}
        for run, size, rate in zip(values(figure, s), sizes, rates, strict=True):
            close(run["losses"], mean_losses([rate] * (2048 // size), 1 / np.sqrt(size)))
            means = rng.normal(size=(4000, size)).mean(axis=1)
            assert means.std() == pytest.approx(run["sd"], rel=0.06)


@each_chapter
def test_words_set_the_figure_and_nothing_below_it_moves(chapter, name):
    figure = chapter(name, width=1280)
    page = figure.page
    place = figure.locator(".live-place")
    heights = set()
    links = page.locator("a.set").all()
    assert len(links) > 1
    for width in (1280, 800, 600, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(100)
        heights = set()
        for link in links:
            query = link.get_attribute("data-set")
            link.evaluate("(link) => link.click()")
            now = figure.evaluate("(figure) => figure.settings()")
            for part in query.split("&"):
                key, value = part.split("=")
                assert str(now[key]).lower() == value, query
            heights.add(place.evaluate("(place) => place.offsetHeight"))
            natural = place.evaluate("""(place) => {
                place.style.minHeight = 0;
                const height = place.offsetHeight;
                place.style.minHeight = "";
                return height;
            }""")
            kept = place.evaluate("(place) => parseFloat(getComputedStyle(place).minHeight)")
            assert natural <= kept < natural + 130, (width, query)
        assert len(heights) == 1
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@each_chapter
def test_a_figure_is_set_by_keys(chapter, name):
    figure = chapter(name)
    keyboard = figure.page.keyboard
    before = figure.locator(".readout").inner_text()
    link = figure.page.locator("a.set").first
    link.focus()
    keyboard.press("Enter")
    slider = figure.locator("input[type=range]").first
    slider.focus()
    for _ in range(5):
        keyboard.press("ArrowLeft")
    assert figure.locator(".readout").inner_text() != before
    handle = figure.get_by_role("slider").locator("xpath=self::*[name()='g']")
    for each in handle.all():
        each.focus()
        said = each.get_attribute("aria-valuetext")
        keyboard.press("ArrowLeft")
        assert each.get_attribute("aria-valuetext") != said
    figure.page.wait_for_function("document.querySelector('.live-place .spoken').textContent.length > 20")


@each_chapter
def test_a_figure_under_a_finger(chapter, name):
    """A tap sets words and places the handle; a swipe across a plot is the page's (test_touch.py has the gestures)."""
    figure = chapter(name, **PHONE)
    for plot in figure.locator(".plot:has(.handle)").all():
        plot.scroll_into_view_if_needed()
        before = plot.locator(".handle").get_attribute("aria-valuetext")
        box = plot.bounding_box()
        figure.page.touchscreen.tap(box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"])
        assert plot.locator(".handle").get_attribute("aria-valuetext") != before
        assert plot.evaluate("(plot) => getComputedStyle(plot).touchAction") == "pan-y"
    said = set()
    for link in figure.locator("a.set").all():
        link.tap()
        said.add(figure.locator(".readout").inner_text())
    assert len(said) > 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@each_chapter
def test_a_live_figure_is_accessible(chapter, violations, name, scheme):
    assert violations(chapter(name, scheme=scheme).page) == []


@each_chapter
def test_without_scripts_a_sentence_stands_there(open_page, name):
    page = open_page(f"book/{name}.html", scripts=False)
    place = page.locator("figure.live .live-place")
    assert "where scripts run" in place.inner_text()
    assert place.bounding_box()["height"] < 100
    assert page.locator("a.set").count() == 0 and page.locator("span.set").count() > 1


def test_in_print_the_sentence_stands_there(chapter):
    figure = chapter("decay")
    figure.page.emulate_media(media="print")
    assert "where scripts run" in figure.locator(".live-place").inner_text()
    assert figure.locator(".plot:visible, input:visible").count() == 0


FAR = "addEventListener('DOMContentLoaded', () => { document.querySelector('article').style.paddingTop = '4000px'; });"


def test_a_figure_is_loaded_when_the_reader_comes_near(chromium, book):
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page, loaded = context.new_page(), []
    page.on("request", lambda request: loaded.append(Path(urlparse(request.url).path).name))
    page.add_init_script(FAR)
    page.goto((book / "book" / "decay.html").as_uri())
    page.wait_for_timeout(400)
    assert "live.js" in loaded and not {"plot.js", "kit.js", "schedule.js"} & set(loaded)
    page.locator("a.set").first.click()
    page.wait_for_function("document.querySelector('figure.live').settings?.().stop === 100")
    assert {"plot.js", "kit.js", "schedule.js"} <= set(loaded)
    context.close()


def test_words_far_below_lead_to_the_figure_and_back(chapter):
    figure = chapter("gradient-descent")
    page = figure.page
    page.evaluate("""() => {
        const link = document.querySelector("a.set").cloneNode(true);
        link.onclick = document.querySelector("a.set").onclick;
        link.id = "far";
        document.querySelector("article").append(link);
        link.scrollIntoView();
    }""")
    page.wait_for_timeout(100)
    low = page.evaluate("scrollY")
    page.locator("#far").click()
    assert page.evaluate("scrollY") < low / 2 and "#live?" in page.url
    page.go_back()
    page.wait_for_timeout(200)
    assert page.evaluate("scrollY") == pytest.approx(low, abs=300)


def test_an_address_sets_the_figure(chapter):
    figure = chapter("gradient-descent", fragment="#live?rate=0.19&momentum=0.9")
    figure.page.wait_for_function("document.querySelector('figure.live').settings().rate === 0.19")
    assert figure.evaluate("(figure) => figure.settings().momentum") == 0.9


@pytest.mark.parametrize("name", [name for name in CHAPTERS if FIGURES[name]["module"] == "schedule"])
def test_the_link_to_explore_shows_the_first_schedule_there(chapter, name):
    figure = chapter(name)
    area = values(figure, figure.evaluate("(figure) => figure.settings()"))["runs"][0]["area"]
    figure.locator(".settings-link").click()
    figure.page.wait_for_selector("figure.explorer-schedule .readout")
    said = figure.page.locator("figure.explorer-schedule .readout").inner_text()
    assert float(re.findall(r"curve ([\d.]+)", said)[0]) == pytest.approx(area, rel=2e-3)
    assert figure.page.locator("figure.explorer-schedule .complaint").inner_text() == ""


@each_chapter
def test_a_chapter_weighs_little_before_the_reader_scrolls(chapter, name):
    """Compressed as a server would, without the pictures, which a browser fetches when it has nothing else to do."""
    page = chapter(name).page
    paths = {Path(unquote(urlparse(url).path)) for url in page.loaded if url.startswith("file:")}
    weights = {path: len(data if path.suffix == ".woff2" else gzip.compress(data))
               for path in paths if path.suffix != ".png" for data in [path.read_bytes()]}  # fmt: skip
    own = [path for path in weights if path.parent.name in ("live", "explorers")]
    assert {f"{FIGURES[name]['module']}.js", "kit.js", "live.css"} <= {path.name for path in own}
    print(f"{name}: {sum(weights.values()):,} bytes, its live figure {sum(weights[each] for each in own):,}")
    assert sum(weights.values()) <= CHAPTER_BYTES
    assert sum(weights[each] for each in own) <= FIGURE_BYTES


def test_each_module_is_small(book):
    modules = list((book / "_static" / "live").glob("*.js"))
    assert {path.stem for path in modules} == {"live", "kit"} | {each["module"] for each in FIGURES.values()}
    assert [path.name for path in modules if path.stat().st_size > MODULE_BYTES] == []


def test_each_figure_is_on_the_page_of_its_name_and_on_no_other(book):
    holds = {path.stem: re.findall(r'data-module="(\w+)"', path.read_text(encoding="utf-8"))
             for path in book.glob("book/*.html")}  # fmt: skip
    assert {name: found for name, found in holds.items() if found} == {
        name: [each["module"]] for name, each in FIGURES.items()
    }


SMALL = {
    "conf.py": 'import sys\nsys.path.insert(0, EXT)\nextensions = ["myst_parser", "quiz", "live"]\n',
    "index.md": "# Title\n\nText.\n\n```{live} bowl\n```\n\nAt {set}`a rate of 0.19 <rate=0.19>` it creeps.\n",
    "book/live.toml": '[bowl]\nmodule = "descent"\nheight = [1, 2]\ncaption = "Let it {set}`creep<rate=0.05>` *on*."\n',
}


@pytest.fixture
def small(tmp_path):
    """A page with a live figure, built as HTML, text or LaTeX: the built text and what Sphinx said."""

    def built(builder, **changed):
        for name, text in (SMALL | changed).items():
            file = tmp_path / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text.replace("EXT", json.dumps(str(ROOT / "book" / "_ext"))), encoding="utf-8")
        out = tmp_path / builder
        command = [sys.executable, "-m", "sphinx", "-q", "-E", "-b", builder, tmp_path, out]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
        found = [path for end in ("html", "txt", "tex") for path in out.glob(f"*.{end}")]
        return "".join(path.read_text(encoding="utf-8") for path in found), said

    return built


def test_words_are_words_where_no_script_runs(small):
    text, said = small("text")
    assert "Let it creep *on*." in text and "At a rate of 0.19 it creeps." in text and said == ""
    text, said = small("latex")
    assert "At a rate of 0.19 it creeps." in text and "rate=" not in text and said == ""
    text, said = small("html")
    assert '<span class="set" data-set="rate=0.19">a rate of 0.19</span>' in text and said == ""


def test_a_figure_that_nobody_described_and_words_that_set_nothing_are_named(small):
    page = SMALL["index.md"]
    assert "'cup' is no live figure" in small("html", **{"index.md": page.replace("{live} bowl", "{live} cup")})[1]
    assert "is not `words <name=value>`" in small("html", **{"index.md": page.replace(" <rate=0.19>", "")})[1]
