"""CMA-ES without the package ``cma``: the same strategy, by fewer and cheaper operations."""

from collections import deque

import numpy as np

from lagom.es.base import BaseES, Result, told, told_values
from lagom.es.cma_factor import Full, Separable
from lagom.es.options import FLAG, POPSIZE_LOG, check_start, checked_options

_TOL = 1e-11  # of values, and of steps over the initial one: where cma stops as well

_OPTIONS = {
    "popsize": POPSIZE_LOG,
    "CMA_diagonal": (False, *FLAG),
    "CMA_active": (True, *FLAG),
}


class NativeCMAES(BaseES):
    r"""Covariance matrix adaptation with active updates; full or separable.

    Constants and updates are those of :class:`~lagom.es.CMAES`, with two differences that a search
    does not notice: the square root of the covariance is its Cholesky factor, 15 times cheaper than
    eigenvectors, and the search has the precision of ``x0``: float32 if that is an array of
    float32, float64 otherwise.  ``stop()`` says when it has converged; nothing stops by itself.

    Args:
        x0 (list or ndarray): ``[dim]``, where the search begins.
        sigma0 (float): initial standard deviation.
        opts (dict, optional): where one is missing or ``None``, its default holds.

            * ``popsize`` (int): candidates in a generation; by default :math:`4 + 3 \log d`.
            * ``CMA_diagonal`` (bool): no correlations: linear time, and a faster adaptation of
              scales; by default false.
            * ``CMA_active`` (bool): bad candidates shrink the covariance; by default true.
            * ``seed`` (int): in [0, 2**32), of a generator of its own.

    Raises:
        ValueError: if ``x0``, ``sigma0`` or an option is of no use.

    Example:
        >>> es = NativeCMAES([1.0, 2.0], 0.5, {"popsize": 8, "seed": 1})
        >>> for _ in range(40):
        ...     solutions = es.ask()
        ...     es.tell(solutions, [x @ x for x in solutions])
        >>> es.result.fbest < 1e-6
        True

    Reference:
        Hansen, The CMA Evolution Strategy: A Tutorial, 2016 (arXiv:1604.00772), eqs. 38 to 58;
        Ros and Hansen, A Simple Modification in CMA-ES Achieving Linear Time and Space Complexity,
        2008; Krause, Arbones and Igel, CMA-ES with Optimal Covariance Update and Storage
        Complexity, 2016: the Cholesky factor in place of the symmetric root.
    """

    _options = _OPTIONS

    option_names = (*_OPTIONS, "seed")

    def __init__(self, x0, sigma0, opts=None):
        self.x0, self.sigma0 = check_start("NativeCMAES", x0, sigma0, scalar=True)
        self.opts = checked_options("NativeCMAES", self._options, opts, self.dim, self.sigma0)
        self.popsize = self.opts["popsize"]
        self.rng = np.random.Generator(np.random.SFC64(self.opts["seed"]))
        dim, dtype = self.dim, self.x0.dtype
        self._set_constants()
        self._mean, self._sigma = self.x0.copy(), float(self.sigma0)
        self._ps, self._pc = np.zeros((2, dim), dtype)
        self._cov = (Separable if self.opts["CMA_diagonal"] else Full)(dim, dtype)
        self._xbest, self._fbest, self._evals_best = None, np.inf, None
        self._iterations, self._age = 0, 0  # generations, and those since the last factor
        self._z = self._asked = None  # of the generation that has not been told
        # Of each generation the best value; of the last the range.
        self._history = deque(maxlen=10 + int(30 * dim / self.popsize))
        self._range = np.inf

    def _set_constants(self):
        n, num = self.dim, self.popsize
        raw = np.log((num + 1) / 2) - np.log(np.arange(1, num + 1))  # eq. 49
        mu = num // 2
        good, bad = raw[:mu] / raw[:mu].sum(), raw[mu:]
        mueff = 1 / (good**2).sum()
        mueff_bad = bad.sum() ** 2 / (bad**2).sum()
        self._mueff = mueff
        self._cs = (mueff + 2) / (n + mueff + 3)
        self._damping = 1 + 2 * max(0, np.sqrt((mueff - 1) / (n + 1)) - 1) + self._cs
        self._cc = (4 + mueff / n) / (n + 4 + 2 * mueff / n)  # eq. 56
        c1 = min(1, num / 6) * 2 / ((n + 1.3) ** 2 + mueff)  # eq. 57
        cmu = min(1 - c1, 2 * (0.25 + mueff + 1 / mueff - 2) / ((n + 2) ** 2 + mueff))  # eq. 58
        if self.opts["CMA_diagonal"]:  # n variances are learned faster than n^2 / 2 covariances
            c1, cmu, self._cc = _separable_rates(n, mueff)
        total = min(1 + c1 / cmu, 1 + 2 * mueff_bad / (mueff + 2), (1 - c1 - cmu) / (n * cmu))
        bad = bad / bad.sum() * total * self.opts["CMA_active"]  # eq. 53
        self._c1, self._cmu, self._good, self._bad = c1, cmu, good, bad
        self._gap = max(1, int(0.5 / (n * (c1 + cmu))))  # generations that a factor serves

    @property
    def dim(self):
        """Number of parameters of a solution."""
        return self.x0.size

    def ask(self):
        """Return the candidates of this generation, ``[popsize, dim]``, not to be written into.

        Until they are told, another call returns the same ones.
        """
        if self._asked is None:
            self._z = self.rng.standard_normal((self.popsize, self.dim), dtype=self.x0.dtype)
            y = self._cov.times(self._z)
            self._asked = y * self.x0.dtype.type(self._sigma) + self._mean  # eqs. 38 to 40
            self._asked.flags.writeable = False
        return self._asked

    def tell(self, solutions, function_values):
        """Update the search distribution.

        Args:
            solutions (list or ndarray): ``[popsize, dim]``, the candidates of :meth:`ask`, or
                others, for example after a repair.
            function_values (list or ndarray): ``[popsize]``, smaller is better. A NaN counts as
                infinity, worse than any number.

        Raises:
            ValueError: if a shape is wrong.
        """
        own = self._asked is not None and solutions is self._asked
        if own:
            values = told_values(self, function_values)
        else:
            solutions, values = told(self, solutions, function_values)
        order = np.argsort(values, kind="stable")
        if values[order[0]] < self._fbest:
            self._xbest, self._fbest = np.array(solutions[order[0]]), float(values[order[0]])
            self._evals_best = self._iterations * self.popsize + int(order[0]) + 1
        y = ((solutions - self._mean) / self._sigma).astype(self.x0.dtype)[order]
        z = self._z[order] if own else self._cov.solve(y)
        self._update(y, z)
        self._history.append(float(values[order[0]]))
        self._range = float(values[order[-1]]) - float(values[order[0]])
        self._asked = self._z = None

    def _update(self, y, z):
        """Move the distribution; ``y`` and ``z`` ``[popsize, dim]`` are sorted, best first."""
        n, cs, cc, mu = self.dim, self._cs, self._cc, len(self._good)
        good = self._good.astype(y.dtype)
        y_w, z_w = good @ y[:mu], good @ z[:mu]
        self._iterations += 1
        self._mean = self._mean + y.dtype.type(self._sigma) * y_w  # eq. 42
        self._ps = (1 - cs) * self._ps + np.sqrt(cs * (2 - cs) * self._mueff) * z_w  # eq. 43
        self._ps = self._ps.astype(y.dtype)
        length = float(self._ps @ self._ps)
        grown = length / (1 - (1 - cs) ** (2 * self._iterations)) / n
        hsig = grown < 2 + 4 / (n + 1)
        self._pc = (1 - cc) * self._pc
        if hsig:
            step = np.sqrt(cc * (2 - cc) * self._mueff) * y_w
            self._pc = (self._pc + step).astype(y.dtype)  # eq. 45
        # eq. 46: bad steps count at the length of an average one, which keeps the matrix positive.
        bad = self._bad * n / (np.square(z[mu:]).sum(1) + 1e-30)
        c1 = self._c1 * (1 - (not hsig) * cc * (2 - cc))
        decay = 1 - c1 - self._cmu * (self._good.sum() - self._bad.sum())
        weights = np.concatenate([self._cmu * self._good, -self._cmu * bad, [self._c1]])
        self._cov.update(decay, weights, np.concatenate([y, self._pc[None]]))  # eq. 47
        self._age += 1
        if self._age >= self._gap:
            self._cov.refactor()
            self._age = 0
        chi = np.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n))
        step = cs / self._damping * (np.sqrt(length) / chi - 1)  # eq. 44
        self._sigma *= float(np.exp(min(1.0, step)))

    @property
    def result(self):
        """Where the search stands, a :class:`~lagom.es.Result`."""
        return Result(
            xbest=None if self._xbest is None else self._xbest.copy(),
            fbest=self._fbest,
            evals_best=self._evals_best,
            evaluations=self._iterations * self.popsize,
            iterations=self._iterations,
            xfavorite=self._mean.copy(),
            stds=self._sigma * self._cov.stds(),
        )

    def stop(self):
        """Return the reasons to stop and their thresholds, as ``cma`` names them; empty if none."""
        reasons = {}
        values = self._history
        if len(values) == values.maxlen and max(max(values) - min(values), self._range) < _TOL:
            reasons["tolfun"] = _TOL
        small = np.maximum(np.abs(self._pc), self._cov.stds())
        if (self._sigma * small < _TOL * self.sigma0).all():
            reasons["tolx"] = _TOL * float(self.sigma0)
        return reasons

    def state_dict(self):
        """Return the arguments of this search and where it stands, as plain data."""
        return {
            "x0": self.x0.copy(),
            "sigma0": self.sigma0.copy(),
            "opts": dict(self.opts),
            "vectors": [x.copy() for x in (self._mean, self._ps, self._pc)],
            "sigma": self._sigma,
            "covariance": self._cov.state_dict(),
            "best": [None if self._xbest is None else self._xbest.copy(), self._fbest],
            "evals_best": self._evals_best,
            "counts": [self._iterations, self._age],
            "history": list(self._history),
            "range": self._range,
            "rng": self.rng.bit_generator.state,
            "z": None if self._z is None else self._z.copy(),
            "asked": None if self._asked is None else self._asked.copy(),
        }

    def load_state_dict(self, state):
        """Continue the search that ``state`` was taken from, with its options, to the last bit."""
        self.__init__(state["x0"], state["sigma0"], state["opts"])
        self._mean, self._ps, self._pc = (x.copy() for x in state["vectors"])
        self._sigma = state["sigma"]
        self._cov.load_state_dict(state["covariance"])
        self._xbest, self._fbest = state["best"]
        self._evals_best = state["evals_best"]
        self._iterations, self._age = state["counts"]
        self._history.extend(state["history"])
        self._range = state["range"]
        self.rng.bit_generator.state = state["rng"]
        self._z, self._asked = state["z"], state["asked"]

    def __repr__(self):
        return f"NativeCMAES in dimension {self.dim} (seed={self.opts['seed']})"


def _separable_rates(n, mueff):
    """Rates of the rank-one and rank-mu updates and of the path for a diagonal covariance."""
    c1 = 1 / (n + 2 * np.sqrt(n) + mueff / n)
    rank_mu = 0.25 + mueff + 1 / mueff - 2
    cmu = min(1 - c1, rank_mu / (n + 4 * np.sqrt(n) + mueff / 2))
    cc = (1 + 1 / n + mueff / n) / (np.sqrt(n) + 1 / n + 2 * mueff / n)
    return c1, cmu, cc
