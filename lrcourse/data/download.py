"""Archives from elsewhere: found in a folder, or downloaded once and checked."""

import os
from pathlib import Path

from ..extras import extra
from ..validation import bad


def archive(name: str, url: str, sha256: str, size: str, folder: str | os.PathLike[str] | None) -> Path:
    """The path of the archive `name`: in `folder` (default: Keras's cache), downloaded to there if it is missing.

    A file that lies in `folder` already is taken as it is; a download shows its progress and must have the hash.

    Raises: `ValueError` for a folder that does not exist; `RuntimeError` if the download fails.
    """
    if folder is not None:
        folder = Path(folder).expanduser()
        if not folder.is_dir():
            raise bad("folder", str(folder), "an existing folder", "create it, or name another")
        if (folder / name).exists():
            return folder / name
    with extra("data"):
        import keras

    subfolder = "datasets" if folder is None else ""
    try:
        found = keras.utils.get_file(
            name, url, file_hash=sha256, hash_algorithm="sha256", cache_dir=folder, cache_subdir=subfolder
        )
    except Exception as error:  # Keras raises plain Exception for a failed connection
        raise RuntimeError(
            f"could not download {url} ({size}): {error}\n"
            f"With the file {name} at hand, pass the folder it lies in as folder=...; "
            "without a network, lrcourse.data.glyphs() makes images of a similar difficulty."
        ) from error
    return Path(found)
