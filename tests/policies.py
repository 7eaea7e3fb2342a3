"""Policies that were never trained, in the folders of runs."""

from configs import compose

from lagom.envs import make_envs
from lagom.experiment.job import resolve
from lagom.experiment.policy import write_policy
from lagom.experiment.storage import write_json, write_yaml
from lagom.utils import set_global_seeds


def write_run(folder, algo="ppo", env="CartPole-v1", seed=1, state="done", **values):
    """A run ``<ID>/<seed>`` with the policy of a new agent; returns agent and environment."""
    config = {"ID": int(folder.parent.name), **compose(algo, env, **values)}
    set_global_seeds(seed)
    env, eval_env = make_envs(config, seed)
    eval_env.close()
    agent = resolve(config, "algo.agent")(config, env, "cpu")
    write_policy(folder / "policy", config, agent, env)
    write_yaml(folder.parent / "config.yml", config)
    write_json(folder / "status.json", {"status": state, "timestep": 1000})
    return agent, env
