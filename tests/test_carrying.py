"""A rate carried over: what `lrcourse.carrying` makes of the exponents of its record."""

import math

import pytest

from lrcourse import records
from lrcourse.carrying import carry_decay, carry_rate, measured_exponents


def test_the_exponents_are_those_of_the_record():
    runs = {run["name"]: run["results"] for run in records.read("carrying_over", "small").runs}
    assert list(measured_exponents()) == list(runs)
    for name, each in measured_exponents().items():
        assert (each.mean, each.low, each.high) == tuple(runs[name][end] for end in ("exponent", "low", "high"))


@pytest.mark.parametrize("old, new", [(32, 128), (128, 32)])
def test_one_size_alone_moves_the_rate_by_a_power_of_its_factor(old, new):
    exponent, found = measured_exponents()["batch, SGD, MLP"], carry_rate(0.1, "sgd", batch=(old, new))
    assert found.mean == pytest.approx(0.1 * (new / old) ** exponent.mean)
    ends = sorted(0.1 * (new / old) ** (exponent.mean + off) for off in (-0.25, 0.25))  # its seeds scatter less
    assert [found.low, found.high] == pytest.approx(ends) and found.n == exponent.n


def test_seeds_that_scatter_more_than_tasks_decide_the_interval():
    exponent, found = measured_exponents()["depth, Adam, GPT"], carry_rate(1.0, depth=(1, 2))
    assert [found.low, found.high] == pytest.approx([2**exponent.low, 2**exponent.high])


def test_the_interval_of_the_batch_for_sgd_holds_what_other_tasks_gave():
    carried = carry_rate(1.0, "sgd", batch=(32, 64))
    for found in (0.79, 0.89, 0.95):  # digits without momentum and with it, characters of other seeds
        assert carried.low < 2**found < carried.high


def test_two_networks_give_the_mean_of_their_exponents_and_both_intervals():
    two = [measured_exponents()[f"width, Adam, {each}"] for each in ("MLP", "GPT")]
    found = carry_rate(1.0, "adamw", width=(32, 64))
    assert found.mean == pytest.approx(2 ** (sum(each.mean for each in two) / 2))
    assert found.low == pytest.approx(2 ** min(each.low for each in two))
    assert found.high == pytest.approx(2 ** max(each.high for each in two))


def test_factors_multiply_and_their_errors_add_as_independent_ones():
    batch, length = carry_rate(1.0, batch=(8, 32)), carry_rate(1.0, length=(1, 2))
    both = carry_rate(1.0, batch=(8, 32), length=(1, 2))
    assert both.mean == pytest.approx(batch.mean * length.mean)
    errors = [math.log(each.high / each.mean) for each in (batch, length, both)]
    assert errors[2] == pytest.approx(math.hypot(*errors[:2]))


def test_what_does_not_change_does_not_move_the_rate():
    assert carry_rate(0.3, batch=(64, 64), width=(16, 16)).mean == pytest.approx(0.3)


def test_past_the_noise_scale_a_batch_hardly_counts():
    small = carry_rate(1.0, "sgd", batch=(8, 16), noise_scale=1e9)
    assert small.mean == pytest.approx(carry_rate(1.0, "sgd", batch=(8, 16)).mean)
    assert carry_rate(1.0, "sgd", batch=(1000, 4000), noise_scale=1.0).mean == pytest.approx(1.0, abs=0.01)
    p = measured_exponents()["batch, SGD, MLP"].mean
    assert carry_rate(1.0, "sgd", batch=(100, 400), noise_scale=100.0).mean == pytest.approx((2 / 1.25) ** p)


def test_mup_has_an_exponent_of_its_own_for_the_width_only():
    mup = measured_exponents()["width, muP, GPT"]
    assert carry_rate(1.0, width=(16, 32), mup=True).mean == pytest.approx(2**mup.mean)
    assert carry_rate(1.0, batch=(16, 32), mup=True) == carry_rate(1.0, batch=(16, 32))


def test_a_factor_beyond_the_measured_ones_brings_a_warning():
    with pytest.warns(UserWarning, match="depth changes by a factor of 1,024, measured were 4 and less"):
        carry_rate(1.0, depth=(1, 1024))


@pytest.mark.parametrize("given, said", [
    ({}, "batch must be given"),
    ({"batch": 32}, r"batch must be the old and the new one, got 32: write for example batch=\(32, 256\)"),
    ({"batch": (32, 0)}, r"batch\[1\] must be positive, got 0"),
    ({"optimizer": "lion", "batch": (1, 2)}, "optimizer must be 'adam' or"),
    ({"optimizer": "sgd", "depth": (1, 2)}, "optimizer must be 'adam' or 'adamw' where the depth changes.*got 'sgd'"),
    ({"optimizer": "sgd", "width": (1, 2), "mup": True}, "mup must be False with SGD"),
])  # fmt: skip
def test_what_is_wrong_is_named(given, said):
    with pytest.raises(ValueError, match=said):
        carry_rate(0.1, **given)


def test_the_decay_keeps_the_share_of_the_run_that_is_remembered():
    decay = carry_decay(0.1, lr=(0.01, 0.003), updates=(100, 700))
    assert 0.003 * decay * 700 == pytest.approx(0.01 * 0.1 * 100)
    with pytest.raises(ValueError, match=r"lr\[0\] must be positive, got -1: use for example 0.001"):
        carry_decay(0.1, lr=(-1, 1), updates=(1, 1))
    with pytest.raises(ValueError, match=r"updates must be the old and the new one.*updates=\(10000, 40000\)"):
        carry_decay(0.1, lr=(1, 1), updates=7)  # type: ignore[arg-type]
