"""Ant: four legs, forward."""

import numpy as np

from lagom.envs.mujoco.task import Task, clip, never, norm, pack, sum_squares


class _Ant(Task):
    """Speed of the body, alive as long as its height is in a range; contact forces may cost."""

    num_hidden = 2
    main_body = "torso"

    def __init__(self, core):
        super().__init__(core)
        self.fields = ("xpos", "cfrc_ext") if self.reads_contacts(core) else ("xpos",)
        self.body = core.model.body(self.main_body).id
        self.ctrl_weight, self.contact_weight = core._ctrl_cost_weight, core._contact_cost_weight
        self.healthy_weight = core._healthy_reward
        self.must_be_healthy = core._terminate_when_unhealthy
        self.z_range, self.force_range = core._healthy_z_range, core._contact_force_range

    def before(self, physics):
        return physics.xpos[:, self.body, :2].copy()

    def contact_forces(self, physics):
        return clip(physics.cfrc_ext, *self.force_range)

    def is_healthy(self, physics):
        low, high = self.z_range
        z = physics.qpos[:, 2]
        finite = np.isfinite(np.concatenate((physics.qpos, physics.qvel), axis=1))
        return np.logical_and.reduce(finite, axis=1) & (low <= z) & (z <= high)


class AntV4(_Ant):
    """Ant-v4; contact forces only if ``use_contact_forces``."""

    def reads_contacts(self, core):
        return core._use_contact_forces

    def observe(self, physics):
        parts = physics.qpos[:, self.skip :], physics.qvel
        if "cfrc_ext" in self.fields:
            parts = *parts, self.contact_forces(physics)
        return pack(*parts)

    def judge(self, physics, before, actions):
        xy = physics.xpos[:, self.body, :2].copy()
        speed = (xy - before) / self.dt
        forward = speed[:, 0]
        healthy = self.is_healthy(physics)
        # The last step of an episode is rewarded too.
        alive = np.ones(len(xy)) if self.must_be_healthy else healthy.astype(float)
        bonus = alive * self.healthy_weight
        ctrl_cost = costs = self.ctrl_weight * sum_squares(actions)
        columns = {
            "reward_forward": forward,
            "reward_ctrl": -ctrl_cost,
            "reward_survive": bonus,
            "x_position": xy[:, 0],
            "y_position": xy[:, 1],
            "distance_from_origin": norm(xy),
            "x_velocity": forward,
            "y_velocity": speed[:, 1],
            "forward_reward": forward,
        }
        if "cfrc_ext" in self.fields:
            contact_cost = self.contact_weight * sum_squares(self.contact_forces(physics))
            costs = ctrl_cost + contact_cost
            self.tell_contact(columns, contact_cost)
        terminated = ~healthy if self.must_be_healthy else never(xy)
        return forward + bonus - costs, terminated, columns

    def tell_contact(self, columns, contact_cost):
        columns["reward_ctrl"] = -contact_cost  # as Gymnasium has it


class AntV2(AntV4):
    """Ant-v2; ``contact_forces="zero"`` keeps their 84 numbers, all zero."""

    def __init__(self, core):
        super().__init__(core)
        self.is_zero = core._contact_forces == "zero"
        if self.is_zero:
            self.fields = ("xpos",)
            self.zeros = np.zeros((1, core.data.cfrc_ext.size))

    def observe(self, physics):
        if not self.is_zero:
            return super().observe(physics)
        zeros = self.zeros.repeat(len(physics.qpos), axis=0)
        return pack(physics.qpos[:, self.skip :], physics.qvel, zeros)

    def judge(self, physics, before, actions):
        rewards, terminated, columns = super().judge(physics, before, actions)
        if self.is_zero:
            columns["reward_contact"] = np.full(len(rewards), -0.0)
        return rewards, terminated, columns

    def tell_contact(self, columns, contact_cost):
        columns["reward_contact"] = -contact_cost


class AntV5(_Ant):
    """Ant-v5; contact forces always cost."""

    def __init__(self, core):
        self.main_body = core._main_body
        super().__init__(core)
        self.forward_weight = core._forward_reward_weight
        self.is_observed = core._include_cfrc_ext_in_observation

    def reads_contacts(self, core):
        return True

    def observe(self, physics):
        parts = physics.qpos[:, self.skip :], physics.qvel
        if self.is_observed:
            parts = *parts, self.contact_forces(physics)[:, 1:]
        return pack(*parts)

    def judge(self, physics, before, actions):
        xy = physics.xpos[:, self.body, :2].copy()
        speed = (xy - before) / self.dt
        forward = speed[:, 0] * self.forward_weight
        healthy = self.is_healthy(physics)
        bonus = healthy * self.healthy_weight
        ctrl_cost = self.ctrl_weight * sum_squares(actions)
        contact_cost = self.contact_weight * sum_squares(self.contact_forces(physics))
        rewards = forward + bonus - (ctrl_cost + contact_cost)
        xy = physics.qpos[:, :2].copy()
        columns = {
            "x_position": xy[:, 0],
            "y_position": xy[:, 1],
            "distance_from_origin": norm(xy),
            "x_velocity": speed[:, 0],
            "y_velocity": speed[:, 1],
            "reward_forward": forward,
            "reward_ctrl": -ctrl_cost,
            "reward_contact": -contact_cost,
            "reward_survive": bonus,
        }
        return rewards, ~healthy if self.must_be_healthy else never(xy), columns
