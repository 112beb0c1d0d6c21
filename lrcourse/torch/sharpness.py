"""Sharpness: the largest curvature of the training loss, which limits the rate of gradient descent."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..extras import extra
from ..schedules.base import Array
from ..validation import bad, fraction, whole
from .loss_of_weights import LossOfWeights, Weights
from .training import Loss

if TYPE_CHECKING:
    from ..data import Dataset

Tensor = torch.Tensor
LANCZOS_VECTORS = 20  # that the Lanczos method keeps at least: up to this size the whole matrix costs no more


def sharpness(
    model: torch.nn.Module,
    data: "Dataset | tuple[Any, Any]",
    loss: str | Loss = "cross_entropy",
    *,
    parameters: Weights | None = None,
    preconditioner: Weights | None = None,
    batch_size: int | None = None,
    tolerance: float = 1e-4,
) -> float:
    r"""The largest eigenvalue $\lambda_1$ of the Hessian of the loss on all training data.

    $$\lambda_1 = \max_{\|v\| = 1} v^\top H v, \qquad H = \nabla^2 \ell(\theta)$$

    Gradient descent on a bowl with this curvature diverges above $\eta = 2/\lambda_1$. Networks that are trained with
    the full batch at a rate $\eta$ often sharpen until $\lambda_1$ hovers at about $2/\eta$, the *edge of stability*;
    with cross-entropy it falls again as the fit becomes good.

    `data`: a `Dataset`, whose training part is used, or a pair `(x, y)`. `loss`: `"cross_entropy"`, `"mse"` or a
    function of outputs and targets, a mean over the examples. $\theta$ are the parameters with `requires_grad`.
    `parameters`: values to measure at in place of the model's own, by name as in `model.named_parameters()`.
    `preconditioner`: a positive diagonal $P$ by the same names, such as `adam_preconditioner(model, optimizer)`: then
    it is $\lambda_1$ of $P^{-1/2} H P^{-1/2}$. With that of Adam the edge stands at
    $(2 + 2\beta_1) / ((1 - \beta_1) \eta)$, which is $38/\eta$ for $\beta_1 = 0.9$.
    `batch_size`: examples that are held in memory at a time; the result is the same. `tolerance`: relative error.

    The model is measured in evaluation mode, without dropout and with the stored statistics of batch normalization,
    and is afterwards as before, as are the random numbers. Weights at which $H$ is not finite give NaN.

    Raises: `ValueError` for an unknown loss, arguments out of range, and names or shapes that are not the model's.
    Source: Cohen et al., "Gradient descent on neural networks typically occurs at the edge of stability", 2021, and
    "Adaptive gradient methods at the edge of stability", 2022; products with $H$ after Pearlmutter, 1994.

    The loss $(w - 1)^2 + (w - 3)^2$, halved, has the curvature 2 everywhere:

    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> round(sharpness(model, (np.ones((2, 1)), np.array([1.0, 3.0])), "mse"), 4)
    2.0
    """
    measured = top_curvatures(
        model, data, 1, loss, parameters=parameters, preconditioner=preconditioner, batch_size=batch_size,
        tolerance=tolerance,
    )  # fmt: skip
    return float(measured[0])


def top_curvatures(
    model: torch.nn.Module,
    data: "Dataset | tuple[Any, Any]",
    n: int,
    loss: str | Loss = "cross_entropy",
    *,
    parameters: Weights | None = None,
    preconditioner: Weights | None = None,
    batch_size: int | None = None,
    tolerance: float = 1e-4,
) -> Array:
    r"""The `n` largest eigenvalues of the Hessian, $\lambda_1 \ge \dots \ge \lambda_n$: shape `(n,)`.

    Largest means nearest to $+\infty$: a strong negative curvature does not count. All else as in `sharpness`.

    Raises: `ValueError` as `sharpness` does, and for more eigenvalues than weights.

    >>> x, y = np.diag([1.0, 2.0, 3.0]), np.zeros(3)
    >>> top_curvatures(torch.nn.Linear(3, 1, bias=False), (x, y), 2, "mse").round(4)  # of 2/3 diag(1, 4, 9)
    array([6.    , 2.6667])
    """
    n, tolerance = whole(1, "use 1 for the sharpness")("n", n), fraction("use for example 1e-4")("tolerance", tolerance)
    loss_of = LossOfWeights(model, data, loss, parameters, batch_size)
    size = len(loss_of.theta)
    if n > size:
        raise bad("n", n, f"at most the number of weights, {size}", "use 1 for the sharpness")
    scale = torch.ones_like(loss_of.theta)
    if preconditioner is not None:
        scale = loss_of.vector("preconditioner", preconditioner) ** -0.5
        if not (scale.isfinite() & (scale > 0)).all():
            raise bad("preconditioner", "another number", "positive and finite everywhere", "add Adam's epsilon to it")
    with loss_of.measuring():
        times_hessian = product_with_hessian(loss_of)

        def product(vector: Array) -> Array:
            v = torch.as_tensor(vector.ravel(), dtype=scale.dtype, device=scale.device)
            return (scale * times_hessian(scale * v)).double().cpu().numpy()

        return largest_eigenvalues(product, size, n, tolerance)


def adam_preconditioner(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    r"""What Adam divides each weight's step by, by the parameters' names: the update is $-\eta\, P^{-1} m_t$.

    $$P = (1 - \beta_1^t) \left(\sqrt{v_t / (1 - \beta_2^t)} + \epsilon\right)$$

    `optimizer`: `torch.optim.Adam` or `AdamW` after $t \ge 1$ updates, with its means $m_t$ of the gradients and $v_t$
    of their squares.

    Raises: `ValueError` for another optimizer, and one that has not yet updated every parameter of the model.
    Source: Cohen et al., "Adaptive gradient methods at the edge of stability", 2022.

    After one update $v_1 = (1 - \beta_2)\, g^2$, so that $P$ is $(1 - \beta_1)\, |g|$:

    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> optimizer = torch.optim.Adam(model.parameters())
    >>> (3 * model.weight).sum().backward()
    >>> optimizer.step()
    >>> adam_preconditioner(model, optimizer)
    {'weight': tensor([[0.3000]])}
    """
    if not isinstance(optimizer, torch.optim.Adam):
        raise bad("optimizer", type(optimizer).__name__, "Adam or AdamW", "for others build the diagonal by hand")
    group_of = {parameter: group for group in optimizer.param_groups for parameter in group["params"]}
    found = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if not (state := optimizer.state.get(parameter)):
            raise bad("optimizer", type(optimizer).__name__, f"one that has updated {name!r}", "make a step first")
        group, t = group_of[parameter], float(state["step"])
        beta1, beta2 = group["betas"]
        v = state["max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq"]
        found[name] = (1 - beta1**t) * ((v / (1 - beta2**t)).sqrt() + group["eps"])
    return found


def product_with_hessian(loss_of: LossOfWeights) -> Callable[[Tensor], Tensor]:
    r"""The function $v \mapsto H v = \nabla_\theta (\nabla_\theta L \cdot v)$: two gradients, and never the matrix."""
    theta = loss_of.theta.requires_grad_()

    def gradients() -> Iterator[Tensor]:
        for share, x, y in loss_of.batches():
            yield torch.autograd.grad(share * loss_of(theta, x, y), theta, create_graph=True)[0]

    # The first gradient is the same for every v: what fits into the memory in one piece is kept.
    kept = list(gradients()) if loss_of.batch_size is None else None

    def times_hessian(v: Tensor) -> Tensor:
        total = torch.zeros_like(v)
        for gradient in kept or gradients():
            if gradient.requires_grad:  # a loss that is linear in the weights has a constant one
                total += torch.autograd.grad(gradient, theta, v, retain_graph=kept is not None)[0]
        return total

    return times_hessian


def largest_eigenvalues(product: Callable[[Array], Array], size: int, n: int, tolerance: float) -> Array:
    """Of the symmetric matrix behind `product`, by the Lanczos method, which asks for products with vectors only."""
    with extra("torch"):
        from scipy.sparse.linalg import LinearOperator, eigsh

    start = np.random.default_rng(0).standard_normal(size)
    first = product(start)
    if not np.isfinite(first).all():
        return np.full(n, np.nan)
    if not first.any():  # H = 0, of which ARPACK makes an error
        return np.zeros(n)
    if size <= max(LANCZOS_VECTORS, n + 1):
        values = np.linalg.eigvalsh(np.stack([product(row) for row in np.eye(size)]))
    else:
        operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
        values = eigsh(operator, n, which="LA", tol=tolerance, v0=start, return_eigenvectors=False)
    return np.sort(values)[::-1][:n]
