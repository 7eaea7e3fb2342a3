"""Tasks with a part of the observation hidden: what is missing must be inferred from the past.

The tasks without velocities are those on which recurrent policies are commonly compared.
"""

import copy

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box

_HIDDEN = {  # id -> entries of the observation that are velocities
    "CartPole-v1": [1, 3],
    "MountainCarContinuous-v0": [1],
    "Pendulum-v1": [2],
    "LunarLander-v3": [2, 3, 5],
}


class MaskObservation(gymnasium.ObservationWrapper):
    """Takes entries out of observations.

    Args:
        env (Env): its observations are vectors, ``Box`` with one axis.
        hidden (list): indices of the entries that are not shown.

    Raises:
        ValueError: observations are no vectors, or lack such an entry.
    """

    def __init__(self, env, hidden):
        super().__init__(env)
        space = env.observation_space
        if not (isinstance(space, Box) and len(space.shape) == 1):
            raise ValueError(f"MaskObservation: observation space is {space}; expected one axis")
        if not all(0 <= i < space.shape[0] for i in hidden):
            raise ValueError(
                f"MaskObservation: hidden is {hidden!r}; expected indices below {space.shape[0]}"
            )
        self.shown = np.setdiff1d(np.arange(space.shape[0]), hidden)
        low, high = space.low[self.shown], space.high[self.shown]
        self.observation_space = Box(low, high, dtype=space.dtype)

    def observation(self, observation):
        return observation[self.shown]


def make_masked(id, hidden, **kwargs):
    """The environment called ``id`` without the ``hidden`` entries, and without a time limit."""
    spec = copy.deepcopy(gymnasium.spec(id))
    spec.max_episode_steps = None  # the clock belongs to the masked task
    return MaskObservation(gymnasium.make(spec, disable_env_checker=True, **kwargs), hidden)


def _spec(id, hidden):
    spec, (name, version) = gymnasium.spec(id), id.split("-")
    return EnvSpec(
        id=f"{name}NoVel-{version}",
        entry_point="lagom.envs.masked:make_masked",
        reward_threshold=spec.reward_threshold,
        max_episode_steps=spec.max_episode_steps,
        kwargs={"id": id, "hidden": hidden},
        disable_env_checker=True,
    )


SPECS = {spec.id: spec for spec in (_spec(id, hidden) for id, hidden in _HIDDEN.items())}
