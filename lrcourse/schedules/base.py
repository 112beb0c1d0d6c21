"""What every schedule is: a pure function of the step, with an algebra."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, overload

import numpy as np
from numpy.typing import NDArray

from ..validation import (
    Check,
    Rate,
    StepsEitherWay,
    StepsOrZero,
    bad,
    check_fields,
    not_negative,
    positive,
    rate,
    whole_steps,
)
from . import values
from .values import OWN, formula
from .values import Array as Array

divisor = positive("use for example 10 for a tenth")
Longer = Annotated[float, positive("use 2 to take twice as long, or for example 0.5 to take half as long")]


@dataclass(frozen=True)
class Schedule:
    r"""A learning rate as a pure function of the step: $s(t)$ is the rate that update $t$ uses.

    A *step* is one successful optimizer update, counted from 0. Nothing is remembered between calls, so a
    schedule can be plotted, resumed, shared between parameter groups and compared, and past its end it holds
    its last value. Subclasses are frozen dataclasses that define `rates`; a field annotated with a type of
    `lrcourse.validation`, such as `Rate` or `Steps`, is checked.

    Shapes: a number gives a `float`; an array of any shape gives a `float64` array of that shape.

    Raises: `ValueError` for a step that is negative or not finite, for field values out of range, and where the
    formula gives anything but a finite number, zero or more.

    >>> from lrcourse import Cosine
    >>> schedule = Cosine(peak=0.1, end=0.0, steps=100)
    >>> schedule(0), schedule(50), schedule(1_000_000)
    (0.1, 0.05, 0.0)
    >>> schedule([[0, 100], [200, 300]])
    array([[0.1, 0. ],
           [0. , 0. ]])
    """

    kinds: ClassVar[dict[str, type["Schedule"]]] = {}

    def __init_subclass__(cls) -> None:
        Schedule.kinds[kind_of(cls)] = cls

    def __post_init__(self) -> None:
        check_fields(self)

    def rates(self, t: Array) -> Array:
        """The rates at the float64 steps `t`, all zero or more: the formula, which each subclass writes."""
        raise TypeError(f"{type(self).__name__} defines no rates(t): subclass Schedule and return the rates at t")

    @overload
    def __call__(self, t: float | np.integer[Any] | np.floating[Any]) -> float: ...
    @overload
    def __call__(self, t: NDArray[Any] | Sequence[Any]) -> Array: ...
    def __call__(self, t: Any) -> Any:
        try:
            if np.asarray(t).dtype.kind in "bUS":
                raise TypeError("a step is a number, so pass an int or a float")
            at = np.array(t, dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise bad("t", t, "a step or an array of steps", str(error)) from None
        if not np.all((at >= 0) & np.isfinite(at)):
            raise bad("t", t, "a finite step, zero or more", "steps count optimizer updates from 0")
        if at.size == 0:
            return at
        steps = np.atleast_1d(at)  # NumPy's scalars round differently from its arrays: one step goes the way of many
        with np.errstate(all="ignore"):  # what is no rate is refused
            result = values.rates(self, formula(self, steps), steps)
        return float(result[0]) if at.ndim == 0 else result

    def table(self, n: int) -> Array:
        """The rates of the first `n` updates, `s(0)` to `s(n - 1)`, as a float64 array of shape `(n,)`.

        >>> from lrcourse import Step
        >>> Step(lr=1.0, every=2, gamma=0.5).table(5)
        array([1.  , 1.  , 0.5 , 0.5 , 0.25])
        """
        return self(np.arange(whole_steps("n", n), dtype=np.float64))

    def __add__(self, other: "Schedule | float") -> "Sum":
        return Sum(self, operand("other", other))

    def __radd__(self, other: float) -> "Sum":
        return Sum(operand("other", other), self)

    def __sub__(self, other: "Schedule | float") -> "Difference":
        return Difference(self, operand("other", other))

    def __rsub__(self, other: float) -> "Difference":
        return Difference(operand("other", other), self)

    def __mul__(self, other: "Schedule | float") -> "Product":
        return Product(self, operand("other", other))

    def __rmul__(self, other: float) -> "Product":
        return Product(operand("other", other), self)

    def __truediv__(self, number: float) -> "Product":
        return Product(self, operand("other", 1 / divisor("the divisor", number)))

    def then(self, other: "Schedule", at: int) -> "Then":
        """This schedule for updates 0 to `at - 1`, then `other`, which starts again at its own step 0.

        >>> from lrcourse import Constant, Linear
        >>> Constant(1.0).then(Linear(1.0, 0.0, steps=2), at=3).table(6)
        array([1. , 1. , 1. , 1. , 0.5, 0. ])
        """
        return Then(self, child("other", other), at)

    def clip(self, lo: float, hi: float) -> "Clip":
        """This schedule kept between `lo` and `hi`.

        >>> from lrcourse import Linear
        >>> Linear(1.0, 0.0, steps=4).clip(0.3, 0.8).table(5)
        array([0.8 , 0.75, 0.5 , 0.3 , 0.3 ])
        """
        return Clip(self, lo, hi)

    def shift(self, by: int) -> "Shift":
        """This schedule `by` steps later, with its first rate until then; or sooner, if `by` is below zero.

        Raises: `ValueError` if `by` is not a whole number.

        >>> from lrcourse import Linear
        >>> Linear(1.0, 0.0, steps=4).shift(2).table(6)
        array([1.  , 1.  , 1.  , 0.75, 0.5 , 0.25])
        >>> Linear(1.0, 0.0, steps=4).shift(-3).table(3)
        array([0.25, 0.  , 0.  ])
        """
        return Shift(self, by)

    def stretch(self, factor: float) -> "Stretch":
        """This schedule over `factor` times as many steps: `s.stretch(3000 / 1000)` makes 3000 steps of 1000.

        All of it is stretched, a warm-up too; cycles and stairs become longer, not more.

        Raises: `ValueError` if `factor` ≤ 0.

        >>> from lrcourse import Linear
        >>> Linear(1.0, 0.0, steps=2).stretch(2).table(6)
        array([1.  , 0.75, 0.5 , 0.25, 0.  , 0.  ])
        """
        return Stretch(self, factor)

    def to_dict(self) -> dict[str, Any]:
        """The schedule as plain data (for JSON, TOML or a checkpoint), the inverse of `from_dict`.

        The kind of a schedule of this package is its name, that of a class of your own `module.name`.

        Raises: `ValueError` for a schedule that holds a function, which plain data cannot carry.

        >>> from lrcourse import Step
        >>> Step(lr=0.1, every=30, gamma=0.1).to_dict()
        {'kind': 'Step', 'lr': 0.1, 'every': 30, 'gamma': 0.1}
        """
        plain: dict[str, Any] = {"kind": kind_of(type(self))}
        for field in fields(self):
            value = getattr(self, field.name)
            if callable(value) and not isinstance(value, Schedule):
                raise bad(field.name, value, "plain data to be saved", "save its parameters and build it again in code")
            plain[field.name] = _plain(value)
        return plain

    @staticmethod
    def from_dict(plain: dict[str, Any]) -> "Schedule":
        """The schedule that `to_dict` wrote.

        Raises: `ValueError` for what is no dict, an unknown kind, or a missing or unknown field.

        >>> from lrcourse import Schedule
        >>> Schedule.from_dict({"kind": "Step", "lr": 0.1, "every": 30, "gamma": 0.1})
        Step(lr=0.1, every=30, gamma=0.1)
        """
        if not isinstance(plain, Mapping):
            raise bad("plain", plain, "a dict", "pass what to_dict returned, such as {'kind': 'Constant', 'lr': 0.1}")
        kind = Schedule.kinds.get(str(plain.get("kind")))
        if kind is None:
            raise bad("kind", plain.get("kind"), "the name of a schedule",
                      f"choose one of {sorted(Schedule.kinds)}, or import the module that defines it")  # fmt: skip
        given = {name: _parsed(value) for name, value in plain.items() if name != "kind"}
        try:
            return kind(**given)
        except TypeError as error:
            known = [field.name for field in fields(kind)]
            raise bad("plain", plain, f"a {kind.__name__} with the fields {known}", str(error)) from None


def kind_of(cls: type[Schedule]) -> str:
    """The name of a class in plain data: a short one for this package's own, which no other class can take."""
    own = cls.__module__.partition(".")[0] == OWN
    return cls.__name__ if own else f"{cls.__module__}.{cls.__qualname__}"


