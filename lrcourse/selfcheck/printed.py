"""What a student's code prints while it is checked: kept up to a limit, and shown in a few lines."""

import io

LINES, WIDTH = 5, 100


class Text(io.TextIOBase):
    """Keeps the first characters that are written to it.

    >>> text = Text(5)
    >>> _ = text.write("one"), text.write("two")
    >>> text.value()
    'onetw'
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.pieces = limit, [""]

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.limit > 0:
            self.pieces.append(text[: self.limit])
            self.limit -= len(text)
        return len(text)

    def value(self) -> str:
        return "".join(self.pieces)


def abridged(text: str) -> list[str]:
    """The first lines of a text, each cut where it is too long.

    >>> abridged("one\\ntwo\\n" + 7 * "more\\n")
    ['one', 'two', 'more', 'more', '… and more']
    """
    lines = [line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in text.rstrip().splitlines()]
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], "… and more"]
