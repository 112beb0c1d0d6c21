"""Texts that came out of a sandbox, made fit for a record."""

import re

ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")


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
