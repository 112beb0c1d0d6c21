"""The text: the same on every machine, sentences and nothing else, and no paragraph of the test was trained on."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from lrcourse.data import text
from lrcourse.data.text import ALPHABET, PACKAGES, documents, paragraphs
from lrcourse.torch import GPT, train


def decoded(windows):
    return "".join(ALPHABET[i] for i in windows.ravel())


def test_windows_follow_each_other_and_targets_are_the_next_characters():
    data = text(context=50)
    assert data.x_train.shape == data.y_train.shape and data.x_test.shape[1] == 50
    assert data.x_train.dtype == data.y_test.dtype == np.int64
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        np.testing.assert_array_equal(x.ravel()[1:], y.ravel()[:-1])
    assert data.x_train.size > 300_000 and data.x_test.size > 30_000
    assert "BSD" in data.license


def test_it_is_english():
    written = decoded(text().x_train)
    words = re.findall(r"[a-z]+", written)
    common = sum(words.count(word) for word in ("the", "of", "to", "is", "a", "and", "in", "for"))
    assert common > 0.2 * len(words)
    assert not set("`_[]=<>*") & set(written)


def test_no_paragraph_of_the_test_is_trained_on():
    files = documents("scikit-learn")
    test = set("".join(files[::10]).splitlines())
    trained = [line for i, document in enumerate(files) if i % 10 for line in document.splitlines()]
    assert test and not test & set(trained) and len(trained) == len(set(trained))


SOURCE = '''
"""A module about lines that are long enough to be kept, and of `code` in them."""

def f(x):
    """Short one.

    A paragraph on two lines, which :class:`~a.b.Thing` and :ref:`words <target>` are in: they
    are joined to one.

    Parameters
    ----------
    x : int
        What is said about a parameter, is kept (with signs: 0-9, "a/b").
    y_long_name : what is no sentence, as it does not begin with a capital letter.

    Notes
    -----
    Here stands x_1, which is code, so that nothing of the paragraph is kept.
    >>> f(2)
    """
    "A text that documents nothing, even if it is as long as a paragraph."
'''


def test_what_is_kept_of_a_file(tmp_path):
    (tmp_path / "a.py").write_text(SOURCE)
    assert list(paragraphs(tmp_path / "a.py")) == [
        "a module about lines that are long enough to be kept, and of code in them.",
        "a paragraph on two lines, which a.b.thing and words are in: they are joined to one.",
        'what is said about a parameter, is kept (with signs: 0-9, "a/b").',
    ]


def test_another_version_is_refused(monkeypatch):
    monkeypatch.setitem(PACKAGES, "iniconfig", ("iniconfig", "0.1", "another hash"))
    with pytest.raises(RuntimeError, match=r'iniconfig [2-9].* are not those of 0.1.*: pip install "iniconfig==0.1"'):
        documents("iniconfig")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(PACKAGES, "no-such-package", ("folder", "1.0", ""))
    with pytest.raises(ModuleNotFoundError, match='pip install "no-such-package==1.0"'):
        documents("no-such-package")


def test_a_gpt_learns_from_it():
    data = text()
    data = replace(data, x_train=data.x_train[:1600], y_train=data.y_train[:1600], x_test=data.x_test[:200],
                   y_test=data.y_test[:200])  # fmt: skip
    torch.manual_seed(0)
    model = GPT(len(ALPHABET))
    run = train(model, torch.optim.AdamW(model.parameters(), lr=0.01), data, steps=100, batch_size=16)
    print(run.losses[0], run.evaluations.test_loss)
    assert run.losses[0] == pytest.approx(math.log(len(ALPHABET)), abs=0.1)
    assert run.evaluations.test_loss[-1] < math.log(len(ALPHABET)) - 1


BAD = [({"context": 0}, "context"), ({"package": "a"}, "package")]


@pytest.mark.parametrize(("arguments", "named"), BAD)
def test_bad_input_is_named(arguments, named):
    with pytest.raises(ValueError, match=rf"^{named} must be .*: \w+"):
        text(**arguments)
