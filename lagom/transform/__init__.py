"""Mathematics on arrays: NumPy in, NumPy out."""

from lagom.transform.schedule import LinearSchedule
from lagom.transform.sequence import geometric_cumsum
from lagom.transform.statistics import RunningMeanVar

__all__ = ["LinearSchedule", "RunningMeanVar", "geometric_cumsum"]
