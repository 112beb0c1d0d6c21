"""Names of students: read off what they handed in, compared as people do, and made fit to name a folder.

A student's name names folders below autograded/ and feedback/, and a row of nbgrader's gradebook: `stored` makes it
one that all of them take. It is injective, so that two names never become one.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

ENDINGS = (".zip", ".ipynb", ".tar", ".tgz", ".gz", ".7z", ".rar")
NBGRADER = re.compile(r"(?P<student>.+)\+(?P<lab>[^+]+)\+(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d.*)", re.DOTALL)
MOODLE = re.compile(r"(?P<student>.+?)_(?P<number>\d+)_assignsubmission_.*", re.DOTALL)
COPY = re.compile(r"(?P<name>.*[^ ]) ?\((?P<number>\d{1,9})\)", re.DOTALL)
LETTERS, BYTES = 128, 200  # what nbgrader's gradebook takes, and less than any file system does
JOINERS = "\u200c\u200d"  # invisible, and part of Hindi and Persian names and of emoji


@dataclass(frozen=True)
class Label:
    """What the name of a file or folder says.

    `student`: whose it is. `lab` and `stamp`: which lab's it is and when it came, as nbgrader's exchange adds them.
    `moodle`: the number that Moodle adds. `copy`: a browser's number for a further file of one name, 0 for the first.
    """

    student: str
    lab: str = ""
    stamp: str = ""
    moodle: str = ""
    copy: int = 0

    @property
    def whole(self) -> str:
        """The student with Moodle's number."""
        return f"{self.student}_{self.moodle}" if self.moodle else self.student


def label(name: str, lab: str, others: Sequence[str] = ()) -> Label:
    """What the `name` of a file or folder says, handed in for `lab`, among hand-ins for the `others` perhaps.

    >>> [label(name, "01-decay").student for name in ("01-decay-ada.zip", "ada_01-decay.ipynb", "ada", "ada (1).zip")]
    ['ada', 'ada', 'ada', 'ada']
    >>> label("info+ada@x.org+01-decay+2026-11-25 10:00:00 UTC+x7", "01-decay")
    Label(student='info+ada@x.org', lab='01-decay', stamp='2026-11-25 10:00:00 UTC+x7', moodle='', copy=0)
    >>> label("Ada Byron_4711_assignsubmission_file_", "01-decay").whole, label("(2).ipynb", "01-decay").student
    ('Ada Byron_4711', '(2)')
    """
    bare = unicodedata.normalize("NFC", name)
    while (dot := bare.rfind(".")) > 0 and bare.lower().endswith(ENDINGS):
        bare = bare[:dot]
    if moodle := MOODLE.fullmatch(bare):
        return Label(moodle["student"], moodle=moodle["number"])
    if (exchange := NBGRADER.fullmatch(bare)) and exchange["lab"] in (lab, *others):
        return Label(exchange["student"], exchange["lab"], exchange["stamp"])
    copy = COPY.fullmatch(bare)
    bare = (copy["name"] if copy else bare).strip(" ") or bare
    bare = re.sub(rf"^{re.escape(lab)}[-_ .]+(?=.)|(?<=.)[-_ .]+{re.escape(lab)}$", "", bare, flags=re.DOTALL)
    return Label(bare, copy=int(copy["number"]) if copy else 0)


def key(name: str) -> str:
    """Equal for names that people take for the same: upper case or lower, letters composed or not.

    >>> key("JOSE\\u0301") == key("José"), key("राम") == key("रोम")
    (True, False)
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def stored(name: str) -> str:
    """The name under which a student is graded: a folder's on every file system, and never that of another's name.

    >>> stored("O'Brien"), stored("राम"), stored("../x"), stored("a\\udcff"), len(stored(300 * "a"))
    ("O'Brien", 'राम', '%2E.%2Fx', 'a%ED%B3%BF', 73)
    """
    name = unicodedata.normalize("NFC", name)
    safe = "".join(_escaped(c) if _harmful(c) or (k == 0 and c == ".") else c for k, c in enumerate(name))
    if len(safe) <= LETTERS and len(safe.encode()) <= BYTES:
        return safe
    return f"{safe[:40]}~{hashlib.sha256(safe.encode()).hexdigest()[:32]}"


def unclear(name: str) -> str:
    """The name under which something is graded that is called `name` and may be of one student or of another.

    No student bears it: `stored` leaves no ~ in a name.
    """
    return f"{stored(name)}~unclear"


def _harmful(letter: str) -> bool:
    return letter in "/\\%~" or (
        unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter not in JOINERS
    )


def _escaped(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass"))
