"""Curves: what the runs of one configuration say together, as numbers.

Seeds are smoothed only if asked; one that failed is not left out: it counts, and ends where it
ended.
"""

import difflib
import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from lagom.vis.runs import has_columns, split_key
from lagom.vis.series import DERIVED, numbers
from lagom.vis.style import count_seeds, label_runs, lookup, panel_of

_ENDED = ("done", "failed", "diverged")
BANDS = ("t", "sd", "minmax", "none")
_MAX_POINT = 1000  # of a curve; more than a page can show


@dataclass(frozen=True)
class Curve:
    """One configuration in one panel: its seeds, and their mean where at least two are.

    Args:
        environment (str): the panel: the environment id, unless another key makes the panels.
        label (str): what tells the configuration from the others.
        log (str): ``"eval"`` or ``"train"``, where the numbers come from.
        runs (list of Run): all of them, also those without numbers.
        seeds (list): for each run ``(x, y)``, ``[T]`` each, increasing in ``x``; may be empty.
        x (ndarray): ``[T]``, the common grid.
        mean (ndarray): ``[T]``, mean over the seeds; NaN where too few are.
        low, high (ndarray): ``[T]``, ends of the band; NaN for a single seed.
    """

    environment: str
    label: str
    log: str
    runs: list
    seeds: list
    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def student_t(values, level=0.95):
    r"""Mean and Student-t interval over the seeds, which may be missing.

    .. math::
        \bar y \pm t_{n-1,\,(1 + level) / 2} \; s / \sqrt n

    Args:
        values (ndarray): ``[B, ...]``, one row per seed; NaN where a seed has no value.
        level (float): probability with which the interval holds the mean of normal values.

    Returns:
        tuple: mean and half the width of the interval, ``[...]`` each; the mean is NaN where no
        seed has a value, the width where fewer than two have.

    Example:
        >>> mean, half = student_t(np.array([1.0, 2.0, 3.0]))
        >>> float(mean), round(float(half), 3)
        (2.0, 2.484)
    """
    from scipy.special import stdtrit

    n = np.isfinite(values).sum(0)  # [...]
    mean = np.nansum(values, 0) / np.where(n > 0, n, np.nan)
    freedom = np.where(n > 1, n - 1.0, np.nan)
    variance = np.nansum(np.square(values - mean), 0) / freedom
    return mean, stdtrit(freedom, (1 + level) / 2) * np.sqrt(variance / np.maximum(n, 1))


def average_seeds(seeds, band="t", ended=None):
    """Mean and band of curves that were measured at different steps.

    Each seed is interpolated inside its own range only, and the mean stands where at least two
    seeds are (one, where no two ever meet).  Seeds of a single point each are compared at the mean
    of their ``x``.  Points that lack a seed which others have less than an evaluation away are left
    out: seeds are evaluated at slightly different steps, and would leave hooks at both ends.

    Args:
        seeds (list): ``(x, y)`` per seed, ``[T]`` each, increasing in ``x``.
        band (str): ``"t"``, the 95 % Student-t interval of the mean; ``"sd"``, one standard
            deviation of the seeds to either side; ``"minmax"``, from the lowest seed to the
            highest; ``"none"``.
        ended (list of bool): for clocks such as wall time, on which seeds end at different places,
            whether each has ended.  Those keep their last value, and the mean stands where all
            seeds do: if the slow ones alone made its end, it would be that of the slow ones.

    Returns:
        tuple: grid, mean, lower and upper end of the band, ``[T]`` each.

    Raises:
        ValueError: ``band`` is another word.
    """
    if band not in BANDS:
        raise ValueError(f"band: got {band!r}; expected one of {', '.join(BANDS)}")
    ended = (
        [is_over for is_over, (x, _) in zip(ended, seeds, strict=True) if len(x)] if ended else ()
    )
    seeds = [(x, y) for x, y in seeds if len(x)]
    if not seeds:
        return (np.empty(0),) * 4
    if all(len(x) == 1 for x, _ in seeds):
        grid = np.mean([x for x, _ in seeds], axis=0)
        values = np.stack([y for _, y in seeds])  # [B, 1]
    else:
        end = max(x[-1] for x, _ in seeds)
        for i in np.flatnonzero(ended):
            seeds[i] = np.append(seeds[i][0], end), np.append(seeds[i][1], seeds[i][1][-1])
        grid = np.unique(np.concatenate([x for x, _ in seeds]))
        if len(grid) > _MAX_POINT:
            grid = np.linspace(grid[0], grid[-1], _MAX_POINT)
        values = np.stack([np.interp(grid, x, y, np.nan, np.nan) for x, y in seeds])  # [B, T]
    n = np.isfinite(values).sum(0)  # [T]
    full = n == (n.max() if ended else _max_near(n, grid, _evaluation_interval(seeds)))
    n, grid, values = n[full], grid[full], values[:, full]
    mean, half = student_t(values)
    low, high = mean - half, mean + half
    if band == "sd":
        half = np.sqrt(np.nansum((values - mean) ** 2, 0) / np.where(n > 1, n - 1.0, np.nan))
        low, high = mean - half, mean + half
    elif band == "minmax":
        low = np.where(n > 1, np.where(np.isnan(values), np.inf, values).min(0), np.nan)
        high = np.where(n > 1, np.where(np.isnan(values), -np.inf, values).max(0), np.nan)
    elif band == "none":
        low = high = np.full(len(grid), np.nan)
    mean[n < min(2, n.max())] = np.nan
    return grid, mean, low, high


