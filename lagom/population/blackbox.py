"""The engine of test functions: the same search, folders and logs, without an environment."""

from time import perf_counter

import numpy as np

from lagom.engine import BaseEngine
from lagom.es import PROBLEMS
from lagom.population.problem_env import negated


class BlackBoxEngine(BaseEngine):
    """Ask a strategy for points, evaluate the function in float64, tell it the values.

    A timestep is an evaluation, and a return a negated value, so that everything that reads runs
    reads these too.  The agent holds the mean of the search distribution between iterations.

    Args:
        config (dict): reads ``problem.name`` and ``problem.target``.
        agent (BaseAgent): ``lagom.algorithms.es.point.Agent``.
        env (VecEnv): not used here; it makes the problem known to whatever wants an environment.
        eval_env (VecEnv): likewise.
        **kwargs: for subclasses.

    Attributes:
        hit (int): evaluations when the target was first reached; 0 before.
    """

    def __init__(self, config, agent=None, env=None, eval_env=None, **kwargs):
        super().__init__(config, agent, env, eval_env, **kwargs)
        self.es = agent.make_es()
        self.f = PROBLEMS[config["problem.name"]].f
        self.hit = 0

    def train(self, n=None, **kwargs):
        start = perf_counter()
        candidates = np.asarray(self.es.ask(), np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # a search may leave for infinity
            values = self.f(candidates)
        evaluated = perf_counter()
        self.es.tell(self.es.ask(), values)
        result = self.es.result
        self.agent.from_vec(result.xfavorite)
        reached = np.flatnonzero(values <= self.config["problem.target"])
        if not self.hit and len(reached):
            self.hit = self.timestep + int(reached[0]) + 1
        counts = self._count(len(values), [(negated(value), 1) for value in values.tolist()])
        return {
            "iteration": n,
            **counts,
            "f_best": float(values.min()),
            "f_best_ever": float(result.fbest),
            "target_evaluations": self.hit,
            "sigma": float(np.mean(result.stds)),
            "collect_seconds": evaluated - start,
            "learn_seconds": perf_counter() - evaluated,
        }

    def eval(self, n=None, **kwargs):
        """The mean of the search distribution, evaluated once; see :meth:`BaseEngine.eval`."""
        start = perf_counter()
        value = self.f(np.asarray(self.es.result.xfavorite, np.float64)[None])[0]
        returned = negated(float(value))
        return {
            "timestep": self.timestep,
            "return": returned,
            "return_std": 0.0,
            "length": 1.0,
            "episodes": 1,
            "returns": [returned],
            "eval_seconds": perf_counter() - start,
        }

    def restart(self, seed):
        """Nothing: a function has no episodes."""

    def state_dict(self):
        """Everything that the next iteration depends on."""
        return {
            "timestep": self.timestep,
            "episode": self.episode,
            "hit": self.hit,
            "agent": dict(self.agent.state_dict()),
            "es": self.es.state_dict(),
        }

    def load_state_dict(self, state):
        self.timestep, self.episode, self.hit = state["timestep"], state["episode"], state["hit"]
        self.agent.load_state_dict(state["agent"])
        self.es.load_state_dict(state["es"])
