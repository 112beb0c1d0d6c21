"""Who was faster than whom, over the same seeds: a place is one more than the number of those who were faster.

So nobody's place depends on how the others are ordered.
"""

from collections.abc import Mapping, Sequence

import numpy as np

LEVEL = 0.001  # ten times as strict as one pair would need: in a class, each answer is compared with all others


def places(updates: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """The place of each, by its numbers of updates on the same seeds: `p_faster` must be below 0.001 to lose one.

    >>> places({"ada": [10] * 10, "bob": [20] * 10, "eva": [20] * 9 + [10]})
    {'ada': 1, 'bob': 2, 'eva': 1}
    """
    return {name: 1 + sum(p_faster(other, own) < LEVEL for other in updates.values()) for name, own in updates.items()}


def p_faster(one: Sequence[int], other: Sequence[int]) -> float:
    r"""How often chance alone would make `one` need so many fewer updates than `other`.

    The exact permutation test for pairs: were both equally fast, each difference $d_i$ between them might as well have
    the other sign, so $p$ is the share of the $2^n$ choices of signs with $\sum_i \pm d_i \ge \sum_i d_i$.

    >>> p_faster([10, 12, 11], [20, 25, 30]), p_faster([10, 20], [10, 20])
    (0.125, 1.0)
    """
    differences = np.subtract(other, one)
    if differences.sum() <= 0:
        return 1.0  # at least a half
    sums = np.zeros(1, dtype=np.int64)
    for each in differences[differences != 0]:
        sums = np.concatenate([sums + each, sums - each])
    return float(np.mean(sums >= differences.sum()))
