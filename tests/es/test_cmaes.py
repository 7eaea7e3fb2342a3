import os

import cma
import numpy as np
import pytest

from lagom.es.base import Result
from lagom.es.cmaes import CMAES

SEEDED = {"popsize": 8, "seed": 1}


def sphere(x):
    return float(np.sum(np.square(x)))


def advance(es, num_generation, f=sphere):
    for _ in range(num_generation):
        solutions = es.ask()
        es.tell(solutions, [f(x) for x in solutions])
    return es


def assert_same(es, other):
    """Both search on alike, to the last bit."""
    for _ in range(3):
        np.testing.assert_array_equal(es.ask(), other.ask())
        for x, y in zip(es.result, other.result, strict=True):
            np.testing.assert_array_equal(x, y)
        assert es.stop() == other.stop()
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


def test_result_after_one_generation():
    es = CMAES([0, 0, 0], 1.0, SEEDED)
    solutions = es.ask()
    values = [sphere(x) for x in solutions]

    es.tell(solutions, values)

    result = es.result
    best = int(np.argmin(values))
    assert type(result) is Result
    assert result.evaluations == 8
    assert result.iterations == 1
    assert result.fbest == values[best]
    assert result.evals_best == best + 1
    np.testing.assert_array_equal(result.xbest, solutions[best])
    assert result.xfavorite.shape == result.stds.shape == (3,)


def test_result_before_anything():
    result = CMAES([1.0, 2.0], 0.5, SEEDED).result

    assert result.xbest is None
    assert result.fbest == np.inf
    assert result.evaluations == result.iterations == 0
    np.testing.assert_array_equal(result.xfavorite, [1, 2])
    np.testing.assert_allclose(result.stds, [0.5, 0.5], rtol=1e-3)


def test_finds_a_minimum_not_a_maximum():
    es = advance(CMAES([3.0, -4.0], 1.0, SEEDED), 60, lambda x: sphere(x - [1, 2]))

    np.testing.assert_allclose(es.result.xfavorite, [1, 2], atol=1e-3)


def test_says_its_size():
    es = CMAES(np.zeros(5), 1.0, {"popsize": 7, "seed": 1})

    assert es.dim == 5
    assert es.popsize == 7
    assert np.shape(es.ask()) == (7, 5)


def test_gives_the_numbers_of_cma():
    es = CMAES([1.0, 2.0], 0.5, SEEDED)
    before = np.random.get_state()
    reference = cma.CMAEvolutionStrategy([1.0, 2.0], 0.5, {**SEEDED, "verbose": -9})
    for _ in range(3):
        solutions = reference.ask()
        reference.tell(solutions, [sphere(x) for x in solutions])
    expected = reference.ask()
    np.random.set_state(before)

    np.testing.assert_array_equal(advance(es, 3).ask(), expected)


def test_global_stream_is_left_alone():
    np.random.seed(123)
    expected = np.random.rand(4)

    np.random.seed(123)
    numbers = [np.random.rand()]
    es = CMAES([0.0, 0.0], 1.0, SEEDED)
    numbers.append(np.random.rand())
    solutions = es.ask()
    numbers.append(np.random.rand())
    es.tell(solutions, range(8))
    numbers.append(np.random.rand())

    assert numbers == expected.tolist()


def test_global_stream_does_not_matter():
    es, other = CMAES([0.0, 0.0], 1.0, SEEDED), CMAES([0.0, 0.0], 1.0, SEEDED)

    np.random.seed(1)
    advance(es, 2)
    np.random.seed(2)
    advance(other, 2)

    assert_same(es, other)


def test_seed_zero_is_a_seed():
    es, other = (CMAES([0.0, 0.0], 1.0, {"seed": 0}) for _ in range(2))

    assert_same(es, other)


def test_without_a_seed_searches_differ():
    es, other = (CMAES([0.0, 0.0], 1.0) for _ in range(2))

    assert not np.array_equal(es.ask(), other.ask())


def test_asking_again_gives_the_same():
    es = CMAES([0.0, 0.0], 1.0, SEEDED)
    solutions = es.ask()
    expected = np.copy(solutions)
    solutions[0][:] = 9.0  # what the caller does to them is the caller's

    np.testing.assert_array_equal(es.ask(), expected)
    es.tell(es.ask(), range(8))
    assert not np.array_equal(es.ask(), expected)


@pytest.mark.parametrize(
    "opts",
    [
        SEEDED,
        {**SEEDED, "bounds": [-1.0, 2.0]},
        {**SEEDED, "CMA_diagonal": True},
        {**SEEDED, "CMA_stds": np.array([1.0, 2.0, 3.0])},
        {"popsize": "4 * N", "seed": 3, "integer_variables": [0]},
        {"seed": 4, "AdaptSigma": cma.sigma_adaptation.CMAAdaptSigmaTPA},
        {},
    ],
    ids=["plain", "bounds", "diagonal", "stds", "integer", "class", "no seed"],
)
@pytest.mark.parametrize("num_generation", [0, 12])
@pytest.mark.parametrize("asked", [False, True])
def test_resumes_to_the_last_bit(opts, num_generation, asked):
    es = advance(CMAES([1.0, 1.5, 0.5], 0.5, opts), num_generation)
    if asked:
        es.ask()
    state = es.state_dict()
    kept = {key: value for key, value in opts.items() if key == "AdaptSigma"}
    other = CMAES([0.0, 0.0], 1.0, kept)

    other.load_state_dict(state)

    assert_plain(state)
    assert_same(es, other)


