import numpy as np
import pytest

from lagom.transform import OUNoise


def test_steps_equal_the_definition():
    noise, rng, same = OUNoise(0.5, 0.2, 0.1), np.random.default_rng(3), np.random.default_rng(3)
    x = np.zeros((2, 3))
    for _ in range(5):
        x = x - 0.2 * x * 0.1 + 0.5 * np.sqrt(0.1) * same.standard_normal((2, 3))

        np.testing.assert_allclose(noise((2, 3), rng), x)


def test_spread():
    """The fixed point of ``v = (1 - theta dt)^2 v + sigma^2 dt``."""
    noise, rng = OUNoise(0.3, theta=0.15, dt=1.0), np.random.default_rng(0)
    x = [noise((20_000,), rng) for _ in range(50)][-1]

    assert x.std() == pytest.approx(0.3 / np.sqrt(1 - 0.85**2), rel=0.02)


def test_another_shape_begins_anew():
    noise, rng = OUNoise(0.0), np.random.default_rng(0)
    noise.load_state_dict({"x": np.ones(3)})

    assert noise((3,), rng).tolist() == pytest.approx([0.9985] * 3)
    assert noise((2,), rng).tolist() == [0.0, 0.0]


def test_state():
    first, second, rng = OUNoise(0.5), OUNoise(0.5), np.random.default_rng(0)
    first((4,), rng)
    second.load_state_dict(first.state_dict())
    state = rng.bit_generator.state
    x = first((4,), rng)
    rng.bit_generator.state = state

    assert np.array_equal(x, second((4,), rng))
    assert OUNoise(0.5).state_dict() == {"x": None}


@pytest.mark.parametrize("numbers", [(-1, 0.1, 0.1), (1, 0, 0.1), (1, 0.1, 0), (1, 2, 1)])
def test_refused(numbers):
    with pytest.raises(ValueError, match="OUNoise: sigma is .* theta \\* dt at most 1"):
        OUNoise(*numbers)
