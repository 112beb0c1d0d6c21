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

import nbformat
import numpy as np
import pytest
from scipy.optimize import least_squares

from lrcourse import records
from lrcourse.carrying import carry_decay, carry_rate
from lrcourse.optimizers import SGD, Adam, Lion, Muon, RMSprop
from lrcourse.schedules import WSD, Constant, Cosine, Linear, Plateau, Schedule, warmup
from lrcourse.space import Space, Uniform
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


def mean_losses(table, noise, start=10.0):
    """The mean of θ²/2 from the start where each gradient is θ plus noise."""
    squares = [start**2]
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


class Product:
    """Two weights whose product is to be 1: (uv - 1)²/2, with some noise in the target of each step."""

    minimum = (1.0, 1.0)

    def __init__(self, targets):
        self.targets = iter(targets)

    def __call__(self, u, v):
        return (u * v - 1) ** 2 / 2

    def gradient(self, u, v):
        return (u * v - next(self.targets)) * np.array([v, u])


def test_descents_at_the_edge_equal_the_package(chapter):
    figure, rng = chapter("stability"), np.random.default_rng(7)
    targets = 1 + 0.02 * np.array(figure.evaluate("() => lrcourse.normals(1, 75)")).ravel()
    for warm in (0, 1, 30, 100):
        rates, start = rng.uniform(0.05, 0.4, 2), rng.uniform(1.0, 2.6)
        s = {"rate": rates[0], "rate2": rates[1], "warm": 0, "warm2": warm, "start": start}
        for run, rate, steps in zip(values(figure, s), rates, (0, warm), strict=True):
            schedule = warmup(Constant(rate), steps) if steps else Constant(rate)
            path = descend(Product(targets), SGD(lr=schedule), (start, 0.0), 150)
            u, v = path.T
            hessians = np.array([[v**2, 2 * u * v - 1], [2 * u * v - 1, u**2]]).transpose(2, 0, 1)
            close(run["rates"], schedule.table(150))
            close(run["path"], path)
            close(run["sharpness"], np.linalg.eigvalsh(hessians)[:, -1])
            np.testing.assert_allclose(run["losses"], Product([])(u, v), rtol=1e-6, atol=1e-12)


def averaged_descents(rates, length, kicks):
    """Weights of noisy descents from 10, a column each, and their averages: the newest counts for (1-d)/(1-d^n)."""
    keep, weight, average = 1 - 1 / length, np.full(kicks.shape[1], 10.0), np.zeros(kicks.shape[1])
    for n, (rate, kick) in enumerate(zip(rates, kicks, strict=True), 1):
        weight = weight - rate * (weight + kick)
        average = average + (1 - keep) / (1 - keep**n) * (weight - average)
        yield weight, average


def test_averages_equal_the_formula_of_the_chapter_and_their_losses_the_mean_of_many(chapter):
    figure, rng = chapter("averaging"), np.random.default_rng(8)
    kicks = np.array(figure.evaluate("() => lrcourse.normals(5, 200)")).reshape(400, 1)
    s = {"rate": 0.2, "rate2": 0.1, "curve": "constant", "curve2": "line to zero", "length": 40, "length2": 7.5}
    runs = values(figure, {**s, "draw": 5})
    for run, schedule, length in zip(runs, (Constant(0.2), Linear(0.1, 0.0, 400)), (40, 7.5), strict=True):
        rates = schedule.table(400)
        close(run["path"], [[w[0], a[0]] for w, a in averaged_descents(rates, length, kicks)])
        close([weight for weight, _ in run["losses"]], mean_losses(rates, 1)[1:])
        many = averaged_descents(rates, length, rng.normal(size=(400, 20_000)))
        means = np.array([np.mean(average**2) / 2 for _, average in many])
        np.testing.assert_allclose([average for _, average in run["losses"]], means, rtol=0.06)


