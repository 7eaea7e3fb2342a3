"""Sums along a sequence, from its end to its beginning."""

import math

import numpy as np
from scipy.linalg.blas import dtbsv


def backward_scan(c, x, ends=()):
    r"""Solution of the recurrence ``y[t] = x[t] + c[t] * y[t + 1]`` with nothing past the end.

    The sum starts anew after each of ``ends``, so one call serves many sequences back to back.  A
    NaN or infinity goes no further than the beginning of its own sequence.

    Args:
        c (float or ndarray): scalar or ``[N]``, factors; those at ``ends`` meet nothing.
        x (ndarray): ``[N]`` terms.
        ends (ndarray, optional): ``[M]`` int, where each sequence ends, in order; the last is
            ``N - 1``.  One sequence if left out.

    Returns:
        ndarray: ``[N]`` float64.

    Example:
        >>> backward_scan(0.5, [1.0, 2.0, 3.0, 4.0], ends=[1, 3])
        array([2., 2., 5., 4.])

    Reference:
        Hockney, A Fast Direct Solution of Poisson's Equation Using Fourier Analysis, 1965 (cyclic
        reduction).
    """
    x = np.asarray(x, np.float64)
    if x.size == 0:
        return x.copy()
    ends = np.asarray(ends, int)
    k, y, room = np.empty((3, x.size))  # at once: fresh memory costs more than the arithmetic
    k[:], y[:] = c, x
    k[ends] = 0.0
    _solve(k, y, room)
    if len(ends) > 1 and not math.isfinite(y[0]):  # 0 * NaN is NaN, all the way down to y[0]
        k[:], y[:] = c, x
        for part in zip(np.split(k, ends[:-1] + 1), np.split(y, ends[:-1] + 1), strict=True):
            _solve(*part, room)
    return y


def _solve(c, y, room):
    """Turn the terms ``y`` into the sums, in place; ``c`` and ``room`` are used up.

    As ``y[0] = x[0] + c[0] * y[1]`` and ``y[1] = x[1] + c[1] * y[2]``, the even sums follow a
    recurrence of half the length, with terms ``x[0] + c[0] * x[1]`` and factors ``c[0] * c[1]``.
    """
    if y.size > 4096:
        with np.errstate(invalid="ignore"):
            y[:-1:2] += np.multiply(c[:-1:2], y[1::2], out=room[: y.size // 2])
            c[:-1:2] *= c[1::2]
            _solve(c[::2], y[::2], room)
            y[1:-1:2] += np.multiply(c[1:-1:2], y[2::2], out=room[: (y.size - 1) // 2])
    else:  # BLAS goes step by step through the bidiagonal system (I - C) y = x
        bands = np.empty((2, y.size), order="F")  # row 0 is the diagonal, all ones, never read
        np.multiply(c, -1.0, out=bands[1])  # np.negative errs on strides (NumPy 2.4)
        y[:] = dtbsv(1, bands, y, lower=1, trans=1, diag=1)


def geometric_cumsum(alpha, x):
    r"""Geometrically weighted sums from each element to the end of its row.

    .. math::
        y_t = x_t + \alpha y_{t+1} = \sum_{k \ge 0} \alpha^k x_{t+k}

    Args:
        alpha (float): weight of the next element, in [0, 1].
        x (ndarray): ``[T]``, or ``[N, T]`` for ``N`` independent rows.

    Returns:
        ndarray: ``[N, T]`` float64; a one-dimensional ``x`` gives one row.

    Raises:
        ValueError: if ``x`` has neither one nor two dimensions.

    Example:
        >>> geometric_cumsum(0.1, [1, 2, 3, 4])
        array([[1.234, 2.34 , 3.4  , 4.   ]])
    """
    x = np.atleast_2d(np.asarray(x, np.float64))
    if x.ndim != 2:
        raise ValueError(f"geometric_cumsum: x has shape {x.shape}; expected [T] or [N, T]")
    ends = np.arange(1, len(x) + 1) * x.shape[1] - 1
    return backward_scan(alpha, x.ravel(), ends).reshape(x.shape)
