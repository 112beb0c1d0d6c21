"""Intake: whatever is handed in, the original is kept, and a person reads why there is no notebook in it."""

import codecs
import hashlib
import io
import json
import os
import random
import shutil
import stat
import threading
import time
import zipfile
from dataclasses import asdict
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lrcourse.course.grading import copies, intake
from lrcourse.course.grading.intake import read
from lrcourse.course.grading.lab import Lab
from lrcourse.course.grading.notebook_file import Unreadable, cells_of
from lrcourse.course.grading.submissions import Submission, find

ROOT = Path(__file__).parents[1]
LAB = Lab(ROOT / "solutions" / "01-decay" / "01-decay.ipynb")
OTHER = Lab(ROOT / "solutions" / "02-callbacks" / "02-callbacks.ipynb")
RIGHT = (ROOT / "labs" / "01-decay" / "01-decay.ipynb").read_bytes()
FOREIGN = (ROOT / "labs" / "02-callbacks" / "02-callbacks.ipynb").read_bytes()
NAME = "01-decay.ipynb"


def packed(*members, **options):
    """A zip of (name or ZipInfo, bytes)."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


def receipt(data=RIGHT, student="ada", **more):
    return json.dumps({"student": student, "sha256": hashlib.sha256(data).hexdigest()} | more)


def handed_in(tmp_path, files):
    """What is read from a folder of submissions with these files, of one student."""
    for name, data in files.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    [submission] = find(tmp_path / "in", LAB, [OTHER])
    return read(submission, LAB, [OTHER], tmp_path / "kept")


def link():
    info = zipfile.ZipInfo(NAME)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return packed((info, "/etc/passwd"))


def damaged():
    data = bytearray(packed((NAME, RIGHT)))
    data[200:260] = bytes(60)
    return bytes(data)


def encrypted():
    data = bytearray(packed((NAME, RIGHT)))
    data[data.index(b"PK\1\2") + 8] |= 1
    return bytes(data)


def nameless():
    info = zipfile.ZipInfo("x")
    info.filename = ""
    return packed((info, b"x"), (NAME, RIGHT))


def flagged(at, value):
    """A zip whose table of contents asks for more than Python's reader can do, in this byte."""
    data = bytearray(packed((NAME, RIGHT)))
    data[data.index(b"PK\1\2") + at] |= value
    return bytes(data)


OLD = json.dumps({"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"metadata": {}, "cells": [
    {"cell_type": "code", "language": "python", "input": "def lr_by_hand(n): pass", "outputs": [], "collapsed": False,
     "metadata": {"nbgrader": {"grade_id": "by-hand"}}}]}]}).encode()  # fmt: skip
TEXT = RIGHT.decode()


@pytest.mark.parametrize("files", [
    {"ada.ipynb": RIGHT},
    {"ada/01-decay.ipynb": RIGHT},
    {"ada/01-decay/01-decay.ipynb": RIGHT},
    {"ada/01-decay/01-decay.ipynb": RIGHT, "ada/02-callbacks/02-callbacks.ipynb": FOREIGN},
    {"01-decay-ada.zip": packed((NAME, RIGHT), ("receipt.json", receipt()))},
    {"ada.zip": packed(("01-decay/", b""), (f"01-decay/{NAME}", RIGHT), ("__MACOSX/._01-decay.ipynb", b"\0"))},
    {"ada/01-decay-ada.zip": packed((NAME, RIGHT))},
    {"ada/01-decay.ipynb": RIGHT, "ada/.ipynb_checkpoints/01-decay-checkpoint.ipynb": FOREIGN},
    {"ada/01-decay.ipynb": RIGHT, "ada/copy.ipynb": RIGHT, "ada/notes.txt": b"hello"},
    {"ada.ipynb": codecs.BOM_UTF8 + RIGHT},
    {"ada.ipynb": TEXT.encode("utf-16")},
    {"ada.ipynb": TEXT.encode("utf-16-le")},
    {"ada.ipynb": TEXT.encode("utf-32")},
    {"ada.ipynb": RIGHT.replace(b"\n", b"\r\n")},
])  # fmt: skip
def test_a_notebook_is_found_however_it_is_handed_in(tmp_path, files):
    found = handed_in(tmp_path, files)
    assert (found.student, found.doubts) == ("ada", [])
    assert found.cells == cells_of(RIGHT, [])


