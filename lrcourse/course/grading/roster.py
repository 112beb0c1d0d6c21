"""The roster: a table of the class, a student per row."""

import csv
import io
import re
import unicodedata
from pathlib import Path

from ...validation import bad
from .student_name import Label, key, stored
from .texts import decoded

HEADERS = {
    "student", "studentid", "id", "idnumber", "name", "firstname", "fullname", "user", "username", "login", "account",
    "email", "emailaddress", "address", "number", "matrikelnummer", "matriculationnumber",
}  # fmt: skip
FIX = "give every student an id of its own in the first column, and names and addresses in the others"


class Roster:
    """The students of a CSV file.

    The first column holds the names under which grades are stored; the others hold further names under which a
    student may hand in: an account, an address, a number. A first row of headings is left out.

    Raises: `ValueError` if it is no such table, if two rows begin alike, or if a first name cannot name a folder.
    """

    def __init__(self, path: Path) -> None:
        self.students: dict[str, set[str]] = {}  # the keys of all names, by the first
        self.bearers: dict[str, list[str]] = {}  # the other way round
        numbers: dict[str, int] = {}
        for number, row in _rows(path):
            student = row[0]
            if not student:
                raise bad("roster", str(path), f"a name first in row {number}", FIX)
            if stored(student) != unicodedata.normalize("NFC", student):
                wanted = f"a first name in row {number} that can name a folder, not {student[:60]!r}"
                raise bad("roster", str(path), wanted, FIX)
            if (same := numbers.setdefault(key(student), number)) != number:
                raise bad("roster", str(path), f"no name twice in the first column, as {student!r} in the rows {same} "
                          f"and {number}", FIX)  # fmt: skip
            self.students[student] = {key(name) for name in row if name}
            for name in self.students[student]:
                self.bearers.setdefault(name, []).append(student)
        if not self.students:
            raise bad("roster", str(path), "a table with a student's name first in every row", "see the book's page")

    def fitting(self, label: Label) -> list[str]:
        """The students whom a label may mean: by all it says, else by Moodle's number and the name, if both fit."""
        if whole := self._named(label.whole):
            return whole
        numbered, named = self._named(label.moodle), self._named(label.student)
        return [student for student in numbered if student in named] or sorted({*numbered, *named})

    def _named(self, name: str) -> list[str]:
        return self.bearers.get(key(name), [])


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The rows that hold anything, with their numbers."""
    try:
        text = decoded(path.read_bytes(), [])
        text = re.sub(r"\A\ufeff?sep=.\r?\n", "", text)  # Excel's own line
        between = max(",;\t", key=text.partition("\n")[0].count)  # a spreadsheet's separator depends on its language
        table = list(csv.reader(io.StringIO(text), delimiter=between))
    except (OSError, csv.Error) as error:
        raise bad("roster", str(path), "a CSV file", str(error)) from None
    rows = [(number, [each.strip() for each in row]) for number, row in enumerate(table, start=1) if any(row)]
    return rows[1:] if rows and re.sub(r"[\W_]", "", rows[0][1][0]).lower() in HEADERS else rows
