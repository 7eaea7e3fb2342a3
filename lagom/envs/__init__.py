"""Environments: vectorized, wrapped, and found by name."""

from lagom.envs.action import RescaleAction
from lagom.envs.async_env import AsyncVecEnv
from lagom.envs.check import check_env
from lagom.envs.game import ActionMask, ClipReward, EpisodicLife, NoopStart
from lagom.envs.image import FrameSkip, FrameStack, Grayscale, Resize
from lagom.envs.make import make_envs
from lagom.envs.normalize import NormalizeObservation, NormalizeReward
from lagom.envs.registry import SPECS, make
from lagom.envs.statistics import RecordEpisodeStatistics
from lagom.envs.timestep_env import TimeStepEnv
from lagom.envs.vec_env import VecEnv, make_vec_env
from lagom.envs.wrapper import SingleEnv, VecEnvWrapper

__all__ = [
    "SPECS",
    "ActionMask",
    "AsyncVecEnv",
    "ClipReward",
    "EpisodicLife",
    "FrameSkip",
    "FrameStack",
    "Grayscale",
    "NoopStart",
    "NormalizeObservation",
    "NormalizeReward",
    "RecordEpisodeStatistics",
    "RescaleAction",
    "Resize",
    "SingleEnv",
    "TimeStepEnv",
    "VecEnv",
    "VecEnvWrapper",
    "check_env",
    "make",
    "make_envs",
    "make_vec_env",
]
