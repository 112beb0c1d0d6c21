"""Say what this machine has, what it lacks, and what that means."""

import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec


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
    "jupyter-book": "make book", "jupyterlab": "the labs", "nbgrader": "grading", "nbval": "make test",
}  # fmt: skip
PROGRAMS = {"chromium": "the tests that open pages in a browser", "bwrap": "the sandbox of lrcourse grade"}


def examine(gpu: bool = False) -> list[Finding]:
    """Look at Python, the packages, the programs and, with `gpu`, at the accelerator.

    >>> examine()[0].what
    'Python'
    """
    version = platform.python_version()
    supported = (3, 11) <= sys.version_info[:2] < (3, 13)
    findings = [Finding("Python", version, supported, True, "" if supported else "use Python 3.11 or 3.12")]
    for name, use in PACKAGES.items():
        findings.append(_package(name, use))
    for name, use in PROGRAMS.items():
        path = shutil.which(name)
        findings.append(
            Finding(name, path or "missing", path is not None, advice="" if path else f"{use} will not run")
        )
    if find_spec("torch"):
        findings.append(_accelerator(needed=gpu))
    return findings


def _package(name: str, use: str) -> Finding:
    try:
        return Finding(name, metadata.version(name), True)
    except metadata.PackageNotFoundError:
        return Finding(
            name, "missing", False, name == "numpy", f"needed for {use}: pip install {name} -c constraints.txt"
        )


def _accelerator(needed: bool) -> Finding:
    import torch

    if torch.cuda.is_available():
        free, total = (size / 2**30 for size in torch.cuda.mem_get_info())
        return Finding("GPU", f"{torch.cuda.get_device_name()}, {free:.0f} of {total:.0f} GiB free", True)
    if torch.backends.mps.is_available():
        return Finding("GPU", "Apple MPS", True)
    advice = "install a PyTorch build for your GPU's driver" if needed else "the CPU path of every lab works without"
    return Finding("GPU", "none", not needed, needed, advice)


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
