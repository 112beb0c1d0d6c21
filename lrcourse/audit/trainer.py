"""An audit in the Trainer of Hugging Face."""

from typing import Any

from .live import Audit


def trainer_callback(audit: Audit) -> Any:
    """A callback for the `Trainer` of Transformers, or for one that is built on it, that hands every update to `audit`.

    The losses are those that the Trainer logs, means over `logging_steps`. A resumed run is counted on from its step.

    Raises: `ModuleNotFoundError` without Transformers.

    >>> audit = Audit()
    >>> trainer = Trainer(model, arguments, callbacks=[trainer_callback(audit)])  # doctest: +SKIP
    """
    from transformers import TrainerCallback

    class AuditTrainerCallback(TrainerCallback):  # type: ignore[misc]  # Transformers need not be there
        def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            audit.attach(given["optimizer"], given.get("lr_scheduler"), step=state.global_step)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **given: Any) -> None:
            if logs and "loss" in logs and len(audit.rows):
                audit.loss(logs["loss"])

    return AuditTrainerCallback()
