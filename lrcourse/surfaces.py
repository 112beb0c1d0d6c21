"""Losses of two parameters that can be drawn, and the path an optimizer takes over them.

A surface is a function `f(x, y)` of arrays of one shape, with `gradient(x, y)` and a lowest point, `minimum`.
"""

import copy
from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import ArrayLike

from .optimizers import Optimizer
from .schedules.base import Array
from .validation import bad, check_fields, positive, whole

Point = tuple[float, float]
Curvature = Annotated[float, positive("use for example 1.0, or a Saddle to curve down")]


class Surface(Protocol):
    """What `descend` and the contour plots need of a surface."""

    @property
    def minimum(self) -> Point: ...

    def __call__(self, x: ArrayLike, y: ArrayLike) -> Array: ...

    def gradient(self, x: ArrayLike, y: ArrayLike) -> Array:
        """$(\\partial f/\\partial x, \\partial f/\\partial y)$, of shape `(2, *shape of x)`."""
        ...


@dataclass(frozen=True)
class Bowl:
    r"""A quadratic with one curvature per axis, $f = (a x^2 + b y^2) / 2$.

    Gradient descent multiplies $x$ by $1 - \eta a$ and $y$ by $1 - \eta b$ in every step. It converges below
    `threshold` $= 2/L$, where $L = \max(a, b)$; at the threshold it jumps to and fro, above it diverges.

    `a`, `b`: positive curvatures. Raises: `ValueError` otherwise.

    >>> Bowl(a=1.0, b=10.0).threshold
    0.2
    >>> Bowl(a=1.0, b=10.0).gradient(3.0, 1.0)
    array([ 3., 10.])
    """

    a: Curvature = 1.0
    b: Curvature = 1.0

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def minimum(self) -> Point:
        return 0.0, 0.0

    @property
    def threshold(self) -> float:
        """The rate at which plain gradient descent stops converging, $2/L$."""
        return 2 / max(self.a, self.b)

    def __call__(self, x: ArrayLike, y: ArrayLike) -> Array:
        return (self.a * np.square(x) + self.b * np.square(y)) / 2

    def gradient(self, x: ArrayLike, y: ArrayLike) -> Array:
        return np.array([self.a * np.asarray(x), self.b * np.asarray(y)])


@dataclass(frozen=True)
class Ravine:
    r"""Steep walls across, a floor that falls gently along, $f = \frac{s}{2} y^2 + g (\sqrt{1 + x^2} - 1)$.

    However far away, the floor is never steeper than $g$; the walls have the curvature $s$. A rate below $2/s$, which
    the walls demand, needs about $|x| / (\eta g)$ steps along the floor: one rate cannot suit both.

    `steep`: $s > 0$. `gentle`: $g > 0$. Raises: `ValueError` otherwise.

    >>> Ravine(steep=20.0, gentle=0.1).gradient(-5.0, 0.5).round(2)
    array([-0.1, 10. ])
    """

    steep: Annotated[float, positive("use for example 20.0")] = 20.0
    gentle: Annotated[float, positive("use for example 0.1")] = 0.1

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def minimum(self) -> Point:
        return 0.0, 0.0

    def __call__(self, x: ArrayLike, y: ArrayLike) -> Array:
        return self.steep / 2 * np.square(y) + self.gentle * (np.sqrt(1 + np.square(x)) - 1)

    def gradient(self, x: ArrayLike, y: ArrayLike) -> Array:
        return np.array([self.gentle * np.asarray(x) / np.sqrt(1 + np.square(x)), self.steep * np.asarray(y)])


@dataclass(frozen=True)
class Saddle:
    r"""A saddle at the origin between two equal minima, $f = x^2/2 - y^2/2 + y^4/4$.

    On the line $y = 0$ gradient descent runs into the saddle and stays, since the gradient vanishes there; any other
    start ends at $(0, 1)$ or, with the same loss of $-1/4$, at $(0, -1)$.

    >>> saddle = Saddle()
    >>> saddle.gradient(0.0, 0.0), float(saddle(*saddle.minimum))
    (array([0., 0.]), -0.25)
    """

    @property
    def minimum(self) -> Point:
        return 0.0, 1.0

    def __call__(self, x: ArrayLike, y: ArrayLike) -> Array:
        return (np.square(x) - np.square(y)) / 2 + np.square(y) ** 2 / 4

    def gradient(self, x: ArrayLike, y: ArrayLike) -> Array:
        return np.array([np.asarray(x, dtype=float), np.asarray(y) ** 3 - np.asarray(y)])


