"""Say what this machine has, what it lacks, and what that means."""

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..extras import install
from . import chromium
from .wheelhouse import GIVEN, INSTALL, WANTED

PINS = Path("constraints.txt")


@dataclass(frozen=True)
class Finding:
    """One line of the report. `needed`: whether the course cannot be used without it."""

    what: str
    found: str
    ok: bool
    needed: bool = False
    advice: str = ""


PACKAGES = {  # distribution: what needs it
    "numpy": "everything", "torch": "most chapters and labs", "keras": "the Keras parts",
    "tensorflow": "Keras on TensorFlow", "scikit-learn": "the data sets", "matplotlib": "figures",
    "jupyterlab": "the labs", "nbgrader": "lrcourse labs check, and grading",
}  # fmt: skip
PROGRAMS: dict[str, str] = {}
if (Path(__file__).parent / "grading").exists():  # not in the student edition
    PACKAGES |= {"jupyter-book": "make book", "nbval": "make test"}
    PROGRAMS |= {"chromium": "the tests that open pages in a browser", "bwrap": "the sandbox of lrcourse grade"}


def examine(gpu: bool = False) -> list[Finding]:
    """Look at Python, the packages and the programs; with `gpu`, at what experiments and labs need on a GPU.

    >>> examine()[0].what
    'Python'
    """
    version = platform.python_version()
    supported = (3, 11) <= sys.version_info[:2] < (3, 13)
    findings = [Finding("Python", version, supported, True, "" if supported else "use Python 3.11 or 3.12")]
    if gpu:
        carried = f"make wheelhouse, carry the folder here, and {INSTALL}" if PINS.exists() else None
        findings += [_needed(name, _pip(name)) for name in GIVEN]
        findings += [_needed(name, carried or _pip(name)) for name in WANTED]
        return [*findings, _backend(), *_accelerators()]
    for name, use in PACKAGES.items():
        findings.append(_package(name, use))
    for name, use in PROGRAMS.items():
        path = chromium.find() if name == "chromium" else shutil.which(name)
        findings.append(
            Finding(name, path or "missing", path is not None, advice="" if path else f"{use} will not run")
        )
    if find_spec("torch"):
        findings.append(_accelerator())
    return findings


def _package(name: str, use: str) -> Finding:
    try:
        return Finding(name, metadata.version(name), True)
    except metadata.PackageNotFoundError:
        return Finding(name, "missing", False, name == "numpy", f"needed for {use}: {_pip(name)}")


def _pip(name: str) -> str:
    """The command that installs a package: at its pin inside the repository, elsewhere by the extra that brings it."""
    if PINS.exists():
        return f"pip install {name} -c {PINS}"
    return install(ModuleNotFoundError(name=name)) or f"pip install {name}"


def _needed(name: str, advice: str) -> Finding:
    try:
        return Finding(name, metadata.version(name), True)
    except metadata.PackageNotFoundError:
        return Finding(name, "missing", False, True, advice)


def _backend() -> Finding:
    """What Keras would compute with, by the rule of this course: TensorFlow where it is, elsewhere PyTorch if asked."""
    chosen = os.environ.get("KERAS_BACKEND", "tensorflow")
    ok = find_spec(chosen) is not None
    advice = "" if ok else "KERAS_BACKEND=torch in the environment lets Keras compute with PyTorch"
    return Finding("Keras backend", chosen if ok else f"{chosen}, missing", ok, not ok, advice)


def _accelerator() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding("GPU", f"{torch.cuda.get_device_name()}, {_memory(torch)}", True)
    if torch.backends.mps.is_available():
        return Finding("GPU", "Apple MPS", True)
    return Finding("GPU", "none", True, advice="the CPU path of every lab works without")


def _accelerators() -> list[Finding]:
    """The driver as the system sees it, then the GPU as PyTorch does."""
    driver = _driver()
    found = [
        Finding("driver", driver or "none", bool(driver), not driver, "" if driver else "install the GPU's driver")
    ]
    if not find_spec("torch"):
        return found
    import torch

    if not torch.cuda.is_available():
        built = f"PyTorch was built for CUDA {torch.version.cuda}" if torch.version.cuda else "this PyTorch is for CPUs"
        advice = f"{built}: install a build that fits your GPU's driver"
        return [*found, Finding("GPU", "none that PyTorch can use", False, True, advice)]
    major, minor = torch.cuda.get_device_capability()
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return [
        *found,
        Finding("GPU", torch.cuda.get_device_name(), True),
        Finding("CUDA", f"{torch.version.cuda}, capability {major}.{minor}", True),
        Finding(
            "bf16", "in hardware" if bf16 else "emulated", bf16, advice="" if bf16 else "the full size will be slow"
        ),
        Finding("memory", _memory(torch), True),
    ]


def _memory(torch: Any) -> str:
    free, total = (size / 2**30 for size in torch.cuda.mem_get_info())
    return f"{free:.0f} of {total:.0f} GiB free"


def _driver() -> str:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.partition("\n")[0]
    except (OSError, subprocess.CalledProcessError):
        return ""


def report(findings: list[Finding]) -> str:
    """The findings as a table, one line each, with advice where something is missing.

    >>> print(report([Finding("Python", "3.11.7", True), Finding("bwrap", "missing", False, advice="no sandbox")]))
    ok       Python          3.11.7
    missing  bwrap           missing  (no sandbox)
    """
    marks = ["ok" if each.ok else "PROBLEM" if each.needed else "missing" for each in findings]
    lines = [f"{mark:<8} {each.what:<15} {each.found}" + (f"  ({each.advice})" if each.advice else "")
             for mark, each in zip(marks, findings)]  # fmt: skip
    return "\n".join(lines)
