"""Behaviours that must hold, by their ids: lagom.CEM, CMAES."""

import numpy as np
import pytest

from lagom.es import CEM, CMAES


def opts(noise=(0.0, 0.0, 1, 0), popsize=5, elite_ratio=0.2, seed=0):
    return {
        "popsize": popsize,
        "elite_ratio": elite_ratio,
        "noise_scheduler_args": list(noise),
        "seed": seed,
    }


def sphere(x):
    return float(np.sum(np.square(x)))


def test_EVO_01_tell():
    es = CEM([0.0, 0.0], 1.0, opts(elite_ratio=0.4))
    es.tell([[0, 0], [1, 1], [2, 2], [3, 3], [4, 4]], [5, 4, 1, 2, 3])

    np.testing.assert_allclose(es.result.xfavorite, [2.5, 2.5], atol=1e-6)
    np.testing.assert_allclose(es.result.stds, [0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(es.result.xbest, [2, 2], atol=1e-6)
    assert (es.result.fbest, es.result.iterations) == (1, 1)


@pytest.mark.parametrize(
    ("popsize", "elite_ratio", "num_elite"),
    [(64, 0.2, 12), (32, 0.2, 6), (10, 0.01, 1), (5, 0.5, 2), (7, 1.0, 7)],
)
def test_EVO_02_elites(popsize, elite_ratio, num_elite):
    es = CEM([0.0], 1.0, opts(popsize=popsize, elite_ratio=elite_ratio))
    es.tell(np.arange(popsize, dtype=float)[:, None], range(popsize))

    assert es.result.xfavorite[0] == np.mean(range(num_elite))


def test_EVO_03_noise_is_a_variance():
    es = CEM([3.0], 0.0, opts([0.04, 0.04, 10, 0], popsize=100_000))
    solutions = np.array(es.ask())

    assert solutions.mean() == pytest.approx(3.0, abs=0.005)
    assert solutions.std() == pytest.approx(0.2, abs=0.005)


def test_EVO_05_same_seed_same_candidates():
    np.random.seed(123)
    before = np.random.get_state()
    asked = []
    for _ in range(2):
        es = CEM([1.0, 2.0], 1.0, opts([0.01, 0.001, 200, 0], popsize=10, seed=7))
        for _ in range(3):
            solutions = es.ask()
            es.tell(solutions, [sphere(x) for x in solutions])
            asked.append(solutions)

    np.testing.assert_array_equal(asked[:3], asked[3:])
    for x, y in zip(before, np.random.get_state(), strict=True):
        np.testing.assert_array_equal(x, y)


def test_EVO_07_best_ever():
    es = CEM([0.0, 0.0], 1.0, opts())
    es.tell(es.ask(), [5, 4, 1, 2, 3])
    es.tell(es.ask(), [5, 4, 3, 2, 6])

    assert es.result.fbest == 1
    assert es.result.evals_best == 3
    assert es.result.evaluations == 2 * es.popsize


def test_EVO_09_numbers():
    es = CEM([0.0, 0.0], 1.0, opts([0.01, 0.001, 200, 0], popsize=3, seed=0))

    np.testing.assert_allclose(
        es.ask(),
        [
            [1.7728507290, 0.4021530314],
            [0.9836195352, 2.2520698724],
            [1.8768726176, -0.9821521486],
        ],
        atol=1e-6,
    )


def test_EVO_10_result():
    es = CMAES([0, 0, 0], 1.0, {"popsize": 8, "seed": 1})
    solutions = es.ask()
    es.tell(solutions, [sphere(x) for x in solutions])

    fields = "xbest fbest evals_best evaluations iterations xfavorite stds"
    assert es.result._fields == tuple(fields.split())
    assert (es.result.evaluations, es.result.iterations) == (8, 1)


def test_EVO_12_global_stream():
    np.random.seed(123)
    expected = np.random.rand()

    np.random.seed(123)
    CMAES([0, 0, 0], 1.0, {"popsize": 8, "seed": 1})

    assert np.random.rand() == expected
