"""The built pages in one file, to be read without a network: unpacked, each page opens from the disk."""

import zipfile
from pathlib import Path

from .book import OUTPUT

ZIP = OUTPUT / "learning-rates.zip"
FOLDER = "learning-rates"  # what the file unpacks to
SERVED = "pagefind"  # an index that only a page from a server may fetch


def pack(site: Path, target: Path) -> Path:
    """Write the folder `site` to the zip file `target`; the same pages give the same bytes.

    Raises: `RuntimeError` if no book is built there.
    """
    if not (site / "index.html").exists():
        raise RuntimeError(f"no book is built in {site}: run `lrcourse book` first")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(filter(_packed, site.rglob("*"))):
            entry = zipfile.ZipInfo(f"{FOLDER}/{path.relative_to(site).as_posix()}")  # of 1 January 1980
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            file.writestr(entry, path.read_bytes())
    return target


def _packed(path: Path) -> bool:
    return path.is_file() and path.name != ".buildinfo" and SERVED not in path.parts
