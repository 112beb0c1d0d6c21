"""A small network that learns a line, as Lightning and the Trainer of Hugging Face want to have it."""

from typing import Any

import pytorch_lightning as pl
import torch


def network() -> torch.nn.Module:
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))


class Module(pl.LightningModule):
    """What a reader has: a model and its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def training_step(self, batch: Any, i: int) -> torch.Tensor:
        x, y = batch
        return ((self.network(x) - y) ** 2).mean()


class Regression(torch.nn.Module):
    """What the Trainer takes: a module that returns its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": ((self.network(x) - labels) ** 2).mean()}
