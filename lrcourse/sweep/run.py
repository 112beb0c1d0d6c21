"""Train every setting of a sweep."""

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..data import Dataset
from ..extras import extra
from ..torch.rules import Rule
from ..torch.training import as_tensor, loss_function
from ..validation import bad, batch_length, choice, optional, positive, whole, whole_steps
from . import engines
from .chunks import Folder
from .cluster import connected
from .outcome import Outcome
from .plan import OPTIMIZERS, Draws, Plan, as_dataset, seeded
from .result import Result
from .settings import Setting, as_settings
from .stacked import is_tiny
from .traces import of_weights, traces
from .watch import Watch

WORTH_PROCESSES = 20.0  # seconds of work from which starting processes, each of which imports PyTorch, pays

_ALONE = threading.Lock()


def sweep(
    model_fn: Callable[[], torch.nn.Module],
    data: Any,
    *,
    settings: Iterable[Setting | Mapping[str, Any]],
    steps: int,
    loss: Any = "cross_entropy",
    optimizer: str | Rule = "sgd",
    nesterov: bool = False,
    batch_size: int | None = None,
    clip: float | None = None,
    accumulate: int = 1,
    evaluate_every: int | None = None,
    gradient_norms: bool = False,
    statistics: Mapping[str, Callable[[dict[str, torch.Tensor]], Any]] | None = None,
    ema: float | Sequence[float] = (),
    keep_weights: bool | Iterable[int] = False,
    engine: str = "auto",
    folder: str | Path | None = None,
    jobs: int | None = None,
    cluster: str | None = None,
    progress: bool = True,
) -> Result:
    """Train a model for every one of `settings` (see `grid`), each as it would train alone.

    `model_fn()` builds the model, after PyTorch was seeded with the member's seed; it decides the dtype.
    `data`: a `Dataset`, or `(X, y)` without test data; or a function of a seed that returns one of them, of the same
    shapes for all seeds, so that a seed is a draw of the split as well. `loss`: `"cross_entropy"`, `"mse"` or a
    function of outputs and targets; with several targets per point, such as tokens, the scores come last.
    `optimizer`: `"sgd"`, `"adam"`, `"adamw"` or a rule of `lrcourse.torch.rules`, which may be one of yours.
    `batch_size`: None for the full batch; otherwise each member has the mini-batch order of its seed, as in
    `lrcourse.torch.train`. `clip`: the longest that a member's gradient may be, as `clip_grad_norm_` has it.
    `accumulate`: batches per update, whose mean gradient is used.

    What is recorded beside losses, see `Result.trace` and `Result.weights`: `evaluate_every`: updates between two
    evaluations on all training and test points; None evaluates at the end only. At the same updates, `statistics`,
    functions by name of a member's parameters (a dict of tensors), and what averages of the weights could do, for each
    decay of `ema`: they start as the weights after the first update, and keep that part of themselves in each later
    one. `gradient_norms`: before clipping, in every update. `keep_weights`: True for the weights at the end, or a list
    of updates before which they are copied.

    `engine`: `"loop"` trains one member after the other; `"stacked"` all at once, with the member as the first axis
    of every tensor, for Linear, Tanh, ReLU and Sigmoid in a Sequential; `"vmap"` any module whose training is a pure
    function, by `torch.vmap`; `"compiled"` and `"vmap-compiled"` the same through `torch.compile`; `"auto"` times them,
    and the result says which it was and why. What neither can train, such as dropout, goes through the loop.

    `folder`: where the work is kept; called again with the same arguments, a sweep that was interrupted continues,
    with the same result. What is lost is half a minute, or the last run of the loop; on a cluster, the parts that were
    at work. `jobs`: processes; None starts them where the work is worth it.

    `cluster`: the address of a Dask scheduler, `"tcp://host:8786"`; its workers, which need this package, then train
    the parts, whatever `jobs` is. Parts come back here and need no shared disk; those of a worker that dies go to
    another. A worker trains one part at a time, so start one per core: `dask worker ADDRESS --nworkers auto
    --nthreads 1`. The result is that of this machine where the workers' processors are of its kind.

    Raises: `ValueError` for arguments out of range, a `model_fn` that gives one model twice, data that do not fit the
    model or the loss, an engine that cannot train the model, a folder that belongs to another sweep (functions are
    compared by their code and the values they use), and a cluster that does not answer within seconds.

    >>> from lrcourse.data import moons
    >>> from lrcourse.sweep import grid
    >>> from lrcourse.torch import LogicNet
    >>> settings = grid(lr=[0.01, 0.1, 1.0], momentum=[0.0, 0.9])
    >>> result = sweep(lambda: LogicNet().double(), moons(), steps=50, settings=settings, progress=False)
    >>> result.curves.shape, result.verify() < 1e-10
    ((6, 50), True)
    >>> best = result.best()
    >>> best["lr"], best["momentum"]
    (1.0, 0.9)

    Another rule, another split for each seed, and how the members went:

    >>> from lrcourse.torch.rules import Lion
    >>> settings = grid(lr=[0.001, 0.01], seed=range(3))
    >>> result = sweep(LogicNet, lambda seed: moons(seed=seed), steps=50, settings=settings, optimizer=Lion(),
    ...                evaluate_every=20, ema=0.9, progress=False)
    >>> result.trace.step, result.trace.test_loss.shape, result.trace.ema[0.9].test_loss.shape
    (array([ 0, 20, 40, 50]), (6, 4), (6, 4))
    """
    steps, known = whole_steps("steps", steps), loss if callable(loss) else _known_loss("loss", loss)
    settings = as_settings(settings)
    with seeded(settings[0].seed):
        first = data(settings[0].seed) if callable(data) else data
    plan = Plan(
        model_fn=model_fn, dataset=as_dataset(first, known), loss=known, optimizer=_optimizer(optimizer),
        nesterov=_nesterov(nesterov, optimizer), steps=steps,
        batch_size=optional(batch_length)("batch_size", batch_size), settings=settings,
        draw=Draws(data, known) if callable(data) else None,
        clip=optional(positive("use for example 1.0"))("clip", clip), accumulate=_accumulate(accumulate, batch_size),
        traces=traces(steps, evaluate_every, gradient_norms, statistics, ema, keep_weights),
    )  # fmt: skip
    plan.check_schedules()
    _fits(plan)
    with nullcontext() if cluster is None else connected(cluster) as backend:
        kept = None if folder is None else Folder(Path(folder))
        manifest = None if kept is None else kept.manifest(plan.digest())
        if manifest is None:
            chosen = engines.choose(plan) if engine == "auto" else engines.check(plan, engine)
            size = engines.chunk_size(plan, chosen.engine)
            if kept is not None:
                kept.begin({"plan": plan.digest(), "size": size, "choice": asdict(chosen)})
        else:  # another engine, or other chunks, would round differently
            size, chosen = manifest["size"], engines.Choice(**manifest["choice"])
            if engine not in ("auto", chosen.engine):
                engines.check(plan, engine)
                raise bad("engine", engine, f"{chosen.engine!r}, with which the folder was begun", "leave it out")
        jobs = _jobs(jobs, plan, chosen)
        outcome = train_parts(plan, chosen.engine, size, jobs, backend, kept, progress)
    return Result(plan, outcome, chosen.engine, chosen.reason, has_test=isinstance(first, Dataset))


