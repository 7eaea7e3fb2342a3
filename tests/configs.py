"""Configurations as the command line composes them, without Hydra; and an environment to break."""

from pathlib import Path

import gymnasium
import numpy as np
from omegaconf import OmegaConf

from lagom.experiment.schema import flatten

CONF = Path(__file__).parents[1] / "conf"
TINY = {
    "train.timestep": 128,
    "train.num_step": 16,
    "env.num_env": 2,
    "agent.batch_size": 16,
    "agent.num_epoch": 2,
    "agent.hidden_sizes": [8],
    "eval.every": 64,
    "eval.episodes": 2,
    "checkpoint.every": 64,
}
TINY_ES = {
    "train.timestep": 400,
    "es.popsize": 4,
    "eval.every": 150,
    "eval.episodes": 2,
    "checkpoint.every": 150,
}


def compose(algo="ppo", env="CartPole-v1", **values):
    """A flat configuration of two groups, then ``values``; ``ID`` and ``seed`` included."""
    config = _read("config")
    config = {k: v for k, v in config.items() if not k.startswith(("defaults", "hydra."))}
    return config | _read(f"env/{env}") | _read(f"algo/{algo}") | values


def _read(name):
    return flatten(OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml")))


class Drift(gymnasium.Env):
    """Eleven steps of a noisy walk; at step ``at`` of all, ``what`` goes wrong.

    Its state cannot be captured, and its resets draw from NumPy's global stream too.
    """

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, at=None, what=None):
        self.at, self.what, self.num_step = at, what, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.k = 0
        self.x = (self.np_random.normal(size=2) + np.random.rand()).astype(np.float32)
        return self.x, {}

    def step(self, action):
        self.k, self.num_step = self.k + 1, self.num_step + 1
        if self.num_step == self.at and self.what == "raise":
            raise ZeroDivisionError("the simulation exploded")
        reward = np.nan if self.num_step == self.at else -float(abs(self.x).sum())
        self.x = (self.x + 0.1 * self.np_random.normal(size=2) + action).astype(np.float32)
        return self.x, reward, False, self.k == 11, {}


gymnasium.register("Drift-v0", Drift)
