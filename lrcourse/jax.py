"""Schedules in JAX, where optax and others call a schedule with the number of the update, while they trace."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .schedules import Schedule, values
from .schedules.base import child
from .validation import bad, whole_steps

if TYPE_CHECKING:
    import jax


def jax_schedule(schedule: Schedule, steps: int) -> Callable[[Any], "jax.Array"]:
    r"""The first `steps` rates of `schedule` as a function of the update's number, for `jax.jit`, `scan` and `vmap`.

    $$\mathrm{rate}(k) = s(\min(k, n - 1))$$

    with $n$ = `steps`, the number of updates in the run, `epochs(n, steps_per_epoch)`. It is what optax calls a
    schedule: pass it as `learning_rate`, or as any argument of an `optax.inject_hyperparams`. optax keeps $k$ in the
    optimizer's state, so a run that goes on from a saved state has the right rate.

    The rate is a look-up, so it is right for any schedule, `Lambda` included. Past the end it holds the last value of
    the table. The table is in JAX's float type (float32, unless `jax_enable_x64` is set).

    Shapes: a number or an integer array in, a JAX array of that shape out.

    Raises: `ValueError` if `schedule` is no schedule, one of its first `steps` rates is none in this float type, or
    `steps` is not a whole number ≥ 1; `ModuleNotFoundError` without JAX.

    >>> from lrcourse import Cosine
    >>> import optax  # doctest: +SKIP
    >>> rate = jax_schedule(Cosine(0.1, 0.0, steps=1000), steps=1000)  # doctest: +SKIP
    >>> optimizer = optax.adamw(rate)  # doctest: +SKIP
    """
    steps = whole_steps("steps", steps)

    import jax
    import jax.numpy as jnp

    t = np.arange(steps, dtype=np.float64)
    rates = values.rates(schedule, child("schedule", schedule)(t), t)
    with np.errstate(over="ignore"):
        table = rates.astype(jax.dtypes.canonicalize_dtype(np.float64))
    if not np.isfinite(table).all():
        first = int(np.flatnonzero(~np.isfinite(table))[0])
        raise bad(f"{schedule} at step {first}", float(rates[first]), f"finite as {table.dtype}", "lower it")

    def rate(count: Any) -> "jax.Array":
        return jnp.asarray(table)[jnp.clip(jnp.asarray(count).astype(int), 0, steps - 1)]

    return rate
