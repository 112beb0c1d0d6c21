"""The explorers in a browser: their numbers are the package's, their code gives the rates that it shows, and they work
by mouse, by keys, by touch, and as pictures without scripts."""

import base64
import inspect
import random
import re
import zlib
from typing import Any

import keras
import numpy as np
import pytest
import torch

from lrcourse import schedules
from lrcourse.optimizers import SGD
from lrcourse.schedules import Schedule, warmup
from lrcourse.surfaces import Bowl, Bumpy, Ravine, Saddle, descend

PAGE = "book/explore.html"
NAMES = ("schedule", "descent", "range-test", "trainability")
DRAWS = 25  # of each kind of schedule


@pytest.fixture
def explore(open_page):
    """Opens the page of the explorers; with the name of one, scrolls to it and returns its figure."""

    def opened(name=None, fragment="", **options):
        page = open_page(PAGE, **options)
        if fragment:
            page.goto(page.url + fragment)
            page.reload()
        figure = page.locator(f"figure.explorer-{name}") if name else page
        if name:
            figure.scroll_into_view_if_needed()
        return figure

    return opened


def settings(rng):
    """Schedules of every kind, drawn at random, as plain data; lengths and rates as the sliders give them."""

    def rate(zero=True):
        return 0.0 if zero and rng.random() < 0.15 else float(f"{10 ** rng.uniform(-6, 1):.2g}")

    def steps(least=1):
        return rng.randint(least, 400)

    def factor(low=0.01, high=1.0):
        return round(rng.uniform(low, high), 2)

    def rising():
        return sorted(steps(0) for _ in range(rng.randint(0, 4)))

    def pair():
        return sorted((rate(), rate()))

    makes = {
        "Constant": lambda: {"lr": rate()},
        "Step": lambda: {"lr": rate(), "every": steps(), "gamma": factor()},
        "MultiStep": lambda: {"lr": rate(), "milestones": rising(), "gamma": factor()},
        "Exponential": lambda: {"lr": rate(), "gamma": factor(), "every": steps(), "staircase": rng.random() < 0.5},
        "Linear": lambda: {"start": rate(), "end": rate(), "steps": steps()},
        "Polynomial": lambda: {"start": rate(), "end": rate(), "steps": steps(), "power": factor(0.1, 6)},
        "Cosine": lambda: {"peak": rate(), "end": rate(), "steps": steps()},
        "Geometric": lambda: {"start": rate(zero=False), "end": rate(zero=False), "steps": steps()},
        "REX": lambda: {"peak": rate(), "end": rate(), "steps": steps(), "bend": factor(0.0, 0.95)},
        "InverseSqrt": lambda: {"peak": rate(), "timescale": steps()},
        "InverseTime": lambda: {"peak": rate(), "timescale": steps(), "power": rng.choice([1, 0.5, 0.75, 2])},
        "Cyclic": lambda: {
            **dict(zip(("base_lr", "max_lr"), pair(), strict=True)), "step_size_up": steps(), "step_size_down": steps(),
            "mode": rng.choice(["triangular", "triangular2", "exp_range"]), "gamma": factor(0.9),
        },
        "SGDR": lambda: {
            **dict(zip(("end", "peak"), pair(), strict=True)), "first": steps(), "t_mult": round(rng.uniform(1, 4), 1),
            "peak_mult": factor(0.1),
        },
        "OneCycle": lambda: {
            "max_lr": rate(), "steps": steps(40), "pct_start": factor(0.1, 0.45), "initial_lr": rate(),
            "final_lr": rate(), "phases": rng.choice([2, 3]), "anneal": rng.choice(["cos", "linear"]),
        },
        "WSD": lambda: {
            "peak": rate(zero=False), "warmup": steps(0), "stable": steps(0), "decay": steps(), "end": rate(zero=False),
            "shape": rng.choice(["linear", "cosine", "1-sqrt", "exp"]), "start": rate(),
        },
        "Piecewise": lambda: {
            "boundaries": (boundaries := rising()),
            "values": [rate() for _ in range(len(boundaries) + 1)],
        },
    }  # fmt: skip
    return [{"kind": kind, **make()} for _ in range(DRAWS) for kind, make in makes.items()]


