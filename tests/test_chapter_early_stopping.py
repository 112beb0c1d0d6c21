"""Early stopping: its rule is Keras's and `Plateau`'s, and stops a cyclical run where the chapter's formula says."""

from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest

from lrcourse import Cyclic, Plateau

CHAPTER = Path(__file__).parents[1] / "book" / "early-stopping.ipynb"
BASE, TOP = 0.05, 0.5


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
    return learning + Cyclic(BASE, TOP, half)(epochs) - 1e-6 * epochs


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
        formula = BASE + (TOP - BASE) * (1 - abs(1 - (patience % (2 * half)) / half))
        assert Cyclic(BASE, TOP, half)(stop) == pytest.approx(formula)
    assert Cyclic(BASE, TOP, half)(early_stop(losses, half)[0]) == TOP


@pytest.mark.parametrize("half", [2, 4, 8])
def test_a_patience_of_a_whole_cycle_lets_improving_cycles_run_on(early_stop, half):
    losses = breathing(half, cycles=3)
    assert early_stop(losses, 2 * half) == (6 * half, 6 * half)


def test_a_patience_of_a_cycle_stops_at_the_lowest_rate_once_a_cycle_brings_nothing(early_stop):
    losses = np.concatenate([breathing(4, cycles=2), breathing(4, cycles=3) + 0.01])  # a fresh start above the best
    stop, best = early_stop(losses, 8)
    assert (stop, best) == (24, 16)
    assert Cyclic(BASE, TOP, 4)(stop) == BASE