@pytest.mark.parametrize(("files", "doubt"), [
    ({"ada/notes.txt": b"I could not do it"}, "there is no notebook in it"),
    ({"ada.ipynb": b""}, "the file is empty"),
    ({"ada.ipynb": b"\0" * 5000}, "the file is empty"),
    ({"ada.ipynb": RIGHT[:5000]}, "no notebook, or not all of it"),
    ({"ada.ipynb": os.urandom(5000)}, "no notebook"),
    ({"ada.ipynb": b"[" * 200_000}, "nested too deeply"),
    ({"ada.ipynb": b"{}"}, "it has no cells"),
    ({"ada.ipynb": b"[1, 2]"}, "it has no cells"),
    ({"ada.ipynb": b'{"cells": []}'}, "it has no cells"),
    ({"ada.ipynb": b'{"cells": [{}, 7]}'}, "all of its cells are damaged"),
    ({"ada.ipynb": b'{"worksheets": 7}'}, "the old notebook format cannot be read"),
    ({"ada.ipynb": b'{"cells": [%s 1]}' % (b"1," * 1000)}, "more than 1000 cells"),
    ({"ada.zip": b""}, "cannot be read"),
    ({"ada.zip": packed((NAME, RIGHT))[:3000]}, "cannot be read"),
    ({"ada.zip": damaged()}, "cannot be read"),
    ({"ada.zip": encrypted()}, "is encrypted"),
    ({"ada.zip": flagged(6, 99)}, "ada.zip cannot be read: zip file version"),
    ({"ada.zip": flagged(8, 0x20)}, "01-decay.ipynb cannot be read: compressed patched data"),
    ({"ada.zip": packed()}, "there is no notebook in it"),
    ({"ada.zip": packed((f"../{NAME}", RIGHT))}, "points outside its archive"),
    ({"ada.zip": packed((f"a/../../{NAME}", RIGHT))}, "points outside its archive"),
    ({"ada.zip": packed((f"/{NAME}", RIGHT))}, "points outside its archive"),
    ({"ada.zip": packed((f"..\\{NAME}", RIGHT))}, "points outside its archive"),
    ({"ada.zip": packed((f"C:\\{NAME}", RIGHT))}, "points outside its archive"),
    ({"ada.zip": link()}, "is a link"),
    ({"ada.zip": packed(("inner.zip", packed((NAME, RIGHT))))}, "is an archive in an archive"),
    ({"ada.zip": packed((NAME, packed((NAME, RIGHT))))}, "is an archive in an archive"),
    ({"ada.zip": packed((NAME, bytes(15 << 20)))}, "becomes more than 200 times as large"),
    ({"ada.zip": packed(*[(f"{i}.txt", b"") for i in range(1001)])}, "unpacks to more than 1000 files"),
    ({"ada.ipynb": bytes((20 << 20) + 1)}, "has more than 20 MB"),
    ({"ada.rar": b"Rar!"}, "there is no notebook in it"),
])  # fmt: skip
def test_what_cannot_be_read_says_why_and_is_kept(tmp_path, files, doubt):
    found = handed_in(tmp_path, files)
    assert found.cells is None
    assert doubt in " / ".join(found.doubts)
    kept = tmp_path / "kept" / found.digest[:16]
    assert {str(path.relative_to(kept)): path.read_bytes() for path in kept.rglob("*") if path.is_file()} == files
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "kept"], "something was unpacked"


