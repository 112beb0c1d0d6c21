"""Schedules from text: what is written as in Python is understood, and nothing of it is ever run."""

import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrcourse
from lrcourse import Constant, Cosine, Cyclic, OneCycle, Schedule, maximum, minimum, parse_schedule, warmup
from tests.test_schedules import schedules

NAMES = {name: getattr(lrcourse, name) for name in lrcourse.__all__}


@given(schedules)
def test_what_a_schedule_is_written_down_as_is_read(s: Schedule) -> None:
    if len(repr(s)) < 2000:
        assert parse_schedule(repr(s)) == s


@pytest.mark.parametrize("spec", [
    "warmup(Cosine(0.1, 0, 900), 100)",
    "Cosine(peak=0.1, end=0.1 / 100, steps=epochs(9, steps_per_epoch(1000, 64)))",
    "0.5 * Cosine(0.1, 0, 900) + 1 / 1000 - Constant(1e-4) / 2 * +1",
    "minimum(Linear(0, 0.1, 10), maximum(InverseSqrt(0.1, 5), 0.01))",
    "Linear(0, 0.1, 10).then(Step(lr=0.1, every=3, gamma=0.5), at=10).clip(0.01, 0.09).shift(-3).stretch(2.5)",
    "Piecewise([2, 4], (0.1, 0.2, 0.3))",
    "SGDR.over(steps=1000, cycles=3, peak=0.1, t_mult=2)",
    "Cyclic(0.01, 0.1, 5, mode='triangular2').momentum(0.8, max=0.9)",
    "OneCycle(0.1, 1_000, anneal=\"linear\", initial_lr=None).momentum()",
    "Exponential(0.1, 0.9, every=2.5, staircase=True)",
    "get_schedule('one-cycle', peak=0.1, steps=1000, pct_start=0.4)",
    "batch_schedule(Step(1.0, 1, 0.5), batch=32, max_batch=100)",
    """
    warmup(
        Cosine(0.1, 0, 900),
        steps=100,
    )
    """,
])  # fmt: skip
def test_text_means_what_it_means_in_python(spec):
    assert parse_schedule(spec) == eval(" ".join(spec.split()), dict(NAMES))


MALICE = [
    "__import__('os').system('touch /tmp/owned')", "open('/etc/passwd').read()", "exec('1')", "eval('1')",
    "().__class__.__bases__[0].__subclasses__()", "Constant.__init__.__globals__['__builtins__']",
    "Constant(0.1).__class__", "Constant(0.1).__reduce__()", "Constant(0.1).rates.__globals__",
    "Constant(0.1).to_dict()", "Schedule.from_dict({'kind': 'Constant'})", "(lambda: Constant(0.1))()",
    "[Constant(0.1) for x in [1]][0]", "Lambda(print)", "Lambda('print')", "Constant(0.1) if 1 else 2",
    "(x := Constant(0.1))", "f'{Constant(0.1)}'", "Constant(*[0.1])", "Constant(**{'lr': 0.1})",
    "Constant(lr=0.1).table(10)", "warmup.__globals__", "lrcourse.Constant(1)", "Constant(2 ** 10)",
    "9 ** 9 ** 9 * Constant(1)", "Constant(1 << 99)", "'a' * 1000000000", "[0] * 1000000000",
    "Constant(0.1); Constant(0.2)", "import os", "Constant(0.1)\nimport os", "print(Constant(0.1))",
    "Constant(0.1)(3)", "not Constant(0.1)", "Constant(0.1) < 1", "Constant(0.1) and Constant(1)", "Constant(b'1')",
    "Constant(1j)", "Constant(...)", "kinds", "Schedule.kinds", "SGDR.over", "Constant.over(1)", "SGDR.__init__(1)",
    "await Constant(1)", "Constant(yield)", "Constant(0.1)[0]", "Sum(1, 2).then", "warmup", "OWN",
    "as_schedule('a', 1)",
]  # fmt: skip


@pytest.fixture(scope="module")
def watched():
    """What Python itself reports while a function is called: files opened, code run, modules imported."""
    events: list[str] = []
    watching = [False]
    sys.addaudithook(lambda event, _: events.append(event) if watching[0] else None)  # it cannot be taken away again

    def call(function, *args):
        events.clear()
        watching[0] = True
        try:
            function(*args)
        except ValueError as error:
            return str(error), [*events]
        finally:
            watching[0] = False
        raise AssertionError("it was taken")

    return call


