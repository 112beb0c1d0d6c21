"""Images of characters, drawn from fonts that come with matplotlib: any number, any size, no download."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import extra
from ..validation import choice, random_seed, whole
from .dataset import Dataset

Images = NDArray[np.float32]
Numbers = NDArray[Any]

CHARACTERS = "B8S5Z2G6E3"  # in pairs that are easily taken for each other: a letter, then the digit like it
FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *("cmr10", "cmb10", "cmss10", "cmti10", "cmtt10"),
)
CHUNK = 250  # images drawn together from one generator: a prefix of a larger set is the smaller set
SMALLEST = 12  # pixels a side: below that the pairs cannot be told apart
HEIGHT = 1.2  # of a character at scale 1; the image is 2 high
TEMPLATE, REACH = 56, 0.7  # a character one unit high is drawn on a square from -0.7 to 0.7, 56 pixels a side
MIDDLE = (TEMPLATE - 1) / 2


def glyphs(n: int = 4000, size: int = 32, classes: int = 10, seed: int = 0, n_test: int = 1000) -> Dataset:
    r"""Gray images of `B 8 S 5 Z 2 G 6 E 3` in 21 fonts, hard enough that the learning rate decides what is learned.

    Each character is turned (±0.15 rad), scaled, sheared and shifted, framed by up to three fragments of others,
    blurred, given a contrast between 0.4 and 0.9 (dark on light or light on dark) and noise.

    `n`, `n_test`: images to train on and to test on, drawn independently. `size`: pixels a side.
    `classes`: 10, the characters in the order above, or 2, letter (0) against digit (1). `x_*`: float32, shape
    `(n, size, size)`, in steps of 1/255 from 0 to 1; flatten with `x.reshape(len(x), -1)`. `y_*`: int64, `(n,)`.

    Images are drawn in chunks of 250 with equal shares of the ten characters, so that the first `n` images of a
    larger set are the set of `n` images. The same arguments give the same images.

    Raises: `ValueError` for a number of images below 1, a size below 12 or other numbers of classes.

    >>> data = glyphs(n=500, size=28, n_test=100)
    >>> data.x_train.shape, data.x_test.shape, data.y_train[:10]
    ((500, 28, 28), (100, 28, 28), array([1, 4, 9, 7, 3, 1, 4, 6, 1, 0]))
    """
    images = whole(1, "use for example 1000 images")
    n, n_test, seed = images("n", n), images("n_test", n_test), random_seed("seed", seed)
    classes = choice(2, 10)("classes", classes)
    size = whole(SMALLEST, "use for example 28 or 32 pixels a side")("size", size)
    (x, y), (x_test, y_test) = _images(n, size, seed, split=0), _images(n_test, size, seed, split=1)
    if classes == 2:
        y, y_test = y % 2, y_test % 2
    return Dataset("glyphs", "generated; fonts: Bitstream Vera, STIX and BaKoMa licenses", x, y, x_test, y_test)


def _images(n: int, size: int, seed: int, split: int) -> tuple[Images, NDArray[np.int64]]:
    chunks = [_chunk(np.random.default_rng([seed, split, i]), size) for i in range(-(-n // CHUNK))]
    x, y = (np.concatenate(parts)[:n] for parts in zip(*chunks, strict=True))
    return x, y


def _chunk(rng: np.random.Generator, size: int) -> tuple[Images, NDArray[np.int64]]:
    y = rng.permutation(CHUNK) % len(CHARACTERS)
    ink = _drawn(rng, y, rng.uniform(-0.15, 0.15, (CHUNK, 2)), rng.uniform(0.8, 1.05, CHUNK), size)
    fragments = rng.integers(4, size=CHUNK)  # none to three an image
    for i in range(3):
        some = np.flatnonzero(fragments > i)
        ink[some] = np.maximum(ink[some], _fragments(rng, len(some), size))
    blurred = _blurred(ink, rng.uniform(0.2, 1.1, CHUNK) * size / 32)
    contrast = rng.uniform(0.4, 0.9, CHUNK) * rng.choice([-1, 1], CHUNK)
    noise = rng.uniform(0, 0.1, CHUNK)[:, None, None] * rng.normal(size=ink.shape)
    pixels = 0.5 + contrast[:, None, None] * (blurred - 0.5) + noise
    return (np.rint(255 * pixels.clip(0, 1)) / 255).astype(np.float32), y


def _fragments(rng: np.random.Generator, n: int, size: int) -> Images:
    """Other characters whose centers lie at the rim, so that only a part of each is in the image."""
    angle, distance = rng.uniform(0, 2 * np.pi, n), rng.uniform(1.0, 1.25, n)
    center = np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=1)
    return _drawn(rng, rng.integers(len(CHARACTERS), size=n), center, rng.uniform(0.5, 0.8, n), size)


def _drawn(rng: np.random.Generator, character: Numbers, center: Numbers, scale: Numbers, size: int) -> Images:
    """Each character, turned and sheared at random, on a square from -1 to 1: the share of ink per pixel."""
    n = len(character)
    font, angle, shear = rng.integers(len(FONTS), size=n), rng.uniform(-0.15, 0.15, n), rng.uniform(-0.12, 0.12, n)
    cos, sin, zoom = np.cos(angle), np.sin(angle), TEMPLATE / (2 * REACH * HEIGHT * scale)
    right, down = ((np.arange(size) + 0.5) * 2 / size - 1 - center.T[:, :, None]) * zoom[:, None]  # each (n, size)
    # back from the turned and sheared character to its template: x and y in pixels, for every pixel of the image
    x = _sum((cos + shear * sin)[:, None] * right, (sin - shear * cos)[:, None] * down)
    y = _sum(-sin[:, None] * right, cos[:, None] * down)
    column, row = x.astype(np.intp), y.astype(np.intp)
    x -= column
    y -= row
    corner = ((font * len(CHARACTERS) + character)[:, None, None] * TEMPLATE + row) * TEMPLATE + column
    upper, lower = _between(corner, x), _between(corner + TEMPLATE, x)
    return upper + y * (lower - upper)


def _sum(of_column: Numbers, of_row: Numbers) -> Images:
    total = of_column.astype(np.float32)[:, None, :] + of_row.astype(np.float32)[:, :, None] + np.float32(MIDDLE)
    return total.clip(0, TEMPLATE - 1.001, out=total)  # the rim of a template is empty


def _between(left: NDArray[np.intp], share: Images) -> Images:
    first, second = _templates().take(left), _templates().take(left + 1)
    return first + share * (second - first)


@cache
def _templates() -> Images:
    """Every character in every font, each centered and one unit high, as one flat array of pixels from 0 to 1.

    Filled from the outlines, which are the same wherever the font is; a font renderer's pixels are not.
    """
    with extra("data"):
        import matplotlib
        from matplotlib.font_manager import FontProperties
        from matplotlib.path import Path as Outline
        from matplotlib.textpath import TextPath

    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    axis = ((np.arange(2 * TEMPLATE) + 0.5) / TEMPLATE - 1) * REACH  # two points a pixel, averaged below
    points = np.stack(np.meshgrid(axis, -axis), -1).reshape(-1, 2)
    templates = []
    for font in FONTS:
        for character in CHARACTERS:
            drawn = TextPath((0, 0), character, size=100, prop=FontProperties(fname=fonts / f"{font}.ttf"))
            (left, bottom), (right, top) = drawn.get_extents().get_points()
            middle = (left + right) / 2, (bottom + top) / 2
            outline = Outline((drawn.vertices - middle) / (top - bottom), drawn.codes)
            inside = np.zeros(len(points), dtype=bool)
            for loop in outline.to_polygons():
                inside ^= Outline(loop).contains_points(points)  # a loop inside a loop is a hole
            templates.append(inside.reshape(TEMPLATE, 2, TEMPLATE, 2).mean((1, 3)))
    return np.array(templates, dtype=np.float32).ravel()


def _blurred(ink: Images, sigma: Numbers) -> Numbers:
    """Each image under a Gaussian `sigma` pixels wide: its rows, then its columns, times a matrix of weights."""
    axis = np.arange(ink.shape[1])
    weights = np.exp(-(((axis - axis[:, None]) / sigma[:, None, None]) ** 2) / 2)
    weights /= weights.sum(2, keepdims=True)
    return weights @ ink @ weights.transpose(0, 2, 1)
