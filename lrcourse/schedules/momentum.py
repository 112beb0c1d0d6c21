"""The bounds of a momentum that goes down while the rate goes up."""

from ..validation import bad, below_one


def bounds(base: float, max: float) -> tuple[float, float]:
    """The lowest and the highest momentum.

    Raises: `ValueError` unless both are momenta, at least 0 and below 1, in rising order.

    >>> bounds(base=0, max=0.95)
    (0.0, 0.95)
    """
    momentum = below_one("use for example 0.85 to 0.95")
    if not momentum("base", base) <= momentum("max", max):
        raise bad("base, max", (base, max), "in rising order", "use for example 0.85 and 0.95")
    return float(base), float(max)
