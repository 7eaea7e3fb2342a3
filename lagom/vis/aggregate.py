"""Aggregates over environments: normalized scores of whole suites, with their uncertainty.

What is reported, and how, is what Agarwal et al., 2021 (arXiv:2108.13264) recommend.
"""

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from lagom.vis.normalize import normalize
from lagom.vis.panels import add_legend, format_x
from lagom.vis.statistics import (
    bootstrap_interval,
    iqm,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
)
from lagom.vis.style import _BROKEN, LOOKS, drawable, line_style, plain, shorten
from lagom.vis.ticker import set_ticker

METRICS = ("IQM", "mean", "median", "optimality gap")
IMPROVEMENT = "P(improvement)"
_MIN_ENVIRONMENT = 3
_ENOUGH_SEED = 5  # of an environment; the intervals of fewer are too narrow
_MAX_NAME = 16  # characters beside a bar
_MAX_METHOD = 7  # of a figure: as many as there are colours
_NUM_THRESHOLD, _NUM_STEP = 101, 50
_X_NAMES = {"timestep": "environment steps", "seconds": "wall time (seconds)"}


@dataclass(frozen=True)
class Method:
    """One configuration, in all environments of an aggregate.

    Args:
        label (str): what tells it from the others.
        runs (list): per environment, the list of its runs that have a score.
        finals (list of ndarray): per environment, ``[num_seed]``, mean of the last 10 % of the rows
            of each seed.
        scores (list of ndarray): the same, normalized: 0 is the low reference score, 1 the high.
        seeds (list): per environment, the normalized ``(x, y)`` of each seed, ``[T]`` each.
        missing (int): number of runs that have no score yet.
    """

    label: str
    runs: list
    finals: list
    scores: list
    seeds: list
    missing: int


@dataclass(frozen=True)
class Aggregate:
    """Configurations that were run on the same environments.

    Args:
        environments (list of str): those that all have, in alphabetical order.
        references (dict): environment to its low and high reference score.
        methods (list of Method): in the order of the runs.
        notes (list of str): what was left out, and why.
        x (str): what the seeds were logged against.
    """

    environments: list
    references: dict
    methods: list
    notes: list
    x: str


def make_aggregate(curves, references, x="timestep"):
    """The configurations and environments over which an aggregate makes sense.

    Environments without reference scores are left out, then configurations with scores in fewer
    than 3 of the others, then environments that one of the rest lacks.  A seed that failed or
    diverged counts with its last score.

    Args:
        curves (list of Curve): as ``make_curves`` gave them, a panel per environment.
        references (dict): environment to low and high reference score.
        x (str): column that the curves were made against.

    Returns:
        Aggregate: its notes name all that is left out.

    Raises:
        ValueError: fewer than 3 environments are left.
    """
    cells = defaultdict(dict)
    for curve in curves:
        if any(len(y) for _, y in curve.seeds):
            cells[curve.label][curve.environment] = curve
    found = sorted({environment for row in cells.values() for environment in row})
    unknown = [name for name in found if name not in references]
    known = [name for name in found if name in references]
    few = [k for k in cells if len(set(cells[k]) & set(known)) < _MIN_ENVIRONMENT]
    labels = [label for label in cells if label not in few]
    common = [name for name in known if all(name in cells[label] for label in labels)]
    notes = []
    if unknown:
        remedy = "add them with --scores FILE (env,low,high)"
        notes.append(f"left out, no reference scores: {_list(unknown)}; {remedy}")
    if few:
        notes.append(f"left out, fewer than {_MIN_ENVIRONMENT} environments: {_list(few)}")
    if len(known) > len(common):
        lacking = [name for name in known if name not in common]
        notes.append(f"left out, not run by all: {_list(lacking)}")
    if not labels or len(common) < _MIN_ENVIRONMENT:
        few = _list(common if labels else known) or "none"
        what = f"environments with reference scores that all configurations have: {few}"
        why = f"expected {_MIN_ENVIRONMENT} or more, means over fewer say nothing about a suite"
        notes = [note for note in notes if labels or "fewer than" not in note]
        raise ValueError("; ".join([f"--aggregate: {what}", why, *notes]))
    methods = [_make_method(label, cells[label], common, references) for label in labels]
    return Aggregate(common, {name: references[name] for name in common}, methods, notes, x)


def _list(names, num=5):
    names = [shorten(name) for name in names]
    return ", ".join(names[:num]) + (f" and {len(names) - num} more" if len(names) > num else "")


def _make_method(label, cells, environments, references):
    runs, finals, scores, seeds, missing = [], [], [], [], 0
    for name in environments:
        curve, ends = cells[name], references[name]
        some = [i for i, (_, ys) in enumerate(curve.seeds) if len(ys)]
        missing += len(curve.seeds) - len(some)
        runs.append([curve.runs[i] for i in some])
        points = [curve.seeds[i] for i in some]
        seeds.append([(x, normalize(y, *ends)) for x, y in points])
        finals.append(np.array([y[-math.ceil(len(y) / 10) :].mean() for _, y in points]))
        scores.append(normalize(finals[-1], *ends))
    return Method(label, runs, finals, scores, seeds, missing)


