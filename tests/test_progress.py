"""Progress: a bar on a terminal, plain lines in a log."""

import io
import sys
import time

import pytest

from lrcourse import progress


class Screen(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def shown(monkeypatch):
    """What two steps of work show on a terminal or elsewhere, in CI or not."""

    def work(terminal, ci):
        screen = Screen(terminal)
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setattr(progress, "EVERY", 0.0)
        monkeypatch.setenv("CI", ci)
        with progress.bar("baking", 2, "cakes") as bar:
            for cake in ("apple", "lemon"):
                bar.set_postfix_str(cake)
                time.sleep(0.11)  # the shortest time between two pictures of a bar
                bar.update()
        return screen.getvalue()

    return work


def test_a_terminal_shows_one_bar_which_goes_at_the_end(shown):
    pictures = shown(terminal=True, ci="").split("\r")
    assert any(picture.startswith("baking #") and "1 of 2 cakes" in picture for picture in pictures)
    assert any(picture.rstrip().endswith("left, lemon") for picture in pictures)
    assert "\n" not in "".join(pictures) and not pictures[-1].strip()


@pytest.mark.parametrize("terminal, ci", [(False, ""), (False, "true"), (True, "true")])
def test_a_log_gets_plain_lines(shown, terminal, ci):
    lines = shown(terminal, ci).splitlines(keepends=True)
    assert all(line.startswith("baking: ") and line.endswith("\n") and line[:-1].isprintable() for line in lines)
    assert "baking: 1 of 2 cakes, 00:00, 00:00 left, apple\n" in lines


def test_a_log_gets_no_line_for_what_is_done_soon(shown, monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        screen = Screen(terminal=False)
        patch.setattr(sys, "stderr", screen)
        with progress.bar("baking", 2, "cakes") as bar:
            bar.update(2)
    assert screen.getvalue() == ""
