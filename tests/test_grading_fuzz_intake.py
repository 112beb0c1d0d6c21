"""Intake, given whatever files: it never raises, every hand-in ends in cells or a doubt, and can be stored.

More examples, by hand: `LRCOURSE_FUZZ=20000 pytest -p no:xdist tests/test_grading_fuzz_intake.py`.
"""

import io
import json
import os
import shutil
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lrcourse.course.grading.intake import HandIn, read
from lrcourse.course.grading.lab import Lab
from lrcourse.course.grading.notebook_file import Unreadable, cells_of
from lrcourse.course.grading.submissions import find

ROOT = Path(__file__).parents[1]
LAB = Lab(ROOT / "solutions" / "01-decay" / "01-decay.ipynb")
OTHERS = [Lab(ROOT / "solutions" / "02-callbacks" / "02-callbacks.ipynb")]
RIGHT = (ROOT / "labs" / "01-decay" / "01-decay.ipynb").read_bytes()
OURS = json.loads(RIGHT)
EXAMPLES = int(os.environ.get("LRCOURSE_FUZZ", "100"))
WITHOUT_CELLS = 250_000  # bytes that all else of a hand-in may take
examples = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

TEXT = st.text(st.characters(), max_size=40)  # with halves of surrogate pairs
ODD = st.sampled_from(["\ud800", "\udfff" * 30, "\0", "\u202e", "é" * 120, "../x", "/", "C:\\x", ".", "receipt.json",
                       "timestamp.txt", "x.zip", "01-decay.ipynb", "a/b/c.ipynb", "x" * 900, ""])  # fmt: skip
NUMBER = st.integers() | st.floats() | st.sampled_from([10**400, -(10**4299), float("nan"), float("inf"), 1e308, 2**63])
PLAIN = st.none() | st.booleans() | NUMBER | TEXT | ODD
VALUE = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))


def some(**fields):
    """Dictionaries with some of these fields, each as it should be or anything else."""
    return st.fixed_dictionaries({}, optional={name: field | VALUE for name, field in fields.items()})


MARK = st.sampled_from(["grade_id", "grade", "solution", "locked", "task", "points", "checksum"]) | TEXT
MARKS = st.dictionaries(MARK, VALUE | st.sampled_from(sorted(LAB.points)))
DATA = st.dictionaries(st.just("text/plain") | TEXT, PLAIN | st.lists(PLAIN, max_size=3), max_size=3)
OUTPUT = some(output_type=st.just("execute_result"), data=DATA, x=VALUE)
KIND = st.sampled_from(["code", "markdown", "raw"])
SOURCE = TEXT | st.lists(TEXT | PLAIN, max_size=4)
CELL = some(cell_type=KIND, source=SOURCE, input=SOURCE, id=TEXT, metadata=some(nbgrader=MARKS),
            outputs=st.lists(OUTPUT | VALUE, max_size=3))  # fmt: skip
CELLS = st.lists(CELL | VALUE | st.sampled_from(OURS["cells"]), max_size=6)
SHEETS = st.lists(some(cells=CELLS, metadata=VALUE) | VALUE, max_size=2)
NOTEBOOK = VALUE | some(
    nbformat=st.integers(-1, 6), nbformat_minor=VALUE, cells=CELLS, metadata=VALUE, worksheets=SHEETS
)


@st.composite
def notebooks(draw):
    """A notebook's file: of any structure, or ours with a change, in some encoding, cut or changed somewhere."""
    if draw(st.booleans()):
        notebook = draw(NOTEBOOK)
    else:
        notebook = json.loads(RIGHT)
        for _ in range(draw(st.integers(1, 3))):
            cell = draw(st.sampled_from(notebook["cells"]))
            if isinstance(cell, dict):
                cell[draw(st.sampled_from(["source", "metadata", "outputs", "id", "cell_type"]))] = draw(VALUE)
    text = json.dumps(notebook, ensure_ascii=draw(st.booleans()))
    data = bytearray(text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-16", "utf-16-be", "utf-32"])), "replace"))
    return bytes(damaged(draw, data))


def damaged(draw, data):
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    return data[: draw(st.integers(0, len(data)))] if draw(st.sampled_from([False, False, False, True])) else data


POINTS = st.dictionaries(st.sampled_from(list(LAB.points)), PLAIN)
RECEIPT = some(student=TEXT | ODD, sha256=TEXT, **{"visible points": POINTS}).map(
    lambda receipt: json.dumps(receipt).encode()
)
CONTENT = (
    notebooks() | RECEIPT | st.binary(max_size=100) | st.sampled_from([RIGHT, b"", b"PK\3\4", bytes(10), b"[" * 5000])
)
METHODS = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])


