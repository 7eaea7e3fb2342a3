"""Scores over several environments in one number.

They are a list with an array per task, ``[..., n]``, one number per seed; tasks may have different
numbers of seeds, and count the same.  Leading axes are replications.

Reference:
    Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice, 2021
    (arXiv:2108.13264).
"""

import numpy as np


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
    scores = check_scores("iqm", scores)
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
    scores = check_scores("optimality_gap", scores)
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
    x, y = (check_scores("probability_of_improvement", scores) for scores in (x, y))
    if len(x) != len(y):
        raise ValueError(
            f"probability_of_improvement: {len(x)} and {len(y)} tasks; expected the same tasks"
        )
    wins = 0.0
    for a, b in zip(x, y, strict=True):
        a, b = a[..., :, None], b[..., None, :]
        wins += ((a > b).mean((-2, -1)) + (a >= b).mean((-2, -1))) / 2
    return wins / len(x)


def check_scores(where, scores):
    """The scores of each task as float64 arrays, ``[..., n]``.

    Raises:
        ValueError: there is no task, or one has no seed or a score that is no number.
    """
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


def check_share(where, name, value):
    """Raise ValueError unless ``value`` lies between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"{where}: {name} is {value!r}; expected a number between 0 and 1")
