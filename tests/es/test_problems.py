import math

import numpy as np
import pytest

from lagom.es import PROBLEMS


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("dim", [1, 2, 7])
def test_the_minimum_is_zero_and_where_it_is_said_to_be(name, dim):
    problem, rng = PROBLEMS[name], np.random.default_rng(0)
    best = np.full(dim, problem.optimum)
    far = rng.uniform(-problem.width, problem.width, (200, dim))
    near = best + 1e-3 * problem.width * rng.normal(size=(50, dim))

    assert problem.f(best[None]) == pytest.approx([0.0], abs=1e-9)
    assert (problem.f(far) >= 0).all()
    assert (problem.f(near) >= -1e-9).all()
    np.testing.assert_allclose(problem.f(far[:1]), problem.f(far)[:1])  # each row on its own


@pytest.mark.parametrize(
    ("name", "x", "value"),
    [
        ("sphere", [1, 2, 3], 14),
        ("ellipsoid", [1, 1, 1], 1 + 1e3 + 1e6),
        ("cigar", [2, 1, 1], 4 + 2e6),
        ("discus", [2, 1, 1], 4e6 + 2),
        ("rosenbrock", [-1, 2, 3], (100 * 1 + 4) + (100 * 1 + 1)),
        ("rastrigin", [5.12], 28.92471),
        ("ackley", [1, 1], 20 * (1 - math.exp(-0.2))),
        ("griewank", [2 * math.pi], math.pi**2 / 1000),
        ("schwefel", [0, 0], 2 * 418.9828872724338),
        ("styblinski_tang", [1, 2], -24 + 2 * 39.16616570377142),
        ("step", [0.4, -0.6, 1.5], 0 + 1 + 4),
        ("different_powers", [2, 2, 2], 4 + 16 + 64),
    ],
)
def test_values_by_hand(name, x, value):
    assert PROBLEMS[name].f(np.array([x], float)) == pytest.approx([value])
