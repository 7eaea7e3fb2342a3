import math

import numpy as np
import pytest

from lagom.es.base import Result
from lagom.es.cem import CEM

NOISY = {"popsize": 8, "elite_ratio": 0.5, "noise_scheduler_args": [0.3, 0.1, 4, 1], "seed": 1}
QUIET = {"popsize": 8, "elite_ratio": 0.5, "noise_scheduler_args": [0, 0, 1, 0], "seed": 1}


def sphere(x):
    return float(np.sum(np.square(x)))


def advance(es, num_generation, f=sphere):
    for _ in range(num_generation):
        solutions = es.ask()
        es.tell(solutions, [f(x) for x in solutions])
    return es


def assert_same(es, other):
    """Both search on alike, to the last bit."""
    assert repr(es) == repr(other)
    for _ in range(3):
        np.testing.assert_array_equal(es.ask(), other.ask())
        for x, y in zip(es.result, other.result, strict=True):
            np.testing.assert_array_equal(x, y)
        advance(es, 1)
        advance(other, 1)


def assert_plain(x):
    if isinstance(x, dict):
        assert all(isinstance(key, str) for key in x)
        x = list(x.values())
    if isinstance(x, list):
        for item in x:
            assert_plain(item)
    else:
        assert x is None or type(x) in (bool, int, float, str, np.ndarray), type(x)


def test_three_generations_are_those_of_the_definition():
    """Sum by sum: variance of the draw, elites, mean, variance of the fit."""
    es = CEM([1.0, -2.0], [0.5, 2.0], NOISY)
    rng = np.random.RandomState(1)
    mean, variance = [1.0, -2.0], [0.25, 4.0]
    for noise in (0.3, 0.3, 0.25, 0.2):  # from 0.3 to 0.1 in four generations, beginning at 1
        expected = [
            [mean[d] + math.sqrt(variance[d] + noise) * rng.standard_normal() for d in range(2)]
            for _ in range(8)
        ]
        solutions = es.ask()
        np.testing.assert_allclose(solutions, expected, rtol=1e-12)
        es.tell(solutions, [sphere(x) for x in solutions])
        elite = sorted(expected, key=sphere)[:4]
        mean = [sum(x[d] for x in elite) / 4 for d in range(2)]
        variance = [sum((x[d] - mean[d]) ** 2 for x in elite) / 4 for d in range(2)]

        np.testing.assert_allclose(es.result.xfavorite, mean, rtol=1e-12)
        np.testing.assert_allclose(np.square(es.result.stds), variance, rtol=1e-12)


def test_result_before_anything():
    result = CEM([1.0, 2.0], 0.5, QUIET).result

    assert type(result) is Result
    assert result[:3] == (None, np.inf, None)
    assert (result.evaluations, result.iterations) == (0, 0)
    np.testing.assert_array_equal(result.xfavorite, [1, 2])
    np.testing.assert_array_equal(result.stds, [0.5, 0.5])


def test_the_best_ever_is_kept():
    es = CEM([0.0], 1.0, {**QUIET, "popsize": 3})

    es.tell([[1.0], [2.0], [3.0]], [5.0, 1.0, 4.0])
    es.tell([[4.0], [5.0], [6.0]], [2.0, 1.0, 3.0])  # as good, not better
    assert (es.result.xbest.tolist(), es.result.fbest, es.result.evals_best) == ([2.0], 1.0, 2)

    es.tell([[7.0], [8.0], [9.0]], [2.0, 1.0, 0.5])
    assert (es.result.xbest.tolist(), es.result.fbest, es.result.evals_best) == ([9.0], 0.5, 9)
    assert (es.result.evaluations, es.result.iterations) == (9, 3)


def test_finds_a_minimum_not_a_maximum():
    es = advance(CEM([3.0, -4.0], 1.0, {"seed": 1}), 60, lambda x: sphere(x - [1, 2]))

    np.testing.assert_allclose(es.result.xfavorite, [1, 2], atol=1e-3)


