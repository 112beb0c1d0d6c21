"""A generated language whose entropy is known: what the best possible model would lose, at each place of a text."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ..validation import check_fields, random_seed, whole
from .dataset import Dataset

Numbers = NDArray[np.float64]
Tokens = NDArray[np.int64]

CHUNK = 1000  # texts drawn together from one generator: a prefix of a larger set is the smaller set
NAMES = 2  # words that name a topic: neither the most frequent words nor rare ones
VARIETY = 2.0  # how differently the states choose their words: the deviation of the logarithm of a probability

texts = whole(1, "use for example 1000 texts")
tokens = whole(1, "use for example 32 tokens")


@dataclass(frozen=True)
class Language:
    r"""Words whose next one depends on the class of the last word and on the topic that the text has come to.

    Word $w$ = 0, 1, … of the `vocabulary` belongs to the class $w$ mod `classes`, its part of speech as it were. Two
    words name each of the `topics` (8 to 15 name four): from there on the text is about it, until the next name. Topic
    and class are the *state* $s$, and the next word has the probability

    $$p(w \mid s) \propto \frac{e^{2 z_{sw}}}{w + 1},$$

    Zipf's law with standard normal $z_{sw}$, drawn from `seed`: some words are frequent everywhere, most are rare. A
    text begins in state 0. Whoever has read it from there knows the state, so that the loss of the best possible model
    has a closed form, `floor`; but a topic may have been named long ago, and the model has to look it up.

    Raises: `ValueError` for a number below 1 and a vocabulary of less than four words a topic.
    Source: the closed form is that of unifilar sources: Shannon, "A mathematical theory of communication", 1948, § 7.

    >>> words, following = Language().sample(n=2, context=8, seed=0)
    >>> words.shape, (words[:, 1:] == following[:, :-1]).all()
    ((2, 8), np.True_)
    """

    vocabulary: Annotated[int, whole(2, "use for example 64 words")] = 64
    topics: Annotated[int, whole(1, "use for example 4 topics")] = 4
    classes: Annotated[int, whole(1, "use for example 4 classes")] = 4
    seed: Annotated[int, random_seed] = 0

    def __post_init__(self) -> None:
        check_fields(self)
        least = 2 * NAMES * self.topics
        whole(least, f"use {least} words or more, or fewer topics")("vocabulary", self.vocabulary)

    @cached_property
    def probabilities(self) -> Numbers:
        """Of each word in each state, `(states, vocabulary)`."""
        z = np.random.default_rng(self.seed).normal(size=(self.topics * self.classes, self.vocabulary))
        weights = np.exp(VARIETY * z) / np.arange(1, self.vocabulary + 1)
        chances: Numbers = weights / weights.sum(1, keepdims=True)
        return chances

    @cached_property
    def following(self) -> Tokens:
        """The state after each word in each state, `(states, vocabulary)`."""
        word = np.arange(self.vocabulary)
        topic = np.repeat(np.arange(self.topics), self.classes)[:, None]
        is_name = word // (NAMES * self.topics) == 1
        return np.where(is_name, word % self.topics, topic) * self.classes + word % self.classes

    def sample(self, n: int, context: int, seed: int = 0) -> tuple[Tokens, Tokens]:
        """The first `context` words of `n` texts, and the word after each: two arrays of shape `(n, context)`.

        The first texts of a larger sample are the smaller sample.

        Raises: `ValueError` for a number below 1.
        """
        n, context, seed = texts("n", n), tokens("context", context), random_seed("seed", seed)
        chunks = [self._chunk(np.random.default_rng([seed, i]), context + 1) for i in range(-(-n // CHUNK))]
        words = np.concatenate(chunks)[:n]
        return words[:, :-1], words[:, 1:]

    def _chunk(self, rng: np.random.Generator, length: int) -> Tokens:
        cumulated = self.probabilities.cumsum(1)[:, :-1]  # what is left belongs to the last word
        state, words = np.zeros(CHUNK, dtype=np.int64), np.empty((CHUNK, length), dtype=np.int64)
        chance = rng.random((length, CHUNK, 1))
        for place in range(length):
            words[:, place] = (cumulated[state] < chance[place]).sum(1)
            state = self.following[state, words[:, place]]
        return words

    def floor(self, context: int) -> Numbers:
        r"""The expected cross-entropy of the best possible model at each place, in nats, shape `(context,)`.

        At place $k$ = 0, 1, … the words 0 to $k$ are known, so is the state, and the loss is its entropy:

        $$h_k = \sum_s P_{k+1}(s) H(s), \quad H(s) = -\sum_w p(w \mid s) \ln p(w \mid s),$$

        where $P_j$ is the distribution of states after $j$ words: all of it in state 0 for $j = 0$.

        Raises: `ValueError` for a context below 1.

        >>> Language().floor(3).round(3)
        array([2.689, 2.627, 2.564])
        """
        p = self.probabilities
        entropy, transition = -(p * np.log(p)).sum(1), np.zeros((len(p), len(p)))
        np.add.at(transition, (np.arange(len(p))[:, None], self.following), p)
        reached = [transition[0]]
        for _ in range(tokens("context", context) - 1):
            reached.append(reached[-1] @ transition)
        expected: Numbers = np.array(reached) @ entropy
        return expected


def language(n: int = 40_000, context: int = 32, seed: int = 0, n_test: int = 1000) -> Dataset:
    """Texts in the `Language` of 64 words, 4 topics and 4 classes: a batch of 32 for 1,250 updates, none of them twice.

    `n`, `n_test`: texts to train on and to test on, drawn independently by `seed`. `x_*`: the words, int64 from 0 to
    63, shape `(n, context)`; `y_*`: the word after each. `floor`: the expected loss of the best possible model, the
    mean over all places.

    Raises: `ValueError` for a number below 1.

    >>> data = language(n=100)
    >>> data.x_train.shape, data.y_train.shape, round(data.floor, 3)
    ((100, 32), (100, 32), 2.5)
    """
    spoken, seed, n_test = Language(), random_seed("seed", seed), texts("n_test", n_test)
    (x, y), (x_test, y_test) = spoken.sample(n, context, 2 * seed), spoken.sample(n_test, context, 2 * seed + 1)
    return Dataset("language", "generated", x, y, x_test, y_test, floor=float(spoken.floor(context).mean()))
