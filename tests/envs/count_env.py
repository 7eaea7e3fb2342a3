"""A tiny environment whose every number is known beforehand."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete


class CountEnv(gymnasium.Env):
    """Step k gives observation [k] and reward k / 10; it ends at step ``n`` or ``limit``."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(self, n, limit=None, render_mode=None, dtype=np.float32):
        self.n, self.limit, self.render_mode = n, limit, render_mode
        low, high = (-np.inf, np.inf) if np.dtype(dtype).kind == "f" else (0, 9)
        self.observation_space = Box(low, high, (1,), dtype)
        self.action_space = Discrete(2)
        self.num_reset = self.num_close = 0
        self.seeds, self.actions = [], []
        self.observation = np.zeros(1, dtype)  # one buffer for ever: callers must copy

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.num_reset += 1
        self.seeds.append(seed)
        self.k = 0
        self.observation[:] = 0
        return self.observation, {"k": 0, **(options or {})}

    def step(self, action):
        self.actions.append(action)
        self.k += 1
        self.observation[:] = self.k
        terminated = self.k == self.n
        truncated = self.k == self.limit and not terminated
        return self.observation, 0.1 * self.k, terminated, truncated, {"k": self.k}

    def render(self):
        return np.full((4, 6, 3), 10 * self.k, np.uint8)

    def close(self):
        self.num_close += 1
