"""The rules in the page of one's own run find in a log what `lrcourse audit` finds: the same rows, faults, steps and
words, in wirings of every kind, in every format, and in logs at random."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lrcourse import Cosine, Schedule, parse_schedule
from lrcourse.audit import Audit, read_log
from lrcourse.audit.live import report
from lrcourse.audit.logs import precision
from tests import test_audit_logs
from tests.every_schedule import every_schedule

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import fault_runs  # noqa: E402
import own_run  # noqa: E402

STATIC = ROOT / "book" / "_static"
MODULES = ("explorers/schedules.js", *(f"own-run/{name}" for name in own_run.SCRIPTS if name != "own-run.js"))
N = 60
# Reads the files and reports, all in one go: what the page does a slice at a time.
SAID = """([files, columns, schedule, steps]) => {
    const { audit } = lrcourse;
    const done = (work) => { for (;;) { const { done, value } = work.next(); if (done) return value; } };
    try {
        const rows = done(audit.read(files, columns));
        const plain = typeof schedule === "string" ? audit.parsed(schedule) : schedule;
        const rate = plain ? audit.rateOf(plain) : undefined;
        const meant = { rate, steps: steps ?? undefined, tolerance: audit.precision(rows) };
        const { about, findings } = done(audit.report(rows, meant));
        const text = (value) => value === undefined ? "" : audit.general(value, 17);
        return {
            rows: rows.step.map((step, i) => [step, rows.rate[i], text(rows.loss[i]), text(rows.momentum[i])]),
            about,
            findings: findings.map((each) => [each.name, each.kind, each.seen, each.step ?? null, each.rate ?? null]),
        };
    } catch (error) {
        if (error instanceof audit.Refused) return { refused: error.message };
        throw error;
    }
}"""


@pytest.fixture(scope="module")
def scripts(chromium):
    """A page with the scripts of the rules, and nothing else."""
    page = chromium.new_page()
    page.evaluate(f"window.lrcourse = {{ audit: {json.dumps(own_run.data())} }}")
    for name in MODULES:
        page.add_script_tag(path=STATIC / name)
    yield page
    page.close()


@pytest.fixture
def same(scripts, tmp_path):
    """Asserts that page and package say the same of files; returns what they say, None where both refuse."""

    def asked(files, schedule=None, steps=None, columns=None):
        given = [{"name": name, "text": text} for name, text in files.items()]
        plain = schedule.to_dict() if isinstance(schedule, Schedule) else schedule
        here = scripts.evaluate(SAID, [given, columns or {}, plain, steps])
        for name, text in files.items():
            (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        there = by_package([tmp_path / name for name in files], schedule, steps, columns or {})
        assert ("refused" in here) == (there is None), (here, there)
        if there is not None:
            assert here == there
        return there

    return asked


def by_package(paths, schedule, steps, columns):
    try:
        rows = read_log(*paths, **columns)
        if schedule is not None and "step" not in columns and rows.unit == "epoch":
            return None  # as the command does
        told = parse_schedule(schedule) if isinstance(schedule, str) else schedule
        meant = Audit(told, steps, tolerance=precision(rows)).meant
    except (ValueError, OverflowError):
        return None
    meant.counts = False
    found = report(rows, meant)
    text = lambda value: "" if value is None else format(value, ".17g")  # noqa: E731
    return {
        "rows": [
            [step, list(rate), text(loss), text(momentum[0] if momentum else None)]
            for step, rate, loss, momentum in zip(rows.step, rows.rate, rows.loss, rows.momentum, strict=True)
        ],
        "about": found.about,
        "findings": [[each.name, each.kind, each.seen, each.step, each.rate] for each in found],
    }


def names(said):
    return [(kind, name) for name, kind, *_ in said["findings"]]


def as_csv(rates, losses=None, steps=None, form=repr):
    rows = zip(steps or range(len(rates)), rates, losses or [""] * len(rates))
    return {"log.csv": "step,lr,loss\n" + "".join(f"{t},{form(rate)},{loss}\n" for t, rate, loss in rows)}


def plain(schedule):
    try:
        return schedule.to_dict()
    except ValueError:
        return None  # it holds a function


SCHEDULES = {
    name: schedule
    for name, schedule in every_schedule(N).items()
    if (found := plain(schedule)) and "BatchSchedule" not in json.dumps(found) and found.get("cycles") is None
}
WIRINGS = {
    "as meant": lambda t: t, "per epoch": lambda t: t // 12, "per batch": lambda t: 4 * t, "late": lambda t: t * 4 + 3,
    "early": lambda t: t + 1, "missed": lambda t: max(t - 1, 0), "never": lambda t: 0, "too long": lambda t: t / 3,
    "reset": lambda t: t if t < 25 else t - 25, "half restored": lambda t: t + 30,
    "skipped": lambda t: t + (t > 9) + (t > 40),
}  # fmt: skip


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_in_every_wiring(same, name, wiring):
    schedule = SCHEDULES[name]
    rates = [schedule(WIRINGS[wiring](t)) for t in range(N)]
    said = same(as_csv(rates), schedule, N)
    assert wiring != "as meant" or all(kind == "note" for kind, _ in names(said))
    same(as_csv(rates, steps=range(1, N + 1), form="{:.4g}".format))


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_cut_off_scaled_or_counted_from_one(same, name):
    rates = SCHEDULES[name].table(N).tolist()
    same(as_csv(rates[: N // 2]), SCHEDULES[name], N)
    same(as_csv([0.5 * rate for rate in rates]), SCHEDULES[name])
    same(as_csv(rates, steps=range(1, N + 1), form="{:.4g}".format), SCHEDULES[name], N)


@pytest.mark.parametrize("name", fault_runs.RUNS)
def test_every_fault_that_a_log_can_show(same, name):
    rows = fault_runs.RUNS[name]().audit.rows
    groups = ",".join(f"lr-{i}" for i in range(len(rows.rate[0])))
    lines = [
        ",".join(map(str, (t, *rate, momentum[0] if momentum else "", "" if loss is None else loss)))
        for t, rate, momentum, loss in zip(rows.step, rows.rate, rows.momentum, rows.loss, strict=True)
    ]
    text = "\n".join([f"step,{groups},momentum,loss", *lines])
    same({"log.csv": text})
    for schedule, steps in ((fault_runs.LONG, fault_runs.N), (fault_runs.SHORT, fault_runs.FEW)):
        same({"log.csv": text}, schedule, steps)


def test_a_group_that_was_equal_and_is_no_longer(same):
    text = "step,lr-a,lr-b\n" + "".join(f"{t},0.1,{0.1 if t < 7 else 0.05}\n" for t in range(20))
    assert names(same({"log.csv": text})) == [("note", "groups differ")]


def test_a_momentum_that_cycles(same):
    text = "step,lr,beta1\n" + "".join(f"{t},0.1,{0.85 + 0.01 * t}\n" for t in range(9))
    assert names(same({"log.csv": text})) == [("note", "momentum changed")]


@pytest.mark.parametrize("losses", [
    [2 / (t + 1) for t in range(80)], [1 + 0.001 * math.exp(t / 8) for t in range(80)], [0.7] * 80,
    ["" if t % 3 else 1 / (t + 1) for t in range(80)], [1.0] * 30 + ["nan"] * 50, [1.0] * 30 + ["inf"] * 50,
    [(-1) ** t for t in range(80)], [0.0] * 80, [5.0, 9.0, 1.0] + [3.0] * 77, [1.0] * 12,
])  # fmt: skip
def test_losses(same, losses):
    same(as_csv([0.1] * len(losses), losses))


@pytest.mark.parametrize("rows", [test_audit_logs.HEALTHY, test_audit_logs.PER_EPOCH], ids=["healthy", "per epoch"])
@pytest.mark.parametrize("write", test_audit_logs.FORMATS)
def test_every_format(same, write, rows, tmp_path):
    folder = tmp_path / "written"
    folder.mkdir()
    files = {path.name: path.read_text(encoding="utf-8") for path in write(folder, rows)}
    said = same(files, test_audit_logs.SPEC, test_audit_logs.N)
    assert ("fault", "stepped per epoch") in names(said) or rows is test_audit_logs.HEALTHY
    same(files)


ODD = [
    "", "step,lr\n", "step,loss\n1,2\n", "step,lr\n1,fast\n", "{broken", "[1, 2]", "step,lr\n0,-0.1\n", "step,lr\n0,\n",
    "step,lr\n0,0.1,7\n", "\ufeffstep,lr\r\n0,0.1\r\n\r\n1,0.2\r\n", "lr\n0.1\n0.2\n", "step,lr\n5,0.1\n3,0.2\n5,0.3\n",
    'step,lr\n"0","0.1"\n1,"0.2"\n', 'step,"lr"\n0,0.1\n', 'step,note,lr\n0,"a, ""b"" and\nmore",0.1\n',
    '"step,lr\n0,1\n', 'step,lr\n0,0.1"5\n', "step,lr\n0,nan\n", "step,lr\n0,inf\n", "step,lr\nnan,0.1\n",
    "step,lr\ninf,0.1\n", "step,lr\n 7 , 1_0.5e-1 \n", "step,lr\n1.9,.5\n2.1,5.\n", "step,lr\n1,0x10\n",
    "step,lr\n,0.1\n1,0.1\n", "\nstep,lr\n0,1\n", "Step,LR,Train/Loss\n0,0.1,2\n", "epoch,learning_rate/SGD\n0,0.1\n",
    "step,lr-a,lr-b,lr\n0,0.1,0.2,0.3\n", "lr,lr\n1,2\n", '{"lr": 0.1}',
    '{"lr": 0.1, "loss": NaN}\n{"lr": 0.2, "loss": -Infinity}\n', '[{"step": 3, "lr": 1e-5, "loss": null}]',
    '{"log_history": [{"step": 1, "learning_rate": 0.5, "note": "NaN Infinity"}]}', '{"log_history": []}',
    '{"lr": [0.1]}', '{"lr": true}', '{"lr": 0.1}\n\n{"lr": "0.2"}\n', '{"lr": 0.1}\nend\n', "{}",
    "step,global_step,lr\n1,2,0.1\n", "Wall time,Step,Value\n1,5,0.1\n2,6,0.2\n", "Wall time,Step,Value,\n1,5,0.1,\n",
    "step;lr\n0;0.1\n", "step\tlr\n0\t0.1\n", "step,lr\n0,0.1\u20281,0.2", "iteration,train/lr\n0,0\n1,0\n2,0.1\n",
    "step,lr\n-5,0.1\n-4,0.2\n",
]  # fmt: skip


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("name", ["log.csv", "run-train_loss.csv", "momentum.txt"])
def test_odd_files(same, name, text):
    same({name: text})


@pytest.mark.parametrize("columns", [
    {"step": "n", "rate": "r", "loss": "error", "momentum": "m"}, {"rate": "r"}, {"rate": "none such"},
    {"loss": "r", "rate": "n"},
])  # fmt: skip
def test_columns_of_other_names(same, columns):
    same({"a.csv": "n,r,error,m\n" + "".join(f"{t},{0.1 + t},{t},{0.9}\n" for t in range(5))}, columns=columns)


SPECS = [
    "Cosine(0.1, 0, 60)", "warmup(Cosine(0.1, end=0, steps=50), 10)",
    "warmup(Cosine(0.1, 0, 50), steps=10, start=1e-3)", "OneCycle(0.1, 60, phases=3, anneal='linear', pct_start=.4)",
    "Step(0.1, 12, 0.5) * 2 - 1e-9", "0.01 + Linear(0.1, 0, 60) / 4", "Constant(0.1).then(Linear(0.1, 0, 20), at=40)",
    "Constant(0.1).then(other=Constant(1), at=2)", "REX(0.1, 0, 60).shift(-3)",
    "Exponential(0.1, 0.9).clip(0.01, 0.05).stretch(1.5)", "minimum(0.05, InverseSqrt(0.1, 5))",
    "maximum(Exponential(0.1, .8), .02)", "MultiStep(0.1, [20, 40], 0.1)", "Piecewise([10, 30], values=[1, 0.5, 0.1])",
    "WSD(0.1, 6, 40, 14, shape=\"1-sqrt\")", "Linear(0.1, 0, epochs(2.5, steps_per_epoch(1000, 64)))",
    "Cosine(2 * (0.1 - 0.05), -0 + 0, 6 * 10,)", "warmup(Constant(1), 0)", "SGDR(0.1, 0, 12, 2, 0.8)",
    "Cyclic(0.01, 0.1, 5, None, 'exp_range', 0.99)", "Then(Constant(1), Constant(2), 5)", "Constant(1_0.5)",
    "Product(Constant(1), Constant(2))", "Geometric(.1, 1e-3, 60)", "InverseTime(0.1, 5, power=.5)",
    "Polynomial(0.1, 0, 60, 2)",
]  # fmt: skip
REFUSED = [
    "", "Cosine", "Cosin(1, 0, 9)", "Cosine(0.1, 0)", "Cosine(0.1, 0, 0)", "Cosine(0.1, 0, 1.5)", "Cosine(-1, 0, 5)",
    "Cosine(0.1, 0, 9, 9)", "Cosine(0.1, 0, 9, peak=1)", "Cosine(0.1, end=0, end=1, steps=4)", "Cosine(peak=0.1, 0, 9)",
    "Cosine(0.1, 0, 9", "Cosine(0.1 0, 9)", "0.1", "[1, 2]", "Lambda(3)", "__import__('os')", "Constant(0.1).table(3)",
    "Constant(0.1).lr", "Constant(0.1) / 0", "1 / Constant(1)", "Constant(1) + 'a'", "Constant(1) - -1", "-Constant(1)",
    "Cyclic(1, 0.1, 5)", "OneCycle(1, 60, phases=4)", "WSD(1, 1, 1, 1, shape='exp')", "MultiStep(0.1, [9, 3], 0.1)",
    "MultiStep(0.1, 9, 0.1)", "Piecewise([1], [1])", "Constant('1')", "Constant(None)", "Constant(1).clip(2, 1)",
    "Step(0.1, 5, 0)", "Then(1, Constant(2), 5)", "Constant(1 / 0)", "Constant(1);", "Constant(1) Constant(1)",
    "Constant(1).shift(0.5)", "epochs(0, 5)", "Constant(1)(2)", "REX(0.1, 0, 60, bend=1)", "OneCycle(0.1, 3)",
    "Constant(1).stretch(0)", "warmup(3, 4)", "SGDR(0.1, 1, 5)",
]  # fmt: skip


@pytest.mark.parametrize("spec", SPECS)
def test_a_schedule_is_read_from_its_text(scripts, spec):
    steps = [0, 1, 2, 5, 9, 9.5, 10, 33, 59, 60, 200]
    table = scripts.evaluate(
        "([spec, steps]) => steps.map(lrcourse.audit.rateOf(lrcourse.audit.parsed(spec)))", [spec, steps]
    )
    np.testing.assert_allclose(table, parse_schedule(spec)(steps), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("spec", REFUSED)
def test_a_text_that_is_no_schedule_is_refused(scripts, spec):
    with pytest.raises(ValueError):
        parse_schedule(spec)
    said = scripts.evaluate(
        "(spec) => { try { lrcourse.audit.parsed(spec); } catch (error) { return error.message; } }", spec
    )
    assert said and "undefined" not in said


@pytest.mark.parametrize(
    "spec", ["get_schedule('cosine', 0.1, 60)", "SGDR.over(60, 3, 0.1)", "OneCycle(0.1, 60).momentum()"]
)
def test_what_only_the_command_reads_is_named(scripts, spec):
    parse_schedule(spec)
    said = scripts.evaluate(
        "(spec) => { try { lrcourse.audit.parsed(spec); } catch (error) { return error.message; } }", spec
    )
    assert "is not read here" in said


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**7), 10**7).map(lambda n: n / 8)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(numbers, min_size=50, max_size=50))
@example(
    [0.5, 1.5, 2.5, 62.5, 123456.5, 1234565.0, 1e-5, 1e16, 0.0, -0.0, 9.9999995, 999999.5, 1e-320, math.inf, math.nan]
)
def test_numbers_are_written_as_python_writes_them(scripts, values):
    written = "(texts) => texts.map(lrcourse.audit.float).map((x) => [4, 6].map((n) => lrcourse.audit.general(x, n)))"
    texts = scripts.evaluate(written, list(map(repr, values)))
    assert texts == [[f"{value:.4g}", f"{value:.6g}"] for value in values]


rates = st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.1, 0.2])
lengths = st.integers(1, N)
places = st.one_of(
    st.sampled_from(list(WIRINGS.values())),
    st.integers(2, 9).map(lambda k: lambda t: k * t),
    st.integers(2, 9).map(lambda k: lambda t: t // k),
    st.tuples(st.integers(1, N), st.integers(-N, N)).map(
        lambda jump: lambda t: t if t < jump[0] else max(t + jump[1], 0)
    ),
)


@st.composite
def logs(draw):
    """A log of a run of any schedule in any wiring, and what is said that was meant."""
    schedule, place = SCHEDULES[draw(st.sampled_from(list(SCHEDULES)))], draw(places)
    length, every, first = draw(lengths), draw(st.sampled_from([1, 1, 1, 7])), draw(st.sampled_from([0, 0, 1, 40]))
    scale, form = draw(st.sampled_from([1, 1, 1, 0.3])), draw(st.sampled_from([repr, "{:.3g}".format, "{:.6f}".format]))
    used = [scale * schedule(place(t)) for t in range(0, length, every)]
    for at, rate in draw(st.dictionaries(st.integers(0, N), rates, max_size=3)).items():
        used[at % len(used)] = rate
    losses = draw(st.none() | st.lists(st.floats(0, 3), min_size=len(used), max_size=len(used)))
    text = as_csv(used, losses and [format(each, ".4g") for each in losses], range(first, first + length, every), form)
    meant = draw(st.sampled_from([None, schedule, schedule, Cosine(0.1, 0.0, N)]))
    return text, meant, draw(st.none() | st.just(N) | st.integers(1, 3 * N))


@pytest.mark.slow
@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(logs())
def test_logs_at_random(same, log):
    same(*log)


def test_the_examples_show_what_their_names_say(same):
    said = {each["name"]: names(same({"log.csv": each["text"]}, each["schedule"] or None, each["steps"]))
            for each in own_run.data()["examples"]}  # fmt: skip
    assert said == {
        "a healthy run": [],
        "stepped per epoch": [("fault", "stepped per epoch")],
        "resumed without its scheduler": [("fault", "resumed at the wrong step")],
        "a loss that grows": [("fault", "loss diverges")],
    }


COUNTED = """([text, spec]) => {
    const { audit } = lrcourse;
    const counted = (work) => {
        for (let n = 0; ; n++) { const { done, value } = work.next(); if (done) return [n, value]; }
    };
    const [reading, rows] = counted(audit.read([{ name: "log.csv", text }]));
    const rate = spec ? audit.rateOf(audit.parsed(spec)) : undefined;
    return [reading, counted(audit.report(rows, { rate, tolerance: 1e-6 }))[0]];
}"""


@pytest.mark.parametrize(("spec", "tasks"), [("", 8), ("Exponential(0.1, 0.999)", 300)])
def test_long_work_is_done_in_many_parts(scripts, spec, tasks):
    text = "lr\n" + "".join(f"{0.1 / (t + 1)}\n" for t in range(20_000))
    reading, reporting = scripts.evaluate(COUNTED, [text, spec])
    assert reading >= 30 and reporting >= tasks
