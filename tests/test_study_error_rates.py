"""A verdict is wrong no more often than it says: studies are simulated whose truth is known."""

import numpy as np
import pytest
from scipy.stats import binom

from lrcourse.study.answer import Answer
from lrcourse.study.tuning import Tuned

pytestmark = pytest.mark.slow
STUDIES = 1000
MARGIN, SELECT, REPORT, TRIALS = 1.0, 10, 30, 6
POSITIONS = np.arange(TRIALS)
NOISE = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "heavy tails": lambda rng, shape: rng.standard_t(3, size=shape) / np.sqrt(3),
    "a tenth fails": lambda rng, shape: rng.normal(size=shape),
}


def simulated(rng, noise, difference, arms=("a", "b"), fails=(0.1, 0.1), sharpness=0.5, spread=1.0, seeds=REPORT):
    """A study of arms that are tuned alike; the best setting of all but the first scores `difference` more."""
    best = rng.uniform(1.5, 3.5)
    truth = {arm: sharpness * (POSITIONS - best) ** 2 for arm in arms}
    truth = {arm: each - each.min() + (difference if i else 0) for i, (arm, each) in enumerate(truth.items())}

    def scores(seeds):
        common = NOISE[noise](rng, (seeds, 1))
        own = {arm: NOISE[noise](rng, (seeds, TRIALS)) for arm in arms}
        return {arm: truth[arm] + spread * np.sqrt(0.5) * (common + own[arm]) for arm in arms}

    selected, reported = scores(SELECT), scores(seeds)
    tuned = {arm: Tuned.of([{"lr": float(i)} for i in POSITIONS], selected[arm], "lower") for arm in arms}
    failing = noise == "a tenth fails"
    failed = {arm: failing & (rng.random(seeds) < share) for arm, share in zip(arms, [*fails, *fails])}
    return Answer(
        metric="loss", better="lower", margin=MARGIN, select=list(range(SELECT)), report=list(range(seeds)),
        compare=[(a, b) for i, a in enumerate(arms) for b in arms[i + 1 :]],
        tuned=tuned, scores={arm: each[:, tuned[arm].best] for arm, each in reported.items()}, failed=failed,
    )  # fmt: skip


def words(noise, difference, seed, studies=STUDIES, **options):
    rng = np.random.default_rng(seed)
    return np.array([simulated(rng, noise, difference, **options).verdicts[0].word for _ in range(studies)])


def no_more_than(nominal, wrong):
    """Whether so many errors are no evidence, at 1 %, of a rate above the nominal one."""
    return wrong.sum() <= binom.ppf(0.99, len(wrong), nominal)


@pytest.mark.slow
@pytest.mark.parametrize("noise", NOISE)
def test_where_there_is_no_difference_one_is_found_in_five_percent(noise):
    assert no_more_than(0.05, np.isin(words(noise, 0.0, seed=1), ["ahead", "behind"]))


@pytest.mark.slow
@pytest.mark.parametrize("noise", NOISE)
def test_half_a_margin_is_hardly_ever_seen_on_the_wrong_side(noise):
    assert no_more_than(0.025, words(noise, MARGIN / 2, seed=2) == "behind")


@pytest.mark.slow
@pytest.mark.parametrize("noise", NOISE)
def test_a_difference_of_the_margin_is_called_level_in_five_percent(noise):
    assert no_more_than(0.05, words(noise, MARGIN, seed=3) == "level")


@pytest.mark.slow
@pytest.mark.parametrize("noise", NOISE)
def test_twice_the_margin_is_seen_and_never_called_level(noise):
    found = words(noise, 2 * MARGIN, seed=4)
    assert not (found == "level").any() and (found == "behind").sum() == 0
    assert (found == "ahead").mean() > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("difference", [0.0, 0.5 * MARGIN, MARGIN])
def test_without_power_the_word_is_undecided_and_never_level(difference):
    found = words("normal", difference, seed=5, spread=6.0, seeds=6)
    assert not (found == "level").any()
    assert (found == "undecided").mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("sharpness", [0.0, 0.2, 0.4, 1.0])
def test_the_choice_of_a_setting_is_a_part_of_the_error(sharpness):
    found = words("normal", 0.0, seed=6, sharpness=sharpness, spread=1.0)
    assert no_more_than(0.05, np.isin(found, ["ahead", "behind"]))


@pytest.mark.slow
def test_all_verdicts_of_a_study_together_are_false_in_five_percent():
    rng = np.random.default_rng(7)
    studies = [simulated(rng, "a tenth fails", 0.0, arms=("a", "b", "c")) for _ in range(STUDIES)]
    wrong = [any(each.word in ("ahead", "behind") for each in study.verdicts) for study in studies]
    assert no_more_than(0.05, np.array(wrong))


@pytest.mark.slow
def test_an_arm_that_fails_more_often_is_behind_though_its_other_runs_are_as_good():
    found = words("a tenth fails", 0.0, seed=8, studies=200, fails=(0.6, 0.0))
    assert (found == "behind").mean() > 0.95 and not (found == "level").any()
