"""Humanoid, which walks, and HumanoidStandup, which gets up."""

import numpy as np

from lagom.envs.mujoco.task import Task, clip, inside, never, norm, pack, sum_squares

_OBSERVED = ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")


class _Body(Task):
    """What both observe in v2 and v4: inertias, velocities, forces of all bodies, the world too."""

    num_hidden = 2

    def __init__(self, core):
        super().__init__(core)
        self.parts = dict.fromkeys(_OBSERVED, 0)  # field -> first row that is observed
        self.fields = _OBSERVED
        # What v2 may be told not to fill in; its numbers are zero then.
        self.is_zero = getattr(core, "_contact_forces", "live") == "zero"
        self.num_force = core.data.cfrc_ext.shape
        if self.is_zero:
            self.fields = _OBSERVED[:-1]

    def observe(self, physics):
        parts = [self.read(physics, name)[:, first:] for name, first in self.parts.items()]
        return pack(physics.qpos[:, self.skip :], physics.qvel, *parts)

    def read(self, physics, name):
        if name == "cfrc_ext" and self.is_zero:
            return np.zeros((len(physics.qpos), *self.num_force))
        return getattr(physics, name)

    def ctrl_cost(self, weight, actions):
        return weight * sum_squares(actions.astype(float))


class _BodyV5(_Body):
    """The same without the rows that are always zero, each part only if it is asked for."""

    def __init__(self, core):
        super().__init__(core)
        first = {"cinert": 1, "cvel": 1, "qfrc_actuator": 6, "cfrc_ext": 1}
        self.parts = {
            name: row
            for name, row in first.items()
            if getattr(core, f"_include_{name}_in_observation") is True
        }
        tendons = ("ten_length", "ten_velocity") if core.model.ntendon else ()
        self.fields = (*dict.fromkeys((*self.parts, "cfrc_ext")), *tendons)

    def tendons(self, physics):
        """Columns about tendons, of which the standard model has two."""
        if "ten_length" not in self.fields:
            none = np.zeros((len(physics.qpos), 0))
            return {"tendon_length": none, "tendon_velocity": none}
        return {
            "tendon_length": physics.ten_length.copy(),
            "tendon_velocity": physics.ten_velocity.copy(),
        }


class _Walks:
    """Speed of the center of mass, alive as long as the height is in a range."""

    def __init__(self, core):
        super().__init__(core)
        self.fields = (*self.fields, "xipos")
        self.mass, self.total_mass = core.model.body_mass, core.model.body_mass.sum()
        self.forward_weight = core._forward_reward_weight
        self.ctrl_weight = core._ctrl_cost_weight
        self.healthy_weight = core._healthy_reward
        self.must_be_healthy = core._terminate_when_unhealthy
        self.z_range = core._healthy_z_range

    def before(self, physics):
        # One call for each: a call for all would add up in another order.
        sums = [np.einsum("b,bj->j", self.mass, xipos) for xipos in physics.xipos]
        return (np.array(sums) / self.total_mass)[:, :2]

    def is_healthy(self, physics):
        return inside(physics.qpos[:, 2], *self.z_range)

    def terminated(self, healthy):
        return ~healthy if self.must_be_healthy else never(healthy)


class HumanoidV4(_Walks, _Body):
    """Humanoid-v4: contacts cost nothing."""

    def judge(self, physics, before, actions):
        xy = self.before(physics)
        speed = (xy - before) / self.dt
        forward = self.forward_weight * speed[:, 0]
        healthy = self.is_healthy(physics)
        # The last step of an episode is rewarded too.
        alive = np.ones(len(xy)) if self.must_be_healthy else healthy.astype(float)
        bonus = alive * self.healthy_weight
        ctrl_cost = self.ctrl_cost(self.ctrl_weight, actions)
        columns = {
            "reward_linvel": forward,
            "reward_quadctrl": -ctrl_cost,
            "reward_alive": bonus,
            "x_position": xy[:, 0],
            "y_position": xy[:, 1],
            "distance_from_origin": norm(xy),
            "x_velocity": speed[:, 0],
            "y_velocity": speed[:, 1],
            "forward_reward": forward,
        }
        return forward + bonus - ctrl_cost, self.terminated(healthy), columns


class HumanoidV2(HumanoidV4):
    """Humanoid-v2: contacts cost."""

    def judge(self, physics, before, actions):
        rewards, terminated, columns = super().judge(physics, before, actions)
        cost = np.minimum(0.5e-6 * sum_squares(self.read(physics, "cfrc_ext")), 10.0)
        columns["reward_impact"] = -cost
        return rewards - cost, terminated, columns


class HumanoidV5(_Walks, _BodyV5):
    """Humanoid-v5: contacts cost, and the bonus is for those who are upright."""

    def __init__(self, core):
        super().__init__(core)
        self.contact_weight = core._contact_cost_weight
        self.contact_range = core._contact_cost_range

    def judge(self, physics, before, actions):
        speed = (self.before(physics) - before) / self.dt
        forward = self.forward_weight * speed[:, 0]
        healthy = self.is_healthy(physics)
        bonus = healthy * self.healthy_weight
        ctrl_cost = self.ctrl_cost(self.ctrl_weight, actions)
        contact_cost = self.contact_weight * sum_squares(physics.cfrc_ext)
        contact_cost = clip(contact_cost, *self.contact_range)
        xy = physics.qpos[:, :2].copy()
        columns = {
            "x_position": xy[:, 0],
            "y_position": xy[:, 1],
            **self.tendons(physics),
            "distance_from_origin": norm(xy),
            "x_velocity": speed[:, 0],
            "y_velocity": speed[:, 1],
            "reward_survive": bonus,
            "reward_forward": forward,
            "reward_ctrl": -ctrl_cost,
            "reward_contact": -contact_cost,
        }
        rewards = forward + bonus - (ctrl_cost + contact_cost)
        return rewards, self.terminated(healthy), columns


class StandupV4(_Body):
    """HumanoidStandup-v2 and -v4: height, less the cost of control and of contacts."""

    uph_weights = 0.1, 0.5e-6, (-np.inf, 10.0)  # of control, of contacts; range of the latter

    def judge(self, physics, before, actions):
        ctrl_weight, impact_weight, impact_range = self.uph_weights
        up = (physics.qpos[:, 2] - 0) / self.core.model.opt.timestep
        ctrl_cost = self.ctrl_cost(ctrl_weight, actions)
        impact_cost = impact_weight * sum_squares(self.read(physics, "cfrc_ext"))
        impact_cost = clip(impact_cost, *impact_range)
        columns = {
            "reward_linup": up,
            "reward_quadctrl": -ctrl_cost,
            "reward_impact": -impact_cost,
        }
        return up - ctrl_cost - impact_cost + 1, never(up), columns


class StandupV5(_BodyV5, StandupV4):
    """HumanoidStandup-v5."""

    def __init__(self, core):
        super().__init__(core)
        impact = core._impact_cost_weight, core._impact_cost_range
        self.uph_weights = core._ctrl_cost_weight, *impact

    def judge(self, physics, before, actions):
        rewards, terminated, columns = super().judge(physics, before, actions)
        qpos = physics.qpos
        columns = {
            "x_position": qpos[:, 0].copy(),
            "y_position": qpos[:, 1].copy(),
            "z_distance_from_origin": qpos[:, 2] - self.core.init_qpos[2],
            **self.tendons(physics),
            **columns,
        }
        return rewards, terminated, columns