@pytest.mark.parametrize("spec", MALICE)
def test_what_is_no_schedule_is_refused_with_its_place_and_nothing_is_run(spec, watched):
    said, events = watched(parse_schedule, spec)
    assert re.search(r"character \d+", said)
    assert set(events) <= {"compile", "object.__getattr__", "builtins.id"}, (
        "to read a text as Python is all that is done with it"
    )


def test_code_that_is_run_would_be_seen(watched):
    def run(spec):
        raise ValueError(eval(spec))

    assert "exec" in watched(run, "1")[1]


@pytest.mark.parametrize(("spec", "said"), [
    ("Cosin(0.1, 0, 900)", "character 1, 'Cosin', is no name that is known here; did you mean 'Cosine'?"),
    ("warmup(cosine(0.1, 0, 900), 100)", "character 8, 'cosine', is no name .* did you mean 'Cosine'?"),
    ("Constant(0.1) + 'é' * Constant(1)", "character 17, \"'é'\", is neither a schedule nor a number"),
    ("get_schedule('é', Linear(1))", "character 19, .*does not fit Linear\\(start, end, steps\\): missing"),
    ("warmup(Constant(0.1), stps=3)", "does not fit warmup\\(schedule, steps, start\\)"),
    ("1 + Cosine(-0.1, 0, 900)", "character 5, .*is refused: peak must be zero or positive, got -0.1"),
    ("Cosine(0.1, 0, 900).thn(Constant(1), 3)", "did you mean 'then'?"),
    ("Cosine(0.1, 0, 900).momentum()", "does not exist: Cosine has no momentum"),
    ("Cosine", "has to be called: write Cosine\\(peak, end, steps\\)"),
    ("0.1", "is no schedule: write Constant\\(rate\\)"),
    ("epochs(3, 100)", "is no schedule: write Constant"),
    ("Cosine(0.1, 0, 900", "it cannot be read from character 7 on"),
    ("Constant(1) / 0", "is refused: the divisor must be positive"),
    ("Constant(1 / 0)", "character 10, '1 / 0', is refused: division by zero"),
    ("Constant(-Constant(1))", "character 11, 'Constant\\(1\\)', is no number"),
    ("Constant(lr=1, lr=2)", "character 16, 'lr=2', is not read here: give each argument once"),
    ("Lambda(0.1)", "'Lambda', holds code"),
    ("SGDR.__subclasses__()", "'SGDR.__subclasses__', is not known here"),
    ("Constant.to_dict(Constant(1))", "'Constant.to_dict', is not known here"),
    ("SGDR.ovr(9, 3, 0.1)", "'SGDR.ovr', is not known here; SGDR is called as SGDR\\("),
    ("Constant(1)" + " + 1" * 300, "has more than 600 parts"),
    ("-" * 1500 + "1", "it cannot be read|has more than 600 parts"),
    ("(" * 400 + "1" + ")" * 400, "it cannot be read"),
    ("-" * 150 + "1", "is no number|it cannot|is no schedule"),
    ("Constant(1) \0", "it cannot be read"),
    ("9" * 1999, "is no schedule"),
])  # fmt: skip
def test_the_place_and_the_fix_are_named(spec, said):
    with pytest.raises(ValueError, match=f"^spec must be a schedule, got .*: .*{said}"):
        parse_schedule(spec)


@pytest.mark.parametrize("spec", ["", "  ", "1" * 2001, None, 3, b"Constant(1)", Constant(1.0)])
def test_only_a_text_of_some_length_is_read(spec):
    with pytest.raises(ValueError, match=r"^spec must be a text.*: write for example 'Cosine\(0.1, 0, 900\)'"):
        parse_schedule(spec)


def test_a_class_of_the_users_own_is_not_read():
    class Mine(Schedule):
        pass

    with pytest.raises(ValueError, match="is no name that is known here"):
        parse_schedule("Mine()")


@settings(max_examples=300)
@given(st.text(alphabet="Constan()Csie.,01-+*/ '[]{}lambd:=_é\n", max_size=60))
def test_any_text_is_a_schedule_or_a_refusal(text):
    try:
        assert isinstance(parse_schedule(text), Schedule)
    except ValueError as error:
        assert str(error).startswith("spec must be ")


def test_the_longest_that_is_read_can_be_used():
    deep = parse_schedule("Constant(1)" + " + 1" * 190)
    assert deep(0) == 191.0 and parse_schedule(repr(Constant(1.0))) == Constant(1.0)
    assert isinstance(minimum(warmup(Cosine(1, 0, 9), 3), maximum(0, OneCycle(1, 20))) + Cyclic(0, 1, 3), Schedule)
    assert len(repr(deep)) > 2000 and hash(deep) == hash(deep)
