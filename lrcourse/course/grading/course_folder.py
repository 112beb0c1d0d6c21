"""Where everything of a grading lies."""

from dataclasses import dataclass
from pathlib import Path

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
