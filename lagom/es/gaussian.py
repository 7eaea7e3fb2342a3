"""What strategies share that move a Gaussian without correlations by the noise they drew."""

import numpy as np

from lagom.es.base import BaseES, Result, told, told_values
from lagom.es.noise import Recipe, noise, place
from lagom.es.options import check_start, checked_options


class GaussianES(BaseES):
    """A Gaussian with independent coordinates; subclasses say how ``tell`` moves it.

    The search happens in the precision of ``x0``: float32 if that is an array of float32, float64
    otherwise.  A generation is drawn from one seed (:attr:`recipe`), so that candidates can be
    drawn where they are evaluated.

    Args:
        x0 (list or ndarray): ``[dim]``, mean of the first generation.
        sigma0 (float or ndarray): scalar or ``[dim]``, its standard deviation, positive.
        opts (dict, optional): where one is missing or ``None``, its default holds.

    Raises:
        ValueError: if ``x0``, ``sigma0`` or an option is of no use.
    """

    _options: dict  # see checked_options
    _moving: tuple = ()  # attributes beside mean and std that a state consists of
    _mirrored = True

    def __init__(self, x0, sigma0, opts=None):
        name = type(self).__name__
        self.x0, self.sigma0 = check_start(name, x0, sigma0)
        self.opts = checked_options(name, self._options, opts, self.dim, self.sigma0)
        self.popsize = self.opts["popsize"]
        self.rng = np.random.default_rng(self.opts["seed"])
        self._mean, self._std = self.x0.copy(), self.sigma0.copy()
        self._xbest, self._fbest, self._evals_best = None, np.inf, None
        self._iterations = 0
        self._seed = self._asked = self._z = None  # of the generation that has not been told

    @property
    def dim(self):
        """Number of parameters of a solution."""
        return self.x0.size

    @property
    def recipe(self):
        """The :class:`~lagom.es.noise.Recipe` of this generation; ``ask`` draws from it."""
        if self._seed is None:
            self._seed = int(self.rng.integers(2**63))
        return Recipe(self._mean, self._std, self._seed, self._mirrored)

    def ask(self):
        """Return the candidates of this generation, ``[popsize, dim]``, not to be written into.

        Until they are told, another call returns the same ones.
        """
        if self._asked is None:
            num = self.popsize // 2 if self._mirrored else self.popsize
            self._z = noise(self.recipe.seed, range(num), self.dim, self.x0.dtype)
            self._asked = place(self.recipe, self._z)
            self._asked.flags.writeable = False
        return self._asked

    def tell(self, solutions, function_values):
        """Move the search distribution.

        Args:
            solutions (list or ndarray): ``[popsize, dim]``, the candidates of :meth:`ask`, or
                others, for example after a repair.
            function_values (list or ndarray): ``[popsize]``, smaller is better. A NaN counts as
                infinity, worse than any number.

        Raises:
            ValueError: if a shape is wrong.
        """
        if self._asked is None or solutions is not self._asked:
            solutions, values = told(self, solutions, function_values)
            self._z = ((solutions - self._mean) / self._std).astype(self.x0.dtype)
        else:  # no copies: the noise is known
            values = told_values(self, function_values)
        best = int(values.argmin())
        if values[best] < self._fbest:
            self._xbest, self._fbest = np.array(solutions[best]), float(values[best])
            self._evals_best = self._iterations * self.popsize + best + 1
        self._move(values)
        self._iterations += 1
        self._seed = self._asked = self._z = None

    def _move(self, values):
        """Move mean and standard deviation, given function values ``[popsize]`` without NaN."""
        raise NotImplementedError

    def _sum(self, weights):
        """The sum of the candidates' noise ``[dim]``, weighted by ``weights`` ``[popsize]``."""
        weights = weights.astype(self._z.dtype)
        if len(self._z) < self.popsize:  # the noise of pairs, kept once
            weights = weights[::2] - weights[1::2]
        return weights @ self._z

    def _sum_squares(self, weights):
        """The weighted sum of the candidates' squared noise minus 1, ``[dim]``."""
        weights = weights.astype(self._z.dtype)
        if len(self._z) < self.popsize:
            weights = weights[::2] + weights[1::2]
        return weights @ np.square(self._z) - weights.sum()

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
            stds=np.broadcast_to(self._std, self.x0.shape).copy(),
        )

    def state_dict(self):
        """Return the arguments of this search and where it stands, as plain data."""
        return {
            "x0": self.x0.copy(),
            "sigma0": self.sigma0.copy(),
            "opts": dict(self.opts),
            "best": [None if self._xbest is None else self._xbest.copy(), self._fbest],
            "evals_best": self._evals_best,
            "iterations": self._iterations,
            "rng": self.rng.bit_generator.state,
            "seed": self._seed,
            "moving": {name: np.array(getattr(self, name)) for name in self._names},
        }

    def load_state_dict(self, state):
        """Continue the search that ``state`` was taken from, with its options, to the last bit."""
        self.__init__(state["x0"], state["sigma0"], state["opts"])
        self._xbest, self._fbest = state["best"]
        self._evals_best, self._iterations = state["evals_best"], state["iterations"]
        self.rng.bit_generator.state = state["rng"]
        self._seed = state["seed"]
        for name in self._names:
            setattr(self, name, np.array(state["moving"][name]))

    @property
    def _names(self):
        return ("_mean", "_std", *self._moving)

    def __repr__(self):
        return f"{type(self).__name__} in dimension {self.dim} (seed={self.opts['seed']})"


def utilities(values):
    """Centered ranks of function values: 0.5 for the smallest, -0.5 for the largest.

    Equal values share the mean of their ranks, so a plateau moves nothing.

    Args:
        values (ndarray): ``[N]``, without NaN.

    Example:
        >>> utilities(np.array([3.0, 1.0, 2.0])).tolist()
        [-0.5, 0.5, 0.0]
        >>> utilities(np.array([7.0, 7.0, 7.0])).tolist()
        [0.0, 0.0, 0.0]
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts + 1) / 2
    return 0.5 - ranks[inverse] / max(len(values) - 1, 1)


def finite(values):
    """``values`` with the worst finite one in place of infinite ones; zeros if none is finite."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros_like(values)
    return np.clip(values, values[known].min(), values[known].max())
