"""What every batched MuJoCo task has in common."""

import numpy as np


class Task:
    """Observations, rewards and ends of ``B`` simulations of one task, by its formulas.

    They are evaluated in the order and in the types of Gymnasium's classes, so that sums round
    alike.  Weights and ranges are those of the environment it is made from.

    Args:
        core (MujocoEnv): unwrapped; its arguments are taken over.

    Attributes:
        fields (tuple): fields of ``MjData`` that are read beside ``qpos`` and ``qvel``.
    """

    fields: tuple[str, ...] = ()
    pays_from = 1  # simulations; fewer are stepped faster as ordinary environments

    def __init__(self, core):
        self.core, self.dt = core, core.dt
        hidden = getattr(core, "_exclude_current_positions_from_observation", True)
        self.skip = self.num_hidden if hidden else 0

    num_hidden = 0  # leading positions that are not observed

    def before(self, physics):
        """What the reward compares with the state after the step, copied."""
        return None

    def observe(self, physics):
        """Observations, fresh, ``[B, *obs]`` float32."""
        return pack(physics.qpos[:, self.skip :], physics.qvel)

    def judge(self, physics, before, actions):
        """Rewards ``[B]``, terminated ``[B]``, and columns of infos ``[B, ...]``, fresh."""
        raise NotImplementedError


def pack(*parts):
    """Return parts ``[B, ...]`` side by side, ``[B, D]`` float32."""
    flat = [part if part.ndim == 2 else part.reshape(len(part), -1) for part in parts]
    return np.concatenate(flat, axis=1, dtype=np.float32)


def sum_squares(x):
    """Return the sum of squares over all axes but the first, ``[B]``."""
    x = np.square(x)
    return np.add.reduce(x if x.ndim == 2 else x.reshape(len(x), -1), axis=1)


def norm(x):
    """Return lengths of vectors ``[B, D]``, by the dot product that ``np.linalg.norm`` uses."""
    return np.sqrt(np.vecdot(x, x))


def clip(x, low, high):
    """Return numbers brought between two limits; for small arrays quicker than ``np.clip``."""
    return np.minimum(np.maximum(x, low), high)


def inside(x, low, high):
    """Return whether numbers are strictly between two limits."""
    return (low < x) & (x < high)


def never(x):
    """Return ends of tasks without end, ``[B]``."""
    return np.zeros(len(x), bool)
