"""Wrappers for games: how episodes begin and end, what is allowed, what a reward is worth."""

import gymnasium
import numpy as np
from gymnasium.spaces import Dict, Discrete, MultiBinary, MultiDiscrete

from lagom.envs.wrapper import VecEnvWrapper

MASK = "action_mask"


class NoopStart(gymnasium.Wrapper):
    """An episode begins after 1 to ``num`` steps of doing nothing, which is action 0.

    Args:
        env (Env): with ``Discrete`` actions from 0.
        num (int): the most steps, at least 1.

    Raises:
        ValueError: ``num`` is smaller, or there is no such action.
    """

    def __init__(self, env, num):
        super().__init__(env)
        _check_noop("NoopStart", env)
        if num < 1:
            raise ValueError(f"NoopStart: num is {num!r}; expected at least 1")
        self.num = num
        self._rng = np.random.default_rng()

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        obs, info = self.env.reset(seed=seed, options=options)
        for _ in range(self._rng.integers(1, self.num + 1)):
            obs, _, terminated, truncated, info = self.env.step(0)
            if terminated or truncated:
                obs, info = self.env.reset(options=options)
        return obs, info


class EpisodicLife(gymnasium.Wrapper):
    """Losing a life, which ``info["lives"]`` counts, ends an episode; the game goes on in the next.

    For training only: returns are those of lives then, and Machado et al. (2018) advise against it.

    Args:
        env (Env): with ``Discrete`` actions from 0, of which 0 does nothing.

    Raises:
        ValueError: there is no such action.
    """

    def __init__(self, env):
        super().__init__(env)
        _check_noop("EpisodicLife", env)
        self._lives, self._is_over = 0, True

    def reset(self, *, seed=None, options=None):
        if self._is_over or seed is not None:
            obs, info = self.env.reset(seed=seed, options=options)
        else:
            obs, _, terminated, truncated, info = self.env.step(0)
            if terminated or truncated:
                obs, info = self.env.reset(options=options)
        self._lives, self._is_over = info.get("lives", 0), False
        return obs, info

    def step(self, action):
        obs, reward, terminated, truncated, info = self.env.step(action)
        self._is_over = terminated or truncated
        lives = info.get("lives", 0)
        lost, self._lives = 0 < lives < self._lives, lives
        return obs, reward, terminated or lost, truncated, info


class ActionMask(gymnasium.Wrapper):
    """What is allowed becomes an entry ``"action_mask"`` of ``Dict`` observations.

    It comes from the environment's method ``action_masks``, as Stable-Baselines3's MaskablePPO
    expects it, or else from ``info["action_mask"]``.  Observations that are not of a ``Dict`` are
    the entry ``"observation"``.

    Args:
        env (Env): with ``Discrete`` or ``MultiDiscrete`` actions; for the latter a mask has the
            values of all factors in a row.

    Raises:
        ValueError: it has other actions; later, there is no mask, or one of another length.
    """

    def __init__(self, env):
        super().__init__(env)
        space = env.action_space
        if not isinstance(space, Discrete | MultiDiscrete):
            raise ValueError(
                f"ActionMask: action space is {space}; expected Discrete or MultiDiscrete"
            )
        self._num = int(space.n if isinstance(space, Discrete) else space.nvec.sum())
        self._method = find_masks(env)
        self._nests = isinstance(env.observation_space, Dict)
        parts = (
            env.observation_space.spaces if self._nests else {"observation": env.observation_space}
        )
        self.observation_space = Dict({**parts, MASK: MultiBinary(self._num)})

    def reset(self, **kwargs):
        obs, info = self.env.reset(**kwargs)
        return self._with_mask(obs, info), info

    def step(self, action):
        obs, reward, terminated, truncated, info = self.env.step(action)
        return self._with_mask(obs, info), reward, terminated, truncated, info

    def _with_mask(self, obs, info):
        mask = info.get(MASK) if self._method is None else self._method()
        mask = np.asarray(np.zeros(0) if mask is None else mask)
        if mask.shape != (self._num,):
            raise ValueError(
                f"ActionMask: got a mask of shape {mask.shape}; expected ({self._num},), from the "
                "method action_masks of the environment or info['action_mask'] of reset and step"
            )
        parts = obs if self._nests else {"observation": obs}
        return {**parts, MASK: (mask != 0).astype(np.int8)}


def find_masks(env):
    """The method ``action_masks`` of ``env`` or what it wraps; None without."""
    return env.get_wrapper_attr("action_masks") if env.has_wrapper_attr("action_masks") else None


class ClipReward(VecEnvWrapper):
    """Rewards become their signs: -1, 0 or 1 (Mnih et al., 2015)."""

    def step(self, actions):
        observations, rewards, *rest = self.env.step(actions)
        return observations, np.sign(rewards), *rest


def _check_noop(where, env):
    space = env.action_space
    if not (isinstance(space, Discrete) and space.start == 0):
        raise ValueError(f"{where}: action space is {space}; expected Discrete from 0")
