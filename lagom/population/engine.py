"""The engine of evolution strategies: ask, evaluate the population, tell."""

from time import perf_counter

import numpy as np

from lagom.engine import BaseEngine
from lagom.population.evaluate import Episodes, Generation, absorb, bare, evaluate


class ESEngine(BaseEngine):
    """Ask an evolution strategy for parameters, evaluate each as a policy, tell it the returns.

    The whole population steps vectorized environments together, in this process or, with
    ``es.workers``, in others.  An episode depends on its candidate and its seed alone, and
    observations are normalized with the moments of earlier generations, so results do not depend on
    how many workers there are.  The agent holds the mean of the search distribution between
    iterations.  Strategies minimize: here, and nowhere else, returns change their sign.

    Args:
        config (dict): reads ``es.episodes``, ``es.survival_bonus``, ``es.common_seeds``,
            ``es.workers``, ``es.executor`` and ``es.address``.
        agent (BaseAgent): with ``make_es``; see :func:`lagom.population.evaluate.evaluate`.
        env (VecEnv): where candidates are evaluated if there are no other workers.
        eval_env (VecEnv): where the mean is evaluated.
        **kwargs: for subclasses.
    """

    def __init__(self, config, agent=None, env=None, eval_env=None, **kwargs):
        super().__init__(config, agent, env, eval_env, **kwargs)
        self.es = agent.make_es()
        self.rng = np.random.default_rng(int(agent.rng.integers(2**62)))  # of episodes
        self.moments = getattr(env, "obs_moments", None)
        # Keys that may be missing from a YAML of the user's own: then one process, this one.
        executor = config.get("es.executor", "process")
        self._elsewhere = executor == "ray" or config.get("es.workers", 1) > 1
        self.pool = None

    def train(self, n=None, **kwargs):
        self.agent.eval()
        start = perf_counter()
        known = getattr(self.es, "recipe", None)
        candidates = self.es.ask()
        num = len(candidates)
        seeds = self._seeds(num, self.config["es.episodes"])
        if known is None:
            known = np.asarray(candidates, np.float32)
        episodes = self._evaluate(self._generation(known), num, seeds)
        collected = perf_counter()

        bonus = self.config.get("es.survival_bonus", 0.0)
        fitness = (episodes.returns - bonus * episodes.lengths).mean(1)
        self.es.tell(candidates, -fitness)
        result = self.es.result
        self.agent.from_vec(result.xfavorite)
        if self.moments is not None:
            absorb(self.moments, episodes.lengths.sum(), np.add.reduce(episodes.sums))
        returns, lengths = episodes.returns.ravel().tolist(), episodes.lengths.ravel().tolist()
        return {
            "iteration": n,
            **self._count(sum(lengths), list(zip(returns, lengths, strict=True))),
            "return_best": float(fitness.max()),
            "return_best_ever": float(-result.fbest),
            "sigma": float(np.mean(result.stds)),
            "collect_seconds": collected - start,
            "learn_seconds": perf_counter() - collected,
        }

    def _seeds(self, num, num_episode):
        """Seeds of the episodes of ``num`` candidates, ``[num, num_episode]``."""
        rows = 1 if self.config.get("es.common_seeds") else num
        seeds = self.rng.integers(2**31, size=(rows, num_episode))
        return np.broadcast_to(seeds, (num, num_episode))

    def _generation(self, candidates):
        if self.moments is None:
            return Generation(candidates)
        return Generation(candidates, self.moments.mean, self.moments.var, self.env.clip)

    def _evaluate(self, generation, num, seeds):
        """The :class:`Episodes` of ``num`` candidates, wherever they are played."""
        if not self._elsewhere:
            return evaluate(bare(self.env), self.agent, generation, range(num), seeds)
        if self.pool is None:  # late: probing a configuration needs no workers
            self.pool = _make_pool(self.config)
        pieces = self.pool(generation, num, seeds)
        columns = zip(*pieces, strict=True)
        return Episodes(*(None if x[0] is None else np.concatenate(x) for x in columns))

    def restart(self, seed):
        """Nothing: every episode begins with a seed of its own."""

    def state_dict(self):
        """Everything that the next iteration depends on; environments begin anew in each."""
        return {
            "timestep": self.timestep,
            "episode": self.episode,
            "agent": dict(self.agent.state_dict()),
            "es": self.es.state_dict(),
            "rng": self.rng.bit_generator.state,
            "moments": None if self.moments is None else self.moments.state_dict(),
        }

    def load_state_dict(self, state):
        self.timestep, self.episode = state["timestep"], state["episode"]
        self.agent.load_state_dict(state["agent"])
        self.es.load_state_dict(state["es"])
        self.rng.bit_generator.state = state["rng"]
        if self.moments is not None:
            self.moments.load_state_dict(state["moments"])


def _make_pool(config):
    if config.get("es.executor") == "ray":
        from lagom.population.ray_pool import RayPool

        return RayPool(config, config.get("es.workers", 1), config.get("es.address"))
    from lagom.population.process_pool import ProcessPool

    return ProcessPool(config, config["es.workers"])
