"""What to install when a module is missing: the extras, as the package's own metadata lists them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

# Modules that are not called as the distribution that brings them.
DISTRIBUTIONS = {"bs4": "beautifulsoup4", "PIL": "pillow", "sklearn": "scikit-learn"}


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around imports that the extra `name` brings: the error about a missing module says what to install.

    Raises: `ModuleNotFoundError`, as the import does.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if advice := install(error, name):
            error.msg = f"No module named {error.name!r}: {advice}"
        raise


def install(error: ModuleNotFoundError, preferred: str = "") -> str | None:
    """The command that installs a missing module: by the extra `preferred`, by that of its name, or by the smallest.

    `None` for a module that no extra brings, or a part of a package that is there.

    >>> install(ModuleNotFoundError(name="sklearn"))
    'pip install "lrcourse[data]"'
    """
    brought = _extras()
    module = _normal(DISTRIBUTIONS.get(error.name or "", error.name or ""))
    names = [name for name, packages in brought.items() if module in packages]
    if not names:
        return None
    best = min(names, key=lambda name: (name != preferred, name != module, len(brought[name])))
    return f'pip install "lrcourse[{best}]"'


def _extras() -> dict[str, set[str]]:
    """The distributions that each extra brings, those of the extras that it names among them."""
    try:
        lines = metadata.requires("lrcourse") or []
    except metadata.PackageNotFoundError:  # run from a folder, not installed
        return {}
    brought: dict[str, set[str]] = {}
    named: list[tuple[str, str]] = []
    for line in lines:
        if not (found := re.match(r"([\w.-]+)(?:\[([^]]*)])?.*\bextra *== *[\"']([\w-]+)", line)):
            continue
        package, others, by = found.groups()
        brought.setdefault(by, set()).add(_normal(package))
        if package == "lrcourse":
            named += [(by, other) for other in others.split(",")]
    for _ in brought:  # an extra may name one that names another
        for by, other in named:
            brought[by] |= brought[other]
    return brought


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
