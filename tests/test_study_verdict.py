"""The verdict on pairs of runs: agrees with the libraries, and words stand for what they say."""

from typing import Any

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from lrcourse.intervals import paired_difference
from lrcourse.study.verdict import Pair, holm, judge, share

RNG = np.random.default_rng(0)
NEVER = np.zeros(30, bool)


def pair(difference=0.0, noise=1.0, failed_a=NEVER, failed_b=NEVER, n=30, **more):
    common = RNG.normal(size=n)
    a, b = common + difference + noise * RNG.normal(size=n), common + noise * RNG.normal(size=n)
    return Pair("a", "b", a, b, failed_a[:n], failed_b[:n], **more)


def some(count, of=30, start=0):
    failed = np.zeros(of, bool)
    failed[start : start + count] = True
    return failed


def verdict(made, margin=0.5, better="lower") -> Any:
    return judge([made], margin, better)[0]


def word(made, margin=0.5, better="lower"):
    return verdict(made, margin, better).word


def test_interval_and_p_of_level_are_those_of_scipy_and_statsmodels():
    for difference in (0.0, 0.3, 1.0):
        made = pair(difference)
        found = verdict(made)
        expected = paired_difference(made.scores_a, made.scores_b)
        assert [found.difference.low, found.difference.high] == pytest.approx([expected.low, expected.high])
        assert found.p_level == pytest.approx(ttost_paired(made.scores_a, made.scores_b, -0.5, 0.5)[0])
        ninety = paired_difference(made.scores_a, made.scores_b, 0.9)
        assert [found.within.low, found.within.high] == pytest.approx([ninety.low, ninety.high])


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_corrected_p_values_are_those_of_statsmodels_and_levels_agree_with_them(count):
    for scale in (0.002, 0.02, 0.2, 1.0):
        p = list(scale * RNG.random(count))
        corrected, levels = holm(p)
        rejected, expected, *_ = multipletests(p, 0.05, "holm")
        assert corrected == pytest.approx(expected)
        assert [value <= level for value, level in zip(p, levels)] == list(rejected)


def test_words_follow_the_direction_that_is_better():
    assert word(pair(-2.0), better="lower") == "ahead" == word(pair(2.0), better="higher")
    assert word(pair(-2.0), better="higher") == "behind" == word(pair(2.0), better="lower")


def test_level_needs_an_interval_within_the_margin():
    assert word(pair(noise=0.05)) == "level"
    assert word(pair(noise=5.0)) == "undecided"
    assert word(pair(noise=0.05, n=3), margin=0.001) == "undecided"


def test_a_difference_below_the_margin_is_called_what_it_is():
    found = verdict(pair(-0.2, noise=0.05))
    assert (found.word, found.note) == ("ahead", "by less than the margin")


def test_failed_runs_are_left_out_of_the_mean_and_counted():
    made = pair(-2.0, failed_a=some(2))
    made.scores_a[:2] = np.nan
    found = verdict(made)
    assert found.word == "ahead" and found.difference.n == 28 and found.failures == (2, 0)
    assert "failed 2 and 0 of 30" in str(found)


def test_one_that_fails_more_often_is_behind_and_a_trade_is_undecided():
    assert word(pair(noise=0.05, failed_a=some(12))) == "behind"
    assert word(pair(noise=0.05, failed_b=some(12))) == "ahead"
    found = verdict(pair(-2.0, failed_a=some(12)))
    assert found.word == "undecided" and "fails more often" in found.note


def test_level_is_not_said_where_failures_may_differ():
    found = verdict(pair(noise=0.05, failed_a=some(4), failed_b=some(1, start=10)))
    assert found.word == "undecided" and "failures" in found.note


def test_level_needs_enough_runs_to_say_that_failures_are_alike():
    never = np.zeros(24, bool)
    found = verdict(pair(noise=0.02, n=24, failed_a=never, failed_b=never))
    assert found.word == "undecided" and "too few runs" in found.note
    assert word(pair(noise=0.02, n=26)) == "level"


def test_where_hardly_a_pair_survives_only_failures_speak():
    found = verdict(pair(failed_a=some(29)))
    assert found.word == "behind" and found.difference is None
    found = verdict(pair(failed_a=some(30), failed_b=some(30)))
    assert found.word == "undecided" and found.detectable == np.inf


def test_runs_that_score_the_same_are_no_evidence_of_a_level():
    made = pair()
    found = verdict(Pair("a", "b", made.scores_a, made.scores_a, NEVER, NEVER))
    assert found.word == "undecided" and "cannot tell" in found.note


def test_what_a_study_could_have_seen_is_seen_in_four_fifths():
    found = verdict(pair(noise=2.0))
    deviation = (found.difference.high - found.difference.low) / 2 / 2.045 * np.sqrt(30)
    draws = np.random.default_rng(1).normal(found.detectable, deviation, size=(2000, 30))
    seen = [paired_difference(row, np.zeros(30)).low > 0 for row in draws]
    assert np.mean(seen) == pytest.approx(0.8, abs=0.03)


def test_the_choice_of_a_setting_widens_the_interval():
    plain, open_choice = (verdict(pair(choice_variance=variance, choice_seeds=10)) for variance in (0.0, 0.1))
    assert np.ptp([open_choice.difference.low, open_choice.difference.high]) > 1.2 * np.ptp(
        [plain.difference.low, plain.difference.high]
    )


def test_more_questions_make_each_answer_more_careful():
    made = pair(-0.55, noise=0.9)
    alone = verdict(made, 0.1)
    one_of_ten: Any = judge([made, *(pair() for _ in range(9))], 0.1, "lower")[0]
    assert one_of_ten.p >= alone.p and one_of_ten.difference.high > alone.difference.high
    assert one_of_ten.detectable > alone.detectable


def test_the_sentence_of_each_word():
    said = [str(verdict(made)) for made in (pair(-2.0), pair(2.0), pair(noise=0.05), pair(noise=5.0))]
    assert [each.split(":")[0] for each in said] == [
        "a is ahead of b", "a is behind b", "a is level with b", "a against b",
    ]  # fmt: skip
    assert "could have seen" in said[3] and "undecided" in said[3]


def test_no_failure_among_thirty_leaves_a_tenth_possible():
    assert share(0, 30).high == pytest.approx(0.1135, abs=1e-4)