def _max_near(n, grid, distance):
    """``[T]``: the largest ``n`` nearer than ``distance`` to each point of the sorted grid."""
    first = np.searchsorted(grid, grid - distance, side="right")
    behind = np.searchsorted(grid, grid + distance, side="left")
    edges = np.stack([np.minimum(first, behind - 1), behind], axis=1).ravel()
    return np.maximum.reduceat(np.append(n, 0), edges)[::2]


def _evaluation_interval(seeds):
    """The shortest of the seeds' usual distances between points; tiny if there is none."""
    return min((np.median(np.diff(x)) for x, _ in seeds if len(x) > 1), default=1e-9)


def smooth_seed(y, num):
    """Running mean of a seed: of each value and those before it, ``num`` in all, fewer at first.

    Args:
        y (ndarray): ``[T]``.
        num (int): number of points; 1 leaves ``y`` as it is.

    Returns:
        ndarray: ``[T]``.

    Example:
        >>> smooth_seed(np.array([1.0, 3.0, 8.0]), 2).tolist()
        [1.0, 2.0, 5.5]
    """
    num, T = min(num, len(y)), len(y)
    if num < 2:
        return y
    # A window is the end of one block and the beginning of the next: no number outside is added.
    blocks = np.concatenate([np.zeros(num), y, np.zeros(-T % num)]).reshape(-1, num)
    until, since = np.cumsum(blocks, axis=1).ravel(), np.cumsum(blocks[:, ::-1], axis=1)
    i = np.arange(num, num + T)
    sums = until[i] + np.where(i % num == num - 1, 0.0, since[:, ::-1].ravel()[i - num + 1])
    return sums / np.minimum(np.arange(1, T + 1), num)


