"""The cross-entropy method, with noise against early convergence."""

import math
from difflib import get_close_matches

import numpy as np

from lagom.es.base import BaseES, Result, told
from lagom.transform import LinearSchedule

_OPTIONS = ("popsize", "elite_ratio", "noise_scheduler_args", "seed")


class CEM(BaseES):
    """Cross-entropy method: fit a Gaussian without correlations to the best of its own samples.

    A candidate is drawn with variance ``sigma**2 + noise``. The noise is a variance, not a standard
    deviation; it keeps the search from converging too early, and decreases linearly with the
    generations. ``result.stds`` are the ``sigma`` of the fit, without it.

    Args:
        x0 (list or ndarray): ``[dim]``, mean of the first generation.
        sigma0 (float or ndarray): scalar or ``[dim]``, its standard deviation, zero or more.
        opts (dict, optional): where one is missing or ``None``, its default holds.

            * ``popsize`` (int): candidates in a generation, 2 or more; by default 100.
            * ``elite_ratio`` (float): the share of them that the Gaussian is fitted to, in (0, 1];
              rounded down, but at least one candidate; by default 0.2.
            * ``noise_scheduler_args`` (list): arguments ``[initial, final, N, start]`` of a
              :class:`~lagom.transform.LinearSchedule` over generations; by default 5 % of the
              initial variance, gone after 50 generations.
            * ``seed`` (int): in [0, 2**32), of a generator of its own; by default drawn from the
              operating system.

    Raises:
        ValueError: if ``x0``, ``sigma0`` or an option is of no use.

    Example:
        >>> es = CEM([1.0, 2.0], 0.5, {"popsize": 50, "seed": 1})
        >>> for _ in range(60):
        ...     solutions = es.ask()
        ...     es.tell(solutions, [x @ x for x in solutions])
        >>> es
        CEM in dimension 2 (seed=1)
        >>> es.result.evaluations, es.result.fbest < 1e-6
        (3000, True)

    Reference:
        Szita and Lorincz, Learning Tetris Using the Noisy Cross-Entropy Method, Neural Computation
        18(12), 2006: eq. 2 with decreasing noise, 100 samples, and noise 5 - t / 10 beside an
        initial variance of 100. Their elite is 10 of 100; the default here is kinder to small
        populations.
    """

    def __init__(self, x0, sigma0, opts=None):
        self.x0 = np.array(x0, np.float64)
        self.sigma0 = np.array(sigma0, np.float64)
        if self.x0.ndim != 1 or not self.x0.size or not np.isfinite(self.x0).all():
            raise ValueError(f"CEM: x0 is {x0!r}; expected finite numbers, [dim]")
        fits = self.sigma0.shape in ((), self.x0.shape)
        if not fits or not (np.isfinite(self.sigma0) & (self.sigma0 >= 0)).all():
            raise ValueError(f"CEM: sigma0 is {sigma0!r}; expected numbers >= 0, [] or [dim]")
        self.opts = self._options(opts or {})
        self.popsize = self.opts["popsize"]
        self.num_elite = max(1, int(self.opts["elite_ratio"] * self.popsize))
        self.noise = LinearSchedule(*self.opts["noise_scheduler_args"])  # a variance
        # The legacy generator: its stream is frozen, and that of the documented numbers.
        self.rng = np.random.RandomState(self.opts["seed"])
        self._mean = self.x0.copy()
        self._sigma = np.broadcast_to(self.sigma0, self.x0.shape).copy()
        self._xbest, self._fbest, self._evals_best = None, np.inf, None
        self._iterations = 0
        self._asked = None  # candidates that have not been told

    @property
    def dim(self):
        """Number of parameters of a solution."""
        return self.x0.size

    def ask(self):
        """Return the candidates of this generation, a list of ``popsize`` arrays of ``[dim]``.

        Until they are told, another call returns the same ones.
        """
        if self._asked is None:
            std = np.sqrt(self._sigma**2 + self.noise(self._iterations))
            z = self.rng.standard_normal((self.popsize, self.dim))
            self._asked = self._mean + std * z
        return list(self._asked.copy())

    def tell(self, solutions, function_values):
        """Fit the search distribution to the best solutions.

        Args:
            solutions (list or ndarray): ``[popsize, dim]``, the candidates of :meth:`ask`, or
                others, for example after a repair.
            function_values (list or ndarray): ``[popsize]``, smaller is better. A NaN counts as
                infinity, worse than any number.

        Raises:
            ValueError: if a shape is wrong.
        """
        solutions, values = told(self, solutions, function_values)
        order = np.argsort(values, kind="stable")
        if values[order[0]] < self._fbest:
            self._xbest, self._fbest = solutions[order[0]], float(values[order[0]])
            self._evals_best = self._iterations * self.popsize + int(order[0]) + 1
        elite = solutions[order[: self.num_elite]]
        self._mean, self._sigma = elite.mean(0), elite.std(0)  # eq. 2: population variance
        self._iterations += 1
        self._asked = None

    @property
    def result(self):
        """Where the search stands, a :class:`Result`."""
        return Result(
            xbest=None if self._xbest is None else self._xbest.copy(),
            fbest=self._fbest,
            evals_best=self._evals_best,
            evaluations=self._iterations * self.popsize,
            iterations=self._iterations,
            xfavorite=self._mean.copy(),
            stds=self._sigma.copy(),
        )

    def state_dict(self):
        """Return the arguments of this search and where it stands, as plain data."""
        return {
            "x0": self.x0.copy(),
            "sigma0": self.sigma0.copy(),
            "opts": dict(self.opts),
            "result": self.result._asdict(),
            "rng": self.rng.get_state(legacy=False),
            "asked": None if self._asked is None else self._asked.copy(),
        }

    def load_state_dict(self, state):
        """Continue the search that ``state`` was taken from, with its options, to the last bit."""
        self.__init__(state["x0"], state["sigma0"], state["opts"])
        result = Result(**state["result"])
        self._mean, self._sigma = result.xfavorite.copy(), result.stds.copy()
        self._xbest, self._fbest, self._evals_best = result[:3]
        self._iterations = result.iterations
        self.rng.set_state(state["rng"])
        self._asked = state["asked"]

    def __repr__(self):
        return f"CEM in dimension {self.dim} (seed={self.opts['seed']})"

    def _options(self, opts):
        """All four options: those given, checked, and the defaults of the others."""
        for key in opts:
            if key not in _OPTIONS:
                near = get_close_matches(key, _OPTIONS, n=1)
                raise ValueError(
                    f"CEM: no option {key!r}; expected some of {', '.join(_OPTIONS)}"
                    + (f"; did you mean {near[0]}?" if near else "")
                )
        variance = float(np.mean(self.sigma0**2))
        defaults = {
            "popsize": 100,
            "elite_ratio": 0.2,
            "noise_scheduler_args": [0.05 * variance, 0.0, 50, 0],
            "seed": int(np.random.SeedSequence().generate_state(1)[0]),
        }
        opts = defaults | {key: value for key, value in opts.items() if value is not None}
        ratio, noise = opts["elite_ratio"], opts["noise_scheduler_args"]
        is_schedule = isinstance(noise, list | tuple | np.ndarray) and len(noise) == 4
        is_schedule = is_schedule and all(map(_is_number, noise)) and min(noise[:2]) >= 0
        for key, expected, holds in (
            ("popsize", "a whole number of at least 2", _is_whole(opts["popsize"], 2)),
            ("elite_ratio", "a number in (0, 1]", _is_number(ratio) and 0 < ratio <= 1),
            ("noise_scheduler_args", "[initial, final, N, start], a variance first", is_schedule),
            ("seed", "a whole number in [0, 2**32)", _is_whole(opts["seed"], 0, 2**32)),
        ):
            if not holds:
                raise ValueError(f"CEM: {key} is {opts[key]!r}; expected {expected}")
        return {
            "popsize": int(opts["popsize"]),
            "elite_ratio": float(ratio),
            "noise_scheduler_args": [float(x) for x in noise],
            "seed": int(opts["seed"]),
        }


def _is_number(x):
    is_number = isinstance(x, int | float | np.number) and not isinstance(x, bool)
    return is_number and math.isfinite(x)


def _is_whole(x, low, high=math.inf):
    return _is_number(x) and x == int(x) and low <= x < high
