import inspect
from types import SimpleNamespace

import numpy as np
import pytest

from lagom.es.base import BaseES, Result, told


def test_result_is_a_tuple_of_the_documented_fields():
    assert Result._fields == (
        *("xbest", "fbest", "evals_best", "evaluations", "iterations", "xfavorite", "stds"),
    )
    assert tuple(Result(1, 2, 3, 4, 5, 6, 7)) == (1, 2, 3, 4, 5, 6, 7)


def test_a_strategy_defines_it_all():
    with pytest.raises(TypeError, match="abstract"):
        BaseES()

    abstract = {
        name for name, _ in inspect.getmembers(BaseES) if name in BaseES.__abstractmethods__
    }
    assert abstract == {"ask", "tell", "result", "state_dict", "load_state_dict"}


def test_what_was_told_is_copied_and_nan_is_infinite():
    es, values = SimpleNamespace(popsize=3, dim=2), np.array([1.0, np.nan, -np.inf])

    solutions, out = told(es, [[1, 2], [3, 4], [5, 6]], values)

    assert solutions.dtype == np.float64
    assert solutions.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert out.tolist() == [1.0, np.inf, -np.inf]
    assert np.isnan(values[1])


def test_what_was_told_has_its_shape():
    es = SimpleNamespace(popsize=3, dim=2)

    with pytest.raises(ValueError, match=r"solutions have shape \(2, 3\); expected \(3, 2\)"):
        told(es, np.ones((2, 3)), [1, 2, 3])
    with pytest.raises(ValueError, match=r"function_values have shape \(3, 1\); expected \(3,\)"):
        told(es, np.ones((3, 2)), [[1], [2], [3]])
