r"""The learning-rate range test: raise the rate at every update, watch the loss, put everything back.

The core knows no framework: it is given one function that makes an update at a rate, one that takes a
snapshot and one that restores it. `lrcourse.torch.range_test` and `lrcourse.keras.range_test` supply them.
"""

import math
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .extras import extra
from .validation import bad, below_one, choice, positive, whole

Array = NDArray[np.float64]

FEWEST_POINTS = 10  # below this a slope is guesswork
EDGE = 0.05  # the share of the tested range, on its log axis, that is not trusted at either end
DECADES = 0.4  # the width of the smoothing, in powers of ten of the rate
NOISE_LEVELS = 4.0  # a fall has to exceed its own standard error this many times
STEEP = 0.25  # the valley falls at least this share as fast as its steepest point


@dataclass(frozen=True, eq=False)
class RangeTest:
    r"""The result of a range test: one loss per rate, and what can be read off the curve.

    `lrs`, `losses`, `smoothed`: float64 arrays of shape `(n,)`, the rate, loss and smoothed loss of each update
    that gave a finite loss. `stopped`: why the test ended before its last rate, `"diverged"` or `"not finite"`,
    or `None` if it did not.

    `smoothed` is the bias-corrected exponential moving average that decides when to stop; it lags behind. What
    is read off the curve uses a smoothing without lag: at every rate, a line fitted to the losses nearby on the
    logarithmic axis, its height and its slope.
    """

    lrs: Array
    losses: Array
    smoothed: Array
    stopped: str | None = None

    def suggest(self, method: str = "minimum") -> float | None:
        r"""A rate read off the curve, or `None` if there are too few points or the loss never clearly falls.

        - `"steepest"`: where the loss falls fastest per factor of the rate, $\arg\min dL / d\log(\mathrm{lr})$;
        - `"valley"`: two thirds along the longest stretch that falls at least a quarter as fast as that;
        - `"minimum"`, the default: where the loss is lowest. The start of a schedule that decays, and an upper bound
          for a constant rate.

        The course's chapter on range tests compares them with a searched rate, on one network and one set of digits,
        for SGD and Adam, at a constant rate and under a decay to zero. In each case the other two were too low and
        behind the search, and cost up to 4.0 times its loss; `"minimum"` was level with it in three of six, and cost at
        most 1.2 times. A constant rate with Adam does better at half of it; try that with momentum too. On data that
        are soon fitted, a table of some hundred rows, the best rate may be a quarter of it or less under any schedule.

        A bracket, not an oracle. It misleads when the loss falls at every rate (data or head at the wrong scale:
        the steepest point only fixes that scale), when it falls twice (two groups of layers: the larger fall
        wins), when the range starts inside the fall (the ends are not trusted), when the noise of a batch is as
        large as the whole fall (`None`), or when the test is too fast for a slow model (the fall shifts right).

        Raises: `ValueError` for an unknown `method`.
        Source: Smith, "Cyclical learning rates", 2017, section 3.3; the valley after fastai.

        >>> lrs = np.geomspace(1e-5, 10, 100)
        >>> losses = 2 - 1 / (1 + (1e-2 / lrs) ** 2) + lrs**2
        >>> result = RangeTest(lrs, losses, losses)
        >>> [round(result.suggest(method), 3) for method in ("steepest", "valley", "minimum")]
        [0.009, 0.016, 0.087]
        """
        choice("steepest", "valley", "minimum")("method", method)
        fall = _fall(np.log10(self.lrs), self.losses)
        if fall is None:
            return None
        x, slope = fall
        at = {"steepest": _steepest, "valley": _two_thirds, "minimum": _last}[method](x, slope)
        return float(10**at)

    def bounds(self) -> tuple[float, float] | None:
        """Bounds for a cyclical schedule: the largest useful rate (the loss is lowest) and a tenth of it below.

        `None` where `suggest` says so. Source: Smith, "A disciplined approach", 2018.
        """
        top = self.suggest("minimum")
        return None if top is None else (top / 10, top)

    def plot(self, ax: Any = None) -> Any:
        """Draw loss against rate with the suggestions as vertical lines; returns the matplotlib axes."""
        if ax is None:
            with extra("plots"):
                import matplotlib.pyplot as plt

            ax = plt.subplots()[1]
        ax.plot(self.lrs, self.losses, color="0.75", label="loss")
        ax.plot(self.lrs, self.smoothed, label="smoothed loss")
        for method, style in (("steepest", "--"), ("valley", ":"), ("minimum", "-.")):
            if (at := self.suggest(method)) is not None:
                ax.axvline(at, color="0.3", linestyle=style, linewidth=1, label=f"{method}: {at:.1e}")
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss")
        ax.legend()
        return ax


