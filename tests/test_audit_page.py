"""The page of the audit: each fault has a run that shows it, and a picture."""

import re
import sys
from pathlib import Path

import pytest

from lrcourse.audit.faults import FAULTS

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import fault_runs  # noqa: E402


def test_every_fault_has_a_run():
    assert set(fault_runs.RUNS) == set(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_the_audit_finds_the_fault_in_its_run_and_no_other(name):
    run = fault_runs.RUNS[name]()
    assert [each.name for each in run.audit.report()] == [name]


@pytest.mark.parametrize("name", FAULTS)
def test_a_picture_shows_the_lines_within_its_frame(name):
    run = fault_runs.RUNS[name]()
    picture = fault_runs.drawn(name, run)
    assert picture.count("<polyline") == len(run.used) + len(run.meant) and f': {name}"' in picture
    places = [(float(x), float(y)) for x, y in re.findall(r"([\d.-]+),([\d.-]+)", picture)]
    assert all(0 <= x <= 204 and 0 <= y <= 64 for x, y in places)
    assert len(picture) < 4000


def test_every_card_is_on_the_page(book):
    page = (book / "book" / "audit.html").read_text(encoding="utf-8")
    assert page.count('<svg class="fault"') == len(FAULTS) == page.count('id="fault-')
