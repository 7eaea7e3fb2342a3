import numpy as np
import pytest

from lagom.transform.rank import rank_transform


@pytest.mark.parametrize(
    ("x", "ranks"),
    [
        ([3, 14, 1], [1, 2, 0]),
        ([7], [0]),
        ([], []),
        ([2, 1, 2, 1], [2, 0, 3, 1]),  # equal values in the order they stand in
        ([np.nan, np.inf, -np.inf], [2, 1, 0]),
    ],
)
def test_ranks(x, ranks):
    out = rank_transform(x, centered=False)

    assert out.tolist() == ranks
    assert out.dtype == np.int64


@pytest.mark.parametrize(
    ("x", "ranks"),
    [
        ([3, 14, 1], [0.0, 0.5, -0.5]),
        ([5, 4], [0.5, -0.5]),
        ([7], [0.0]),
        ([], []),
        ([9, 8, 7, 6, 5], [0.5, 0.25, 0.0, -0.25, -0.5]),
    ],
)
def test_centered_ranks(x, ranks):
    out = rank_transform(x)

    assert out.tolist() == ranks
    assert out.dtype == np.float64


def test_many_ties_stay_in_order():  # short arrays are sorted stably by any algorithm
    assert rank_transform([1.0] * 1000, centered=False).tolist() == list(range(1000))


def test_against_the_definition():
    x = np.random.default_rng(0).integers(0, 50, size=200).tolist()

    expected = [sorted(range(200), key=x.__getitem__).index(i) for i in range(200)]
    assert rank_transform(x, centered=False).tolist() == expected


@pytest.mark.parametrize(("x", "shape"), [(3, r"\(\)"), ([[1, 2, 3]], r"\(1, 3\)")])
def test_refuses_other_shapes(x, shape):
    with pytest.raises(ValueError, match=rf"rank_transform: x has shape {shape}; expected \[N\]"):
        rank_transform(x)
