"""Gaussian candidates that can be drawn anywhere from a seed."""

from typing import NamedTuple

import numpy as np

_ROUNDS = 12  # after which any three words are a good start of SFC64, as its author seeds it


class Recipe(NamedTuple):
    """All that it takes to draw the candidates of a generation: a vector or two and a seed.

    Attributes:
        mean (ndarray): ``[dim]`` float32 or float64; the candidates have its dtype.
        std (ndarray): ``[]`` or ``[dim]``, standard deviation, of the same dtype.
        seed (int): of the generation.
        mirrored (bool): candidates come in pairs, ``mean + std * z`` and ``mean - std * z``.
    """

    mean: np.ndarray
    std: np.ndarray
    seed: int
    mirrored: bool


def noise(seed, rows, dim, dtype):
    """Standard normal numbers; each row has a stream of its own, whichever others are drawn.

    Args:
        seed (int): of the generation.
        rows (range): which rows.
        dim (int): length of a row.
        dtype (dtype): float32 or float64.

    Returns:
        ndarray: ``[len(rows), dim]``.
    """
    z = np.empty((len(rows), dim), dtype)
    words = np.random.SeedSequence(seed).generate_state(2, np.uint64)
    bits = np.random.SFC64(0)
    generator, state = np.random.Generator(bits), bits.state
    for out, row in zip(z, rows, strict=True):
        # Seeding anew by NumPy's own way would take as long as drawing 1000 numbers.
        state["state"]["state"] = np.array([*words, row, 1], np.uint64)
        state["has_uint32"] = 0
        bits.state = state
        bits.random_raw(_ROUNDS, output=False)
        generator.standard_normal(dtype=dtype, out=out)
    return z


def draw(recipe, rows):
    """The candidates number ``rows`` of a generation, bit by bit the same wherever they are drawn.

    Args:
        recipe (Recipe): of the generation.
        rows (range): which candidates, a range with step 1; pairs must not be cut if mirrored.

    Returns:
        ndarray: ``[len(rows), dim]``, in the dtype of the mean.
    """
    if recipe.mirrored:
        rows = range(rows.start // 2, rows.stop // 2)
    return place(recipe, noise(recipe.seed, rows, recipe.mean.size, recipe.mean.dtype))


def place(recipe, z):
    """Candidates made of noise ``z`` ``[N, dim]``; twice as many if mirrored."""
    if not recipe.mirrored:
        step = recipe.std * z
        step += recipe.mean
        return step
    x = np.empty((len(z), 2, z.shape[1]), z.dtype)
    step = np.multiply(recipe.std, z, out=x[:, 0])
    np.subtract(recipe.mean, step, out=x[:, 1])
    step += recipe.mean
    return x.reshape(-1, z.shape[1])
