"""Momentum for matrices, with all directions made equally long."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ..schedules.base import Array
from ..validation import bad, whole
from .base import Decay, Optimizer, State


def orthogonalize(matrix: ArrayLike, steps: int = 5) -> Array:
    r"""Bring all singular values of a matrix near 1 and leave its singular vectors: $U S V^T \to U S' V^T$.

    Scale to norm 1, then repeat $X \leftarrow aX + b(XX^T)X + c(XX^T)^2X$ with $(a, b, c) = (3.4445, -4.775, 2.0315)$,
    which sends each singular value $\sigma$ to $a\sigma + b\sigma^3 + c\sigma^5$. The three numbers lift small values
    fast and let the others settle anywhere in about 0.7 to 1.2. It costs `steps` times three products and no SVD.

    `matrix`: shape `(rows, columns)`; the result has the same shape. Zeros stay zeros.

    Raises: `ValueError` if `matrix` has not two axes or `steps` is not a whole number ≥ 0.
    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024 (Newton-Schulz iteration).

    >>> singular_values = np.linalg.svd(orthogonalize([[3.0, 1.0], [0.0, 0.5]]), compute_uv=False)
    >>> bool(np.all((singular_values > 0.6) & (singular_values < 1.3)))
    True
    """
    x = np.asarray(matrix, dtype=np.float64)
    if x.ndim != 2:
        raise bad("matrix", x.shape, "of shape (rows, columns)", "use SGD or AdamW for vectors and numbers")
    if x.shape[0] > x.shape[1]:  # the products are cheaper on the short side
        return orthogonalize(x.T, steps).T
    x = x / np.maximum(np.linalg.norm(x), 1e-7)
    for _ in range(whole(0, "use for example 5")("steps", steps)):
        gram = x @ x.T
        x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
    return x


@dataclass(kw_only=True)
class Muon(Optimizer):
    r"""Momentum whose step is orthogonalized: no direction of a weight matrix is left behind.

    $$m \leftarrow \mu m + (1 - \mu) g, \qquad
      \theta \leftarrow \theta - \eta\lambda\theta - \eta \, r \, \mathrm{orthogonalize}((1 - \mu) g + \mu m)$$

    $r$ makes the rate mean the same for every shape (rows, columns). "torch" and "paper": $r = \sqrt{\max(1,
    \mathrm{rows}/\mathrm{columns})}$. "keras": $r = 0.2\sqrt{\max(\mathrm{rows}, \mathrm{columns})}$, at which a rate
    tuned for AdamW can stay. (Torch: `adjust_lr_fn`.) The paper and Keras sum gradients instead of averaging them, $m
    \leftarrow \mu m + g$, but orthogonalizing forgets the scale. `nesterov=False` orthogonalizes $m$.
    Defaults (lr, weight decay): torch 0.001, 0.1; Keras 0.001, 0.004; paper 0.02, 0. Torch rounds to bfloat16 while it
    orthogonalizes; here all is float64.

    Raises: `ValueError` for a parameter that is not a matrix.
    Source: Jordan et al., 2024 (see `orthogonalize`); for Keras's $r$ Liu et al., "Muon is scalable for LLM training",
    2025.

    >>> step = Muon(lr=0.1, weight_decay=0.0).step(np.zeros((2, 2)), [[1.0, 0.0], [0.0, 0.01]])
    >>> bool(step[1, 1] / step[0, 0] > 0.3)  # SGD's ratio is 0.01
    True
    """

    momentum: Decay = 0.95
    nesterov: bool = True

    decoupled: ClassVar = True
    conventions: ClassVar = {
        "torch": {"lr": 0.001, "weight_decay": 0.1},
        "keras": {"lr": 0.001, "weight_decay": 0.004},
        "paper": {"lr": 0.02, "weight_decay": 0.0},
    }

    def start(self, x: Array) -> State:
        if x.ndim != 2:
            raise bad(
                "params", x.shape, "matrices of shape (rows, columns)", "use SGD or AdamW for vectors and numbers"
            )
        return State(m=0 * x)

    def update(self, x: Array, g: Array, s: State, lr: float) -> Array:
        s.m = self.momentum * s.m + (1 - self.momentum) * g
        mixed = (1 - self.momentum) * g + self.momentum * s.m if self.nesterov else s.m
        rows, columns = x.shape
        scale = 0.2 * np.sqrt(max(rows, columns)) if self.convention == "keras" else np.sqrt(max(1, rows / columns))
        return x - lr * scale * orthogonalize(mixed)
