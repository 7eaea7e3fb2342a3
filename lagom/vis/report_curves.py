"""What a report draws: axes to choose from, means with intervals, seeds; as few numbers as do."""

import math
from collections import defaultdict
from dataclasses import replace

import numpy as np

from lagom.vis.curves import make_curves
from lagom.vis.plot import _highest
from lagom.vis.style import BROKEN, LOOKS, count_seeds, line_style, plain, shorten, usual_count

LOGS = {"eval": "evaluation", "train": "training"}
_X = {"timestep": "environment steps", "seconds": "wall time", "episode": "episodes"}
_UNITS = ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))
_MAX_NUMBER = 600_000  # of all curves together; a page of about 4 MB
_NUM_POINT = (1000, 700, 500, 350, 250, 180, 120)  # of a curve: as many as fit


def axes(runs):
    """What there is to draw.

    Args:
        runs (list of Run): with ``"eval"`` and ``"train"`` in ``logs``, column to ``[T]``.

    Returns:
        tuple: columns to draw against, and pairs of log and column to draw, the return first.
    """
    found = dict.fromkeys(
        (log, key) for log in LOGS for run in runs for key in run.logs.get(log, {})
    )
    xs = [x for x in _X if any(key == x for _, key in found)]
    ys = [(log, key) for log, key in found if key not in _X and key != "iteration"]
    return xs, sorted(ys, key=lambda y: y[1] != "return") if xs else []


def curves_of(runs, x, y, log=""):
    """The curves of ``make_curves``; without points, not refused, where no run has such columns.

    Args:
        runs (list of Run): see ``axes``.
        x, y (str): columns.
        log (str): ``"eval"`` or ``"train"``; by default either, evaluations first.

    Returns:
        list of Curve: the same configurations in the same order for any columns.
    """
    known = {key for run in runs for columns in run.logs.values() for key in columns}
    if not {x, y} <= known:
        runs = [replace(run, logs={}) for run in runs]
    return make_curves(runs, x, f"{log}.{y}" if log else y)


def _labels(curves):
    """How each configuration is called and drawn: as by ``lagom plot``."""
    labels = list(dict.fromkeys(curve.label for curve in curves))
    shown = _highest(curves, labels)
    order = [*shown, *(label for label in labels if label not in shown)]
    return [
        {
            "text": shorten(label, 100),
            "count": usual_count(curves, label),
            "color": line_style(order.index(label))["color"],
            "bright": line_style(order.index(label), LOOKS["dark"].colors)["color"],
            "dash": line_style(order.index(label))["linestyle"],
            "shown": label in shown,
        }
        for label in labels
    ]


def drawing(runs, curves):
    """What is drawn: axes to choose from, seeds, means with intervals, panels.

    Many curves share their horizontal places: these stand in ``grids``, the curves say in which.

    Args:
        runs (list of Run): see ``axes``.
        curves (list of Curve): of the same runs, in the order in which they are to stand.

    Returns:
        dict: plain JSON.
    """
    xs, ys = axes(runs)
    num_point, num_y = _thinning(runs, curves, len(xs), ys)
    unit, wall_time = _time_unit(runs)
    notes, grids = [], {}
    if num_y < len(ys):
        notes.append(f"{len(ys) - num_y} of {len(ys)} columns are left out: the page stays small.")
    if max(_length(run, log) for run in runs for log in LOGS) > num_point:
        notes.append(f"Of longer curves {num_point} points are drawn, evenly spread.")
    ys = ys[:num_y]

    def grid(x, values):
        values = values / unit if x == "seconds" else values
        return grids.setdefault(tuple(_rounded(values, 7)), len(grids))

    labels, panels = list(dict.fromkeys(curve.label for curve in curves)), {}
    index = {run.path: i for i, run in enumerate(runs)}
    means = _means(runs, xs, ys, num_point, grid)
    counts = {label: usual_count(curves, label) for label in labels}
    for curve in curves:
        panel = panels.setdefault(curve.environment, {"curves": [], "notes": []})
        i, members = labels.index(curve.label), [index[run.path] for run in curve.runs]
        mean = means.get((curve.environment, curve.label), {})
        panel["curves"].append({"label": i, "runs": members, "means": mean})
        if count_seeds(curve.runs) != counts[curve.label]:
            panel["notes"].append(f"{shorten(curve.label, 100)}: {count_seeds(curve.runs)}")
    seeds = [_seed(run, xs, ys, num_point, grid) for run in runs]
    names = [f"{shorten(plain(y), 60)} ({LOGS[log]})" for log, y in ys]
    return {
        "labels": _labels(curves),
        "xs": [{"key": x, "name": wall_time if x == "seconds" else _X[x]} for x in xs],
        "ys": [
            {"key": f"{log}.{y}", "log": log, "name": name}
            for (log, y), name in zip(ys, names, strict=True)
        ],
        "runs": seeds,
        "panels": [
            {"environment": shorten(plain(name), 100), **panel} for name, panel in panels.items()
        ],
        "grids": [list(values) for values in grids],
        "notes": notes,
    }