def tabled(plain, n):
    return f"[...lrcourse.schedules.table({plain}, {n})]"


def close(given, wanted):
    np.testing.assert_allclose(np.array(given, dtype=float), wanted, rtol=1e-9, atol=1e-12)


def test_schedules_equal_the_package(explore):
    drawn = settings(random.Random(0))
    tables = explore().evaluate(f"(all) => all.map((each) => {tabled('each', 600)})", drawn)
    for plain, table in zip(drawn, tables, strict=True):
        try:
            close(table, Schedule.from_dict(plain).table(600))
        except AssertionError as error:
            raise AssertionError(f"{plain}: {error}") from None


def test_warmup_and_momentum_equal_the_package(explore):
    page, rng = explore(), random.Random(1)
    for plain in settings(rng)[:130]:
        steps, start = rng.randint(1, 100), round(rng.random(), 3)
        warmed = "lrcourse.schedules.warmup(plain, steps, start)"
        table = page.evaluate(f"([plain, steps, start]) => {tabled(warmed, 300)}", [plain, steps, start])
        close(table, warmup(Schedule.from_dict(plain), steps, start).table(300))
        if plain["kind"] == "OneCycle":
            table = page.evaluate(f"(plain) => {tabled('lrcourse.schedules.momentum(plain)', 300)}", plain)
            cycle: Any = Schedule.from_dict(plain)
            close(table, cycle.momentum().table(300))


def test_what_the_package_refuses_is_refused(explore):
    wrong: list[dict[str, Any]] = [
        {"kind": "Cyclic", "base_lr": 2, "max_lr": 1, "step_size_up": 5},
        {"kind": "SGDR", "peak": 1, "end": 2, "first": 5},
        {"kind": "WSD", "peak": 1, "warmup": 1, "stable": 1, "decay": 1, "end": 0, "shape": "exp"},
        {"kind": "Geometric", "start": 1, "end": 0, "steps": 5},
        {"kind": "OneCycle", "max_lr": 1, "steps": 100, "pct_start": 0.7, "phases": 3},
        {"kind": "MultiStep", "lr": 1, "milestones": [5, 3], "gamma": 0.1},
        {"kind": "Piecewise", "boundaries": [3], "values": [1]},
    ]
    page = explore()
    for plain in wrong:
        with pytest.raises(ValueError):
            Schedule.from_dict(plain)
        assert page.evaluate("(plain) => lrcourse.schedules.problem(plain)", plain), plain
    for plain in settings(random.Random(2)):
        assert page.evaluate("(plain) => lrcourse.schedules.problem(plain)", plain) == "", plain


def test_descent_equals_the_package(explore):
    page, rng = explore(), random.Random(3)
    surfaces: list[Any] = [Bowl(1.0, 10.0), Ravine(), Saddle(), Bumpy()]
    for surface in surfaces * 15:
        plain = {"kind": type(surface).__name__, **vars(surface)}
        start = rng.uniform(-2, 2), rng.uniform(-2, 2)
        # Above the border a rounding error grows like everything else: there 1e-9 would be asked of chaos.
        lr, momentum = rng.uniform(0, 0.08), rng.choice([0.0, rng.uniform(0, 0.95)])
        path, heights = page.evaluate("""([plain, lr, momentum, start]) => {
            const surface = lrcourse.surfaces.of(plain);
            const path = lrcourse.surfaces.descend(surface, { lr, momentum }, start, 100);
            return [path, path.map(([x, y]) => surface.f(x, y))];
        }""", [plain, lr, momentum, start])  # fmt: skip
        expected = descend(surface, SGD(lr=lr, momentum=momentum), start, 100)
        close(path, expected)
        close(heights, surface(*expected.T))


