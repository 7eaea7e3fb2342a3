import numpy as np
import pytest

from lagom.es import SNES


def test_a_step_by_the_definition():
    es = SNES([1.0, 2.0], [0.5, 1.5], {"popsize": 5, "lr": 0.7, "lr_sigma": 0.3, "seed": 1})
    values = np.array([4.0, -1.0, 2.0, 2.5, 0.0])
    z = (es.ask() - [1.0, 2.0]) / [0.5, 1.5]
    share = np.maximum(0, np.log(5 / 2 + 1) - np.log([1, 2, 3, 4, 5]))
    share = share / share.sum() - 0.2
    u = [share[rank] for rank in (4, 0, 2, 3, 1)]
    mean = sum(a * b for a, b in zip(u, z, strict=True))
    square = sum(a * (b**2 - 1) for a, b in zip(u, z, strict=True))

    es.tell(es.ask(), values)

    np.testing.assert_allclose(es.result.xfavorite, [1, 2] + 0.7 * np.array([0.5, 1.5]) * mean)
    np.testing.assert_allclose(es.result.stds, [0.5, 1.5] * np.exp(0.15 * square))


def test_defaults_follow_the_dimension():
    es = SNES(np.zeros(100), 1.0)

    assert es.popsize == 4 + 13
    assert es.opts["lr_sigma"] == pytest.approx((3 + np.log(100)) / 50)


def test_finds_the_scales_of_an_ellipsoid():
    scales = np.array([1.0, 1e3, 1e6])
    es = SNES(np.ones(3), 1.0, {"popsize": 12, "seed": 1})
    for _ in range(300):
        es.tell(es.ask(), np.square(es.ask()) @ scales)

    assert es.result.fbest < 1e-10
