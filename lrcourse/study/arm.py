"""What is compared: a way of training, and the settings among which its best is chosen."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..validation import bad, is_number

Trial = Mapping[str, Any]


class EdgeError(ValueError):
    """The best of the settings that were tried stands at the edge of what was tried: nobody knows what lies beyond."""


@dataclass(frozen=True)
class Arm:
    """One way of training and its trials: the settings, one of which is chosen for it.

    `make`: called with a trial's values by name; what it returns is trained (see `Task` and `FunctionTask`).
    `trials`: mappings of names to values, as `lrcourse.space.Space` lists them: `Space({...}).grid(5)`. All arms of a
    study have equally many. `ends`: by name, the values beyond which there is nothing to try, such as
    `{"weight_decay": [0.0]}`; the best trial may have them though they are the lowest or the highest.

    Raises: `ValueError` without trials, for trials of different names, and for a trial given twice.

    >>> from lrcourse import Constant
    >>> arm = Arm(lambda lr: Constant(lr), [{"lr": 0.1}, {"lr": 0.2}, {"lr": 0.4}])
    >>> arm.edges({"lr": 0.2}), arm.edges({"lr": 0.4})
    ([], ['lr=0.4 is the highest of 3'])
    """

    make: Callable[..., Any]
    trials: Sequence[Trial]
    ends: Mapping[str, Collection[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not callable(self.make):
            raise bad("make", self.make, "a function of a trial's values", "write for example lambda lr: Constant(lr)")
        if not self.trials or not all(isinstance(each, Mapping) and each for each in self.trials):
            raise bad("trials", self.trials, "a list of settings", 'write [{"lr": 0.1}, …], or use Space(…).grid(…)')
        object.__setattr__(self, "trials", [dict(each) for each in self.trials])
        names = list(self.trials[0])
        for i, each in enumerate(self.trials):
            if list(each) != names:
                raise bad(f"trials[{i}]", list(each), f"a setting of {names}", "give each trial the same names")
            if each in self.trials[:i]:
                raise bad(f"trials[{i}]", each, "another setting than those before it", "list every trial once")
        if unknown := set(self.ends) - set(names):
            raise bad("ends", sorted(unknown), f"among the names of the trials, {names}", "check the spelling")

    def edges(self, trial: Trial) -> list[str]:
        """Where `trial` stands at the edge of what was tried, in words: of each number that varies, but at no end."""
        found = []
        for name, value in trial.items():
            values = [each[name] for each in self.trials]
            if not all(map(is_number, values)) or value in self.ends.get(name, ()):
                continue
            tried = sorted(set(values))
            if len(tried) > 1 and value in (tried[0], tried[-1]):
                which = "lowest" if value == tried[0] else "highest"
                found.append(f"{name}={value:g} is the {which} of {len(tried)}")
        return found
