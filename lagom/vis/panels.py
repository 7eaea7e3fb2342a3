"""The parts of a figure: panels of curves, their axes, and the legend below all of them."""

import textwrap

import numpy as np

from lagom.vis.style import BROKEN, count_seeds, drawable, line_style
from lagom.vis.ticker import set_ticker

_DASHES = ("--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))  # of references
_BANDS = {
    "t": "mean, 95 % Student-t interval over seeds",
    "sd": "mean ± standard deviation of the seeds (no interval of the mean)",
    "minmax": "mean, from the lowest seed to the highest",
    "none": "mean over seeds",
}


def unusual(panel, counts):
    """What a panel says below its title: the curves whose seeds are not as the legend tells.

    Args:
        panel (list of Curve): the curves of one environment.
        counts (dict): label to the number of seeds in words that the legend tells.

    Returns:
        list of str: a line each.
    """
    texts = [(curve.label, count_seeds(curve.runs)) for curve in panel]
    return [f"{drawable(label)}: {text}" for label, text in texts if text != counts[label]]


def draw_panel(ax, title, panel, shown, counts, look, seeds=False, room=0):
    """Draw the curves of one environment.

    Args:
        ax (Axes): matplotlib axes.
        title (str): the environment.
        panel (list of Curve): what to draw.
        shown (list of str): labels of the figure; the place in it decides the colour.
        counts (dict): as in ``unusual``.
        look (Look): colours and sizes.
        seeds (bool): draw a thin line for each seed too, where there are several.
        room (int): lines below the title, at least; titles of a row stand at one height.
    """
    width = look.rc["lines.linewidth"]
    alpha = 0.18 if len(panel) < 5 else 0.07  # many bands would add up to a cloud
    for curve in panel:
        style = line_style(shown.index(curve.label), look.colors)
        if np.isfinite(curve.mean).sum() == 1:  # one evaluation, at the end
            half = np.abs([curve.mean - curve.low, curve.high - curve.mean])
            half = half if np.isfinite(half).all() else None
            ax.errorbar(curve.x, curve.mean, half, fmt="o", color=style["color"], capsize=2 * width)
        else:
            ax.plot(curve.x, curve.mean, **style)
            ax.fill_between(
                curve.x, curve.low, curve.high, color=style["color"], alpha=alpha, linewidth=0
            )
        if seeds and num_seed(curve) > 1:
            thin = {"linewidth": 0.4 * width, "alpha": 0.5, "zorder": 1.9, "color": style["color"]}
            for x, y in curve.seeds:
                ax.plot(x, y, **thin)
        for run, (x, y) in zip(curve.runs, curve.seeds, strict=True):
            if run.status in BROKEN and len(x):
                size = {"markersize": 3.4 * width, "markeredgewidth": 0.9 * width}
                ax.plot(x[-1], y[-1], "x", color=style["color"], **size)
    notes = unusual(panel, counts)
    size = look.rc["xtick.labelsize"] - 1
    ax.set_title(drawable(title), pad=6 + 1.5 * size * max(len(notes), room))
    if notes:
        place = {"transform": ax.transAxes, "ha": "center", "va": "bottom"}
        ax.text(0.5, 1.02, "\n".join(notes), fontsize=size, color=look.muted, **place)


def num_seed(curve):
    """How many seeds of a curve have points."""
    return sum(len(x) > 0 for x, _ in curve.seeds)


def draw_references(ax, references, look, labels):
    """Draw lines to compare with; the place of a label in ``labels`` decides the dashes."""
    for reference in references:
        style = reference_style(labels.index(reference.label), look)
        if not len(reference.x):
            ax.axhline(reference.y[0], **style)
            continue
        ax.plot(reference.x, reference.y, **style)
        color = {"color": look.muted, "alpha": 0.15, "linewidth": 0}
        ax.fill_between(reference.x, reference.low, reference.high, **color)


def reference_style(i, look):
    """Colour, dashes and width of the ``i``-th reference; four of them differ."""
    width = 0.75 * look.rc["lines.linewidth"]
    dashes = _DASHES[i % len(_DASHES)]
    return {"color": look.muted, "linestyle": dashes, "linewidth": width, "zorder": 1.8}


def limit_y(ax, panel, seeds=False, references=()):
    """Keep the lines readable: the interval of two seeds is 13 deviations wide, and may be cut.

    Returns:
        bool: whether one is.
    """
    ends = [run.status in BROKEN for c in panel for run in c.runs]
    points = [y for c in panel for _, y in c.seeds]
    values = [c.mean for c in panel] + [r.y for r in references]
    values += points if seeds else [y[-1:] for y, end in zip(points, ends, strict=True) if end]
    values = np.concatenate(values)
    ends = np.concatenate([end for c in panel for end in (c.low, c.high)])
    values, ends = values[np.isfinite(values)], ends[np.isfinite(ends)]
    if not len(values) or not len(ends) or values.min() == values.max():
        return False
    low, high = values.min(), values.max()
    room = (high - low) / 2
    low, high = max(low - room, min(low, ends.min())), min(high + room, max(high, ends.max()))
    ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    return bool(ends.min() < low or high < ends.max())


def format_x(ax, logarithmic=False, thousands=True, num=5):
    """At most ``num`` intervals between short ticks, from zero on; ``thousands`` read as K."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = ax.dataLim.intervalx
    if logarithmic:
        ax.set_xscale("log", nonpositive="mask")
        low = ax.dataLim.minposx
        subs = (1.0,) if high > 1e3 * low else (1.0, 2.0, 5.0)
        ax.xaxis.set_major_locator(LogLocator(subs=subs, numticks=8))
        ax.xaxis.set_minor_formatter(NullFormatter())
    else:
        if 0 < low <= high < np.inf:
            ax.set_xlim(-0.03 * high, 1.03 * high)
        set_ticker(ax, num=num)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, pos: _short(x) if thousands else f"{x:g}"))


def _short(x):
    """``1500000`` as ``1.5M``, no digit more than it takes."""
    unit, letter = next(((u, k) for u, k in ((1e6, "M"), (1e3, "K")) if abs(x) >= u), (1, ""))
    return f"{x / unit:g}{letter}"


def describe(curves, band="t", smooth=1, seeds=False, clock=False, cut=False):
    """What lines, bands and crosses mean, in a list of notes.

    Args:
        curves (list of Curve): what was drawn.
        band, smooth, seeds: how.
        clock (bool): seeds end at different places, see ``average_seeds``.
        cut (bool): a band reaches beyond its panel.
    """
    several = any(num_seed(curve) > 1 and np.isfinite(curve.mean).any() for curve in curves)
    notes = [_BANDS[band] if several else "single seeds, no interval"]
    if several and cut:
        notes.append("wider intervals are cut")
    if several and clock:
        notes.append("a seed that has ended counts with its last value")
    if seeds and several:
        notes.append("thin lines: single seeds")
    if smooth > 1:
        notes.append(f"running mean of {smooth} points of each seed")
    if any(run.status in BROKEN for curve in curves for run in curve.runs):
        notes.append("× a seed that failed or diverged")
    return notes


def add_legend(figure, entries, notes, look):
    """Below the panels: what each line is, and what else must be known.

    Args:
        figure (Figure): matplotlib figure in constrained layout; grows with the legend.
        entries (list): ``(text, style of the line)`` of each.
        notes (list of str): the title.
        look (Look): colours and sizes.
    """
    from matplotlib.lines import Line2D

    texts, styles = zip(*entries, strict=True)
    handles = [Line2D([], [], **style) for style in styles]
    em = look.rc["legend.fontsize"] / 72  # inches
    width = (0.6 * max(map(len, texts)) + 4.4) * em
    num_col = max(1, min(len(texts), int(figure.get_figwidth() / width)))
    small = look.rc["legend.title_fontsize"] / 72
    title = _fill(notes, max(20, int(figure.get_figwidth() / (0.52 * small))))
    rows = (len(texts) - 1) // num_col
    order = [i for column in range(num_col) for i in range(column, len(texts), num_col)]
    figure.set_figheight(figure.get_figheight() + 1.5 * em * rows + 1.3 * small * title.count("\n"))
    legend = figure.legend(
        [handles[i] for i in order],  # matplotlib fills columns, readers read rows
        [texts[i] for i in order],
        title=title,
        loc="outside lower center",
        ncols=num_col,
        frameon=False,
        handlelength=2.2,
    )
    legend.get_title().set_multialignment("center")


def _fill(notes, width):
    """The notes in lines of at most ``width`` characters, those that fit side by side."""
    lines = []
    for note in notes:
        if lines and len(lines[-1]) + 3 + len(note) <= width:
            lines[-1] += f"   {note}"
        else:
            lines += textwrap.wrap(note, width)
    return "\n".join(lines)
