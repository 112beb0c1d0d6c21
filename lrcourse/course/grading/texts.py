"""Texts that come from students, made fit to be read and kept."""

import codecs
import hashlib
import itertools
import re
from collections.abc import Sequence

REMARKS, REMARK = 20, 400  # how many, and characters of one
ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
BOMS = [(codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")]  # fmt: skip


def sanitized(text: str, limit: int) -> str:
    """`text` without terminal codes, control characters and memory addresses, cut after `limit` characters.

    HTML is not escaped: that is the page's part.

    >>> sanitized("\\x1b[31mred\\x1b[0m <object at 0x7f1c9a2b3c4d>", 100)
    'red <object at 0x…>'
    >>> sanitized("a long text", 6)
    'a long…'
    """
    plain = ADDRESS.sub("0x…", ESCAPES.sub("", text[: 4 * limit]))
    plain = "".join(each for each in plain if each.isprintable() or each in "\n\t")
    return plain if len(plain) <= limit else plain[:limit] + "…"


def storable(text: str) -> str:
    """`text` that can be written as UTF-8: half a surrogate pair cannot.

    >>> storable("half a pair: \\ud800")
    'half a pair: ?'
    """
    return text.encode(errors="replace").decode()


def bounded(remarks: Sequence[str]) -> list[str]:
    """Remarks that may repeat what a student wrote, fit for a table and a terminal: of one line each, and not too many.

    >>> bounded(["the cell 'a\\x1b[2J\\nb: graded' was edited"])
    ["the cell 'a b: graded' was edited"]
    """
    some = [" ".join(sanitized(remark, REMARK).split()) for remark in remarks[:REMARKS]]
    return some + [f"… and {len(remarks) - REMARKS} more"] * (len(remarks) > REMARKS)


def decoded(data: bytes, notes: list[str]) -> str:
    """The text in a file of whatever encoding, which is added to `notes` where it is not plain UTF-8."""
    for mark, encoding in BOMS:
        if data.startswith(mark):
            notes.append(f"encoded as {encoding}")
            return data.decode(encoding, errors="replace")
    if b"\0" in data[:2]:
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
        notes.append(f"encoded as {encoding}")
        return data.decode(encoding, errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        notes.append("encoded as windows-1252")
        return data.decode("windows-1252", errors="replace")


def printable(name: str, limit: int = 150) -> str:
    """A file's name as text that can be printed and stored, whatever its bytes are; other names give other texts.

    >>> print(printable("a\\n.ipynb"), len(printable("long " * 40)))
    a\\n.ipynb 144
    """
    letters = [c if c.isprintable() and c != "\\" else c.encode("unicode_escape").decode() for c in name]
    text = "".join(letters)
    if len(text) <= limit:
        return text
    ends = itertools.accumulate(map(len, letters))  # no escape is cut, or the mark behind it could be a name's own
    start = "".join(letters[: sum(end <= limit - 40 for end in ends)])
    return f"{start}\\…{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
