"""The generated language: its floor is the entropy that other ways of counting give, and a model comes close to it."""

from itertools import product

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lrcourse.data import Language, language
from lrcourse.torch import GPT, train


def transitions(spoken):
    """For each word the matrix of going from a state to another and saying it, by the docstring's own words."""
    moves = np.zeros((spoken.vocabulary, *2 * [spoken.topics * spoken.classes]))
    for word, topic, last in product(*map(range, (spoken.vocabulary, spoken.topics, spoken.classes))):
        state = topic * spoken.classes + last
        named = word % spoken.topics if 2 * spoken.topics <= word < 4 * spoken.topics else topic
        moves[word, state, named * spoken.classes + word % spoken.classes] = spoken.probabilities[state, word]
    return moves


def test_the_floor_is_the_entropy_of_all_texts_counted_one_by_one():
    spoken, context = Language(vocabulary=8, topics=2, classes=3, seed=5), 3
    moves = transitions(spoken)
    entropies = []
    for length in range(1, context + 2):
        chances = []
        for words in product(range(8), repeat=length):
            belief = np.eye(len(moves[0]))[0]
            for word in words:
                belief = belief @ moves[word]
            chances.append(belief.sum())
        assert sum(chances) == pytest.approx(1)
        entropies.append(-sum(p * np.log(p) for p in chances))
    np.testing.assert_allclose(spoken.floor(context), np.diff(entropies), rtol=1e-12)


def test_the_floor_is_what_the_forward_algorithm_loses_on_a_sample():
    spoken, n, context = Language(), 4000, 32
    x, y = spoken.sample(n, context, seed=3)
    moves = transitions(spoken)
    belief = np.zeros((n, len(moves[0])))
    belief[:, 0] = 1
    losses = np.empty((n, context))
    for place, words in enumerate(np.column_stack([x, y[:, -1]]).T):
        joint = np.einsum("ns,nst->nt", belief, moves[words])
        chance = joint.sum(1)
        belief = joint / chance[:, None]
        if place:  # the first word is given
            losses[:, place - 1] = -np.log(chance)
    off = (losses.mean(0) - spoken.floor(context)) / (losses.std(0) / np.sqrt(n))
    print(off)
    assert np.abs(off).max() < 4
    of_texts = losses.mean(1)
    assert abs(of_texts.mean() - spoken.floor(context).mean()) < 3 * of_texts.std() / np.sqrt(n)


def test_words_are_as_unequal_as_those_of_a_language():
    words = np.sort(np.bincount(language(n=4000).x_train.ravel(), minlength=64))[::-1]
    assert words[0] > 30 * words[-1] > 0
    slope = np.polyfit(np.log(np.arange(1, 65)), np.log(words), 1)[0]
    assert -1.6 < slope < -0.8


def test_shapes_types_and_targets_that_are_the_next_words():
    data = language(n=20, context=9, n_test=7)
    assert data.x_train.shape == data.y_train.shape == (20, 9) and data.x_test.shape == data.y_test.shape == (7, 9)
    assert data.x_train.dtype == data.y_train.dtype == np.int64
    np.testing.assert_array_equal(data.x_train[:, 1:], data.y_train[:, :-1])
    assert data.floor == pytest.approx(Language().floor(9).mean())


def test_the_first_texts_of_a_larger_sample_are_the_smaller_one_and_another_seed_gives_others():
    small, large, other = language(n=10, n_test=1), language(n=1500, n_test=1), language(n=1500, n_test=500, seed=1)
    np.testing.assert_array_equal(small.x_train, large.x_train[:10])
    texts = [text.tobytes() for part in (large.x_train, other.x_train, other.x_test) for text in part]
    assert len(set(texts)) == 3500


def test_another_seed_of_the_language_is_another_language():
    assert not np.allclose(Language(seed=1).probabilities, Language().probabilities)
    assert Language(seed=1).floor(32).mean() != pytest.approx(Language().floor(32).mean(), abs=1e-3)


def test_a_small_gpt_learns_more_than_the_frequencies_of_words_and_no_more_than_can_be_known():
    data = language(n=2400, n_test=500)
    shares = np.bincount(data.y_train.ravel()) / data.y_train.size
    by_frequency = -(shares * np.log(shares)).sum()
    torch.manual_seed(0)
    model = GPT(64)
    run = train(model, torch.optim.AdamW(model.parameters(), lr=0.01), data, steps=150, batch_size=16)
    test_loss = run.evaluations.test_loss[-1]
    print(test_loss, by_frequency, data.floor)
    assert data.floor < test_loss < by_frequency - 0.4

    x, y = torch.from_numpy(data.x_test), torch.from_numpy(data.y_test)
    with torch.no_grad():
        scores = model(x)
    by_hand = F.cross_entropy(scores.reshape(-1, 64), y.reshape(-1)).item()
    right = (scores.argmax(2) == y).double().mean().item()
    assert (test_loss, run.evaluations.test_accuracy[-1]) == (pytest.approx(by_hand), right)


BAD = [
    (lambda: language(n=0), "n"),
    (lambda: language(n=1, n_test=0), "n_test"),
    (lambda: language(n=1, context=0), "context"),
    (lambda: language(n=1, seed=-1), "seed"),
    (lambda: Language(vocabulary=15), "vocabulary"),
    (lambda: Language(topics=0), "topics"),
    (lambda: Language(classes=0), "classes"),
    (lambda: Language(seed=-1), "seed"),
    (lambda: Language().floor(0), "context"),
]


@pytest.mark.parametrize(("call", "named"), BAD)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=rf"^{named} must be .*: \w+"):
        call()