def test_sgd_adam_and_muon_on_a_matrix_equal_the_package(chapter):
    figure, rng, target = chapter("after-adam"), np.random.default_rng(9), np.array([[1.2, 0.5], [-0.4, 0.9]])
    makers: dict[str, Any] = {"SGD": SGD, "Adam": Adam, "Muon": lambda lr: Muon(lr=lr, weight_decay=0.0)}
    for methods in (("Adam", "Muon"), ("Muon", "SGD"), ("SGD", "Adam")):
        rates, degrees, spread = rng.uniform(0.01, 0.5, 2), rng.uniform(0, 90), rng.uniform(1, 30)
        s = {"method": methods[0], "method2": methods[1], "rate": rates[0], "rate2": rates[1]}
        runs = values(figure, {**s, "turn": degrees, "spread": spread})
        c, d = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        inputs = np.array([[c, -d], [d, c]]) @ np.diag([1, spread**-2]) @ np.array([[c, d], [-d, c]])
        for run, method, rate in zip(runs, methods, rates, strict=True):
            optimizer, weights = makers[method](lr=1.0), np.zeros((2, 2))
            for each, now in enumerate(Linear(rate, 0.0, 100).table(100)):  # step by step: Muon magnifies a last digit
                miss, gradient = weights - target, np.reshape(run["gradients"][each], (2, 2))
                close(gradient, miss @ inputs)
                close(run["losses"][each], np.trace(miss @ inputs @ miss.T) / 2)
                step = -optimizer.step(np.zeros((2, 2)), gradient)
                close(run["steps"][each], step.ravel())
                weights = weights - now * np.reshape(run["steps"][each], (2, 2))


def test_trials_are_the_packages_and_scored_by_how_near_they_are(chapter):
    figure, square = chapter("search"), Space({"x": Uniform(0.0, 1.0), "y": Uniform(0.0, 1.0)})
    base = {"search": "grid", "matter": 0.3, "x": 0.7, "y": 0.4}
    for n in (4, 9, 16, 25):
        for draw in (1, 5):
            for kind in ("random", "quasi-random"):
                found = values(figure, base | {"search2": kind, "trials": n, "draw": draw})
                drawn = square.random(n, draw - 1) if kind == "random" else square.quasi_random(n, draw - 1)
                trials = square.grid(int(n**0.5)), drawn
                for run, settings, rounded in zip(found, trials, (1e-9, 6e-4), strict=True):
                    points = np.array([list(each.values()) for each in settings])
                    np.testing.assert_allclose(run["points"], points, atol=rounded)
                    x, y = np.array(run["points"]).T
                    scores = np.exp(-24 * ((x - 0.7) ** 2 + 0.09 * (y - 0.4) ** 2))
                    close(run["scores"], scores)
                    close(run["best"], np.maximum.accumulate(scores))


def test_carried_rates_and_decays_equal_the_package(chapter):
    figure, rng = chapter("carrying-over"), np.random.default_rng(10)
    for name in FIGURES["carrying-over"]["given"]:
        what, rule = name.split(", ")
        for noise in (0, 64.0):
            factor, rate, batch = rng.choice([0.5, 0.25, 3.0, 4.0]), rng.uniform(1e-4, 0.1), 32.0
            size: Any = {what: (batch, batch * factor)}
            carried = carry_rate(
                rate, "sgd" if rule == "SGD" else "adam", mup=rule == "muP", noise_scale=noise or None, **size
            )
            s = {"size": name, "size2": name, "rate": rate, "noise": noise, "batch": batch, "factor": factor}
            here = values(figure, s)[0]["here"]
            np.testing.assert_allclose(here["rates"], [carried.low, carried.mean, carried.high], rtol=1e-6)
            updates = {"length": factor, "batch": 1 / factor}.get(what, 1.0)
            if rule != "SGD":
                decay = carry_decay(0.1, lr=(rate, carried.mean), updates=(1, updates))
                assert here["decay"] == pytest.approx(decay, rel=1e-6)


def test_the_law_is_the_one_that_its_chapter_fits(chapter):
    cells = {cell.id: cell.source for cell in nbformat.read(ROOT / "book" / "language-models.ipynb", 4).cells}
    runs = records.read("language_models", "small").runs
    names: dict[str, Any] = {"np": np, "json": json, "least_squares": least_squares, "WSD": WSD, "Constant": Constant}
    names |= {"Cosine": Cosine, "Linear": Linear, "warmup": warmup}
    names["found"] = {run["name"].partition(",")[0]: run["results"] for run in runs}
    for cell in ("scratch-law", "plans", "curves", "fit"):
        exec(cells[cell], names)
    given = FIGURES["language-models"]["given"]
    p = np.log(list(given["law"].values()))
    np.testing.assert_allclose(p, names["fit"](("constant", "cosine", "WSD"), np.arange(12)), atol=2e-3)
    figure = chapter("language-models")
    ends = {"a.end": 0.0, "b.end": 0.1}
    s = {"a.from": 160, "a.shape": "1-sqrt", "b.from": 20, "b.shape": "cosine"}
    for run, name in zip(values(figure, s | ends), ("WSD", "cosine to a tenth"), strict=True):
        close(run["rates"], names["rates"][name])
        close(run["losses"], names["law"](p, names["rates"][name], np.arange(1, 201)))


