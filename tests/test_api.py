"""The API reference names everything that the package offers, each with a docstring."""

import importlib
import pkgutil
import re
import sys
from pathlib import Path

import pytest

import lrcourse

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
from api import public  # noqa: E402

PAGES = {
    module: path.with_suffix(".html").name
    for path in sorted((ROOT / "book").glob("api*.md"))
    for module in re.findall(r"\{api\} ([\w.]+)", path.read_text(encoding="utf-8"))
}
# The course's machinery, what chapters and labs call, and what checks the arguments of all
INSIDE = {"course", "extras", "fingerprint", "glue", "records", "selfcheck", "validation"}


@pytest.mark.parametrize("name", PAGES)
def test_every_name_has_its_place_on_the_page(book, name):
    module = importlib.import_module(name)
    page = (book / "book" / PAGES[name]).read_text(encoding="utf-8")
    assert public(module)
    for each in public(module):
        assert f'id="{name}.{each}"' in page, each
        assert getattr(module, each).__doc__, each


def test_every_module_is_listed_or_no_part_of_what_one_imports_to_train():
    modules = {module.name for module in pkgutil.iter_modules(lrcourse.__path__) if not module.name.startswith("_")}
    assert modules == {name.split(".")[1] for name in PAGES} | INSIDE