def train_parts(
    plan: Plan, engine: str, size: int, jobs: int, backend: Any, folder: Folder | None, progress: bool
) -> Outcome:
    with extra("sweep"):
        from tqdm import tqdm

    members = len(plan.settings)
    starts = range(0, members, size)
    # As many processes as at the beginning: each has its share of the threads, which decide how sums are rounded.
    jobs = min(jobs, len(starts))
    alone = backend is None and jobs <= 1
    outcomes = {start: None if folder is None else folder.load(start) for start in starts}
    missing = [start for start in starts if outcomes[start] is None]
    with tqdm(total=members * plan.steps, unit="update", unit_scale=True, disable=not progress) as bar:
        done = (members - sum(min(size, members - start) for start in missing)) * plan.steps
        bar.update(done)

        def watch(start: int) -> Watch:
            file = None if folder is None or backend is not None else folder.unfinished(start)
            return Watch(file, bar.update if alone else None)

        parts = ((start, plan.part(start, start + size), watch(start)) for start in missing)
        for start, outcome in _finished(engine, parts, size, jobs, backend):
            outcomes[start] = outcome
            if folder is not None:
                folder.save(start, outcome)
            done += len(outcome.losses) * plan.steps
            bar.update(done - bar.n)
    return Outcome.join([outcomes[start] for start in starts])  # type: ignore[misc]


