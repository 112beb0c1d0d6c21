"""What a PyTorch optimizer uses at each update, by its own hooks; nothing of PyTorch is imported."""

import math
from typing import Any

from ..validation import bad
from .rows import Rows


def unwrapped(optimizer: Any) -> Any:
    """The optimizer that makes the updates, in whatever wraps it."""
    inner = optimizer
    while hasattr(inner, "optimizer"):  # accelerate's looks like one of torch, but has no hooks
        inner = inner.optimizer
    if not hasattr(inner, "register_step_pre_hook"):
        fix = "for Keras pass AuditCallback(audit) to fit, else call audit.record(rate) for each update"
        raise bad("optimizer", type(optimizer).__name__, "a PyTorch optimizer", fix)
    return inner


def attached(rows: Rows, optimizer: Any, scheduler: Any, scaler: Any, step: int | None) -> Any:
    """Have every update of `optimizer` noted in `rows`; returns what ends that, by `.remove()`."""
    scaler = scaler or getattr(optimizer, "scaler", None)  # accelerate's optimizer brings its own
    watch = Watch(rows, getattr(scheduler, "scheduler", scheduler), scaler, step)
    return unwrapped(optimizer).register_step_pre_hook(watch)


def length(scheduler: Any) -> int | None:
    """The steps that a scheduler of PyTorch was built for, if it says so."""
    inner = getattr(scheduler, "scheduler", scheduler)
    given = (getattr(inner, name, None) for name in ("total_steps", "T_max", "total_iters"))
    return next((each for each in given if isinstance(each, int) and each > 1), None)


class Watch:
    """Called right before each update."""

    def __init__(self, rows: Rows, scheduler: Any, scaler: Any, step: int | None) -> None:
        self.rows, self.scheduler, self.scaler, self.first = rows, scheduler, scaler, step
        self.scale = _scale(scaler)
        self.made: int | None = None
        self.waiting = 0  # skipped updates since the last one that was made

    def __call__(self, optimizer: Any, *_: Any) -> None:
        if self.made is None:
            self.made = _made(optimizer) if self.first is None else self.first
        if (scale := _scale(self.scaler)) < self.scale:  # each skipped update has lowered it by a factor
            self.waiting += max(1, round(math.log(scale / self.scale, self.scaler.get_backoff_factor())))
        self.scale = scale
        if float(getattr(optimizer, "found_inf", None) or 0) > 0:  # a fused optimizer is called, and skips by itself
            return
        groups = optimizer.param_groups
        rate = tuple(float(group["lr"]) for group in groups)
        if not any(rate) and _without_gradient(groups):
            return  # torch.distributed.checkpoint makes it before it saves or loads, so that there are moments
        self.rows.add(
            self.made, rate, tuple(map(_momentum, groups)), None, self.waiting, self._position(), self._told()
        )
        self.made, self.waiting = self.made + 1, 0

    def _position(self) -> float | None:
        if self.scheduler is None or hasattr(self.scheduler, "num_bad_epochs"):  # a plateau counts what it is told
            return None
        position = getattr(self.scheduler, "last_epoch", None)
        return None if position is None else float(position)

    def _told(self) -> tuple[float, ...] | None:
        if self.scheduler is None or not hasattr(self.scheduler, "get_last_lr"):
            return None
        return tuple(float(each) for each in self.scheduler.get_last_lr())


def _without_gradient(groups: list[dict[str, Any]]) -> bool:
    """Whether there are gradients, and all of them are 0."""
    there = [each.grad for group in groups for each in group["params"] if each.grad is not None]
    return bool(there) and not any(float(each.norm()) for each in there)


def _scale(scaler: Any) -> float:
    return math.inf if scaler is None or not scaler.is_enabled() else float(scaler.get_scale())


def _momentum(group: dict[str, Any]) -> float:
    return float(group["betas"][0] if "betas" in group else group.get("momentum", math.nan))


def _made(optimizer: Any) -> int:
    """The updates that the optimizer's state has counted; 0 if it counts none, as SGD does."""
    return max((int(state["step"]) for state in optimizer.state.values() if "step" in state), default=0)
