"""Environments written for gym 0.21 to 0.26, as Gymnasium's; gym itself is not needed for it."""

import importlib
import inspect
import sys
from functools import partial

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec


class OldGymEnv(gymnasium.Env):
    """An environment of the old API behind the new one.

    ``reset`` may return an observation alone, and seeds go through ``env.seed`` where it does not
    take them.  ``step`` may return four values: ``done`` then counts as truncated if
    ``info["TimeLimit.truncated"]`` says so, else as terminated.  Spaces and metadata are converted.
    Public attributes this object lacks are those of the environment inside.

    Args:
        env (object): has ``reset``, ``step`` and the two spaces.
        render_mode (str): what ``render`` asks of environments that take a mode there.

    Raises:
        ValueError: if a space is of an unknown kind.
    """

    def __init__(self, env, render_mode=None):
        self.env, self.render_mode = env, render_mode
        self.observation_space = convert_space(env.observation_space)
        self.action_space = convert_space(env.action_space)
        self.metadata = _metadata(getattr(env, "metadata", None) or {})
        core = getattr(env, "unwrapped", env)
        self._reset_takes = _parameters(core.reset)
        self._render_takes = _parameters(core.render) if hasattr(core, "render") else ()

    def reset(self, *, seed=None, options=None):
        """Begin an episode; ``options`` go to environments that take them."""
        super().reset(seed=seed)
        kwargs = {"seed": seed} if "seed" in self._reset_takes else {}
        if "seed" not in self._reset_takes and seed is not None and hasattr(self.env, "seed"):
            self.env.seed(seed)
        if "options" in self._reset_takes and options is not None:
            kwargs["options"] = options
        out = self.env.reset(**kwargs)
        return out if self._has_info(out) else (out, {})

    def _has_info(self, out):
        if not (isinstance(out, tuple) and len(out) == 2 and isinstance(out[1], dict)):
            return False
        return not (
            isinstance(self.observation_space, spaces.Tuple) and out in self.observation_space
        )

    def step(self, action):
        """Take one step, of the old kind or the new.

        Raises:
            ValueError: if the environment returns neither four values nor five.
        """
        out = self.env.step(action)
        if len(out) == 5:
            return out
        if len(out) != 4:
            raise ValueError(f"OldGymEnv: step returned {len(out)} values; expected 4 or 5")
        observation, reward, done, info = out
        truncated = bool(done and info.get("TimeLimit.truncated", False))
        return observation, reward, bool(done) and not truncated, truncated, info

    def render(self):
        """Return what the environment renders in ``render_mode``."""
        return self.env.render(
            **({"mode": self.render_mode} if "mode" in self._render_takes else {})
        )

    def close(self):
        if hasattr(self.env, "close"):
            self.env.close()

    def __getattr__(self, name):
        if name.startswith("_") or name == "env":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.env, name)


def convert_space(space):
    """Return Gymnasium's space for one of old gym's, told by the name of its class.

    Raises:
        ValueError: if the name is none of gym's.
    """
    if isinstance(space, spaces.Space):
        return space
    kind = {kind.__name__ for kind in type(space).__mro__}
    if "Box" in kind:
        return spaces.Box(np.asarray(space.low), np.asarray(space.high), dtype=space.dtype)
    if "Discrete" in kind:
        return spaces.Discrete(int(space.n), start=int(getattr(space, "start", 0)))
    if "MultiDiscrete" in kind:
        return spaces.MultiDiscrete(np.asarray(space.nvec))
    if "MultiBinary" in kind:
        return spaces.MultiBinary(space.n)
    if "Dict" in kind:
        return spaces.Dict({key: convert_space(part) for key, part in space.spaces.items()})
    if "Tuple" in kind:
        return spaces.Tuple([convert_space(part) for part in space.spaces])
    raise ValueError(
        f"OldGymEnv: space {space!r} is unknown; "
        "expected Box, Discrete, MultiDiscrete, MultiBinary, Dict or Tuple"
    )


def find(name, own=False):
    """Return the spec of what is registered as ``name`` with old gym, if a module imported that.

    gym's own wrappers, which do not run with NumPy 2, are left out; its time limit is kept.

    Args:
        name (str): the id.
        own (bool): whether gym's own environments count, too.

    Returns:
        EnvSpec: Gymnasium's; ``None`` if there is nothing.
    """
    gym = sys.modules.get("gym")
    registry = getattr(getattr(gym, "envs", None), "registry", {})
    spec = getattr(registry, "env_specs", registry).get(name)  # before 0.26 an object of its own
    if spec is None or spec.entry_point is None:
        return None
    if str(spec.entry_point).startswith("gym.") and not own:
        return None
    return EnvSpec(
        id=name,
        entry_point=partial(_make, spec.entry_point),
        reward_threshold=spec.reward_threshold,
        max_episode_steps=spec.max_episode_steps,
        disable_env_checker=True,
        kwargs=dict(getattr(spec, "kwargs", None) or getattr(spec, "_kwargs", {})),
    )


def adapt(spec):
    """Return ``spec``, or, if it makes an environment that is not Gymnasium's, one that adapts it.

    Args:
        spec (EnvSpec): of Gymnasium's registry.
    """
    entry = spec.entry_point
    if entry is None or str(entry).startswith(("gymnasium.", "lagom.")):
        return spec
    try:
        creator = _load(entry)
    except (ImportError, AttributeError):
        return spec  # Gymnasium says it better
    old = inspect.isclass(creator) and not issubclass(creator, gymnasium.Env)
    if not old:
        return spec
    return EnvSpec(
        id=spec.id,
        entry_point=partial(_make, creator),
        reward_threshold=spec.reward_threshold,
        max_episode_steps=spec.max_episode_steps,
        disable_env_checker=True,
        kwargs=spec.kwargs,
    )


def _make(entry, render_mode=None, **kwargs):
    creator = _load(entry)
    takes = _parameters(creator)
    if render_mode is not None and ("render_mode" in takes or "kwargs" in takes):
        kwargs["render_mode"] = render_mode
    return OldGymEnv(creator(**kwargs), render_mode)


def _load(entry):
    if callable(entry):
        return entry
    module, _, name = entry.partition(":")
    return getattr(importlib.import_module(module), name)


def _parameters(function):
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # some written in C have none
        return ()


def _metadata(old):
    """Keys as Gymnasium has them."""
    metadata = dict(old)
    metadata.setdefault("render_modes", list(old.get("render.modes", ())))
    if "video.frames_per_second" in old:
        metadata.setdefault("render_fps", old["video.frames_per_second"])
    return metadata
