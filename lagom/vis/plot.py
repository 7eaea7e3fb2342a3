"""Figures of learning curves."""

import io
import math
from collections import defaultdict
from dataclasses import replace

import numpy as np

from lagom.vis.curves import end_row, make_curves
from lagom.vis.panels import (
    add_legend,
    describe,
    draw_panel,
    draw_references,
    format_x,
    limit_y,
    reference_style,
    unusual,
)
from lagom.vis.runs import split_key
from lagom.vis.series import DERIVED
from lagom.vis.style import LOOKS, drawable, line_style, usual_count

_MAX_CURVE = 10  # of a figure; more than an eye can follow
_X_NAMES = {
    "timestep": "environment steps",
    "episode": "training episodes",
    "iteration": "iterations",
}
_UNITS = ((172800, 86400.0, "days"), (7200, 3600.0, "hours"), (180, 60.0, "minutes"))


def plot_experiment(
    runs,
    x="timestep",
    y="return",
    group=None,
    title=None,
    facet="env.id",
    *,
    band="t",
    smooth=1,
    **options,
):
    """A figure of learning curves: a panel per environment, a line per configuration.

    Lines are means over seeds, bands 95 % Student-t intervals of the mean, crosses the ends of
    seeds that failed or diverged.  Of more than 10 configurations those with the highest final
    value are drawn; the legend says so.

    Args:
        runs (list of Run): as ``read_runs`` gave them.
        x, y, group, facet, band, smooth: as in ``make_curves``.
        title (str): above the figure.
        **options: as in ``plot_curves``.

    Returns:
        Figure: matplotlib figure, with no window and unknown to pyplot.

    Raises:
        ValueError: a key is found in no run, no run has numbers to draw, or a word is unknown.
    """
    curves = make_curves(runs, x, y, group, facet, band=band, smooth=smooth)
    return plot_curves(curves, x, y, title, band=band, smooth=smooth, **options)


def plot_curves(
    curves,
    x="timestep",
    y="return",
    title=None,
    *,
    band="t",
    smooth=1,
    seeds=False,
    references=(),
    logx=False,
    ylim=(None, None),
    style="paper",
    width=None,
    height=None,
):
    """The figure of ``plot_experiment`` for curves that are there already.

    Args:
        curves (list of Curve): from ``make_curves``.
        x, y, title, band, smooth: what they were made of, for axes and legend.
        seeds (bool): a thin line for each seed too.
        references (list of Reference): lines to compare with, in the panels of their environments.
        logx (bool): logarithmic horizontal axis; points that are not positive are left out.
        ylim (tuple): lower and upper end of the vertical axes; None leaves it to the data.
        style (str): ``"paper"``; ``"talk"``, larger; ``"dark"``, larger on a dark background.
        width, height (float): size in inches, by default as the number of panels asks for.

    Returns:
        Figure: matplotlib figure.

    Raises:
        ValueError: there is nothing to draw, or ``style`` is unknown.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if style not in LOOKS:
        raise ValueError(f"style: got {style!r}; expected one of {', '.join(LOOKS)}")
    look = LOOKS[style]
    if not any(len(curve.x) for curve in curves):
        raise ValueError(f"plot_experiment: no run has numbers in {x!r} and {y!r}; expected one")
    if logx and not any((curve.x > 0).any() for curve in curves):
        raise ValueError(f"logx: {x} is nowhere positive; expected a row where it is")
    x_name, unit = _x_name(curves, x)
    labels = list(dict.fromkeys(curve.label for curve in curves))
    shown = _highest(curves, labels)
    drawn = [_scale(curve, unit) for curve in curves if curve.label in shown]
    panels = defaultdict(list)
    for curve in drawn:
        panels[curve.environment].append(curve)
    here = {panel: {"", *_environments(panels[panel])} for panel in panels}
    references = [
        replace(line, x=line.x / unit)
        for line in references
        if any(line.environment in environments for environments in here.values())
    ]
    names = list(dict.fromkeys(line.label for line in references))
    num_col = 3 if len(panels) == 3 else math.ceil(math.sqrt(len(panels)))
    num_row = math.ceil(len(panels) / num_col)
    size = (7.0, 4.6) if num_col == 1 else (3.6 * num_col + 0.4, 2.7 * num_row + 1.0)
    size = (width or look.scale * size[0], height or look.scale * size[1])
    with mpl.rc_context(look.rc):
        figure = Figure(figsize=size, dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(drawable(title)) if title else None
        axes = figure.subplots(num_row, num_col, squeeze=False).ravel()
        for ax in axes[len(panels) :]:
            ax.remove()
        counts = {label: usual_count(drawn, label) for label in shown}
        lines_below = [len(unusual(panel, counts)) for panel in panels.values()]
        cut = False
        for i, (name, panel) in enumerate(panels.items()):
            first = i - i % num_col  # of its row
            room = max(lines_below[first : first + num_col])
            draw_panel(axes[i], name, panel, shown, counts, look, seeds, room)
            lines = [line for line in references if line.environment in here[name]]
            draw_references(axes[i], lines, look, names)
            if band == "t":
                cut |= limit_y(axes[i], panel, seeds, lines)
            axes[i].set_ylim(*ylim)
            format_x(axes[i], logx, x != "seconds", 8 if len(panels) == 1 else 5)
            if i + num_col >= len(panels):  # the lowest of its column
                axes[i].set_xlabel(x_name)
        figure.supylabel(drawable(_y_name(drawn, y)), fontsize=look.rc["font.size"])
        notes = describe(drawn, band, smooth, seeds, x in DERIVED, cut)
        if len(labels) > len(shown):
            highest = f"the highest final {drawable(split_key(y)[1])}"
            notes.append(f"{len(shown)} of {len(labels)} configurations: {highest}")
        entries = _entries(drawn, shown, counts, look)
        entries += [(drawable(name), reference_style(i, look)) for i, name in enumerate(names)]
        add_legend(figure, entries, notes, look)
        if height:  # the legend has made it higher
            figure.set_figheight(height)
    return figure


def _scale(curve, unit):
    """A curve whose ``x`` counts in ``unit``."""
    return replace(curve, x=curve.x / unit, seeds=[(x / unit, y) for x, y in curve.seeds])


def _environments(curves):
    return {run.environment for curve in curves for run in curve.runs}


def _x_name(curves, x):
    """Name of the horizontal axis, and what its numbers are divided by."""
    if x != "seconds":
        return drawable(_X_NAMES.get(x, x)), 1.0
    longest = max(xs[-1] for curve in curves for xs, _ in curve.seeds if len(xs))
    unit, name = next(((u, name) for low, u, name in _UNITS if longest >= low), (1.0, "seconds"))
    return f"wall time ({name})", unit


def _entries(curves, shown, counts, look):
    """Texts and lines of the configurations in the legend."""
    mixed = len({curve.log for curve in curves if len(curve.x)}) == 2
    train = {curve.label for curve in curves if curve.log == "train"} if mixed else ()
    width = {"linewidth": 1.2 * look.rc["lines.linewidth"]}
    return [
        (f"{drawable(k)}{'*' * (k in train)} ({counts[k]})", line_style(i, look.colors) | width)
        for i, k in enumerate(shown)
    ]


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
