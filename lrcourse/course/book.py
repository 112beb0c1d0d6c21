"""Build the book: execute what changed, in parallel, into the cache that the build then reads."""

import ast
import hashlib
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..determinism import ENVIRONMENT
from . import dependencies
from .notebooks import COLOR, executed

if TYPE_CHECKING:
    from sphinx_external_toc.api import SiteMap

OUTPUT = Path("_build")
CACHE = OUTPUT / ".jupyter_cache"
LOG = OUTPUT / "sphinx.log"
PAGES = OUTPUT / ".doctrees"  # as Sphinx remembers them
SECONDS = 30  # what a chapter takes on one of two cores, for a first estimate
BUILT = OUTPUT / ".built"  # its time is that of the last build without errors, also when no page had changed


def build(root: Path, stored: bool = False) -> Path:
    """Execute and build the book of the repository `root`; returns its first page.

    `stored`: execute nothing, and show the outputs that are stored in the notebooks.

    Raises: `NotebookError` if a cell fails; `RuntimeError` for an orphan page or any warning of the build.
    """
    started = time.monotonic()
    pages = pages_in_toc(root)
    if orphans := sorted(set(all_pages(root)) - set(pages)):
        raise RuntimeError(f"pages that _toc.yml does not name: {', '.join(map(str, orphans))}: add or delete them")
    forget_pages_of_other_extensions(root)
    count = fill_cache(root, [page for page in pages if page.suffix == ".ipynb"], stored)
    if _build_pages(root):
        # Sphinx remembers pages it has read and would not repeat their warnings: a failed build must start afresh.
        shutil.rmtree(root / PAGES, ignore_errors=True)
        raise RuntimeError(
            f"the book has errors or warnings: they stand above, each with its page and line; all of the log: {LOG}"
        )
    (root / BUILT).touch()
    first = (root / OUTPUT / "html" / "index.html").resolve()
    print(
        f"executed {count} notebooks, built {len(pages)} pages in {time.monotonic() - started:.0f} s\nopen file://{first}"
    )
    return first


def forget_pages_of_other_extensions(root: Path) -> None:
    """Have Sphinx read every page again if one of the book's own extensions has changed since the last build."""
    built = (root / BUILT).stat().st_mtime if (root / BUILT).exists() else 0.0
    if any(path.stat().st_mtime > built for path in (root / "book" / "_ext").glob("*.py")):
        shutil.rmtree(root / PAGES, ignore_errors=True)


