"""MuJoCo tasks stepped as a batch, at nearly the speed of the simulator."""

from lagom.envs.mujoco.env import MujocoVecEnv
from lagom.envs.mujoco.tasks import find_task

__all__ = ["MujocoVecEnv", "find_task"]
