"""How large a difference a few seeds can find, and how many seeds a difference takes.

Reference:
    Colas et al., 2019 (arXiv:1904.06979): Welch's test, and the seeds it needs.
"""

import numpy as np

from lagom.vis.statistics import check_share

_NUM_QUANTILE = 200  # of an integral; its error is below 1e-4


def detectable_difference(sd_x, sd_y, n, m, power=0.8, alpha=0.05):
    r"""The smallest true difference of two means that Welch's test finds with ``power``.

    Given how the sample variances share what they add up to, a beta variable, the statistic is a
    scaled noncentral t with :math:`n + m - 2` degrees of freedom, and what it must exceed is
    fixed; the power is the mean over that variable.

    Args:
        sd_x, sd_y (float): standard deviations over seeds.
        n, m (int): numbers of seeds, at least two.
        power (float): probability to find it, more than ``alpha``.
        alpha (float): two-sided level of the test.

    Returns:
        float: exact for normal values, in the unit of the deviations.  The usual formula, of the
        test that pools the variances, promises 3.1 at 3 seeds and 2.0 at 5.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> [round(detectable_difference(1.0, 1.0, n, n), 1) for n in (3, 5, 10, 20, 30)]
        [3.5, 2.1, 1.3, 0.9, 0.7]
    """
    _check_design("detectable_difference", (sd_x, sd_y), min(n, m), power, alpha)
    error = float(np.hypot(sd_x / n**0.5, sd_y / m**0.5))
    return error * _solve(_welch_power(sd_x, sd_y, n, m, alpha), power) if error else 0.0


def detectable_paired(sd, n, power=0.8, alpha=0.05):
    """The smallest true mean of ``n`` differences that the paired test finds with ``power``.

    Args:
        sd (float): standard deviation of the differences.
        n (int): number of pairs, at least two.
        power, alpha: as in :func:`detectable_difference`.

    Returns:
        float: exact for normal values, in the unit of ``sd``.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> round(detectable_paired(1.0, 10), 2)
        1.0
    """
    _check_design("detectable_paired", (sd,), n, power, alpha)
    return float(sd / n**0.5 * _solve(_paired_power(n, alpha), power)) if sd else 0.0


def seeds_needed(difference, sd_x, sd_y=None, power=0.8, alpha=0.05):
    """The smallest number of seeds with which a difference is found with ``power``.

    Args:
        difference (float): the true difference that matters, positive.
        sd_x, sd_y (float): standard deviations over seeds; without ``sd_y``, ``sd_x`` is that of
            the differences of pairs.
        power, alpha: as in :func:`detectable_difference`.

    Returns:
        int: seeds of each configuration, at least two.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> seeds_needed(1.0, 1.0, 1.0), seeds_needed(1.0, 1.0)
        (17, 10)
    """
    if not 0 < difference < np.inf:
        raise ValueError(f"seeds_needed: difference is {difference!r}; expected a positive number")
    deviations = (sd_x,) if sd_y is None else (sd_x, sd_y)
    _check_design("seeds_needed", deviations, 2, power, alpha)
    spread = float(np.hypot.reduce(deviations))

    def enough(n):
        found = _paired_power(n, alpha) if sd_y is None else _welch_power(sd_x, sd_y, n, n, alpha)
        return found(difference / spread * n**0.5) >= power

    low, high = 1, 2
    while spread and not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _welch_power(sd_x, sd_y, n, m, alpha):
    """From a true difference, in standard errors, to the probability that Welch's test finds it."""
    from scipy.special import betaincinv, stdtrit

    middles = (np.arange(_NUM_QUANTILE) + 0.5) / _NUM_QUANTILE
    share = betaincinv((n - 1) / 2, (m - 1) / 2, middles)  # of x in the scaled sum of squares
    variances = np.array([sd_x**2 / n, sd_y**2 / m]) / (sd_x**2 / n + sd_y**2 / m)
    found = (n + m - 2) * variances[:, None] * [share / (n - 1), (1 - share) / (m - 1)]
    freedom = found.sum(0) ** 2 / (found[0] ** 2 / (n - 1) + found[1] ** 2 / (m - 1))
    t = stdtrit(freedom, 1 - alpha / 2) * np.sqrt(found.sum(0))
    return lambda shift: float(_exceeds(n + m - 2, shift, t).mean())


def _paired_power(n, alpha):
    """As ``_welch_power``, of the paired test."""
    from scipy.special import stdtrit

    return lambda shift: float(_exceeds(n - 1, shift, stdtrit(n - 1, 1 - alpha / 2)))


def _exceeds(freedom, shift, t):
    """Probability that a noncentral t is further from zero than ``t``."""
    from scipy.special import nctdtr

    wrong_side = np.nan_to_num(1 - nctdtr(freedom, -shift, t))  # NaN where below rounding
    return 1 - nctdtr(freedom, shift, t) + wrong_side


def _solve(found, power):
    """The difference, in standard errors, at which the power is as wanted."""
    from scipy.optimize import brentq

    high = 1.0
    while found(high) < power:
        high *= 2
    return brentq(lambda shift: found(shift) - power, 0.0, high)


def _check_design(where, deviations, n, power, alpha):
    for sd in deviations:
        if not 0 <= sd < np.inf:
            raise ValueError(f"{where}: a deviation is {sd!r}; expected a finite one, not below 0")
    if n < 2:
        raise ValueError(f"{where}: {n!r} seeds; expected at least 2")
    check_share(where, "power", power)
    check_share(where, "alpha", alpha)
    if power <= alpha:
        raise ValueError(f"{where}: power is {power!r}; expected more than alpha, {alpha!r}")
