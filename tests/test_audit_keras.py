"""An audit of `model.fit` names the fault in a real wiring, and is silent about a healthy one."""

from typing import Any

import keras
import numpy as np
import pytest

from lrcourse import Constant, Cosine, OneCycle, Step, warmup
from lrcourse.audit import Audit
from lrcourse.keras import AuditCallback, KerasSchedule, ScheduleCallback

WORD: Any = "none"
EPOCHS, BATCHES = 4, 6
N = EPOCHS * BATCHES
callbacks = keras.callbacks
COSINE = Cosine(0.1, 0.0, N)


def small(optimizer=None, **compiled):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer or keras.optimizers.SGD(0.1), loss="mse", **compiled)
    return model


def fit(audit, *others, optimizer=None, epochs=EPOCHS, size=2, **compiled):
    model = small(optimizer, **compiled)
    x = np.linspace(-1, 1, size * BATCHES)[:, None]
    model.fit(x, x, batch_size=size, epochs=epochs, verbose=0, callbacks=[*others, AuditCallback(audit)])
    return model


def faults(audit):
    return [each.name for each in audit.report().faults]


@pytest.mark.parametrize("schedule", [COSINE, OneCycle(0.1, N), Step(0.1, 8, 0.1), warmup(Constant(0.1), 5)])
@pytest.mark.parametrize("wired", ["callback", "optimizer", "momentum", "execution"])
def test_no_fault_is_found_where_every_update_used_its_rate(schedule, wired):
    audit = Audit(schedule, N)
    if wired == "callback":
        fit(audit, ScheduleCallback(schedule))
    elif wired == "momentum":
        cycle = OneCycle(0.1, N).momentum()
        audit = Audit(schedule, N, momentum=cycle)
        fit(audit, ScheduleCallback(schedule, momentum=cycle), optimizer=keras.optimizers.SGD(0.1, momentum=0.9))
    else:
        together = 3 if wired == "execution" else 1
        fit(audit, optimizer=keras.optimizers.Adam(KerasSchedule(schedule, N)), steps_per_execution=together)
    assert faults(audit) == [] and audit.rows.step == list(range(N))


def test_stepped_per_epoch_by_kerass_own_callback():
    audit = Audit(COSINE, N)
    fit(audit, callbacks.LearningRateScheduler(lambda epoch: COSINE(epoch)))
    (fault,) = audit.report().faults
    assert fault.name == "stepped per epoch" and f"once in {BATCHES} updates" in fault.seen


def test_two_callbacks_that_set_the_rate():
    audit = Audit(COSINE, N)
    per_update = callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: None)

    class Cut(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            step = int(self.model.optimizer.iterations)
            self.model.optimizer.learning_rate = COSINE(step) * (0.5 if step >= 12 else 1.0)

    fit(audit, per_update, Cut())
    (fault,) = audit.report().faults
    assert (fault.name, fault.step) == ("two schedulers", 12)


def test_accumulation_where_the_schedule_counts_batches():
    """Keras's own schedules in an optimizer count batches, not updates."""
    audit = Audit(COSINE, N)
    own = keras.optimizers.schedules.CosineDecay(0.1, N)
    fit(audit, optimizer=keras.optimizers.SGD(own, gradient_accumulation_steps=2))
    assert len(audit.rows) == N // 2 and faults(audit) == ["several steps per update"]


def test_a_run_that_ends_high_and_one_that_goes_on():
    audit = Audit(COSINE, N)
    model = fit(audit, ScheduleCallback(COSINE), epochs=EPOCHS // 2)
    assert faults(audit) == ["ends high"] and audit.report(finished=False).faults == ()
    x = np.ones((12, 1))
    again = [ScheduleCallback(COSINE), AuditCallback(audit)]
    model.fit(x, x, batch_size=2, epochs=EPOCHS // 2, verbose=0, callbacks=again)
    assert faults(audit) == [] and audit.rows.step == list(range(N))


def test_resumed_at_the_wrong_step():
    model = fit(Audit(), ScheduleCallback(COSINE), epochs=EPOCHS // 2)
    audit, x = Audit(COSINE, N), np.ones((12, 1))

    class FromZero(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.seen = 0

        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.learning_rate = COSINE(self.seen)
            self.seen += 1

    model.fit(x, x, batch_size=2, epochs=EPOCHS // 2, verbose=0, callbacks=[FromZero(), AuditCallback(audit)])
    assert audit.rows.step[0] == N // 2 and faults(audit) == ["resumed at the wrong step"]


def test_losses_are_those_of_batches_and_divergence_is_found():
    audit = Audit()
    fit(audit, optimizer=keras.optimizers.SGD(100.0))
    assert faults(audit) == ["loss diverges"]
    audit = Audit()
    fit(audit, optimizer=keras.optimizers.SGD(0.0), epochs=1)
    model, x = small(), np.linspace(-1, 1, 2 * BATCHES)[:, None]
    whole = model.evaluate(x, x, verbose=0)
    losses = [each for each in audit.rows.loss if each is not None]
    assert len({round(each, 4) for each in losses}) > 1 and np.mean(losses) == pytest.approx(whole, rel=1e-4)


def test_loss_scaling_and_bad_arguments():
    audit = Audit(COSINE, N)
    inner = keras.optimizers.SGD(KerasSchedule(COSINE, N))
    fit(audit, optimizer=keras.optimizers.LossScaleOptimizer(inner, initial_scale=1.0))
    assert faults(audit) == []
    with pytest.raises(ValueError, match="audit must be an Audit, got 'none'"):
        AuditCallback(WORD)
    with pytest.raises(ValueError, match="make an Audit for each run"):
        fit(audit)
