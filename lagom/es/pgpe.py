"""PGPE: policy gradients with parameter-based exploration, with ClipUp as the optimizer."""

import math

import numpy as np

from lagom.es.gaussian import GaussianES, finite, utilities
from lagom.es.options import FLAG, POPSIZE, POSITIVE, SHARE, is_number


def _max_speed(dim, sigma):
    return sigma * math.sqrt(dim) / 15  # the radius of the first generation, section 4


_OPTIONS = {
    "popsize": POPSIZE,
    "max_speed": (_max_speed, *POSITIVE),
    "lr": (0.5, *POSITIVE),
    "momentum": (0.9, *SHARE),
    "lr_sigma": (0.1, *POSITIVE),
    "max_change": (0.2, "a number in (0, 1)", lambda x: is_number(x) and 0 < x < 1),
    "rank": (True, *FLAG),
}


class PGPE(GaussianES):
    r"""Likelihood-ratio gradients of mean and standard deviations, from symmetric samples.

    With :math:`u` the utilities, and sums over the :math:`n` pairs,

    .. math::
        g_\mu = \frac{1}{n} \sum_i \frac{u_i^+ - u_i^-}{2}\, \sigma z_i, \qquad
        g_\sigma = \frac{1}{n} \sum_i \Big(\frac{u_i^+ + u_i^-}{2} - \bar u\Big) \sigma (z_i^2 - 1)

    The mean follows ClipUp: steps of one length in the direction of the gradient, with momentum,
    the length of which is clipped.

    Args:
        x0 (list or ndarray): ``[dim]``, mean of the first generation.
        sigma0 (float or ndarray): scalar or ``[dim]``, its standard deviation.
        opts (dict, optional): where one is missing or ``None``, its default holds.

            * ``popsize`` (int): candidates in a generation, even; by default 64.
            * ``max_speed`` (float): longest step of the mean; by default a fifteenth of the radius
              :math:`\sigma \sqrt d` of the first generation.
            * ``lr`` (float): length that a gradient adds to the velocity, as a share of
              ``max_speed``; by default 0.5.
            * ``momentum`` (float): by default 0.9.
            * ``lr_sigma`` (float): step size of the standard deviations; by default 0.1.
            * ``max_change`` (float): largest relative change of a standard deviation in a
              generation; by default 0.2.
            * ``rank`` (bool): centered ranks for :math:`u`, the default, or the values.
            * ``seed`` (int): in [0, 2**32), of a generator of its own.

    Raises:
        ValueError: if ``x0``, ``sigma0`` or an option is of no use.

    Example:
        >>> es = PGPE([1.0, 2.0], 0.5, {"popsize": 20, "seed": 1})
        >>> for _ in range(100):
        ...     solutions = es.ask()
        ...     es.tell(solutions, [x @ x for x in solutions])
        >>> bool(np.abs(es.result.xfavorite).max() < 0.1)
        True

    Reference:
        Sehnke et al., Parameter-exploring policy gradients, 2010; Toklu, Liskowski and Srivastava,
        ClipUp: A Simple and Powerful Optimizer for Distribution-based Policy Evolution, 2020
        (arXiv:2008.02387), algorithm 2.
    """

    _options = _OPTIONS
    _moving = ("_velocity",)

    def __init__(self, x0, sigma0, opts=None):
        super().__init__(x0, sigma0, opts)
        self._std = np.broadcast_to(self._std, self.x0.shape).copy()
        self._velocity = np.zeros_like(self.x0)

    def _move(self, values):
        opts, num_pair = self.opts, self.popsize // 2
        u = utilities(values) if opts["rank"] else -finite(values)
        g_mean = self._std * self._sum(u) / (2 * num_pair)
        g_std = self._std * self._sum_squares(u - u.mean()) / (2 * num_pair)

        norm = np.linalg.norm(g_mean)
        self._velocity = opts["momentum"] * self._velocity
        if norm > 0:
            self._velocity += opts["lr"] * opts["max_speed"] / norm * g_mean
        speed = np.linalg.norm(self._velocity)
        if speed > opts["max_speed"]:
            self._velocity *= opts["max_speed"] / speed
        self._mean = self._mean + self._velocity

        change = opts["max_change"]
        std = self._std + opts["lr_sigma"] * g_std
        self._std = np.clip(std, (1 - change) * self._std, (1 + change) * self._std)
