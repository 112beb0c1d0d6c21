"""A small language model of the GPT family, and what muP changes in it."""

import math
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..validation import bad, choice, not_negative, optional, rate, whole

EMBEDDED = 0.02  # the standard deviation with which embeddings and the head start, as in GPT-2


class Attention(nn.Module):
    """Each token asks all tokens up to itself, and takes a mean of their values, weighted by how well they answer.

    `width`: numbers per token. `heads`: how many such means are taken side by side, each of `width / heads` numbers.
    `scale`: what the products of queries and keys are multiplied with, $1 / \\sqrt{d}$ for heads of $d$ numbers.

    Shapes: `(batch, context, width)` gives the same.
    """

    def __init__(self, width: int, heads: int, scale: float) -> None:
        super().__init__()
        self.query, self.key, self.value, self.output = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.heads, self.scale = heads, scale

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )  # each (batch, heads, context, width / heads)
        scores = self.scale * query @ key.transpose(2, 3) + mask  # (batch, heads, context, context)
        means = scores.softmax(-1) @ value
        return cast(Tensor, self.output(means.transpose(1, 2).flatten(2)))


class Block(nn.Module):
    """Attention, then a perceptron for each token by itself, each of which adds to what is there.

    Both read the sum through a norm, and what they add is not normalized ("pre-norm"): the sum of all blocks stays an
    open way for the gradient.

    Shapes: `(batch, context, width)` gives the same.
    """

    def __init__(self, width: int, heads: int, scale: float) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads, scale)
        self.norm2 = nn.LayerNorm(width)
        self.hidden, self.output = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x), mask)
        return cast(Tensor, x + self.output(F.gelu(self.hidden(self.norm2(x)))))


class GPT(nn.Module):
    r"""A decoder-only transformer: from each token and those before it, the scores of the token that comes next.

    `vocabulary`: how many tokens there are. `context`: the longest sequence. `width`: numbers per token. `heads`,
    which divide the width, and `layers`, the number of blocks. `tied`: the scores are products with the embeddings of
    the tokens; otherwise the head has weights of its own. `base_width`: for muP, see below.

    Matrices inside the blocks start normal with variance $1 / n$ for $n$ inputs; those whose output is added to the
    sum of all blocks, $2 \cdot$`layers` of them, are divided by $\sqrt{2 \cdot \text{layers}}$. Embeddings and the
    head start normal with standard deviation 0.02. There is no dropout, and only norms have biases. Call
    `torch.manual_seed` before you build it.

    **muP** (maximal update parametrization) makes the best rate of Adam the same at each width: tune it at
    `base_width`, where muP changes nothing, then train at another `width` with as many heads. With
    $m$ = `width` / `base_width` and heads of $d$ = `width` / `heads` numbers:

    |                                          | standard       | muP                           |
    |------------------------------------------|----------------|-------------------------------|
    | scores of attention are multiplied with  | $1 / \sqrt{d}$ | $\sqrt{d / m} / d$            |
    | scores of tokens are multiplied with     | 1              | $1 / m$                       |
    | Adam's rate for matrices inside blocks   | $\eta$         | $\eta / m$, see `groups`      |
    | variance at the start, inside blocks     | $1 / n$        | $1 / n$                       |
    | variance at the start, elsewhere         | $0.02^2$       | $0.02^2$, whatever the width  |

    Shapes: whole numbers `(batch, context)` give scores (logits), `(batch, context, vocabulary)`. A sequence may be
    shorter than `context`.

    Raises: `ValueError` for a size below 1, heads that do not divide the width, and a sequence longer than `context`.
    Source: Radford et al., "Language models are unsupervised multitask learners", 2019 (GPT-2); for muP Yang et al.,
    "Tensor programs V", 2022, table 8.

    >>> GPT(vocabulary=50)(torch.zeros(2, 32, dtype=torch.long)).shape
    torch.Size([2, 32, 50])
    """

    causal: Tensor

    def __init__(
        self,
        vocabulary: int,
        context: int = 32,
        width: int = 32,
        heads: int = 2,
        layers: int = 1,
        *,
        tied: bool = True,
        base_width: int | None = None,
    ) -> None:
        super().__init__()
        vocabulary = whole(1, "use for example 64 tokens")("vocabulary", vocabulary)
        context = whole(1, "use for example 32 tokens")("context", context)
        width, heads = whole(1, "use for example 32")("width", width), whole(1, "use for example 2")("heads", heads)
        layers = whole(1, "use for example 1")("layers", layers)
        tied = choice(True, False)("tied", tied)
        base_width = optional(whole(1, "use for example 32, where the rate was tuned"))("base_width", base_width)
        if width % heads:
            raise bad("heads", heads, f"a divisor of the width, {width}", "use 1 or another divisor")
        self.times_wider = 1.0 if base_width is None else width / base_width
        size = width / heads
        scale = math.sqrt(size / self.times_wider) / size
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads, scale) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = None if tied else nn.Linear(width, vocabulary, bias=False)
        # Added to the scores of attention: minus infinity for each token that comes later
        self.register_buffer("causal", torch.full((context, context), -math.inf).triu(1), persistent=False)
        for name, weight in self.named_parameters():
            if self._is_inside(name):
                added = name.endswith("output.weight")
                nn.init.normal_(weight, std=1 / math.sqrt(weight.shape[1] * (2 * layers if added else 1)))
            elif weight.ndim == 2:
                nn.init.normal_(weight, std=EMBEDDED)

    def forward(self, tokens: Tensor) -> Tensor:
        length, context = tokens.shape[-1], len(self.causal)
        if length > context:
            raise bad("tokens", tuple(tokens.shape), f"at most {context} long", "cut them, or build GPT(context=...)")
        x = self.tokens(tokens) + self.positions.weight[:length]
        for block in self.blocks:
            x = block(x, self.causal[:length, :length])
        head = self.tokens if self.head is None else self.head
        return F.linear(self.norm(x), head.weight) / self.times_wider

    def groups(self, lr: float, weight_decay: float = 0.0) -> list[dict[str, Any]]:
        r"""Three parameter groups for Adam or AdamW: matrices inside the blocks, embeddings and head, norms.

        With $m$ times the base width, the first has the rate `lr / m`, and `weight_decay * m` so that their product,
        by which AdamW shrinks a weight in each update, is the same at each width. Norms have no decay. A schedule keeps
        the ratios of the rates with `ScheduleLR(optimizer, schedule, relative=True)`.

        Raises: `ValueError` for a negative rate or decay.

        >>> model = GPT(vocabulary=50, width=64, base_width=32)
        >>> [(group["lr"], group["weight_decay"], len(group["params"])) for group in model.groups(0.01, 0.1)]
        [(0.005, 0.2, 6), (0.01, 0.1, 2), (0.01, 0.0, 6)]
        """
        lr, decay = rate("lr", lr), not_negative("use for example 0.1")("weight_decay", weight_decay)
        named = dict(self.named_parameters())
        inside = [weight for name, weight in named.items() if self._is_inside(name)]
        outside = [weight for name, weight in named.items() if weight.ndim == 2 and not self._is_inside(name)]
        return [
            {"params": inside, "lr": lr / self.times_wider, "weight_decay": decay * self.times_wider},
            {"params": outside, "lr": lr, "weight_decay": decay},
            {"params": [weight for weight in named.values() if weight.ndim == 1], "lr": lr, "weight_decay": 0.0},
        ]

    def _is_inside(self, name: str) -> bool:
        """Whether a parameter is a matrix of a block: both of its sides grow with the width."""
        return name.startswith("blocks.") and self.get_parameter(name).ndim == 2
