"""The loop that every other engine is measured against and must equal: one run after the other, in plain PyTorch."""

import numpy as np

from ..torch.training import train
from .outcome import Outcome
from .plan import Plan
from .settings import Setting


def run(plan: Plan) -> Outcome:
    """Train every member of `plan` by itself."""
    return Outcome.join([_member(plan, setting) for setting in plan.settings])


def _member(plan: Plan, setting: Setting) -> Outcome:
    model = plan.model(setting.seed)
    optimizer = plan.torch_optimizer(model.parameters(), setting)
    schedule, momentum = plan.schedule(setting)
    record = train(
        model, optimizer, plan.dataset, steps=plan.steps, schedule=schedule or plan.torch_scheduler(setting, optimizer),
        momentum=momentum, batch_size=plan.batch_size, loss=plan.loss, seed=setting.seed,
    )  # fmt: skip
    end = record.evaluations
    return Outcome(record.losses[np.newaxis], end.train_loss, end.test_loss, end.test_accuracy)
