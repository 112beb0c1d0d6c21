"""Where everything of a grading lies."""

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...validation import bad
from .files import write

CONFIGURATION = '''\
"""Written by `lrcourse grade`: start nbgrader, or JupyterLab for formgrader, in this folder."""

c = get_config()  # noqa: F821  (nbgrader defines it)

c.CourseDirectory.course_id = "lrcourse"
c.CourseDirectory.source_directory = {root!r} + "/solutions"
c.CourseDirectory.release_directory = {root!r} + "/labs"
c.HTMLExporter.sanitize_html = True
'''


@dataclass(frozen=True)
class CourseFolder:
    """One folder for all labs, laid out as a course of nbgrader's; a student's name names folders in it."""

    output: Path
    lab: str

    @property
    def own(self) -> Path:
        return self.output / self.lab

    @property
    def work_folder(self) -> Path:
        """What a grading that is at work has found so far, until it is over."""
        return self.own / "at-work"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The folder for one grader at a time. Raises: `ValueError` if there is another one, naming it."""
        self.output.mkdir(parents=True, exist_ok=True)
        with open(self.output / ".grader", "a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise bad(
                    "output", str(self.output), "a folder in which no other grader is at work",
                    f"there is {file.read().strip()}: wait for it, or name another folder",
                ) from None  # fmt: skip
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            file.flush()
            yield
            file.truncate(0)

    def records(self) -> list[Path]:
        """The records of everyone who was ever graded here."""
        return sorted(path for path in (self.own / "records").glob("*.json") if not path.name.startswith("."))

    def work(self, student: str, ending: str) -> Path:
        return self.work_folder / "students" / f"{student}.{ending}"

    @property
    def leaderboard(self) -> Path:
        """The record of the leaderboard; its table and its page lie beside it, with other endings."""
        return self.own / "leaderboard.json"

    def entry(self, student: str) -> Path:
        """The notebook with which a student takes part in the leaderboard."""
        return self.own / "entries" / f"{student}.ipynb"

    def forget_work(self) -> None:
        """The grading is over."""
        shutil.rmtree(self.work_folder, ignore_errors=True)

    def record(self, student: str) -> Path:
        return self.own / "records" / f"{student}.json"

    def autograded(self, student: str) -> Path:
        return self.output / "autograded" / student / self.lab / f"{self.lab}.ipynb"

    def configure(self, root: Path) -> None:
        """Make it a folder that nbgrader can be started in."""
        path = self.output / "nbgrader_config.py"
        if not path.exists():
            write(path, CONFIGURATION.format(root=str(root.absolute())))

    def feedback(self, student: str) -> Path:
        return self.output / "feedback" / student / self.lab / f"{self.lab}.html"
