"""Whose is it: any name is one student's, and none is taken for another's."""

import json
import os
import unicodedata
import zipfile
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lrcourse.course.grading.course_folder import CourseFolder
from lrcourse.course.grading.intake import read
from lrcourse.course.grading.lab import Lab
from lrcourse.course.grading.student_name import BYTES, LETTERS, key, label, stored, unclear
from lrcourse.course.grading.submissions import find

ROOT = Path(__file__).parents[1]
LAB = Lab(ROOT / "solutions" / "01-decay" / "01-decay.ipynb")
OTHER = Lab(ROOT / "solutions" / "02-callbacks" / "02-callbacks.ipynb")
RIGHT = (ROOT / "labs" / "01-decay" / "01-decay.ipynb").read_bytes()
NAMES = [
    "O'Brien", "राम", "रोम", "Zoë", "李小龍", "👩\u200d🎓 Ada", "👨\u200d🎓 Ada", "info+ada@x.org", "info+bob@x.org",
    "(2)", "a_b", "a.b", "a-b", "a b", "Ada, Countess", "%41da", "~ada", "ada\\b", "Nguyễn Thị", "محمد",
    "می\u200cخواهم", "میخواهم",
]  # fmt: skip


def class_of(tmp_path, names, roster=None):
    """What is found in a folder of files with these names, by student."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number, name in enumerate(names):
        path = folder / name
        path.write_bytes(RIGHT)
        os.utime(path, (number, number))
    table = tmp_path / "roster.csv"
    table.write_text(roster or "", encoding="utf-8")
    return {each.student: each for each in find(folder, LAB, [OTHER], table if roster else None)}


def files(submission):
    return [path.name for path in submission.paths]


def test_names_of_any_script_are_students_of_their_own(tmp_path):
    found = class_of(tmp_path, [f"{name}.ipynb" for name in NAMES])
    assert len(found) == len(NAMES)
    assert not any(each.doubts for each in found.values())
    assert set(NAMES) - set(found) == {"%41da", "~ada", "ada\\b"}  # escaped, as these letters have a meaning


@pytest.mark.parametrize(("form", "other"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_of_any_script_are_found_on_a_roster_under_its_spelling(tmp_path, form, other):
    names = [name for name in NAMES if stored(name) == name]
    spelled = [unicodedata.normalize(form, name) for name in names]
    handed_in = [f"{unicodedata.normalize(other, name).upper()}.ipynb" for name in names]
    found = class_of(tmp_path, handed_in, "student\n" + "\n".join(f'"{name}"' for name in spelled))
    assert set(found) == set(spelled)
    assert all(len(each.paths) == 1 and not each.doubts for each in found.values())


RAW = st.binary(min_size=1, max_size=80) | st.text(min_size=1, max_size=80).map(lambda s: s.encode(errors="replace"))


@given(st.lists(RAW.map(os.fsdecode) | st.text(min_size=1, max_size=150), min_size=2, max_size=6))
@example(["a" * 300, "a" * 301, "A" * 300, f"{'a' * 40}~{'0' * 32}"])
@example(["राम" * 40, "👩" * 100, "👩" * 50])
@example(["\0", "%00", "%2500", "\u0100", ".", "..", "%2E", "/", "\\", "%2F"])
@example(["e\u0301", "é", "E\u0301", "C\u0327", "\x0c\u0327", "%0C\u0327", "%0Ç"])
@example(["ẞ", "ß", "ss", "SS", "İ", "i̇", "K", "k", "\u0345\u0301", "\u0301\u0345"])
def test_two_names_are_one_only_if_people_take_them_for_the_same(names):
    for name in names:
        for made in (stored(name), unclear(name)):
            folder = os.fsencode(made)
            assert made.encode() == folder and 0 < len(folder) <= 255 and made not in (".", "..")
            assert not set("/\\\0\n") & set(made) and not made.startswith(".")
        assert len(stored(name)) <= LETTERS and len(stored(name).encode()) <= BYTES
        assert key(unclear(name)) not in {key(stored(each)) for each in names}
    for a, b in combinations(names, 2):
        long = "~" in stored(a) + stored(b)  # what is cut is told apart to the letter
        assert (key(stored(a)) == key(stored(b))) == (key(a) == key(b)) or (long and stored(a) != stored(b))
        assert (stored(a) == stored(b)) == (unicodedata.normalize("NFC", a) == unicodedata.normalize("NFC", b))


@pytest.mark.parametrize(("name", "student"), [
    ("ada+01-decay+2026-11-25 10:00:00 UTC", "ada"),
    ("a+b@x.org+01-decay+2026-11-25 10:00:00.5 UTC+r4nd0m", "a+b@x.org"),
    ("a+b+c.zip", "a+b+c"), ("ada+essay+2026-11-25 10:00:00 UTC", "ada+essay+2026-11-25 10:00:00 UTC"),
    ("ada (1).zip", "ada"), ("ada(1).ipynb", "ada"), ("(2).ipynb", "(2)"), (" (2).ipynb", "(2)"),
    ("ada (x).zip", "ada (x)"),
    ("01-decay-ada.zip", "ada"), ("ada_01-decay (3).ipynb", "ada"), ("01-decay", "01-decay"), ("Ada.Zip", "Ada"),
    ("ada.tar.gz", "ada"), ("Ada Byron_4711_assignsubmission_file_01-decay.ipynb", "Ada Byron"),
])  # fmt: skip
def test_what_others_add_to_a_name_is_cut(name, student):
    assert label(name, "01-decay").student == student


def test_the_exchange_holds_hand_ins_for_all_labs(tmp_path):
    found = class_of(tmp_path, ["ada+01-decay+2026-11-25 10:00:00 UTC", "bob+02-callbacks+2026-11-25 10:00:00 UTC"])
    assert set(found) == {"ada"}


CLASS = "id,name,address\na17,Anna Schmidt,anna@x.org\nb22,Anna Schmidt,schmidt@x.org\n4711,Ada Byron,ada+lab@x.org\n"


@pytest.mark.parametrize(("name", "student"), [
    ("a17.zip", "a17"), ("ANNA@x.org.ipynb", "a17"), ("ada+lab@x.org.ipynb", "4711"), ("ada byron.zip", "4711"),
    ("Ada Byron_99_assignsubmission_file_", "4711"), ("Somebody_4711_assignsubmission_file_", "4711"),
    ("Anna Schmidt_b22_assignsubmission_file_", None), ("Anna Schmidt_99_assignsubmission_file_", None),
])  # fmt: skip
def test_a_roster_may_give_an_id_and_further_names(tmp_path, name, student):
    found = class_of(tmp_path, [name], CLASS)
    mine = {each.student for each in found.values() if each.paths}
    assert mine == {student} if student else not mine & {"a17", "b22", "4711"}


@pytest.mark.parametrize("heading", ["Matrikelnummer", "ID number", "First name", "E-Mail address", "Student_ID"])
def test_a_heading_is_no_student(tmp_path, heading):
    assert set(class_of(tmp_path, [], f"sep=;\n{heading};Other\na17;Anna\n")) == {"a17"}


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_a_roster_is_read_with_the_separator_of_any_language(tmp_path, between):
    found = class_of(tmp_path, ["Anna Schmidt.zip"], f"id{between}name\na17{between}Anna Schmidt\nb22{between}Bo\n")
    assert [student for student, each in found.items() if each.paths] == ["a17"] and "b22" in found


def test_a_number_tells_two_of_one_name_apart(tmp_path):
    name = "Anna Schmidt_99_assignsubmission_file_"
    found = class_of(tmp_path, [name], "a17,Anna Schmidt,4711\nb22,Anna Schmidt,99\nc33,Carl,99\n")
    assert [student for student, each in found.items() if each.paths] == ["b22"]


@pytest.mark.parametrize("roster", [
    CLASS, "Anna Schmidt,a17\nb22,Anna Schmidt\n", "a17,Anna Schmidt\nb22,Anna Schmidt_99\nc33,99\n",
])  # fmt: skip
def test_what_fits_two_students_is_of_neither(tmp_path, roster):
    name = "Anna Schmidt_99_assignsubmission_file_x.zip" if "99" in roster else "Anna Schmidt.zip"
    found = class_of(tmp_path, [name, "Anna Schmidt (1).zip"], roster)
    handed_in = {student: each for student, each in found.items() if each.paths}
    if "99" in roster:  # the number and the name together mean one
        assert files(found["b22"]) == [name]
        return
    assert len(handed_in) == 2 and not {"a17", "b22", "Anna Schmidt"} & set(handed_in)
    for each in handed_in.values():
        students = "a17 or b22" if "a17," in roster else "Anna Schmidt or b22"
        assert f"may be of {students}, so it counts for none of them" in " ".join(each.doubts)


@pytest.mark.parametrize(("rows", "fault"), [
    ("ada\nbob\nADA", "'ADA' in the rows 1 and 3"), ("Jose\u0301\nJosé", "in the rows 1 and 2"),
    ("student\nada,x\n\nada,y", "'ada' in the rows 2 and 4"), ("Strauß\nSTRAUSS", "rows 1 and 2"),
    ("x\n,y", "row 2"), ("a/b", "'a/b'"), ("..", "'..'"), ("a" * 129, "row 1"), ("", "first in every row"),
])  # fmt: skip
def test_a_roster_that_cannot_name_its_students_is_refused(tmp_path, rows, fault):
    with pytest.raises(ValueError, match="roster") as refused:
        class_of(tmp_path, [], rows or "\n")
    assert fault in str(refused.value)
    assert "id of its own in the first column" in str(refused.value) or not rows


@pytest.mark.parametrize(("names", "counts", "by"), [
    (["ada.zip", "ada (1).zip", "ada (2).zip"], "ada (2).zip", "by its number"),
    (["ada (10).zip", "ada (9).zip"], "ada (10).zip", "by its number"),
    (["Ada.zip", "ada.ipynb"], "ada.ipynb", "by its file's time"),
    (["ada.ipynb", "Ada.zip"], "Ada.zip", "by its file's time"),
    (["ada+01-decay+2026-11-25 10:00:00 UTC+a", "ada+01-decay+2026-11-24 10:00:00 UTC+b"],
     "ada+01-decay+2026-11-25 10:00:00 UTC+a", "by nbgrader's time"),
])  # fmt: skip
@pytest.mark.parametrize("roster", [None, "ADA"])
def test_the_latest_hand_in_of_a_student_counts(tmp_path, names, counts, by, roster):
    [found] = class_of(tmp_path, names, roster).values()
    assert files(found) == [counts]
    [doubt] = found.doubts
    assert f"{counts} counts, the latest {by}" in doubt and "different students" in doubt
    assert all(name in doubt.partition("and not")[2] for name in names if name != counts)


def test_what_moodle_makes_of_one_hand_in_stays_together(tmp_path):
    names = [
        f"Ada Byron_7_assignsubmission_{name}" for name in ("file_01-decay.ipynb", "onlinetext_", "file_notes.txt")
    ]
    [found] = class_of(tmp_path, names).values()
    assert (found.student, files(found), found.doubts) == ("Ada Byron_7", sorted(names), ())


def test_a_file_in_moodle_cannot_take_the_marks_of_the_exchange(tmp_path):
    for lab in ("01-decay", "02-callbacks"):
        name = f"Mallory_99_assignsubmission_file_ada+{lab}+2026-11-25 10:00:00 UTC.ipynb"
        (tmp_path / lab).mkdir()
        assert set(class_of(tmp_path / lab, [name])) == {"Mallory_99"}


def test_files_that_name_nobody_stay_apart(tmp_path):
    found = class_of(tmp_path, ["01-decay.ipynb", "01-decay (1).ipynb"])
    assert [each.doubts for each in found.values()] == 2 * [("nothing says whose it is: name it after the student",)]


def test_a_receipt_may_bear_any_name_of_the_student(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, whose in (("Ada Byron.zip", "ada+lab@x.org"), ("a17.zip", "b22")):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("01-decay.ipynb", RIGHT)
            archive.writestr("receipt.json", json.dumps({"student": whose, "sha256": sha256(RIGHT).hexdigest()}))
    (tmp_path / "roster.csv").write_text(CLASS)
    found = {each.student: read(each, LAB) for each in find(folder, LAB, [], tmp_path / "roster.csv") if each.paths}
    assert found["4711"].doubts == [] and found["a17"].doubts == ["its receipt is made out to b22"]


def test_odd_things_in_the_folder_stop_nobody(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "ada.ipynb").write_bytes(RIGHT)
    (folder / "bob").symlink_to(tmp_path / "nowhere")
    (folder / "carl").symlink_to("carl")
    (folder / "dora").mkdir(mode=0)
    roster = folder / "roster.csv"
    roster.write_text("ada\nbob\n")
    (folder / "eve").symlink_to(roster)
    assert [each.student for each in find(folder, LAB, [OTHER], roster)] == ["ada", "bob", "carl", "dora", "eve"]


@pytest.mark.parametrize("name", ["x" * 250, "é" * 120, "..ada", "a\nb", os.fsdecode(b"\xff" * 70)])
def test_every_student_has_folders_of_its_own_inside_the_output(tmp_path, name):
    [student] = class_of(tmp_path, [f"-{name}"])
    folder = CourseFolder(tmp_path / "out", "01-decay")
    for path in (folder.record(student), folder.autograded(student), folder.feedback(student)):
        path.parent.mkdir(parents=True)
        path.write_text("x")
        assert tmp_path / "out" in path.resolve().parents