def _build_pages(root: Path) -> int:
    """Run Jupyter Book; returns 0 if all is well. A bar shows how far it is, the log keeps what it says."""
    from . import progress

    jupyter_book = str(Path(sys.executable).with_name("jupyter-book"))
    command = [jupyter_book, "build", ".", "-W", "-n", "--keep-going", "--path-output", "."]
    # The page of the package's names imports Keras, for which TensorFlow would load for seconds and talk.
    environment = {**os.environ, **ENVIRONMENT, "PYTHONUNBUFFERED": "1", "KERAS_BACKEND": "torch"}
    executed_again = []  # with that environment: what the cache lacks must not be made up for in silence
    with (root / LOG).open("w", encoding="utf-8") as log, tempfile.TemporaryFile("w+", encoding="utf-8") as wrong:
        sphinx = subprocess.Popen(command, cwd=root, env=environment, text=True, stdout=subprocess.PIPE, stderr=wrong)
        with sphinx, progress.bar("building pages", 100, "%") as bar:
            for line in sphinx.stdout or ():
                log.write(plain := COLOR.sub("", line))
                if ": Executing notebook" in plain:
                    executed_again.append(plain)
                if found := re.match(r"(reading sources|writing output)\.\.\. \[ *(\d+)%\] (\S+)", plain):
                    bar.set_postfix_str(found[3], refresh=False)
                    bar.update((int(found[2]) + 100 * (found[1] == "writing output")) // 2 - bar.n)
        wrong.seek(0)
        warnings = COLOR.sub("", wrong.read())
        log.write(warnings)
    print(warnings, *executed_again, sep="", end="", file=sys.stderr)
    return sphinx.returncode or len(executed_again)


def pages_in_toc(root: Path) -> list[Path]:
    """The sources of all pages that _toc.yml names, relative to `root`."""
    return [_source(root, name) for name in _toc(root)]


def chapters_in_toc(root: Path) -> list[Path]:
    """The sources of the chapters, in their order: of the parts that _toc.yml says are numbered."""
    parts = _toc(root).root.subtrees
    return [_source(root, str(name)) for part in parts if part.numbered for name in part.items]


def _toc(root: Path) -> "SiteMap":
    from sphinx_external_toc.parsing import parse_toc_yaml

    return parse_toc_yaml(root / "_toc.yml")


def _source(root: Path, name: str) -> Path:
    return next(Path(name + end) for end in (".md", ".ipynb") if (root / f"{name}{end}").exists())


def all_pages(root: Path) -> list[Path]:
    """Every page source below book/, relative to `root`."""
    found = [path.relative_to(root) for end in ("md", "ipynb") for path in (root / "book").rglob(f"*.{end}")]
    return [path for path in found if not any(part.startswith(("_", ".")) for part in path.parts)]


def fill_cache(root: Path, notebooks: list[Path], stored: bool = False) -> int:
    """Execute the notebooks that the cache does not hold as they stand; returns how many that were.

    The cache knows a notebook by its code cells. With each it keeps what its outputs were `made_with`: the code that it
    imports and the data that it reads, so that a change there executes those notebooks again, and no others.

    `stored`: fill it with the outputs that are stored in the notebooks instead, which the tests have proved.
    """
    import nbformat
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    (root / CACHE).mkdir(parents=True, exist_ok=True)
    cache = get_cache(root / CACHE)
    made_with, waiting = {}, []
    for path in [root.resolve() / path for path in notebooks]:
        made_with[path] = hashlib.sha256(path.read_bytes()).hexdigest() if stored else inputs_hash(root, path)
        with suppress(KeyError):
            found = cache.match_cache_notebook(nbformat.read(path, as_version=4))
            if found.data.get("made_with") == made_with[path]:
                continue
            cache.remove_cache(found.pk)
        waiting.append(path)
    read = ((path, nbformat.read(path, as_version=4), None) for path in waiting)
    for path, notebook, seconds in read if stored else _executed(waiting, len(notebooks)):
        data = {"execution_seconds": seconds, "made_with": made_with[path]}
        cache.cache_notebook_bundle(CacheBundleIn(notebook, str(path), data=data), check_validity=False, overwrite=True)
        # Sphinx reads a page again when its source has changed, and would keep the old outputs of this one.
        (root / PAGES / path.relative_to(root.resolve())).with_suffix(".doctree").unlink(missing_ok=True)
    return 0 if stored else len(waiting)


def _executed(waiting: list[Path], of: int) -> Iterator[tuple[Path, Any, float]]:
    import joblib

    if waiting:
        minutes = math.ceil(len(waiting) * SECONDS / joblib.cpu_count() / 60)
        print(
            f"executing {len(waiting)} of {of} notebooks: about {minutes} min, and a minute for the pages", flush=True
        )
        os.environ.update(ENVIRONMENT)  # the kernels inherit it
        yield from executed(waiting)


def inputs(root: Path, notebook: Path) -> dict[str, Path]:
    """The files that a notebook's outputs depend on besides its own cells, by name: code, records, pins."""
    package, code = root / "lrcourse", dependencies.notebook_code(notebook)
    imported = dependencies.reached(dependencies.imports(code))
    records = _records(package / "records", code) if "lrcourse.records" in imported else {}
    executing = dependencies.reached({f"{__package__}.notebooks"})  # the environment of its kernel, among others
    return dependencies.files(imported | executing, package) | records | {"constraints.txt": root / "constraints.txt"}


def _records(folder: Path, code: str) -> dict[str, Path]:
    """The records whose experiments the code names; all of them where it names none."""
    stored = sorted(folder.glob("*.json"))
    texts = {node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)}
    named = [path for path in stored if path.stem.rpartition("-")[0] in texts]
    return {path.name: path for path in named or stored}


def inputs_hash(root: Path, notebook: Path) -> str:
    """A hash of all of them. Docstrings count: a chapter may print one."""
    digest = hashlib.sha256()
    for name, path in inputs(root, notebook).items():
        digest.update(f"{name}\0".encode() + path.read_bytes())
    return digest.hexdigest()
