"""Reacher and Pusher: an arm, a goal, distances."""

import numpy as np

from lagom.envs.mujoco.task import Task, never, norm, pack, sum_squares


class _Arm(Task):
    """Rewards of v2 and v4 are distances before the step, those of v5 after it."""

    fields = ("xpos",)
    bodies: tuple[str, ...] = ()  # names; offsets are from each to the first

    def __init__(self, core):
        super().__init__(core)
        self.ids = [core.model.body(name).id for name in self.bodies]

    def before(self, physics):
        return self.distances(physics)

    def distances(self, physics):
        """From the first body to each of the others, a list of ``[B]``."""
        first, *others = (physics.xpos[:, i] for i in self.ids)
        return [norm(first - other) for other in others]


class _Reacher(_Arm):
    pays_from = 2
    bodies = ("fingertip", "target")
    num_offset = 3  # v5 leaves out the third coordinate, which is always 0

    def observe(self, physics):
        # Sine and cosine round alike only where memory is contiguous.
        theta = np.ascontiguousarray(physics.qpos[:, :2])
        offset = physics.xpos[:, self.ids[0]] - physics.xpos[:, self.ids[1]]
        parts = physics.qpos[:, 2:], physics.qvel[:, :2], offset[:, : self.num_offset]
        return pack(np.cos(theta), np.sin(theta), *parts)


class ReacherV4(_Reacher):
    """Reacher-v2 and -v4."""

    def judge(self, physics, before, actions):
        reward_dist, reward_ctrl = -before[0], -sum_squares(actions)
        columns = {"reward_dist": reward_dist, "reward_ctrl": reward_ctrl}
        return reward_dist + reward_ctrl, never(actions), columns


class ReacherV5(_Reacher):
    """Reacher-v5."""

    num_offset = 2

    def __init__(self, core):
        super().__init__(core)
        self.dist_weight, self.ctrl_weight = core._reward_dist_weight, core._reward_control_weight

    def judge(self, physics, before, actions):
        reward_dist = -self.distances(physics)[0] * self.dist_weight
        reward_ctrl = -sum_squares(actions) * self.ctrl_weight
        columns = {"reward_dist": reward_dist, "reward_ctrl": reward_ctrl}
        return reward_dist + reward_ctrl, never(actions), columns


class _Pusher(_Arm):
    bodies = ("object", "tips_arm", "goal")

    def observe(self, physics):
        puck, tip, goal = (physics.xpos[:, i] for i in self.ids)
        return pack(physics.qpos[:, :7], physics.qvel[:, :7], tip, puck, goal)


class PusherV4(_Pusher):
    """Pusher-v2 and -v4."""

    def judge(self, physics, before, actions):
        near, dist = before
        ctrl = -sum_squares(actions)
        rewards = -dist + 0.1 * ctrl + 0.5 * -near
        return rewards, never(actions), {"reward_dist": -dist, "reward_ctrl": ctrl}


class PusherV5(_Pusher):
    """Pusher-v5."""

    def __init__(self, core):
        super().__init__(core)
        self.near_weight, self.dist_weight = core._reward_near_weight, core._reward_dist_weight
        self.ctrl_weight = core._reward_control_weight

    def judge(self, physics, before, actions):
        near, dist = self.distances(physics)
        near, dist = -near * self.near_weight, -dist * self.dist_weight
        ctrl = -sum_squares(actions) * self.ctrl_weight
        columns = {"reward_dist": dist, "reward_ctrl": ctrl, "reward_near": near}
        return dist + ctrl + near, never(actions), columns
