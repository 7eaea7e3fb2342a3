"""Curves for plots: at common points, and smooth."""

import numpy as np


def interp_curves(x, y, num_point=None):
    """Piecewise linear interpolation of curves at common points.

    Curves that were measured at different ``x`` can then be averaged.  Outside its own range a
    curve keeps its first or last value.

    Args:
        x (list): one ``[T]`` per curve, of any length each, not decreasing.
        y (list): likewise, as long as its ``x``.
        num_point (int, optional): number of points, evenly spaced from the smallest ``x`` to the
            largest of all curves; by default the points are all ``x`` that occur, in order.

    Returns:
        tuple: two lists with one float64 array ``[T]`` per curve, the ``x`` (for all curves the
        same array) and the ``y``.

    Raises:
        ValueError: if there is no curve, one has no points, different numbers of ``x`` and ``y``
            or an unsorted ``x``, or ``num_point`` is not positive.

    Example:
        >>> new_x, new_y = interp_curves([[0, 2], [1, 3]], [[0, 4], [5, 7]])
        >>> new_x[0]
        array([0., 1., 2., 3.])
        >>> new_y
        [array([0., 2., 4., 4.]), array([5., 5., 6., 7.])]
    """
    if len(x) != len(y) or not len(x):
        raise ValueError(
            f"interp_curves: got {len(x)} x and {len(y)} y; expected one of each per curve"
        )
    x, y = ([np.asarray(values, np.float64) for values in curves] for curves in (x, y))
    for i, (xs, ys) in enumerate(zip(x, y, strict=True)):
        if xs.shape != ys.shape or xs.ndim != 1 or not len(xs):
            raise ValueError(
                f"interp_curves: curve {i} has x of shape {xs.shape} and y of shape {ys.shape}; "
                "expected [T] both, T > 0"
            )
        if not (xs[1:] >= xs[:-1]).all():
            raise ValueError(f"interp_curves: x of curve {i} decreases; expected it sorted")
    grid = np.unique(np.concatenate(x))
    if num_point is not None:
        if num_point < 1:
            raise ValueError(f"interp_curves: num_point is {num_point!r}; expected 1 or more")
        grid = np.linspace(grid[0], grid[-1], num_point)
    return [grid] * len(x), [np.interp(grid, xs, ys) for xs, ys in zip(x, y, strict=True)]


def smooth_filter(x, window_length, polyorder, **kwargs):
    """Noisy points smoothed by a Savitzky-Golay filter.

    A polynomial is fitted to the window around each point by least squares, and the point replaced
    by its value; near the ends by that of the polynomial fitted to the first or last window.  For
    looks only: neighbours are no longer independent.

    Args:
        x (ndarray): ``[T]``.
        window_length (int): points in a window, at most ``T``.
        polyorder (int): order of the polynomial, less than ``window_length``.
        **kwargs: for ``scipy.signal.savgol_filter``, such as ``mode``.

    Returns:
        ndarray: ``[T]`` float64.

    Raises:
        ValueError: if ``x`` does not have one dimension, or (from SciPy) the window does not fit.

    Example:
        >>> smooth_filter([0.0, 1.0, 0.0, 0.0, 3.0], window_length=3, polyorder=1).round(3)
        array([0.333, 0.333, 0.333, 1.   , 2.5  ])

    Reference:
        Savitzky and Golay, Smoothing and Differentiation of Data by Simplified Least Squares
        Procedures, 1964.
    """
    from scipy.signal import savgol_filter

    x = np.asarray(x, np.float64)
    if x.ndim != 1:
        raise ValueError(f"smooth_filter: x has shape {x.shape}; expected [T]")
    return savgol_filter(x, window_length, polyorder, **kwargs)
