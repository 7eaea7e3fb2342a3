"""Functions to try strategies on; each has the minimum 0."""

from typing import NamedTuple

import numpy as np


class Problem(NamedTuple):
    """A function with what a search needs to know of it.

    Attributes:
        f (function): ``[N, dim]`` float64 to values ``[N]``, one of each row.
        width (float): the usual domain is ``[-width, width]`` in each dimension.
        sigma0 (float): a sensible initial standard deviation.
        optimum (float): each coordinate of the minimum.
    """

    f: object
    width: float
    sigma0: float
    optimum: float = 0.0


def _scales(x, power):
    """``1`` to ``10**power`` along the dimensions, a geometric sequence."""
    dim = x.shape[1]
    return 10.0 ** (power * np.arange(dim) / max(dim - 1, 1))


def sphere(x):
    """The sum of squares."""
    return np.square(x).sum(1)


def ellipsoid(x):
    """A sphere whose axes differ: condition 1e6."""
    return np.square(x) @ _scales(x, 6)


def cigar(x):
    """One long axis, all others short: condition 1e6."""
    return x[:, 0] ** 2 + 1e6 * np.square(x[:, 1:]).sum(1)


def discus(x):
    """One short axis, all others long: condition 1e6."""
    return 1e6 * x[:, 0] ** 2 + np.square(x[:, 1:]).sum(1)


def rosenbrock(x):
    """A bent valley; the minimum is at one (Rosenbrock, 1960)."""
    head, tail = x[:, :-1], x[:, 1:]
    return (100 * (tail - head**2) ** 2 + (1 - head) ** 2).sum(1)


def rastrigin(x):
    """A sphere with about ``10**dim`` local minima."""
    return 10 * x.shape[1] + (x**2 - 10 * np.cos(2 * np.pi * x)).sum(1)


def ackley(x):
    """A funnel in a plain with ripples (Ackley, 1987)."""
    far, ripple = np.sqrt(np.square(x).mean(1)), np.cos(2 * np.pi * x).mean(1)
    value = 20 * -np.expm1(-0.2 * far) + np.e - np.exp(ripple)
    return np.maximum(value, 0.0)  # rounding


def griewank(x):
    """A wide bowl with ripples (Griewank, 1981)."""
    ripple = np.cos(x / np.sqrt(np.arange(1, x.shape[1] + 1))).prod(1)
    return np.square(x).sum(1) / 4000 - ripple + 1


def schwefel(x):
    """The best minimum is far from the next best, at 420.97 (Schwefel, 1981); steep outside."""
    inside = np.clip(x, -500, 500)
    outside = np.square(x - inside).sum(1)
    value = _SCHWEFEL * x.shape[1] - (inside * np.sin(np.sqrt(np.abs(inside)))).sum(1)
    return np.maximum(value, 0.0) + outside


def styblinski_tang(x):
    """Two minima in each dimension, the better one at -2.9035 (Styblinski and Tang, 1990)."""
    value = (x**4 - 16 * x**2 + 5 * x).sum(1) / 2 + _STYBLINSKI * x.shape[1]
    return np.maximum(value, 0.0)


def step(x):
    """A sphere of plateaus."""
    return np.square(np.floor(x + 0.5)).sum(1)


def different_powers(x):
    """Squares to sixth powers: the search has to change its scales for ever."""
    powers = 2 + 4 * np.arange(x.shape[1]) / max(x.shape[1] - 1, 1)
    return (np.abs(x) ** powers).sum(1)


_SCHWEFEL_AT = 420.9687462275036
_SCHWEFEL = _SCHWEFEL_AT * np.sin(np.sqrt(_SCHWEFEL_AT))
_STYBLINSKI_AT = -2.903534027771177
_STYBLINSKI = -(_STYBLINSKI_AT**4 - 16 * _STYBLINSKI_AT**2 + 5 * _STYBLINSKI_AT) / 2
#: Name to :class:`Problem`; the minimum of each is 0.
PROBLEMS = {
    "ackley": Problem(ackley, 30.0, 15.0),
    "cigar": Problem(cigar, 4.0, 2.0),
    "different_powers": Problem(different_powers, 4.0, 2.0),
    "discus": Problem(discus, 4.0, 2.0),
    "ellipsoid": Problem(ellipsoid, 4.0, 2.0),
    "griewank": Problem(griewank, 600.0, 200.0),
    "rastrigin": Problem(rastrigin, 5.0, 5.0),
    "rosenbrock": Problem(rosenbrock, 2.0, 0.5, 1.0),
    "schwefel": Problem(schwefel, 500.0, 250.0, _SCHWEFEL_AT),
    "sphere": Problem(sphere, 4.0, 2.0),
    "step": Problem(step, 4.0, 2.0),
    "styblinski_tang": Problem(styblinski_tang, 5.0, 2.0, _STYBLINSKI_AT),
}