RACERS: dict[str, Any] = {
    "SGD": SGD, "momentum": lambda lr: SGD(lr=lr, momentum=0.9), "RMSprop": RMSprop, "Adam": Adam, "Lion": Lion,
}  # fmt: skip


def raced(optimizer, steps, noise, steep, kicks):
    """The mean loss of ten weights from 1 in noisy bowls, before each update and after the last."""
    curvatures, weights = float(steep) ** (-np.arange(10) / 9), np.ones(10)
    losses = [np.mean(curvatures * weights**2) / 2]
    for kick in kicks[: 10 * steps].reshape(steps, 10):
        weights = optimizer.step(weights, curvatures * weights + noise * kick)
        losses.append(np.mean(curvatures * weights**2) / 2)
    return np.array(losses)


def kicks_of(figure, n):
    return np.array(figure.evaluate("(_, n) => lrcourse.normals(1, n / 2)", n)).ravel()


def test_methods_under_schedules_equal_the_package(chapter):
    figure, rng = chapter("adaptive-and-schedules"), np.random.default_rng(11)
    curves: Any = {"constant": Constant, "cosine": lambda lr: Cosine(lr, 0.0, 300),
                   "line to zero": lambda lr: Linear(lr, 0.0, 300)}  # fmt: skip
    kicks = kicks_of(figure, 3000)
    for (a, b), curve in zip([("Adam", "SGD"), ("Lion", "momentum"), ("RMSprop", "Adam")], curves, strict=True):
        rate, steep = rng.uniform(0.001, 0.1), rng.uniform(1, 100)
        s = {"a.method": a, "b.method": b, "noise": 0.4, "steep": steep}
        s |= {f"{run}.{key}": value for run in "ab" for key, value in {"curve": curve, "rate": rate}.items()}
        for run, method in zip(values(figure, s), (a, b), strict=True):
            close(run["rates"], curves[curve](rate).table(300))
            wanted = raced(RACERS[method](lr=curves[curve](rate)), 300, 0.4, steep, kicks)
            np.testing.assert_allclose(run["losses"], wanted, rtol=1e-9, atol=1e-12)


def ends_equal(run, wanted):
    """A run's curve at its best rate, and what it ends with: the mean of the last tenth."""
    close(run["losses"], wanted)
    assert run["ends"][run["best"]] == pytest.approx(np.mean(wanted[-int(np.ceil(len(wanted) / 10)) :]))
    assert run["ends"][run["best"]] == min(each for each in run["ends"] if each is not None)


def test_sweeps_of_methods_equal_the_package(chapter):
    figure, kicks = chapter("comparison"), None
    for a, b in (("Adam", "SGD"), ("RMSprop", "momentum"), ("Lion", "Lion")):
        kicks = kicks_of(figure, 600)
        s = {"a.method": a, "b.method": b, "steps": 60, "noise": 0.2, "steep": 7}
        for run, method in zip(values(figure, s), (a, b), strict=True):
            close(run["rates"], np.geomspace(1e-4, 10, 31))
            ends_equal(run, raced(RACERS[method](lr=run["rates"][run["best"]]), 60, 0.2, 7, kicks))


