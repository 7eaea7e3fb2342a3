"""What a worker has: environments and an agent of its own, and the generation being evaluated."""

import os

from lagom.envs import make_envs
from lagom.population.evaluate import bare, evaluate
from lagom.utils import import_from_here


class Worker:
    """Evaluates pieces of generations.

    Args:
        config (dict): flat configuration of the job.
    """

    def __init__(self, config):
        import torch

        torch.set_num_threads(config["threads"])
        env, eval_env = make_envs({**config, "eval.episodes": 1}, 0)
        eval_env.close()
        module, _, name = config["algo.agent"].partition(":")
        self.agent = getattr(import_from_here(module), name)(config, env, "cpu")
        self.agent.eval()
        self.env = bare(env)

    def evaluate(self, generation, start, stop, seeds):
        """The :class:`~lagom.population.evaluate.Episodes` of candidates ``start`` to ``stop``."""
        return evaluate(self.env, self.agent, generation, range(start, stop), seeds)


def one_math_thread():
    """Keep BLAS from spinning on all cores, in processes that start from here on."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def pieces(num, num_worker):
    """``(start, stop)`` of pieces of ``num`` candidates, two for each worker; pairs stay whole."""
    size = max(2, 2 * -(-num // (4 * num_worker)))
    return [(start, min(start + size, num)) for start in range(0, num, size)]
