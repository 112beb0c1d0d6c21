"""Schedules in Keras 3, on TensorFlow and PyTorch.

KerasSchedule(schedule, steps)      the rate inside the optimizer: any backend, any way of execution
ScheduleCallback(schedule, ...)     the rate and the momentum from outside, with a record of what was applied
PlateauCallback(plateau, ...)       a warm-up, then a rate that falls when a metric stops improving
CyclicLR(base_lr, max_lr, ...)      the classic callback
range_test(model, x, y, ...)        the loss at rising rates; the model stays as it was
AuditCallback(audit)                what every update used, for `lrcourse.audit`
Batches(x, y, size, seed)           mini-batches for `fit`, in a new order in every epoch
"""

from ..extras import extra

with extra("keras"):
    from .audit_callback import AuditCallback
    from .batches import Batches
    from .cyclic_lr import CyclicLR
    from .keras_schedule import KerasSchedule
    from .plateau_callback import PlateauCallback
    from .range_test import range_test
    from .schedule_callback import ScheduleCallback

__all__ = ["AuditCallback", "Batches", "CyclicLR", "KerasSchedule", "PlateauCallback", "ScheduleCallback", "range_test"]
