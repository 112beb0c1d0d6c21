"""Types that check themselves: an optimizer's fields are annotated with these, as a schedule's are."""

import math
import numbers
from typing import Annotated, Any

from ..validation import bad

PER_CONVENTION: Any = None  # the default of a field whose default depends on the convention


def decay(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= float(value) < 1:
        raise bad(name, value, "at least 0 and below 1", "it is the part of an average that a step keeps, e.g. 0.9")
    return float(value)


def not_negative(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= float(value) < math.inf:
        raise bad(name, value, "zero or a positive, finite number", f"pass a plain float as {name}, e.g. 1e-8")
    return float(value)


Decay = Annotated[float, decay]
NotNegative = Annotated[float, not_negative]
