"""Engines of evolution strategies on CartPole, small, for tests."""

from configs import flat_config
from lagom.algorithms.es.agent import Agent

from lagom.envs import make_envs
from lagom.population import ESEngine
from lagom.utils import set_global_seeds


def build(*words, algo="ars", seed=0):
    """An engine of eight candidates."""
    config = flat_config(f"algo={algo}", "es.popsize=8", "eval.episodes=2", *words)
    set_global_seeds(seed)
    env, eval_env = make_envs(config, seed)
    return ESEngine(config, agent=Agent(config, env, "cpu"), env=env, eval_env=eval_env)


def columns(rows):
    """Rows of a log without what the clock says."""
    return [{k: v for k, v in row.items() if not k.endswith("_seconds")} for row in rows]
