"""Configurations of the shipped YAML files, for tests that train; and an environment to break."""

import gymnasium
import hydra
import numpy as np
from omegaconf import OmegaConf

from lagom.experiment.schema import check, flatten

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
TINY_REPLAY = {
    "train.timestep": 128,
    "train.num_step": 8,
    "train.warmup": 16,
    "env.num_env": 2,
    "agent.batch_size": 8,
    "agent.hidden_sizes": [8],
    "replay.capacity": 80,  # it overflows, but not between two checkpoints
    "replay.n_step": 2,
    "eval.every": 60,
    "eval.episodes": 2,
    "checkpoint.every": 40,
}
TINY_ES = {
    "train.timestep": 400,
    "env.kwargs": {"max_episode_steps": 24},  # so that no lucky iteration takes all the steps
    "es.popsize": 4,
    "eval.every": 150,
    "eval.episodes": 2,
    "checkpoint.every": 150,
}


def compose(algo="ppo", env="CartPole-v1", **values):
    """The flat configuration of two groups, then ``values``, unchecked."""
    return _composed(f"algo={algo}", f"env={env}") | values


def flat_config(*words):
    """What ``lagom train <words>`` hands to its job, a flat dictionary; the checks must pass."""
    groups = [
        word for word in words if word.split("=")[0] in ("algo", "env", "problem", "experiment")
    ]
    config = _composed(*words)
    complaints = check(config, _composed(*groups))
    assert not complaints, complaints
    return config


def _composed(*words):
    with hydra.initialize_config_module("lagom.conf", version_base="1.3"):
        return flatten(OmegaConf.to_container(hydra.compose("config", list(words))))


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
