"""OpenAI-ES: an optimizer follows the gradient of a smoothed objective."""

import numpy as np

from lagom.es.gaussian import GaussianES, finite, utilities
from lagom.es.options import FLAG, NOT_NEGATIVE, POPSIZE, POSITIVE, SHARE, is_number
from lagom.transform import LinearSchedule

_EPS = 1e-8


def _is_schedule(x):
    return isinstance(x, list | tuple) and len(x) == 2 and all(map(is_number, x)) and min(x) > 0


_OPTIONS = {
    "popsize": POPSIZE,
    "lr": (0.01, *POSITIVE),
    "lr_decay": (1.0, "a number in (0, 1]", lambda x: is_number(x) and 0 < x <= 1),
    "beta1": (0.9, *SHARE),
    "beta2": (0.999, *SHARE),
    "weight_decay": (0.0, *NOT_NEGATIVE),
    "rank": (True, *FLAG),
    "mirrored": (True, *FLAG),
    "sigma_schedule": (None, "[final, N], positive numbers", _is_schedule),
}


class OpenAIES(GaussianES):
    r"""Natural evolution strategy with a fixed standard deviation, ranks and Adam.

    .. math::
        g = \frac{1}{n \sigma} \sum_i u_i z_i, \qquad
        \mu \leftarrow \mathrm{Adam}(\mu, g - \lambda \mu)

    Args:
        x0 (list or ndarray): ``[dim]``, mean of the first generation.
        sigma0 (float): standard deviation of the noise.
        opts (dict, optional): where one is missing or ``None``, its default holds.

            * ``popsize`` (int): candidates in a generation, even; by default 64.
            * ``lr`` (float): step size of Adam; by default 0.01.
            * ``lr_decay`` (float): factor of the step size after each generation; by default 1.
            * ``beta1``, ``beta2`` (float): decay of Adam's moments; by default 0.9 and 0.999.
            * ``weight_decay`` (float): :math:`\lambda`; by default 0.
            * ``rank`` (bool): centered ranks for :math:`u`, the default, or standardized values.
            * ``mirrored`` (bool): candidates in pairs of opposite noise; by default true.
            * ``sigma_schedule`` (list): ``[final, N]``, linear change of the standard deviation
              over ``N`` generations; by default none.
            * ``seed`` (int): in [0, 2**32), of a generator of its own.

    Raises:
        ValueError: if ``x0``, ``sigma0`` or an option is of no use.

    Example:
        >>> es = OpenAIES([1.0, 2.0], 0.1, {"popsize": 20, "lr": 0.1, "seed": 1})
        >>> for _ in range(100):
        ...     solutions = es.ask()
        ...     es.tell(solutions, [x @ x for x in solutions])
        >>> bool(np.abs(es.result.xfavorite).max() < 0.1)
        True

    Reference:
        Salimans et al., Evolution Strategies as a Scalable Alternative to Reinforcement Learning,
        2017 (arXiv:1703.03864), algorithm 1 with section 2.1: mirrored sampling, fitness shaping
        and weight decay.  Equal values share a rank here.
    """

    _options = _OPTIONS
    _moving = ("_m", "_v")

    def __init__(self, x0, sigma0, opts=None):
        super().__init__(x0, sigma0, opts)
        self._mirrored = self.opts["mirrored"]
        self._m, self._v = np.zeros_like(self.x0), np.zeros_like(self.x0)

    def _move(self, values):
        opts, t = self.opts, self._iterations + 1
        if opts["rank"]:
            u = utilities(values)
        else:
            u = -finite(values)
            u = (u - u.mean()) / (u.std() + _EPS)
        g = self._sum(u) / (self.popsize * self._std) - opts["weight_decay"] * self._mean
        self._m += (1 - opts["beta1"]) * (g - self._m)
        self._v += (1 - opts["beta2"]) * (g * g - self._v)
        lr = opts["lr"] * opts["lr_decay"] ** self._iterations
        m, v = self._m / (1 - opts["beta1"] ** t), self._v / (1 - opts["beta2"] ** t)
        self._mean = self._mean + lr * m / (np.sqrt(v) + _EPS)
        if opts["sigma_schedule"]:
            final, num = opts["sigma_schedule"]
            share = LinearSchedule(0.0, 1.0, num)(t)
            self._std = (self.sigma0 + share * (final - self.sigma0)).astype(self.x0.dtype)
