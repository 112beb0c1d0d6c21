"""Optuna proposes the settings, a sweep trains them together."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..data import Dataset
from ..extras import extra
from ..validation import bad, whole
from .result import Result
from .run import sweep

if TYPE_CHECKING:
    import optuna

VALUES = ("train_loss", "test_loss", "test_accuracy")


def tune(study: "optuna.Study", suggest: Callable[["optuna.Trial"], dict[str, Any]], model_fn: Any, data: Any, *,
         trials: int, together: int = 16, value: str = "train_loss", **options: Any) -> list[Result]:  # fmt: skip
    """Ask `study` for `together` trials, train them as one sweep, tell it their `value`, until `trials` are done.

    `suggest(trial)`: the trial's setting as a dict, made with `trial.suggest_float` and the like. `value`: a column
    of `Result.frame`: a loss for a study that minimizes, `"test_accuracy"` for one that maximizes. A member that
    diverged is told as failed, and so is a round that is interrupted.
    The study's own storage (SQLite, for one) keeps the trials: call `tune` again to add more. `options` go to `sweep`.

    Returns the sweeps, one for each round. Raises: `ValueError` for a count below 1, a value that the sweep will not
    have, a study of the wrong direction and a `folder`, and what `sweep` raises.

    >>> import optuna
    >>> from lrcourse.data import moons
    >>> from lrcourse.torch import LogicNet
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    >>> def suggest(trial):
    ...     return {"lr": trial.suggest_float("lr", 1e-3, 1.0, log=True), "momentum": 0.9}
    >>> rounds = tune(study, suggest, LogicNet, moons(n=50), trials=6, together=4, steps=20, progress=False)
    >>> [len(each.train_loss) for each in rounds], len(study.trials), study.best_params["lr"] > 0.01
    ([4, 2], 6, True)
    """
    with extra("tuner"):
        import optuna

    trials = whole(1, "use for example 64")("trials", trials)
    together = whole(1, "use for example 16")("together", together)
    if value not in (known := VALUES if isinstance(data, Dataset) else VALUES[:1]):
        raise bad("value", value, f"one of {list(known)}", "a Dataset has test data, a pair (X, y) has none")
    if value == "test_accuracy" and study.direction != optuna.study.StudyDirection.MAXIMIZE:
        raise bad("study", study.direction.name, "MAXIMIZE for an accuracy", "create_study(direction='maximize')")
    if options.get("folder") is not None:
        raise bad("folder", options["folder"], "left out", "every round is another sweep, and the study keeps them")
    results = []
    for done in range(0, trials, together):
        asked = [study.ask() for _ in range(min(together, trials - done))]
        try:
            result = sweep(model_fn, data, settings=[suggest(trial) for trial in asked], **options)
        except BaseException:  # Ctrl-C too: or the storage shows them at work for ever
            for trial in asked:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            raise
        frame = result.frame()
        for trial, reached, diverged in zip(asked, frame[value], result.diverged):
            if diverged >= 0:
                trial.set_user_attr("diverged", int(diverged))
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, float(reached))
        results.append(result)
    return results
