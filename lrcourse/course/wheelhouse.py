"""A folder of wheels for a machine without a network: what an image with PyTorch lacks to run the experiments and labs.

Which packages those are is worked out from the ones installed here, and their versions from `constraints.txt`.
"""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from ..validation import bad

WANTED = ("keras", "nbclient", "nbformat", "ipykernel", "tqdm", "grimp")
# What images for deep learning hold: large, compiled, and better left as the image has them.
GIVEN = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "matplotlib", "pillow")
PYTHON = "3.12"
PLATFORMS = [f"manylinux{tag}_x86_64" for tag in ("_2_28", "_2_27", "_2_24", "_2_17", "2014", "_2_12", "2010", "1")]
LARGEST = 60e6  # bytes: what may be carried
INSTALL = "python -m pip install --no-index --no-deps --find-links wheelhouse --requirement wheelhouse/requirements.txt"


def packages() -> list[str]:
    """The names of the packages to carry: those wanted and all that they need, without what is given.

    >>> {"keras", "nbclient", "pyzmq"} <= set(packages()), "numpy" in packages()
    (True, False)
    """
    return sorted(_needs(WANTED) - _needs(("torch",)) - set(GIVEN))


def requirements(constraints: Path) -> list[str]:
    """The packages to carry, each with its version in the file of constraints.

    Raises: `ValueError` if the file has no version of one of them.
    """
    text = constraints.read_text(encoding="utf-8")
    pins = {_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE)}
    if missing := [name for name in packages() if name not in pins]:
        raise bad("constraints", missing, "a pin for each package of the wheelhouse", "add them to constraints.txt")
    return [f"{name}=={pins[name]}" for name in packages()]


def collect(constraints: Path, folder: Path) -> list[Path]:
    """Download the wheels into `folder`, with a `requirements.txt` that pip installs them by.

    Raises: `ValueError` for a folder that holds other files; `RuntimeError` if pip fails or they are too large.
    """
    wanted = requirements(constraints)
    folder.mkdir(parents=True, exist_ok=True)
    if others := [each.name for each in folder.iterdir() if each.suffix != ".whl" and each.name != "requirements.txt"]:
        raise bad("folder", str(folder), "empty, or a wheelhouse", f"move {others[0]} away or name another folder")
    for wheel in folder.glob("*.whl"):
        wheel.unlink()
    listed = folder / "requirements.txt"
    listed.write_text("\n".join([*wanted, ""]), encoding="utf-8")
    command = [
        sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--no-deps",
        "--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}",
        *(f"--platform={each}" for each in PLATFORMS), f"--dest={folder}", f"--requirement={listed}",
    ]  # fmt: skip
    if subprocess.run(command).returncode:
        raise RuntimeError("pip could not collect the wheels: see its message above")
    wheels = sorted(folder.glob("*.whl"))
    if (size := sum(wheel.stat().st_size for wheel in wheels)) > LARGEST:
        raise RuntimeError(f"the wheels are {size / 1e6:.0f} MB, more than {LARGEST / 1e6:.0f}: want fewer packages")
    return wheels


def _needs(roots: tuple[str, ...]) -> set[str]:
    """The packages and everything that they need on Linux and the image's Python, as far as installed here."""
    from packaging.requirements import Requirement

    there = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0", "platform_system": "Linux",
             "sys_platform": "linux", "platform_machine": "x86_64", "extra": ""}  # fmt: skip
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = _name(waiting.pop())
        if name in found:
            continue
        found.add(name)
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        needed = map(Requirement, lines)
        waiting += [each.name for each in needed if each.marker is None or each.marker.evaluate(there)]
    return found


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
