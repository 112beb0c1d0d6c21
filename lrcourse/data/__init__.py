"""Data sets: arrays with a name, a license and a split. All but the two of photographs need no download."""

from .cats_vs_dogs import cats_vs_dogs
from .cifar10 import cifar10
from .dataset import Dataset
from .digits import digits
from .glyphs import glyphs
from .handwriting import handwriting
from .health import health
from .language import Language, language
from .linear_regression import linear_regression
from .moons import moons
from .text import text

__all__ = [
    "Dataset", "Language", "cats_vs_dogs", "cifar10", "digits", "glyphs", "handwriting", "health", "language",
    "linear_regression", "moons", "text",
]  # fmt: skip
