"""What differs between the members of a sweep."""

import itertools
import numbers
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

from ..schedules import Schedule
from ..validation import Rate, bad, below_one, check_fields, not_negative, random_seed


def _momentum(name: str, value: Any) -> float | Schedule | None:
    if value is None or isinstance(value, Schedule):
        return value
    if not isinstance(value, numbers.Real):
        raise bad(name, value, "a number or a Schedule", "use for example 0.9")
    return below_one("use for example 0.9")(name, value)


@dataclass(frozen=True)
class Setting:
    r"""One member of a sweep: update $t$ uses the rate `lr` $\cdot\, s(t)$.

    `schedule`: a `Schedule` $s$ that `lr` multiplies; with `lr` left at 1 it is the rate itself, and without a
    schedule the rate is `lr` throughout. Or a function that builds a PyTorch scheduler on an optimizer whose rate
    is `lr`: `lambda optimizer: CosineAnnealingLR(optimizer, 100)`.
    `momentum`: a number or a `Schedule` (cycled momentum); for Adam and AdamW it is $\beta_1$. None is PyTorch's
    default, 0 for SGD and 0.9 for Adam. `seed` draws the first weights and the order of the mini-batches.

    Raises: `ValueError` for a negative number, and a momentum of 1 or more.

    >>> Setting(lr=0.1, momentum=0.9)
    Setting(lr=0.1, momentum=0.9, weight_decay=0.0, schedule=None, seed=0)
    """

    lr: Rate = 1.0
    momentum: Annotated[float | Schedule | None, _momentum] = None
    weight_decay: Annotated[float, not_negative("use 0 for none")] = 0.0
    schedule: Schedule | Callable[[Any], Any] | None = None
    seed: Annotated[int, random_seed] = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if not (self.schedule is None or callable(self.schedule)):
            raise bad("schedule", self.schedule, "a Schedule or a function of an optimizer", "see Setting")
        if isinstance(self.momentum, Schedule) and not (self.schedule is None or isinstance(self.schedule, Schedule)):
            raise bad("momentum", self.momentum, "a number beside a PyTorch scheduler", "let the scheduler cycle it")


NAMES = [field.name for field in fields(Setting)]


def grid(**values: Iterable[Any]) -> list[Setting]:
    """The settings of a full grid: every combination of the values, the last name varying fastest.

    Raises: `ValueError` for a name that `Setting` does not have, or a value that is not a list.

    >>> [(each.lr, each.seed) for each in grid(lr=[0.1, 1.0], seed=range(2))]
    [(0.1, 0), (0.1, 1), (1.0, 0), (1.0, 1)]
    """
    for name, choices in values.items():
        if name not in NAMES:
            raise bad("name", name, f"one of {NAMES}", "a grid varies what a Setting holds")
        if isinstance(choices, str) or not isinstance(choices, Iterable) or getattr(choices, "ndim", 1) == 0:
            raise bad(name, choices, "a list of values", f"write {name}=[...], also for a single one")
    # The numbers of a tensor are tensors.
    lists = [choices.tolist() if hasattr(choices, "tolist") else choices for choices in values.values()]
    return [Setting(**dict(zip(values, chosen))) for chosen in itertools.product(*lists)]


def as_settings(settings: Iterable[Setting | Mapping[str, Any]]) -> list[Setting]:
    """Settings, given as such or as mappings."""
    if isinstance(settings, str | Mapping) or not isinstance(settings, Iterable):
        raise bad("settings", settings, "a list of settings", "build it with grid(lr=[...])")
    listed = []
    for each in settings:
        if isinstance(each, Mapping) and set(each) <= set(NAMES):
            each = Setting(**each)
        if not isinstance(each, Setting):
            raise bad("settings", each, f"Settings, or mappings of {NAMES}", "build them with grid(lr=[...])")
        listed.append(each)
    if not listed:
        raise bad("settings", listed, "one setting or more", "build them with grid(lr=[...])")
    return listed
