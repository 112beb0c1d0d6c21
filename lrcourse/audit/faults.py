"""The faults by name: what most often causes each, and the fix. Data, for reports, for the page and for scripts."""

from typing import NamedTuple


class Fault(NamedTuple):
    why: str
    fix: str


FAULTS = {
    "stepped per epoch": Fault(
        "the schedule counts updates, but the scheduler moves on only once in many of them, for example per epoch",
        'call scheduler.step() after every optimizer.step(); in Lightning return {"scheduler": scheduler, '
        '"interval": "step"}; in Keras use unit="step"',
    ),
    "several steps per update": Fault(
        "the scheduler moves on more than once per update: for every batch under gradient accumulation, once "
        "per process (accelerate's scheduler does, unless split_batches=True), or in two places of the loop",
        "call scheduler.step() once, right after the optimizer.step() of an accumulated update; with "
        "accelerate multiply the schedule's steps by the number of processes, or leave the scheduler out of "
        "prepare()",
    ),
    "scheduler before the optimizer": Fault(
        "scheduler.step() was called once before the first update, so the first rate was skipped and all "
        "others come an update early",
        "call optimizer.step() first, then scheduler.step(); and do not call step() after building the scheduler",
    ),
    "one update late": Fault(
        "the scheduler missed an update, so that each rate comes one update late",
        "call scheduler.step() after every optimizer.step(), the first one too",
    ),
    "schedule never applied": Fault(
        "scheduler.step() is never called, or the scheduler belongs to another optimizer than the one that trains",
        "call scheduler.step() after every optimizer.step(), and build the scheduler on the optimizer that is stepped",
    ),
    "two schedulers": Fault(
        "something beside the scheduler sets the rate: a second scheduler, a callback, or a line that writes "
        "it by hand",
        "keep one of them; write a product of schedules as a * b, and one after the other as a.then(b, at); if "
        "there is but one, compare where its parts begin, such as the milestones of a SequentialLR",
    ),
    "another schedule": Fault(
        "the optimizer follows another schedule than the one that was meant, or one of other length or other peak; "
        "or two schedulers set its rate from the first update on",
        "compare the arguments with what was meant: steps count updates, not epochs or batches; print "
        "schedule(0) and the first rate; and search the loop for a second scheduler",
    ),
    "rate scaled": Fault(
        "a schedule that gives rates was taken for a factor: LambdaLR multiplies it with the lr of the "
        "optimizer; or the rate was multiplied by the number of processes; or it is another group's share of the "
        "schedule: the log of a Trainer has the first group only",
        "use ScheduleLR(optimizer, schedule), or give the optimizer lr=1.0 for a LambdaLR of rates; with relative=True "
        "the fastest group has the schedule itself, the factor 1",
    ),
    "stretched": Fault(
        "the schedule was built for a run of another length, for example for batches where updates count",
        "build it for the updates of the run: epochs(n, steps_per_epoch), divided by the batches that make one update",
    ),
    "resumed at the wrong step": Fault(
        "the step of the scheduler and the updates of the optimizer differ by a jump: one of the two was not "
        "restored from the checkpoint, or the scheduler was built anew",
        "save scheduler.state_dict() beside that of the optimizer, build the scheduler, then load both. If the run was "
        "not resumed, move a scheduler.step() from the beginning of an epoch to its end. If only the audit does not "
        "know the step, write audit.attach(optimizer, step=step), with 0 for a new schedule",
    ),
    "skipped update": Fault(
        "an update was skipped, as mixed precision does when a gradient overflows, but the scheduler moved on",
        "step the scheduler only if scaler.get_scale() did not fall in scaler.update()",
    ),
    "first update at rate 0": Fault(
        "a warm-up that starts at 0 spends its first update on nothing; Transformers' and LambdaLR's own do",
        "start above 0, for example warmup(schedule, steps, start=peak / steps)",
    ),
    "ends high": Fault(
        "the run made fewer updates than the schedule is made for, so its end, where the rate is low, was "
        "never reached: batches were counted where updates count (accumulation, processes), the last batch "
        "was dropped, or it stopped",
        "build the schedule for the updates that the run makes; print len(loader) * epochs // batches_per_update. If "
        "it was stopped on purpose, ask for report(finished=False)",
    ),
    "schedule ended early": Fault(
        "the run made more updates than the schedule is made for, and trained on with its last rate, or with rates "
        "that rise again, as those of CosineAnnealingLR of torch do",
        "build the schedule for all updates of the run, or stop the run where the schedule ends",
    ),
    "groups differ": Fault(
        "the parameter groups do not have the rates that were meant: a scheduler gave all of them one rate, "
        "gave each the same lowest rate, or does not know of a group that was added later",
        "keep the ratio with ScheduleLR(optimizer, schedule, relative=True), or pass a list with one schedule "
        "per group",
    ),
    "momentum changed": Fault(
        "the momentum (Adam's first beta) changes in the run; OneCycleLR and CyclicLR of torch cycle it "
        "unless told not to",
        "pass cycle_momentum=False if that is not meant, or tell the audit what is: Audit(schedule, momentum=...)",
    ),
    "loss diverges": Fault(
        "the rate is too large for this loss, from the start or at the peak of the schedule; or data and "
        "targets are not scaled",
        "look at the scale of the data, then lower the peak by a factor of 3, or warm up longer; a range test "
        "shows the edge",
    ),
    "rate too low": Fault(
        "the loss hardly moves: the rate is far too low, or the weights that are trained are not those of the loss",
        "run a range test, or try ten times the rate; look whether gradients arrive at all",
    ),
}
