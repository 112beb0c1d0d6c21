"""What one installs: built as for a package index, tried with NumPy alone, described by one version and one address."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt
from setuptools import build_meta

import lrcourse
from lrcourse.course import cli
from lrcourse.extras import extra

ROOT = Path(__file__).parents[1]
SOURCES = ["lrcourse", "tests", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff"]
GUESTS = {"jax"}  # set beside lrcourse where it is installed, and left out elsewhere


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("built")
    for name in SOURCES:
        source, target = ROOT / name, folder / "source" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "source")
        return [folder / build(str(folder)) for build in (build_meta.build_wheel, build_meta.build_sdist)]


@pytest.fixture(scope="module")
def numpy_only(built, tmp_path_factory):
    """Runs Python where nothing is installed but the wheel and NumPy."""
    folder = tmp_path_factory.mktemp("site-packages")
    zipfile.ZipFile(built[0]).extractall(folder)
    for top in {path.parts[0] for path in metadata.files("numpy") or () if ".." not in path.parts}:
        (folder / top).symlink_to(metadata.distribution("numpy").locate_file(top))

    def run(*arguments, **options):
        command = [sys.executable, "-S", *arguments]  # -S: no other site-packages
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, **options)

    return run


COMMANDS = """\
doctor
doctor --gpu
book
book --pdf
book --zip
notebooks open {there}.ipynb
notebooks run
notebooks run {there}.ipynb
notebooks normalize
notebooks check
figures --folder {new}
figures --list
labs start 1 --folder {new} --no-open
labs start 1 --folder {new}
labs check 1
labs submit 1
labs build
labs build --check
labs bundle --output {new}
plot warmup(Cosine(0.1,0,900),100)
plot Cosine(0.1,0,900) --out {new}.png
records run --only heatmaps
records list
records show
records check
wheelhouse --folder {new}
sweep {there}.toml
sweep {there}.toml --cluster tcp://127.0.0.1:1
grade . --lab 1 --output {new}
grade . --lab 1 --dry-run
audit {there}.csv
""".splitlines()


TRY_ALL = """
import contextlib, io, json, sys
from lrcourse.course.cli import main
for command in json.load(sys.stdin):
    said, wrong = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(wrong):
        status = main(command)
    print(json.dumps([status, said.getvalue(), wrong.getvalue()]))
