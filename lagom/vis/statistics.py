"""What a few seeds can and cannot tell: intervals, tests, and how many seeds it takes.

Scores over several environments are a list with an array per task, ``[..., n]``, one number per
seed; tasks may have different numbers of seeds, and count the same.  Leading axes are replications.

Reference:
    Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice, 2021
    (arXiv:2108.13264): IQM, optimality gap, profiles, stratified bootstrap.  Colas et al., 2019
    (arXiv:1904.06979): Welch's test, and the seeds it needs.
"""

from dataclasses import dataclass

import numpy as np

_BLOCK = 1000  # replications at a time; bounds the memory, changes no number
_NUM_QUANTILE = 200  # of an integral; its error is below 1e-4


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


def iqm(scores):
    """Interquartile mean: the mean of the scores without the lowest and the highest quarter.

    Made for collections of tasks: on a single one it hides exactly the failures one must see.

    Args:
        scores (list of ndarray): ``[..., n]`` per task, normalized.

    Returns:
        ndarray: ``[...]``, over all seeds of all tasks; quarters are rounded down to whole scores.

    Raises:
        ValueError: there is no task, or one has no seed or a score that is no number.

    Example:
        >>> float(iqm([np.array([0.0, 2.0]), np.array([3.0, 100.0])]))
        2.5
    """
    scores = _check("iqm", scores)
    values = np.concatenate(scores, axis=-1)  # [..., N]
    N = values.shape[-1]
    weights = np.concatenate([np.full(s.shape[-1], 1 / s.shape[-1] / len(scores)) for s in scores])
    order, cut = np.argsort(values), N // 4 / N
    inside = np.clip(np.cumsum(weights[order], axis=-1), cut, 1 - cut)
    share = np.diff(inside, axis=-1, prepend=cut)  # [..., N], of the weight that is left
    return (np.take_along_axis(values, order, -1) * share).sum(-1) / (1 - 2 * cut)


def optimality_gap(scores, target=1.0):
    """How far the scores stay below ``target`` on average; those above it earn nothing.

    Args:
        scores (list of ndarray): ``[..., n]`` per task, normalized.
        target (float): what is good enough.

    Returns:
        ndarray: ``[...]``.

    Raises:
        ValueError: as :func:`iqm`.

    Example:
        >>> float(optimality_gap([np.array([0.5, 3.0])]))
        0.25
    """
    scores = _check("optimality_gap", scores)
    return target - sum(np.minimum(s, target).mean(-1) for s in scores) / len(scores)


def probability_of_improvement(x, y):
    """Probability that a run of ``x`` is better than one of ``y``, averaged over the tasks.

    This is the Mann-Whitney statistic: of all pairs of runs on a task, the share that ``x`` wins,
    ties counting half.

    Args:
        x, y (list of ndarray): ``[..., n]`` and ``[..., m]`` per task, in the same order.

    Returns:
        ndarray: ``[...]``, in [0, 1].

    Raises:
        ValueError: as :func:`iqm`, or the numbers of tasks differ.

    Example:
        >>> float(probability_of_improvement([np.array([1.0, 2.0])], [np.array([2.0, 0.0])]))
        0.625
    """
    x, y = (_check("probability_of_improvement", scores) for scores in (x, y))
    if len(x) != len(y):
        raise ValueError(
            f"probability_of_improvement: {len(x)} and {len(y)} tasks; expected the same tasks"
        )
    wins = 0.0
    for a, b in zip(x, y, strict=True):
        a, b = a[..., :, None], b[..., None, :]
        wins += ((a > b).mean((-2, -1)) + (a >= b).mean((-2, -1))) / 2
    return wins / len(x)


