"""Mathematics on arrays: NumPy in, NumPy out."""

from lagom.transform.curves import interp_curves, smooth_filter
from lagom.transform.noise import OUNoise
from lagom.transform.rank import rank_transform
from lagom.transform.schedule import LinearSchedule
from lagom.transform.segment_tree import MinTree, SegmentTree, SumTree
from lagom.transform.sequence import geometric_cumsum
from lagom.transform.statistics import PolyakAverage, RunningMeanVar
from lagom.transform.summary import Describe, describe, explained_variance

__all__ = [
    "Describe",
    "LinearSchedule",
    "MinTree",
    "OUNoise",
    "PolyakAverage",
    "RunningMeanVar",
    "SegmentTree",
    "SumTree",
    "describe",
    "explained_variance",
    "geometric_cumsum",
    "interp_curves",
    "rank_transform",
    "smooth_filter",
]