def test_the_stability_border_is_where_descent_starts_to_diverge(explore):
    page = explore()
    for momentum in (0.0, 0.3, 0.9):
        border = page.evaluate("(mu) => lrcourse.surfaces.threshold(10, mu)", momentum)
        below, above = (SGD(lr=border * k, momentum=momentum) for k in (0.99, 1.01))
        ends = [abs(descend(Bowl(1.0, 10.0), each, (0.0, 1.0), 3000)[-1][1]) for each in (below, above)]
        assert ends[0] < 1e-3 < 1e3 < ends[1]


def coded(page, rng, run=300):
    """Random settings, the rates they stand for, and the code that the explorer shows for them."""
    for plain in settings(rng):
        warm = {"steps": rng.randint(1, 50), "start": round(rng.random(), 2)} if rng.random() < 0.25 else None
        schedule = Schedule.from_dict(plain)
        setting = {"plain": plain, "run": run}
        if warm:
            setting["warm"], schedule = warm, warmup(schedule, **warm)
        elif plain["kind"] == "OneCycle" and rng.random() < 0.5:
            setting["cycled"] = {"base": 0.8, "max": 0.9}
        yield setting, schedule, page.evaluate("(each) => lrcourse.code(each)", setting)


def test_its_own_code_gives_the_schedule(explore):
    for setting, schedule, codes in coded(explore(), random.Random(4)):
        names = {}
        exec(codes["lrcourse"]["code"], names)
        close(names["schedule"].table(300), schedule.table(300))
        if "cycled" in setting:
            close(names["momentum"].table(300), schedule.momentum(0.8, 0.9).table(300))


def test_its_pytorch_code_gives_the_rates(explore):
    native = set()
    for setting, schedule, codes in coded(explore(), random.Random(5)):
        code = codes["PyTorch"]["code"]
        names: dict[str, Any] = {"model": torch.nn.Linear(1, 1)}
        exec(code, names)
        optimizer, rates, momenta = names["optimizer"], [], []
        for _ in range(setting["run"]):
            rates.append(optimizer.param_groups[0]["lr"])
            momenta.append(optimizer.param_groups[0]["momentum"])
            optimizer.step()
            if "scheduler" in names:
                names["scheduler"].step()
        try:
            close(rates, schedule.table(setting["run"]))
        except AssertionError as error:
            raise AssertionError(f"{setting}\n{code}\n{error}") from None
        if "cycled" in setting and "OneCycleLR" in code:
            close(momenta, schedule.momentum(0.8, 0.9).table(setting["run"]))
        assert ("LambdaLR" in code) == bool(codes["PyTorch"]["note"])
        native |= set(re.findall(r"import (\w+LR|CosineAnnealingWarmRestarts)", code))
    assert native >= {
        "StepLR", "MultiStepLR", "ExponentialLR", "LinearLR", "PolynomialLR", "CosineAnnealingLR", "CyclicLR",
        "OneCycleLR", "LambdaLR",
    }  # fmt: skip


def test_its_keras_code_gives_the_rates(explore):
    steps = [0, 1, 2, 17, 100, 101, 250, 299]
    native = set()
    for setting, schedule, codes in coded(explore(), random.Random(6)):
        names = {}
        code = codes["Keras"]["code"]
        exec(code, names)
        if "callback" in names:
            close(names["callback"].schedule.table(300), schedule.table(300))
            continue
        rate = names.get("rate") or (lambda _, fixed=names["optimizer"].learning_rate: fixed)
        given = [float(keras.ops.convert_to_numpy(rate(step))) for step in steps]
        try:
            np.testing.assert_allclose(given, schedule(steps), rtol=2e-5, atol=1e-6 * max(schedule.table(300)) + 1e-12)
        except AssertionError as error:
            raise AssertionError(f"{setting}\n{code}\n{error}") from None
        native |= set(re.findall(r"schedules\.(\w+)\(", code))
    assert native >= {
        "ExponentialDecay", "PolynomialDecay", "CosineDecay", "PiecewiseConstantDecay", "InverseTimeDecay",
    }  # fmt: skip


