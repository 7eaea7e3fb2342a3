"""SNES: natural gradient steps of a Gaussian without correlations."""

import math

import numpy as np

from lagom.es.gaussian import GaussianES
from lagom.es.options import POPSIZE_LOG, POSITIVE


def _lr_sigma(dim, sigma):
    return (3 + math.log(dim)) / (5 * math.sqrt(dim))


_OPTIONS = {
    "popsize": POPSIZE_LOG,
    "lr": (1.0, *POSITIVE),
    "lr_sigma": (_lr_sigma, *POSITIVE),
}


class SNES(GaussianES):
    r"""Separable natural evolution strategy: no momentum, no step size to tune.

    .. math::
        \mu \leftarrow \mu + \eta_\mu\, \sigma \sum_k u_k z_k, \qquad
        \sigma \leftarrow \sigma \exp\Big(\frac{\eta_\sigma}{2} \sum_k u_k (z_k^2 - 1)\Big)

    Args:
        x0 (list or ndarray): ``[dim]``, mean of the first generation.
        sigma0 (float or ndarray): scalar or ``[dim]``, its standard deviation.
        opts (dict, optional): where one is missing or ``None``, its default holds.

            * ``popsize`` (int): candidates in a generation; by default :math:`4 + 3 \log d`.
            * ``lr`` (float): :math:`\eta_\mu`; by default 1.
            * ``lr_sigma`` (float): :math:`\eta_\sigma`; by default
              :math:`(3 + \log d) / (5 \sqrt d)`.
            * ``seed`` (int): in [0, 2**32), of a generator of its own.

    Raises:
        ValueError: if ``x0``, ``sigma0`` or an option is of no use.

    Example:
        >>> es = SNES([1.0, 2.0], 0.5, {"popsize": 10, "seed": 1})
        >>> for _ in range(100):
        ...     solutions = es.ask()
        ...     es.tell(solutions, [x @ x for x in solutions])
        >>> es.result.fbest < 1e-8
        True

    Reference:
        Schaul, Glasmachers and Schmidhuber, High Dimensions and Heavy Tails for Natural Evolution
        Strategies, 2011: algorithm 2, with the utilities of Wierstra et al., Natural Evolution
        Strategies, 2014, section 3.1.
    """

    _options = _OPTIONS
    _mirrored = False

    def __init__(self, x0, sigma0, opts=None):
        super().__init__(x0, sigma0, opts)
        self._std = np.broadcast_to(self._std, self.x0.shape).copy()
        share = np.log(self.popsize / 2 + 1) - np.log(np.arange(1, self.popsize + 1))
        share = np.maximum(share, 0.0)
        self._shares = share / share.sum() - 1 / self.popsize  # of the best, the next, ...

    def _move(self, values):
        u = np.empty(self.popsize)
        u[np.argsort(values, kind="stable")] = self._shares
        self._mean = self._mean + self.opts["lr"] * self._std * self._sum(u)
        self._std = self._std * np.exp(self.opts["lr_sigma"] / 2 * self._sum_squares(u))
