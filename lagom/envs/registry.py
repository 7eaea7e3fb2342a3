"""Environments by name: lagom's own table first, then Gymnasium's, then the user's modules."""

import difflib
import importlib
import os

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Dict, Tuple
from gymnasium.wrappers import FilterObservation

from lagom.envs import masked, old_gym
from lagom.envs.preprocess import with_masks
from lagom.utils import import_from_here


def _spec(name, entry_point, reward_threshold=None, max_episode_steps=1000):
    return EnvSpec(
        id=f"{name}-v2",
        entry_point=f"lagom.envs.mujoco_v2:{entry_point}",
        reward_threshold=reward_threshold,
        max_episode_steps=max_episode_steps,
        disable_env_checker=True,
    )


# Thresholds and time limits (steps) of gym 0.15.3.
SPECS = {
    spec.id: spec
    for spec in (
        _spec("Ant", "AntV2", 6000.0),
        _spec("HalfCheetah", "HalfCheetahEnv", 4800.0),
        _spec("Hopper", "HopperEnv", 3800.0),
        _spec("Humanoid", "HumanoidV2"),
        _spec("HumanoidStandup", "HumanoidStandupV2"),
        _spec("InvertedDoublePendulum", "InvertedDoublePendulumEnv", 9100.0),
        _spec("InvertedPendulum", "InvertedPendulumEnv", 950.0),
        _spec("Pusher", "PusherV2", max_episode_steps=100),
        _spec("Reacher", "ReacherEnv", -3.75, max_episode_steps=50),
        _spec("Swimmer", "SwimmerEnv", 360.0),
        _spec("Walker2d", "Walker2dEnv"),
    )
}
# For those who call gymnasium.make; where Gymnasium has these ids, they only raise.
gymnasium.registry.update(SPECS | masked.SPECS)

# Families that register themselves when imported: beginning of the id, module, extra of lagom's.
_FAMILIES = (
    ("ALE/", "ale_py", "atari"),
    ("MiniGrid-", "minigrid", "minigrid"),
    ("BabyAI-", "minigrid", "minigrid"),
    ("dm_control/", "shimmy", "dm-control"),
)


def make(id, **kwargs):
    """Return the environment called ``id``, in Gymnasium's usual wrappers.

    Args:
        id (str): ``Ant-v2`` and the like from lagom's own table; any id of Gymnasium's; or
            ``my_module:MyEnv-v0``, which first imports ``my_module`` from the path or the working
            directory; ``gym:CartPole-v1`` for what old gym registers.  Environments of the old API
            are adapted (:mod:`lagom.envs.old_gym`); texts in ``Dict`` observations are left out.
        **kwargs: go to the environment; ``render_mode``, ``max_episode_steps`` and
            ``disable_env_checker`` are Gymnasium's.

    Raises:
        ValueError: if there is no such environment (the nearest names are told), something must be
            installed first, or it does not take these arguments.

    Example:
        >>> make("Ant-v2").observation_space.shape
        (111,)
    """
    module, _, name = str(id).rpartition(":")
    if module:
        _import(module, id)
    # Asked for by name only: many of gym's ids are Gymnasium's as well.
    spec = (old_gym.find(name, own=True) if module == "gym" else None) or _find(name)
    if "mujoco" in str(spec.entry_point):
        if kwargs.get("render_mode") and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
            os.environ.setdefault("MUJOCO_GL", "egl")  # read when MuJoCo is imported
        _quiet_mujoco()
    try:
        return with_masks(_without_texts(gymnasium.make(spec, **kwargs)))
    except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
        reason = str(error)
        if "mujoco v2 and v3" in reason:
            reason += "; it is retired" + _nearest(name)
        elif "box2d" in reason.lower():
            reason = "Box2D is not installed; pip install 'lagom[box2d]'"
        raise ValueError(f"make: {id!r} cannot be made: {reason}") from error
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise ValueError(f"make: {error}; expected arguments {id!r} knows") from error


def _without_texts(env):
    """``env`` without those parts of a ``Dict`` observation that are no arrays."""
    space = env.observation_space
    if not isinstance(space, Dict):
        return env
    kept = [
        k for k, part in space.items() if part.shape is not None or isinstance(part, Dict | Tuple)
    ]
    return env if len(kept) in (0, len(space)) else FilterObservation(env, kept)


def _import(module, id):
    try:
        import_from_here(module)
    except ImportError as error:
        if module == "gym":
            raise ValueError(f"make: {id!r} needs old gym; pip install 'lagom[gym]'") from error
        raise ValueError(
            f"make: {id!r} needs module {module!r}, which cannot be imported ({error}); "
            "expected it on the path or in the working directory"
        ) from error


def _find(name):
    if name not in SPECS and name not in gymnasium.registry:
        for beginning, module, extra in _FAMILIES:
            if name.startswith(beginning):
                _import_family(name, module, extra)
    spec = SPECS.get(name) or gymnasium.registry.get(name)
    spec = old_gym.find(name) if spec is None else old_gym.adapt(spec)
    if spec is None:
        raise ValueError(f"make: there is no environment {name!r}{_nearest(name)}")
    return spec


def _import_family(name, module, extra):
    try:
        gymnasium.register_envs(importlib.import_module(module))
    except ImportError as error:
        raise ValueError(
            f"make: {name!r} needs a package that is not installed ({error}); "
            f"pip install 'lagom[{extra}]'"
        ) from error


def _quiet_mujoco():
    try:
        importlib.import_module("lagom.envs.mujoco_v2")
    except (ImportError, gymnasium.error.DependencyNotInstalled):
        return  # making the environment will say what is missing


def _nearest(name):
    names = [known for known in gymnasium.registry if not known.startswith("GymV")]
    near = difflib.get_close_matches(name, [known for known in names if known != name], n=3)
    return f"; the nearest are {', '.join(near)}" if near else ""