def test_the_schedule_explorer_offers_every_schedule(explore):
    figure = explore("schedule")
    offered = set(figure.get_by_label("Schedule", exact=True).locator("option").all_inner_texts())
    composed = {"Sum", "Difference", "Product", "Maximum", "Minimum", "Then", "Clip", "Shift", "Stretch", "Lambda",
                "BatchSchedule"}  # fmt: skip
    kinds = {each.__name__ for each in map(schedules.__dict__.get, schedules.__all__)
             if isinstance(each, type) and issubclass(each, Schedule)}  # fmt: skip
    assert offered == kinds - composed - {"Schedule"}
    for name in sorted(offered):
        figure.get_by_label("Schedule", exact=True).select_option(name)
        assert figure.locator(".complaint").inner_text() == ""
        assert f"schedule = {name}(" in figure.locator("code").inner_text()


def test_a_schedule_by_mouse(explore):
    figure = explore("schedule")
    before = figure.locator(".line-0").get_attribute("d")
    slider = figure.get_by_label("peak").first
    box = slider.bounding_box()
    figure.page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    assert figure.locator(".line-0").get_attribute("d") == before, "the axis follows the peak"
    assert "mean rate 0.05" not in figure.locator(".readout").inner_text()
    plot = figure.locator(".plot").bounding_box()
    figure.page.mouse.click(plot["x"] + 0.75 * plot["width"], plot["y"] + plot["height"] / 2)
    at = int(re.findall(r"At the mark: update (\d+)", figure.locator(".readout").inner_text())[0])
    assert 650 < at < 850
    figure.get_by_role("tab", name="PyTorch").click()
    assert "CosineAnnealingLR" in figure.locator("code").inner_text()


def test_a_schedule_by_keys_and_its_link(explore):
    figure = explore("schedule")
    keyboard = figure.page.keyboard
    figure.get_by_label("Schedule", exact=True).focus()
    keyboard.type("OneC")
    figure.get_by_label("max_lr").last.fill("0.5")
    keyboard.press("Tab")
    assert "highest 0.5" in figure.locator(".readout").inner_text()
    handle = figure.get_by_role("slider", name="Update to read")
    handle.focus()
    before = handle.get_attribute("aria-valuetext")
    keyboard.press("ArrowRight")
    assert handle.get_attribute("aria-valuetext") != before
    figure.get_by_role("tab", name="lrcourse").focus()
    keyboard.press("ArrowLeft")
    assert figure.get_by_role("tab", name="Keras").get_attribute("aria-selected") == "true"
    figure.page.wait_for_function("document.querySelector('.explorer .spoken').textContent.includes('highest 0.5')")
    link = figure.locator(".settings-link").get_attribute("href")
    again = explore("schedule", fragment=link)
    assert "highest 0.5" in again.locator(".readout").inner_text()
    assert "OneCycle" in again.locator("code").inner_text()


def test_a_wrong_number_is_named(explore):
    figure = explore("schedule")
    figure.get_by_label("Schedule", exact=True).select_option("Piecewise")
    figure.get_by_label("values").fill("0.1, 0.2")
    assert "values must be 3 rates" in figure.locator(".complaint").inner_text()


def test_descent_by_mouse_and_keys(explore):
    figure = explore("descent")
    readout = figure.locator(".readout")
    figure.get_by_label("Surface", exact=True).select_option("bowl")
    figure.get_by_label("learning rate η").last.fill("0.201")
    assert "above the border" in readout.inner_text()
    figure.get_by_label("momentum μ").last.fill("0.1")
    assert "below the border 2(1\u00a0+\u00a0μ)/L = 0.22" in readout.inner_text()
    point = figure.get_by_role("slider", name="Rate and momentum")
    point.focus()
    figure.page.keyboard.press("ArrowRight")
    assert figure.get_by_label("learning rate η").last.input_value() != "0.201"
    start = figure.get_by_role("slider", name="Start")
    before = figure.locator(".line-1").first.get_attribute("d")
    box = start.bounding_box()
    mouse = figure.page.mouse
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(box["x"] + 90, box["y"] + 60, steps=3)
    mouse.up()
    assert figure.locator(".line-1").first.get_attribute("d") != before