def range_test(
    step_fn: Callable[[float], float],
    snapshot: Callable[[], Any],
    restore: Callable[[Any], None],
    start: float = 1e-7,
    end: float = 10.0,
    steps: int = 100,
    mode: str = "exp",
    smooth: float = 0.98,
    stop: float = 4.0,
) -> RangeTest:
    r"""Make one update at each of `steps` rising rates, record the losses, and restore the state, whatever happens.

    $$\mathrm{lr}_i = \mathrm{start} \, (\mathrm{end} / \mathrm{start})^{i / (n - 1)} \quad \text{or} \quad
    \mathrm{start} + (\mathrm{end} - \mathrm{start}) \, i / (n - 1), \qquad i = 0, \dots, n - 1$$

    for `mode="exp"` or `"linear"`, with $n$ = `steps`.

    `step_fn(lr)`: makes one update at rate `lr` and returns the loss before it. `snapshot()`: a copy of everything
    that an update changes; `restore(state)` puts it back, also after an exception.
    `start`, `end`: the first and the last rate, both tested. `steps`: for each power of ten between the two, about 70
    updates were enough in the course's chapter. The default, 12 for each, is a first look that often says nothing: go
    over two or three powers around your guess, as in `start=0.01, steps=210`. `smooth`: the weight $\beta$ of the past
    in `smoothed` (0: no smoothing; 0.98 averages about the last 50 updates).
    `stop` ($k$): the test ends as *diverged* when $\mathrm{smoothed} > \mathrm{best} + (k - 1) \, |\mathrm{best}|$:
    above four times the best for a positive loss; `math.inf` switches this off. It misfires if the best is near 0.
    A loss that is not finite ends the test and is dropped.

    Raises: `ValueError` unless `0 < start < end`, `steps` ≥ 2, `0 <= smooth < 1` and `stop` > 1.
    Source: Smith, "Cyclical learning rates for training neural networks", 2017, section 3.3.

    On $L(w) = w^2 / 2$ an update multiplies $w$ by $1 - \mathrm{lr}$: the loss falls fastest near 1, diverges above 2.

    >>> w = [1.0]
    >>> def step_fn(lr):
    ...     loss = w[0] ** 2 / 2
    ...     w[0] -= lr * w[0]
    ...     return loss
    >>> result = range_test(step_fn, lambda: w[0], lambda state: w.__setitem__(0, state), end=100, steps=50, smooth=0.5)
    >>> result.stopped, w
    ('diverged', [1.0])
    """
    rates = _ladder(start, end, steps, mode)
    below_one("use 0 for no smoothing, or for example 0.9")("smooth", smooth)
    if isinstance(stop, bool) or not isinstance(stop, int | float) or not stop > 1:
        raise bad("stop", stop, "above 1", "use for example 4 to stop at four times the best loss")
    state = snapshot()
    try:
        losses, smoothed, stopped = _climb(step_fn, rates, smooth, stop)
    finally:
        restore(state)
    return RangeTest(rates[: len(losses)], np.array(losses), np.array(smoothed), stopped)


def keep_random() -> Callable[[], None]:
    """Note the state of the random numbers (Python, NumPy, and PyTorch if it is imported); the result puts it back."""
    python, numpy = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    tensors = torch and torch.get_rng_state()
    on_gpu = torch.cuda.get_rng_state_all() if torch and torch.cuda.is_initialized() else []

    def put_back() -> None:
        random.setstate(python)
        np.random.set_state(numpy)
        if torch:
            torch.set_rng_state(tensors)
            torch.cuda.set_rng_state_all(on_gpu)

    return put_back


