"""Adaptive methods: the article's Adam and its regression, typed again, behave as the chapter says and equal `Adam`."""

from functools import cache

import numpy as np
import pytest

from lrcourse import Lambda
from lrcourse.data import linear_regression
from lrcourse.optimizers import SGD, Adagrad, Adam
from lrcourse.surfaces import RegressionLoss, descend

STEPS, RATE, NEAR = 100, 0.1, 0.05


class ArticleAdam:
    """Both averages start at a plain 0, both are corrected, and the parameters are changed in place."""

    def __init__(self, rate=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
        self.rate, self.beta1, self.beta2, self.eps = rate, beta1, beta2, eps
        self.m = self.v = self.k = 0

    def update(self, theta, grad):
        self.k += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * grad
        self.v = self.beta2 * self.v + (1 - self.beta2) * grad**2
        m_hat, v_hat = self.m / (1 - self.beta1**self.k), self.v / (1 - self.beta2**self.k)
        theta -= self.rate * m_hat / (np.sqrt(v_hat) + self.eps)
        return theta


class Uncorrected(Adam):
    def direction(self, m, v):
        return m / (np.sqrt(v) + self.eps)


def uncorrected_factor(k):
    return (1 - 0.9**k) / np.sqrt(1 - 0.999**k)


@cache
def example():
    """The article's data and start: NumPy's old generator, drawn in the article's order."""
    random = np.random.RandomState(0)
    x = 2 * random.rand(100, 1)
    y = 4 + 3 * x + random.randn(100, 1)
    return np.column_stack([np.ones(100), x]), y, random.randn(2, 1)


def solution():
    inputs, y, _ = example()
    return np.linalg.lstsq(inputs, y, rcond=None)[0]


def article_path(copy=True):
    """The example's loop; without `copy`, the path keeps the very array that the updates change."""
    inputs, y, start = example()
    theta, optimizer = start.copy(), ArticleAdam(rate=RATE)
    path = [theta.copy() if copy else theta]
    for _ in range(STEPS):
        theta = optimizer.update(theta, 2 / len(inputs) * inputs.T @ (inputs @ theta - y))
        path.append(theta.copy() if copy else theta)
    return np.array(path)


@cache
def many(make, steps=STEPS, seeds=200):
    """Distance to the least-squares solution, shape (seeds, steps + 1), for `make()` on 200 data sets and starts."""
    data = [linear_regression(100, seed=seed) for seed in range(seeds)]
    inputs = np.stack([np.column_stack([np.ones(100), each.x_train]) for each in data])
    y = np.stack([each.y_train[:, 0] for each in data])
    best = np.stack([np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(inputs, y, strict=True)])
    theta, optimizer = np.stack([np.random.default_rng([seed, 1]).normal(size=2) for seed in range(seeds)]), make()
    distances = [np.linalg.norm(theta - best, axis=1)]
    for _ in range(steps):
        errors = np.einsum("snk,sk->sn", inputs, theta) - y
        theta = optimizer.step(theta, 2 / 100 * np.einsum("snk,sn->sk", inputs, errors))
        distances.append(np.linalg.norm(theta - best, axis=1))
    return np.array(distances).T


def adam():
    return Adam(RATE)


def uncorrected():
    return Uncorrected(RATE)


def gradient_descent():
    return SGD(RATE)


def test_the_articles_adam_is_adam():
    start, ours, theirs = np.array([[1.0], [-2.0], [0.5]]), Adam(RATE), ArticleAdam(rate=RATE)
    mine, article = start, start.copy()
    for gradient in np.random.default_rng(0).normal(size=(200, 3, 1)) * np.array([[1e-3], [1.0], [1e3]]):
        mine, article = ours.step(mine, gradient), theirs.update(article, gradient)
        np.testing.assert_allclose(article, mine, rtol=0, atol=1e-12)


def test_its_default_rate_is_ten_times_that_of_the_libraries():
    assert ArticleAdam().rate == pytest.approx(10 * Adam().lr)


def test_the_example_is_descent_over_the_loss_of_a_line():
    inputs, y, start = example()
    path = descend(RegressionLoss(inputs[:, 1], y), Adam(RATE), tuple(start.ravel()), STEPS)
    np.testing.assert_allclose(article_path()[:, :, 0], path, atol=1e-10)


def test_the_example_has_not_arrived():
    off = np.linalg.norm(article_path()[-1] - solution())
    assert 2 * NEAR < off < 4 * NEAR


def test_an_uncopied_path_is_its_last_point_a_hundred_times_over():
    np.testing.assert_array_equal(article_path(copy=False), np.broadcast_to(article_path()[-1], (STEPS + 1, 2, 1)))


def test_the_printed_formula_lacks_the_correction_that_the_code_has():
    _, _, start = example()
    first = Uncorrected(RATE).step(start, np.ones((2, 1)))
    assert np.all(start - first > 3 * (start - ArticleAdam(rate=RATE).update(start.copy(), np.ones((2, 1)))))


def filled(columns, rows):
    """The loops of the contour plot: the first index runs over the values of the horizontal axis."""
    across, up = np.linspace(-1, 10, columns), np.linspace(-1, 5, rows)
    grid = np.meshgrid(across, up)[0]
    table = np.full(grid.shape, np.nan)
    for i in range(len(across)):
        for j in range(len(up)):
            table[i, j] = grid[i, j]
    return table


def test_the_contour_loops_only_work_on_a_square():
    assert np.isfinite(filled(100, 100)).all()
    for columns, rows in [(60, 40), (40, 60)]:
        with pytest.raises(IndexError):
            filled(columns, rows)


def test_the_example_starts_outside_its_picture():
    assert article_path()[0, 1, 0] < -1


def test_the_end_of_the_path_is_one_color():
    inputs, y, start = example()
    loss, path = RegressionLoss(inputs[:, 1], y), article_path()[:, :, 0]
    heights = loss(*np.meshgrid(np.linspace(-1, 10, 100), np.linspace(-1, 5, 100)))
    lowest = loss(*path.T) < heights.min() + (heights.max() - heights.min()) / 50
    assert lowest[-STEPS // 2 :].all()


def test_few_seeds_arrive_and_gradient_descent_is_nearer():
    off, descent = many(adam)[:, -1], many(gradient_descent)[:, -1]
    assert 0 < np.mean(off < NEAR) < 0.1 < np.mean(descent < NEAR)
    assert np.mean(descent < off) > 0.9


def test_five_hundred_steps_arrive():
    assert np.mean(many(adam, steps=500)[:, -1] < NEAR) > 0.9


def test_no_correction_is_nearer_because_it_is_a_larger_rate():
    def scheduled():
        return Adam(Lambda(lambda t: RATE * uncorrected_factor(t + 1)))

    assert np.mean(many(uncorrected)[:, -1] < many(adam)[:, -1]) > 0.9
    np.testing.assert_allclose(many(scheduled), many(uncorrected), atol=1e-5)
    assert np.all(uncorrected_factor(np.arange(1, STEPS + 1)) > 3)


def test_a_hundred_steps_of_adam_are_adagrad_with_a_mean():
    """With a memory of a thousand steps nothing is forgotten yet, and momentum hardly matters."""

    def no_momentum():
        return Adam(RATE, beta1=0.0)

    def mean():
        return Adagrad(RATE, convention="mean")

    np.testing.assert_allclose(many(no_momentum).mean(axis=0), many(mean).mean(axis=0), rtol=0.02)


@pytest.mark.parametrize("steps", [1, 100, 1000])
def test_the_sum_is_the_mean_at_a_decaying_rate(steps):
    gradients = np.random.default_rng(0).normal(size=(steps, 4))
    total, mean = Adagrad(RATE), Adagrad(Lambda(lambda t: RATE / (t + 1) ** 0.5), convention="mean")
    a = b = np.zeros(4)
    for gradient in gradients:
        a, b = total.step(a, gradient), mean.step(b, gradient)
    np.testing.assert_allclose(a, b, atol=1e-9)
