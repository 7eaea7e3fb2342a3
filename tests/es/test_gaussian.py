"""What holds for all strategies that draw from seeds."""

import numpy as np
import pytest

from lagom.es import ARS, PGPE, SNES, OpenAIES, draw
from lagom.es.gaussian import finite, utilities

ALL = pytest.mark.parametrize("cls", [OpenAIES, ARS, PGPE, SNES])
X0 = [1.0, 1.5, -0.5]


def sphere(x):
    return float(np.sum(np.square(x)))


def advance(es, num_generation, f=sphere):
    for _ in range(num_generation):
        solutions = es.ask()
        es.tell(solutions, [f(x) for x in solutions])
    return es


def make(cls, x0=X0, sigma0=0.3, **opts):
    return cls(x0, sigma0, {"popsize": 8, "seed": 3, **opts})


def assert_same(es, other):
    for a, b in zip(es.result, other.result, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(es.ask(), other.ask())


@ALL
def test_finds_a_minimum_not_a_maximum(cls):
    """Of a sphere around (1, -2); ARS and OpenAI-ES move by steps of a fixed length."""
    fast = {OpenAIES: {"lr": 0.1}, ARS: {"lr": 0.1}}.get(cls, {})
    es = make(cls, [0.0, 0.0], popsize=20, **fast)
    advance(es, 150, lambda x: sphere(x - [1, -2]))

    np.testing.assert_allclose(es.result.xfavorite, [1, -2], atol=0.15)


@ALL
@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("num_generation", [0, 1, 5])
def test_resumes_to_the_last_bit(cls, num_generation, asked):
    es = advance(make(cls), num_generation)
    if asked:
        es.ask()
    state = es.state_dict()
    other = advance(cls([0.0], 9.0), 1)
    other.load_state_dict(state)
    expected = [np.copy(x) if isinstance(x, np.ndarray) else x for x in other.result]

    assert_same(advance(es, 3), advance(other, 3))
    again = cls([0.0], 1.0)
    again.load_state_dict(state)  # a state is a snapshot
    for a, b in zip(again.result, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@ALL
def test_precision_is_that_of_the_start(cls):
    for dtype in (np.float32, np.float64):
        es = advance(make(cls, np.array(X0, dtype)), 3)
        other = cls([0.0], 1.0)
        other.load_state_dict(es.state_dict())

        for x in (*es.result[-2:], es.result.xbest, es.ask(), other.ask()):
            assert x.dtype == dtype
    assert make(cls, X0).ask().dtype == np.float64


@ALL
def test_the_recipe_is_what_was_asked(cls):
    es = advance(make(cls), 2)
    recipe = es.recipe

    np.testing.assert_array_equal(draw(recipe, range(8)), es.ask())
    np.testing.assert_array_equal(draw(recipe, range(4, 8)), es.ask()[4:])
    assert es.recipe.seed == recipe.seed
    assert advance(es, 1).recipe.seed != recipe.seed


@ALL
def test_asking_again_gives_the_same(cls):
    es = make(cls)

    assert es.ask() is es.ask()
    with pytest.raises(ValueError, match="read-only"):
        es.ask()[0] = 1.0


@ALL
def test_copies_of_candidates_move_it_as_candidates_do(cls):
    es, other = make(cls), make(cls)
    for _ in range(3):
        es.tell(es.ask(), [sphere(x) for x in es.ask()])
        solutions = [x.copy() for x in other.ask()]
        other.tell(solutions, [sphere(x) for x in solutions])

        np.testing.assert_allclose(es.result.xfavorite, other.result.xfavorite, rtol=1e-9)
        np.testing.assert_allclose(es.result.stds, other.result.stds, rtol=1e-9)


@ALL
def test_nan_is_the_worst(cls):
    es, other = make(cls), make(cls)
    advance(es, 10, lambda x: np.nan if x[0] > 1.2 else sphere(x))
    advance(other, 10, lambda x: np.inf if x[0] > 1.2 else sphere(x))

    assert es.result.xbest[0] <= 1.2
    assert_same(es, other)


@ALL
def test_only_nan_finds_nothing(cls):
    result = advance(make(cls), 3, lambda x: np.nan).result

    assert result[:3] == (None, np.inf, None)
    assert np.isfinite(result.xfavorite).all()
    assert (np.isfinite(result.stds) & (result.stds > 0)).all()


@pytest.mark.parametrize("cls", [OpenAIES, ARS, PGPE])
def test_a_plateau_moves_nothing(cls):
    es = advance(make(cls), 3, lambda x: 500.0)

    assert es.result.xfavorite.tolist() == X0
    assert es.result.stds.tolist() == [0.3] * 3


@ALL
def test_best_ever(cls):
    es = make(cls, [0.0], popsize=4)
    es.tell([[1.0], [2.0], [3.0], [4.0]], [5.0, 1.0, 4.0, 3.0])
    es.tell([[5.0], [6.0], [7.0], [8.0]], [2.0, 1.0, 3.0, 4.0])  # as good, not better
    assert (es.result.xbest.tolist(), es.result.fbest, es.result.evals_best) == ([2.0], 1.0, 2)

    es.tell([[9.0], [8.0], [7.0], [6.0]], [2.0, 1.0, 0.5, 3.0])
    assert (es.result.xbest.tolist(), es.result.fbest, es.result.evals_best) == ([7.0], 0.5, 11)
    assert (es.result.evaluations, es.result.iterations) == (12, 3)


@ALL
def test_refusals(cls):
    name = cls.__name__
    with pytest.raises(ValueError, match=rf"{name}: x0 is .*; expected finite numbers, \[dim\]"):
        cls([0.0, np.nan], 1.0)
    with pytest.raises(ValueError, match=rf"{name}: sigma0 is .*; expected positive numbers"):
        cls([0.0], 0.0)
    with pytest.raises(ValueError, match=f"{name}: no option 'popsiz'; .*did you mean popsize?"):
        cls([0.0], 1.0, {"popsiz": 8})
    for key, value in (("popsize", 1), ("seed", -1), ("lr", 0), ("lr", "x"), ("lr", True)):
        with pytest.raises(ValueError, match=f"{name}: {key} is {value!r}; expected a"):
            cls([0.0], 1.0, {key: value})
    es = make(cls)
    with pytest.raises(ValueError, match=rf"{name}.tell: function_values have shape \(7,\)"):
        es.tell(es.ask(), range(7))
    with pytest.raises(ValueError, match=rf"{name}.tell: solutions have shape \(7, 3\)"):
        es.tell(es.ask()[:7], range(8))


@ALL
def test_none_means_the_default_and_repr(cls):
    es = cls([0.0], 1.0, dict.fromkeys(cls([0.0], 1.0).opts))

    assert es.popsize == cls([0.0], 1.0).popsize
    assert not np.array_equal(es.ask(), cls([0.0], 1.0).ask())  # another seed
    assert repr(make(cls)) == f"{cls.__name__} in dimension 3 (seed=3)"


@pytest.mark.parametrize("cls", [OpenAIES, ARS, PGPE])
def test_pairs_need_an_even_population(cls):
    with pytest.raises(ValueError, match="popsize is 7; expected an even number"):
        cls([0.0], 1.0, {"popsize": 7})


def test_utilities_are_centered_ranks_with_shared_places():
    assert utilities(np.array([5.0, 1.0, np.inf, 1.0, 3.0])).tolist() == [
        -0.25, 0.375, -0.5, 0.375, 0.0
    ]  # fmt: skip
    assert utilities(np.array([2.0])).tolist() == [0.5 - 0.0]


def test_finite():
    assert finite(np.array([1.0, np.inf, 3.0, -np.inf])).tolist() == [1.0, 3.0, 3.0, 1.0]
    assert finite(np.array([np.inf, np.inf])).tolist() == [0.0, 0.0]