def _time_unit(runs):
    """Seconds of the unit in which the longest run reads well, and how the axis is called then."""
    longest = max((x for run in runs if (x := seconds_of(run)) is not None), default=0)
    unit, name = next(((u, name) for u, name in _UNITS if longest >= 3 * u), _UNITS[-1])
    return unit, f"{_X['seconds']} ({name})"


def _thinning(runs, curves, num_x, ys):
    """How many points of a curve, and how many columns, fit into the page."""
    lengths = {run.path: {log: _length(run, log) for log in LOGS} for run in runs}

    def size(num_point, ys):
        num = {log: sum(name == log for name, _ in ys) for log in LOGS}
        total = 0
        for curve in curves:
            for log in LOGS:
                own = [lengths[run.path][log] for run in curve.runs]
                total += sum(min(T, num_point) for T in own) * (num[log] + num_x)
                total += min(sum(own), num_point) * 2 * num[log] * num_x
        return total

    for num_point in _NUM_POINT:
        if size(num_point, ys) <= _MAX_NUMBER:
            return num_point, len(ys)
    nums = (num for num in range(len(ys), 1, -1) if size(num_point, ys[:num]) <= _MAX_NUMBER)
    return num_point, next(nums, 1)


def _length(run, log):
    return max(map(len, run.logs.get(log, {}).values()), default=0)


def _means(runs, xs, ys, num_point, grid):
    """(environment, label) to column to ``x`` to places, means and halves of the intervals."""
    means = defaultdict(lambda: defaultdict(dict))
    for log, y in ys:
        for x in xs:
            for curve in curves_of(runs, x, y, log):
                if np.isfinite(curve.mean).any():
                    keep = _evenly(len(curve.x), num_point)
                    half = (curve.high - curve.low)[keep] / 2
                    means[curve.environment, curve.label][f"{log}.{y}"][x] = [
                        grid(x, curve.x[keep]),
                        _rounded(curve.mean[keep]),
                        _rounded(half) if np.isfinite(half).any() else None,
                    ]
    return means


def _seed(run, xs, ys, num_point, grid):
    """One run: whether it broke, and its points."""
    places, values = defaultdict(dict), {}
    for log, columns in run.logs.items():
        keep = _evenly(_length(run, log), num_point)
        places[log] = {x: grid(x, columns[x][keep]) for x in xs if x in columns}
        for name, y in ys:
            if name == log and y in columns:
                values[f"{log}.{y}"] = _rounded(columns[y][keep])
    return {"broken": run.status in BROKEN, "x": places, "y": values}


def _evenly(T, num):
    """``num`` indices of ``T``, first and last among them; all if they are fewer."""
    return np.unique(np.linspace(0, T - 1, num).round().astype(int)) if num < T else np.arange(T)


def _rounded(values, num_digit=5):
    """Numbers in as many digits as their range asks for; None for what is missing.

    Example:
        >>> _rounded(np.array([0.123456, np.nan, 17.0, 1e300]))
        [0.123, None, 17, None]
    """
    good = np.abs(values) < 1e100
    if not good.any():
        return [None] * len(values)
    span = np.ptp(values[good]) or np.abs(values[good]).max() or 1.0
    digits = min(num_digit - 1 - math.floor(math.log10(span)), 300)
    rounded = [round(float(value), digits) for value in values]
    return [
        None if not is_good else int(value) if value == int(value) else value
        for value, is_good in zip(rounded, good, strict=True)
    ]


def seconds_of(run):
    """How long a run took, as far as it went.

    Args:
        run (Run): see ``axes``.

    Returns:
        float: seconds; None if nobody knows.
    """
    clocks = [columns["seconds"] for columns in run.logs.values() if "seconds" in columns]
    known = [float(x) for clock in clocks for x in clock[np.isfinite(clock)][-1:]]
    return max(known, default=None)
