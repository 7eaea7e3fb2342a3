"""Test functions as environments: one step, the action is the point, the reward its negated value.

Importing this module makes ``sphere``, ``rosenbrock`` and so on known to ``gymnasium.make``, and
``env.id=lagom.population.problem_env:rosenbrock`` to lagom.
"""

import gymnasium
import numpy as np

from lagom.es import PROBLEMS


def negated(value):
    """The return of a function value: ``-value``, but 0 and not -0 of a solved function."""
    return 0.0 - value


class ProblemEnv(gymnasium.Env):
    """A test function as an environment that ends after one step.

    Args:
        problem (str): one of ``lagom.es.PROBLEMS``.
        dim (int): number of dimensions.

    Raises:
        ValueError: if there is no such problem, or ``dim`` is not positive.
    """

    observation_space = gymnasium.spaces.Box(0.0, 0.0, (1,), np.float32)

    def __init__(self, problem, dim=10):
        if problem not in PROBLEMS:
            raise ValueError(
                f"ProblemEnv: problem is {problem!r}; expected one of {', '.join(PROBLEMS)}"
            )
        if dim < 1:
            raise ValueError(f"ProblemEnv: dim is {dim!r}; expected at least 1")
        self.problem = PROBLEMS[problem]
        width = self.problem.width
        self.action_space = gymnasium.spaces.Box(-width, width, (dim,), np.float64)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        value = float(self.problem.f(np.asarray(action, np.float64)[None])[0])
        return np.zeros(1, np.float32), negated(value), True, False, {}


for _name in PROBLEMS:
    gymnasium.register(_name, ProblemEnv, kwargs={"problem": _name}, disable_env_checker=True)
