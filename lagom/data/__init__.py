"""What runners make and agents eat: time steps and trajectories."""

from lagom.data.timestep import StepType, TimeStep
from lagom.data.trajectory import Trajectory

__all__ = ["StepType", "TimeStep", "Trajectory"]
