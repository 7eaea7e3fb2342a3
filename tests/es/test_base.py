import inspect

import pytest

from lagom.es.base import BaseES, Result


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
