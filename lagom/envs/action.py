"""Actions on one scale, whatever the environment's."""

from copy import deepcopy

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector.utils import batch_space

from lagom.envs.state import capture_rng, restore_rng
from lagom.envs.wrapper import VecEnvWrapper


class RescaleAction(VecEnvWrapper):
    """Actions in [-1, 1] are stretched to the environment's bounds; beyond, they are clipped.

    The same as Gymnasium's ``ClipAction`` over ``RescaleAction(-1, 1)``, in one pass over a batch.
    A dimension with an infinite bound keeps its scale; a finite bound it may have still clips.

    Args:
        env (VecEnv or Env): with a ``Box`` of floats as action space.

    Raises:
        ValueError: if it has another action space.
    """

    def __init__(self, env):
        super().__init__(env)
        space = self.env.single_action_space
        if not (isinstance(space, Box) and space.dtype.kind == "f"):
            raise ValueError(f"RescaleAction: action space is {space}; expected a Box of floats")
        self._low, self._high, self._dtype = space.low, space.high, space.dtype
        finite = np.isfinite(space.low) & np.isfinite(space.high)
        low, high = np.where(finite, space.low, -1.0), np.where(finite, space.high, 1.0)
        self._center = (0.5 * low + 0.5 * high).astype(space.dtype)  # sums could overflow
        self._half = (0.5 * high - 0.5 * low).astype(space.dtype)
        self.single_action_space = Box(
            np.where(finite, -1.0, space.low).astype(space.dtype),
            np.where(finite, 1.0, space.high).astype(space.dtype),
            dtype=space.dtype.type,
            seed=deepcopy(space.np_random),
        )
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def step(self, actions):
        actions = np.asarray(actions, self._dtype) * self._half
        actions += self._center
        np.maximum(actions, self._low, out=actions)
        np.minimum(actions, self._high, out=actions)
        return self.env.step(actions)

    def state_dict(self):
        """Return the random state of the action spaces, with the environment's state."""
        spaces = [capture_rng(self.single_action_space), capture_rng(self.action_space)]
        return {**super().state_dict(), "action_spaces": spaces}

    def load_state_dict(self, state):
        """Go on where ``state_dict`` was taken."""
        super().load_state_dict(state)
        restore_rng(self.single_action_space, state["action_spaces"][0])
        restore_rng(self.action_space, state["action_spaces"][1])
