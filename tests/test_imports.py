"""`import lrcourse` is light: NumPy and nothing heavier."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "tensorflow", "keras", "matplotlib", "sklearn", "scipy", "pandas", "nbformat")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)


def loaded(code: str) -> set[str]:
    return {name.partition(".")[0] for name in python("-c", f"{code}; import sys; print(*sys.modules)").stdout.split()}


def test_the_package_loads_no_framework() -> None:
    modules = loaded("import lrcourse")
    assert {"lrcourse", "numpy"} <= modules
    assert not modules & set(HEAVY)


def test_the_import_trace_shows_no_framework() -> None:
    trace = python("-X", "importtime", "-c", "import lrcourse").stderr
    traced = {line.rpartition("|")[2].strip().partition(".")[0] for line in trace.splitlines()}
    assert {"lrcourse", "numpy"} <= traced
    assert not traced & set(HEAVY)


@pytest.mark.parametrize(
    "module", ["audit", "range_test", "optimizers", "determinism", "glue", "plots", "records", "selfcheck", "surfaces"]
)
def test_what_needs_numpy_alone_loads_numpy_alone(module: str) -> None:
    modules = loaded(f"import lrcourse.{module}")
    assert not modules & set(HEAVY)


def test_the_range_test_reads_a_curve_without_matplotlib() -> None:
    code = (
        "import numpy as np; from lrcourse.range_test import RangeTest; x = np.geomspace(1e-5, 10, 99); "
        "print(RangeTest(x, 1 / (1 + x), x).suggest('steepest'), file=__import__('sys').stderr)"
    )
    assert "matplotlib" not in loaded(code)


def test_the_torch_adapter_brings_torch_alone() -> None:
    modules = loaded("import lrcourse.torch")
    assert "torch" in modules and not modules & {"tensorflow", "keras", "matplotlib"}