def test_descent_plays_step_by_step_unless_motion_is_unwelcome(explore):
    for motion, moves in (("no-preference", True), ("reduce", False)):
        figure = explore("descent", reduced_motion=motion)
        figure.get_by_role("button", name="Play").click()
        figure.page.wait_for_timeout(400)
        assert (figure.locator(".dot-1").count() < 60) == moves


def test_a_range_test_by_mouse_and_keys(explore):
    figure = explore("range-test")
    readout = figure.locator(".readout")
    assert "steepest" not in readout.inner_text()
    plot = figure.locator(".plot").first.bounding_box()
    figure.page.mouse.click(plot["x"] + plot["width"] * 0.7, plot["y"] + 80)
    marked = readout.inner_text()
    handle = figure.get_by_role("slider", name="Your rate")
    handle.focus()
    figure.page.keyboard.press("ArrowLeft")
    assert readout.inner_text() != marked
    figure.get_by_label("show the answers").check()
    assert "steepest 0.19" in readout.inner_text()
    assert "test loss" in readout.inner_text()
    figure.get_by_label("Range test", exact=True).select_option("starts too late")
    figure.get_by_label("show the answers").check()
    assert "no answer" in readout.inner_text()


def rate_of(figure):
    return float(re.findall(r"Rate ([\d.]+)", figure.locator(".readout").inner_text())[0])


def test_the_map_by_mouse_and_keys(explore):
    figure = explore("trainability")
    figure.get_by_role("slider").wait_for()
    before = rate_of(figure)
    plot = figure.locator(".plot").bounding_box()
    mouse = figure.page.mouse
    mouse.click(plot["x"] + plot["width"] * 0.95, plot["y"] + 60)
    assert rate_of(figure) > before
    assert "diverged at step" in figure.locator(".readout").inner_text()
    figure.get_by_role("button", name="zoom 2", exact=True).click()
    assert 1.2 < rate_of(figure) < 1.3
    assert "Recorded: zoom" in figure.locator(".readout").inner_text()
    near = rate_of(figure)
    figure.get_by_role("slider").focus()
    figure.page.keyboard.press("ArrowRight")
    assert 0 < rate_of(figure) - near < 0.005
    figure.page.keyboard.press("-")
    mouse.move(plot["x"] + 300, plot["y"] + 150)
    edge = figure.locator(".plot text").first.text_content(), figure.locator(".frame").first.get_attribute("x")
    mouse.down()
    mouse.move(plot["x"] + 400, plot["y"] + 150, steps=4)
    mouse.up()
    assert figure.locator(".frame").first.get_attribute("x") != edge[1]


def test_the_map_says_what_was_recorded(explore):
    from lrcourse.course.experiments.trainability import TILES

    figure = explore("trainability")
    figure.get_by_role("slider").wait_for()
    assert re.search(r"momentum [\d.]+.* at the end [\d.]+", figure.locator(".readout").inner_text())
    assert len(TILES) == figure.get_by_role("button", name=re.compile("whole|zoom \\d")).count()


