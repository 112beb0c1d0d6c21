"""Mini-batches for `fit`: a new order in every epoch, the same orders from the same seed."""

import keras
import numpy as np
import pytest

from lrcourse.keras import Batches

X, Y = np.arange(10.0)[:, None], np.arange(10)


class Seen(keras.Sequential):
    """A model that notes the targets it is trained on."""

    def train_step(self, data):
        self.targets.append([int(each) for each in np.asarray(data[1]).ravel()])
        return super().train_step(data)


def epochs_of(data, **options):
    """The order of the examples in each of three epochs."""
    keras.utils.set_random_seed(0)
    model = Seen([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.targets = []
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(*data, epochs=3, verbose=0, **options)
    per_epoch = len(model.targets) // 3
    return [sum(model.targets[i * per_epoch : (i + 1) * per_epoch], []) for i in range(3)]


def test_every_epoch_has_all_examples_in_an_order_of_its_own_and_a_seed_repeats_the_run():
    first = epochs_of([Batches(X, Y, 4)])
    assert [sorted(each) for each in first] == [list(Y)] * 3
    assert len({tuple(each) for each in first}) == 3
    assert epochs_of([Batches(X, Y, 4)]) == first != epochs_of([Batches(X, Y, 4, seed=1)])


def test_arrays_are_still_gone_through_in_one_order_on_tensorflow():
    """The reason for `Batches`: should Keras mend this, the class and the chapters' words may go."""
    first, *others = epochs_of([X, Y], batch_size=4)
    assert others == [first, first]


def test_what_cannot_be_batches_is_refused():
    with pytest.raises(ValueError, match="y must be one for each of the 10 examples, got '9 targets'"):
        Batches(X, Y[:9], 4)
    with pytest.raises(ValueError, match="y must be"):
        Batches([], [], 4)
