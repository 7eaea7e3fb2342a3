"""CMA-ES, by its reference implementation; the strategy itself is not ours."""

import warnings
from contextlib import contextmanager
from difflib import get_close_matches

import numpy as np

from lagom.es.base import BaseES, Result, told

_QUIET = {"verbose": -10, "verb_disp": 0, "verb_log": 0}  # neither prints nor touches files


class CMAES(BaseES):
    """Covariance matrix adaptation, a wrapper of the package ``cma``.

    The global random stream of NumPy is left alone, although ``cma`` draws from it: during every
    call a stream of this object's own takes its place. The same ``seed`` gives the numbers of
    ``cma`` itself. ``stop()`` says when the search has converged; nothing stops by itself.

    Args:
        x0 (list or ndarray): ``[dim]``, where the search begins.
        sigma0 (float or ndarray): scalar or ``[dim]``, initial standard deviation; about a quarter
            of the width in which the optimum is expected. ``[dim]`` sets the option ``CMA_stds``.
        opts (dict, optional): options of ``cma``, such as ``popsize``, ``bounds``, ``ftarget``,
            ``CMA_diagonal``; ``cma.CMAOptions()`` shows them all. ``seed`` is an integer in
            [0, 2**32), drawn from the operating system where it is missing or ``None``.

    Raises:
        ValueError: if ``x0``, ``sigma0`` or an option is of no use.

    Example:
        >>> es = CMAES([1.0, 2.0], 0.5, {"popsize": 8, "seed": 1})
        >>> for _ in range(40):
        ...     solutions = es.ask()
        ...     es.tell(solutions, [x @ x for x in solutions])
        >>> es.result.fbest < 1e-6
        True

    Reference:
        Hansen, The CMA Evolution Strategy: A Tutorial, 2016 (arXiv:1604.00772).
    """

    def __init__(self, x0, sigma0, opts=None):
        self.x0 = np.array(x0, np.float64)
        self.sigma0 = np.array(sigma0, np.float64)
        if self.x0.ndim != 1 or not self.x0.size or not np.isfinite(self.x0).all():
            raise ValueError(f"CMAES: x0 is {x0!r}; expected finite numbers, [dim]")
        if self.sigma0.shape not in ((), self.x0.shape) or not _positive(self.sigma0):
            raise ValueError(f"CMAES: sigma0 is {sigma0!r}; expected positive numbers, [] or [dim]")
        self.opts = dict(opts or {})
        if self.opts.get("seed") is None:
            self.opts["seed"] = int(np.random.SeedSequence().generate_state(1)[0])
        self._told = []  # of each generation: the solutions where not those of ask(), the values
        self._asked = None  # candidates that have not been told
        self._stop = {}
        self._es = self._make()

    @property
    def dim(self):
        """Number of parameters of a solution."""
        return self.x0.size

    @property
    def popsize(self):
        """Number of solutions in a generation."""
        return self._es.popsize

    def ask(self):
        """Return the candidates of this generation, a list of ``popsize`` arrays of ``[dim]``.

        Until they are told, another call returns the same ones: a search resumed in the middle of a
        generation simply asks again.
        """
        if self._asked is None:
            with self._own_stream():
                self._asked = self._es.ask()
        return [x.copy() for x in self._asked]

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
        solutions, values = told(self, solutions, function_values)
        own = np.array_equal(solutions, self.ask())
        with self._own_stream():
            self._es.tell(self._asked if own else list(solutions.copy()), values.tolist())
            # cma counts flat generations when its stop() is called: so always, never on demand.
            self._stop = dict(self._es.stop())
        self._told.append((None if own else solutions, values))
        self._asked = None

    @property
    def result(self):
        """Where the search stands, a :class:`Result`."""
        with self._own_stream():
            result = self._es.result
        return Result(*(getattr(result, field) for field in Result._fields))

    def stop(self):
        """Return the reasons to stop and their thresholds, as ``cma`` names them; empty if none."""
        return dict(self._stop)

    def state_dict(self):
        """Return the arguments of this search and the history of what it was told, as plain data.

        Options that are functions, classes or other objects stay behind.
        """
        return {
            "x0": self.x0.copy(),
            "sigma0": self.sigma0.copy(),
            "opts": {key: value for key, value in self.opts.items() if _is_data(value)},
            "solutions": [solutions for solutions, _ in self._told],
            "function_values": [values for _, values in self._told],
            "xfavorite": self.result.xfavorite,
        }

    def load_state_dict(self, state):
        """Continue the search that ``state`` was taken from, by living through it once more.

        The same numbers come out, to the last bit, on the same machine; it takes as long as the
        strategy took, without the evaluations. Options that stayed behind are the constructor's.

        Raises:
            ValueError: if the search arrives elsewhere than it did.
        """
        objects = {key: value for key, value in self.opts.items() if not _is_data(value)}
        self.__init__(state["x0"], state["sigma0"], {**objects, **state["opts"]})
        for solutions, values in zip(state["solutions"], state["function_values"], strict=True):
            self.tell(self.ask() if solutions is None else solutions, values)
        if not np.allclose(self.result.xfavorite, state["xfavorite"], rtol=1e-6):
            raise ValueError(
                f"CMAES: the search of {len(self._told)} generations arrives at another mean than "
                "when it was saved; expected the versions of numpy and cma that it was saved with"
            )

    def _make(self):
        """The search of ``cma``, with what it dislikes said in a line."""
        import cma

        options = cma.CMAOptions()
        for key in self.opts:
            if options.corrected_key(key) is None:
                near = get_close_matches(key, options, n=3)
                raise ValueError(
                    f"CMAES: cma has no option {key!r}; expected one of cma.CMAOptions()"
                    + (f", perhaps {' or '.join(near)}" if near else "")
                )
        scale = self.sigma0.max()
        stds = {"CMA_stds": self.sigma0 / scale} if self.sigma0.ndim else {}
        # The stream is seeded here, so that cma need not ("nan"): a seed of 0 means the time to it.
        opts = {**_QUIET, **stds, **self.opts, "seed": np.nan}
        try:
            self._stream = np.random.RandomState(self.opts["seed"]).get_state()
            with self._own_stream():
                warnings.simplefilter("error", UserWarning)  # an option that cma cannot read
                return cma.CMAEvolutionStrategy(self.x0, scale, opts)
        except (AssertionError, TypeError, UserWarning, ValueError) as error:
            raise ValueError(
                f"CMAES: cma refuses options {self.opts!r} ({' '.join(str(error).split())}); "
                "expected values as described by cma.CMAOptions()"
            ) from error

    @contextmanager
    def _own_stream(self):
        """Our stream in place of NumPy's global one, all that ``cma`` knows; and no warnings."""
        outside = np.random.get_state()  # noqa: NPY002
        np.random.set_state(self._stream)  # noqa: NPY002
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            self._stream = np.random.get_state()  # noqa: NPY002
            np.random.set_state(outside)  # noqa: NPY002


def _positive(x):
    return bool((np.isfinite(x) & (x > 0)).all())


def _is_data(x):
    if isinstance(x, dict):
        return all(map(_is_data, x.values()))
    if isinstance(x, list | tuple):
        return all(map(_is_data, x))
    return x is None or isinstance(x, bool | int | float | str | np.number | np.ndarray)