def make_curves(runs, x="timestep", y="return", group=None, facet="env.id", *, band="t", smooth=1):
    """One curve per panel and configuration.

    Evaluations and training returns are never mixed: a curve takes the training log only if no seed
    of it has evaluations yet.

    Args:
        runs (list of Run): as ``read_runs`` gave them for the same ``x`` and ``y``.
        x, y (str): columns; ``train.return`` asks for the training log.
        group (list of str): configuration keys that make a curve; by default a configuration does.
        facet (str): configuration key that makes a panel.
        band (str): see ``average_seeds``.
        smooth (int): points of each seed's running mean, see ``smooth_seed``.

    Returns:
        list of Curve: by panel, then in the order of the runs.

    Raises:
        ValueError: ``x``, ``y``, ``facet`` or a key of ``group`` is found in no run, ``band`` is
            unknown, or ``smooth`` is not positive.
    """
    if smooth < 1:
        raise ValueError(f"smooth: got {smooth!r}; expected a number of points, at least 1")
    columns = {key for run in runs for log in run.logs.values() for key in log}
    for name, key in (("x", x), ("y", split_key(y)[1])):
        if columns and key not in DERIVED:
            _check_known(name, key, columns | {*DERIVED}, "seconds" if name == "x" else "return")
    known = {"name", "ID", "seed", "env.id"} | {key for run in runs for key in run.config}
    for name, keys in (("group", group or ()), ("facet", [facet])):
        for key in keys:
            _check_known(name, key, known)
    members = defaultdict(list)
    for run, label in zip(runs, label_runs(runs, group, facet), strict=True):
        members[panel_of(run, facet), label].append(run)
    curves = []
    for (panel, label), same in sorted(
        members.items(), key=lambda item: (_order(item[1][0], facet), item[0][0])
    ):
        logs = [log for log in split_key(y)[0] if any(_has(run, log, x, y) for run in same)]
        log = logs[0] if logs else split_key(y)[0][0]
        seeds = [_points(run.logs.get(log, {}), x, split_key(y)[1]) for run in same]
        seeds = [(xs, smooth_seed(ys, smooth)) for xs, ys in seeds]
        ended = [run.status in _ENDED for run in same] if x in DERIVED else None
        curves.append(Curve(panel, label, log, same, seeds, *average_seeds(seeds, band, ended)))
    return curves


def _order(run, facet):
    """Panels of numbers go by their values."""
    value = numbers([lookup(run, facet)])[0]
    return value if math.isfinite(value) else math.inf


def _check_known(name, key, known, usual="algo.name"):
    if key not in known:
        near = [k for k in sorted(known) if k.rpartition(".")[2] == key]
        near = near or difflib.get_close_matches(key, sorted(known), 1) or [usual]
        raise ValueError(f"{name}: no run has {key!r}; expected for example {near[0]!r}")


def _has(run, log, x, y):
    return has_columns(run.logs.get(log, {}), x, y)


def _points(columns, x, y):
    """``(x, y)`` increasing in ``x``; of rows with the same ``x`` the last one counts."""
    xs, ys = numbers(columns.get(x, []))[::-1], numbers(columns.get(y, []))[::-1]
    if len(xs) != len(ys):
        return np.empty(0), np.empty(0)
    good = (np.abs(xs) < 1e100) & (np.abs(ys) < 1e100)  # beyond lies divergence, not a result
    xs, first = np.unique(xs[good], return_index=True)
    return xs, ys[good][first]


def final_table(runs, x="timestep", y="return", group=None):
    """What each configuration ends at.

    Args:
        runs (list of Run): as ``read_runs`` gave them.
        x, y, group: as in ``make_curves``.

    Returns:
        list of dict: ``environment``, ``label``, ``log``; ``done`` and ``total`` (seeds), ``count``
        (the same in words); ``final`` and ``half``, mean and half the width of the 95 % Student-t
        interval of the seeds' final values, each the mean of the last 10 % of its rows (at least
        one); ``best`` and ``best_at``, the highest point of the mean curve; ``steps``, the largest
        ``x``.  NaN where there is no number.
    """
    return [end_row(curve) for curve in make_curves(runs, x, y, group)]


def final_scores(curve):
    """Where each seed ends: the mean of the last 10 % of its rows, at least one.

    Args:
        curve (Curve): a configuration in a panel.

    Returns:
        ndarray: ``[B]``, NaN where a seed has no rows.
    """
    last = [y[-math.ceil(len(y) / 10) :].mean() if len(y) else np.nan for _, y in curve.seeds]
    return np.array(last)


def end_row(curve):
    """The row of ``final_table`` for one curve."""
    final, half = student_t(final_scores(curve))
    some = np.isfinite(curve.mean).any()
    i = np.nanargmax(curve.mean) if some else 0
    return {
        "environment": curve.environment,
        "label": curve.label,
        "log": curve.log,
        "done": sum(run.status == "done" for run in curve.runs),
        "total": len(curve.runs),
        "count": count_seeds(curve.runs),
        "final": float(final),
        "half": float(half),
        "best": float(curve.mean[i]) if some else np.nan,
        "best_at": float(curve.x[i]) if some else np.nan,
        "steps": max((float(x[-1]) for x, _ in curve.seeds if len(x)), default=np.nan),
    }
