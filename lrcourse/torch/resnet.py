"""A residual network for small pictures."""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..validation import bad, choice, whole
from .vgg import Pixels

STAGES = 3
GROUPS = 4  # of the channels that GroupNorm normalizes together


class Residual(nn.Module):
    """Two 3 × 3 convolutions, whose result is added to their input.

    With more channels than before, the picture is halved: the input is taken at every other pixel, and the channels
    that it lacks are 0.

    Shapes: `(batch, inputs, size, size)` gives the same or `(batch, outputs, size / 2, size / 2)`.
    """

    def __init__(self, inputs: int, outputs: int, norm: str | None) -> None:
        super().__init__()
        self.stride, self.added = (1, 0) if inputs == outputs else (2, outputs - inputs)
        self.convolution1 = nn.Conv2d(inputs, outputs, 3, self.stride, padding=1, bias=norm is None)
        self.norm1 = normalized(outputs, norm)
        self.convolution2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=norm is None)
        self.norm2 = normalized(outputs, norm)

    def forward(self, x: Tensor) -> Tensor:
        change = self.norm1(self.convolution1(x)).relu()
        change = self.norm2(self.convolution2(change))
        kept = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.added))
        return cast(Tensor, (kept + change).relu())


class ResNet(nn.Sequential):
    r"""A convolution, three stages of residual blocks, the mean over all pixels, and a linear layer.

    `depth` = $6 n + 2$ layers with weights, for $n$ blocks of two in each stage: 8, 14, 20, … `width`: channels of the
    first stage; the second and the third have twice and four times as many, at half and a quarter of the size.
    `channels`: 1 for gray pictures, 3 for color. `norm`: `"group"` (four groups of channels, each picture by itself),
    `"batch"` or None; with `"batch"` many networks cannot be trained as one.

    Convolutions follow He: normal with variance $2 / n$ for a unit with $n$ inputs. Without norms the last one of each
    block is divided by the square root of the number of blocks, or their sum would grow. The last layer starts small,
    so that all classes are equally likely at first. Call `torch.manual_seed` before you build it.

    Shapes: `(batch, size, size)` or, for color, `(batch, size, size, channels)` gives scores, `(batch, classes)`. Any
    size will do, for example 8 to 32.

    Raises: `ValueError` for another depth, a number below 1, an unknown norm, a width that has no four groups.
    Source: He et al., "Deep residual learning", 2016, section 4.2 (there the width is 16); Wu & He, "Group
    normalization", 2018; without norms: De & Smith, "Batch normalization biases residual blocks", 2020.

    >>> ResNet(depth=8, width=4)(torch.zeros(5, 8, 8)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self, depth: int = 8, width: int = 8, classes: int = 10, *, channels: int = 1, norm: str | None = "group"
    ) -> None:
        depth = whole(8, "use for example 8 or 20")("depth", depth)
        width = whole(1, "use for example 8 channels")("width", width)
        classes = whole(1, "use for example 10")("classes", classes)
        channels = whole(1, "use 1 for gray pictures, 3 for color")("channels", channels)
        norm = choice("group", "batch", None)("norm", norm)
        blocks, left = divmod(depth - 2, 2 * STAGES)
        if left:
            raise bad("depth", depth, "6 n + 2", f"use {depth - left} or {depth - left + 2 * STAGES}")
        if norm == "group" and width % GROUPS:
            raise bad("width", width, f"a multiple of {GROUPS} for GroupNorm", f"use {-(-width // GROUPS) * GROUPS}")
        layers: list[nn.Module] = [Pixels(), nn.Conv2d(channels, width, 3, padding=1, bias=norm is None)]
        layers += [normalized(width, norm), nn.ReLU()]
        before = width
        for stage in range(STAGES):
            for _ in range(blocks):
                layers.append(Residual(before, width * 2**stage, norm))
                before = width * 2**stage
        head = nn.Linear(before, classes)
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        nn.init.normal_(head.weight, std=0.01)
        nn.init.zeros_(head.bias)
        if norm is None:
            with torch.no_grad():
                for block in self:
                    if isinstance(block, Residual):
                        block.convolution2.weight /= math.sqrt(STAGES * blocks)


def normalized(channels: int, norm: str | None) -> nn.Module:
    if norm is None:
        return nn.Identity()
    return nn.BatchNorm2d(channels) if norm == "batch" else nn.GroupNorm(GROUPS, channels)
