"""What is recorded of the members on the way: evaluations, statistics, averages and copies of their weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..schedules.base import Array
from ..torch.training import Evaluations, accuracy, as_tensor, evaluating, loss_function
from ..validation import bad, choice, fraction, optional, steps_or_zero, whole_steps
from .outcome import Outcome

if TYPE_CHECKING:
    from .plan import Plan

Tensor = torch.Tensor
Weights = dict[str, Tensor]
Columns = dict[str, np.ndarray]  # of each name, what every member has
MEASURED = ("train_loss", "test_loss", "test_accuracy")


@dataclass(frozen=True)
class Traces:
    """What to record. See `sweep` for the meaning of the fields; `keep_weights`: before which updates."""

    evaluate_every: int | None = None
    gradient_norms: bool = False
    statistics: Mapping[str, Callable[[Weights], Any]] = field(default_factory=dict)
    ema: Sequence[float] = ()
    keep_weights: Sequence[int] = ()

    def evaluated(self, steps: int) -> list[int]:
        """The updates before which the members are evaluated; the last one is that of the end."""
        return [*range(0, steps, self.evaluate_every or steps)][0 if self.evaluate_every else 1 :] + [steps]

    @property
    def of_weights(self) -> bool:
        """Whether something is recorded of the weights themselves."""
        return bool(self.statistics or self.keep_weights)

    def looks(self, steps: int) -> list[int]:
        """The updates before which anything is looked at."""
        return sorted({*self.evaluated(steps), *self.keep_weights})


@dataclass(frozen=True, eq=False)
class Trace(Evaluations):
    """What the members could do on the way: `step`, shape `(evaluations,)`, the rest `(members, evaluations)`.

    `statistics`: of each name, shape `(members, evaluations, …)`. `ema`: of each decay, what the averaged weights could
    do. `gradient_norms`, shape `(members, steps)`: before clipping; None unless they were asked for.
    """

    statistics: dict[str, Array]
    ema: dict[float, Evaluations]
    gradient_norms: Array | None


def traces(steps: int, evaluate_every: Any, gradient_norms: Any, statistics: Any, ema: Any, keep_weights: Any) -> Any:
    """The arguments of `sweep`, checked, as `Traces`."""
    if not isinstance(statistics or {}, Mapping) or not all(map(callable, (statistics or {}).values())):
        raise bad("statistics", statistics, "functions of a member's parameters, by their names",
                  "write {'norm': lambda weights: weights['0.weight'].norm()}")  # fmt: skip
    decays = ema if isinstance(ema, list | tuple) else [] if ema is None else [ema]
    kept = [steps] if keep_weights is True else [] if keep_weights is False else keep_weights
    if isinstance(kept, str) or not hasattr(kept, "__iter__"):
        raise bad("keep_weights", keep_weights, "True, or a list of steps", f"use for example [0, {steps}]")
    at = sorted({steps_or_zero("keep_weights", each) for each in kept})
    if at and at[-1] > steps:
        raise bad("keep_weights", at[-1], f"a step up to the end, {steps}", "that is when the last update is done")
    return Traces(
        optional(whole_steps)("evaluate_every", evaluate_every),
        choice(True, False)("gradient_norms", gradient_norms), dict(statistics or {}),
        tuple(fraction("use for example 0.99")("ema", each) for each in decays), tuple(at),
    )  # fmt: skip


class Judge:
    """What a model can do with given weights, on all training and on all test points of a seed."""

    def __init__(self, plan: "Plan", model: torch.nn.Module, seed: int) -> None:
        self.model, self.loss_of, data = model, loss_function(plan.loss), plan.data(seed)
        like = next(model.parameters())
        self.x, self.y, self.x_test, self.y_test = (
            as_tensor(part, like) for part in (data.x_train, data.y_train, data.x_test, data.y_test)
        )

    def __call__(self, weights: Weights | None = None) -> Columns:
        """`weights`: None for those of the model itself."""

        def outputs(x: Tensor) -> Any:
            return self.model(x) if weights is None else torch.func.functional_call(self.model, weights, (x,))

        with evaluating(self.model, self.x.device):
            test = outputs(self.x_test)
            measured = self.loss_of(outputs(self.x), self.y), self.loss_of(test, self.y_test)
            numbers = *(each.item() for each in measured), accuracy(test, self.y_test)
        return {name: np.asarray(number) for name, number in zip(MEASURED, numbers)}


def look(plan: "Plan", judge: Judge, step: int, weights: Weights, averages: Sequence[Weights], judged: Any) -> Columns:
    """What is recorded of one member before an update. `judged`: what `judge` takes for the weights."""
    columns: Columns = {}
    if step in plan.traces.evaluated(plan.steps):
        columns |= judge(judged)
        for decay, average in zip(plan.traces.ema, averages):
            columns |= {f"ema/{decay}/{name}": each for name, each in judge(average).items()}
    return columns | of_weights(plan, step, weights)


def of_weights(plan: "Plan", step: int, weights: Weights) -> Columns:
    """What is recorded of a member's parameters themselves."""
    columns: Columns = {}
    if step in plan.traces.evaluated(plan.steps):
        measured = {name: function(weights) for name, function in plan.traces.statistics.items()}
        columns |= {f"statistics/{name}": numbers(name, each) for name, each in measured.items()}
    if step in plan.traces.keep_weights:
        columns |= {f"weights/{step}/{name}": as_numpy(each) for name, each in weights.items()}
    return columns


