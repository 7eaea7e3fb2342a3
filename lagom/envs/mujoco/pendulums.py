"""Poles on a cart: InvertedPendulum has one, InvertedDoublePendulum two."""

import numpy as np

from lagom.envs.mujoco.task import Task, clip, pack


class SingleV4(Task):
    """InvertedPendulum-v2 and -v4: every step is worth 1, the last one too."""

    pays_from = 2

    def judge(self, physics, before, actions):
        terminated = self.has_fallen(physics)
        return np.ones(len(terminated)), terminated, {}

    def has_fallen(self, physics):
        finite = np.isfinite(np.concatenate((physics.qpos, physics.qvel), axis=1))
        return ~np.logical_and.reduce(finite, axis=1) | (np.abs(physics.qpos[:, 1]) > 0.2)


class SingleV5(SingleV4):
    """InvertedPendulum-v5: the last step is worth nothing."""

    def judge(self, physics, before, actions):
        terminated = self.has_fallen(physics)
        alive = (~terminated).astype(int)
        return alive.astype(float), terminated, {"reward_survive": alive}


class DoubleV4(Task):
    """InvertedDoublePendulum-v2 and -v4."""

    pays_from = 2
    fields = ("site_xpos", "qfrc_constraint")
    num_constraint = 3

    def observe(self, physics):
        angles = np.ascontiguousarray(physics.qpos[:, 1:])  # sine rounds alike only so
        forces = physics.qfrc_constraint[:, : self.num_constraint]
        speeds = clip(physics.qvel, -10, 10)
        return pack(
            physics.qpos[:, :1],
            np.sin(angles),
            np.cos(angles),
            speeds,
            clip(forces, -10, 10),
        )

    def judge(self, physics, before, actions):
        terminated, dist_cost, speed_cost = self.costs(physics)
        return 10 - dist_cost - speed_cost, terminated, {}

    def costs(self, physics):
        """Whether the tip is too low, and what distance and speed cost, ``[B]`` each."""
        x, y = physics.site_xpos[:, 0, 0], physics.site_xpos[:, 0, 2]
        v1, v2 = physics.qvel[:, 1], physics.qvel[:, 2]
        # ``**`` of a number is ``pow``, which ``float_power`` is for arrays; ``**`` is not.
        dist_cost = 0.01 * np.float_power(x, 2) + np.float_power(y - 2, 2)
        speed_cost = 1e-3 * np.float_power(v1, 2) + 5e-3 * np.float_power(v2, 2)
        return y <= 1, dist_cost, speed_cost


class DoubleV5(DoubleV4):
    """InvertedDoublePendulum-v5: no bonus on the last step, two numbers fewer."""

    num_constraint = 1

    def __init__(self, core):
        super().__init__(core)
        self.healthy_weight = core._healthy_reward

    def judge(self, physics, before, actions):
        terminated, dist_cost, speed_cost = self.costs(physics)
        bonus = self.healthy_weight * (~terminated).astype(int)
        columns = {
            "reward_survive": bonus,
            "distance_penalty": -dist_cost,
            "velocity_penalty": -speed_cost,
        }
        return bonus - dist_cost - speed_cost, terminated, columns
