"""What a worker has: environments and an agent of its own, and the generation being evaluated."""

from lagom.envs import make_envs
from lagom.population.evaluate import bare, evaluate
from lagom.utils import import_from_here, set_num_threads


class Worker:
    """Evaluates pieces of generations.

    Args:
        config (dict): flat configuration of the job.
    """

    def __init__(self, config):
        set_num_threads(config["threads"])
        env, eval_env = make_envs({**config, "eval.episodes": 1}, 0)
        eval_env.close()
        module, _, name = config["algo.agent"].partition(":")
        self.agent = getattr(import_from_here(module), name)(config, env, "cpu")
        self.agent.eval()
        self.env = bare(env)

    def evaluate(self, generation, start, stop, seeds):
        """The :class:`~lagom.population.evaluate.Episodes` of candidates ``start`` to ``stop``."""
        return evaluate(self.env, self.agent, generation, range(start, stop), seeds)


def pieces(num, num_worker):
    """``(start, stop)`` of pieces of ``num`` candidates, two for each worker; pairs stay whole."""
    size = max(2, 2 * -(-num // (4 * num_worker)))
    return [(start, min(start + size, num)) for start in range(0, num, size)]
