"""The coordinate check: does what a layer learns per step depend on how wide the network is?"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..schedules.base import Array
from ..validation import bad, choice, random_seed, whole, whole_steps
from .groups import without_closure
from .loss_of_weights import arrays
from .training import Loss, as_tensor, evaluating, loss_function

if TYPE_CHECKING:
    from ..data import Dataset

Tensor = torch.Tensor
Activations = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class CoordinateCheck:
    r"""How large the outputs of layers are, by width and step: means over the seeds.

    `widths`: the widths. `layers`: the names of the layers. `sizes`, shape `(widths, steps + 1, layers)`: the mean of
    $|h_t|$ over all coordinates of a layer's output $h_t$ after `t` updates. `changes`, of the same shape: the root
    mean square of $h_t - h_0$. To draw one layer: `plt.loglog(check.widths, check.changes[:, 1:, -1])`, one line per
    step.
    """

    widths: tuple[int, ...]
    layers: tuple[str, ...]
    sizes: Array
    changes: Array

    def slopes(self, of: str = "changes", step: int = -1) -> dict[str, float]:
        """The slope of log size against log width for each layer: 0 is flat, 1 doubles where the width does.

        `of`: `"changes"` or `"sizes"`. `step`: after how many updates; -1 is the last. NaN where a size is 0 or not
        finite at some width.

        Raises: `ValueError` for another `of`, and a step that was not measured.

        >>> changes = np.array([[[0.0], [0.5]], [[0.0], [2.0]]])  # two widths, before and after one update, one layer
        >>> CoordinateCheck((16, 64), ("output",), changes, changes).slopes()
        {'output': 1.0}
        """
        table = self.changes if choice("changes", "sizes")("of", of) == "changes" else self.sizes
        step = whole(-1, "use -1 for the last")("step", step)
        if step > (made := table.shape[1] - 1):
            raise bad("step", step, f"at most {made}, as many updates as were made", "use -1 for the last")
        x = np.log(self.widths) - np.mean(np.log(self.widths))
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = x @ np.log(table[:, step]) / (x @ x)
        return {name: float(each) if np.isfinite(each) else np.nan for name, each in zip(self.layers, slopes)}

    def __str__(self) -> str:
        """The changes after the last update, a layer per line and a width per column, with their slopes."""
        long = max(map(len, ("layer", *self.layers)))
        lines = [f"{'layer':{long}}" + "".join(f"{width:>10}" for width in self.widths) + f"{'slope':>8}"]
        for (name, slope), changes in zip(self.slopes().items(), self.changes[:, -1].T, strict=True):
            lines.append(f"{name:{long}}" + "".join(f"{each:10.3g}" for each in changes) + f"{slope:8.2f}")
        return "\n".join(lines)


def coordinate_check(
    model_fn: Callable[[int], torch.nn.Module],
    widths: Sequence[int],
    optimizer_fn: Callable[[torch.nn.Module], torch.optim.Optimizer],
    data: "Dataset | tuple[Any, Any]",
    loss: str | Loss = "cross_entropy",
    *,
    steps: int = 4,
    seeds: Sequence[int] = range(3),
) -> CoordinateCheck:
    r"""Make a few updates at several widths and compare how far the outputs of each layer move.

    In the maximal update parametrization (muP) every layer's outputs change by as much in a wide network as in a narrow
    one, so the slope of $\log \mathrm{rms}(h_t - h_0)$ over $\log n$ is about 0 in each. In standard parametrization
    with Adam they change the more the wider the network is, so a rate that fits one width is too large for another.
    A slope that is not flat names the layer where a factor is missing.

    `model_fn(width)`: a new model, built after `torch.manual_seed(seed)`. `optimizer_fn(model)`: its optimizer, with
    a parameter group for each layer whose rate depends on the width. `data`: the one batch that each update and each
    measurement uses, a `Dataset` (all of its training part) or a pair `(x, y)`. `loss`: as in `train`. `steps`:
    updates. Layers are the modules with weights of their own; of several outputs the first counts, and one that runs
    several times counts with all of its outputs. Updates are made in training mode, measurements in evaluation mode.

    The random numbers are afterwards as before.

    Raises: `ValueError` for fewer than two different widths, no seed, arguments out of range, an unknown loss, an
    optimizer that needs a closure, and models whose layers have other names at another width.
    Source: Yang et al., "Tuning large neural networks via zero-shot hyperparameter transfer", 2021, appendix D.1.

    >>> from lrcourse.torch import MLP
    >>> def model_fn(width):
    ...     return MLP([2, width, 2]).double()
    >>> def adam(model):
    ...     return torch.optim.Adam(model.parameters(), lr=0.01)
    >>> batch = np.random.default_rng(0).normal(size=(32, 2)), np.arange(32) % 2
    >>> check = coordinate_check(model_fn, [32, 128, 512], adam, batch)
    >>> print(check)
    layer        32       128       512   slope
    0        0.0546     0.045    0.0342   -0.17
    2         0.203     0.297     0.559    0.37
    >>> check.changes.shape  # widths, updates and the start, layers
    (3, 5, 2)
    """
    widths = tuple(whole(1, "use for example 64")(f"widths[{i}]", width) for i, width in enumerate(widths))
    if len(set(widths)) < 2:
        raise bad("widths", list(widths), "two different ones or more", "give a narrow and a wide one")
    seeds = [random_seed(f"seeds[{i}]", seed) for i, seed in enumerate(seeds)]
    if not seeds:
        raise bad("seeds", seeds, "one or more", "use for example [0, 1, 2]")
    steps, loss_of = whole_steps("steps", steps), loss_function(loss)
    names: list[tuple[str, ...]] = []
    sizes, changes = [], []
    for width in widths:
        runs = [list(activations(model_fn, width, optimizer_fn, data, loss_of, steps, seed)) for seed in seeds]
        names.append(tuple(runs[0][0]))
        if names[-1] != names[0]:
            raise bad("model_fn", f"{names[0]} and {names[-1]}", "a function whose models have the same layers",
                      "let the width decide the sizes only")  # fmt: skip
        sizes.append(np.mean([[[each.abs().mean().item() for each in now.values()] for now in run] for run in runs], 0))
        changes.append(np.mean([[rms_changes(now, run[0]) for now in run] for run in runs], 0))
    return CoordinateCheck(widths, names[0], np.array(sizes), np.array(changes))


def activations(
    model_fn: Callable[[int], torch.nn.Module],
    width: int,
    optimizer_fn: Callable[[torch.nn.Module], torch.optim.Optimizer],
    data: "Dataset | tuple[Any, Any]",
    loss_of: Loss,
    steps: int,
    seed: int,
) -> Iterator[Activations]:
    """What each layer puts out before the first update and after each."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = model_fn(width)
        optimizer = optimizer_fn(model)
        without_closure(optimizer)
        parameter = next(model.parameters())
        x, y = (as_tensor(part, parameter) for part in arrays(data))
        for step in range(steps + 1):
            if step > 0:
                model.train()
                optimizer.zero_grad()
                loss_of(model(x), y).backward()
                optimizer.step()
            with evaluating(model, parameter.device), recording(model) as outputs:
                model(x)
            yield {name: torch.cat(parts) for name, parts in outputs.items()}


@contextmanager
def recording(model: torch.nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """The outputs of every module that has weights of its own, by its name."""
    outputs: dict[str, list[Tensor]] = defaultdict(list)

    def keep(name: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) else output
            outputs[name].append(first.detach().double().flatten().clone())  # an activation may write in place

        return hook

    layers = [(name, module) for name, module in model.named_modules() if list(module.parameters(recurse=False))]
    handles = [module.register_forward_hook(keep(name)) for name, module in layers]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def rms_changes(now: Activations, first: Activations) -> list[float]:
    return [(now[name] - first[name]).square().mean().sqrt().item() for name in first]
