"""Many hyperparameter settings at once: a heatmap for the price of a few runs.

sweep(model_fn, data, …)   train every setting, stacked into one program where the model allows it
grid(lr=[…], seed=[…])     the settings of a full grid
"""

from ..extras import extra

with extra("sweep"):
    from .result import Heatmap, Result
    from .run import sweep
    from .settings import Setting, grid
    from .traces import Trace

__all__ = ["Heatmap", "Result", "Setting", "Trace", "grid", "sweep"]
