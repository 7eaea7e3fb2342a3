"""The MuJoCo tasks of OpenAI Gym 0.15 (``Ant-v2`` and friends), over Gymnasium's v4 classes.

v4 kept the formulas of v2; what it changed is put back here.  v5 changed rewards and observations
and does not serve.  Seven tasks are v4 as it is; importing them from here keeps MuJoCo's log file
away.

Reference:
    openai/gym 0.15.3, ``gym/envs/mujoco``, 2019; Brockman et al., OpenAI Gym (arXiv:1606.01540).
"""

import warnings

import mujoco
import numpy as np
from gymnasium.envs.mujoco.ant_v4 import AntEnv
from gymnasium.envs.mujoco.half_cheetah_v4 import HalfCheetahEnv
from gymnasium.envs.mujoco.hopper_v4 import HopperEnv
from gymnasium.envs.mujoco.humanoid_v4 import HumanoidEnv
from gymnasium.envs.mujoco.humanoidstandup_v4 import HumanoidStandupEnv
from gymnasium.envs.mujoco.inverted_double_pendulum_v4 import InvertedDoublePendulumEnv
from gymnasium.envs.mujoco.inverted_pendulum_v4 import InvertedPendulumEnv
from gymnasium.envs.mujoco.mujoco_env import MujocoEnv
from gymnasium.envs.mujoco.pusher_v4 import DEFAULT_CAMERA_CONFIG, PusherEnv
from gymnasium.envs.mujoco.reacher_v4 import ReacherEnv
from gymnasium.envs.mujoco.swimmer_v4 import SwimmerEnv
from gymnasium.envs.mujoco.walker2d_v4 import Walker2dEnv
from gymnasium.spaces import Box
from gymnasium.utils import EzPickle

__all__ = [
    "AntV2",
    "HalfCheetahEnv",
    "HopperEnv",
    "HumanoidStandupV2",
    "HumanoidV2",
    "InvertedDoublePendulumEnv",
    "InvertedPendulumEnv",
    "PusherV2",
    "ReacherEnv",
    "SwimmerEnv",
    "Walker2dEnv",
]


class _ContactForces:
    """Fills ``cfrc_ext`` at reset too, as MuJoCo 1.50 did, or leaves it zero, as MuJoCo 2.0 did.

    Args:
        contact_forces (str): ``"live"``, the definition, or ``"zero"``, what most papers after 2018
            trained with.

    Raises:
        ValueError: if ``contact_forces`` is neither.
    """

    _arguments = {}  # noqa: RUF012 - of the v4 class, never changed

    def __init__(self, contact_forces="live", **kwargs):
        if contact_forces not in ("live", "zero"):
            raise ValueError(
                f"{type(self).__name__}: contact_forces is {contact_forces!r}; "
                "expected 'live' or 'zero'"
            )
        self._contact_forces = contact_forces
        super().__init__(**self._arguments, **kwargs)
        EzPickle.__init__(self, contact_forces=contact_forces, **kwargs)

    def set_state(self, qpos, qvel):
        super().set_state(qpos, qvel)
        self._update_contact_forces()

    def _step_mujoco_simulation(self, ctrl, n_frames):
        super()._step_mujoco_simulation(ctrl, n_frames)
        self._update_contact_forces()

    def _update_contact_forces(self):
        if self._contact_forces == "live":
            mujoco.mj_rnePostConstraint(self.model, self.data)
        else:
            self.data.cfrc_ext[:] = 0.0


class AntV2(_ContactForces, AntEnv):
    """111 observations, 84 of them contact forces, which also cost."""

    _arguments = {"use_contact_forces": True}  # noqa: RUF012

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        # v4 writes the contact cost over the control cost; the reward itself has both.
        info["reward_contact"] = info["reward_ctrl"]
        info["reward_ctrl"] = -self.control_cost(action)
        return observation, reward, terminated, truncated, info


class HumanoidV2(_ContactForces, HumanoidEnv):
    """376 observations; contacts cost, which v4 forgot."""

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        impact_cost = min(0.5e-6 * np.sum(np.square(self.data.cfrc_ext)), 10.0)
        info["reward_impact"] = -impact_cost
        return observation, reward - impact_cost, terminated, truncated, info


class HumanoidStandupV2(_ContactForces, HumanoidStandupEnv):
    """376 observations."""


class PusherV2(PusherEnv):
    """23 observations; a puck as heavy as it takes to be pushed by MuJoCo 3.

    v4 refuses MuJoCo 3, whose contacts hardly move its puck.  This is the model of v5 with the
    puck's density raised from 0.01 to 1: the arm moves it as often as it did with MuJoCo 2.3.
    """

    def __init__(self, **kwargs):
        EzPickle.__init__(self, **kwargs)
        MujocoEnv.__init__(
            self,
            "pusher_v5.xml",
            5,
            observation_space=Box(-np.inf, np.inf, (23,), np.float64),
            default_camera_config=DEFAULT_CAMERA_CONFIG,
            **kwargs,
        )

    def _initialize_simulation(self):
        model, data = super()._initialize_simulation()
        puck = model.body("object").id
        model.body_mass[puck] *= 100
        model.body_inertia[puck] *= 100
        mujoco.mj_setConst(model, data)
        return model, data


def _warn(message):
    # MuJoCo's own handler writes MUJOCO_LOG.TXT into the working folder. Old words in Gymnasium's
    # model files are nothing a user could act on.
    if "deprecated" not in message:
        warnings.warn(f"MuJoCo: {message}", stacklevel=2)


mujoco.set_mju_user_warning(_warn)
