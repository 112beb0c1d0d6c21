"""One list of pins feeds everything; a second one would drift from it."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = {
    name.lower().replace("_", "-"): Version(version)
    for name, version in re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
}


def required() -> list[Requirement]:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return [Requirement(line) for group in groups for line in group if not line.startswith("lrcourse")]


@pytest.mark.parametrize("requirement", required(), ids=str)
def test_every_requirement_is_pinned_and_its_bound_admits_the_pin(requirement):
    assert PINS[requirement.name.lower().replace("_", "-")] in requirement.specifier


@pytest.mark.parametrize(
    ("name", "version"),
    [("torch", "2.13.0"), ("tensorflow", "2.21"), ("keras", "3"), ("jupyter-book", "1.0.4"), ("jupyterlab", "4"),
     ("nbgrader", "0.9.6")],
)  # fmt: skip
def test_the_course_is_pinned_to_the_versions_it_was_written_for(name, version):
    assert str(PINS[name]).startswith(version)


def test_conda_gets_the_same_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, _, packages = environment["dependencies"]
    assert Version(python.removeprefix("python=")).release in [(3, 11), (3, 12)]
    assert packages == {"pip": ["--constraint constraints.txt", "--editable .[all]"]}


def test_no_file_holds_a_second_list_of_pins():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    pin = re.compile(r"\b(torch|tensorflow|keras|numpy|jupyter-book|matplotlib|scikit-learn)==\d")
    allowed = {"constraints.txt", "tests/test_pins.py"}
    texts = [
        path for path in tracked if path.endswith((".toml", ".yml", ".yaml", ".txt", ".md", ".ipynb", ".py", "run"))
    ]
    second = [path for path in texts if path not in allowed and pin.search((ROOT / path).read_text(encoding="utf-8"))]
    assert not second, f"pins outside constraints.txt: {second}"
