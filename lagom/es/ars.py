"""Augmented random search: finite differences along the directions that matter."""

import numpy as np

from lagom.es.gaussian import GaussianES, finite
from lagom.es.options import POPSIZE, POSITIVE, is_whole

_OPTIONS = {
    "popsize": POPSIZE,
    "num_top": (None, "a whole number of at least 1", lambda x: is_whole(x, 1)),
    "lr": (0.02, *POSITIVE),
}


class ARS(GaussianES):
    r"""Steps along random directions, weighted by the difference that each of them makes.

    .. math::
        \mu \leftarrow \mu + \frac{\alpha}{b\, \sigma_R} \sum_{k=1}^{b} (r_k^+ - r_k^-)\, \delta_k

    The :math:`b` directions with the best candidate are used, and :math:`\sigma_R` is the standard
    deviation of the :math:`2b` values used.  Normalizing observations, which makes V2 of V1, is the
    business of whoever evaluates.

    Args:
        x0 (list or ndarray): ``[dim]``, mean of the first generation.
        sigma0 (float): standard deviation of the noise; :math:`\nu` in the paper.
        opts (dict, optional): where one is missing or ``None``, its default holds.

            * ``popsize`` (int): candidates in a generation, two for each direction; by default 64.
            * ``num_top`` (int): directions used, :math:`b`; by default all.
            * ``lr`` (float): step size :math:`\alpha`; by default 0.02.
            * ``seed`` (int): in [0, 2**32), of a generator of its own.

    Raises:
        ValueError: if ``x0``, ``sigma0`` or an option is of no use.

    Example:
        >>> es = ARS([1.0, 2.0], 0.1, {"popsize": 8, "lr": 0.1, "seed": 1})
        >>> for _ in range(100):
        ...     solutions = es.ask()
        ...     es.tell(solutions, [x @ x for x in solutions])
        >>> bool(np.abs(es.result.xfavorite).max() < 0.2)
        True

    Reference:
        Mania et al., Simple random search provides a competitive approach to reinforcement
        learning, 2018 (arXiv:1803.07055), algorithm 2.
    """

    _options = _OPTIONS

    def __init__(self, x0, sigma0, opts=None):
        super().__init__(x0, sigma0, opts)
        num_direction = self.popsize // 2
        num_top = self.opts["num_top"] or num_direction
        if num_top > num_direction:
            raise ValueError(
                f"ARS: num_top is {num_top!r}; expected at most {num_direction}, half the popsize"
            )
        self.num_top = num_top

    def _move(self, values):
        returns = -finite(values)
        best = np.maximum(returns[::2], returns[1::2])  # of each direction
        used = np.zeros(self.popsize // 2, bool)
        used[np.argsort(-best, kind="stable")[: self.num_top]] = True
        used = np.repeat(used, 2)
        std = returns[used].std()
        if std > 0:
            step = self._sum(np.where(used, returns, 0.0) / std)  # of r+ delta - r- delta
            self._mean = self._mean + self.opts["lr"] / self.num_top * step
