"""Tiny environments whose optimal values and policies are known: an algorithm must find them.

Registered by name as well: ``env=lagom.envs.probes:MatchBox-v0``.
"""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete


class _Probe(gymnasium.Env):
    """Observations ``[1]``, two actions; an episode ends after ``length`` steps.

    Args:
        continuous (bool): actions ``[1]`` in [-1, 1] instead, of which those above 0 are action 1.
    """

    observation_space = Box(-1.0, 1.0, (1,), np.float32)
    length = 1

    def __init__(self, continuous=False):
        self.continuous = continuous
        self.action_space = Box(-1.0, 1.0, (1,), np.float32) if continuous else Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.observe(), {}

    def step(self, action):
        reward = self.reward(int(action[0] > 0) if self.continuous else action)
        self.t += 1
        return self.observe(), reward, self.t == self.length, False, {}

    def observe(self):
        return np.zeros(1, np.float32)

    def reward(self, action):
        return 1.0


class ConstantReward(_Probe):
    """One step, reward 1: V(0) = 1."""


class DelayedReward(_Probe):
    """Two steps, observations 0 and 1, reward on the second: V(0) = gamma, V(1) = 1."""

    length = 2

    def observe(self):
        return np.array([min(self.t, 1)], np.float32)

    def reward(self, action):
        return float(self.t == 1)


class Forever(_Probe):
    """Reward 1 for ever, cut by a clock every 5 steps: V(0) = 1 / (1 - gamma)."""

    def step(self, action):
        self.t += 1
        return self.observe(), 1.0, False, self.t == 5, {}


class MatchDiscrete(_Probe):
    """One step; the observation is -1 or 1, reward 1 for action 0 or 1 respectively, else 0."""

    def observe(self):
        self.sign = int(self.np_random.integers(2))
        return np.array([2 * self.sign - 1], np.float32)

    def reward(self, action):
        return float(action == self.sign)


class MatchBox(_Probe):
    """One step, observation in [-1, 1]; the best action is half of it; reward -(a - best)^2."""

    def __init__(self):
        super().__init__(continuous=True)

    def step(self, action):
        reward = -float((action[0] - 0.5 * self.obs[0]) ** 2)
        return self.observe(), reward, True, False, {}

    def observe(self):
        self.obs = self.np_random.uniform(-1, 1, 1).astype(np.float32)
        return self.obs


class MatchLater(_Probe):
    """Two steps: the first is that of :class:`MatchDiscrete`, its reward comes with the second.

    The observation in between is 0.5 if the action was right, else -0.5.
    """

    length = 2

    def observe(self):
        if self.t:
            return np.array([0.5 if self.matched else -0.5], np.float32)
        self.sign = int(self.np_random.integers(2))
        return np.array([2 * self.sign - 1], np.float32)

    def reward(self, action):
        if self.t == 0:
            self.matched = action == self.sign
            return 0.0
        return float(self.matched)


class Clock(_Probe):
    """Action 1 ends the task with reward 0.6; action 0 earns 0.5, and a clock cuts the episode.

    It would go on, so that action 0 is worth 0.5 / (1 - gamma), the better from gamma = 1/6 on.
    """

    def step(self, action):
        action = int(action[0] > 0) if self.continuous else action
        ends = bool(action == 1)
        return self.observe(), 0.6 if ends else 0.5, ends, not ends, {}


for _kind in (ConstantReward, DelayedReward, Forever, MatchDiscrete, MatchBox, MatchLater, Clock):
    gymnasium.register(f"{_kind.__name__}-v0", _kind)
