"""Learning-rate schedules: pure functions of the step, with NumPy and nothing else.

s(t)                      the rate that update t uses (t counts successful optimizer updates from 0)
a + b, a - b, a * b, a / k  point by point, also with a number k
minimum(a, b), maximum(a, b)  the lower or the higher of the two, also with a number
a.then(b, at=n)           a before update n, then b from its own step 0
warmup(s, steps, start)   a rising line in front of s
s.clip(lo, hi)            s between two bounds
s.shift(by)               s so many steps later, or sooner
s.stretch(factor)         s over so many times as many steps
s.table(n)                the first n rates
get_schedule(name, ...)   the schedule of that name
parse_schedule(text)      the schedule that a text such as "warmup(Cosine(0.1, 0, 900), 100)" stands for
"""

from .base import Clip, Difference, Product, Schedule, Shift, Stretch, Sum, Then
from .by_name import get_schedule
from .constant import Constant
from .cosine import Cosine
from .cyclic import Cyclic
from .exponential import Exponential
from .extremes import Maximum, Minimum, maximum, minimum
from .geometric import Geometric
from .inverse_sqrt import InverseSqrt
from .inverse_time import InverseTime
from .one_cycle import OneCycle
from .parsing import parse_schedule
from .piecewise import Lambda, Piecewise
from .planning import BatchSchedule, CyclePlan, batch_schedule, epochs, plan_cycles, steps_per_epoch
from .plateau import Plateau
from .polynomial import Linear, Polynomial
from .rex import REX
from .sgdr import SGDR
from .step import MultiStep, Step
from .warmup import warmup
from .wsd import WSD

__all__ = [
    "REX", "SGDR", "WSD", "BatchSchedule", "Clip", "Constant", "Cosine", "CyclePlan", "Cyclic", "Difference",
    "Exponential", "Geometric", "InverseSqrt", "InverseTime", "Lambda", "Linear", "Maximum", "Minimum", "MultiStep",
    "OneCycle", "Piecewise", "Plateau", "Polynomial", "Product", "Schedule", "Shift", "Step", "Stretch", "Sum", "Then",
    "batch_schedule", "epochs", "get_schedule", "maximum", "minimum", "parse_schedule", "plan_cycles",
    "steps_per_epoch", "warmup",
]  # fmt: skip
