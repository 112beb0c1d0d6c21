"""Data sets: arrays with a name, a license and a split. Generated, or part of scikit-learn: no download."""

from .dataset import Dataset
from .digits import digits
from .glyphs import glyphs
from .linear_regression import linear_regression
from .moons import moons

__all__ = ["Dataset", "digits", "glyphs", "linear_regression", "moons"]