def _plain(value: Any) -> Any:
    if isinstance(value, Schedule):
        return value.to_dict()
    return list(value) if isinstance(value, tuple) else value


def _parsed(value: Any) -> Any:
    return Schedule.from_dict(value) if isinstance(value, dict) else value


def as_schedule(name: str, value: Any, check: Check = rate) -> Schedule:
    """`value` itself if it is a schedule, else the constant schedule of that number, if it passes the check."""
    return value if isinstance(value, Schedule) else Schedule.from_dict({"kind": "Constant", "lr": check(name, value)})


def operand(name: str, value: Any) -> Schedule:
    """A schedule, or a number that stands for a constant one."""
    return as_schedule(name, value, not_negative("use for example 0.5: no rate is below zero"))


def child(name: str, value: Any) -> Schedule:
    """The check of a field that holds a schedule."""
    if not isinstance(value, Schedule):
        raise bad(name, value, "a schedule", "write Constant(rate) for a fixed rate")
    return value


Child = Annotated[Schedule, child]


def power(base: Array | float, exponent: Array | float) -> Array:
    """`base ** exponent`, at most the largest float: infinity times a rate of 0 would not be 0."""
    at_most: Array = np.minimum(np.power(base, exponent), np.finfo(np.float64).max)
    return at_most


