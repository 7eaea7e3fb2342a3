"""Learning curves with uncertainty, and the table of what they end at.

Seeds are never smoothed; one that failed is not left out: it counts, and ends where it ended.
"""

import difflib
import io
import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from lagom.vis.runs import has_columns, numbers, split_key
from lagom.vis.style import (
    RC,
    add_legend,
    count_seeds,
    draw_panel,
    drawable,
    label_runs,
    usual_count,
)

_MAX_POINT = 1000  # of a curve; more than a page can show
_MAX_CURVE = 10  # of a figure; more than an eye can follow


@dataclass(frozen=True)
class Curve:
    """One configuration in one environment: its seeds, and their mean where at least two are.

    Args:
        environment (str): the environment id.
        label (str): what tells the configuration from the others.
        log (str): ``"eval"`` or ``"train"``, where the numbers come from.
        runs (list of Run): all of them, also those without numbers.
        seeds (list): for each run ``(x, y)``, ``[T]`` each, increasing in ``x``; may be empty.
        x (ndarray): ``[T]``, the common grid.
        mean (ndarray): ``[T]``, mean over the seeds; NaN where too few are.
        half (ndarray): ``[T]``, half the width of the interval; NaN for a single seed.
    """

    environment: str
    label: str
    log: str
    runs: list
    seeds: list
    x: np.ndarray
    mean: np.ndarray
    half: np.ndarray


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


def average_seeds(seeds):
    """Mean and interval of curves that were measured at different steps.

    Each seed is interpolated inside its own range only, and the mean stands where at least two
    seeds are (one, where no two ever meet).  Seeds of a single point each are compared at the mean
    of their ``x``.  Points that lack a seed which others have less than an evaluation away are left
    out: seeds are evaluated at slightly different steps, and would leave hooks at both ends.

    Args:
        seeds (list): ``(x, y)`` per seed, ``[T]`` each, increasing in ``x``.

    Returns:
        tuple: grid, mean and half the width of the interval, ``[T]`` each.
    """
    seeds = [(x, y) for x, y in seeds if len(x)]
    if not seeds:
        return np.empty(0), np.empty(0), np.empty(0)
    if all(len(x) == 1 for x, _ in seeds):
        grid = np.mean([x for x, _ in seeds], axis=0)
        values = np.stack([y for _, y in seeds])  # [B, 1]
    else:
        grid = np.unique(np.concatenate([x for x, _ in seeds]))
        if len(grid) > _MAX_POINT:
            grid = np.linspace(grid[0], grid[-1], _MAX_POINT)
        values = np.stack([np.interp(grid, x, y, np.nan, np.nan) for x, y in seeds])  # [B, T]
    n = np.isfinite(values).sum(0)  # [T]
    near = np.abs(grid[:, None] - grid) < _evaluation_interval(seeds)  # [T, T]
    full = n == np.where(near, n, 0).max(1)
    mean, half = student_t(values[:, full])
    mean[n[full] < min(2, n.max())] = np.nan
    return grid[full], mean, half


def _evaluation_interval(seeds):
    """The shortest of the seeds' usual distances between points; tiny if there is none."""
    return min((np.median(np.diff(x)) for x, _ in seeds if len(x) > 1), default=1e-9)


def make_curves(runs, x="timestep", y="return", group=None):
    """One curve per environment and configuration.

    Evaluations and training returns are never mixed: a curve takes the training log only if no seed
    of it has evaluations yet.

    Args:
        runs (list of Run): as ``read_runs`` gave them for the same ``x`` and ``y``.
        x, y (str): columns; ``train.return`` asks for the training log.
        group (list of str): configuration keys that make a curve; by default a configuration does.

    Returns:
        list of Curve: by environment, then in the order of the runs.

    Raises:
        ValueError: ``x``, ``y`` or a key of ``group`` is found in no run.
    """
    columns = {key for run in runs for log in run.logs.values() for key in log}
    for name, key, known in (("x", x, columns), ("y", split_key(y)[1], columns)):
        if columns:
            _check_known(name, key, known)
    for key in group or ():
        known = {"name", "ID", "seed"} | {key for run in runs for key in run.config}
        _check_known("group", key, known)
    members = defaultdict(list)
    for run, label in zip(runs, label_runs(runs, group), strict=True):
        members[run.environment, label].append(run)
    curves = []
    for (environment, label), same in sorted(members.items(), key=lambda item: item[0][0]):
        logs = [log for log in split_key(y)[0] if any(_has(run, log, x, y) for run in same)]
        log = logs[0] if logs else split_key(y)[0][0]
        seeds = [_points(run.logs.get(log, {}), x, split_key(y)[1]) for run in same]
        curves.append(Curve(environment, label, log, same, seeds, *average_seeds(seeds)))
    return curves