def test_noise_keeps_the_search_alive():
    """A slope that the first generation has hardly seen: without noise it stops too early."""
    quiet, noisy = (
        CEM([0.0, 0.0], 0.1, {**QUIET, "noise_scheduler_args": [noise, 0, 50, 0]})
        for noise in (0.0, 0.05)
    )

    assert sphere(advance(quiet, 50, lambda x: sphere(x - 3)).result.xfavorite - 3) > 1
    assert sphere(advance(noisy, 50, lambda x: sphere(x - 3)).result.xfavorite - 3) < 1e-3


def test_without_options():
    es = CEM([0.0, 0.0], 2.0)

    assert (es.popsize, es.num_elite, len(es.ask())) == (100, 20, 100)
    assert [es.noise(n) for n in (0, 25, 50)] == pytest.approx([0.2, 0.1, 0.0])  # 5 % of 4
    assert not np.array_equal(es.ask(), CEM([0.0, 0.0], 2.0).ask())  # another seed


def test_none_means_the_default():
    es = CEM([0.0], [2.0], dict.fromkeys(NOISY))

    assert (es.popsize, es.num_elite, es.noise(0)) == (100, 20, pytest.approx(0.2))


def test_the_noise_of_several_sigmas_is_of_their_mean_variance():
    assert CEM([0.0, 0.0], [1.0, 3.0]).noise(0) == pytest.approx(0.05 * (1 + 9) / 2)


def test_the_smallest_elite_is_one():
    es = CEM([0.0], 1.0, {**QUIET, "elite_ratio": 0.01})

    es.tell(np.arange(8.0)[:, None], [8, 7, 6, 5, 4, 1, 2, 3])

    assert (es.result.xfavorite, es.result.stds) == ([5.0], [0.0])


def test_sigma_may_be_zero():
    es = CEM([3.0], 0.0, QUIET)

    np.testing.assert_array_equal(es.ask(), np.full((8, 1), 3.0))


def test_asking_again_gives_the_same():
    es = CEM([0.0, 0.0], 1.0, NOISY)
    solutions = es.ask()
    expected = np.copy(solutions)
    solutions[0][:] = 9.0  # what the caller does to them is the caller's

    assert type(solutions) is list
    np.testing.assert_array_equal(es.ask(), expected)
    es.tell(es.ask(), range(8))
    assert not np.array_equal(es.ask(), expected)


def test_what_it_returns_is_the_callers():
    es = advance(CEM([0.0, 0.0], 1.0, NOISY), 1)
    fbest = es.result.fbest
    for x in (es.result.xbest, es.result.xfavorite, es.result.stds):
        x[:] = 9.0

    assert sphere(es.result.xbest) == fbest
    assert (es.result.xfavorite < 9).all()
    assert (es.result.stds < 9).all()


def test_what_it_is_told_stays_the_callers():
    es = CEM([0.0], 1.0, {**QUIET, "popsize": 2})
    solutions, values = np.array([[1.0], [2.0]]), np.array([0.5, np.nan])

    es.tell(solutions, values)
    assert np.isnan(values[1])
    solutions[:] = 9.0
    assert es.result.xbest.tolist() == [1.0]


def test_other_solutions_than_asked():
    """After a repair: they count, and not what was asked."""
    es = CEM([0.0], 1.0, QUIET)
    es.ask()

    es.tell(np.arange(8.0)[:, None], range(8))

    assert es.result.xfavorite.tolist() == [1.5]


def test_nan_is_the_worst():
    es, other = CEM([1.0, 1.0], 0.5, NOISY), CEM([1.0, 1.0], 0.5, NOISY)

    advance(es, 10, lambda x: np.nan if x[0] > 1.2 else sphere(x))
    advance(other, 10, lambda x: np.inf if x[0] > 1.2 else sphere(x))

    assert es.result.fbest < 0.5
    assert es.result.xbest[0] <= 1.2
    assert_same(es, other)


def test_only_nan_finds_nothing():
    result = advance(CEM([1.0, 1.0], 0.5, NOISY), 3, lambda x: np.nan).result

    assert result[:3] == (None, np.inf, None)
    assert np.isfinite(result.xfavorite).all()
    assert np.isfinite(result.stds).all()


