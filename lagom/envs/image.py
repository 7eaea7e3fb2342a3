"""Wrappers of single environments that make pictures small and few: what Atari games need.

Machado et al., Revisiting the Arcade Learning Environment, 2018 (arXiv:1709.06009), sections 2 and
5; Mnih et al., Human-level control through deep reinforcement learning, 2015, Methods.
"""

from collections import deque

import gymnasium
import numpy as np
from gymnasium.spaces import Box

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green, blue: ITU-R BT.601


class FrameSkip(gymnasium.Wrapper):
    """Each action is taken ``skip`` times; rewards add up, other frames are not seen.

    Observations are the brighter of the last two frames at each pixel, as some games draw their
    objects in every other frame only.

    Args:
        env (Env): with pictures as observations.
        skip (int): times, at least 1.

    Raises:
        ValueError: ``skip`` is smaller, or observations are no arrays.
    """

    def __init__(self, env, skip):
        super().__init__(env)
        _check_box("FrameSkip", env)
        if skip < 1:
            raise ValueError(f"FrameSkip: skip is {skip!r}; expected at least 1")
        self.skip = skip

    def step(self, action):
        total, before = 0.0, None
        for _ in range(self.skip):
            obs, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
            last, before = before, np.array(obs)  # environments may write into what they return
        else:
            return (before if last is None else np.maximum(last, before)), total, False, False, info
        obs = np.array(obs) if before is None else np.maximum(before, obs)
        return obs, total, terminated, truncated, info


class Grayscale(gymnasium.ObservationWrapper):
    """Pictures ``[H, W, 3]`` of bytes become ``[H, W]``: their luminance.

    Raises:
        ValueError: observations are others.
    """

    def __init__(self, env):
        super().__init__(env)
        space = env.observation_space
        if not (isinstance(space, Box) and space.shape[2:] == (3,) and space.dtype == np.uint8):
            raise ValueError(f"Grayscale: got {space}; expected bytes of shape [H, W, 3]")
        self.observation_space = Box(0, 255, space.shape[:2], np.uint8)

    def observation(self, obs):
        return np.rint(obs @ _LUMINANCE).astype(np.uint8)


class Resize(gymnasium.ObservationWrapper):
    """Pictures of bytes, ``[H, W]`` or ``[H, W, C]``, shrunk: new pixels are means of areas.

    Args:
        env (Env): with such observations.
        size (list): new height and width, in pixels, at most the old ones.

    Raises:
        ValueError: observations are others, or the size is.
    """

    def __init__(self, env, size):
        super().__init__(env)
        space, (height, width) = env.observation_space, size
        if not (isinstance(space, Box) and len(space.shape) in (2, 3) and space.dtype == np.uint8):
            raise ValueError(f"Resize: got {space}; expected bytes of shape [H, W] or [H, W, C]")
        if not (1 <= height <= space.shape[0] and 1 <= width <= space.shape[1]):
            raise ValueError(
                f"Resize: size is {list(size)} for pictures {space.shape}; expected height and "
                "width, at least 1 and at most the old ones"
            )
        self._rows = area_weights(space.shape[0], height)  # [height, H]
        self._columns = area_weights(space.shape[1], width)  # [width, W]
        self.observation_space = Box(0, 255, (height, width, *space.shape[2:]), np.uint8)

    def observation(self, obs):
        # Along one axis, then the other; a copy as float32, since matmul of bytes is slow.
        x = np.tensordot(self._rows, obs.astype(np.float32), 1)  # [height, W, ...]
        x = np.moveaxis(np.tensordot(self._columns, x, (1, 1)), 0, 1)  # [height, width, ...]
        return np.rint(x).astype(np.uint8)


def area_weights(num_old, num_new):
    """How much of each old pixel there is in each new one, ``[num_new, num_old]``; rows sum to 1.

    Example:
        >>> area_weights(3, 2).astype(float).round(2).tolist()
        [[0.67, 0.33, 0.0], [0.0, 0.33, 0.67]]
    """
    edges = np.arange(num_new + 1)[:, None] * (num_old / num_new)  # of new pixels, in old ones
    old = np.arange(num_old)
    overlap = np.minimum(edges[1:], old + 1) - np.maximum(edges[:-1], old)
    weights = np.maximum(overlap, 0) * (num_new / num_old)
    return np.ascontiguousarray(weights, np.float32)


class FrameStack(gymnasium.Wrapper):
    """The last ``num`` observations as one, the oldest first; a reset repeats its own.

    Pictures ``[H, W]`` are put on a new first axis, all others in a row along their last.

    Args:
        env (Env): with arrays as observations.
        num (int): observations, at least 1.

    Raises:
        ValueError: ``num`` is smaller, or observations are no arrays with an axis.
    """

    def __init__(self, env, num):
        super().__init__(env)
        space = _check_box("FrameStack", env)
        if num < 1 or not space.shape:
            raise ValueError(
                f"FrameStack: num is {num!r} for observations of shape {space.shape}; expected at "
                "least 1, and an axis"
            )
        self._frames = deque(maxlen=num)
        self._join = np.stack if len(space.shape) == 2 else _in_a_row
        low, high = (self._join([x] * num) for x in (space.low, space.high))
        self.observation_space = Box(low, high, dtype=space.dtype)

    def reset(self, **kwargs):
        obs, info = self.env.reset(**kwargs)
        self._frames.extend([np.array(obs)] * self._frames.maxlen)
        return self._join(self._frames), info

    def step(self, action):
        obs, *rest = self.env.step(action)
        self._frames.append(np.array(obs))
        return self._join(self._frames), *rest


def _in_a_row(frames):
    return np.concatenate([*frames], -1)


def _check_box(where, env):
    space = env.observation_space
    if not isinstance(space, Box):
        raise ValueError(f"{where}: observation space is {space}; expected a Box")
    return space
