"""A schedule by the name that one types into a configuration file."""

import difflib
import inspect
import re
from collections.abc import Callable
from typing import Any

from ..validation import bad, rate, steps_or_zero, whole_steps
from .base import Schedule
from .constant import Constant
from .cosine import Cosine
from .cyclic import Cyclic
from .geometric import Geometric
from .inverse_sqrt import InverseSqrt
from .inverse_time import InverseTime
from .one_cycle import OneCycle
from .polynomial import Linear, Polynomial
from .rex import REX
from .sgdr import SGDR
from .step import MultiStep, Step
from .warmup import warmup as put_in_front
from .wsd import WSD


def get_schedule(
    name: str, peak: float, steps: int, warmup: int = 0, start: float = 0.0, **options: Any
) -> Schedule:  # fmt: skip
    """The schedule called `name`, from `peak`, for a run of `steps` updates of which the first `warmup` are a warm-up.

    Case, spaces and signs of the name do not matter, and what other libraries call a schedule is known: `"cosine"`,
    `"CosineAnnealingLR"`, `"one-cycle"` and `"cosine_with_restarts"` are right. `start`: the rate of update 0, if there
    is a warm-up. The options and what they are by default, where $n$ is the number of updates after the warm-up:

    | name | options |
    |---|---|
    | `constant` | |
    | `linear`, `cosine` | `end=0` |
    | `polynomial` | `end=0`, `power=1` |
    | `rex` | `end=0`, `bend=0.5` |
    | `exponential` | `end`, to be given: above 0 |
    | `inverse sqrt` | `timescale`: the steps of the warm-up; to be given without one |
    | `inverse time` | `timescale` as above, `power=1` |
    | `step` | `every`: a third of $n$; `gamma=0.1` |
    | `multistep` | `milestones`: half and three quarters of $n$, from the end of the warm-up; `gamma=0.1` |
    | `wsd` | `decay`: a fifth of the run; `end=0`, `shape="linear"` |
    | `sgdr` | `cycles`, to be given; `end=0`, `t_mult=1`, `peak_mult=1` |
    | `cyclic`, `triangular2` | `cycles`, to be given; `base_lr`: a quarter of the peak |
    | `exp range` | `cycles` and `base_lr` as above, `gamma=1` |
    | `one cycle` | `pct_start`, `initial_lr`, `final_lr`, `phases`, `anneal` as `OneCycle` has them; no warm-up |

    Raises: `ValueError` for a name that is not known, with those that are near; for an option that the schedule has
    not; for a warm-up as long as the run; and as the schedule itself does.

    >>> get_schedule("cosine", peak=0.1, steps=1000)
    Cosine(peak=0.1, end=0.0, steps=1000)
    >>> get_schedule("WSD", peak=0.1, steps=1000, warmup=100).table(1000)[[0, 100, 799, 900]]
    array([0.  , 0.1 , 0.1 , 0.05])
    """
    build = MAKERS[_known(name)]
    peak, run = rate("peak", peak), whole_steps("steps", steps)
    front, start = steps_or_zero("warmup", warmup), rate("start", start)
    if front >= run:
        raise bad("warmup", warmup, f"shorter than the run of {run} steps", "use for example 0, or more steps")
    if front and build is _one_cycle:
        raise bad("warmup", warmup, "0 for one cycle, which rises by itself", "use 0, and pct_start for its rise")
    parameters = inspect.signature(build).parameters
    _check(name, options, {each: parameters[each].default for each in parameters if each not in FIXED})
    given = {"warmup": front} if "warmup" in parameters else {}
    return put_in_front(build(peak, run - front, **given, **options), front, start)


FIXED = ("peak", "n", "warmup")  # what each schedule below is given, and no option
EXAMPLES = {"end": "1e-05", "cycles": "3"}


def _check(name: str, options: dict[str, Any], known: dict[str, Any]) -> None:
    """Complain about options that a schedule has not, and about needed ones that are missing; `known` has defaults."""
    for option in options:
        if option not in known:
            near = difflib.get_close_matches(option, known, 1)
            fix = f"choose one of {[*known]}" if known else "leave it out"
            raise bad("option", option, f"an option of {name!r}", f"did you mean {near[0]!r}? {fix}" if near else fix)
    for option, default in known.items():
        if default is inspect.Parameter.empty and option not in options:
            raise bad(option, None, f"given for {name!r}", f"write for example {option}={EXAMPLES[option]}")


def _constant(peak: float, n: int) -> Schedule:
    return Constant(peak)


def _linear(peak: float, n: int, end: float = 0.0) -> Schedule:
    return Linear(peak, end, n)


def _cosine(peak: float, n: int, end: float = 0.0) -> Schedule:
    return Cosine(peak, end, n)


def _polynomial(peak: float, n: int, end: float = 0.0, power: float = 1.0) -> Schedule:
    return Polynomial(peak, end, n, power)


def _rex(peak: float, n: int, end: float = 0.0, bend: float = 0.5) -> Schedule:
    return REX(peak, end, n, bend)


def _exponential(peak: float, n: int, end: float) -> Schedule:
    return Geometric(peak, end, n)


def _inverse_sqrt(peak: float, n: int, warmup: int, timescale: float | None = None) -> Schedule:
    return InverseSqrt(peak, _timescale(timescale, warmup))


def _inverse_time(peak: float, n: int, warmup: int, timescale: float | None = None, power: float = 1.0) -> Schedule:
    return InverseTime(peak, _timescale(timescale, warmup), power)