def ratio(t: Array, length: float) -> Array:
    """`t / length`; what is a whole number but for rounding is one, so stairs and restarts come at their own step."""
    exact = t / length
    near = np.rint(exact)
    return np.where(np.abs(exact - near) <= 1e-12 * near, near, exact)


def wave(share: Array) -> Array:
    """Half a cosine wave, from 0 at share 0 to 1 at share 1."""
    risen: Array = (1 - np.cos(np.pi * share)) / 2
    return risen


def mix(start: Array | float, end: Array | float, weight: Array) -> Array:
    """`start` at weight 0, `end` at weight 1, both exactly; rounding never leaves the range between them."""
    mixed = (1 - weight) * start
    mixed += weight * end
    return np.clip(mixed, np.minimum(start, end), np.maximum(start, end), out=mixed)


@dataclass(frozen=True)
class Sum(Schedule):
    """`a + b`, point by point.

    >>> from lrcourse import Constant, Linear
    >>> (Linear(1.0, 0.0, steps=2) + Constant(0.5)).table(3)
    array([1.5, 1. , 0.5])
    """

    a: Child
    b: Child

    def rates(self, t: Array) -> Array:
        return formula(self.a, t) + formula(self.b, t)


@dataclass(frozen=True)
class Difference(Schedule):
    """`a - b`, point by point; it is refused at a step where `b` is larger, unless a `clip` follows.

    >>> from lrcourse import Constant, Linear
    >>> (Linear(1.0, 0.0, steps=2) - Constant(0.25)).clip(0.0, 1.0).table(3)
    array([0.75, 0.25, 0.  ])
    """

    a: Child
    b: Child

    def rates(self, t: Array) -> Array:
        return formula(self.a, t) - formula(self.b, t)


@dataclass(frozen=True)
class Product(Schedule):
    """`a * b`, point by point. (Chained torch schedulers only approximate this.)

    >>> from lrcourse import Linear, Step
    >>> (Linear(1.0, 0.0, steps=4) * Step(lr=1.0, every=2, gamma=0.5)).table(4)
    array([1.   , 0.75 , 0.25 , 0.125])
    """

    a: Child
    b: Child

    def rates(self, t: Array) -> Array:
        return formula(self.a, t) * formula(self.b, t)


@dataclass(frozen=True)
class Then(Schedule):
    """`first` before step `at`, from there on `second`, which counts its own steps from 0: what `a.then(b, at)` gives.

    >>> from lrcourse import Constant
    >>> Then(Constant(0.1), Constant(0.01), at=2).table(4)
    array([0.1 , 0.1 , 0.01, 0.01])
    """

    first: Child
    second: Child
    at: StepsOrZero

    def rates(self, t: Array) -> Array:
        return np.where(t < self.at, formula(self.first, t), formula(self.second, np.maximum(t - self.at, 0)))


@dataclass(frozen=True)
class Clip(Schedule):
    """`schedule` kept between `lo` and `hi`: what `schedule.clip(lo, hi)` gives.

    Raises: `ValueError` if `lo` is above `hi`.

    >>> from lrcourse import Exponential
    >>> Clip(Exponential(lr=1.0, gamma=0.5), lo=0.2, hi=0.6).table(4)
    array([0.6 , 0.5 , 0.25, 0.2 ])
    """

    schedule: Child
    lo: Rate
    hi: Rate

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lo > self.hi:
            raise bad("lo", self.lo, f"at most hi = {self.hi}", "swap the two")

    def rates(self, t: Array) -> Array:
        return np.clip(formula(self.schedule, t), self.lo, self.hi)


@dataclass(frozen=True)
class Shift(Schedule):
    r"""`schedule` moved by `by` steps, $s(\max(t - \mathrm{by}, 0))$: what `schedule.shift(by)` gives.

    >>> from lrcourse import Step
    >>> Shift(Step(lr=1.0, every=2, gamma=0.5), by=1).table(5)
    array([1. , 1. , 1. , 0.5, 0.5])
    """

    schedule: Child
    by: StepsEitherWay

    def rates(self, t: Array) -> Array:
        return formula(self.schedule, np.maximum(t - self.by, 0))


@dataclass(frozen=True)
class Stretch(Schedule):
    r"""`schedule` over `factor` times as many steps, $s(t / \mathrm{factor})$: what `schedule.stretch(factor)` gives.

    The schedule is asked for fractions of steps: a function in it writes `int(t)` where it needs an index.

    >>> from lrcourse import Step
    >>> Stretch(Step(lr=1.0, every=2, gamma=0.5), factor=1.5).table(7)
    array([1.  , 1.  , 1.  , 0.5 , 0.5 , 0.5 , 0.25])
    """

    schedule: Child
    factor: Longer

    def rates(self, t: Array) -> Array:
        return formula(self.schedule, ratio(t, self.factor))
