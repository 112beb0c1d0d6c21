"""English text that is on every machine: what a package's authors wrote about its functions."""

import ast
import hashlib
import inspect
import re
import warnings
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..validation import choice, whole
from .dataset import Dataset

ALPHABET = "\n abcdefghijklmnopqrstuvwxyz0123456789.,;:?!'\"()-/"
# Of each package the folder, the version that constraints.txt pins, and the hash of all of its text
PACKAGES = {
    "scikit-learn": ("sklearn", "1.9.1", "4ecba186c0988af7df8d5c845132e0957dbbeacccc882a422699182445edd86c"),
    "scipy": ("scipy", "1.17.1", "1a58f83591454890cd5ce4ee1d18d848d7fa3ac32a735335dbef2bb7d7f33c5e"),
}
LEFT_OUT = {"tests", "externals", "_lib"}  # written for others, or by others
SHORTEST = 40  # characters of a paragraph
TEST = 10  # one document of ten is kept for the test
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def text(context: int = 32, package: str = "scikit-learn") -> Dataset:
    r"""Plain English, character by character: the docstrings of a package, half a million characters and more.

    `context`: characters a window. `package`: `"scikit-learn"` or `"scipy"`, each in the version of `constraints.txt`;
    it is read and not imported. `x_*`: the number of each character in `ALPHABET`, int64, shape `(n, context)`;
    windows follow each other without overlap. `y_*`: the character after each.

    Of the docstrings all paragraphs are kept that are sentences of letters, figures and common signs, in small
    letters, each the first time it occurs. One file of ten is kept for the test.

    Raises: `ValueError` for a context below 1 and an unknown package; `RuntimeError` for another version of it.

    >>> data = text(context=64)
    >>> data.x_train.shape, data.x_test.shape
    ((7392, 64), (670, 64))
    >>> "".join(ALPHABET[i] for i in data.x_train[50])
    'limit the size of temporary arrays to this number of mib (per jo'
    """
    context = whole(1, "use for example 32 characters")("context", context)
    package = choice(*PACKAGES)("package", package)
    files = documents(package)
    test = "".join(files[::TEST])
    train = "".join(file for i, file in enumerate(files) if i % TEST)
    (x, y), (x_test, y_test) = _windows(train, context), _windows(test, context)
    return Dataset(f"docstrings of {package}", f"BSD-3-Clause ({package})", x, y, x_test, y_test)


def _windows(characters: str, context: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    encoded = np.array([ALPHABET.index(character) for character in characters])
    n = (len(encoded) - 1) // context
    return encoded[: n * context].reshape(n, context), encoded[1 : n * context + 1].reshape(n, context)


@cache
def documents(package: str) -> tuple[str, ...]:
    """The text of each file of `package` that has any, in the order of their names."""
    folder, version, sha256 = PACKAGES[package]
    fix = f'pip install "{package}=={version}"'
    try:
        installed = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        raise ModuleNotFoundError(f"{package} is not installed: {fix}", name=folder) from None
    root = Path(str(installed.locate_file(folder)))
    files = [path for path in root.rglob("*.py") if not LEFT_OUT & set(path.relative_to(root).parts)]
    seen: dict[str, None] = {}  # in order
    found = []
    for path in sorted(files, key=lambda path: path.relative_to(root).as_posix()):
        before = len(seen)
        seen.update(dict.fromkeys(paragraphs(path)))
        found.append("".join(f"{paragraph}\n" for paragraph in list(seen)[before:]))
    if hashlib.sha256("".join(found).encode()).hexdigest() != sha256:
        raise RuntimeError(
            f"the docstrings of {package} {installed.version} are not those of {version}, on which results rest: {fix}"
        )
    return tuple(document for document in found if document)


def paragraphs(path: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a backslash: newer versions of Python warn of more of them
        tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED):
            for paragraph in _blocks(ast.get_docstring(node, clean=False) or ""):
                words = re.sub(r":\w+:`~?([^`<]+?)(?: <[^`]*>)?`", r"\1", paragraph).replace("`", "")
                is_sentence = re.fullmatch(r"[A-Z].*\.", words) and len(words) >= SHORTEST
                if is_sentence and set(words.lower()) <= set(ALPHABET):
                    yield words.lower()


def _blocks(docstring: str) -> Iterator[str]:
    """Lines that follow each other at one indentation, joined: blank lines and underlines end a block."""

    def indentation(line: str) -> int:
        return len(line) - len(line.lstrip()) if set(line) - set(" -=~^") else -1

    lines = inspect.cleandoc(docstring).splitlines()  # as newer versions of Python do by themselves
    for _, block in groupby(lines, key=indentation):
        yield " ".join(" ".join(block).split())
