"""An audit in the Trainer of Hugging Face."""

from typing import TYPE_CHECKING

from .live import Audit

if TYPE_CHECKING:
    from .transformers_callback import AuditTrainerCallback


def trainer_callback(audit: Audit) -> "AuditTrainerCallback":
    """A callback for the `Trainer` of Transformers, or for one that is built on it, that hands every update to `audit`.

    The losses are those that the Trainer logs, means over `logging_steps`. A resumed run is counted on from its step.

    Raises: `ModuleNotFoundError` without Transformers.

    >>> audit = Audit()
    >>> trainer = Trainer(model, arguments, callbacks=[trainer_callback(audit)])  # doctest: +SKIP
    """
    from .transformers_callback import AuditTrainerCallback

    return AuditTrainerCallback(audit)
