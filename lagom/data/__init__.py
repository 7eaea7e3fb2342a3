"""What runners make and agents eat: time steps, trajectories, and replay of them."""

from lagom.data.prioritized import PrioritizedReplayBuffer
from lagom.data.replay import ReplayBuffer
from lagom.data.rows import Rows
from lagom.data.timestep import StepType, TimeStep
from lagom.data.trajectory import Trajectory, actions, last_observations, observations

__all__ = [
    "PrioritizedReplayBuffer",
    "ReplayBuffer",
    "Rows",
    "StepType",
    "TimeStep",
    "Trajectory",
    "actions",
    "last_observations",
    "observations",
]
