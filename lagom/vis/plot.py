"""Figures of learning curves."""

import io
import math
from collections import defaultdict

import numpy as np

from lagom.vis.curves import end_row, make_curves
from lagom.vis.runs import split_key
from lagom.vis.style import RC, add_legend, draw_panel, drawable, usual_count

_MAX_CURVE = 10  # of a figure; more than an eye can follow


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
