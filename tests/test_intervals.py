"""Intervals cover the truth as often as they say."""

import numpy as np
import pytest

from lrcourse.intervals import mean_interval, paired_difference


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_covers_the_true_mean_as_often_as_its_level(level):
    rng = np.random.default_rng(0)
    intervals = [mean_interval(rng.normal(3, 2, size=6), level) for _ in range(2000)]
    covered = np.mean([each.low <= 3 <= each.high for each in intervals])
    assert covered == pytest.approx(level, abs=0.02)


def test_pairing_removes_what_seeds_share():
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 10, size=8)
    a, b = shared + 1 + rng.normal(0, 0.1, 8), shared + rng.normal(0, 0.1, 8)
    assert paired_difference(a, b).excludes_zero
    assert mean_interval(a).low < mean_interval(b).high


@pytest.mark.parametrize(
    ("call", "named"),
    [(lambda: mean_interval([1.0]), "values"), (lambda: mean_interval([1.0, np.nan]), "values"),
     (lambda: mean_interval([1.0, 2.0], level=95), "level"), (lambda: paired_difference([1, 2], [1, 2, 3]), "b")],
)  # fmt: skip
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=rf"^{named} must be .*: \w+"):
        call()
