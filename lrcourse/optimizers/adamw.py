"""Adam with weight decay beside the step instead of inside it."""

from dataclasses import dataclass
from typing import ClassVar

from ..schedules import Schedule
from ..validation import OptionalRate, bad
from .adam import Adam


@dataclass(kw_only=True)
class AdamW(Adam):
    r"""Adam, and every parameter shrinks by a fixed part, whatever its gradients were.

    $$\theta \leftarrow \theta - \eta\lambda\theta - \eta \, \frac{\hat m}{\sqrt{\hat v} + \epsilon}$$

    In Adam, decay added to the gradient is divided by $\sqrt{\hat v}$ with it: large gradients hide the decay.

    "torch": $\lambda = 0.01$. "keras": $\lambda = 0.004$, and Keras's place of epsilon (see `Adam`).
    "paper": the shrinkage is $\frac{\eta_t}{\alpha}\lambda\theta$. A schedule scales it, but the size $\alpha$ of
    the rate does not, so rate and decay can be tuned one at a time; $\lambda = 10^{-5}$ is torch's shrinkage at
    $\alpha = 0.001$.

    `alpha` ("paper" only): the rate at which $\lambda$ counts in full, a number `lr` itself if you leave it out.

    Raises: `ValueError` if the "paper" convention gets a schedule and no `alpha`, or an `alpha` of zero.
    Source: Loshchilov & Hutter, "Decoupled weight decay regularization", 2019, algorithm 2.

    >>> AdamW(lr=0.1, weight_decay=0.5).step([10.0], [0.0])
    array([9.5])
    >>> AdamW(lr=0.1, weight_decay=0.5, convention="paper").step([10.0], [0.0])
    array([5.])
    """

    alpha: OptionalRate = None

    decoupled: ClassVar = True
    conventions: ClassVar = {
        "torch": {"lr": 0.001, "eps": 1e-8, "weight_decay": 0.01},
        "keras": {"lr": 0.001, "eps": 1e-7, "weight_decay": 0.004},
        "paper": {"lr": 0.001, "eps": 1e-8, "weight_decay": 1e-5},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alpha is None and not isinstance(self.lr, Schedule):
            self.alpha = self.lr
        if self.convention == "paper" and not self.alpha:
            raise bad("alpha", self.alpha, "the positive rate that decay refers to", "pass the schedule's peak")

    def shrinkage(self, lr: float) -> float:
        unit = self.alpha if self.alpha and self.convention == "paper" else 1.0
        return lr / unit * self.weight_decay
