"""The wheels to carry: complete, at the pins, small; and what doctor --gpu says where something is missing."""

import importlib.util
import re
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lrcourse.course import doctor, wheelhouse

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def test_every_package_is_pinned_in_the_one_list_and_what_is_given_is_not_carried():
    pins = dict(line.split("==") for line in wheelhouse.requirements(CONSTRAINTS))
    text = CONSTRAINTS.read_text().lower().replace("_", "-")
    assert all(f"\n{name}=={version}\n" in text for name, version in pins.items())
    assert set(wheelhouse.WANTED) <= pins.keys() and not set(wheelhouse.GIVEN) & pins.keys()


def test_what_a_carried_package_needs_is_carried_or_given():
    carried = set(wheelhouse.packages())
    with_torch = wheelhouse.needed_by(("torch",)) | set(wheelhouse.GIVEN)
    for name in carried:
        assert wheelhouse.needed_by((name,)) <= carried | with_torch


def test_a_missing_pin_is_named(tmp_path):
    short = tmp_path / "constraints.txt"
    short.write_text(re.sub(r"(?m)^nbclient==.*\n", "", CONSTRAINTS.read_text()))
    with pytest.raises(ValueError, match="^constraints must be .*nbclient.*add them"):
        wheelhouse.requirements(short)


@pytest.fixture
def pip(monkeypatch):
    """A pip that writes one wheel of `size` bytes."""
    fake = SimpleNamespace(size=1000, returncode=0, commands=[])

    def run(command):
        fake.commands.append(command)
        folder = next(Path(each.partition("=")[2]) for each in command if each.startswith("--dest="))
        with open(folder / "keras-3-py3-none-any.whl", "wb") as wheel:
            wheel.truncate(fake.size)
        return fake

    monkeypatch.setattr(wheelhouse.subprocess, "run", run)
    return fake


def test_the_folder_holds_the_wheels_and_the_list_that_installs_them(tmp_path, pip):
    (tmp_path / "old.whl").touch()
    assert [each.name for each in wheelhouse.collect(CONSTRAINTS, tmp_path)] == ["keras-3-py3-none-any.whl"]
    assert (tmp_path / "requirements.txt").read_text().split() == wheelhouse.requirements(CONSTRAINTS)
    assert {"--only-binary=:all:", "--python-version=3.12", "--no-deps"} <= set(pip.commands[0])


def test_what_cannot_be_carried_or_collected_is_said(tmp_path, pip):
    pip.size = 61_000_000
    with pytest.raises(RuntimeError, match="61 MB, more than 60"):
        wheelhouse.collect(CONSTRAINTS, tmp_path)
    pip.returncode = 1
    with pytest.raises(RuntimeError, match="pip could not collect"):
        wheelhouse.collect(CONSTRAINTS, tmp_path)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match="move thesis.tex away"):
        wheelhouse.collect(CONSTRAINTS, tmp_path)


@pytest.fixture
def machine(monkeypatch):
    """A machine with a GPU and every package, of which a test takes something away."""
    there = SimpleNamespace(missing=set(), driver="580.1", cuda=True, bf16=True, capability=(9, 0), built="13.0")

    def version(name):
        if name in there.missing:
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor.metadata, "version", version)
    monkeypatch.setattr(doctor, "find_spec", lambda name: name not in there.missing or None)
    monkeypatch.setattr(doctor, "_driver", lambda: there.driver)
    monkeypatch.setattr(torch.version, "cuda", "13.0", raising=False)
    for name, value in {
        "is_available": lambda: there.cuda, "get_device_name": lambda: "Fake 9000",
        "get_device_capability": lambda: there.capability, "mem_get_info": lambda: (70 * 2**30, 80 * 2**30),
        "is_bf16_supported": lambda including_emulation: there.bf16,
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    return there


def examined():
    findings = doctor.examine(gpu=True)
    return findings, doctor.report(findings)


def test_a_whole_machine_is_all_ok_with_driver_capability_bf16_and_memory(machine):
    findings, report = examined()
    assert all(each.ok for each in findings)
    for part in ("driver          580.1", "Fake 9000", "13.0, capability 9.0", "in hardware", "70 of 80 GiB free"):
        assert part in report


def test_what_the_wheelhouse_brings_is_told_with_its_command(machine):
    machine.missing = {"nbclient", "matplotlib", "tensorflow"}
    findings, report = examined()
    missing = {each.what: each for each in findings if not each.ok}
    assert wheelhouse.INSTALL in missing["nbclient"].advice and "make wheelhouse" in missing["nbclient"].advice
    assert missing["matplotlib"].advice == "pip install matplotlib -c constraints.txt"
    assert "KERAS_BACKEND=torch" in missing["Keras backend"].advice
    assert report.count("PROBLEM") == 3


def test_outside_of_the_repository_the_advice_names_no_file_of_it(machine, monkeypatch, tmp_path):
    machine.missing = {"numpy", "torch", "keras", "tensorflow", "scikit-learn", "matplotlib", "nbclient", "nbgrader"}
    monkeypatch.chdir(tmp_path)
    for gpu in (False, True):
        advice = {each.what: each.advice for each in doctor.examine(gpu) if not each.ok}
        assert not [each for each in advice.values() if "make" in each or "constraints" in each]
        assert advice["torch"].endswith('pip install "lrcourse[torch]"')
        assert advice["scikit-learn"].endswith('pip install "lrcourse[data]"')
        assert advice["numpy"].endswith("pip install numpy")


def test_keras_on_torch_needs_no_tensorflow(machine, monkeypatch):
    machine.missing = {"tensorflow"}
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    findings, _ = examined()
    assert all(each.ok for each in findings)


def test_an_old_gpu_is_slow_and_no_problem(machine):
    machine.bf16, machine.capability = False, (7, 0)
    _, report = examined()
    assert "missing  bf16            emulated  (the full size will be slow)" in report and "PROBLEM" not in report


@pytest.mark.parametrize(("built", "advice"), [("13.0", "was built for CUDA 13.0"), (None, "this PyTorch is for CPUs")])
def test_a_gpu_that_pytorch_cannot_use_is_told_with_the_reason(machine, monkeypatch, built, advice):
    machine.cuda, machine.driver = False, ""
    monkeypatch.setattr(torch.version, "cuda", built, raising=False)
    _, report = examined()
    assert advice in report and "install the GPU's driver" in report and report.count("PROBLEM") == 2


def test_without_pytorch_the_rest_is_still_examined(machine):
    machine.missing = {"torch"}
    findings, _ = examined()
    assert [each.what for each in findings if not each.ok] == ["torch"]
    assert importlib.util.find_spec("torch") is not None  # the fake was the doctor's alone
