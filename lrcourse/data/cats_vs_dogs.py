"""Cats against dogs, from the official archive."""

import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import extra
from ..validation import fraction, random_seed, whole
from .dataset import Dataset
from .download import archive

NAME = "kagglecatsanddogs_5340.zip"
URL = "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/" + NAME
SHA256 = "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9"

Image = NDArray[np.float32]
File = Any  # a pathlib.Path or a zipfile.Path: both list and open what is below them


def cats_vs_dogs(
    folder: str | os.PathLike[str] | None = None, size: int = 64, test_size: float = 0.2, seed: int = 0
) -> Dataset:
    """Color photographs of cats (class 0) and dogs (class 1), 25,000 of any shape, cut to squares of `size` pixels.

    `folder`: where the unpacked `PetImages` or `kagglecatsanddogs_5340.zip` lies; without it, Keras's cache. If
    neither is there, the archive is downloaded (787 MB) and checked. Reading takes a minute or two.
    `test_size`: share of the photographs kept for the test, both classes in proportion; `seed` decides which.
    `x_*`: float32 from 0 to 1, shape `(n, size, size, 3)`; `y_*`: int64. Some files of the archive are no images: they
    are left out, with a warning that counts them.

    Raises: `ValueError` for a folder that does not exist, a size below 1 or a share outside (0, 1); `RuntimeError`
    if the download fails, with what to do.
    Source: Elson, Douceur, Howell & Saul, "Asirra", 2007.

    >>> cats_vs_dogs(folder="downloads")
    Traceback (most recent call last):
        ...
    ValueError: folder must be an existing folder, got 'downloads': create it, or name another
    """
    with extra("data"):
        from sklearn.model_selection import train_test_split
        from tqdm import tqdm

    size, seed = whole(1, "use for example 64 pixels a side")("size", size), random_seed("seed", seed)
    test_size = fraction("use for example 0.2 for 20 %")("test_size", test_size)
    files = _files(folder)
    images = [_read(path, size) for path, _ in tqdm(files, desc="cats and dogs", unit="image")]
    broken = [path.name for (path, _), image in zip(files, images) if image is None]
    if broken:
        warnings.warn(f"{len(broken)} files are no images and are left out, such as {broken[0]}", stacklevel=2)
    x = np.stack([image for image in images if image is not None])
    y = np.array([label for (_, label), image in zip(files, images) if image is not None], dtype=np.int64)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=test_size, random_state=seed, stratify=y)
    return Dataset("cats vs dogs", "for research (Microsoft Research, Asirra 2007)", x_train, y_train, x_test, y_test)


def _files(folder: str | os.PathLike[str] | None) -> list[tuple[File, int]]:
    """Each photograph and its class, in the order of the names."""
    root: File
    if folder is not None and (Path(folder) / "PetImages").is_dir():
        root = Path(folder) / "PetImages"
    else:
        root = zipfile.Path(archive(NAME, URL, SHA256, "787 MB", folder), "PetImages/")
    photographs = []
    for label, kind in enumerate(("Cat", "Dog")):
        inside = sorted((root / kind).iterdir(), key=lambda path: path.name)
        photographs += [(path, label) for path in inside if path.name.endswith(".jpg")]
    return photographs


def _read(path: File, size: int) -> Image | None:
    with extra("data"):
        import PIL.Image
        import PIL.ImageOps

    try:
        with path.open("rb") as file, PIL.Image.open(file) as image:
            image.draft("RGB", (size, size))  # a JPEG is decoded at a fraction of its size, several times faster
            square = PIL.ImageOps.fit(image.convert("RGB"), (size, size))
            return np.asarray(square, dtype=np.float32) / np.float32(255)
    except OSError:
        return None