@pytest.mark.parametrize(("files", "doubt"), [
    ({"ada.ipynb": FOREIGN}, "ada.ipynb is of another lab, 02-callbacks"),
    ({"ada.zip": packed((NAME, RIGHT), ("receipt.json", receipt(student="bob")))}, "its receipt is made out to bob"),
    ({"ada.zip": packed((NAME, RIGHT), ("receipt.json", receipt(FOREIGN)))}, "its receipt is of another notebook"),
    ({"ada.zip": packed((NAME, RIGHT), ("receipt.json", receipt(sha256=[1])))}, "its receipt cannot be read"),
    ({"ada.zip": packed((NAME, RIGHT), ("receipt.json", "{"))}, "its receipt cannot be read"),
    ({"ada.zip": packed((NAME, RIGHT), ("receipt.json", "[" * 60_000))}, "its receipt cannot be read"),
    ({"ada/01-decay.ipynb": RIGHT, "ada/b.ipynb": RIGHT.replace(b"YOUR", b"MY")}, "01-decay.ipynb was graded, not"),
    ({"ada/01-decay.ipynb": RIGHT, "ada/01-decay (1).ipynb": RIGHT.replace(b"YOUR", b"MY")},
     "01-decay (1).ipynb was graded, not ada/01-decay.ipynb"),
    ({"ada/01-decay.ipynb": RIGHT, "ada/helper.py": b"x = 1"},
     "ada/helper.py was handed in with the notebook and is not used: a person must look"),
    ({"ada.zip": packed((NAME, RIGHT), ("data.npy", b"x"))}, "data.npy was handed in with the notebook"),
    ({"ada/01-decay.ipynb": RIGHT, "ada/broken.ipynb": b"{"}, "broken.ipynb: no notebook"),
    ({"ada.zip": packed((NAME, RIGHT), (f"../{NAME}", RIGHT))}, "points outside its archive"),
    ({"01-decay.ipynb": RIGHT}, "nothing says whose it is"),
    ({"ada.zip": nameless()}, "has no name: not opened"),
])  # fmt: skip
def test_what_a_person_must_look_at(tmp_path, files, doubt):
    found = handed_in(tmp_path, files)
    assert found.cells
    assert doubt in " / ".join(found.doubts)


def test_old_notebooks_are_read(tmp_path):
    found = handed_in(tmp_path, {"ada.ipynb": OLD})
    cells = [(cell.source, cell.grade_id, cell.id) for cell in found.cells]
    assert cells == [("def lr_by_hand(n): pass", "by-hand", "")]  # the converter's ids are others each time
    assert found.notes == ["written in an old notebook format"]


def test_links_and_pipes_in_a_folder_are_not_followed(tmp_path):
    folder = tmp_path / "in" / "ada"
    folder.mkdir(parents=True)
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(RIGHT)
    (folder / NAME).symlink_to(secret)
    (folder / "more").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.ipynb")
    (tmp_path / "in" / "bob").symlink_to(tmp_path)
    ada, bob = (read(submission, LAB, keep=tmp_path / "kept") for submission in find(tmp_path / "in", LAB))
    assert (ada.cells, ada.files, bob.cells, bob.files) == (None, {}, None, {})
    assert "ada/01-decay.ipynb is a link, which is not followed" in ada.doubts
    assert "ada/pipe.ipynb is not a plain file" in ada.doubts
    assert "bob is a link, which is not followed" in bob.doubts
    assert not (tmp_path / "kept").exists()


LINKED = "ada/deep is a link, which is not followed"
SOLUTION = RIGHT.replace(b"YOUR CODE", b"A SECRET")


def swapped_when(call, name, folder, target, monkeypatch):
    """Swap `folder` for a link to `target` just before `os.open` or `os.stat` looks at `name`."""
    own = getattr(os, call)

    def late(path, *args, **options):
        if path == name and not folder.is_symlink():
            folder.rename(folder.with_name("moved"))
            folder.symlink_to(target)
        return own(path, *args, **options)

    monkeypatch.setattr(os, call, late)


@pytest.mark.parametrize("call", ["stat", "open"])
@pytest.mark.parametrize(("name", "link"), [("ada", "ada"), ("deep", "ada/deep"), ("deep", "ada"), (NAME, "ada/deep"),
                                            (NAME, "ada"), (NAME, f"ada/deep/{NAME}")])  # fmt: skip
