"""HalfCheetah, Hopper, Walker2d and Swimmer: forward, in a plane."""

import numpy as np

from lagom.envs.mujoco.task import Task, clip, inside, never, norm, pack, sum_squares


class _Runner(Task):
    """Forward speed less the cost of control."""

    num_hidden = 1

    def __init__(self, core):
        super().__init__(core)
        self.forward_weight = core._forward_reward_weight
        self.ctrl_weight = core._ctrl_cost_weight

    def before(self, physics):
        return physics.qpos[:, 0].copy()

    def forward(self, physics, before):
        """Position, speed and reward for it, ``[B]`` each."""
        x = physics.qpos[:, 0].copy()
        speed = (x - before) / self.dt
        return x, speed, self.forward_weight * speed


class HalfCheetahV4(_Runner):
    """HalfCheetah-v2 and -v4."""

    reward_name = "reward_run"

    def judge(self, physics, before, actions):
        x, speed, forward = self.forward(physics, before)
        ctrl_cost = self.ctrl_weight * sum_squares(actions)
        columns = {
            "x_position": x,
            "x_velocity": speed,
            self.reward_name: forward,
            "reward_ctrl": -ctrl_cost,
        }
        return forward - ctrl_cost, never(x), columns


class HalfCheetahV5(HalfCheetahV4):
    """HalfCheetah-v5; only a name in the infos is another."""

    reward_name = "reward_forward"


class _Upright(_Runner):
    """Alive as long as height and angle are in their ranges."""

    def __init__(self, core):
        super().__init__(core)
        self.healthy_weight = core._healthy_reward
        self.must_be_healthy = core._terminate_when_unhealthy
        self.z_range, self.angle_range = core._healthy_z_range, core._healthy_angle_range

    def observe(self, physics):
        return pack(physics.qpos[:, self.skip :], clip(physics.qvel, -10, 10))

    def is_healthy(self, physics):
        z, angle = physics.qpos[:, 1], physics.qpos[:, 2]
        return inside(z, *self.z_range) & inside(angle, *self.angle_range)

    def judge(self, physics, before, actions):
        x, speed, forward = self.forward(physics, before)
        healthy = self.is_healthy(physics)
        bonus = self.bonus(healthy) * self.healthy_weight
        ctrl_cost = self.ctrl_weight * sum_squares(actions)
        rewards = forward + bonus - ctrl_cost
        terminated = ~healthy if self.must_be_healthy else never(x)
        columns = {"x_position": x, "x_velocity": speed}
        return rewards, terminated, self.tell(physics, columns, forward, ctrl_cost, bonus)

    def bonus(self, healthy):
        """1 where being alive is rewarded: v4 rewards the last step of an episode too."""
        return np.ones(len(healthy)) if self.must_be_healthy else healthy.astype(float)

    def tell(self, physics, columns, forward, ctrl_cost, bonus):
        return columns


class _UprightV5(_Upright):
    def bonus(self, healthy):
        return healthy

    def tell(self, physics, columns, forward, ctrl_cost, bonus):
        return {
            "x_position": columns["x_position"],
            "z_distance_from_origin": physics.qpos[:, 1] - self.core.init_qpos[1],
            "x_velocity": columns["x_velocity"],
            "reward_forward": forward,
            "reward_ctrl": -ctrl_cost,
            "reward_survive": bonus,
        }


class _Hopper(_Upright):
    def __init__(self, core):
        super().__init__(core)
        self.state_range = core._healthy_state_range

    def is_healthy(self, physics):
        states = np.concatenate((physics.qpos[:, 2:], physics.qvel), axis=1)
        healthy = np.logical_and.reduce(inside(states, *self.state_range), axis=1)
        return healthy & super().is_healthy(physics)


class HopperV4(_Hopper):
    """Hopper-v2 and -v4."""


class HopperV5(_Hopper, _UprightV5):
    """Hopper-v5."""


class Walker2dV4(_Upright):
    """Walker2d-v2 and -v4."""


class Walker2dV5(_UprightV5):
    """Walker2d-v5."""


class SwimmerV5(_Runner):
    """Swimmer-v5."""

    num_hidden = 2
    reward_name = "reward_forward"

    def before(self, physics):
        return physics.qpos[:, :2].copy()

    def judge(self, physics, before, actions):
        xy = physics.qpos[:, :2].copy()
        speed = (xy - before) / self.dt
        forward = self.forward_weight * speed[:, 0]
        ctrl_cost = self.ctrl_weight * sum_squares(actions)
        columns = {
            "x_position": xy[:, 0],
            "y_position": xy[:, 1],
            "distance_from_origin": norm(xy),
            "x_velocity": speed[:, 0],
            "y_velocity": speed[:, 1],
            self.reward_name: forward,
            "reward_ctrl": -ctrl_cost,
        }
        return forward - ctrl_cost, never(xy), columns


class SwimmerV4(SwimmerV5):
    """Swimmer-v2 and -v4; the forward reward has two names in the infos."""

    reward_name = "reward_fwd"

    def judge(self, physics, before, actions):
        rewards, terminated, columns = super().judge(physics, before, actions)
        return rewards, terminated, {**columns, "forward_reward": columns[self.reward_name]}
