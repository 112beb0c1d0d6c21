"""Cycles: the article's cyclical rates, typed again from its formulas, behave as it says and equal `Cyclic`; the
chapter's early stopping is Keras's and `Plateau`'s, and what it says of a loss that breathes with the rate holds."""

from math import floor, pi, sin
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest

from lrcourse import Cyclic, Plateau, plan_cycles, steps_per_epoch

CHAPTER = Path(__file__).parents[1] / "book" / "cyclical.ipynb"
BASE, MAX, STEP_SIZE, GAMMA = 0.001, 0.006, 2000, 0.99994
CYCLE = 2 * STEP_SIZE
STEPS = np.arange(8 * CYCLE + 1)  # the sine comes round again after four cycles


def article(t, scale, clock):
    """The article's three lines; `clock` says whether `scale` is asked about the cycle or the iteration."""
    cycle = floor(1 + t / (2 * STEP_SIZE))
    x = abs(t / STEP_SIZE - 2 * cycle + 1)
    return BASE + (MAX - BASE) * max(0.0, 1 - x) * scale(cycle if clock == "cycle" else t)


def flat(cycle):
    return 1.0


def halved(cycle):
    return 1 / 2.0 ** (cycle - 1)


def powered(t):
    return GAMMA**t


def sine(cycle):
    return 0.5 * (1 + np.sin(cycle * pi / 2))


def fifths(t):
    return 1 / 5 ** (t * 0.0001)


POLICIES = {
    "triangular": (flat, "cycle", {"mode": "triangular"}),
    "triangular2": (halved, "cycle", {"mode": "triangular2"}),
    "exp_range": (powered, "iterations", {"mode": "exp_range", "gamma": GAMMA}),
    "sine": (sine, "cycle", {"scale_fn": sine, "scale_mode": "cycle"}),
    "fifths": (fifths, "iterations", {"scale_fn": fifths, "scale_mode": "iterations"}),
}


@pytest.fixture(params=POLICIES)
def policy(request):
    return POLICIES[request.param]


def rates(policy):
    scale, clock, _ = policy
    return np.array([article(t, scale, clock) for t in STEPS])


def peaks(name):
    return rates(POLICIES[name])[STEP_SIZE::CYCLE]


def test_the_articles_formula_is_cyclic(policy):
    *_, options = policy
    schedule = Cyclic(BASE, MAX, STEP_SIZE, **options)
    np.testing.assert_allclose(schedule(STEPS), rates(policy), rtol=1e-12)
    assert schedule(777) == pytest.approx(rates(policy)[777], rel=1e-12)


def test_every_cycle_starts_and_ends_at_the_base_rate(policy):
    np.testing.assert_allclose(rates(policy)[::CYCLE], BASE, rtol=1e-12)


def test_every_rate_lies_between_the_bounds(policy):
    assert np.all((rates(policy) >= BASE - 1e-15) & (rates(policy) <= MAX + 1e-15))