def test_resumes_between_ask_and_tell():
    es, other = CMAES([1.0, 1.0], 0.5, SEEDED), CMAES([1.0, 1.0], 0.5, SEEDED)
    solutions = advance(es, 3).ask()
    other.load_state_dict(es.state_dict())

    for search in (es, other):
        search.tell(solutions, [sphere(x) for x in solutions])

    assert_same(es, other)


def test_resumes_after_other_solutions_than_asked():
    es, other = CMAES([1.0, 1.0], 0.5, SEEDED), CMAES([1.0, 1.0], 0.5, SEEDED)
    for _ in range(4):
        repaired = np.clip(es.ask(), 0.0, 1.0)
        es.tell(repaired, [sphere(x) for x in repaired])

    other.load_state_dict(es.state_dict())

    assert_same(es, other)


def test_a_state_is_a_snapshot():
    es, other = CMAES([1.0, 1.0], 0.5, SEEDED), CMAES([1.0, 1.0], 0.5, SEEDED)
    state = es.state_dict()
    advance(es, 2)

    other.load_state_dict(state)

    assert other.result.iterations == 0


def test_a_state_that_leads_elsewhere_is_refused():
    es = advance(CMAES([1.0, 1.0], 0.5, SEEDED), 2)
    state = es.state_dict()
    state["opts"]["seed"] = 2

    with pytest.raises(ValueError, match="search of 2 generations arrives at another mean"):
        es.load_state_dict(state)


@pytest.mark.parametrize("bounds", [None, [-5.0, 5.0]])
def test_nan_is_the_worst(bounds):
    opts = {**SEEDED, "bounds": bounds} if bounds else SEEDED
    es, other = CMAES([1.0, 1.0], 0.5, opts), CMAES([1.0, 1.0], 0.5, opts)

    advance(es, 10, lambda x: np.nan if x[0] > 1.2 else sphere(x))
    advance(other, 10, lambda x: np.inf if x[0] > 1.2 else sphere(x))

    assert es.result.fbest < 0.5
    assert es.result.xbest[0] <= 1.2
    assert_same(es, other)


def test_only_nan_finds_nothing():
    es = advance(CMAES([1.0, 1.0], 0.5, SEEDED), 3, lambda x: np.nan)

    assert es.result.fbest == np.inf
    assert "tolflatfitness" in es.stop()


def test_stop_names_its_reasons():
    es = CMAES([1.0, 1.0], 0.5, {**SEEDED, "maxiter": 2})

    assert advance(es, 1).stop() == {}
    assert advance(es, 1).stop() == {"maxiter": 2}


def test_flat_generations_count_whether_or_not_stop_is_asked():
    es, other = CMAES([1.0, 1.0], 0.5, SEEDED), CMAES([1.0, 1.0], 0.5, SEEDED)

    for _ in range(2):
        advance(es, 1, lambda x: 0.0)
        advance(other, 1, lambda x: 0.0).stop()

    assert "tolflatfitness" in es.stop()
    assert es.stop() == other.stop()


def test_one_sigma_per_parameter():
    es = CMAES([0.0, 0.0], [0.01, 10.0], {"popsize": 1000, "seed": 1})

    np.testing.assert_allclose(np.std(es.ask(), axis=0), [0.01, 10.0], rtol=0.1)


def test_one_parameter():
    es = advance(CMAES([3.0], 1.0, SEEDED), 40)

    assert es.result.xfavorite == pytest.approx(0.0, abs=1e-3)


def test_is_quiet(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    advance(CMAES([1.0, 1.0], 0.5, SEEDED), 120)

    assert capfd.readouterr() == ("", "")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("x0", [[], 1.0, [[1.0, 2.0]], [0.0, np.nan]], ids=str)
def test_refuses_x0(x0):
    with pytest.raises(ValueError, match=r"CMAES: x0 is .*; expected finite numbers"):
        CMAES(x0, 1.0)


@pytest.mark.parametrize("sigma0", [0.0, -1.0, np.inf, np.nan, [1.0], [1.0, 0.0]], ids=str)
def test_refuses_sigma0(sigma0):
    with pytest.raises(ValueError, match=r"CMAES: sigma0 is .*; expected positive numbers"):
        CMAES([0.0, 0.0], sigma0)


def test_suggests_the_nearest_option():
    with pytest.raises(ValueError, match=r"cma has no option 'popsiz'; .* perhaps popsize"):
        CMAES([0.0, 0.0], 1.0, {"popsiz": 8})
    with pytest.raises(ValueError, match=r"no option 'zzzz'; expected one of cma.CMAOptions\(\)$"):
        CMAES([0.0, 0.0], 1.0, {"zzzz": 8})


@pytest.mark.parametrize(
    "opts",
    [{"popsize": 1}, {"popsize": "eight"}, {"seed": -1}, {"seed": "x"}, {"bounds": [1, 2]}],
    ids=str,
)
def test_refuses_options_without_sense(opts):
    before = np.random.get_state()[1].copy()

    with pytest.raises(ValueError, match=r"CMAES: cma refuses options .*; expected values as"):
        CMAES([0.0, 0.0], 1.0, opts)

    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_tell_refuses_other_shapes():
    es = CMAES([0.0, 0.0], 1.0, SEEDED)
    solutions = es.ask()

    with pytest.raises(ValueError, match=r"solutions have shape \(7, 2\); expected \(8, 2\)"):
        es.tell(solutions[:7], range(7))
    with pytest.raises(ValueError, match=r"function_values have shape \(7,\); expected \(8,\)"):
        es.tell(solutions, range(7))
    assert es.result.iterations == 0