def test_global_stream_is_left_alone():
    before = np.random.get_state()[1].copy()

    advance(CEM([0.0, 0.0], 1.0), 2)
    advance(CEM([0.0, 0.0], 1.0, NOISY), 2)

    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("num_generation", [0, 1, 5])
@pytest.mark.parametrize("asked", [False, True])
def test_resumes_to_the_last_bit(num_generation, asked):
    # An odd number of normals: the generator keeps the second of a pair for the next draw.
    opts = {**NOISY, "popsize": 7}
    es = advance(CEM([1.0, 1.5, 0.5], [0.5, 1.0, 2.0], opts), num_generation)
    if asked:
        es.ask()
    state = es.state_dict()
    other = advance(CEM([0.0], 9.0), 1)

    other.load_state_dict(state)

    assert_plain(state)
    assert_same(es, other)


def test_a_state_is_a_snapshot():
    es, other = CEM([1.0, 1.0], 0.5, NOISY), CEM([1.0, 1.0], 0.5, NOISY)
    state = advance(es, 1).state_dict()
    advance(es, 2)

    other.load_state_dict(state)
    assert other.result.iterations == 1
    advance(other, 2)
    assert_same(es, other)


def test_repr():
    assert repr(CEM(np.zeros(5), 1.0, {"seed": 7})) == "CEM in dimension 5 (seed=7)"


@pytest.mark.parametrize("x0", [[], 1.0, [[1.0, 2.0]], [0.0, np.nan]], ids=str)
def test_refuses_x0(x0):
    with pytest.raises(ValueError, match=r"CEM: x0 is .*; expected finite numbers, \[dim\]"):
        CEM(x0, 1.0)


@pytest.mark.parametrize("sigma0", [-1.0, np.inf, np.nan, [1.0], [1.0, -1.0]], ids=str)
def test_refuses_sigma0(sigma0):
    with pytest.raises(ValueError, match=r"CEM: sigma0 is .*; expected numbers >= 0, \[\] or"):
        CEM([0.0, 0.0], sigma0)


def test_suggests_the_nearest_option():
    options = "popsize, elite_ratio, noise_scheduler_args, seed"
    with pytest.raises(ValueError, match=f"no option 'popsiz'; .*{options}; did you mean popsize?"):
        CEM([0.0], 1.0, {"popsiz": 8})
    with pytest.raises(ValueError, match=f"CEM: no option 'zzzz'; expected some of {options}$"):
        CEM([0.0], 1.0, {"zzzz": 8})


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("popsize", [1, 2.5, "8", True, [8]]),
        ("elite_ratio", [0, -0.1, 1.1, "0.2", np.nan]),
        ("noise_scheduler_args", [3, "abcd", [0, 0, 1], [0, 0, "1", 0]]),
        ("noise_scheduler_args", [[0, -1, 1, 0], [-1, 0, 1, 0], [np.inf, 0, 1, 0]]),
        ("seed", [-1, 2**32, 0.5, "x"]),
    ],
)
def test_refuses_options_without_sense(key, values):
    for value in values:
        with pytest.raises(ValueError, match=rf"CEM: {key} is .*; expected .*"):
            CEM([0.0, 0.0], 1.0, {key: value})


@pytest.mark.parametrize("noise", [[0, 0, 0, 0], [0, 0, -1, 0], [0, 0, 1, -1]])
def test_refuses_a_schedule_without_sense(noise):
    with pytest.raises(ValueError, match="LinearSchedule: "):
        CEM([0.0], 1.0, {"noise_scheduler_args": noise})


def test_whole_numbers_may_be_floats():
    es = CEM([0.0], 1.0, {"popsize": 8.0, "seed": 1.0})

    assert (len(es.ask()), repr(es)) == (8, "CEM in dimension 1 (seed=1)")


def test_tell_refuses_other_shapes():
    es = CEM([0.0, 0.0], 1.0, QUIET)
    solutions = es.ask()

    with pytest.raises(ValueError, match=r"CEM.tell: solutions have shape \(7, 2\); expected \(8"):
        es.tell(solutions[:7], range(7))
    with pytest.raises(ValueError, match=r"CEM.tell: function_values have shape \(7,\); expected"):
        es.tell(solutions, range(7))
    assert es.result.iterations == 0
