"""The figure of an aggregate: metrics, profiles, improvement, and scores against steps."""

import numpy as np

from lagom.vis.aggregate import IMPROVEMENT, METRICS, describe, iqm_curve
from lagom.vis.bootstrap import performance_profile
from lagom.vis.panels import add_legend, format_x
from lagom.vis.style import LOOKS, drawable, line_style, plain
from lagom.vis.ticker import set_ticker

_MAX_NAME = 16  # characters beside a bar
_MAX_METHOD = 7  # of a figure: as many as there are colours
_NUM_THRESHOLD = 101
_X_NAMES = {"timestep": "environment steps", "seconds": "wall time (seconds)"}


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