def test_nothing_is_read_through_a_link_that_comes_in_the_middle(tmp_path, monkeypatch, call, name, link):
    for folder, data in (("in/ada/deep", RIGHT), ("secret/deep", SOLUTION)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / NAME).write_bytes(data)
        (tmp_path / folder).parent.joinpath(NAME).write_bytes(data)
    shutil.copy(tmp_path / "secret" / NAME, tmp_path / "secret" / "deep" / "file")
    target = tmp_path / "secret" / ("deep/file" if link.endswith(NAME) else "deep" if link.endswith("deep") else "")
    [submission] = find(tmp_path / "in", LAB)
    swapped_when(call, name, tmp_path / "in" / link, target, monkeypatch)
    found = read(submission, LAB, keep=tmp_path / "kept")
    assert (tmp_path / "in" / link).is_symlink(), "nothing was swapped"
    assert "A SECRET" not in "".join(cell.source for cell in found.cells or [])
    assert not any(path.read_bytes() == SOLUTION for path in tmp_path.glob("kept/**/*") if path.is_file())


def test_a_racing_thread_gets_nothing_through_a_link(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / NAME).write_bytes(SOLUTION)
    folder, moved = tmp_path / "in" / "ada" / "deep", tmp_path / "moved"
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(RIGHT)
    over = threading.Event()

    def swap():
        while not over.is_set():
            folder.rename(moved)
            folder.symlink_to(tmp_path / "secret")
            time.sleep(random.random() / 1000)  # as long as a look, or not
            folder.unlink()
            moved.rename(folder)
            time.sleep(random.random() / 1000)

    thread = threading.Thread(target=swap)
    thread.start()
    texts, told, end = [], set(), time.monotonic() + 60
    try:
        while len(texts) < 300 or (not (any(texts) and LINKED in told) and time.monotonic() < end):
            found = read(Submission("ada", (tmp_path / "in" / "ada",)), LAB)
            texts.append("".join(cell.source for cell in found.cells or []))
            told.update(found.doubts)
    finally:
        over.set()
        thread.join()
    assert any(texts) and LINKED in told, "no race"
    assert not any("A SECRET" in text for text in texts)


def test_a_file_that_vanishes_in_the_middle_costs_itself(tmp_path, monkeypatch):
    own = os.open

    def vanishing(path, *args, **options):
        if path == "a.ipynb":
            (tmp_path / "in/ada/a.ipynb").unlink()
        return own(path, *args, **options)

    monkeypatch.setattr(os, "open", vanishing)
    found = handed_in(tmp_path, {"ada/a.ipynb": RIGHT, "ada/b.ipynb": RIGHT})
    assert found.cells and found.doubts == ["ada/a.ipynb cannot be read: No such file or directory"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/passwd")])
def test_a_file_that_becomes_something_else_is_not_read(tmp_path, monkeypatch, make):
    own = os.open

    def changing(path, *args, **options):
        if path == "a.ipynb":
            (tmp_path / "in/ada/a.ipynb").unlink()
            make(tmp_path / "in/ada/a.ipynb")
        return own(path, *args, **options)

    monkeypatch.setattr(os, "open", changing)
    found = handed_in(tmp_path, {"ada/a.ipynb": RIGHT, "ada/b.ipynb": RIGHT})
    assert found.cells and found.doubts == ["ada/a.ipynb was changed while it was read"]
    assert list(found.files) == ["ada/b.ipynb"]


def test_what_is_copied_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "FILE", len(RIGHT) + 10)
    monkeypatch.setattr(copies, "TOTAL", 2 * len(RIGHT) - 1)
    found = handed_in(tmp_path, {"ada/a.ipynb": RIGHT, "ada/b.pdf": bytes(len(RIGHT) + 11), "ada/c.ipynb": RIGHT})
    assert found.cells
    assert "ada/b.pdf has more than 0 MB: not copied" in found.doubts
    assert "ada/c.ipynb and what comes before it: more than 0 MB, not copied" in found.doubts
    assert [path.name for path in (tmp_path / "kept").rglob("*.*")] == ["a.ipynb"]


def test_a_file_without_an_end_is_not_copied(tmp_path):
    path = tmp_path / "in" / "ada.ipynb"
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(1 << 40)
    start = time.monotonic()
    [submission] = find(path.parent, LAB)
    assert read(submission, LAB).doubts[0] == "ada.ipynb has more than 100 MB: not copied"
    assert time.monotonic() - start < 10


def deep(folder, depth, name="x" * 200):
    """A folder of this depth, deeper than a path can name."""
    folder.mkdir(parents=True)
    inner = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=inner)
        outer, inner = inner, os.open(name, os.O_RDONLY, dir_fd=inner)
        os.close(outer)
    with open(os.open(NAME, os.O_CREAT | os.O_WRONLY, dir_fd=inner), "wb") as file:
        file.write(RIGHT)
    os.close(inner)