def test_the_page_is_right_about_schedules(explore):
    """What explore.md says can be seen there: here and in the next three tests, sentence by sentence."""
    figure = explore("schedule")
    assert "mean rate 0.05005" in figure.locator(".readout").inner_text()
    falls = [
        {"kind": "Cosine", "peak": 0.1, "end": 0, "steps": 1000},
        {"kind": "Linear", "start": 0.1, "end": 0, "steps": 1000},
    ]
    cosine, line = np.array([figure.page.evaluate(f"(each) => {tabled('each', 1000)}", plain) for plain in falls])
    assert cosine.mean() == pytest.approx(line.mean()) == pytest.approx(0.05005)
    assert (cosine / line)[[800, 950]] == pytest.approx([1 / 2, 1 / 8], rel=0.05)
    figure.get_by_label("Schedule", exact=True).select_option("OneCycle")
    figure.get_by_label("phases").select_option("3")
    assert "First 0.004" in figure.locator(".readout").inner_text()
    figure.get_by_label("final_lr").last.fill("4e-7")
    assert "last 4e−7" in figure.locator(".readout").inner_text()
    theirs = inspect.signature(torch.optim.lr_scheduler.OneCycleLR).parameters
    first = 0.1 / theirs["div_factor"].default
    assert (first, first / theirs["final_div_factor"].default) == pytest.approx((0.004, 4e-7))


def test_the_page_is_right_about_descent(explore):
    figure = explore("descent")

    def end(surface, lr, momentum=0.0, steps=300):
        figure.get_by_label("Surface", exact=True).select_option(surface)
        for label, value in {"learning rate η": lr, "momentum μ": momentum, "steps": steps}.items():
            figure.get_by_label(label).last.fill(str(value))
        said = figure.locator(".readout").inner_text().replace("−", "-")
        x, y = re.findall(r"x ([^,]+), y ([^,]+),", said)[0]
        return float(x), float(y)

    assert abs(end("bowl", 0.199)[1]) < 0.1 and abs(end("bowl", 0.201)[1]) > 1.4
    assert abs(end("bowl", 0.201, 0.1)[1]) < 1e-6
    assert abs(end("ravine", 0.08, 0.9, 60)[0]) < abs(end("ravine", 0.08, 0.0, 60)[0]) / 3
    next_dip = end("bumpy", 0.03)
    assert next_dip == end("bumpy", 0.03, steps=299) and 1.5 < next_dip[0] < 2.5 and 0.5 < next_dip[1] < 1.5
    bounces = [end("bumpy", 0.2, steps=steps) for steps in (299, 300)]
    assert bounces[0] != bounces[1] and all(1.5 < x < 2.5 and 0.5 < y < 1.5 for x, y in bounces)
    assert max(map(abs, end("bumpy", 0.3))) < 0.5
    assert abs(end("saddle", 0.2)[1]) == pytest.approx(1)
    figure.get_by_role("slider", name="Start").focus()
    for _ in range(3):  # a pixel each: the start passes the ridge and is set upon it
        if end("saddle", 0.2)[1] == 0:
            break
        figure.get_by_role("slider", name="Start").press("Shift+ArrowDown")
    assert figure.get_by_role("slider", name="Start").get_attribute("aria-valuetext").endswith("y 0")


def test_the_page_is_right_about_range_tests(explore):
    runs = explore().evaluate("lrcourse.records.range_tests.runs")

    def first(name):
        return next(run["results"] for run in runs if run["name"] == name)

    def trained(name):
        losses = [run["results"]["trained"] for run in runs if run["name"] == name]
        return np.mean([[np.inf if loss is None else loss for loss in each] for each in losses], axis=0)

    sgd, losses = first("SGD"), trained("SGD")
    nearest = np.argmin(np.abs(np.log(np.array(sgd["rates"]) / sgd["minimum"])))
    assert nearest == losses.argmin() and 2.8 < losses[nearest + 1] / losses[nearest] < 3.8
    for name in ("starts too late", "ends too early"):
        assert [first(name)[rule] for rule in ("steepest", "valley", "minimum")] == [None, None, None]
    head = first("head too large")
    assert head["rates"][trained("head too large").argmin()] > 10 * head["steepest"]
    assert len({run["name"] for run in runs}) == 6