def measure(aggregate, num=10_000):
    """The metrics of each configuration with 95 % stratified bootstrap intervals.

    Args:
        aggregate (Aggregate): as ``make_aggregate`` gave it.
        num (int): number of bootstrap replications.

    Returns:
        dict: metric to list over configurations of point, low and high.  IQM is the mean of the
        middle half of all scores, mean and median are those of the environments' means, the
        optimality gap is how much of 1 is missing on average; ``"P(improvement)"`` is the
        probability that a seed beats one of the first configuration, averaged over environments;
        NaN for the first itself.
    """
    rows = {name: [] for name in (*METRICS, IMPROVEMENT)}
    first = aggregate.methods[0].scores
    for method in aggregate.methods:
        ends = bootstrap_interval(_metrics, method.scores, num)
        for name, *row in zip(METRICS, _metrics(method.scores), *ends, strict=True):
            rows[name].append(tuple(map(float, row)))
        both = [*method.scores, *first]
        ends = bootstrap_interval(_improvement, both, num)
        rows[IMPROVEMENT].append((float(_improvement(both)), *map(float, ends)))
    rows[IMPROVEMENT][0] = (np.nan,) * 3  # over itself
    return rows


def _metrics(scores):
    """``[..., 4]``, in the order of ``METRICS``, for ``[..., n]`` per environment."""
    means = np.stack([row.mean(-1) for row in scores])
    parts = iqm(scores), means.mean(0), np.median(means, 0), optimality_gap(scores)
    return np.stack(parts, axis=-1)


def _improvement(both):
    half = len(both) // 2
    return probability_of_improvement(both[:half], both[half:])


def iqm_curve(method, num=2000):
    """IQM against steps, where every seed in every environment has a score.

    Seeds are interpolated inside their own range; one that failed or diverged keeps its last score.

    Args:
        method (Method): one configuration.
        num (int): number of bootstrap replications.

    Returns:
        tuple: steps, IQM and both ends of its 95 % interval, ``[T]`` each; empty if the seeds have
        no steps in common.
    """
    seeds = [seed for row in method.seeds for seed in row]
    is_broken = [run.status in _BROKEN for row in method.runs for run in row]
    ends = [x[-1] for (x, _), broken in zip(seeds, is_broken, strict=True) if not broken]
    start = max(x[0] for x, _ in seeds)
    end = min(ends) if ends else max(x[-1] for x, _ in seeds)
    grid = np.unique(np.concatenate([x for x, _ in seeds]))
    grid = grid[(grid >= start) & (grid <= end)]
    if not len(grid):
        return (np.empty(0),) * 4
    if len(grid) > _NUM_STEP:
        grid = np.linspace(grid[0], grid[-1], _NUM_STEP)
    values = [np.stack([np.interp(grid, x, y) for x, y in row], 1) for row in method.seeds]

    def middle(chosen):  # [..., n] per environment -> [..., T]
        drawn = [v[:, index.astype(int)] for v, index in zip(values, chosen, strict=True)]
        return np.moveaxis(iqm(drawn), 0, -1)

    everyone = [np.arange(v.shape[1]) for v in values]  # whole curves are drawn again
    return grid, middle(everyone), *bootstrap_interval(middle, everyone, num)


def describe(aggregate):
    """What a reader of the figure or the tables has to know, as sentences."""
    methods, environments = aggregate.methods, aggregate.environments
    nums = [len(scores) for method in methods for scores in method.scores]
    each = f"{nums[0]}" if min(nums) == max(nums) else f"{min(nums)} to {max(nums)}"
    notes = [
        f"{len(environments)} environments ({_list(environments)}), {each} seeds in each; "
        "95 % stratified bootstrap intervals."
    ]
    if min(nums) < _ENOUGH_SEED:
        notes.append(
            f"With fewer than {_ENOUGH_SEED} seeds in an environment these intervals are too "
            "narrow: they hold the truth less often than they say."
        )
    broken = sum(r.status in _BROKEN for m in methods for row in m.runs for r in row)
    running = sum(r.status == "running" for m in methods for row in m.runs for r in row)
    missing = sum(method.missing for method in methods)
    for num, what in (
        (broken, "failed or diverged and count with their last score"),
        (running, "are still running and count with their last score"),
        (missing, "have no score and are left out"),
    ):
        notes += [f"{num} of {sum(nums) + missing} runs {what}."] if num else []
    return notes


