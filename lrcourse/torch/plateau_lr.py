"""A rate that falls when a metric stops improving, after a warm-up."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NoReturn

import torch

from ..schedules import Constant, Plateau, Schedule, warmup
from ..validation import bad, rate, steps_or_zero
from .per_group import PerGroup, Schedules
from .schedule_lr import ScheduleLR

MEMORY = ("lr", "best", "bad_updates", "cooling")


class PlateauLR(ScheduleLR):
    r"""A warm-up on an optimizer, and then a rate that `plateau` cuts when a metric has stopped improving.

    Call `.step()` after each `optimizer.step()`, as with every scheduler, and `.update(metric)` after each evaluation.

    `plateau`: its `lr` is the rate after the warm-up; see `Plateau` for what it does with the metric. `warmup`: steps
    of a line from `start` up to there. A metric that comes during the warm-up counts for nothing: neither is the rate
    cut, nor is it the best so far. `momentum`, `relative`: as for `ScheduleLR`, of which this is one: groups keep their
    ratio, and `min_lr` is that of the fastest.

    With the same settings, but for `patience`, which is one more here than in `torch.optim.lr_scheduler`, and `eps=0`
    there, the rates are those of its `ReduceLROnPlateau`. Where several processes train, give all of them the same
    metric. Lightning: configure it with `"interval": "step"`, and leave its sanity check out, which runs before the
    training, also of a run that goes on:

        def on_validation_epoch_end(self):
            if not self.trainer.sanity_checking:
                self.lr_schedulers().update(self.trainer.callback_metrics["val_loss"])

    The `Trainer` of Hugging Face: in a callback,

        class Cut(TrainerCallback):
            def on_evaluate(self, args, state, control, metrics=None, lr_scheduler=None, **others):
                lr_scheduler.update(metrics["eval_loss"])

    `state_dict` holds the memory as well. Settings may be changed in `scheduler.plateau`, a copy of what was given,
    after loading the saved ones.

    Raises: `ValueError` for a plateau of the wrong type or one that was used before, a number out of range, what
    `ScheduleLR` raises.

    >>> weight = torch.nn.Parameter(torch.zeros(1))
    >>> optimizer = torch.optim.SGD([weight], lr=0.1)
    >>> scheduler = PlateauLR(optimizer, Plateau(lr=1.0, factor=0.5, patience=1), warmup=2)
    >>> for loss in [3.0, 3.0, 2.0, 2.0, 1.0]:
    ...     print(scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    ...     scheduler.update(loss)
    [0.0]
    [0.5]
    [1.0]
    [1.0]
    [0.5]
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        plateau: Plateau,
        *,
        warmup: int = 0,
        start: float = 0.0,
        momentum: Schedules | None = None,
        relative: bool = False,
    ) -> None:
        if not isinstance(plateau, Plateau):
            raise bad("plateau", plateau, "a Plateau", "write for example Plateau(0.1, factor=0.5, patience=3)")
        if plateau.best is not None or plateau.bad_updates or plateau.cooling:
            raise bad("plateau", plateau, "a new one", "build another, and load what state_dict returned to go on")
        self.plateau, self.first = replace(plateau), plateau.lr  # one plateau may be given to several schedulers
        self.warmup, self.start = steps_or_zero("warmup", warmup), rate("start", start)
        super().__init__(optimizer, self._schedule(), momentum, relative=relative)

    def update(self, metric: float | torch.Tensor) -> None:
        """Take the newest value of the metric; if the rate is cut by it, the next update has the new one.

        Raises: `ValueError` for what is no number. NaN and infinity are numbers that never improve.
        """
        try:
            value = float(metric.detach() if isinstance(metric, torch.Tensor) else metric)
        except (TypeError, ValueError, RuntimeError):
            raise bad("metric", metric, "a number", "pass for example the mean loss of the validation data") from None
        if self.last_epoch < self.warmup:
            return
        before = self.plateau.lr
        if self.plateau.update(value) != before:
            super().continue_with(self._schedule())

    def continue_with(self, schedule: Schedules, momentum: Schedules | None = None) -> NoReturn:
        """Not here: a plateau is no function of the step.

        Raises: `ValueError`, always.
        """
        raise bad("schedule", schedule, "left to the plateau", "set scheduler.plateau.patience, or build a ScheduleLR")

    def state_dict(self) -> dict[str, Any]:
        """The step, the warm-up and the plateau with its memory, as plain data."""
        own = {"first": self.first, "warmup": self.warmup, "start": self.start}
        return {**super().state_dict(), "plateau": {**self.plateau.state_dict(), **own}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue at the step and with the memory of `state_dict`, and apply its rate to the optimizer at once.

        Raises: `ValueError` if the state was saved with other settings than these, or for other groups; then nothing
        changes.
        """
        saved = state_dict.get("plateau")
        if not isinstance(saved, Mapping):
            raise bad("plateau", saved, "what a PlateauLR has saved", "load what its state_dict returned")
        for name, own in self.state_dict()["plateau"].items():
            if name not in MEMORY and saved.get(name) != own:
                raise bad(f"plateau[{name!r}]", saved.get(name), f"the one of this scheduler, {own!r}",
                          "build it with the saved one, and set it in scheduler.plateau after loading")  # fmt: skip
        kept, table = self.plateau.state_dict(), self.rates
        try:
            self.plateau.load_state_dict({each.name: saved.get(each.name) for each in fields(Plateau)})
            self.rates = PerGroup("schedule", self._schedule())
            super().load_state_dict({name: value for name, value in state_dict.items() if name != "plateau"})
        except Exception:
            self.plateau.load_state_dict(kept)
            self.rates = table
            raise

    def _schedule(self) -> Schedule:
        """The warm-up to the first rate, and then the rate of now: what is past is not read again."""
        if self.warmup == 0:
            return Constant(self.plateau.lr)
        rise = warmup(Constant(self.first), self.warmup, self.start)
        return rise if self.plateau.lr == self.first else rise.then(Constant(self.plateau.lr), at=self.warmup)
