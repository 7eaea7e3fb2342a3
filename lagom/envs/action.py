"""Actions on one scale, whatever the environment's."""

from copy import deepcopy

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector.utils import batch_space

from lagom.envs.state import capture_rng, restore_rng
from lagom.envs.wrapper import VecEnvWrapper
from lagom.utils import nested


class RescaleAction(VecEnvWrapper):
    """Actions in [-1, 1] are stretched to the environment's bounds; beyond, they are clipped.

    The same as Gymnasium's ``ClipAction`` over ``RescaleAction(-1, 1)``, in one pass over a batch.
    A dimension with an infinite bound keeps its scale; a finite bound it may have still clips.
    What is not a ``Box`` of floats in a ``Dict`` or ``Tuple`` passes unchanged.

    Args:
        env (VecEnv or Env): with a ``Box`` of floats as action space, or in it.

    Raises:
        ValueError: if there is none.
    """

    def __init__(self, env):
        super().__init__(env)
        space = self.env.single_action_space
        spaces = nested.simple_spaces(space)
        self._scales = nested.map_leaves(_scale, spaces)
        if not any(nested.flat(self._scales)):
            raise ValueError(f"RescaleAction: action space is {space}; expected a Box of floats")
        rescaled = nested.map_leaves(
            lambda scale, part: deepcopy(part) if scale is None else scale.new_space,
            *(self._scales, spaces),
        )
        self.single_action_space = nested.joint_space(rescaled)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def step(self, actions):
        if isinstance(actions, list) and isinstance(self._scales, dict | tuple):
            actions = nested.stack(actions)
        stretch = lambda scale, x: x if scale is None else scale(x)
        return self.env.step(nested.map_leaves(stretch, self._scales, actions))

    def state_dict(self):
        """Return the random state of the action spaces, with the environment's state."""
        spaces = [capture_rng(self.single_action_space), capture_rng(self.action_space)]
        return {**super().state_dict(), "action_spaces": spaces}

    def load_state_dict(self, state):
        """Go on where ``state_dict`` was taken."""
        super().load_state_dict(state)
        restore_rng(self.single_action_space, state["action_spaces"][0])
        restore_rng(self.action_space, state["action_spaces"][1])


def _scale(space):
    """How to stretch actions to a ``Box`` of floats; None for any other space."""
    return _Scale(space) if isinstance(space, Box) and space.dtype.kind == "f" else None


class _Scale:
    """From [-1, 1] to the bounds of a ``Box``."""

    def __init__(self, space):
        self.low, self.high, self.dtype = space.low, space.high, space.dtype
        finite = np.isfinite(space.low) & np.isfinite(space.high)
        low, high = np.where(finite, space.low, -1.0), np.where(finite, space.high, 1.0)
        self.center = (0.5 * low + 0.5 * high).astype(space.dtype)  # sums could overflow
        self.half = (0.5 * high - 0.5 * low).astype(space.dtype)
        self.new_space = Box(
            np.where(finite, -1.0, space.low).astype(space.dtype),
            np.where(finite, 1.0, space.high).astype(space.dtype),
            dtype=space.dtype.type,
            seed=deepcopy(space.np_random),
        )

    def __call__(self, actions):
        actions = np.asarray(actions, self.dtype) * self.half
        actions += self.center
        np.maximum(actions, self.low, out=actions)
        np.minimum(actions, self.high, out=actions)
        return actions
