"""A network of the VGG family, from a toy to VGG-16."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..validation import bad, whole

Stages = Sequence[Sequence[int]]

VGG16: Stages = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class Pixels(nn.Module):
    """Images as the data sets have them, gray or channels last and from 0 to 1, made channels first, from -1 to 1."""

    def forward(self, images: Tensor) -> Tensor:
        images = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
        return 2 * images - 1


class VGG(nn.Sequential):
    r"""Stages of 3 × 3 convolutions with ReLU, each stage closed by a 2 × 2 maximum, then fully connected layers.

    `stages`: the channels of each convolution, stage by stage; `VGG16` is the paper's longest but one. `size`,
    `channels`: of the images. `hidden`: units of the fully connected layers before the last. `batch_norm`: normalize
    after each convolution.

    Weights follow He: normal with variance $2 / n$ for a unit with $n$ inputs, so that signals keep their size through
    any number of layers; biases are 0. The last layer starts a hundred times smaller than usual, so that all classes
    are equally likely at first. Call `torch.manual_seed` before you build it.

    Shapes: `(batch, size, size)` or, for color, `(batch, size, size, channels)` gives scores, `(batch, classes)`.

    Raises: `ValueError` for a width below 1 or a size that the stages halve to nothing.
    Source: Simonyan & Zisserman, "Very deep convolutional networks", 2015; He et al., "Delving deep", 2015.

    >>> VGG(stages=[[4], [8]], hidden=[16], size=12, classes=2)(torch.zeros(5, 12, 12)).shape
    torch.Size([5, 2])
    """

    def __init__(
        self,
        stages: Stages = ((8, 8), (16, 16), (32, 32)),
        hidden: Sequence[int] = (64,),
        classes: int = 10,
        *,
        size: int = 32,
        channels: int = 1,
        batch_norm: bool = False,
    ) -> None:
        side = whole(1, "use for example 32 pixels a side")("size", size) >> len(stages)
        if side < 1:
            raise bad(
                "size",
                size,
                f"at least {2 ** len(stages)} for {len(stages)} stages",
                f"use {2 ** len(stages)} or fewer stages",
            )
        layers: list[nn.Module] = [Pixels()]
        width = whole(1, "use 1 for gray images, 3 for color")("channels", channels)
        for stage in stages:
            for filters in stage:
                layers.append(nn.Conv2d(width, whole(1, "use for example 8 channels")("stages", filters), 3, padding=1))
                layers += [nn.BatchNorm2d(filters), nn.ReLU()] if batch_norm else [nn.ReLU()]
                width = filters
            layers.append(nn.MaxPool2d(2))
        layers.append(nn.Flatten())
        width *= side**2
        for units in hidden:
            layers += [nn.Linear(width, whole(1, "use for example 64 units")("hidden", units)), nn.ReLU()]
            width = units
        layers.append(nn.Linear(width, whole(1, "use for example 10")("classes", classes)))
        super().__init__(*layers)
        weighted = [layer for layer in self if isinstance(layer, nn.Conv2d | nn.Linear)]
        for layer in weighted:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        with torch.no_grad():
            weighted[-1].weight *= 0.01