def test_sweeps_of_momenta_see_each_example_once_and_equal_the_package(chapter):
    figure = chapter("recipe")
    kicks = kicks_of(figure, 2560)
    s = {
        "a.momentum": 0.5,
        "b.momentum": 0.95,
        "a.batch": 8,
        "b.batch": 64,
        "axis": "that / batch",
        "noise": 1,
        "steep": 30,
    }
    for run, momentum, batch in zip(values(figure, s), (0.5, 0.95), (8, 64), strict=True):
        optimizer = SGD(lr=run["rates"][run["best"]], momentum=momentum)
        ends_equal(run, raced(optimizer, 2048 // batch, batch**-0.5, 30, kicks))
        assert run["scale"] == pytest.approx(1 / (1 - momentum) / batch)


def test_sweeps_of_widths_equal_the_package(chapter):
    figure = chapter("scale")
    for mup in (False, True):
        s = {"a.width": 16, "b.width": 128, "mup": mup, "steps": 20}
        for run, width in zip(values(figure, s), (16, 128), strict=True):
            u, v, losses = kicks_of(figure, 2 * width).reshape(width, 2), np.zeros(width), []
            readout = SGD(lr=run["rates"][run["best"]] * (16 / width if mup else 1))
            for _ in range(21):
                miss = np.array([1, 0.03]) * (v @ u - 1)
                losses.append(miss @ (v @ u - 1) / 2)
                v = readout.step(v, u @ miss)
            ends_equal(run, np.array(losses))


def test_cuts_at_a_plateau_equal_the_package(chapter):
    figure, rng = chapter("keras-callbacks"), np.random.default_rng(12)
    for draw in range(1, 8):
        rate, factor, patience = rng.uniform(0.05, 1.0), rng.uniform(0.1, 0.9), int(rng.integers(1, 6))
        s = {"every": 7, "patience": patience, "factor": factor, "noise": 0.3, "draw": draw, "rate": rate}
        planned, watched = values(figure, s)
        close(planned["rates"], rate * factor ** (np.arange(40) // 7))
        blur = np.array(figure.evaluate("(_, draw) => lrcourse.normals(draw, 20)", draw)).ravel()
        for run in (planned, watched):
            close(run["losses"], mean_losses(np.repeat(run["rates"], 5), 1)[5::5])
            close(run["seen"], np.array(run["losses"]) * np.exp(0.3 * blur))
        plateau = Plateau(lr=rate, factor=factor, patience=patience, threshold=0)
        close(watched["rates"], [rate, *[plateau.update(each) for each in watched["seen"]][:-1]])
        assert watched["cuts"] == np.sum(np.diff(watched["rates"]) < 0) > 0


def test_learning_and_forgetting_are_the_means_of_many_fine_tunings(chapter):
    figure, rng = chapter("fine-tuning"), np.random.default_rng(13)
    s = {"rate": 0.1, "rate2": 0.3, "share": 1, "share2": 0.05, "noise": 0.5, "apart": 0.4}
    for run, rate, share in zip(values(figure, s), (0.1, 0.3), (1, 0.05), strict=True):
        table = Linear(rate, 0.0, 200).table(200)
        head, backbone = np.zeros(20_000), np.zeros(20_000)
        assert run["old"][0] == pytest.approx(0, abs=1e-12) and run["fresh"][0] == pytest.approx(4.5 + 20 * 0.08)
        for t, each in enumerate(table, 1):
            head -= each * (head - 3 + 0.5 * rng.normal(size=head.size))
            backbone -= share * each * (backbone - 0.4 + 0.5 * rng.normal(size=head.size))
            if t in (10, 60, 200):
                new = np.mean((head - 3) ** 2) / 2 + 20 * np.mean((backbone - 0.4) ** 2) / 2
                assert run["fresh"][t] == pytest.approx(new, rel=0.05)
                assert run["old"][t] == pytest.approx(20 * np.mean(backbone**2) / 2, rel=0.05)
        exact = mean_losses(table, 0.5, 3.0) + 20 * mean_losses(share * table, 0.5, 0.4)
        close(run["fresh"], exact)


FOLLOW = """async (figure) => {
    const place = figure.querySelector(".live-place");
    const followed = [];
    for (const link of document.querySelectorAll("a.set")) {
        link.click();
        await new Promise(requestAnimationFrame);
        const height = place.offsetHeight;
        place.style.minHeight = 0;
        const natural = place.offsetHeight;
        place.style.minHeight = "";
        const kept = parseFloat(getComputedStyle(place).minHeight);
        followed.push([link.dataset.set, figure.settings(), height, natural, kept]);
    }
    return followed;
}"""


@each_chapter
def test_words_set_the_figure_and_nothing_below_it_moves(chapter, name):
    figure = chapter(name, width=1280)
    page = figure.page
    links = page.locator("a.set").count()
    assert links > 1
    for width in (1280, 800, 600, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(100)
        followed = figure.evaluate(FOLLOW)
        assert len(followed) == links
        for query, settings, _, natural, kept in followed:
            for part in query.split("&"):
                key, value = part.split("=")
                assert str(settings[key]).lower() == value.lower(), query
            assert natural <= kept < natural + 130, (width, query)
        assert len({height for _, _, height, _, _ in followed}) == 1
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


FAR = """
const far = new CSSStyleSheet();
far.replaceSync("article { padding-top: 4000px !important; }");
document.adoptedStyleSheets = [far];
"""


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
    shared = {"live", "kit", "noise", "race", "rules"}
    assert {path.stem for path in modules} == shared | {each["module"] for each in FIGURES.values()}
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
