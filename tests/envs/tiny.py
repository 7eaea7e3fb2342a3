"""Tiny environments with observations and actions of every kind."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

KINDS = Dict(
    bits=MultiBinary(2),
    inner=Tuple([Box(-np.inf, np.inf, (2,), np.float64), Discrete(4, start=2)]),
    many=MultiDiscrete([3, 4]),
    picture=Box(0, 255, (8, 9, 1), np.uint8),
)
ACTIONS = Dict(
    bits=MultiBinary(2),
    go=Tuple([Discrete(3), Box(-2.0, 6.0, (2,), np.float32)]),
    many=MultiDiscrete([2, 3]),
)


class Kinds(gymnasium.Env):
    """Step k of an episode shows k in every way there is; it ends at step 3, at 5 by a clock."""

    observation_space, action_space = KINDS, ACTIONS

    def __init__(self, length=3, limit=5):
        self.length, self.limit, self.actions = length, limit, []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.k = 0
        return self.observe(), {}

    def observe(self):
        k = self.k
        return {  # in another order than the space's
            "picture": np.full((8, 9, 1), k, np.uint8),
            "many": np.array([k % 3, k % 4]),
            "inner": (np.array([k, self.np_random.normal()]), 2 + k % 4),
            "bits": np.array([k % 2, 1], np.int8),
        }

    def step(self, action):
        assert action in self.action_space
        self.actions.append(action)
        self.k += 1
        return self.observe(), float(self.k), self.k == self.length, self.k == self.limit, {}


class Match(gymnasium.Env):
    """One step; the reward is the share of an action's parts that are what ``goal`` says.

    ``goal`` (0 or 1) is shown in a dictionary, as a number and in a vector.
    """

    observation_space = Dict(goal=Discrete(2), vector=Tuple([Box(-1.0, 1.0, (1,), np.float32)]))

    def __init__(self, action_space):
        self.action_space = action_space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.goal = int(self.np_random.integers(2))
        return self.observe(), {}

    def observe(self):
        return {"goal": self.goal, "vector": (np.array([2 * self.goal - 1], np.float32),)}

    def step(self, action):
        parts = np.concatenate([np.ravel(part) for part in _parts(action)])
        return self.observe(), float(np.mean(parts == self.goal)), True, False, {}


def _parts(action):
    if isinstance(action, dict | tuple):
        values = action.values() if isinstance(action, dict) else action
        return [part for value in values for part in _parts(value)]
    return [action]


class Masked(gymnasium.Env):
    """Four steps; of five actions two, drawn anew, are allowed; others must not be taken."""

    observation_space, action_space = Box(-1.0, 1.0, (1,), np.float32), Discrete(5)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.draw()

    def draw(self):
        self.mask = np.zeros(5, bool)
        self.mask[self.np_random.choice(5, 2, replace=False)] = True
        return np.zeros(1, np.float32), {"action_mask": self.mask.astype(np.int8)}

    def step(self, action):
        assert self.mask[action]
        self.t += 1
        obs, info = self.draw()
        return obs, float(action), self.t == 4, False, info


class MaskedMethod(Masked):
    """The same with the method that Stable-Baselines3's MaskablePPO calls."""

    def action_masks(self):
        return self.mask


class Catch(gymnasium.Env):
    """A ball falls down a picture of 24 x 24; under it, a paddle moves. 1 for a catch, else -1.

    Ball and paddle are 4 pixels wide, and so are their steps: 5 until the ball is down.
    """

    observation_space, action_space = Box(0, 255, (24, 24), np.uint8), Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.ball, self.height = int(self.np_random.integers(6)), 0
        self.paddle = 2
        return self.observe(), {}

    def observe(self):
        picture = np.zeros((24, 24), np.uint8)
        for row, column in ((self.height, self.ball), (5, self.paddle)):
            picture[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 255
        return picture

    def step(self, action):
        self.paddle = min(max(self.paddle + int(action) - 1, 0), 5)
        self.height += 1
        done = self.height == 5
        reward = (1.0 if self.ball == self.paddle else -1.0) if done else 0.0
        return self.observe(), reward, done, False, {}


gymnasium.register("Kinds-v0", Kinds)
gymnasium.register("Match-v0", Match)
gymnasium.register("Masked-v0", Masked)
gymnasium.register("MaskedMethod-v0", MaskedMethod)
gymnasium.register("Catch-v0", Catch)