"""


@pytest.mark.parametrize("place", ["elsewhere", "in the repository"])
def test_every_command_works_with_numpy_alone_or_says_in_one_line_what_it_needs(numpy_only, tmp_path, place):
    (tmp_path / "there.toml").write_text('data = "moons"')
    (tmp_path / "there.ipynb").write_text("{}")
    (tmp_path / "there.csv").write_text("step,lr\n0,0.1\n1,0.1\n")
    there = ROOT if place == "in the repository" else tmp_path
    commands = [each.format(there=tmp_path / "there", new=tmp_path / "new").split() for each in COMMANDS]
    ran = numpy_only("-c", TRY_ALL, cwd=there, input=json.dumps(commands))
    assert not ran.stderr
    for (command, *_), line in zip(commands, ran.stdout.splitlines(), strict=True):
        status, said, wrong = json.loads(line)
        if wrong:
            needs = rf'lrcourse {command} needs \w+: pip install "lrcourse\[\w+]"'
            where = "not inside the course's repository: change into your clone and try again"
            assert re.fullmatch(f"lrcourse: ({needs}{'' if there == ROOT else '|' + where})\n", wrong) and status == 1
        else:
            assert command in ("doctor", "plot", "records", "audit") and said
    assert {path.name for path in tmp_path.iterdir()} == {"there.toml", "there.ipynb", "there.csv"}


def test_no_command_is_left_out_of_these(numpy_only, tmp_path):
    def listed(*command):
        printed = numpy_only("-m", "lrcourse", *command, "--help", cwd=tmp_path).stdout
        return set(re.findall(r"^    ([\w-]+)", printed, re.MULTILINE))

    def said(command):
        return numpy_only("-m", "lrcourse", command, "--help", cwd=tmp_path).stdout.split("\n\n")[1]

    tried = [command.split() for command in COMMANDS]
    for command in listed():
        assert re.match(r"[a-z][^:]{15,}", said(command)), command
    assert listed() == {words[0] for words in tried}
    assert listed("labs") == {words[1] for words in tried if words[0] == "labs"}


TOOLS = ("book", "offline", "pdf", "grading")
TELL = "import sys; print(*(name for name in sys.modules if name.startswith('lrcourse.course')), file=sys.stderr)"


def test_training_loads_nothing_of_the_course(numpy_only, tmp_path):
    modules = [
        "",
        ".schedules",
        ".optimizers",
        ".records",
        ".range_test",
        ".plots",
        ".space",
        ".surfaces",
        ".selfcheck",
    ]
    ran = numpy_only("-c", "\n".join([*(f"import lrcourse{each}" for each in modules), TELL]), cwd=tmp_path, check=True)
    assert ran.stderr.split() == []


@pytest.mark.parametrize("command", COMMANDS)
def test_book_grading_and_pdf_are_loaded_by_their_own_commands_only(numpy_only, tmp_path, command):
    words = command.format(there=tmp_path / "there", new=tmp_path / "new").split()
    run = f"import sys; from lrcourse.course.cli import main; main({words!r})"
    ran = numpy_only("-c", f"{run}\n{TELL}", cwd=ROOT, check=True)
    loaded = {name.split(".")[2] for name in ran.stderr.splitlines()[-1].split() if name.count(".") > 1}
    own = {"book": {"book", "offline", "pdf"}, "grade": {"grading"}, "figures": {"book"}}.get(words[0], set())
    assert "cli" in loaded and loaded & set(TOOLS) <= own


def test_a_command_that_is_stopped_says_so_in_one_line(monkeypatch, capsys):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("lrcourse.course.commands.doctor.run", interrupted)
    assert cli.main(["doctor"]) == 1
    assert capsys.readouterr() == ("", "lrcourse: stopped\n")


LIBRARY = {
    "import lrcourse.torch": ("torch", "torch"),
    "import lrcourse.keras": ("keras", "keras"),
    "import lrcourse.sweep": ("torch", "sweep"),
    "import lrcourse.sweep.cluster": ("torch", "sweep"),
    "from lrcourse.data import digits; digits()": ("sklearn", "data"),
    "from lrcourse.data import moons; moons()": ("sklearn", "data"),
    "from lrcourse.data import glyphs; glyphs()": ("matplotlib", "data"),
    "from lrcourse.data import cifar10; cifar10()": ("keras", "data"),
    "from lrcourse.data import cats_vs_dogs; cats_vs_dogs()": ("sklearn", "data"),
    "from lrcourse import plots; plots.use_style()": ("matplotlib", "plots"),
    "from lrcourse import plots; plots.figure()": ("matplotlib", "plots"),
    "from lrcourse.range_test import RangeTest; RangeTest(*[[1.0, 2.0]] * 3).plot()": ("matplotlib", "plots"),
    "from lrcourse.intervals import mean_interval; mean_interval([1.0, 2.0])": ("scipy", "plots"),
    "from lrcourse.space import Space, Uniform; Space({'x': Uniform(0.0, 1.0)}).quasi_random(4, 0)": ("scipy", "tuner"),
}


@pytest.mark.parametrize("code", LIBRARY)
def test_the_error_about_a_missing_module_says_which_extra_brings_it(numpy_only, tmp_path, code):
    module, extra = LIBRARY[code]
    said = numpy_only("-c", code, cwd=tmp_path).stderr.splitlines()[-1]
    assert said == f"ModuleNotFoundError: No module named '{module}': pip install \"lrcourse[{extra}]\""


def test_whatever_module_the_package_imports_an_extra_brings_it(numpy_only, tmp_path):
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "lrcourse").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    modules = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - GUESTS - {"numpy", "lrcourse"}
    code = "from lrcourse.extras import install; print({n: install(ModuleNotFoundError(name=n)) for n in %r})"
    advice = ast.literal_eval(numpy_only("-c", code % modules, cwd=tmp_path).stdout)
    assert {"sklearn", "torch", "nbformat"} <= modules
    assert [module for module in modules if advice[module] is None] == []
    assert advice["torch"].endswith('[torch]"') and advice["sklearn"].endswith('[data]"')


@pytest.mark.parametrize("module", ["json.nowhere", "torch.nowhere", "no_extra_brings_this"])
def test_another_missing_module_keeps_its_error(module):
    with pytest.raises(ModuleNotFoundError, match=f"^No module named '{module}'$"), extra("torch"):
        __import__(module)


def test_with_numpy_alone_schedules_run(numpy_only, tmp_path):
    ran = numpy_only("-c", "import lrcourse; print(lrcourse.Cosine(1.0, 0.0, 4).table(3).tolist())", cwd=tmp_path)
    assert ran.stdout.startswith("[1.0, 0.85")


def test_with_numpy_alone_records_are_read(numpy_only, tmp_path):
    ran = numpy_only("-c", "from lrcourse import records; print(len(records.every()))", cwd=tmp_path)
    assert int(ran.stdout) == len(list((ROOT / "lrcourse" / "records").glob("*.json"))) > 0


def test_the_source_distribution_holds_the_package_and_what_describes_it_and_nothing_else(built):
    wheel, sdist = built
    with tarfile.open(sdist) as file:
        packed = {each.name.partition("/")[2] for each in file.getmembers() if each.isfile()}
    installed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("lrcourse/")}
    assert {name for name in packed if name.startswith("lrcourse/")} == installed
    assert {"lrcourse/py.typed", "lrcourse/__main__.py", "lrcourse/course/grading/syscalls.py"} <= installed
    assert {name for name in packed - installed if "egg-info" not in name} == {
        "CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "PKG-INFO", "README.md", "pyproject.toml", "setup.cfg"
    }  # fmt: skip


@pytest.mark.parametrize(
    "command", [["-m", "lrcourse"], ["-c", "from lrcourse.course.cli import main; main()"]], ids=str
)
def test_the_command_says_its_version_which_stands_in_one_place(numpy_only, built, tmp_path, command):
    assert numpy_only(*command, "--version", cwd=tmp_path).stdout == f"lrcourse {lrcourse.__version__}\n"
    assert built[0].name == f"lrcourse-{lrcourse.__version__}-py3-none-any.whl"
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == lrcourse.__version__
    assert f'"{lrcourse.__version__}"' not in (ROOT / "pyproject.toml").read_text()


CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
REPOSITORY, SITE = CONFIG["repository"]["url"], CONFIG["html"]["baseurl"]


def test_the_links_of_the_read_me_work_on_a_page_elsewhere():
    tokens = MarkdownIt().parse((ROOT / "README.md").read_text())
    inline = [child for token in tokens for child in token.children or []]
    links = [str(link) for child in inline if (link := child.attrGet("href") or child.attrGet("src"))]
    assert len(links) >= 6
    assert [link for link in links if not link.startswith(("https://", "http://127.0.0.1:"))] == []
    inside = [link.partition("/blob/main/")[2] or link.partition("/main/")[2] for link in links]
    assert [path for path in inside if not (ROOT / path).exists()] == []


def test_all_files_name_one_repository_and_one_site():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["urls"] == {"Homepage": SITE, "Repository": REPOSITORY}
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["url"], citation["repository-code"]) == (SITE, REPOSITORY)
    name = REPOSITORY.removeprefix("https://github.com/")
    own = re.compile(r"https://(?:github\.com|raw\.githubusercontent\.com|[\w-]+\.github\.io)[^\s)>\"]*")
    files = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "labs/README.md"]
    found = {address for file in files for address in own.findall((ROOT / file).read_text())}
    bases = (REPOSITORY, SITE, f"https://raw.githubusercontent.com/{name}/main/")
    assert found and [address for address in found if not address.startswith(bases)] == []
