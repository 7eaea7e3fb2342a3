import numpy as np
import pytest

from lagom.es import CMAES, PROBLEMS, NativeCMAES, Restarts, make_cmaes

F = PROBLEMS["rastrigin"].f


def search(kind, num_evaluation=6000, floor=0.0, **opts):
    es = make_cmaes([3.0, -2.0, 4.0], 2.0, {"seed": 2, "restart": kind, **opts})
    popsizes = []
    while es.result.evaluations < num_evaluation and es.result.fbest > 1e-8:
        popsizes.append(es.popsize)
        es.tell(es.ask(), floor + F(np.asarray(es.ask())))
    return es, list(dict.fromkeys(popsizes))


def test_the_native_one_is_used_where_it_knows_all_options():
    assert type(make_cmaes([0.0], 1.0)) is NativeCMAES
    assert type(make_cmaes([0.0], 1.0, {"CMA_diagonal": True, "popsize": 6})) is NativeCMAES
    assert type(make_cmaes([0.0, 0.0], 1.0, {"CMA_mu": 2})) is CMAES
    assert type(make_cmaes([0.0, 0.0], [1.0, 2.0])) is CMAES
    assert type(make_cmaes([0.0, 0.0], 1.0, {"implementation": "cma"})) is CMAES
    assert type(make_cmaes([0.0], 1.0, {"restart": "ipop"})) is Restarts


def test_refusals():
    with pytest.raises(ValueError, match="CMA-ES: restart is 'pop'; expected one of none, ipop, b"):
        make_cmaes([0.0], 1.0, {"restart": "pop"})
    with pytest.raises(ValueError, match="CMA-ES: implementation is 'c'; expected one of auto, n"):
        make_cmaes([0.0], 1.0, {"implementation": "c"})
    with pytest.raises(ValueError, match="NativeCMAES: no option 'CMA_mu'"):
        make_cmaes([0.0], 1.0, {"implementation": "native", "CMA_mu": 2})


@pytest.mark.parametrize("implementation", ["native", "cma"])
def test_ipop_doubles_the_population(implementation):
    es, popsizes = search("ipop", 4000, popsize=5, implementation=implementation)

    assert popsizes[:3] == [5, 10, 20]
    assert es.num_restart >= 2


def test_bipop_has_small_searches_too():
    es, popsizes = search("bipop", 8000, floor=1.0, popsize=6)

    assert popsizes[:2] == [6, 12]
    assert 0 < es._used["small"] < 2 * es._used["large"]


@pytest.mark.parametrize("kind", ["ipop", "bipop"])
def test_restarts_find_the_best_of_many_minima(kind):
    es, _ = search(kind, 40_000)

    assert es.result.fbest < 1e-8
    assert es.result.evaluations >= es.result.evals_best > 0
    assert F(es.result.xbest[None])[0] == pytest.approx(es.result.fbest, abs=1e-12)


@pytest.mark.parametrize("implementation", ["native", "cma"])
def test_resumes_to_the_last_bit(implementation):
    opts = {"popsize": 5, "implementation": implementation}
    es, _ = search("bipop", 1500, floor=1.0, **opts)
    assert es.num_restart >= 1
    other = make_cmaes([3.0, -2.0, 4.0], 2.0, {"restart": "bipop", **opts})
    other.load_state_dict(es.state_dict())

    for _ in range(100):
        for x in (es, other):
            x.tell(x.ask(), F(np.asarray(x.ask())))
        np.testing.assert_array_equal(es.ask(), other.ask())
    for a, b in zip(es.result, other.result, strict=True):
        np.testing.assert_array_equal(a, b)
    assert es.num_restart == other.num_restart


def test_repr_and_stop():
    es = make_cmaes([0.0], 1.0, {"restart": "ipop", "seed": 1})

    assert repr(es) == "Restarts(ipop) of NativeCMAES in dimension 1 (seed=1)"
    assert es.stop() == {}
    assert es.dim == 1
