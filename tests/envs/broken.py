"""Environments with one mistake each, for ``lagom check``."""

import os
import random

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Text


class Good(gymnasium.Env):
    """A walk on a line of 21 places; over at an end, or cut by a clock at 60 steps."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(self, render_mode=None):
        self.render_mode = render_mode
        self.observation_space = Box(-11, 11, (2,), np.float32)
        self.action_space = Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.k, self.x = 0, self.draw()
        return self.look(), {}

    def draw(self):
        return self.np_random.uniform(-1, 1)

    def step(self, action):
        self.k += 1
        self.x += float(np.sign(action[0])) + self.draw()
        terminated = bool(abs(self.x) > 10)
        return self.look(), -abs(self.x), terminated, self.k == 60 and not terminated, {}

    def look(self):
        return np.array([np.clip(self.x, -11, 11), self.k % 11], np.float32)

    def render(self):
        return np.zeros((4, 6, 3), np.uint8)


class NoRobot(Good):
    def __init__(self, **kwargs):
        raise OSError("robot.xml: no such file")


class Words(Good):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.observation_space = Dict(x=self.observation_space, mission=Text(9))


class Unbounded(Good):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.action_space = Box(-np.inf, np.inf, (1,), np.float32)


class Names(Good):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.action_space = Text(5)


class OldReset(Good):
    def reset(self, **kwargs):
        return super().reset(**kwargs)[0]


class NoInfo(Good):
    def reset(self, **kwargs):
        return super().reset(**kwargs)[0], None


class OldStep(Good):
    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated or truncated, info


class Flags(Good):
    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, int(terminated), truncated, info


class Precision(Good):
    def look(self):
        return super().look().astype(np.float64)


class Shape(Good):
    def look(self):
        return super().look()[None]


class Outside(Good):
    def look(self):
        return 3 * super().look()


class Infinite(Good):
    def look(self):
        with np.errstate(divide="ignore"):
            return super().look() / np.float32(self.k < 50)


class NoReward(Good):
    def step(self, action):
        observation, reward, *rest = super().step(action)
        return observation, reward if self.k < 20 else np.nan, *rest


class Rewards(Good):
    def step(self, action):
        observation, reward, *rest = super().step(action)
        return observation, np.array([reward]), *rest


class Doubles(Good):
    def step(self, action):
        action *= 2
        return super().step(action)


class OwnDraws(Good):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.rng = np.random.default_rng()

    def draw(self):
        return self.rng.uniform(-1, 1)


class Remembers(Good):
    speed = 0.0

    def reset(self, **kwargs):
        out = super().reset(**kwargs)
        self.x += self.speed
        return self.look(), out[1]

    def step(self, action):
        self.speed = 0.1
        return super().step(action)


class GlobalDraws(Good):
    def reset(self, *, seed=None, options=None):
        if seed is not None:
            np.random.seed(seed)
            random.seed(seed)
        return super().reset(seed=seed)

    def draw(self):
        return np.random.uniform(-1, 1) + 0.1 * random.random()


class Shared(Good):
    wind = [0.0]  # noqa: RUF012

    def reset(self, **kwargs):
        self.wind[0] = 0.0
        return super().reset(**kwargs)

    def step(self, action):
        self.wind[0] += 0.1
        self.x += self.wind[0]
        return super().step(action)


class TimeIsDeath(Good):
    def step(self, action):
        observation, reward, _, _, info = super().step(action)
        self.x = np.clip(self.x, -10, 10)
        return observation, reward, self.k == 30, False, info


class Endless(Good):
    def step(self, action):
        observation, reward, *_, info = super().step(action)
        self.x = np.clip(self.x, -10, 10)
        return observation, reward, False, False, info


class OneLife(Good):
    def reset(self, *, seed=None, options=None):
        if seed is None:
            raise RuntimeError("give me a seed")
        return super().reset(seed=seed)


class Local(Good):
    def draw(self):
        return super().draw() + (os.getpid() % 97) / 1000


class Blank(Good):
    def render(self):
        return None


class Floats(Good):
    def render(self):
        return np.zeros((4, 6, 3))


class CloseOnce(Good):
    open = True

    def close(self):
        if not self.open:
            raise RuntimeError("the window is closed already")
        self.open = False
