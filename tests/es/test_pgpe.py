import numpy as np
import pytest

from lagom.es import PGPE
from lagom.es.gaussian import utilities

VALUES = np.array([4.0, -1.0, 2.0, 2.5, 0.0, 7.0])


def gradients(es, u):
    """Of mean and standard deviations, by the definition."""
    mean, std = es.result.xfavorite, es.result.stds
    plus, minus = es.ask()[::2], es.ask()[1::2]
    g_mean, g_std = np.zeros(len(mean)), np.zeros(len(mean))
    for x, y, a, b in zip(plus, minus, u[::2], u[1::2], strict=True):
        np.testing.assert_allclose(x - mean, mean - y)
        g_mean += (a - b) / 2 * (x - mean) / 3
        g_std += ((a + b) / 2 - np.mean(u)) * ((x - mean) ** 2 - std**2) / std / 3
    return g_mean, g_std


@pytest.mark.parametrize("rank", [True, False])
def test_a_step_by_the_definition(rank):
    opts = {"popsize": 6, "max_speed": 0.3, "lr": 0.4, "lr_sigma": 0.05, "rank": rank, "seed": 1}
    es = PGPE([1.0, 2.0], [0.5, 1.5], opts)
    g_mean, g_std = gradients(es, utilities(VALUES) if rank else -VALUES)

    es.tell(es.ask(), VALUES)

    first = 0.4 * 0.3 * g_mean / np.linalg.norm(g_mean)
    np.testing.assert_allclose(es.result.xfavorite, [1, 2] + first, rtol=1e-9)
    std = np.clip(np.array([0.5, 1.5]) + 0.05 * g_std, [0.4, 1.2], [0.6, 1.8])
    np.testing.assert_allclose(es.result.stds, std, rtol=1e-9)

    es.tell(es.ask(), np.zeros(6))  # no gradient: nine tenths of the velocity
    np.testing.assert_allclose(es.result.xfavorite, [1, 2] + 1.9 * first, rtol=1e-9)


def test_steps_are_no_longer_than_the_speed_limit():
    es = PGPE(np.zeros(2), 0.5, {"popsize": 6, "max_speed": 0.3, "lr": 0.9, "seed": 1})
    before, lengths = es.result.xfavorite, []
    for _ in range(5):
        es.tell(es.ask(), [x[0] for x in es.ask()])
        lengths.append(np.linalg.norm(es.result.xfavorite - before))
        before = es.result.xfavorite

    assert lengths[0] == pytest.approx(0.27)
    assert max(lengths) == pytest.approx(0.3)


def test_deviations_change_by_a_fifth_at_most():
    es = PGPE(np.zeros(1), 1.0, {"popsize": 4, "lr_sigma": 1e4, "rank": False, "seed": 1})
    es.tell(es.ask(), np.abs(es.ask()[:, 0]))
    assert es.result.stds[0] == pytest.approx(0.8)
    es.tell(es.ask(), -np.abs(es.ask()[:, 0]))
    assert es.result.stds[0] == pytest.approx(0.96)


def test_the_speed_limit_is_a_fifteenth_of_the_radius():
    assert PGPE(np.zeros(9), 0.5).opts["max_speed"] == pytest.approx(0.1)
