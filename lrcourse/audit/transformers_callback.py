"""The callback of the Trainer of Hugging Face. Apart, because nothing else of the package needs Transformers."""

from typing import Any

from ..extras import extra
from .live import Audit

with extra("trainers"):
    from transformers import TrainerCallback


class AuditTrainerCallback(TrainerCallback):
    """Hands every update of a `Trainer` to an audit; made by `trainer_callback`."""

    def __init__(self, audit: Audit) -> None:
        self.audit = audit

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self.audit.attach(given["optimizer"], given.get("lr_scheduler"), step=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **given: Any) -> None:
        if logs and "loss" in logs and len(self.audit.rows):
            self.audit.loss(logs["loss"])
