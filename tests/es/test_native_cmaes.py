import numpy as np
import pytest

from lagom.es import CMAES, PROBLEMS, NativeCMAES
from lagom.es.cma_factor import Full, Separable

OPTS = {"popsize": 8, "seed": 3}
X0 = [1.0, 1.5, -0.5]


def advance(es, num_generation, f=PROBLEMS["sphere"].f):
    for _ in range(num_generation):
        solutions = es.ask()
        es.tell(solutions, f(np.asarray(solutions)))
    return es


def evaluations(cls, name, dim, seed, **opts):
    """Number of evaluations until a value of 1e-8."""
    problem = PROBLEMS[name]
    x0 = np.random.default_rng(seed).uniform(-problem.width, problem.width, dim)
    es = cls(x0, problem.sigma0, {"seed": seed + 1, **opts})
    while es.result.fbest > 1e-8 and es.result.evaluations < 50_000:
        advance(es, 1, problem.f)
    return es.result.evals_best


def assert_same(es, other):
    for a, b in zip(es.result, other.result, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(es.ask(), other.ask())


@pytest.mark.parametrize(
    ("name", "dim", "expected"),  # medians of cma 4.4.0, of 11 trials; default populations
    [("sphere", 10, 1420), ("ellipsoid", 5, 1480), ("cigar", 10, 3900)],
)
def test_needs_as_many_evaluations_as_cma(name, dim, expected):
    numbers = [evaluations(NativeCMAES, name, dim, seed) for seed in range(11)]

    assert np.median(numbers) == pytest.approx(expected, rel=0.15)


def test_the_separable_variant_needs_as_many_as_that_of_cma():
    numbers = [evaluations(NativeCMAES, "ellipsoid", 10, k, CMA_diagonal=True) for k in range(11)]

    assert np.median(numbers) == pytest.approx(2230, rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dim"), [("rosenbrock", 5), ("discus", 10), ("ellipsoid", 10), ("ackley", 10)]
)
def test_agrees_with_cma_side_by_side(name, dim):
    ours, theirs = (
        np.median([evaluations(cls, name, dim, seed) for seed in range(15)])
        for cls in (NativeCMAES, CMAES)
    )
    assert ours == pytest.approx(theirs, rel=0.15)


@pytest.mark.parametrize("popsize", [6, 8, 100])
@pytest.mark.parametrize("dim", [1, 2, 20])
def test_constants_are_those_of_cma(dim, popsize):
    es = NativeCMAES(np.zeros(dim), 1.0, {"popsize": popsize, "seed": 1})
    import cma

    parameters = cma.CMAEvolutionStrategy(np.zeros(max(dim, 2)), 1.0, {
        "popsize": popsize, "verbose": -10, "verb_log": 0, "seed": np.nan}
    ).sp  # fmt: skip
    if dim == 1:  # which cma cannot do
        assert np.isfinite([es._c1, es._cmu, es._cc, es._cs, es._damping]).all()
        return
    mu = popsize // 2
    np.testing.assert_allclose(es._good, parameters.weights[:mu], rtol=1e-9)
    assert es._mueff == pytest.approx(parameters.weights.mueff)
    assert es._cc == pytest.approx(parameters.cc)
    assert es._cmu == pytest.approx(parameters.cmu, rel=1e-3)
    assert es._c1 == pytest.approx(parameters.c1, rel=1e-3)
    np.testing.assert_allclose(-es._bad, parameters.weights[mu:], rtol=1e-2, atol=1e-12)


def test_inactive_forgets_the_bad():
    assert not NativeCMAES(X0, 1.0, {**OPTS, "CMA_active": False})._bad.any()
    assert (NativeCMAES(X0, 1.0, OPTS)._bad[1:] > 0).all()


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("num_generation", [0, 1, 7])
@pytest.mark.parametrize("asked", [False, True])
def test_resumes_to_the_last_bit(asked, num_generation, dtype, diagonal):
    es = NativeCMAES(np.array(X0, dtype), 0.3, {**OPTS, "CMA_diagonal": diagonal})
    advance(es, num_generation)
    if asked:
        es.ask()
    state = es.state_dict()
    other = advance(NativeCMAES([0.0], 9.0), 1)
    other.load_state_dict(state)

    assert_same(advance(es, 3), advance(other, 3))
    assert other.stop() == es.stop()
    for x in (*es.result[-2:], es.ask()):
        assert x.dtype == dtype


def test_copies_of_candidates_move_it_as_candidates_do():
    es, other = NativeCMAES(X0, 0.3, OPTS), NativeCMAES(X0, 0.3, OPTS)
    for _ in range(5):
        advance(es, 1)
        solutions = [x.copy() for x in other.ask()]
        other.tell(solutions, [x @ x for x in solutions])

        np.testing.assert_allclose(es.result.stds, other.result.stds, rtol=1e-9)


def test_nan_is_the_worst_and_only_nan_finds_nothing():
    bad = lambda value: lambda x: np.where(x[:, 0] > 1.1, value, np.square(x).sum(1))
    one, two = (advance(NativeCMAES(X0, 0.3, OPTS), 9, bad(v)) for v in (np.nan, np.inf))
    assert_same(one, two)

    result = advance(NativeCMAES(X0, 0.3, OPTS), 3, lambda x: np.full(len(x), np.nan)).result
    assert result[:3] == (None, np.inf, None)
    assert np.isfinite(result.stds).all()


def test_says_when_it_has_converged():
    es = NativeCMAES(X0, 0.3, OPTS)
    assert es.stop() == {}
    assert "tolfun" in advance(es, 100).stop()
    assert "tolx" in advance(es, 100).stop()
    assert np.isfinite(advance(es, 1000).result.stds).all()  # and goes on


def test_float32_survives_bad_conditions():
    """At a condition of 1e12 rounding makes the matrix indefinite."""
    scales = np.logspace(0, 12, 5)
    es = advance(NativeCMAES(np.ones(5, np.float32), 1.0, OPTS), 1500, lambda x: x**2 @ scales)

    assert np.isfinite(es.result.stds).all()
    assert es.result.fbest < 1e-3 * scales.sum()


def test_refusals():
    with pytest.raises(ValueError, match="NativeCMAES: sigma0 is .*; expected a positive number"):
        NativeCMAES([0.0, 0.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="NativeCMAES: no option 'CMA_mu'"):
        NativeCMAES([0.0], 1.0, {"CMA_mu": 2})
    with pytest.raises(ValueError, match="NativeCMAES: CMA_active is 1; expected true or false"):
        NativeCMAES([0.0], 1.0, {"CMA_active": 1})
    with pytest.raises(ValueError, match=r"NativeCMAES.tell: function_values have shape \(7,\)"):
        NativeCMAES(X0, 1.0, OPTS).tell(np.zeros((8, 3)), range(7))


def test_repr_and_popsize():
    es = NativeCMAES(np.zeros(5), 1.0, {"seed": 7})

    assert repr(es) == "NativeCMAES in dimension 5 (seed=7)"
    assert es.popsize == 4 + 4


# Covariances


@pytest.mark.parametrize("cls", [Full, Separable])
def test_a_covariance_by_the_definition(cls):
    rng, cov = np.random.default_rng(0), cls(3, np.float64)
    C, weights = np.eye(3), np.array([0.2, 0.1, -0.05, -0.01])
    for _ in range(4):
        y = rng.normal(size=(4, 3))
        cov.update(0.8, weights, y)
        C = 0.8 * C + sum(w * np.outer(row, row) for w, row in zip(weights, y, strict=True))
    cov.refactor()
    if cls is Separable:
        C = np.diag(np.diag(C))
    z = rng.normal(size=(5, 3))

    np.testing.assert_allclose(cov.times(z), z @ np.linalg.cholesky(C).T)
    np.testing.assert_allclose(cov.solve(cov.times(z)), z)
    np.testing.assert_allclose(cov.stds(), np.sqrt(np.diag(C)))


def test_an_indefinite_matrix_is_lifted():
    cov = Full(2, np.float64)
    cov.C[:] = [[1.0, 0.0], [1.0, 1.0 - 1e-12]]
    cov.refactor()

    np.testing.assert_allclose(cov.A @ cov.A.T, [[1, 1], [1, 1]], atol=1e-6)
