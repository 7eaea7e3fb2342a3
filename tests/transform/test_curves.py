import subprocess
import sys

import numpy as np
import pytest

from lagom.transform.curves import interp_curves, smooth_filter


def test_union_of_the_points():
    xs, ys = interp_curves([[0, 2], [1, 3]], [[0, 4], [5, 7]])

    assert [x.tolist() for x in xs] == [[0, 1, 2, 3]] * 2
    assert [y.tolist() for y in ys] == [[0, 2, 4, 4], [5, 5, 6, 7]]
    assert {a.dtype for a in (*xs, *ys)} == {np.dtype(np.float64)}


def test_a_number_of_points():
    xs, ys = interp_curves([[0, 2], [1, 4]], [[0, 4], [5, 8]], num_point=3)

    assert [x.tolist() for x in xs] == [[0, 2, 4]] * 2
    assert [y.tolist() for y in ys] == [[0, 4, 4], [5, 6, 8]]


@pytest.mark.parametrize("num_point", [1, 100])
def test_as_many_points_as_asked_for(num_point):
    xs, ys = interp_curves([[0.5, 2.0]], [[1.0, 0.0]], num_point)

    assert len(xs[0]) == len(ys[0]) == num_point
    assert xs[0][0] == 0.5


def test_a_curve_of_one_point():
    xs, ys = interp_curves([[2], [1, 3]], [[7], [0, 1]])

    assert xs[0].tolist() == [1, 2, 3]
    assert ys[0].tolist() == [7, 7, 7]


def test_an_x_that_occurs_twice():
    xs, _ = interp_curves([[1, 1, 2]], [[0, 3, 4]])

    assert xs[0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([], [], "got 0 x and 0 y; expected one of each"),
        ([[1]], [[1], [2]], "got 1 x and 2 y; expected one of each"),
        ([[1], [1, 2]], [[1], [1]], r"curve 1 has x of shape \(2,\) and y of shape \(1,\)"),
        ([[]], [[]], r"curve 0 has x of shape \(0,\)"),
        ([[[1]]], [[[1]]], r"curve 0 has x of shape \(1, 1\)"),
        ([[1, 2], [2, 1]], [[0, 0], [0, 0]], "x of curve 1 decreases; expected it sorted"),
        ([[1, np.nan]], [[0, 0]], "x of curve 0 decreases; expected it sorted"),
    ],
)
def test_refuses_curves(x, y, message):
    with pytest.raises(ValueError, match=f"interp_curves: {message}"):
        interp_curves(x, y)


def test_refuses_no_points():
    with pytest.raises(ValueError, match="interp_curves: num_point is 0; expected 1 or more"):
        interp_curves([[1]], [[1]], num_point=0)


def test_smooth_filter_by_hand():
    y = smooth_filter([0, 1, 0, 0, 3], window_length=3, polyorder=1)

    # A line through three points has their mean in the middle; at the ends, the line goes on.
    np.testing.assert_allclose(y, [1 / 3, 1 / 3, 1 / 3, 1, 2.5], rtol=1e-12)


def test_smooth_filter_against_polynomials():
    x = np.random.default_rng(0).normal(size=30)

    y = smooth_filter(x.astype(np.float32), 7, 2)

    t = np.arange(30)
    for i in range(30):
        window = slice(*((lo := min(max(i - 3, 0), 23)), lo + 7))
        fit = np.polynomial.Polynomial.fit(t[window], x[window], 2)
        assert y[i] == pytest.approx(fit(i), abs=1e-6)
    assert y.dtype == np.float64


def test_smooth_filter_passes_on_arguments():
    y = smooth_filter([3.0, 0.0, 0.0], 3, 0, mode="constant", cval=6.0)

    np.testing.assert_allclose(y, [3.0, 1.0, 2.0], rtol=1e-12)


def test_smooth_filter_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"smooth_filter: x has shape \(1, 3\); expected \[T\]"):
        smooth_filter([[1, 2, 3]], window_length=3, polyorder=2)


def test_smooth_filter_refuses_a_window_that_does_not_fit():
    with pytest.raises(ValueError, match="window_length"):
        smooth_filter([1, 2, 3], window_length=5, polyorder=2)


def test_scipy_signal_is_loaded_when_needed():
    code = "import sys, lagom.transform; print('scipy.signal' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert out.stdout.strip() == "False"
