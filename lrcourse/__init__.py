"""lrcourse: learning rates in deep learning, as a package and a course.

`import lrcourse` needs NumPy only; `lrcourse.torch` and `lrcourse.keras` bring their framework.

>>> from lrcourse import Cosine, warmup
>>> schedule = warmup(Cosine(peak=0.1, end=0.0, steps=900), steps=100)
>>> schedule(100)
0.1
"""

from . import schedules
from .schedules import *  # noqa: F403  (the schedules' names are the package's)

__version__ = "0.2.0"
__all__ = [*schedules.__all__, "__version__"]
