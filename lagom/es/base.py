"""What every evolution strategy can do; the strategies have their own files."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np


class Result(NamedTuple):
    """Where a search stands.

    Attributes:
        xbest (ndarray): ``[dim]``, best solution ever evaluated; ``None`` before the first.
        fbest (float): its function value; infinity before the first.
        evals_best (int): number of evaluations when it was found; ``None`` before the first.
        evaluations (int): number of evaluations so far.
        iterations (int): number of generations so far.
        xfavorite (ndarray): ``[dim]``, mean of the search distribution: the best guess of the
            optimum when function values are noisy.
        stds (ndarray): ``[dim]``, standard deviations of the search distribution.
    """

    xbest: np.ndarray | None
    fbest: float
    evals_best: int | None
    evaluations: int
    iterations: int
    xfavorite: np.ndarray
    stds: np.ndarray


class BaseES(ABC):
    """An evolution strategy: ask for candidate solutions, tell their function values.

    Strategies minimize; to maximize a return, tell its negative. They know nothing of processes:
    evaluate the candidates wherever you like, in any order, and tell them together.

    Example::

        while es.result.evaluations < 10_000:
            solutions = es.ask()
            es.tell(solutions, [f(x) for x in solutions])
    """

    @abstractmethod
    def ask(self):
        """Return the candidates of one generation, ``popsize`` arrays of ``[dim]``."""

    @abstractmethod
    def tell(self, solutions, function_values):
        """Update the search distribution.

        Args:
            solutions (list or ndarray): ``[popsize, dim]``, candidates returned by :meth:`ask`.
            function_values (list or ndarray): ``[popsize]``, smaller is better.
        """

    @property
    @abstractmethod
    def result(self):
        """Where the search stands, a :class:`Result`."""

    @abstractmethod
    def state_dict(self):
        """Return all that is needed to continue, as plain data."""

    @abstractmethod
    def load_state_dict(self, state):
        """Continue the search that ``state`` was taken from."""


def told(es, solutions, function_values):
    """What ``es`` was told, as new arrays of float64, with infinity for NaN.

    Returns:
        tuple: solutions ``[popsize, dim]`` and function values ``[popsize]``.

    Raises:
        ValueError: if a shape is wrong.
    """
    solutions = np.array(solutions, np.float64)
    if solutions.shape != (es.popsize, es.dim):
        raise ValueError(
            f"{type(es).__name__}.tell: solutions have shape {solutions.shape}; "
            f"expected {(es.popsize, es.dim)}, [popsize, dim]"
        )
    return solutions, told_values(es, function_values)


def told_values(es, function_values):
    """The function values ``[popsize]`` that ``es`` was told, likewise."""
    values = np.array(function_values, np.float64)
    if values.shape != (es.popsize,):
        raise ValueError(
            f"{type(es).__name__}.tell: function_values have shape {values.shape}; "
            f"expected {(es.popsize,)}, [popsize]"
        )
    values[np.isnan(values)] = np.inf
    return values
