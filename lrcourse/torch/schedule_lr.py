"""A schedule on a PyTorch optimizer."""

import math
import weakref
from numbers import Real
from typing import Any

import torch

from ..schedules import Schedule
from ..schedules.base import child
from ..validation import bad, choice, positive, rates
from . import groups
from .groups import Group
from .joining import follow, followed
from .per_group import PerGroup, Schedules
from .ratio import LIST, came_with, check_equal, check_kept, close, shares


class ScheduleLR(torch.optim.lr_scheduler.LRScheduler):
    r"""Gives every parameter group of `optimizer` the rate $s(t)$ for update $t$, and optionally the momentum $m(t)$.

    `schedule`: one `Schedule` for all groups, also for those added later, or a list with one per group (see `append`).
    `momentum`: the same for the momentum, which is `group["momentum"]` (SGD, RMSprop) or `group["betas"][0]` (the
    Adam family). Without it the momentum is left alone. `relative=True`: for groups with different rates. $s(t)$ is
    then the rate of the group with the largest `lr`, and the others keep their ratio to it, such as the groups that
    `parameter_groups` makes.

    Building it applies $s(0)$; each `.step()` applies the next rate. The rate depends on the step alone: the `lr`
    the optimizer was built with counts for `relative` only, and a rate edited by hand lasts until the next `.step()`.

    A step is a successful update. Call `.step()` after `optimizer.step()`, and only then: with gradient
    accumulation once per accumulated update, with a `torch.amp.GradScaler` only if it did not skip the update:

        scale = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if scaler.get_scale() >= scale:  # a skipped update lowers the scale
            scheduler.step()

    `state_dict` holds the step and the parameters of the schedules; of a function its name, and the numbers that it
    encloses, has as defaults or, in a `functools.partial`, is given. Functions that are alike in these, such as one
    before and after it was edited, are loaded into each other: that they do the same is yours to see to.

    In torch's own `SequentialLR` each schedule begins at its step 0, as with `a.then(b, at)`; in a `ChainedScheduler`
    the last one decides, as each sets the rate itself: write `a * b`.

    Raises: `ValueError` for a schedule of the wrong type, a list that does not fit the parameter groups, one schedule
    for groups with different rates (unless `relative`) or momenta, also if they come later or from a checkpoint, a
    `momentum` for an optimizer that has none, and the first update for which a schedule gives no rate (a finite number,
    zero or more) or no momentum (below 1). What a function would do beyond the last update does not matter.

    >>> from lrcourse import Linear
    >>> weight = torch.nn.Parameter(torch.zeros(1))
    >>> optimizer = torch.optim.SGD([weight], lr=123.0)
    >>> scheduler = ScheduleLR(optimizer, Linear(1.0, 0.0, steps=4))
    >>> for t in range(3):
    ...     print(optimizer.param_groups[0]["lr"])
    ...     optimizer.step()
    ...     scheduler.step()
    1.0
    0.75
    0.5

    A head that learns a hundred times faster than the body:

    >>> body, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    >>> parts = [{"params": body.parameters(), "lr": 1e-5}, {"params": head.parameters(), "lr": 1e-3}]
    >>> scheduler = ScheduleLR(torch.optim.SGD(parts), Linear(0.5, 0.0, steps=4), relative=True)
    >>> scheduler.get_last_lr()
    [0.005, 0.5]
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        schedule: Schedules,
        momentum: Schedules | None = None,
        *,
        relative: bool = False,
    ) -> None:
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise bad("optimizer", type(optimizer).__name__, "a torch.optim.Optimizer", "pass the optimizer itself")
        self.rates = PerGroup("schedule", schedule)
        self.momenta = None if momentum is None else PerGroup("momentum", momentum)
        self.relative = choice(True, False)("relative", relative)
        if relative and not self.rates.shared:
            raise bad("relative", relative, "False beside a list of schedules", "give each its rate: [0.01 * s, s]")
        self._came_with = came_with(optimizer)
        self._largest = max(self._came_with)
        if self.rates.shared and not relative:
            check_equal(self._came_with)
        self._groups: list[Group] = []
        self._check_tables(optimizer)
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        """The rate of each parameter group at the current step."""
        return list(self.rates.at(self.last_epoch))

    def get_last_lr(self) -> list[float | torch.Tensor]:
        """The rate of each parameter group that was set last."""
        return list(self._last_lr)

    def step(self, epoch: float | None = None) -> None:
        """Apply the rate of the next update. Call it after each successful `optimizer.step()`.

        `epoch`: the step to go to instead, which may be a fraction (torch warns that it will drop this argument).
        """
        if epoch is None and self._step_count > 1:
            self._apply(self.last_epoch + 1, ahead=True)
            self._step_count += 1
        else:
            super().step(epoch)  # type: ignore[arg-type]  # torch checks the order of the calls here

    def append(self, schedule: Schedule | None = None, momentum: Schedule | None = None) -> None:
        """A schedule for the group that `optimizer.add_param_group` adds next, where a list was given.

        It counts the steps of the run, as the others do: to begin now, write `Constant(0.0).then(s, at=t)` with
        $t$ = `scheduler.last_epoch`.

        Raises: `ValueError` unless a schedule is given exactly where there is a list.

        >>> from lrcourse import Constant
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = ScheduleLR(optimizer, [Constant(0.5)])
        >>> scheduler.append(Constant(0.25))
        >>> optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.5, 0.25]
        """
        tables = [("schedule", schedule, self.rates), ("momentum", momentum, self.momenta)]
        for name, given, table in tables:
            if (table is None or table.shared) != (given is None):
                must = "left out, as it is no list" if given is not None else "a Schedule for the new group"
                raise bad(name, given, must, "append to what was given as a list, and to that only")
            if given is not None:
                child(name, given)
        for _, given, table in tables:
            if table is not None and given is not None:
                table.schedules.append(given)

    def continue_with(self, schedule: Schedules, momentum: Schedules | None = None) -> None:
        """Go on from the current step with another schedule, for example a longer one; its rate is applied at once.

        The step goes on counting, so from here on this is a scheduler built with `schedule`, and its state is loaded
        into one that is. For a schedule that begins at its own step 0 now, pass `old.then(new, at=t)` with $t$ =
        `scheduler.last_epoch`. `schedule` is a list if the old one was. `momentum`: None leaves it as it is.

        To resume with another schedule, build the scheduler with the saved one, load, and then call this. The
        `Trainer` of Hugging Face loads the state itself, so there a callback does it, in the first run only:

            class Longer(TrainerCallback):
                def on_train_begin(self, args, state, control, lr_scheduler=None, **others):
                    lr_scheduler.continue_with(Cosine(0.1, 0.0, steps=20_000))

        Raises: `ValueError` as building a scheduler does; the old schedule then stays.

        >>> from lrcourse import Linear
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = ScheduleLR(optimizer, Linear(1.0, 0.0, steps=2))
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.continue_with(Linear(1.0, 0.0, steps=4))
        >>> scheduler.get_last_lr()
        [0.75]
        """
        rates = PerGroup("schedule", schedule)
        if rates.shared != self.rates.shared:
            raise bad("schedule", schedule, "a list of schedules if, and only if, it was one before", LIST)
        before = self.rates, self.momenta
        self.rates, self.momenta = rates, self.momenta if momentum is None else PerGroup("momentum", momentum)
        try:
            self._check_tables(self.optimizer)
            self._meet()
            if followed(self.optimizer) is self:
                self._apply(self.last_epoch)
        except Exception:
            self.rates, self.momenta = before
            raise

    def state_dict(self) -> dict[str, Any]:
        """The step and the schedules' parameters, as plain data that `torch.load(weights_only=True)` accepts."""
        known = [*self._came_with, *self._newcomers()]  # it may wait in a SequentialLR while groups are added
        relative = {"largest": self._largest, "rates": known} if self.relative else None
        step = max(self.last_epoch, -1)  # a SequentialLR inside of another one counts lower while a schedule waits
        now = [groups.rate(group) for group in self.optimizer.param_groups]
        applied = all(map(close, now, map(float, self._last_lr)))
        return {"last_epoch": step, **self._described(), "relative": relative, "applied": applied}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue at the step of `state_dict`, and apply its rate to the optimizer at once.

        If something else had set the rates when the state was saved, a scheduler after this one in a `SequentialLR` or
        a hand, they are left to it.

        Raises: `ValueError` if the state was saved with another schedule than this one, or for other groups.
        """
        step, relative = _saved_step(state_dict.get("last_epoch")), state_dict.get("relative")
        for name, ours in self._described().items():
            if (theirs := state_dict.get(name)) != ours:
                fix = "build it with the saved schedule, and change it with continue_with"
                raise bad(name, theirs, f"the one this scheduler has, {ours!r}", fix)
        if (relative is not None) != self.relative:
            raise bad("relative", self.relative, f"{not self.relative}, as it was saved", "build it with the saved one")
        if relative is not None:
            self._take_ratio(relative)
        elif self._are_loaded():
            self._meet()
        if step < 0 or not state_dict.get("applied", True):  # before or after its turn in a SequentialLR
            self.last_epoch = step  # type: ignore[assignment]
        else:
            self._apply(step, ahead=True)
            follow(self.optimizer, self._join)

    def _take_ratio(self, saved: Any) -> None:
        if not isinstance(saved, dict):
            raise bad("relative", saved, "the ratio that was saved", "load what state_dict returned")
        largest = positive("load what state_dict returned")("relative", saved.get("largest"))
        own = list(rates("relative", saved.get("rates")))
        if len(own) != len(self._groups):
            raise bad("relative", saved, f"saved for {len(self._groups)} groups", "add the missing group first")
        before = self._largest, self._came_with
        self._largest, self._came_with = largest, own
        try:
            self._meet()
        except ValueError:
            self._largest, self._came_with = before
            raise

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "active": followed(self.optimizer) is self}

    def __setstate__(self, state: dict[str, Any]) -> None:
        is_active = state.pop("active")
        vars(self).update(state)
        if is_active:
            follow(self.optimizer, self._join)

    def _update_lr(self, epoch: float | None = None) -> None:
        """What torch calls: for the first steps, and at a boundary of `SequentialLR`."""
        if epoch is None:
            self._apply(self.last_epoch + 1, ahead=self.last_epoch >= 0)
        elif isinstance(epoch, bool) or not isinstance(epoch, Real) or not 0 <= epoch < math.inf:
            raise bad("epoch", epoch, "a finite step, zero or more", "leave it out to go on by one update")
        else:
            self._apply(int(epoch) if epoch == int(epoch) else float(epoch))
        follow(self.optimizer, self._join)

    def _apply(self, step: float, ahead: bool = False) -> None:
        """Set rates and momenta to those of `step`; `ahead` of an update that may not come, none need be there."""
        param_groups = self.optimizer.param_groups
        if param_groups is not self._groups or len(param_groups) != len(self.rates.shares):
            self._meet()
        try:
            rates = self.rates.at(step)
            momenta = None if self.momenta is None else self.momenta.at(step)
        except Exception as error:
            if not ahead:
                raise
            self.last_epoch = step  # type: ignore[assignment]
            self._refuse_update(error)
            return
        groups.set_rates(param_groups, rates)
        if momenta is not None:
            groups.set_momenta(param_groups, momenta)
        self._last_lr = rates  # type: ignore[assignment]
        self.last_epoch = step  # type: ignore[assignment]

    def _check_tables(self, optimizer: torch.optim.Optimizer) -> None:
        for table in self._tables():
            if not table.shared and len(table.schedules) != len(optimizer.param_groups):
                raise table.unfit(len(optimizer.param_groups))
        self._check_momenta(optimizer)

    def _check_momenta(self, optimizer: torch.optim.Optimizer) -> None:
        if self.momenta is not None:
            momenta, name = [groups.momentum(group) for group in optimizer.param_groups], type(optimizer).__name__
            if any(map(math.isnan, momenta)):
                raise bad("momentum", name, "left out for an optimizer without momentum", "use SGD or Adam, or drop it")
            if self.momenta.shared and len(set(momenta)) > 1:
                raise bad("momentum", momenta, "one per group, as the groups have different momenta", LIST)

    def _meet(self) -> None:
        """Take the optimizer's groups as they are now: some may be new, or all of them, loaded from a checkpoint.

        Raises: `ValueError` if they do not fit; then nothing changes.
        """
        param_groups, known = self.optimizer.param_groups, len(self._came_with)
        if known > len(param_groups):
            raise bad("optimizer.param_groups", len(param_groups), f"the {known} that this scheduler has",
                      "build a new scheduler for fewer groups")  # fmt: skip
        groups.check_rates(param_groups)
        own, alike = [*self._came_with, *self._newcomers()], [1.0] * len(param_groups)
        kept = shares(own, self._largest) if self.relative else alike
        if self._are_loaded():
            self._check_loaded(kept)
        groups.own_rates(param_groups)
        self.rates.fit(kept, groups.highest(param_groups))
        if self.momenta is not None:
            self.momenta.fit(alike)
        self._came_with, self._groups = own, param_groups

    def _newcomers(self) -> list[float]:
        """The rates that the groups which are new to this scheduler came with: another, which met them, knows."""
        known, other = len(self._came_with), followed(self.optimizer)
        new = [groups.rate(group) for group in self.optimizer.param_groups[known:]]
        if other is not None and other is not self and len(other._came_with) == known + len(new):
            new = other._came_with[known:]
        return [self._taken(own) for own in new]

    def _taken(self, own: float) -> float:
        """The rate of a group that came with its `own`; one schedule for all takes that of the others or none."""
        if self.relative or not self.rates.shared:
            return own
        if not close(own, groups.rate(self.optimizer.param_groups[0])):
            check_equal([*self._came_with, own])
        return self._came_with[0]

    def _are_loaded(self) -> bool:
        """Whether the groups have come from a checkpoint, with rates that this scheduler, and no other, is to go on."""
        replaced = self.optimizer.param_groups is not self._groups and len(self._groups) > 0
        return replaced and self.last_epoch >= 0 and followed(self.optimizer) is self

    def _check_loaded(self, kept: list[float]) -> None:
        param_groups = self.optimizer.param_groups
        self._check_momenta(self.optimizer)
        if not self.rates.shared:
            return
        if self.relative:
            check_kept(param_groups, kept)
        else:
            check_equal([groups.rate(group) for group in param_groups])

    def _join(self, param_group: Group) -> None:
        """What `optimizer.add_param_group` does: the new group has its rate, and its momentum, from its first update.

        Raises: `ValueError` if it does not fit or needs a schedule of its own and none was appended; then it is not
        added.
        """
        optimizer = self.optimizer
        if len(self._came_with) < len(optimizer.param_groups):
            self._meet()
        known = len(optimizer.param_groups)
        if "lr" in param_group:
            groups.check_rates([param_group])
            self._taken(groups.rate(param_group))
        for table in self._tables():
            if not table.shared and len(table.schedules) <= known:
                raise table.unfit(known + 1)
        type(optimizer).add_param_group(optimizer, param_group)
        try:
            self._begin(optimizer.param_groups[known])
        except Exception:
            del optimizer.param_groups[known:], self._came_with[known:]
            self._meet()
            raise

    def _begin(self, new: Group) -> None:
        """Give the `new` group, the last one, its rate and momentum, unless this scheduler waits for its turn."""
        alike = self.rates.shared and not self.relative
        own = self._came_with[0] if alike else groups.rate(new)
        self._came_with.append(own)
        self._meet()
        new.setdefault("initial_lr", own)  # as torch does for the first groups
        if self.last_epoch < 0:
            return
        rate = self.rates.at(self.last_epoch)[-1:]
        momentum = None if self.momenta is None else self.momenta.at(self.last_epoch)[-1:]
        groups.set_rates([new], rate)
        if momentum is not None:
            groups.set_momenta([new], momentum)
        self._last_lr = [*self._last_lr, *rate]

    def _tables(self) -> list[PerGroup]:
        return [self.rates] if self.momenta is None else [self.rates, self.momenta]

    def _refuse_update(self, error: Exception) -> None:
        """Let an update raise `error`, if one comes: at the end of a run there is none, and so nothing is wrong."""
        step, last, before = self.last_epoch, self._last_lr, [groups.rate(group) for group in self._groups]
        scheduler = weakref.ref(self)

        def refuse(*_: Any) -> None:
            own = scheduler()
            if own is None or own is not followed(own.optimizer) or own.last_epoch != step or own._last_lr is not last:
                return
            if [groups.rate(group) for group in own.optimizer.param_groups] == before:  # none was set by hand
                raise error

        inner = getattr(self.optimizer, "optimizer", self.optimizer)  # the one in accelerate's, which has no hooks
        inner.register_step_pre_hook(refuse)

    def _described(self) -> dict[str, Any]:
        return {
            "schedule": self.rates.described(),
            "momentum": None if self.momenta is None else self.momenta.described(),
        }


def _saved_step(step: Any) -> float:
    """The step in a state: -1 where it waits for its turn in a SequentialLR."""
    if isinstance(step, bool) or not isinstance(step, int | float) or not (step == -1 or 0 <= step < math.inf):
        raise bad("last_epoch", step, "the step that was saved, zero or more", "load what state_dict returned")
    return step