def _timescale(timescale: float | None, warmup: int) -> float:
    """With the warm-up's length rise and decay meet as in the Transformer's schedule."""
    if timescale is None and warmup == 0:
        raise bad("timescale", None, "given where there is no warm-up", "write for example timescale=1000")
    return warmup if timescale is None else timescale


def _step(peak: float, n: int, every: int | None = None, gamma: float = 0.1) -> Schedule:
    return Step(peak, -(-n // 3) if every is None else every, gamma)  # as ResNets on ImageNet: 30, 60 and 90 epochs


def _multistep(peak: float, n: int, milestones: list[int] | None = None, gamma: float = 0.1) -> Schedule:
    # as ResNets on CIFAR-10: after 32 and 48 of 64 thousand steps
    return MultiStep(peak, [n // 2, n * 3 // 4] if milestones is None else milestones, gamma)


def _wsd(
    peak: float, n: int, warmup: int, decay: int | None = None, end: float = 0.0, shape: str = "linear"
) -> Schedule:  # fmt: skip
    length = max((n + warmup) // 5, 1) if decay is None else whole_steps("decay", decay)
    if length > n:
        raise bad("decay", length, f"no longer than the {n} steps after the warm-up", "use a shorter decay or warm-up")
    return WSD(peak, 0, n - length, length, end, shape)


def _sgdr(
    peak: float, n: int, cycles: int, end: float = 0.0, t_mult: float = 1.0, peak_mult: float = 1.0
) -> Schedule:  # fmt: skip
    return SGDR.over(n, cycles, peak, end, t_mult, peak_mult)


def _cyclic(peak: float, n: int, cycles: float, base_lr: float | None = None) -> Schedule:
    return Cyclic.over(n, cycles, peak / 4 if base_lr is None else base_lr, peak)  # Smith: a third or a quarter


def _triangular2(peak: float, n: int, cycles: float, base_lr: float | None = None) -> Schedule:
    return Cyclic.over(n, cycles, peak / 4 if base_lr is None else base_lr, peak, mode="triangular2")


def _exp_range(peak: float, n: int, cycles: float, base_lr: float | None = None, gamma: float = 1.0) -> Schedule:
    return Cyclic.over(n, cycles, peak / 4 if base_lr is None else base_lr, peak, mode="exp_range", gamma=gamma)


def _one_cycle(
    peak: float, n: int, pct_start: float = 0.3, initial_lr: float | None = None, final_lr: float | None = None,
    phases: int = 2, anneal: str = "cos",
) -> Schedule:  # fmt: skip
    return OneCycle(peak, n, pct_start, initial_lr, final_lr, phases, anneal)


MAKERS: dict[str, Callable[..., Schedule]] = {
    "constant": _constant, "linear": _linear, "cosine": _cosine, "polynomial": _polynomial, "rex": _rex,
    "exponential": _exponential, "inverse sqrt": _inverse_sqrt, "inverse time": _inverse_time, "step": _step,
    "multistep": _multistep, "wsd": _wsd, "sgdr": _sgdr, "cyclic": _cyclic, "triangular2": _triangular2,
    "exp range": _exp_range, "one cycle": _one_cycle,
}  # fmt: skip
# What practitioners type, and what PyTorch, Keras, optax, timm and Transformers say, without the `ENDINGS`
SYNONYMS = {
    "constant": "none, fixed",
    "linear": "linear warmup",
    "cosine": "cos, cosine annealing, cosine with min lr, warmup cosine, cosine warmup, half cosine",
    "polynomial": "poly",
    "rex": "reflected exponential",
    "exponential": "exp, geometric",
    "inverse sqrt": "inverse square root, invsqrt, rsqrt, noam, transformer",
    "inverse time": "inverse, invtime, robbins monro",
    "step": "staircase, stairs",
    "multistep": "milestones",
    "wsd": "warmup stable, trapezoidal, trapezoid",
    "sgdr": "cosine with restarts, cosine restarts, cosine with hard restarts, cosine decay restarts, warm restarts, "
            "cosine annealing warm restarts, cosine warm restarts",
    "cyclic": "clr, triangular, cyclical",
    "exp range": "exponential range",
    "one cycle": "1cycle, one cycle policy, super convergence",
}  # fmt: skip
ENDINGS = re.compile(r"(?<=\w{3})(lr|decay|schedule|scheduler|withwarmup)+$")


def _plain(name: str) -> str:
    return ENDINGS.sub("", re.sub(r"[\W_]+", "", name).casefold())


NAMES = {_plain(each): own for own in MAKERS for each in [own, *SYNONYMS.get(own, "").split(", ")] if each}


def _known(name: Any) -> str:
    if not isinstance(name, str):
        raise bad("name", name, "the name of a schedule", f"choose one of {list(MAKERS)}")
    if _plain(name) in ("plateau", "reducelronplateau", "reduceonplateau"):
        raise bad("name", name, "that of a pure function of the step", "a plateau has a memory: use lrcourse.Plateau")
    if own := NAMES.get(_plain(name)):
        return own
    near = NAMES[found[0]] if (found := difflib.get_close_matches(_plain(name), NAMES, 1, 0.6)) else None
    meant = f"did you mean {near!r}? " if near else ""
    raise bad("name", name, "the name of a schedule", f"{meant}There are {', '.join(map(repr, MAKERS))}")
