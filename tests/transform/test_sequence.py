import numpy as np
import pytest

from lagom.transform.sequence import backward_scan, geometric_cumsum


def scan_by_definition(c, x):
    y, out = 0.0, []
    for factor, term in zip(reversed(c), reversed(x), strict=True):
        y = term + factor * y
        out.append(y)
    return out[::-1]


@pytest.mark.parametrize("N", [1, 2, 3, 100])
def test_backward_scan(N):
    c, x = np.random.default_rng(N).normal(size=(2, N))

    y = backward_scan(c, x)

    np.testing.assert_allclose(y, scan_by_definition(c, x), rtol=1e-9)
    assert y.dtype == np.float64


def test_backward_scan_starts_anew_at_zeros():
    y = backward_scan([1.0, 0.0, 1.0, 7.0], [1.0, 2.0, 3.0, 4.0])

    assert y.tolist() == [3, 2, 7, 4]


def test_backward_scan_leaves_its_arguments_alone():
    c, x = np.array([0.5, 0.5]), np.array([1.0, 2.0])

    backward_scan(c, x)

    assert c.tolist() == [0.5, 0.5]
    assert x.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ([1, 2, 3, 4], [[1.234, 2.34, 3.4, 4.0]]),
        ([[1, 2, 3, 4], [5, 6, 7, 8]], [[1.234, 2.34, 3.4, 4], [5.678, 6.78, 7.8, 8]]),
        ([5], [[5]]),
        ([[1], [2]], [[1], [2]]),
    ],
)
def test_geometric_cumsum(x, expected):
    y = geometric_cumsum(0.1, x)

    np.testing.assert_allclose(y, expected, rtol=1e-12)
    assert y.shape == np.shape(expected)
    assert y.dtype == np.float64


@pytest.mark.parametrize(
    ("alpha", "expected"), [(0.0, [[1, 2, 3]]), (1.0, [[6, 5, 3]]), (0.5, [[2.75, 3.5, 3]])]
)
def test_geometric_cumsum_at_the_ends_of_alpha(alpha, expected):
    assert geometric_cumsum(alpha, [1, 2, 3]).tolist() == expected


@pytest.mark.parametrize(("x", "shape"), [([], (1, 0)), (np.zeros((3, 0)), (3, 0))])
def test_geometric_cumsum_of_nothing(x, shape):
    assert geometric_cumsum(0.1, x).shape == shape


def test_geometric_cumsum_refuses_more_dimensions():
    with pytest.raises(ValueError, match=r"x has shape \(2, 2, 2\); expected \[T\] or \[N, T\]"):
        geometric_cumsum(0.1, np.zeros((2, 2, 2)))
