import numpy as np
import pytest

from lagom.transform.sequence import backward_scan, geometric_cumsum


def scan_by_definition(c, x):
    y, out = 0.0, []
    for factor, term in zip(reversed(c), reversed(x), strict=True):
        y = term + factor * y
        out.append(y)
    return out[::-1]


# Up to 4096 terms go to BLAS at once; beyond, halving meets even and odd lengths.
@pytest.mark.parametrize("N", [1, 2, 3, 100, 4096, 4097, 8192, 8193, 8195, 20_001])
def test_backward_scan(N):
    rng = np.random.default_rng(N)
    c, x = rng.uniform(-1, 1, N), rng.normal(size=N)

    y = backward_scan(c, x)

    np.testing.assert_allclose(y, scan_by_definition(c, x), rtol=1e-9, atol=1e-12)
    assert y.dtype == np.float64


@pytest.mark.parametrize("c", [0.0, 0.9, 0.9999, 1.0])
def test_backward_scan_of_a_long_sequence(c):
    x = np.random.default_rng(0).normal(1, 1, size=100_000)

    y = backward_scan(c, x)

    np.testing.assert_allclose(y, scan_by_definition([c] * len(x), x), rtol=1e-10, atol=1e-10)


def test_backward_scan_starts_anew_at_zeros():
    y = backward_scan([1.0, 0.0, 1.0, 7.0], [1.0, 2.0, 3.0, 4.0])

    assert y.tolist() == [3, 2, 7, 4]


@pytest.mark.parametrize("c", [1.0, [1.0, 5.0, 1.0, 7.0]], ids=["scalar", "array"])
def test_backward_scan_starts_anew_after_ends(c):
    y = backward_scan(c, [1.0, 2.0, 3.0, 4.0], ends=[1, 3])

    assert y.tolist() == [3, 2, 7, 4]


@pytest.mark.parametrize("N", [10, 10_000])
def test_backward_scan_of_many_sequences(N):
    rng = np.random.default_rng(N)
    c, x = rng.random(N), rng.normal(size=N)
    ends = np.append(np.flatnonzero(rng.random(N - 1) < 0.1), N - 1)

    y = backward_scan(c, x, ends)

    for part in np.split(np.arange(N), ends[:-1] + 1):
        np.testing.assert_allclose(y[part], scan_by_definition(c[part], x[part]), rtol=1e-9)


@pytest.mark.parametrize("N", [9, 9_999])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("c", [0.5, 1.0])
def test_what_is_not_finite_stays_in_its_sequence(N, bad, c):
    x = np.ones(N)
    i = N // 2  # in the middle of the second of three sequences
    x[i] = bad
    ends = np.array([N // 3, 2 * N // 3, N - 1])

    y = backward_scan(c, x, ends)

    np.testing.assert_equal(y[ends[0] + 1 : i + 1], bad)
    x[i] = 0.0
    expected = backward_scan(c, x, ends)
    others = [*range(ends[0] + 1), *range(i + 1, N)]
    np.testing.assert_allclose(y[others], expected[others], rtol=1e-12)


def test_factors_that_are_not_finite_stay_in_their_sequence():
    y = backward_scan([0.5, 0.5, np.nan, np.nan], np.ones(4), ends=[1, 3])

    np.testing.assert_equal(y, [1.5, 1, np.nan, 1])


def test_backward_scan_of_nothing():
    y = backward_scan(0.5, np.zeros(0, int))

    assert y.shape == (0,)
    assert y.dtype == np.float64


@pytest.mark.parametrize("bad", [1.0, np.nan])
def test_backward_scan_leaves_its_arguments_alone(bad):
    c, x = np.full(10_000, 0.5), np.ones(10_000)
    x[7_000] = bad
    ends = np.array([5_000, 9_999])
    copies = [a.copy() for a in (c, x, ends)]

    backward_scan(c, x, ends)

    np.testing.assert_equal([c, x], copies[:2])
    np.testing.assert_equal(ends, copies[2])


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


def test_geometric_cumsum_of_long_rows():
    x = np.random.default_rng(0).normal(size=(3, 3_001))

    y = geometric_cumsum(0.9, x)

    for i in range(3):
        np.testing.assert_allclose(y[i], scan_by_definition([0.9] * 3_001, x[i]), atol=1e-12)


def test_geometric_cumsum_keeps_nan_in_its_row():
    y = geometric_cumsum(0.5, [[1, 2], [3, np.nan], [5, 6]])

    np.testing.assert_equal(y, [[2, 2], [np.nan, np.nan], [8, 6]])


@pytest.mark.parametrize(("x", "shape"), [([], (1, 0)), (np.zeros((3, 0)), (3, 0))])
def test_geometric_cumsum_of_nothing(x, shape):
    assert geometric_cumsum(0.1, x).shape == shape


def test_geometric_cumsum_refuses_more_dimensions():
    with pytest.raises(ValueError, match=r"x has shape \(2, 2, 2\); expected \[T\] or \[N, T\]"):
        geometric_cumsum(0.1, np.zeros((2, 2, 2)))