def _ladder(start: float, end: float, n: int, mode: str) -> Array:
    if not positive("use for example 1e-7")("start", start) < positive("use for example 10.0")("end", end):
        raise bad("end", end, f"above start = {start}", "swap the two")
    whole(2, "use for example 100")("steps", n)
    choice("exp", "linear")("mode", mode)
    return np.geomspace(start, end, n) if mode == "exp" else np.linspace(start, end, n)


def _climb(
    step_fn: Callable[[float], float], rates: Array, smooth: float, stop: float
) -> tuple[list[float], list[float], str | None]:
    losses: list[float] = []
    smoothed: list[float] = []
    past, best = 0.0, math.inf
    for i, lr in enumerate(rates.tolist(), start=1):
        loss = float(step_fn(lr))
        if not math.isfinite(loss):
            return losses, smoothed, "not finite"
        past = smooth * past + (1 - smooth) * loss
        now = past / (1 - smooth**i)  # the weights so far sum to this: without it the average starts near 0
        losses.append(loss)
        smoothed.append(now)
        if now > best + (stop - 1) * abs(best):
            return losses, smoothed, "diverged"
        best = min(best, now)
    return losses, smoothed, None


def _fall(x: Array, losses: Array) -> tuple[Array, Array] | None:
    """The part of the curve from its top down to its lowest point: the log rates there and the slopes.

    `None` if there are too few points or the fall may be noise.
    """
    if len(x) < FEWEST_POINTS:
        return None
    early = losses[: max(3, len(x) // 10)]
    height, slope, error = _local_lines(x, np.minimum(losses, early.max()))  # how high a divergence gets is no signal
    margin = EDGE * (x[-1] - x[0])
    inside = (x > x[0] + margin) & (x < x[-1] - margin)
    x, height, slope, error = x[inside], height[inside], slope[inside], error[inside]
    low = int(np.argmin(height))
    high = int(np.argmax(height[: low + 1]))
    x, slope = x[high : low + 1], slope[high : low + 1]
    noise = _noise(losses) * math.hypot(error[high], error[low])
    if height[high] - height[low] <= NOISE_LEVELS * noise or slope.min() >= 0:
        return None
    return x, slope


def _local_lines(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Height and slope at every x of a line fitted to the points around it, and the height's error for noise 1."""
    width = max(DECADES, 2 * float(np.median(np.diff(x))))
    weights = np.exp(-(((x[:, None] - x) / width) ** 2) / 2)
    weights /= weights.sum(axis=1, keepdims=True)
    center, mean = weights @ x, weights @ y
    from_center = x - center[:, None]
    variance = (weights * from_center**2).sum(axis=1)
    pull = weights * from_center / np.maximum(variance, np.finfo(float).tiny)[:, None]
    slope = pull @ y
    ahead = x - center
    return mean + slope * ahead, slope, np.sqrt(((weights + pull * ahead[:, None]) ** 2).sum(axis=1))


def _noise(losses: Array) -> float:
    """The standard deviation of the noise, from second differences, which a smooth curve leaves near 0."""
    return float(1.4826 * np.median(np.abs(np.diff(losses, 2))) / math.sqrt(6))


def _steepest(x: Array, slope: Array) -> float:
    return float(x[np.argmin(slope)])


def _two_thirds(x: Array, slope: Array) -> float:
    steep = np.concatenate([[0], slope <= STEEP * slope.min(), [0]])
    first, after = np.flatnonzero(np.diff(steep) == 1), np.flatnonzero(np.diff(steep) == -1)
    longest = int(np.argmax(x[after - 1] - x[first]))
    a, b = x[first[longest]], x[after[longest] - 1]
    return float(a + 2 / 3 * (b - a))


def _last(x: Array, slope: Array) -> float:
    return float(x[-1])
