"""Build the book: execute what changed, in parallel, into the cache that the build then reads."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .determinism import ENVIRONMENT
from .notebooks import NotebookError

OUTPUT = Path("_build")
CACHE = OUTPUT / ".jupyter_cache"
TOOLS = {"cli.py", "doctor.py", "grading", "labs", "offline.py", "pdf.py", "recording.py", "selfcheck.py",
         "wheelhouse.py"}  # fmt: skip
BUILT = OUTPUT / ".built"  # its time is that of the last build without errors, also when no page had changed


def build(root: Path) -> Path:
    """Execute and build the book of the repository `root`; returns its first page.

    Raises: `NotebookError` if a cell fails; `RuntimeError` for an orphan page or any warning of the build.
    """
    started = time.monotonic()
    pages = pages_in_toc(root)
    if orphans := sorted(set(all_pages(root)) - set(pages)):
        raise RuntimeError(f"pages that _toc.yml does not name: {', '.join(map(str, orphans))}: add or delete them")
    executed = execute(root, [page for page in pages if page.suffix == ".ipynb"])
    jupyter_book = str(Path(sys.executable).with_name("jupyter-book"))
    command = [jupyter_book, "build", ".", "-W", "-n", "--keep-going", "--path-output", "."]
    result = subprocess.run(command, cwd=root, env={**os.environ, **ENVIRONMENT})
    if result.returncode:
        # Sphinx remembers pages it has read and would not repeat their warnings: a failed build must start afresh.
        shutil.rmtree(root / OUTPUT / ".doctrees", ignore_errors=True)
        raise RuntimeError("the book has errors or warnings: they stand above, each with its page and line")
    (root / BUILT).touch()
    first = (root / OUTPUT / "html" / "index.html").resolve()
    print(
        f"\nexecuted {executed} notebooks, built {len(pages)} pages in {time.monotonic() - started:.0f} s\nopen file://{first}"
    )
    return first


def pages_in_toc(root: Path) -> list[Path]:
    """The sources of all pages that _toc.yml names, relative to `root`."""
    from sphinx_external_toc.parsing import parse_toc_yaml

    named = [Path(name) for name in parse_toc_yaml(root / "_toc.yml")]
    return [next(name.with_name(name.name + end) for end in (".md", ".ipynb") if (root / f"{name}{end}").exists())
            for name in named]  # fmt: skip


def all_pages(root: Path) -> list[Path]:
    """Every page source below book/, relative to `root`."""
    found = [path.relative_to(root) for end in ("md", "ipynb") for path in (root / "book").rglob(f"*.{end}")]
    return [path for path in found if not any(part.startswith(("_", ".")) for part in path.parts)]


def execute(root: Path, notebooks: list[Path]) -> int:
    """Execute the notebooks that the cache does not hold yet; returns how many that were.

    The cache knows a notebook by its code cells. It cannot see the code that they import, so it is emptied when
    the package or the pins changed.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.executors import load_executor

    cache_folder, stamp = root / CACHE, root / CACHE / "made-with.sha256"
    if not stamp.exists() or stamp.read_text() != sources_hash(root):
        shutil.rmtree(cache_folder, ignore_errors=True)
        cache_folder.mkdir(parents=True)
        stamp.write_text(sources_hash(root))
    os.environ.update(ENVIRONMENT)  # the kernels inherit it
    cache = get_cache(cache_folder)
    for record in cache.list_project_records():
        cache.remove_nb_from_project(record.pk)
    for path in notebooks:
        cache.add_nb_to_project(str(root / path))
    waiting = cache.list_unexecuted()
    if waiting:
        print(
            f"executing {len(waiting)} of {len(notebooks)} notebooks: {', '.join(Path(nb.uri).name for nb in waiting)}"
        )
        result = load_executor("local-parallel", cache=cache).run_and_cache(timeout=600, allow_errors=False)
        if result.excepted or result.errored:
            failed = [Path(uri).relative_to(root.resolve()) for uri in result.excepted + result.errored]
            tracebacks = [nb.traceback for nb in cache.list_project_records() if nb.traceback]
            raise NotebookError(f"failed: {', '.join(map(str, failed))}\n" + "\n".join(tracebacks))
    return len(waiting)


def sources_hash(root: Path) -> str:
    """A hash of everything that a chapter's outputs depend on besides its own cells."""
    digest = hashlib.sha256()
    package = root / "lrcourse"
    # No chapter imports the tools.
    sources = [path for path in sorted(package.rglob("*.py")) if path.relative_to(package).parts[0] not in TOOLS]
    for path in [*sources, *sorted((package / "records").glob("*.json")), root / "constraints.txt"]:
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