def test_the_page_is_right_about_the_map(explore):
    from lrcourse.course.experiments.trainability import DIVERGED

    runs = {run["name"]: run["results"] for run in explore().evaluate("lrcourse.records.trainability.runs")}

    def codes(tile):
        return np.frombuffer(zlib.decompress(base64.b64decode(tile["codes"])), "<u2").reshape(tile["pixels"], -1)

    def trains(tile):
        return codes(tile) < min(DIVERGED, 1000 * (12 + np.log10(tile["first loss"])))

    whole = codes(runs["whole"])
    third = runs["whole"]["pixels"] // 3
    assert trains(runs["whole"])[:, :third].all()
    left_after = np.where(whole >= DIVERGED, whole.astype(int) - DIVERGED, 0)
    assert 0 < np.median(left_after[:, -10:]) < 10 and left_after.max() > 150
    deep = runs["zoom 3"]
    step = (deep["lr to"] / deep["lr from"]) ** (1 / (deep["pixels"] - 1)) - 1
    assert step < 1e-3 and (np.diff(trains(deep), axis=1) != 0).mean() > 0.05


def test_no_two_ticks_say_the_same(explore):
    figure = explore("trainability")
    for name in ("whole", "zoom 2", "zoom 4"):
        figure.get_by_role("button", name=name, exact=True).click()
        ticks = figure.locator(".plot text:not(.label)").all_text_contents()
        assert len(ticks) > 6
        halves = [text for text in ticks if float(text) >= 1.1], [text for text in ticks if float(text) < 1]
        assert all(len(set(half)) == len(half) for half in halves), ticks


@pytest.mark.parametrize("name", NAMES)
def test_an_explorer_by_touch(explore, name):
    figure = explore(name, width=390, has_touch=True, is_mobile=True)
    figure.get_by_role("slider").last.wait_for()
    before = figure.locator(".readout").inner_text()
    plot = figure.locator(".plot").last if name == "descent" else figure.locator(".plot").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    figure.page.touchscreen.tap(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.3)
    assert figure.locator(".readout").inner_text() != before


@pytest.mark.parametrize("name", NAMES)
def test_without_scripts_a_picture_stands_there(explore, name):
    figure = explore(name, scripts=False)
    assert figure.locator("img").is_visible()
    assert len(figure.locator("img").get_attribute("alt").split()) > 5
    assert figure.locator(".explorer").count() == 0


def test_print_shows_the_pictures(explore):
    page = explore()
    page.emulate_media(media="print")
    for name in NAMES:
        assert page.locator(f"figure.explorer-{name} img").is_visible()
    assert page.locator(".explorer:visible").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_is_accessible(explore, violations, scheme):
    page = explore(scheme=scheme)
    page.get_by_label("Schedule", exact=True).select_option("OneCycle")
    page.get_by_label("warm-up in front").check()
    page.get_by_role("tab", name="Keras").click()
    page.get_by_label("show the answers").check()
    page.get_by_label("Surface", exact=True).select_option("saddle")
    assert violations(page) == []


@pytest.mark.parametrize("width", [320, 390])
def test_no_explorer_is_wider_than_a_phone(explore, width):
    page = explore(width=width)
    page.get_by_label("Schedule", exact=True).select_option("OneCycle")
    page.get_by_role("tab", name="PyTorch").click()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_scripts_are_small_and_on_pages_that_need_them_alone(book, request):
    scripts = list((book / "_static" / "explorers").glob("*.js"))
    assert 20_000 < sum(file.stat().st_size for file in scripts) < 60_000
    pages = {path.name: path.read_text(encoding="utf-8") for path in book.glob("book/*.html")}
    chapters = (request.config.rootpath / "book").glob("*.ipynb")
    live = {f"{path.stem}.html" for path in chapters if "{live}" in path.read_text(encoding="utf-8")}
    drawn = {"explore.html", "own-run.html", "train.html"} | live
    assert {name for name, html in pages.items() if "explorers/plot.js" in html} == drawn