def _finished(engine: str, parts: Iterable[Any], size: int, jobs: int, backend: Any) -> Iterable[Any]:
    if backend is None and jobs <= 1:
        return (_chunk(engine, size, *part) for part in parts)
    with extra("sweep"):
        from joblib import Parallel, delayed

    # Workers share large arrays; "c", copy on write, as PyTorch warns of an array that nobody may write to.
    pool = Parallel(n_jobs=jobs, backend=backend, batch_size=1, return_as="generator_unordered", mmap_mode="c")
    finished: Iterable[Any] = pool(delayed(_chunk)(engine, size, *part) for part in parts)
    return finished


def _chunk(engine: str, size: int, start: int, plan: Plan, watch: Watch) -> tuple[int, Outcome]:
    with _ALONE:  # the random numbers of PyTorch are the process's, and a worker of a cluster may have many threads
        return start, engines.ENGINES[engine](plan, size, watch)


def _jobs(jobs: int | None, plan: Plan, chosen: engines.Choice) -> int:
    if jobs is not None:
        return whole(1, "use 1 for this process alone, or leave it out")("jobs", jobs)
    # A tiny program is one loop over the members, which threads share: other processes would only build it again.
    alone = chosen.engine == "compiled" and is_tiny(plan)
    return 1 if alone or chosen.seconds <= WORTH_PROCESSES else os.cpu_count() or 1


_known_loss = choice("cross_entropy", "mse")


def _optimizer(optimizer: Any) -> str | Rule:
    if isinstance(optimizer, Rule):
        return optimizer
    if optimizer not in list(OPTIMIZERS):
        raise bad("optimizer", optimizer, f"one of {list(OPTIMIZERS)}, or a Rule", "see lrcourse.torch.rules")
    return str(optimizer)


def _nesterov(nesterov: bool, optimizer: Any) -> bool:
    if nesterov and optimizer != "sgd":
        raise bad("nesterov", nesterov, f"False for {optimizer}", "use optimizer='sgd', or rules.SGD(nesterov=True)")
    return bool(choice(True, False)("nesterov", nesterov))


def _accumulate(accumulate: Any, batch_size: Any) -> int:
    if whole(1, "use 1 for a batch per update")("accumulate", accumulate) > 1 and batch_size is None:
        raise bad("accumulate", accumulate, "1 for the full batch", "the same batch again changes nothing")
    return int(accumulate)


def _fits(plan: Plan) -> None:
    """Whether the model, the data and the loss fit together, before anything is trained."""
    seed, data = plan.settings[0].seed, plan.dataset
    if not callable(plan.model_fn) or isinstance(plan.model_fn, torch.nn.Module):
        raise bad("model_fn", plan.model_fn, "a function that builds a model", "write lambda: MLP([2, 3, 2])")
    model, other = plan.model(seed), plan.model(seed)
    if not isinstance(model, torch.nn.Module) or not list(model.parameters()):
        raise bad("model_fn", model, "a function that builds a model with parameters", "return the model")
    if {*map(id, model.parameters())} & {*map(id, other.parameters())}:
        raise bad("model_fn", plan.model_fn, "a function that builds a new model at every call", "build it inside")
    shapes = _shapes(data)
    for each in {each.seed for each in plan.settings} if plan.draw else ():
        if (drawn := _shapes(plan.data(each))) != shapes:
            raise bad("data", drawn, f"of one shape and type for all seeds, {shapes}", f"see what seed {each} gives")
    if isinstance(plan.optimizer, Rule) and plan.optimizer.momentum is None:
        given = [each.momentum for each in plan.settings if each.momentum is not None]
        if given:
            raise bad("momentum", given[0], f"left out for {plan.optimizer}", "it has none")
    try:
        with torch.no_grad(), seeded(seed):
            x, y = (as_tensor(each[:2], next(model.parameters())) for each in (data.x_train, data.y_train))
            value = loss_function(plan.loss)(model.eval()(x), y)
    except Exception as error:
        found = [f"{each.dtype} {each.shape}" for each in (data.x_train, data.y_train)]
        raise bad("data", found, "inputs that the model takes, and targets that the loss takes", str(error)) from error
    if value.dim():
        raise bad("loss", tuple(value.shape), "a function whose result is one number", "take the mean of the batch")
    of_weights(plan, 0, {name: each.detach() for name, each in model.named_parameters() if each.requires_grad})


def _shapes(data: Dataset) -> list[Any]:
    parts = data.x_train, data.y_train, data.x_test, data.y_test
    return [(each.shape, str(each.dtype)) for each in parts]
