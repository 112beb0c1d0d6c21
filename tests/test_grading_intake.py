"""Intake: whatever is handed in, the original is kept, and a person reads why there is no notebook in it."""

import codecs
import hashlib
import io
import json
import os
import stat
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lrcourse.course.grading import intake
from lrcourse.course.grading.intake import read
from lrcourse.course.grading.lab import Lab
from lrcourse.course.grading.notebook_file import Unreadable, cells_of
from lrcourse.course.grading.submissions import find

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
    ({"ada.ipynb": b'{"worksheets": 7}'}, "the old notebook format cannot be read"),
    ({"ada.ipynb": b'{"cells": [%s 1]}' % (b"1," * 1000)}, "more than 1000 cells"),
    ({"ada.zip": b""}, "cannot be read"),
    ({"ada.zip": packed((NAME, RIGHT))[:3000]}, "cannot be read"),
    ({"ada.zip": damaged()}, "cannot be read"),
    ({"ada.zip": encrypted()}, "is encrypted"),
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
])  # fmt: skip
def test_what_a_person_must_look_at(tmp_path, files, doubt):
    found = handed_in(tmp_path, files)
    assert found.cells
    assert doubt in " / ".join(found.doubts)


def test_old_notebooks_are_read(tmp_path):
    found = handed_in(tmp_path, {"ada.ipynb": OLD})
    assert [(cell.source, cell.grade_id) for cell in found.cells] == [("def lr_by_hand(n): pass", "by-hand")]
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


def test_an_archive_that_lies_about_its_size_is_not_believed(tmp_path):
    data = bytearray(packed((NAME, bytes(30 << 20))))
    where = data.index(b"PK\1\2") + 24
    data[where : where + 4] = (100).to_bytes(4, "little")
    found = handed_in(tmp_path, {"ada.zip": bytes(data)})
    assert found.cells is None


@pytest.mark.parametrize("name", [b"a\xff", b"a\nb", b"<b>", "é" * 120, "\u202egnp"])
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
