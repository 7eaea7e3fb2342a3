"""The probes of ``lagom check algo=NAME``, for tests of algorithms."""

from lagom.envs.probes import (
    Clock,
    ConstantReward,
    DelayedReward,
    Forever,
    MatchBox,
    MatchDiscrete,
    MatchLater,
)

__all__ = [
    "Clock",
    "ConstantReward",
    "DelayedReward",
    "Forever",
    "MatchBox",
    "MatchDiscrete",
    "MatchLater",
]