@dataclass(frozen=True)
class Bumpy:
    r"""A bowl with bumps: where you start decides.

    $$f = \frac{c}{2}(x^2 + y^2) + h (2 - \cos 2\pi x - \cos 2\pi y)$$

    There is a local minimum near each point of whole numbers as long as the bumps are steeper there than the bowl,
    $c \, |x| < 2\pi h$; the lowest is at the origin. (Rastrigin's function, scaled.)

    `curvature`: $c$, of the bowl. `height`: $h$, half a bump. Raises: `ValueError` unless both are positive.

    >>> bumpy = Bumpy()
    >>> bool(bumpy(1.0, 0.0) < bumpy(0.5, 0.0))
    True
    """

    curvature: Curvature = 0.4
    height: Annotated[float, positive("use for example 0.3, or a Bowl for no bumps")] = 0.3

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def minimum(self) -> Point:
        return 0.0, 0.0

    def __call__(self, x: ArrayLike, y: ArrayLike) -> Array:
        waves = np.cos(2 * np.pi * np.asarray(x)) + np.cos(2 * np.pi * np.asarray(y))
        return self.curvature / 2 * (np.square(x) + np.square(y)) + self.height * (2 - waves)

    def gradient(self, x: ArrayLike, y: ArrayLike) -> Array:
        xy = np.array([x, y], dtype=float)
        return self.curvature * xy + self.height * 2 * np.pi * np.sin(2 * np.pi * xy)


@dataclass(frozen=True)
class Rosenbrock:
    r"""A curved valley, $f = (1 - x)^2 + b (y - x^2)^2$: easy to find, slow to follow to its end at $(1, 1)$.

    `b`: how steep the walls are, positive. Raises: `ValueError` otherwise.
    Source: Rosenbrock, "An automatic method for finding the greatest or least value of a function", 1960.

    >>> float(Rosenbrock()(1.0, 1.0)), Rosenbrock().gradient(1.0, 1.0)
    (0.0, array([0., 0.]))
    """

    b: Annotated[float, positive("use for example 100.0")] = 100.0

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def minimum(self) -> Point:
        return 1.0, 1.0

    def __call__(self, x: ArrayLike, y: ArrayLike) -> Array:
        return np.square(1 - np.asarray(x)) + self.b * np.square(np.asarray(y) - np.square(x))

    def gradient(self, x: ArrayLike, y: ArrayLike) -> Array:
        off = np.asarray(y) - np.square(x)
        return np.array([2 * (np.asarray(x) - 1) - 4 * self.b * np.asarray(x) * off, 2 * self.b * off])


class RegressionLoss:
    r"""The mean squared error of a line, $f(u, w) = \frac1n \sum_i (u + w x_i - y_i)^2$, with intercept $u$, slope $w$.

    It is a bowl whose axes are tilted where the mean of the $x_i$ is not 0.

    `x`, `y`: n numbers each, of any shape (a column `(n, 1)` as well). Surface coordinates: x is the intercept $u$, y
    the slope $w$. `minimum`: the least-squares line.

    Raises: `ValueError` if `x` and `y` differ in size, or all `x` are equal (then no slope is best).

    >>> loss = RegressionLoss(x=[0.0, 1.0, 2.0], y=[4.0, 7.0, 10.0])
    >>> [round(number, 6) for number in loss.minimum]
    [4.0, 3.0]
    >>> loss.gradient(4.0, 2.0).round(3)  # the line is too flat
    array([-2.   , -3.333])
    """

    def __init__(self, x: ArrayLike, y: ArrayLike) -> None:
        self.x, self.y = np.ravel(np.asarray(x, dtype=float)), np.ravel(np.asarray(y, dtype=float))
        if self.x.size != self.y.size:
            raise bad("y", self.y.size, f"as many numbers as x has ({self.x.size})", "pass one y per x")
        if np.unique(self.x).size < 2:
            raise bad("x", self.x, "at least two different numbers", "pass data that a line can be fitted to")

    @property
    def minimum(self) -> Point:
        slope, intercept = np.polyfit(self.x, self.y, 1)
        return float(intercept), float(slope)

    def _errors(self, x: ArrayLike, y: ArrayLike) -> Array:
        return np.asarray(x)[..., None] + np.asarray(y)[..., None] * self.x - self.y

    def __call__(self, x: ArrayLike, y: ArrayLike) -> Array:
        return np.asarray(np.mean(self._errors(x, y) ** 2, axis=-1))

    def gradient(self, x: ArrayLike, y: ArrayLike) -> Array:
        errors = self._errors(x, y)
        return np.array([2 * np.mean(errors, axis=-1), 2 * np.mean(errors * self.x, axis=-1)])


def descend(surface: Surface, optimizer: Optimizer, start: Point, steps: int) -> Array:
    r"""The points an optimizer visits, the start included: an array of shape `(steps + 1, 2)`.

    It works on a copy of `optimizer`, so one optimizer serves several starts. A path that diverges is followed to `inf`
    and `nan` without a warning. (`ScheduleFreeSGD`: the points are its $y$, where gradients are taken.)

    Raises: `ValueError` if `start` is not a point or `steps` is not a whole number ≥ 0.

    >>> from lrcourse.optimizers import SGD
    >>> descend(Bowl(a=1.0, b=10.0), SGD(lr=0.1), start=(1.0, 1.0), steps=2).round(2)
    array([[1.  , 1.  ],
           [0.9 , 0.  ],
           [0.81, 0.  ]])
    """
    point = np.array(start, dtype=float)
    if point.shape != (2,):
        raise bad("start", start, "a point (x, y)", "pass two numbers")
    optimizer, path = copy.deepcopy(optimizer), [point]
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(whole(0, "use for example 100")("steps", steps)):
            path.append(optimizer.step(path[-1], surface.gradient(*path[-1])))
    return np.array(path)
