"""CIFAR-10, from its official archive."""

import os
import pickle
import tarfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dataset import Dataset
from .download import archive

NAME = "cifar-10-python.tar.gz"
URL = "https://www.cs.toronto.edu/~kriz/" + NAME
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"


def cifar10(folder: str | os.PathLike[str] | None = None) -> Dataset:
    """Color photographs, 32 × 32 pixels, ten classes: 50,000 to train on and 10,000 to test on.

    `folder`: where `cifar-10-python.tar.gz` lies; without it, Keras's cache. If the archive is not there, it is
    downloaded (170 MB, minutes) and checked. `x_*`: float32 from 0 to 1, shape `(n, 32, 32, 3)`; `y_*`: int64.

    Raises: `ValueError` for a folder that does not exist; `RuntimeError` if the download fails, with what to do.
    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    >>> cifar10(folder="downloads")
    Traceback (most recent call last):
        ...
    ValueError: folder must be an existing folder, got 'downloads': create it, or name another
    """
    with tarfile.open(archive(NAME, URL, SHA256, "170 MB", folder)) as opened:
        parts = [_batch(opened, f"data_batch_{i}") for i in range(1, 6)]
        x, y = (np.concatenate(part) for part in zip(*parts, strict=True))
        x_test, y_test = _batch(opened, "test_batch")
    return Dataset("CIFAR-10", "free to use with citation (Krizhevsky 2009)", x, y, x_test, y_test)


class _Arrays(pickle.Unpickler):
    """Loads arrays and plain data only: a pickle from elsewhere could name any function to be called."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy.core.multiarray", "_reconstruct") or (module == "numpy" and name in ARRAY):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{NAME} asks for {module}.{name}, which no array needs: download it again")


ARRAY = ("ndarray", "dtype")


def _batch(opened: tarfile.TarFile, name: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    member = opened.extractfile(f"cifar-10-batches-py/{name}")
    assert member is not None  # it is a plain file
    batch = _Arrays(member, encoding="bytes").load()
    images = batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # stored color by color
    return images.astype(np.float32) / 255, np.array(batch[b"labels"], dtype=np.int64)
