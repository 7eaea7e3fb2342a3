"""The figure of a sweep: a panel per key, parallel coordinates, the best configurations."""

import math
import textwrap
from collections import defaultdict

import numpy as np

from lagom.vis.curves import student_t
from lagom.vis.importance import Key
from lagom.vis.style import BROKEN, LOOKS, drawable, shorten
from lagom.vis.sweeps import MAX_KEY, best_rows, describe

_NUM_BEST = 5
_MIN_BAND = 3  # configurations; the interval of two fills its panel
_MARKS = (
    "Large dots: means over seeds, orange for the best; small dots: seeds.",
    "Lines: mean of neighbours; its 95 % Student-t interval where they are 3 or more (may be cut).",
)

_DOTS = {
    name: {"marker": marker, "markersize": size, "alpha": alpha, "linestyle": "none"}
    for name, marker, size, alpha in (
        ("mean", "o", 5, 0.9),
        ("seed", ".", 3, 0.45),
        ("broken", "x", 3, 0.45),
        ("edge", "x", 6, 1),
    )
}


def plot_sweep(sweep, title=None, style="paper"):
    """A figure of a sweep: a panel per key, parallel coordinates, the best configurations.

    Large dots are means over the seeds, small ones seeds, crosses at the bottom edge configurations
    all of whose seeds failed or diverged.  Of more than 6 keys the most important are drawn.

    Args:
        sweep (Sweep): as ``make_sweep`` gave it.
        title (str): above the figure.
        style (str): as in ``plot_curves``.

    Returns:
        Figure: matplotlib figure, with no window and unknown to pyplot.

    Raises:
        ValueError: no configuration has a score, or ``style`` is unknown.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if style not in LOOKS:
        raise ValueError(f"style: got {style!r}; expected one of {', '.join(LOOKS)}")
    look = LOOKS[style]
    if not sweep.best:
        raise ValueError(f"--sweep: no configuration has ended with a number in {sweep.y!r}")
    num_key = min(len(sweep.keys), MAX_KEY)
    num_col = 2 if num_key in (2, 4) else min(num_key, 3)
    num_row = math.ceil(num_key / num_col)
    num_best = min(_NUM_BEST, len(sweep.best))
    heights = [2.5] * num_row + [2.6, 0.24 * (num_best + 1)]
    size = (9.0 * look.scale, (sum(heights) + 1.2) * look.scale)
    with mpl.rc_context(look.rc):
        figure = Figure(figsize=size, dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(drawable(title)) if title else None
        grid = figure.add_gridspec(num_row + 2, num_col, height_ratios=heights)
        first = None
        for k in range(num_key):
            ax = first = figure.add_subplot(grid[k // num_col, k % num_col], sharey=first)
            _draw_key(ax, sweep, k, look)
            ax.tick_params("y", labelleft=k % num_col == 0)
        first.set_ylim(*_limits(sweep))
        figure.axes[0].set_ylabel(drawable(f"final {sweep.y}"))
        _draw_lines(figure.add_subplot(grid[num_row, :]), sweep, num_key, look)
        _draw_table(figure.add_subplot(grid[num_row + 1, :]), sweep, num_key, look)
        notes = "\n".join(textwrap.fill(note, 115) for note in (*_MARKS, *describe(sweep)))
        small = look.rc["legend.title_fontsize"]
        figure.supxlabel(notes, fontsize=small, color=look.muted)
    return figure


def _draw_key(ax, sweep, k, look):
    """Scores against one key, and the mean of configurations that lie next to each other."""
    key, best = sweep.keys[k], _distinguished(sweep)
    places = key.places + _spread(key.places, key.kind)  # [N]
    dots = defaultdict(list)
    for trial, place in zip(sweep.trials, places, strict=True):
        color = look.colors[1 if trial in best else 0]
        if trial.is_broken:
            dots["edge", look.muted].append((place, 0.02))
        elif math.isfinite(trial.mean):
            dots["mean", color].append((place, trial.mean))
            for run, score in zip(trial.runs, trial.scores, strict=True):
                dots["broken" if run.status in BROKEN else "seed", color].append((place, score))
    for (name, color), points in dots.items():
        edge = {"transform": ax.get_xaxis_transform(), "clip_on": False} if name == "edge" else {}
        ax.plot(*zip(*points, strict=True), color=color, **_DOTS[name], **edge)
    x, mean, half = _trend(sweep, key)
    line = {"color": look.muted, "linewidth": 1.2, "zorder": 1.5}
    if key.kind == "category":
        ax.errorbar(x, mean, half, fmt="_", markersize=14, capsize=3, **line)
    else:
        ax.plot(x, mean, marker="s", markersize=3, **line)
        ax.fill_between(x, mean - half, mean + half, color=look.muted, alpha=0.15, lw=0)
    low, high = places.min(), places.max()
    room = 0.3 if key.kind == "category" else 0.05 * (high - low) or 1.0
    ax.set_xlim(low - room, high + room)
    ticks, labels = _ticks(key)
    ax.set_xticks(ticks, [drawable(shorten(label, 14)) for label in labels])
    if sum(map(len, labels)) > 36:
        ax.tick_params("x", labelrotation=25)
    ax.tick_params("x", labelsize=0.8 * look.rc["font.size"])
    ax.set_xlabel(drawable(key.name.removeprefix("agent.")))
    if sweep.R2 > 0:
        ax.set_title(f"{100 * max(sweep.shares[k], 0):.0f} % of the variance", fontsize="medium")


def _distinguished(sweep):
    """The best, and never more than half of all: orange means nothing if everything is."""
    return sweep.best[: min(_NUM_BEST, (len(sweep.best) + 1) // 2)]


def _spread(places, kind):
    """Small steps aside for configurations that lie at the same place."""
    distinct, index, num = np.unique(places, return_inverse=True, return_counts=True)
    gap = 1.0 if kind == "category" or len(distinct) < 2 else np.diff(distinct).min()
    offsets = np.zeros(len(places))
    for i in range(len(distinct)):
        if num[i] > 1:
            step = min(0.4 * gap / num[i], 0.02 * max(np.ptp(places), 1e-9))
            offsets[index == i] = step * (np.arange(num[i]) - (num[i] - 1) / 2)
    return offsets


def _trend(sweep, key):
    """Place, mean and half the Student-t interval of the configurations in each bin of a key.

    Bins are the values of the key or, of more than 6 numbers, groups of four and more neighbours.
    """
    scored = [i for i, trial in enumerate(sweep.trials) if math.isfinite(trial.mean)]
    places = key.places[scored]
    means = np.array([sweep.trials[i].mean for i in scored])
    distinct = np.unique(places)
    if key.kind == "category" or len(distinct) <= 6:
        bins = [places == place for place in distinct]
    else:
        order = np.argsort(places, kind="stable")
        groups = np.array_split(order, min(max(len(order) // 4, 2), 6))
        bins = [np.isin(np.arange(len(places)), group) for group in groups]
    parts = [(places[b].mean(), *student_t(means[b]), b.sum()) for b in bins]
    x, mean, half, num = np.array(parts).T
    return x, mean, np.where(num < _MIN_BAND, np.nan, half)


def _ticks(key):
    """Where an axis has ticks, and how they read."""
    distinct, first = np.unique(key.places, return_index=True)
    if key.kind == "category" or len(distinct) <= MAX_KEY:
        return distinct, [key.texts[i] for i in first]
    if key.kind == "linear":
        from matplotlib.ticker import MaxNLocator

        ticks = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(distinct[0], distinct[-1])
        values = ticks
    else:
        for digits in ((1,), (1, 3), (1, 2, 5)):
            decades = range(math.floor(distinct[0]), math.ceil(distinct[-1]) + 1)
            values = np.array([digit * 10.0**n for n in decades for digit in digits])
            ticks = np.log10(values)
            if np.sum((ticks >= distinct[0]) & (ticks <= distinct[-1])) >= 3:
                break
    inside = (ticks >= distinct[0] - 1e-9) & (ticks <= distinct[-1] + 1e-9)
    return ticks[inside], [f"{value:.6g}" for value in values[inside]]


def _limits(sweep):
    """Of the axis of scores: all seeds of configurations that have a mean, and room for crosses."""
    scores = np.concatenate([trial.scores for trial in sweep.best])
    low, high = np.nanmin(scores), np.nanmax(scores)
    room = 0.06 * (high - low) or 1.0
    return low - 1.5 * room, high + room


def _draw_lines(ax, sweep, num_key, look):
    """Parallel coordinates: a line per configuration through its values, up to its score."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    means = [trial.mean for trial in sweep.best]
    background = look.rc.get("axes.facecolor", "white")
    name = "viridis_r" if background == "white" else "viridis"  # the best stand out
    faintest = means[-1] - 0.15 * (means[0] - means[-1])  # the worst can still be seen
    colors = ScalarMappable(Normalize(faintest, means[0]), colormaps[name])
    columns = [_to_unit(key) for key in sweep.keys[:num_key]]  # [N] each
    scores = Key("", [f"{mean:.4g}" for mean in means], np.array(means), "linear")
    score_of = dict(zip(map(id, sweep.best), _to_unit(scores)[0], strict=True))
    best, small = _distinguished(sweep), 0.8 * look.rc["font.size"]
    for i, trial in enumerate(sweep.trials):
        heights = [unit[i] for unit, _ in columns]
        if trial.is_broken:
            ax.plot([*heights, -0.06], color=look.muted, linewidth=0.8, linestyle=":")
            ax.plot(num_key, -0.06, "x", color=look.muted, markersize=6, markeredgewidth=1.4)
        elif math.isfinite(trial.mean):
            style = (
                {"linewidth": 2.6, "zorder": 3}
                if trial in best
                else {"linewidth": 1.6, "alpha": 0.55}
            )
            ax.plot([*heights, score_of[id(trial)]], color=colors.to_rgba(trial.mean), **style)
    for k, (_, marks) in enumerate([*columns, _to_unit(scores)]):
        ax.axvline(k, color=look.muted, linewidth=0.9, zorder=2)
        for height, label in marks:
            box = {"facecolor": background, "edgecolor": "none", "alpha": 0.75, "pad": 0.8}
            text = drawable(shorten(label, 14))
            ax.text(k + 0.015, height, text, size=small, va="center", bbox=box, zorder=4)
    names = [drawable(shorten(key.name.removeprefix("agent."), 24)) for key in sweep.keys[:num_key]]
    ax.set_xticks(range(num_key + 1), [*names, drawable(f"final {sweep.y}")])
    ax.set_yticks([])
    ax.grid(False)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.set_xlim(-0.1, num_key + 0.12)
    ax.set_ylim(-0.1, 1.06)


def _to_unit(key):
    """Places in [0, 1], and its marks as pairs of height and text."""
    low, span = key.places.min(), np.ptp(key.places) or 1.0
    ticks, labels = _ticks(key)
    return (key.places - low) / span, list(zip((ticks - low) / span, labels, strict=True))


def _draw_table(ax, sweep, num_key, look):
    ax.axis("off")
    width = 72 // num_key  # characters, such that the table fits
    rows = [
        [*row[:2], *(shorten(cell, width) for cell in row[2 : 2 + num_key]), *row[-2:]]
        for row in best_rows(sweep, _NUM_BEST)
    ]
    rows = [[drawable(cell) for cell in row] for row in rows]
    table = ax.table(
        rows[1:], colLabels=rows[0], loc="center", cellLoc="left", colLoc="left", edges="B"
    )
    table.auto_set_font_size(False)
    table.set_fontsize(0.85 * look.rc["font.size"])
    table.auto_set_column_width(range(len(rows[0])))
    for cell in table.get_celld().values():
        cell.set_edgecolor(look.rc["grid.color"])
        cell.set_facecolor("none")
