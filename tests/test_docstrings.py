"""Every public name says what it is, what it raises, and shows an example that doctest runs."""

import importlib
import inspect

import pytest

FLOORS = ["audit", "optimizers", "surfaces", "space", "data", "intervals", "range_test", "determinism"]
FLOORS += ["torch", "keras"]
MODULES = ["lrcourse", *(f"lrcourse.{floor}" for floor in FLOORS)]
# What is only handed out or subclassed: the example stands with the function that returns it, or with the subclass.
WITHOUT_EXAMPLE = {
    "CyclePlan",
    "BatchSchedule",
    "Evaluations",
    "Run",
    "RangeTest",
    "Dataset",
    "Surface",
    "Axis",
    "keep_random",
}


def public(module_name):
    module = importlib.import_module(module_name)
    names = getattr(module, "__all__", None) or [
        name for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module_name and callable(value)
    ]  # fmt: skip
    return [(module_name, name) for name in names if name != "__version__"]


@pytest.mark.parametrize(("module", "name"), [each for module in MODULES for each in public(module)])
def test_a_public_name_is_documented_with_an_example(module, name):
    value = getattr(importlib.import_module(module), name)
    text = inspect.getdoc(value) or ""
    assert len(text.split()) >= 8, "says too little"
    if name not in WITHOUT_EXAMPLE:
        assert ">>>" in text or any(">>>" in (inspect.getdoc(method) or "") for method in vars(value).values()), (
            "no example"
        )
