"""Checks of what an environment hands over: spaces, observations, rewards, flags."""

from copy import deepcopy
from itertools import islice

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

from lagom.utils import nested

NUM_STEP = 300  # steps of a random policy that are looked at


class Failed(Exception):
    """A check that failed: what is wrong, and what to do about it."""

    def __init__(self, detail, advice):
        super().__init__(detail)
        self.detail, self.advice = detail, advice


def walk(env, seed, policy_seed=0):
    """Take random steps for ever, through as many episodes as it takes.

    Yields:
        tuple: ``(action, out)`` of each step and ``(None, out)`` of each reset; in ``out``, as it
        was returned, the observation is a copy.
    """
    actions = action_space(env, policy_seed)
    yield None, _kept(env.reset(seed=seed))
    while True:
        action = actions.sample()
        out = env.step(action)
        yield action, _kept(out)
        if out[2] or out[3]:
            yield None, _kept(env.reset())


def _kept(out):
    return deepcopy(out[0]), *out[1:]


def action_space(env, seed):
    """The action space of ``env`` with a random stream of its own."""
    space = deepcopy(env.action_space)
    space.seed(seed)
    return space


def spaces(env):
    """Observations and actions are of kinds that lagom works with."""
    simple = nested.flat(nested.simple_spaces(env.observation_space))
    for space in simple:
        if space.shape is None:
            raise Failed(
                f"observation space {space} is not one of arrays",
                "use Box, Discrete, MultiDiscrete, MultiBinary, or Dict and Tuple of these",
            )
        if 0 in space.shape:
            raise Failed(f"observation space {space} is empty", "give it a shape without zeros")
    for space in nested.flat(nested.simple_spaces(env.action_space)):
        if not isinstance(space, Box | Discrete | MultiDiscrete | MultiBinary):
            raise Failed(
                f"action space {space} is of a kind no algorithm here knows",
                "use Discrete or Box",
            )
        if isinstance(space, Box) and not space.is_bounded():
            raise Failed(
                f"action space {space} has infinite bounds",
                "give low and high: agents act in [-1, 1], which is rescaled to them",
            )
    return f"{_plain(env.observation_space)} -> {_plain(env.action_space)}"


def reset(env):
    """``reset`` returns (observation, info)."""
    out = env.reset(seed=0)
    if not (isinstance(out, tuple) and len(out) == 2):
        raise Failed(
            "reset returned an observation alone",
            "return (observation, info); reset(seed=None, options=None) begins with "
            "super().reset(seed=seed)",
        )
    if not isinstance(out[1], dict):
        raise Failed(f"reset returned {out[1]!r} as info", "return a dictionary, {} for nothing")
    return "(observation, info)"


def step(env):
    """``step`` returns (observation, reward, terminated, truncated, info) of the right types."""
    env.reset(seed=0)
    out = env.step(action_space(env, 0).sample())
    if len(out) != 5:
        raise Failed(
            f"step returned {len(out)} values",
            "return (observation, reward, terminated, truncated, info); done becomes terminated "
            "if the task ended, truncated if time was up",
        )
    for name, flag in zip(("terminated", "truncated"), out[2:4], strict=True):
        if not isinstance(flag, bool | np.bool_):
            raise Failed(f"{name} is {flag!r}", "return True or False")
    if not isinstance(out[4], dict):
        raise Failed(f"step returned {out[4]!r} as info", "return a dictionary, {} for nothing")
    return "five values"


def observations(env):
    """Observations have the shape, the dtype and the bounds of their space, and are finite."""
    space, num = env.observation_space, 0
    for _, out in islice(walk(env, 0), NUM_STEP):
        _observation(space, out[0])
        num += 1
    return f"{num} inside the space"


def _observation(space, x, name="observation"):
    if isinstance(space, dict) or hasattr(space, "spaces"):
        parts = nested.simple_spaces(space)
        names = nested.flat(nested.names(parts, name))
        try:
            values = nested.flat(nested.map_leaves(lambda _, leaf: leaf, parts, x))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise Failed(
                f"{name} is not nested as its space is ({type(error).__name__}: {error})",
                f"return what {space} describes",
            ) from None
        for part, value, where in zip(nested.flat(parts), values, names, strict=True):
            _observation(part, value, where)
        return
    array = np.asarray(x)
    if array.shape != space.shape:
        raise Failed(
            f"{name} has shape {array.shape}, its space {space.shape}",
            "make them the same; the space decides how large networks are",
        )
    if isinstance(space, Box) and array.dtype != space.dtype:
        raise Failed(
            f"{name} is {array.dtype}, its space {space.dtype}",
            f"return observation.astype(np.{space.dtype}), or declare the space {array.dtype}",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise Failed(f"{name} is not finite: {_short(array)}", "look for divisions by zero")
    if x not in space:
        raise Failed(
            f"{name} {_short(array)} is outside its space {_plain(space)}",
            "widen low and high, or clip; normalization and image networks rely on the bounds",
        )


def rewards(env):
    """Rewards are finite numbers."""
    seen = []
    for action, out in islice(walk(env, 0), NUM_STEP):
        if action is None:
            continue
        reward = out[1]
        if np.shape(reward) != () or isinstance(reward, str | type(None)):
            raise Failed(f"reward is {reward!r}", "return one number: float(reward)")
        if not np.isfinite(reward):
            raise Failed(
                f"reward is {reward!r}", "return finite numbers; jobs end as diverged else"
            )
        seen.append(float(reward))
    return f"from {min(seen):.4g} to {max(seen):.4g}"


def actions(env):
    """``step`` leaves the action as it was."""
    env.reset(seed=0)
    given = action_space(env, 0).sample()
    before = nested.map_leaves(np.array, given)
    env.step(given)
    same = nested.map_leaves(np.array_equal, before, given)
    if not all(nested.flat(same)):
        raise Failed(
            f"step changed the action it was given, {before!r}, to {given!r}",
            "copy it first: the same array is what the algorithm learns from",
        )
    return "left as they were"


def _short(array):
    return _plain(np.array2string(array, precision=4, threshold=6, edgeitems=2))


def _plain(thing):
    """``thing`` in one line, without its end if that is long."""
    text = " ".join(str(thing).split())
    return text if len(text) < 60 else f"{text[:57]}..."