@st.composite
def archives(draw, content=CONTENT):
    """A zip with any names, methods, flags and modes, cut or changed somewhere."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for _ in range(draw(st.integers(0, 4))):
            name = draw(TEXT | ODD).encode(errors="replace").decode()
            info = zipfile.ZipInfo(name or "x")
            info.external_attr = draw(st.sampled_from([0, 0, 0o100644 << 16, 0o120777 << 16, 0o10644 << 16, 0x10]))
            info.compress_type = draw(METHODS)
            archive.writestr(info, draw(content))
    data = bytearray(file.getvalue())
    for mark, offsets in ((b"PK\1\2", (8, 10, 20, 24, 28, 30, 42)), (b"PK\3\4", (6, 8, 18, 22, 26, 28))):
        if (at := data.find(mark)) >= 0 and draw(st.sampled_from([False, False, True])):
            data[at + draw(st.sampled_from(offsets))] = draw(st.integers(0, 255))
    return bytes(damaged(draw, data))


def file_name(data):
    """A name that a file can have, as near as can be to these bytes."""
    name = data.replace(b"/", b"_").replace(b"\0", b"_")[:240]
    return os.fsdecode(b"_" + name if name in (b"", b".", b"..") else name)


BYTES = st.binary(max_size=85) | (TEXT | ODD).map(lambda text: text.encode("utf-8", "surrogatepass"))
FILE_NAME = st.tuples(BYTES.map(file_name), st.sampled_from(["", ".ipynb", ".zip", ".py", ".txt"])).map("".join)
FILES = st.dictionaries(
    FILE_NAME, notebooks() | archives() | archives(archives()) | CONTENT, min_size=1, max_size=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        yield Path(folder)


def sane(found: HandIn):
    """Everything found can be stored, is short, and says what became of the hand-in."""
    assert found.cells or found.doubts
    rest = asdict(found) | {"cells": [(cell.id, cell.marks, cell.value) for cell in found.cells or []][:100]}
    assert len(json.dumps(rest, ensure_ascii=False, allow_nan=False).encode()) < WITHOUT_CELLS
    assert len("".join(cell.source for cell in found.cells or []).encode()) < 8_000_000
    assert len(found.notes) <= 21 and len(found.doubts) <= 21
    assert set(found.claims) <= set(LAB.points)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@examples
@given(FILES, st.booleans())
def test_any_files_end_in_cells_or_a_doubt(place, files, one_folder):
    shutil.rmtree(place / "in", ignore_errors=True)
    shutil.rmtree(place / "kept", ignore_errors=True)
    folder = place / "in" / "ada" if one_folder else place / "in"
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    submissions = find(place / "in", LAB, OTHERS)
    for each in submissions:
        found = read(each, LAB, OTHERS, place / "kept")
        sane(found)
        assert asdict(found) == asdict(read(each, LAB, OTHERS)), "kept or not, it reads the same"
    kept = [path for path in (place / "kept").rglob("*") if path.is_file()]
    assert {path.read_bytes() for path in kept} <= set(files.values())
    assert not any(path.name.endswith(".part") and path.is_dir() for path in (place / "kept").glob("*"))


@examples
@given(notebooks())
@example(b'{"cells": [' + b"9" * 5000 + b"]}")
@example(b'{"cells": [{"cell_type": "code", "source": "1", "source": "2", "metadata": NaN}]}')
def test_any_notebook_has_cells_or_a_reason(data):
    try:
        cells = cells_of(data, [])
    except Unreadable as error:
        assert str(error)
        return
    for cell in cells:
        json.dumps(asdict(cell), ensure_ascii=False, allow_nan=False).encode()
        assert len(str((cell.id, cell.marks, cell.value))) < 4000
