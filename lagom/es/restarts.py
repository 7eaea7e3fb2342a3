"""Restarts of CMA-ES where it has converged: with growing populations, or with two kinds."""

import numpy as np

from lagom.es.base import BaseES, Result
from lagom.es.cmaes import CMAES
from lagom.es.native_cmaes import NativeCMAES

_IMPLEMENTATIONS = ("auto", "native", "cma")
_KINDS = ("none", "ipop", "bipop")


def make_cmaes(x0, sigma0, opts=None):
    """CMA-ES as configured: which implementation, and whether it restarts.

    Args:
        x0 (list or ndarray): ``[dim]``, where the search begins.
        sigma0 (float): initial standard deviation.
        opts (dict, optional): ``implementation``: ``native``, ``cma``, or ``auto``, the default,
            which is the native one where it knows all options, since it is faster; ``restart``:
            ``none``, the default, ``ipop`` or ``bipop``; everything else goes to the strategy.

    Returns:
        BaseES: a :class:`NativeCMAES`, a :class:`CMAES`, or :class:`Restarts` of one.

    Raises:
        ValueError: if an option is of no use.
    """
    opts = {"implementation": "auto", "restart": "none", **(opts or {})}
    choices = {"implementation": _IMPLEMENTATIONS, "restart": _KINDS}
    for key, known in choices.items():
        if opts[key] not in known:
            raise ValueError(f"CMA-ES: {key} is {opts[key]!r}; expected one of {', '.join(known)}")
    implementation, kind = opts.pop("implementation"), opts.pop("restart")
    if implementation == "auto":
        known = opts.keys() <= {*NativeCMAES.option_names}
        implementation = "native" if known and np.ndim(sigma0) == 0 else "cma"
    strategy = NativeCMAES if implementation == "native" else CMAES
    if kind == "none":
        return strategy(x0, sigma0, opts)
    return Restarts(strategy, x0, sigma0, opts, kind)


class Restarts(BaseES):
    """A strategy that begins again, elsewhere and with another population, when it has converged.

    A restart begins at ``x0`` plus uniform noise of two standard deviations to each side.

    Args:
        strategy (type): :class:`CMAES` or :class:`NativeCMAES`.
        x0 (list or ndarray): ``[dim]``, where the first search begins.
        sigma0 (float): initial standard deviation.
        opts (dict, optional): of the strategy.
        kind (str): ``ipop`` doubles the population at each restart; ``bipop`` also makes small
            searches with small steps, as long as they have used fewer evaluations than the others.

    Attributes:
        num_restart (int): how often it has begun again.

    Reference:
        Auger and Hansen, A Restart CMA Evolution Strategy With Increasing Population Size, 2005;
        Hansen, Benchmarking a BI-Population CMA-ES on the BBOB-2009 Function Testbed, 2009.
    """

    def __init__(self, strategy, x0, sigma0, opts=None, kind="ipop"):
        self.strategy, self.kind, self.opts = strategy, kind, dict(opts or {})
        self.es = strategy(x0, sigma0, self.opts)
        self.opts["seed"] = self.es.opts["seed"]
        self.x0, self.sigma0 = self.es.x0, self.es.sigma0
        self.rng = np.random.default_rng(self.opts["seed"])
        self.num_restart, self._num_large = 0, 0
        self._popsize0 = self.es.popsize
        self._used = {"large": 0, "small": 0}  # evaluations, by the kind of search
        self._regime, self._arguments = "large", None
        self._before = (None, np.inf, None, 0, 0)  # result of the searches before this one

    @property
    def dim(self):
        """Number of parameters of a solution."""
        return self.es.dim

    @property
    def popsize(self):
        """Number of solutions in this generation."""
        return self.es.popsize

    def ask(self):
        """Return the candidates of this generation, ``popsize`` arrays of ``[dim]``."""
        return self.es.ask()

    def tell(self, solutions, function_values):
        """Update the search; if it has converged, the next generation is that of another."""
        self.es.tell(solutions, function_values)
        if self.es.stop():
            self._restart()

    def _restart(self):
        result = self.result
        self._used[self._regime] += self.es.result.evaluations
        self._before = result[:5]
        self.num_restart += 1
        popsize, scale = self._next()
        width = 2.0 * np.ones(self.dim) * self.sigma0
        start = self.x0 + self.rng.uniform(-width, width)
        seed = int(self.rng.integers(1, 2**31))
        self._arguments = {
            "x0": start.astype(self.x0.dtype),
            "sigma0": self.sigma0 * scale,
            "opts": {**self.opts, "popsize": popsize, "seed": seed},
        }
        self.es = self.strategy(**self._arguments)

    def _next(self):
        """Population of the next search, and its initial standard deviation over the first's."""
        few = self._used["small"] < self._used["large"]
        if self.kind == "bipop" and self._num_large and few:
            self._regime = "small"
            large = self._popsize0 * 2**self._num_large
            share = (0.5 * large / self._popsize0) ** (self.rng.random() ** 2)
            return max(2, int(self._popsize0 * share)), 10 ** (-2 * self.rng.random())
        self._regime = "large"
        self._num_large += 1
        return self._popsize0 * 2**self._num_large, 1.0

    @property
    def result(self):
        """Where all searches together stand; mean and deviations are those of the present one."""
        xbest, fbest, evals_best, evaluations, iterations = self._before
        now = self.es.result
        if now.fbest < fbest:
            xbest, fbest, evals_best = now.xbest, now.fbest, evaluations + now.evals_best
        return Result(
            xbest=None if xbest is None else xbest.copy(),
            fbest=fbest,
            evals_best=evals_best,
            evaluations=evaluations + now.evaluations,
            iterations=iterations + now.iterations,
            xfavorite=now.xfavorite,
            stds=now.stds,
        )

    def stop(self):
        """Never a reason."""
        return {}

    def state_dict(self):
        """Return where all searches stand, as plain data."""
        return {
            "opts": dict(self.opts),
            "es": self.es.state_dict(),
            "arguments": self._arguments,
            "rng": self.rng.bit_generator.state,
            "counts": [self.num_restart, self._num_large, self._popsize0],
            "used": dict(self._used),
            "regime": self._regime,
            "before": list(self._before),
        }

    def load_state_dict(self, state):
        """Continue where ``state`` was taken from a search with the same arguments."""
        self.opts, self._arguments = state["opts"], state["arguments"]
        if self._arguments is not None:
            self.es = self.strategy(**self._arguments)
        self.es.load_state_dict(state["es"])
        self.rng.bit_generator.state = state["rng"]
        self.num_restart, self._num_large, self._popsize0 = state["counts"]
        self._used, self._regime = dict(state["used"]), state["regime"]
        self._before = tuple(state["before"])

    def __repr__(self):
        return f"Restarts({self.kind}) of {self.es!r}"
