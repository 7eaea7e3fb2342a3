"""Means of seeds and their differences: intervals and tests."""

from dataclasses import dataclass

import numpy as np

from lagom.vis.statistics import check_scores


@dataclass(frozen=True)
class Estimate:
    """A number, and how well the seeds determine it.

    Args:
        value (float): the estimate.
        low, high (float): ends of the Student-t interval; NaN where there are too few seeds.
        p (float): two-sided probability of an estimate this far from zero if the truth is zero;
            NaN where there are too few seeds, or where they are all alike.
        freedom (float): degrees of freedom.
    """

    value: float
    low: float
    high: float
    p: float
    freedom: float


def contrast(samples, weights, level=0.95):
    r"""A weighted sum of the means of independent samples.

    .. math::
        d = \sum_k c_k \bar x_k, \quad v_k = c_k^2 s_k^2 / n_k, \quad
        d \pm t_{\nu,\,(1 + level) / 2} \sqrt{\textstyle\sum_k v_k}, \quad
        \nu = \frac{(\sum_k v_k)^2}{\sum_k v_k^2 / (n_k - 1)}

    Args:
        samples (list of ndarray): ``[n]`` each.
        weights (list of float): :math:`c_k`.
        level (float): probability with which the interval holds the truth.

    Returns:
        Estimate: without interval if a sample has a single number; where no sample varies, the
        interval has no width and there is no ``p``.

    Raises:
        ValueError: there is no sample, or one is empty or has a value that is no number.

    Example:
        >>> mean = contrast([np.array([1.0, 2.0, 3.0])], [1.0])
        >>> mean.value, round(mean.low, 3), round(mean.high, 3)
        (2.0, -0.484, 4.484)

    Reference:
        Satterthwaite, An Approximate Distribution of Estimates of Variance Components, 1946.
    """
    from scipy.special import stdtr, stdtrit

    samples = check_scores("contrast", samples)
    value = float(sum(c * x.mean() for c, x in zip(weights, samples, strict=True)))
    freedom = np.array([len(x) - 1 for x in samples])
    if not freedom.all():
        return Estimate(value, np.nan, np.nan, np.nan, np.nan)
    errors = [abs(c) * deviation(x) / len(x) ** 0.5 for c, x in zip(weights, samples, strict=True)]
    error = float(np.hypot.reduce(errors))
    if error == 0:
        return Estimate(value, value, value, np.nan, np.nan)
    freedom = float(1 / np.sum((np.array(errors) / error) ** 4 / freedom))
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    p = float(2 * stdtr(freedom, -abs(value) / error))
    return Estimate(value, value - half, value + half, p, freedom)


def welch(x, y, level=0.95):
    """The mean of ``x`` minus that of ``y``, whose seeds have nothing to do with each other.

    Args:
        x, y (ndarray): ``[n]`` and ``[m]``.
        level (float): probability with which the interval holds the truth.

    Returns:
        Estimate: as :func:`contrast`, of which this is the best-known case.

    Raises:
        ValueError: one is empty or has a value that is no number.

    Example:
        >>> d = welch(np.array([3.0, 4.0, 5.0]), np.array([1.0, 1.0, 4.0]))
        >>> d.value, round(d.low, 3), round(d.high, 3), round(d.p, 3), round(d.freedom, 2)
        (2.0, -1.548, 5.548, 0.176, 3.2)

    Reference:
        Welch, The Generalization of "Student's" Problem, 1947 (Biometrika 34).
    """
    return contrast([x, y], [1.0, -1.0], level)


def paired(x, y, level=0.95):
    """The mean of ``x`` minus that of ``y``, which belong together one by one.

    Args:
        x, y (ndarray): ``[n]`` each; ``x[i]`` and ``y[i]`` share what a seed decides.
        level (float): probability with which the interval holds the truth.

    Returns:
        Estimate: Student's t of the differences.

    Raises:
        ValueError: the lengths differ, or as :func:`welch`.

    Example:
        >>> d = paired(np.array([3.0, 4.0, 6.0]), np.array([1.0, 2.0, 3.0]))
        >>> round(d.value, 3), round(d.low, 3), round(d.high, 3), round(d.p, 3), d.freedom
        (2.333, 0.899, 3.768, 0.02, 2.0)
    """
    x, y = check_scores("paired", [x, y])
    if len(x) != len(y):
        raise ValueError(f"paired: {len(x)} and {len(y)} values; expected pairs")
    return contrast([differences(x, y)], [1.0], level)


def differences(x, y):
    """``x - y``, ``[n]``; exactly alike where they differ from each other by rounding only."""
    d = np.subtract(x, y)
    is_rounding = np.ptp(d) <= 1e-12 * max(np.abs(x).max(), np.abs(y).max())
    return np.full_like(d, d[0]) if is_rounding else d


def deviation(x):
    """Standard deviation of ``[n]`` seeds, with n - 1; zero if all are alike, NaN of one seed."""
    if len(x) < 2:
        return np.nan
    return 0.0 if np.ptp(x) == 0 else float(np.std(x, ddof=1))  # the mean of 0.1s is not 0.1


def holm(p):
    """Probabilities of several tests, such that any false alarm among them is as rare as each says.

    Args:
        p (ndarray): ``[M]``; NaN where there was no test, which does not count.

    Returns:
        ndarray: ``[M]``, at most 1, in the order of ``p``.

    Example:
        >>> holm([0.04, 0.01, np.nan, 0.03]).tolist()
        [0.06, 0.03, nan, 0.06]

    Reference:
        Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.
    """
    p = np.array(p, dtype=np.float64)
    order = np.argsort(p)[: np.isfinite(p).sum()]  # NaN sorts last
    steps = p[order] * np.arange(len(order), 0, -1)
    p[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return p
