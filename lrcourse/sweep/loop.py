"""The loop that every other engine is measured against and must equal: one run after the other, in plain PyTorch."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from ..torch.rules import RuleOptimizer
from ..torch.training import loss_function, mini_batches, scheduler_of
from .outcome import Outcome
from .plan import Plan, seeded
from .settings import Setting
from .traces import Judge, Looks, look, together
from .watch import Watch


def run(plan: Plan, watch: Watch | None = None) -> Outcome:
    """Train every member of `plan` by itself."""
    watch = watch or Watch()
    state = watch.state()
    outcomes = [] if state is None else [Outcome.of({name: column.numpy() for name, column in state.items()})]

    def so_far() -> dict[str, Tensor]:
        return {name: torch.from_numpy(column) for name, column in Outcome.join(outcomes).arrays().items()}

    for setting in plan.settings[len(outcomes[0].losses) if outcomes else 0 :]:
        outcomes.append(_member(plan, setting))
        watch.done(plan.steps, so_far)
    return Outcome.join(outcomes)


def _member(plan: Plan, setting: Setting) -> Outcome:
    with seeded(setting.seed):  # training too: dropout draws from where the first weights left off
        model = plan.model_fn()
        member = Member(plan, setting, model)
        looks = Looks(plan)
        rows = []
        model.train()
        for step in range(plan.steps):
            looks.take(step, member.look)
            rows.append(member.update(step))
        looks.take(plan.steps, member.look)
    curves = torch.stack(rows, -1).double().cpu().numpy()  # fetched at the end: a GPU is not waited for
    return looks.outcome(curves[..., np.newaxis, :], members=1)


class Member:
    """A model in training: its optimizer, its batches, and the averages of its weights."""

    def __init__(self, plan: Plan, setting: Setting, model: nn.Module) -> None:
        self.plan, self.model, self.loss_of = plan, model, loss_function(plan.loss)
        self.optimizer = plan.torch_optimizer(model.named_parameters(), setting)
        schedule, momentum = plan.schedule(setting)
        self.scheduler = scheduler_of(
            self.optimizer, schedule or plan.torch_scheduler(setting, self.optimizer), momentum
        )
        self.judge = Judge(plan, model, setting.seed)
        self.batches: Iterator[tuple[Tensor, Tensor]] = mini_batches(
            self.judge.x, self.judge.y, plan.batch_size, setting.seed
        )
        self.averages = [{name: each.clone() for name, each in self.weights().items()} for _ in plan.traces.ema]

    def weights(self) -> dict[str, Tensor]:
        return {name: each.detach() for name, each in self.model.named_parameters() if each.requires_grad}

    def update(self, step: int) -> Tensor:
        """One update; the loss before it, and the norm of its gradient if that is recorded."""
        self.optimizer.zero_grad()
        losses = []
        for _ in range(self.plan.accumulate):
            x, y = next(self.batches)
            loss = self.loss_of(self.model(x), y) / self.plan.accumulate
            loss.backward()
            losses.append(loss.detach())
        row = torch.stack(losses).sum()
        if self.plan.traces.gradient_norms:
            norm = nn.utils.get_total_norm(each.grad for each in self.model.parameters() if each.grad is not None)
            row = torch.stack([row, norm])
        if self.plan.clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip)
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()
        for decay, average in zip(self.plan.traces.ema, self.averages):
            for name, weight in self.weights().items():  # the first average is the weights after the first update
                average[name].lerp_(weight, 1 - decay if step else 1.0)
        return row

    def look(self, step: int) -> dict[str, np.ndarray]:
        weights, judged = self.weights(), None
        if isinstance(self.optimizer, RuleOptimizer):
            judged = weights = self.optimizer.evaluated()
        return together([look(self.plan, self.judge, step, weights, self.averages, judged)])
