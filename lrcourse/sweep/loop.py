"""The loop that every other engine is measured against and must equal: one run after the other, in plain PyTorch."""

import numpy as np
import torch

from ..torch.training import train
from .outcome import Outcome
from .plan import Plan, seeded
from .settings import Setting
from .watch import Watch


def run(plan: Plan, watch: Watch | None = None) -> Outcome:
    """Train every member of `plan` by itself."""
    watch = watch or Watch()
    state = watch.state()
    outcomes = [] if state is None else [Outcome(*(column.numpy() for column in state))]

    def so_far() -> list[torch.Tensor]:
        return [torch.from_numpy(column) for column in Outcome.join(outcomes).arrays().values()]

    for setting in plan.settings[len(outcomes[0].losses) if outcomes else 0 :]:
        outcomes.append(_member(plan, setting))
        watch.done(plan.steps, so_far)
    return Outcome.join(outcomes)


def _member(plan: Plan, setting: Setting) -> Outcome:
    with seeded(setting.seed):  # training too: dropout draws from where the first weights left off
        model = plan.model_fn()
        optimizer = plan.torch_optimizer(model.parameters(), setting)
        schedule, momentum = plan.schedule(setting)
        schedule = schedule or plan.torch_scheduler(setting, optimizer)
        record = train(
            model, optimizer, plan.dataset, steps=plan.steps, schedule=schedule,
            momentum=momentum, batch_size=plan.batch_size, loss=plan.loss, seed=setting.seed,
        )  # fmt: skip
    end = record.evaluations
    return Outcome(record.losses[np.newaxis], end.train_loss, end.test_loss, end.test_accuracy)