def _check_known(name, key, known):
    if key not in known:
        near = [k for k in sorted(known) if k.rpartition(".")[2] == key]
        near = near or difflib.get_close_matches(key, sorted(known), 1) or sorted(known)
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


def end_row(curve):
    """The row of ``final_table`` for one curve."""
    last = [y[-math.ceil(len(y) / 10) :].mean() for _, y in curve.seeds if len(y)]
    final, half = student_t(np.array(last)) if last else (np.nan, np.nan)
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


def plot_experiment(runs, x="timestep", y="return", group=None, title=None):
    """A figure of learning curves: a panel per environment, a line per configuration.

    Lines are means over seeds, bands 95 % Student-t intervals of the mean, crosses the ends of
    seeds that failed or diverged.  Of more than 10 configurations those with the highest final
    value are drawn; the legend says so.

    Args:
        runs (list of Run): as ``read_runs`` gave them.
        x, y, group: as in ``make_curves``.
        title (str): above the figure.

    Returns:
        Figure: matplotlib figure, with no window and unknown to pyplot.

    Raises:
        ValueError: a key is found in no run, or no run has numbers to draw.
    """
    return plot_curves(make_curves(runs, x, y, group), x, y, title)


def plot_curves(curves, x="timestep", y="return", title=None):
    """The figure of ``plot_experiment`` for curves that are there already."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not any(len(curve.x) for curve in curves):
        raise ValueError(f"plot_experiment: no run has numbers in {x!r} and {y!r}; expected one")
    labels = list(dict.fromkeys(curve.label for curve in curves))
    shown = _highest(curves, labels)
    drawn = [curve for curve in curves if curve.label in shown]
    environments = list(dict.fromkeys(curve.environment for curve in drawn))
    num_col = 3 if len(environments) == 3 else math.ceil(math.sqrt(len(environments)))
    num_row = math.ceil(len(environments) / num_col)
    size = (7.0, 4.6) if num_col == 1 else (3.6 * num_col + 0.4, 2.7 * num_row + 1.0)
    with mpl.rc_context(RC):
        figure = Figure(figsize=size, dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(drawable(title)) if title else None
        axes = figure.subplots(num_row, num_col, squeeze=False).ravel()
        for ax in axes[len(environments) :]:
            ax.remove()
        counts = {label: usual_count(curves, label) for label in shown}
        for i, environment in enumerate(environments):
            panel = [curve for curve in drawn if curve.environment == environment]
            draw_panel(axes[i], environment, panel, shown, counts)
            if i + num_col >= len(environments):  # the lowest of its column
                axes[i].set_xlabel(drawable("environment steps" if x == "timestep" else x))
        figure.supylabel(drawable(_y_name(drawn, y)), fontsize=10)
        add_legend(figure, drawn, shown, counts, len(labels), split_key(y)[1])
    return figure


def _highest(curves, labels):
    """The labels to draw: all, or those whose final values rank highest over the environments."""
    if len(labels) <= _MAX_CURVE:
        return labels
    ranks = defaultdict(list)
    for environment in {curve.environment for curve in curves}:
        ends = [end_row(curve) for curve in curves if curve.environment == environment]
        ends.sort(key=lambda end: -end["final"] if np.isfinite(end["final"]) else math.inf)
        for rank, end in enumerate(ends):
            ranks[end["label"]].append(rank)
    best = sorted(labels, key=lambda label: np.mean(ranks[label]))[:_MAX_CURVE]
    return [label for label in labels if label in best]


def _y_name(curves, y):
    logs = {curve.log for curve in curves if len(curve.x)}
    names = {"eval": "evaluation", "train": "training"}
    source = names[logs.pop()] if len(logs) == 1 else "evaluation; * training"
    return f"{split_key(y)[1]} ({source})"


def figure_bytes(figure, suffix):
    """A figure as a file of the same bytes each time.

    Args:
        figure (Figure): matplotlib figure.
        suffix (str): ``".png"``, ``".pdf"`` or ``".svg"``.

    Returns:
        bytes: content of the file.
    """
    import warnings

    import matplotlib as mpl

    undated = {".png": {"Software": None}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "lagom"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # emoji: a box will do
        figure.savefig(buffer, format=suffix[1:], metadata=undated[suffix])
    return buffer.getvalue()
