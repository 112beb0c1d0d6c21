"""The gradient noise scale: the batch from which on a larger one hardly makes the gradient any truer."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.func import grad, vmap

from ..validation import bad, not_negative, whole
from .loss_of_weights import LossOfWeights, Weights
from .training import Loss

if TYPE_CHECKING:
    from ..data import Dataset


@dataclass(frozen=True)
class NoiseScale:
    r"""What the gradient of a batch is made of: its expectation $G$, and the covariance $\Sigma$ of one example's.

    $$\mathbb{E}\,|G_B|^2 = |G|^2 + \mathrm{tr}(\Sigma) / B$$

    for batches of $B$ examples. `gradient_squared`: $|G|^2$. `trace`: $\mathrm{tr}(\Sigma)$. Estimates of either may be
    negative by chance, and are then no less right on average.

    >>> NoiseScale(gradient_squared=2.0, trace=100.0).simple
    50.0
    """

    gradient_squared: float
    trace: float

    @property
    def simple(self) -> float:
        r"""$B_\mathrm{simple} = \mathrm{tr}(\Sigma) / |G|^2$, in examples: there, signal and noise are as large.

        On a loss that curves alike in all directions, this batch takes twice the fewest possible steps, and twice the
        fewest possible examples. Infinite where there is no gradient, and NaN where an estimate of $|G|^2$ or
        $\mathrm{tr}(\Sigma)$ is negative: then average both over more batches first.
        """
        if min(self.gradient_squared, self.trace) < 0:
            return math.nan
        return self.trace / self.gradient_squared if self.gradient_squared > 0 else math.inf


def noise_scale(
    model: torch.nn.Module,
    data: "Dataset | tuple[Any, Any]",
    loss: str | Loss = "cross_entropy",
    *,
    parameters: Weights | None = None,
    batch_size: int = 100,
) -> NoiseScale:
    r"""The noise scale of mini-batches from the training data, by the gradient $g_i$ of each of its $n$ examples.

    $$G = \frac1n \sum_i g_i, \qquad \mathrm{tr}(\Sigma) = \frac1n \sum_i |g_i - G|^2$$

    Exact, as the data is all there is to draw from. For data that stand for a population, correct by
    `two_batch_noise_scale(1, n, small_square=trace + gradient_squared, big_square=gradient_squared)`.

    `data`, `loss`, `parameters`: as in `lrcourse.torch.sharpness`. `batch_size`: gradients that are held in memory at a
    time; the result is the same. The model is measured in evaluation mode, and is afterwards as before.

    Raises: `ValueError` for an unknown loss, a `batch_size` below 1, and names or shapes that are not the model's.
    Source: McCandlish et al., "An empirical model of large-batch training", 2018, section 2.2.

    To estimate a mean is to descend on $(w - y)^2$: $g_i = 2 (w - y_i)$. At $w = 0$, for the examples 1 and 3:

    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> found = noise_scale(model, ([[1.0], [1.0]], [1.0, 3.0]), "mse", parameters={"weight": torch.zeros(1, 1)})
    >>> found, found.simple
    (NoiseScale(gradient_squared=16.0, trace=4.0), 0.25)
    """
    loss_of = LossOfWeights(model, data, loss, parameters, batch_size)
    theta = loss_of.theta
    with loss_of.measuring():
        mean = torch.zeros_like(theta)
        for share, x, y in loss_of.batches():
            mean += share * grad(loss_of)(theta, x, y)

        def squared_distance(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            gradient: torch.Tensor = grad(loss_of)(theta, x[None], y[None])
            return (gradient - mean).square().sum()

        # A square per example comes out, so that no more gradients than a chunk's are ever there.
        each = vmap(squared_distance, randomness="different", chunk_size=loss_of.batch_size)(loss_of.x, loss_of.y)
    return NoiseScale(mean.double().square().sum().item(), each.double().mean().item())


def two_batch_noise_scale(small: int, big: int, small_square: float, big_square: float) -> NoiseScale:
    r"""The noise scale from the squared norms of gradients of batches of two sizes, without bias.

    $$|G|^2 \approx \frac{B |G_B|^2 - b |G_b|^2}{B - b}, \qquad
      \mathrm{tr}(\Sigma) \approx \frac{|G_b|^2 - |G_B|^2}{1/b - 1/B}$$

    `small`, `big`: the sizes $b < B$ in examples. `small_square`, `big_square`: $|G_b|^2$ and $|G_B|^2$, each best as a
    mean over many batches. Means of several results are without bias as well; a mean of their ratios is not.

    Raises: `ValueError` for sizes below 1 or not in this order, and a negative square.
    Source: McCandlish et al., "An empirical model of large-batch training", 2018, appendix A.1.

    >>> two_batch_noise_scale(small=1, big=4, small_square=10.0, big_square=4.0)
    NoiseScale(gradient_squared=2.0, trace=8.0)
    """
    small = whole(1, "use for example 1")("small", small)
    big = whole(1, "use for example 1024")("big", big)
    if not small < big:
        raise bad("big", big, f"larger than small = {small}", "measure batches of two sizes")
    square = not_negative("a square is not; use for example 1.0")
    small_square, big_square = square("small_square", small_square), square("big_square", big_square)
    gradient_squared = (big * big_square - small * small_square) / (big - small)
    return NoiseScale(gradient_squared, (small_square - big_square) / (1 / small - 1 / big))
