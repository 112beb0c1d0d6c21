"""Where the course's repository is."""

from pathlib import Path


def repository() -> Path:
    """The root of the repository that the current folder belongs to.

    Raises: `RuntimeError` outside of one.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "_toc.yml").exists() and (folder / "solutions").exists():
            return folder
    raise RuntimeError("not inside the course's repository: change into your clone and try again")
