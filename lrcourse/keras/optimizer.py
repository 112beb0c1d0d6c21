"""What the callbacks and the range test read from a Keras optimizer, on one device or on many."""

from typing import Any

import keras

from ..validation import bad


def holder(optimizer: Any) -> Any:
    """The optimizer that holds rate and momentum: the inner one, where another scales the loss for it."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def number(value: Any) -> float:
    """The number in a tensor or in a variable, which `tf.distribute` copies to every device."""
    return float(value.numpy() if isinstance(value, keras.Variable) else value)


def count(optimizer: Any) -> int:
    """The successful updates so far."""
    return int(number(optimizer.iterations))


def used_rate(optimizer: Any, update: int) -> float:
    """The rate that `update`, the last one, has used."""
    optimizer = holder(optimizer)
    own, batches = optimizer._learning_rate, optimizer.gradient_accumulation_steps or 1
    if isinstance(own, keras.optimizers.schedules.LearningRateSchedule):
        return number(own((update + 1) * batches - 1))  # Keras calls it with the number of the update's last batch
    return number(optimizer.learning_rate)


def waiting(optimizer: Any) -> tuple[int, int]:
    """How many batches have left their gradient for the next update, and how many make one."""
    optimizer = holder(optimizer)
    batches = optimizer.gradient_accumulation_steps or 1
    return (int(number(optimizer._iterations)) % batches if batches > 1 else 0), batches


def check_settable(optimizer: Any, user: str, single: str, plain: str) -> None:
    """Refuse an optimizer whose rate `user` cannot set: one of several (fix: `single`) or of a schedule (`plain`)."""
    own = getattr(holder(optimizer), "learning_rate", None)
    if own is None:
        raise bad("optimizer", type(holder(optimizer)).__name__, f"one whose learning_rate {user} can set", single)
    if not isinstance(own, keras.Variable):
        raise bad("optimizer.learning_rate", "a schedule or function", f"a plain number for {user}", plain)


def alone(what: str, found: float, own: float, step: int, user: str) -> None:
    """Refuse to go on if `what` is no longer what `user` has left: then two set it, and one in vain."""
    if found != own:
        raise bad(what, found, f"{own} at step {step}, as {user} has left it",
                  "something else sets it too, for example ReduceLROnPlateau, LearningRateScheduler or a second "
                  "schedule: keep one of them")  # fmt: skip
