"""Optuna proposes the settings, a sweep trains them together."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..schedules.checks import steps as at_least_one
from .result import Result
from .run import sweep

if TYPE_CHECKING:
    import optuna


def tune(study: "optuna.Study", suggest: Callable[["optuna.Trial"], dict[str, Any]], model_fn: Any, data: Any, *,
         trials: int, together: int = 16, value: str = "train_loss", **options: Any) -> list[Result]:  # fmt: skip
    """Ask `study` for `together` trials, train them as one sweep, tell it their `value`, until `trials` are done.

    `suggest(trial)`: the trial's setting as a dict, made with `trial.suggest_float` and the like. `value`: a column
    of `Result.frame`; the study says whether it is to be low or high. A member that diverged is told as failed.
    The study's own storage (SQLite, for one) keeps the trials: call `tune` again to add more. `options` go to `sweep`.

    Returns the sweeps, one for each round. Raises: `ValueError` for a count below 1, and what `sweep` raises.

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
    import optuna

    trials, together = at_least_one("trials", trials), at_least_one("together", together)
    results = []
    for done in range(0, trials, together):
        asked = [study.ask() for _ in range(min(together, trials - done))]
        result = sweep(model_fn, data, settings=[suggest(trial) for trial in asked], **options)
        frame = result.frame()
        for trial, reached, diverged in zip(asked, frame[value], result.diverged):
            if diverged >= 0:
                trial.set_user_attr("diverged", int(diverged))
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, float(reached))
        results.append(result)
    return results