def plot_aggregate(aggregate, rows, title=None, style="paper"):
    """A figure of an aggregate.

    Above: IQM, mean, median and optimality gap.  Below: performance profiles, the probability of
    improvement over the first configuration, and IQM against steps.  Of more than 7 configurations
    the first and those with the highest IQM are drawn.

    Args:
        aggregate (Aggregate): as ``make_aggregate`` gave it.
        rows (dict): as ``measure`` gave it.
        title (str): above the figure.
        style (str): as in ``plot_curves``.

    Returns:
        Figure: matplotlib figure, with no window and unknown to pyplot.

    Raises:
        ValueError: ``style`` is unknown.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if style not in LOOKS:
        raise ValueError(f"style: got {style!r}; expected one of {', '.join(LOOKS)}")
    look = LOOKS[style]
    num = len(aggregate.methods)
    ranks = np.argsort([-row[0] for row in rows["IQM"]], kind="stable")
    shown = sorted([0, *[i for i in ranks if i != 0][: _MAX_METHOD - 1]])
    methods = [aggregate.methods[i] for i in shown]
    names = [drawable(method.label) for method in methods]
    is_short = max(map(len, names)) <= _MAX_NAME
    beside = names if is_short else []  # of long ones the legend tells the colours
    colors = [line_style(k, look.colors)["color"] for k in range(len(shown))]
    num_below = 3 if num > 1 else 2
    heights = [0.75 + 0.32 * max(len(shown), 3), 3.0]
    size = (11.0 * look.scale, (sum(heights) + 0.8) * look.scale)
    with mpl.rc_context(look.rc | {"axes.titlesize": look.rc["font.size"]}):
        figure = Figure(figsize=size, dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(drawable(title)) if title else None
        grid = figure.add_gridspec(2, 12, height_ratios=heights)
        for k, name in enumerate(METRICS):
            ax = figure.add_subplot(grid[0, 3 * k : 3 * k + 3])
            _draw_bars(ax, [rows[name][i] for i in shown], beside if k == 0 else [], colors)
            ax.set_title(f"{name} (less is better)" if name == "optimality gap" else name)
        width = 12 // num_below
        below = [figure.add_subplot(grid[1, width * k : width * (k + 1)]) for k in range(num_below)]
        _draw_profiles(below[0], methods, look)
        _draw_curves(below[-1], methods, look, aggregate.x)
        if num_below == 3:
            _draw_bars(below[1], [rows[IMPROVEMENT][i] for i in shown[1:]], beside[1:], colors[1:])
            below[1].axvline(0.5, color=look.muted, linewidth=1, linestyle="--")
            below[1].set_xlim(-0.02, 1.02)
            below[1].set_title(f"P(improvement over {names[0] if is_short else 'the first'})")
        notes = describe(aggregate)
        if len(shown) < num:
            notes.append(f"{len(shown)} of {num} configurations: the first and the highest IQM.")
        notes = [plain(note).replace("$", r"\$") for note in notes]
        lines = [line_style(k, look.colors) | {"linewidth": 3} for k in range(len(shown))]
        add_legend(figure, list(zip(names, lines, strict=True)), notes, look)
    return figure


def _draw_bars(ax, bars, names, colors):
    """Intervals as horizontal bars, points as lines across them; the first on top."""
    for i, ((point, low, high), color) in enumerate(zip(bars, colors, strict=True)):
        ax.barh(i, high - low, left=low, height=0.6, color=color, alpha=0.7)
        ax.vlines(point, i - 0.3, i + 0.3, color=ax.xaxis.label.get_color(), linewidth=1.4)
    ax.set_yticks(range(len(names)), names)
    room = max(0.5, (4 - len(bars)) / 2)
    ax.set_ylim(len(bars) - 1 + room, -room)
    ax.grid(False, axis="y")
    low, high = min(low for _, low, _ in bars), max(high for *_, high in bars)
    room = max(0.05 * (high - low), (0.1 - high + low) / 2)  # never magnify less than a tenth
    ax.set_xlim(low - room, high + room)
    set_ticker(ax, num=4)


def _draw_profiles(ax, methods, look):
    scores = np.concatenate([score for method in methods for score in method.scores])
    low, high = min(0.0, scores.min()), max(1.0, scores.max())
    thresholds = np.linspace(low, high, _NUM_THRESHOLD)
    for k, method in enumerate(methods):
        style = line_style(k, look.colors)
        share, *band = performance_profile(method.scores, thresholds)
        ax.step(thresholds, share, where="post", **style)
        ax.fill_between(thresholds, *band, step="post", color=style["color"], alpha=0.15, lw=0)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel("normalized score τ")
    ax.set_title("share of runs with a score above τ")


def _draw_curves(ax, methods, look, x_name):
    for k, method in enumerate(methods):
        style = line_style(k, look.colors)
        x, middle, low, high = iqm_curve(method)
        if len(x) == 1:
            half = [middle - low, high - middle]
            ax.errorbar(x, middle, half, fmt="o", color=style["color"], capsize=3)
        else:
            ax.plot(x, middle, **style)
            ax.fill_between(x, low, high, color=style["color"], alpha=0.15, lw=0)
    ax.set_title("IQM of normalized scores")
    ax.set_xlabel(drawable(_X_NAMES.get(x_name, x_name)))
    format_x(ax)