@pytest.mark.parametrize(("depth", "name"), [(30, "x" * 200), (10, "x" * 200), (30, "x")])
def test_what_lies_too_deep_costs_itself(tmp_path, depth, name):
    deep(tmp_path / "in" / "ada", depth, name)
    found = handed_in(tmp_path, {"ada/a.ipynb": RIGHT})
    assert found.cells and "lies too deep: more than 20 folders or 1000 letters" in " ".join(found.doubts)
    shutil.rmtree(tmp_path / "in")


def test_too_many_files_cost_those_that_lie_deepest(tmp_path):
    many = {f"ada/a/{i}.txt": b"" for i in range(1100)}
    found = handed_in(tmp_path, many | {f"ada/{NAME}": RIGHT})
    assert found.cells and "more than 1000 files: only these were looked at" in found.doubts
    assert len(found.files) < 1001


def test_a_disk_that_is_full_is_no_student_s_fault(tmp_path, monkeypatch):
    (tmp_path / "kept").write_text("no folder")
    with pytest.raises(RuntimeError, match="cannot be written"):
        handed_in(tmp_path, {"ada.ipynb": RIGHT})


def test_originals_of_a_killed_grader_are_whole_or_taken_again(tmp_path):
    left = tmp_path / "kept" / ".ada.part" / "ada.ipynb"
    left.parent.mkdir(parents=True)
    left.write_bytes(RIGHT[:100])
    found = handed_in(tmp_path, {"ada.ipynb": RIGHT})
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [found.digest[:16]]
    assert next((tmp_path / "kept").rglob("*.ipynb")).read_bytes() == RIGHT


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 9, 99])
def test_an_archive_of_a_rare_method_is_not_opened(tmp_path, method):
    """A few hundred bytes of them fill the memory at the first read, whatever size is claimed."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method if method in (12, 14) else zipfile.ZIP_STORED) as archive:
        archive.writestr(NAME, RIGHT)
    packed = bytearray(data.getvalue())
    packed[packed.index(b"PK\1\2") + 10] = method
    found = handed_in(tmp_path, {"ada.zip": bytes(packed)})
    assert found.doubts[0] == f"ada.zip/{NAME} is packed by a rare method (number {method}): not opened"


def test_what_is_said_is_short(tmp_path):
    names = [f"{number}{'x' * 900}.py" for number in range(40)]
    found = handed_in(tmp_path, {"ada.zip": packed((NAME, RIGHT), *[(name, b"x") for name in names])})
    assert found.cells and len(found.doubts) == 21 and found.doubts[-1] == "… and 20 more"
    assert len(set(found.doubts)) == 21 and max(map(len, found.doubts)) < 300


def notebook(*cells, **more):
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)} | more).encode()


def code(source="x = 1", **more):
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": []} | more


@pytest.mark.parametrize("marks", [
    {"grade_id": "\ud800"}, {"grade_id": "x" * 10_000}, {"points": 10**4000}, {"points": float("nan")},
    {"points": float("inf")}, {"checksum": "\udfff" * 1000}, {f"x{i}": i for i in range(10_000)}, {"\ud800": 1},
])  # fmt: skip
def test_marks_of_any_kind_can_be_stored_and_are_short(tmp_path, marks):
    found = handed_in(tmp_path, {"ada.ipynb": notebook(code(metadata={"nbgrader": marks}, id="\udc00"))})
    assert len(json.dumps(asdict(found), ensure_ascii=False, allow_nan=False).encode()) < 2000


@pytest.mark.parametrize(("data", "doubt"), [
    (notebook(code("0;" * 150_000)), "more than 200,000 characters in a cell"),
    (notebook(*[code("0;" * 90_000)] * 20), "2,000,000 in all"),
    (b'{"cells": [%s]}' % (b"9" * 5000), "no notebook, or not all of it"),
    (notebook(code()) + b" 7", "no notebook, or not all of it"),
])  # fmt: skip
def test_what_is_too_long_says_so(tmp_path, data, doubt):
    found = handed_in(tmp_path, {"ada.ipynb": data})
    assert found.cells is None and doubt in found.doubts[0]


def test_pictures_do_not_count(tmp_path):
    picture = "A" * 400_000
    output = {"output_type": "display_data", "data": {"image/png": picture}, "metadata": {}}
    text = f"See ![image.png](data:image/png;base64,{picture}).\n\n[i]: <data:image/png;base64,{picture}B>"
    cells = [code(outputs=[output]), {"cell_type": "markdown", "source": text, "metadata": {}}]
    found = handed_in(tmp_path, {"ada.ipynb": notebook(*cells)})
    first, second = found.cells[1].source.split("\n\n")
    assert first.startswith("See ![image.png](picture ") and first[25:33] != second[14:22]


def claiming(values, marks=True):
    """Our lab, run: its check cells show these values, in this order."""
    found = json.loads(RIGHT)
    checks = [cell for cell in found["cells"] if cell["metadata"].get("nbgrader", {}).get("grade")]
    for cell, value in zip(checks, values):
        printed = {"output_type": "stream", "name": "stdout", "text": "1. Decay: 1 of 2 parts right"}
        shown = {"output_type": "execute_result", "data": {"text/plain": value}, "metadata": {}}
        cell["outputs"] = [printed, shown]
        cell["metadata"] |= {} if marks else {"nbgrader": {}}
    return json.dumps(found).encode()


CHECKS = list(LAB.points)
SHOWN = {CHECKS[0]: 2, CHECKS[2]: 1}


@pytest.mark.parametrize("marks", [True, False])
def test_what_a_student_saw_is_read_off_the_notebook(tmp_path, marks):
    values = ["2", ["0.", "5"], "nan", "1e9", "-1"]
    found = handed_in(tmp_path, {"ada.ipynb": claiming(values, marks)})
    assert (found.claims, found.doubts) == ({CHECKS[0]: 2, CHECKS[1]: 0.5}, [])
    assert handed_in(tmp_path / "b", {"ada.ipynb": RIGHT}).claims == {}


@pytest.mark.parametrize(("points", "claims"), [
    ({CHECKS[0]: 1, CHECKS[1]: 99, "no check": 1, CHECKS[2]: None}, SHOWN | {CHECKS[0]: 1}),
    ({CHECKS[0]: float("nan"), CHECKS[1]: "1", CHECKS[2]: 10**400}, SHOWN), (None, SHOWN), ([7], SHOWN),
])  # fmt: skip
def test_what_a_student_saw_is_read_off_the_receipt(tmp_path, points, claims):
    data = claiming(["2", "", "1"])
    mine = receipt(data, **{"visible points": points})
    found = handed_in(tmp_path, {"ada.zip": packed((NAME, data), ("receipt.json", mine))})
    assert found.claims == claims
    others = receipt(RIGHT, **{"visible points": {CHECKS[0]: 0}})
    found = handed_in(tmp_path / "b", {"ada.zip": packed((NAME, data), ("receipt.json", others))})
    assert found.claims == SHOWN, "a receipt of another notebook"


def test_a_copy_that_was_run_is_no_other_notebook(tmp_path):
    found = handed_in(tmp_path, {f"ada/{NAME}": RIGHT, "ada/copy.ipynb": claiming(["2", "", "1"])})
    assert (found.notebook, found.claims, found.doubts) == (f"ada/{NAME}", SHOWN, [])


def test_a_time_that_a_student_wrote_is_not_believed(tmp_path):
    found = handed_in(tmp_path, {f"ada/{NAME}": RIGHT, "ada/timestamp.txt": b"2020-01-01 00:00:00 UTC"})
    assert "2020" not in str(asdict(found)) and (found.notes, found.doubts) == ([], [])


@pytest.mark.parametrize(("name", "remark"), [
    ("notes.txt", "note"), ("README", "note"), ("report.PDF", "note"), ("plot.png", "note"), ("helper.py", "doubt"),
    ("data.csv", "doubt"), ("model.pt", "doubt"), ("lab.rar", "doubt"), ("__pycache__/x.pyc", ""), (".git/config", ""),
])  # fmt: skip
def test_what_the_notebook_may_need_is_for_a_person(tmp_path, name, remark):
    found = handed_in(tmp_path, {f"ada/{NAME}": RIGHT, f"ada/{name}": b"x"})
    assert (len(found.notes), len(found.doubts)) == (remark == "note", remark == "doubt")


def test_an_archive_that_lies_about_its_size_is_not_believed(tmp_path):
    data = bytearray(packed((NAME, bytes(30 << 20))))
    where = data.index(b"PK\1\2") + 24
    data[where : where + 4] = (100).to_bytes(4, "little")
    found = handed_in(tmp_path, {"ada.zip": bytes(data)})
    assert found.cells is None


@pytest.mark.parametrize("name", [b"a\xff", b"\xff" * 70, b"a\nb", b"<b>", "é" * 120, "\u202egnp"])
def test_odd_names_are_kept_apart_and_can_be_stored(tmp_path, name):
    folder = tmp_path / "in" / "ada"
    folder.mkdir(parents=True)
    (folder / (os.fsdecode(name) + ".ipynb")).write_bytes(RIGHT)
    [submission] = find(tmp_path / "in", LAB)
    found = read(submission, LAB, keep=tmp_path / "kept")
    assert found.cells and not found.doubts
    json.dumps([found.files, found.notebook], ensure_ascii=False).encode()
    assert next((tmp_path / "kept").rglob("*.ipynb")).read_bytes() == RIGHT


def test_damaged_cells_cost_themselves_only():
    marks = {"grade_id": {}, "points": [[]]}
    cells = [{"cell_type": "code", "source": ["a\n", "b"], "id": 3, "metadata": {"nbgrader": marks}},
             {"cell_type": "code", "source": 3}, {"cell_type": []}, 7, None,
             {"cell_type": "code", "source": "half a pair: \ud800", "metadata": []}]  # fmt: skip
    notes = []
    found = cells_of(json.dumps({"cells": cells}).encode(), notes)
    assert [(cell.source, cell.id, cell.marks) for cell in found] == [("a\nb", "", {}), ("half a pair: ?", "", {})]
    assert notes == ["4 damaged cells are not used"]


def test_many_large_notebooks_do_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "TOTAL", 3 * len(RIGHT))
    found = handed_in(tmp_path, {f"ada/{i}.ipynb": RIGHT.replace(b"YOUR", b"%04d" % i) for i in range(9)})
    assert "more than 0 MB, not opened" in " ".join(found.doubts)


def test_many_notebooks_are_not_all_read(tmp_path):
    found = handed_in(tmp_path, {f"ada/{i:02}.ipynb": RIGHT.replace(b"YOUR", b"%04d" % i) for i in range(23)})
    assert "ada/20.ipynb and what comes after it: more than 20 notebooks, not opened" in found.doubts


def test_everyone_on_the_roster_is_listed_once(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("ADA@school.example.ipynb", "carl.ipynb"):
        (folder / name).write_bytes(RIGHT)
    roster = folder / "roster.csv"
    roster.write_text("student,address\nada,ada@school.example\nbob,bob@school.example\n")
    submissions = find(folder, LAB, roster=roster)
    assert [(each.student, len(each.paths), each.doubts) for each in submissions] == [
        ("ada", 1, ()), ("bob", 0, ()), ("carl", 1, ("not on the roster",))]  # fmt: skip
    assert read(submissions[0], LAB).doubts == []
    with pytest.raises(ValueError, match="roster"):
        find(folder, LAB, roster=folder / "none.csv")
    with pytest.raises(ValueError, match="submissions"):
        find(folder / "none", LAB)


def test_a_digest_names_the_bytes(tmp_path):
    first = handed_in(tmp_path / "a", {"ada.ipynb": RIGHT})
    again = handed_in(tmp_path / "b", {"ada.ipynb": RIGHT})
    other = handed_in(tmp_path / "c", {"ada.ipynb": RIGHT + b"\n"})
    assert first.digest == again.digest != other.digest


def test_only_a_readable_notebook_has_cells():
    whole = nbformat.writes(new_notebook(cells=[new_code_cell("x = 1")])).encode()
    assert cells_of(whole, [])[0].source == "x = 1"
    for cut in range(0, len(whole) - 2, 7):
        with pytest.raises(Unreadable):
            cells_of(whole[:cut], [])
