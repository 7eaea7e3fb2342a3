"""Intervals of statistics over several environments, by stratified bootstrap.

The seeds of each task are drawn again with replacement.  Of few seeds such draws vary too little:
their variance lacks a share of 1/n, and they know the spread no better than the seeds do.  What
figures and tables show are therefore percentiles further out, as Student's t asks for.

Reference:
    Agarwal et al., 2021 (arXiv:2108.13264): stratified bootstrap, profiles.  Hesterberg, What
    Teachers Should Know About the Bootstrap, 2015 (arXiv:1411.5279), section 4.3: the expanded
    percentile interval.
"""

import numpy as np

from lagom.vis.statistics import check_scores, check_share

_BLOCK = 1000  # replications at a time; bounds the memory, changes no number


def bootstrap_interval(statistic, scores, num=50_000, level=0.95, seed=0):
    """Percentile interval of a statistic of many tasks, by stratified bootstrap.

    This is the interval of rliable.  Of a few tasks with 5 seeds it holds the truth in about 90 of
    100 cases only; see :func:`expanded_interval`.

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
        >>> from lagom.vis.statistics import iqm
        >>> scores = [np.array([0.2, 0.4, 0.6]), np.array([0.9, 1.0, 1.1])]
        >>> low, high = bootstrap_interval(iqm, scores)
        >>> round(float(low), 3), round(float(high), 3)
        (0.6, 0.825)
    """
    check_share("bootstrap_interval", "level", level)
    return _percentiles("bootstrap_interval", statistic, scores, num, (1 - level) / 2, seed)


def expanded_interval(statistic, scores, num=50_000, level=0.95, seed=0):
    r"""Percentile interval by stratified bootstrap, widened for few seeds.

    With :math:`v_k = s_k^2 / n_k` of each task, its ends are the percentiles
    :math:`\Phi(\mp c\, t_{\nu,\,(1 + level) / 2})` of the draws, where

    .. math::
        c^2 = \frac{\sum_k v_k}{\sum_k v_k (n_k - 1) / n_k}, \quad
        \nu = \frac{(\sum_k v_k)^2}{\sum_k v_k^2 / (n_k - 1)}

    Args:
        statistic, scores, num, level, seed: as in :func:`bootstrap_interval`.

    Returns:
        tuple: both ends of the interval, floats or ``[M]`` each.

    Raises:
        ValueError: as :func:`bootstrap_interval`.

    Example:
        >>> from lagom.vis.statistics import iqm
        >>> scores = [np.array([0.2, 0.4, 0.6]), np.array([0.9, 1.0, 1.1])]
        >>> low, high = expanded_interval(iqm, scores)
        >>> round(float(low), 3), round(float(high), 3)
        (0.55, 0.85)
    """
    scores = check_scores("expanded_interval", scores)
    check_share("expanded_interval", "level", level)
    tail = _expanded_tail(scores, level)
    return _percentiles("expanded_interval", statistic, scores, num, tail, seed)


def _expanded_tail(scores, level):
    """The share of the draws beyond each end."""
    from scipy.special import ndtr, stdtrit

    several = [s for s in scores if len(s) > 1]
    n = np.array([len(s) for s in several])
    v = np.array([s.var(ddof=1) for s in several]) / n
    if not v.any():  # there is no draw that differs
        return (1 - level) / 2
    freedom = v.sum() ** 2 / np.sum(v**2 / (n - 1))
    missing = np.sqrt(v.sum() / np.sum(v * (n - 1) / n))
    return float(ndtr(-missing * stdtrit(freedom, (1 + level) / 2)))


def _percentiles(where, statistic, scores, num, tail, seed):
    scores = check_scores(where, scores)
    if num < 1:
        raise ValueError(f"{where}: num is {num!r}; expected at least 1")
    rng, drawn = np.random.default_rng(seed), []
    for start in range(0, num, _BLOCK):
        B = min(_BLOCK, num - start)
        drawn.append(statistic([s[rng.integers(len(s), size=(B, len(s)))] for s in scores]))
    low, high = np.quantile(np.concatenate(drawn), [tail, 1 - tail], axis=0)
    return low, high


def performance_profile(scores, thresholds, num=2000, level=0.95, interval=None):
    """The share of runs that score more than each threshold, with a pointwise interval.

    Args:
        scores (list of ndarray): ``[n]`` per task, normalized.
        thresholds (ndarray): ``[M]``.
        num, level: as in :func:`bootstrap_interval`.
        interval (callable): that function; by default :func:`expanded_interval`.

    Returns:
        tuple: the shares and both ends of the interval, ``[M]`` each.

    Raises:
        ValueError: as the interval.

    Example:
        >>> share, low, high = performance_profile([np.arange(10) / 10], [0.35, 0.75])
        >>> share.tolist(), low.tolist(), high.tolist()
        ([0.6, 0.2], [0.2, 0.0], [0.9, 0.5])
    """
    thresholds = np.asarray(thresholds, dtype=np.float64)

    def shares(scores):
        above = [(s[..., None] > thresholds).mean(-2) for s in scores]  # [..., M] per task
        return sum(above) / len(above)

    low, high = (interval or expanded_interval)(shares, scores, num, level)
    return shares(check_scores("performance_profile", scores)), low, high