def test_the_rate_changes_at_every_iteration(policy):
    scale, _, _ = policy
    moving = np.diff(rates(policy)) != 0
    standing = (STEPS[:-1] // CYCLE) % 4 == 2 if scale is sine else np.zeros(len(moving), dtype=bool)
    assert moving[~standing].all()


def test_triangular_repeats_its_peak():
    np.testing.assert_allclose(peaks("triangular"), MAX, rtol=1e-12)


def test_triangular2_halves_the_height_in_each_cycle():
    heights = peaks("triangular2") - BASE
    assert heights[0] == pytest.approx(MAX - BASE)
    np.testing.assert_allclose(heights[1:] / heights[:-1], 0.5, rtol=1e-12)


def test_exp_range_multiplies_the_height_by_gamma_at_each_iteration():
    heights = peaks("exp_range") - BASE
    assert heights[0] == pytest.approx((MAX - BASE) * GAMMA**STEP_SIZE)  # below the maximum from the first peak on
    np.testing.assert_allclose(heights[1:] / heights[:-1], GAMMA**CYCLE, rtol=1e-12)


def test_the_sine_gives_full_half_flat_half():
    heights = (peaks("sine") - BASE) / (MAX - BASE)
    np.testing.assert_allclose(heights, [1, 0.5, 0, 0.5] * 2, atol=1e-12)
    third = rates(POLICIES["sine"])[2 * CYCLE : 3 * CYCLE]
    np.testing.assert_allclose(third, BASE, rtol=1e-12)


def test_a_scale_function_without_numpy_works_too():
    schedule = Cyclic(BASE, MAX, STEP_SIZE, scale_fn=lambda cycle: 0.5 * (1 + sin(cycle * pi / 2)))
    np.testing.assert_allclose(schedule(STEPS), rates(POLICIES["sine"]), rtol=1e-12)


def test_the_power_of_five_is_an_exp_range():
    schedule = Cyclic(BASE, MAX, STEP_SIZE, mode="exp_range", gamma=5**-0.0001)
    np.testing.assert_allclose(schedule(STEPS), rates(POLICIES["fifths"]), rtol=1e-9)


def test_the_printed_line_passes_x_and_overshoots():
    """`scale_fn(x)`, taken literally, doubles the height of triangular2 at every peak and halves nothing."""
    for t in (STEP_SIZE, STEP_SIZE + CYCLE, STEP_SIZE + 2 * CYCLE):
        x = abs(t / STEP_SIZE - 2 * floor(1 + t / CYCLE) + 1)
        assert BASE + (MAX - BASE) * max(0.0, 1 - x) * halved(x) == pytest.approx(BASE + 2 * (MAX - BASE))


@pytest.mark.parametrize(
    "samples, batch_size, updates", [(539, 16, 34), (50_000, 128, 391), (100, 50, 2), (101, 50, 3)]
)
def test_an_epoch_has_the_quotient_rounded_up(samples, batch_size, updates):
    assert steps_per_epoch(samples, batch_size) == updates


def test_96_epochs_with_a_step_size_of_8_are_six_cycles_that_end_at_the_minimum():
    plan = plan_cycles(epochs=96, step_size_epochs=8, steps_per_epoch=391)
    assert (plan.cycles, plan.step_size, plan.steps, plan.ends_at_minimum) == (6, 3128, 37_536, True)
    schedule = Cyclic(BASE, MAX, plan.step_size)
    table = schedule.table(plan.steps)
    assert (table == MAX).sum() == 6
    assert schedule(plan.steps) == BASE
    assert table[-1] == pytest.approx(BASE + (MAX - BASE) / plan.step_size)  # one notch above: step 0 had the base


@pytest.mark.parametrize("epochs", range(1, 129))
def test_a_run_ends_at_the_minimum_when_the_epochs_divide_by_two_step_sizes(epochs):
    plan = plan_cycles(epochs=epochs, step_size_epochs=8, steps_per_epoch=10)
    at_base = Cyclic(BASE, MAX, plan.step_size)(plan.steps) == BASE
    assert plan.ends_at_minimum == at_base == (epochs % 16 == 0)


@pytest.fixture(scope="module")
def early_stop():
    """The function that the chapter prints, taken from its cell."""
    cells = {cell.id: cell.source for cell in nbformat.read(CHAPTER, 4).cells}
    namespace = {}
    exec(cells["early-stop"], namespace)
    return namespace["early_stop"]


def noisy_losses(seed, n=60):
    rng = np.random.default_rng(seed)
    return np.exp(-np.arange(n) / 15) + 0.2 * rng.random(n).round(1)  # rounded: ties must not count as improvements


def breathing(half, cycles):
    """A loss that falls through the first cycle, then follows the rate and ends each cycle lower than the last one."""
    epochs = np.arange(1, 2 * half * cycles + 1)
    learning = np.maximum(0, 2 * half - epochs)
    return learning + Cyclic(BASE, MAX, half)(epochs) - 1e-8 * epochs


def keras_stop(losses, patience):
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    callback = keras.callbacks.EarlyStopping(monitor="val_loss", mode="min", patience=patience)
    callback.set_model(model)
    model.stop_training = False
    callback.on_train_begin()
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        if model.stop_training:
            return epoch + 1, callback.best_epoch + 1
    return len(losses), callback.best_epoch + 1


@pytest.mark.parametrize("patience", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("seed", range(5))
def test_it_stops_and_chooses_as_keras_does(early_stop, seed, patience):
    losses = noisy_losses(seed)
    assert early_stop(losses, patience) == keras_stop(losses, patience)


@pytest.mark.parametrize("patience", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("seed", range(5))
def test_it_stops_where_plateau_first_cuts(early_stop, seed, patience):
    losses, plateau = noisy_losses(seed), Plateau(lr=1.0, factor=0.5, patience=patience, threshold=0.0)
    cuts = [epoch for epoch, loss in enumerate(losses, 1) if plateau.update(loss) < 1.0]
    assert early_stop(losses, patience)[0] == (cuts[0] if cuts else len(losses))


@pytest.mark.parametrize("half", [2, 4, 8])
def test_a_patience_below_a_cycle_stops_one_patience_after_the_end_of_the_first(early_stop, half):
    losses = breathing(half, cycles=3)
    for patience in range(1, 2 * half):
        stop, best = early_stop(losses, patience)
        assert (stop, best) == (2 * half + patience, 2 * half)
        formula = BASE + (MAX - BASE) * (1 - abs(1 - (patience % (2 * half)) / half))
        assert Cyclic(BASE, MAX, half)(stop) == pytest.approx(formula)
    assert Cyclic(BASE, MAX, half)(early_stop(losses, half)[0]) == MAX


@pytest.mark.parametrize("half", [2, 4, 8])
def test_a_patience_of_a_whole_cycle_lets_improving_cycles_run_on(early_stop, half):
    losses = breathing(half, cycles=3)
    assert early_stop(losses, 2 * half) == (6 * half, 6 * half)


def test_a_patience_of_a_cycle_stops_at_the_lowest_rate_once_a_cycle_brings_nothing(early_stop):
    losses = np.concatenate([breathing(4, cycles=2), breathing(4, cycles=3) + 1e-3])  # a fresh start above the best
    stop, best = early_stop(losses, 8)
    assert (stop, best) == (24, 16)
    assert Cyclic(BASE, MAX, 4)(stop) == BASE