def performance_profile(scores, thresholds, num=2000, level=0.95, seed=0):
    """The share of runs that score more than each threshold, with a pointwise interval.

    Args:
        scores (list of ndarray): ``[n]`` per task, normalized.
        thresholds (ndarray): ``[M]``.
        num, level, seed: as in :func:`bootstrap_interval`.

    Returns:
        tuple: the shares and both ends of the interval, ``[M]`` each.

    Raises:
        ValueError: as :func:`bootstrap_interval`.

    Example:
        >>> share, low, high = performance_profile([np.array([0.1, 0.6, 0.8, 1.2])], [0.5, 1.0])
        >>> share.tolist(), low.tolist(), high.tolist()
        ([0.75, 0.25], [0.25, 0.0], [1.0, 0.75])
    """
    thresholds = np.asarray(thresholds, dtype=np.float64)

    def shares(scores):
        above = [(s[..., None] > thresholds).mean(-2) for s in scores]  # [..., M] per task
        return sum(above) / len(above)

    low, high = bootstrap_interval(shares, scores, num, level, seed)
    return shares(_check("performance_profile", scores)), low, high


def bootstrap_interval(statistic, scores, num=50_000, level=0.95, seed=0):
    """Percentile interval of a statistic of many tasks, by stratified bootstrap.

    The seeds of each task are drawn again with replacement.  Of a few tasks with 3 to 5 seeds such
    an interval is too narrow; of a single task it is below 20 to 30 seeds.

    Args:
        statistic (callable): from a list of ``[B, n]`` arrays to ``[B]`` or ``[B, M]``.
        scores (list of ndarray): ``[n]`` per task.  For two configurations give both lists, one
            after the other, and let ``statistic`` part them.
        num (int): replications.
        level (float): share of the replications inside.
        seed (int): of the draws; the same numbers each time.

    Returns:
        tuple: both ends of the interval, floats or ``[M]`` each.

    Raises:
        ValueError: there is no task, or one has no seed or a score that is no number, or ``num``
            or ``level`` is out of its range.

    Example:
        >>> scores = [np.array([0.2, 0.4, 0.6]), np.array([0.9, 1.0, 1.1])]
        >>> low, high = bootstrap_interval(iqm, scores)
        >>> round(float(low), 3), round(float(high), 3)
        (0.6, 0.825)
    """
    scores = _check("bootstrap_interval", scores)
    _check_share("bootstrap_interval", "level", level)
    if num < 1:
        raise ValueError(f"bootstrap_interval: num is {num!r}; expected at least 1")
    rng, drawn = np.random.default_rng(seed), []
    for start in range(0, num, _BLOCK):
        B = min(_BLOCK, num - start)
        drawn.append(statistic([s[rng.integers(len(s), size=(B, len(s)))] for s in scores]))
    low, high = np.quantile(np.concatenate(drawn), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


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

    samples = _check("contrast", samples)
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
    x, y = _check("paired", [x, y])
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


def _check(where, scores):
    """The scores as float64 arrays, ``[..., n]`` each."""
    scores = [np.asarray(s, dtype=np.float64) for s in scores]
    if not scores:
        raise ValueError(f"{where}: no task; expected a list with an array for each")
    for s in scores:
        if s.ndim == 0 or s.size == 0 or not np.isfinite(s).all():
            raise ValueError(
                f"{where}: got {s.tolist()!r:.80} of shape {s.shape}; expected the finite scores "
                "of at least one seed; leave out what is missing"
            )
    return scores


def _check_share(where, name, value):
    if not 0 < value < 1:
        raise ValueError(f"{where}: {name} is {value!r}; expected a number between 0 and 1")


def _check_design(where, deviations, n, power, alpha):
    for sd in deviations:
        if not 0 <= sd < np.inf:
            raise ValueError(f"{where}: a deviation is {sd!r}; expected a finite one, not below 0")
    if n < 2:
        raise ValueError(f"{where}: {n!r} seeds; expected at least 2")
    _check_share(where, "power", power)
    _check_share(where, "alpha", alpha)
    if power <= alpha:
        raise ValueError(f"{where}: power is {power!r}; expected more than alpha, {alpha!r}")
