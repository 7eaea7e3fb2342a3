"""Ranks in place of values."""

import numpy as np


def rank_transform(x, centered=True):
    r"""Rank of each element, 0 for the smallest; centered, from -0.5 to 0.5.

    Fitness that is ranked has no outliers: evolution strategies then do not care about the scale
    of the objective, nor about a single value that is far off.

    Args:
        x (ndarray): ``[N]``, real.  Equal values get different ranks, in the order they stand in;
            NaN ranks as the largest.
        centered (bool): return :math:`r / (N - 1) - 1/2` instead of :math:`r`; a single element is
            in the middle, at 0.

    Returns:
        ndarray: ``[N]``, int64, or float64 if centered.

    Raises:
        ValueError: if ``x`` does not have one dimension.

    Example:
        >>> rank_transform([3, 14, 1])
        array([ 0. ,  0.5, -0.5])
        >>> rank_transform([3, 14, 1], centered=False)
        array([1, 2, 0])

    Reference:
        Salimans et al., Evolution Strategies as a Scalable Alternative to Reinforcement Learning,
        2017 (arXiv:1703.03864), section 2.1: fitness shaping.
    """
    x = np.asarray(x)
    if x.ndim != 1:
        raise ValueError(f"rank_transform: x has shape {x.shape}; expected [N]")
    N = len(x)
    ranks = np.empty(N, np.int64)
    ranks[x.argsort(kind="stable")] = np.arange(N)
    return (ranks - (N - 1) / 2) / max(N - 1, 1) if centered else ranks
