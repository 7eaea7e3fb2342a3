import numpy as np
import pytest

from lagom.es import Recipe, draw
from lagom.es.noise import noise


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_is_the_same_whatever_is_drawn_beside_it(dtype):
    z = noise(5, range(7), 3, dtype)

    assert z.dtype == dtype
    np.testing.assert_array_equal(noise(5, range(4, 7), 3, dtype), z[4:])
    assert len(np.unique(z)) == z.size
    assert not (noise(6, range(7), 3, dtype) == z).any()


def test_noise_is_standard_normal_and_rows_are_independent():
    z = noise(1, range(400), 500, np.float64)

    assert z.mean() == pytest.approx(0, abs=0.01)
    assert z.var() == pytest.approx(1, abs=0.01)
    assert (z**4).mean() == pytest.approx(3, abs=0.05)
    assert np.abs(np.corrcoef(z) - np.eye(400)).max() < 0.3


def test_global_stream_is_left_alone():
    before = np.random.get_state()[1].copy()
    noise(1, range(3), 3, np.float32)

    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_mirrored_candidates_come_in_pairs():
    mean, std = np.array([1.0, 2.0]), np.array([0.5, 2.0])
    x = draw(Recipe(mean, std, 3, True), range(6))
    z = noise(3, range(3), 2, np.float64)

    np.testing.assert_allclose(x[::2], mean + std * z)
    np.testing.assert_allclose(x[1::2], mean - std * z)
    np.testing.assert_array_equal(draw(Recipe(mean, std, 3, True), range(2, 6)), x[2:])


def test_other_candidates_are_on_their_own():
    recipe = Recipe(np.zeros(2, np.float32), np.float32(3.0), 3, False)
    x = draw(recipe, range(5))

    np.testing.assert_array_equal(x, np.float32(3.0) * noise(3, range(5), 2, np.float32))
    np.testing.assert_array_equal(draw(recipe, range(3, 5)), x[3:])
    assert x.dtype == np.float32