def numbers(name: str, values: Any) -> Array:
    try:
        plain = values.detach().double().cpu().numpy() if isinstance(values, Tensor) else values
        return np.array(plain, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise bad("statistics", values, f"numbers ({name})", str(error)) from None


def as_numpy(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy().copy()  # NumPy lacks bfloat16


def together(rows: Sequence[Columns]) -> Columns:
    """Columns of members that were looked at one by one."""
    return {name: np.stack([row[name] for row in rows]) for name in (rows[0] if rows else ())}


class Looks:
    """What was seen so far of members that train together."""

    def __init__(self, plan: "Plan", state: dict[str, Any] | None = None) -> None:
        self.due = plan.traces.looks(plan.steps)
        kept = {} if state is None else state["looks"]
        self.seen = {name: [each.numpy() for each in column] for name, column in kept.items()}

    def take(self, step: int, look: Callable[[int], Columns]) -> None:
        """Look, if it is time to."""
        if step in self.due:
            for name, column in look(step).items():
                self.seen.setdefault(name, []).append(column)

    def next(self, step: int) -> int:
        """The first update after `step` before which to look."""
        return next(each for each in self.due if each > step)

    def state(self) -> dict[str, Any]:
        return {"looks": {name: [torch.from_numpy(each) for each in column] for name, column in self.seen.items()}}

    def outcome(self, curves: np.ndarray, members: int) -> Outcome:
        """`curves`, shape `(members, steps)`: the losses, or `(2, members, steps)` with the norms of the gradients."""
        losses, *norms = curves if curves.ndim == 3 else curves[np.newaxis]
        found = {name: column[0] if name.startswith("weights/") else np.stack(column, 1)
                 for name, column in self.seen.items()}  # fmt: skip
        if norms:
            found["gradient_norms"] = norms[0]
        found = {name: each[:members] for name, each in found.items()}
        train_loss, test_loss, test_accuracy = (found[name][:, -1] for name in MEASURED)
        return Outcome(losses[:members], train_loss, test_loss, test_accuracy, found)


def trace(plan: "Plan", recorded: Mapping[str, Array], has_test: bool) -> Trace:
    """What the members' records hold, by its meaning."""
    steps = np.array(plan.traces.evaluated(plan.steps))

    def evaluations(prefix: str) -> dict[str, Array]:
        columns = {name: recorded[f"{prefix}{name}"] for name in MEASURED}
        if not has_test:
            columns |= {name: np.full_like(columns[name], np.nan) for name in MEASURED if name.startswith("test")}
        return columns

    return Trace(
        step=steps, **evaluations(""),
        statistics={name: recorded[f"statistics/{name}"] for name in plan.traces.statistics},
        ema={decay: Evaluations(step=steps, **evaluations(f"ema/{decay}/")) for decay in plan.traces.ema},
        gradient_norms=recorded.get("gradient_norms"),
    )  # fmt: skip


def kept_weights(recorded: Mapping[str, Array]) -> dict[int, Weights]:
    found: dict[int, Weights] = {}
    for key, column in recorded.items():
        if key.startswith("weights/"):
            _, step, name = key.split("/", 2)
            found.setdefault(int(step), {})[name] = torch.from_numpy(column)
    return found
