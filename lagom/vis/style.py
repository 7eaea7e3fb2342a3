"""How curves are named and drawn: labels that say what differs, colours that all can tell apart."""

from collections import Counter, defaultdict

import numpy as np

from lagom.vis.ticker import set_ticker

# Okabe & Ito, 2008, Color Universal Design, without the yellow, which white paper swallows
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINESTYLES = ("-", "--", ":", "-.")

RC = {
    "text.usetex": False,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.8,
    "legend.fontsize": 9,
    "legend.title_fontsize": 8.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}

# What does not change the result of a run, or is told elsewhere in the figure
_ASIDE = ("ID", "name", "seed", "seeds", "fresh", "device", "threads", "env.id", "algo.name")
_ASIDE_GROUPS = ("hydra.", "checkpoint.", "log.")
_BROKEN = ("failed", "diverged", "unreadable")


def line_style(i):
    """Colour and dashes of the ``i``-th configuration; 28 of them differ."""
    dashes = _LINESTYLES[i // len(_COLORS) % len(_LINESTYLES)]
    return {"color": _COLORS[i % len(_COLORS)], "linestyle": dashes}


def plain(text):
    """``text`` on one line, without characters that steer a terminal or turn the writing around."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def shorten(text, num=48):
    """``text`` in at most ``num`` characters, cut in the middle: both ends tell labels apart."""
    return text if len(text) <= num else f"{text[: num - num // 3 - 1]}…{text[-(num // 3) :]}"


def drawable(text):
    """``text`` such that matplotlib draws it as it stands, and a legend does not drop it."""
    text = shorten(plain(text))
    text = text.replace("$", r"\$")
    return "\u200b" + text if text.startswith("_") else text


def label_runs(runs, group=None):
    """What tells the configuration of each run from the others in its environment.

    The algorithm comes first if there are several, then the keys whose values differ among its
    configurations, as ``ppo lr=0.001``.  Where that is not enough, the experiment, the ID or the
    folder follows.

    Args:
        runs (list of Run): the runs of one figure.
        group (list of str): keys to use instead; runs that agree in them get one label.

    Returns:
        list of str: one label per run, of any length.
    """
    if group:
        return [_join(run, group) or plain(run.algo) for run in runs]
    cells, keys = defaultdict(list), defaultdict(dict)
    for run in runs:
        cells[run.environment, run.algo].append(run)
    for (_, algo), members in cells.items():
        keys[algo] |= dict.fromkeys(_differing([run.config for run in members]))
    labels = []
    for run in runs:
        label = _join(run, keys[run.algo])
        if len(keys) > 1 or not label:
            label = f"{plain(run.algo)} {label}".strip()
        labels.append(label)
    for extra in (lambda run: run.name, lambda run: f"ID={run.ID}", lambda run: run.path.parent):
        variants = defaultdict(set)
        for run, label in zip(runs, labels, strict=True):
            variants[run.environment, label].add(extra(run))
        labels = [
            f"{label} {plain(extra(run))}" if len(variants[run.environment, label]) > 1 else label
            for run, label in zip(runs, labels, strict=True)
        ]
    return labels


def _differing(configs):
    keys = dict.fromkeys(key for config in configs for key in config)
    keys = [key for key in keys if key not in _ASIDE and not key.startswith(_ASIDE_GROUPS)]
    first = configs[0]
    return [
        key
        for key in keys
        if any(
            key not in c or key not in first or _text(c[key]) != _text(first[key]) for c in configs
        )
    ]


def lookup(run, key):
    """The value of ``key`` for a run, None if its configuration lacks it."""
    return getattr(run, key) if key in ("name", "ID", "seed") else run.config.get(key)


def _join(run, keys):
    parts = []
    for key in keys:
        value = lookup(run, key)
        short = key.removeprefix("agent.")
        name = key if short in keys and short != key else short
        if key == "algo.name":
            parts.append(plain(value))
        elif value is not None:
            parts.append(plain(f"{name}={_text(value)}"))
    return " ".join(parts)


def _text(value):
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value).replace(", ", ",")


def count_seeds(runs):
    """How many seeds there are and what became of them, as ``4/5 seeds, 1 diverged``."""
    word = "seed" if len({run.path.parent for run in runs}) == 1 else "run"
    word += "s" * (len(runs) > 1)
    status = Counter(run.status for run in runs)
    if len(status) == 1:
        return f"{len(runs)} {word}" + ("" if "done" in status else f", {runs[0].status}")
    rest = [f"{num} {name}" for name, num in status.items() if name != "done"]
    return f"{status['done']}/{len(runs)} {word}, " + ", ".join(rest)


def usual_count(curves, label):
    """What ``count_seeds`` says in most environments."""
    counts = Counter(count_seeds(curve.runs) for curve in curves if curve.label == label)
    return counts.most_common(1)[0][0]


def draw_panel(ax, title, panel, shown, counts):
    """Draw the curves of one environment.

    Args:
        ax (Axes): matplotlib axes.
        title (str): the environment.
        panel (list of Curve): what to draw.
        shown (list of str): labels of the figure; the place in it decides the colour.
        counts (dict): label to the number of seeds in words that the legend tells; where a panel
            differs, it says so below its title.
    """
    alpha = 0.18 if len(panel) < 5 else 0.07  # many bands would add up to a cloud
    for curve in panel:
        style = line_style(shown.index(curve.label))
        if np.isfinite(curve.mean).sum() == 1:  # one evaluation, at the end
            ax.errorbar(curve.x, curve.mean, curve.half, fmt="o", color=style["color"], capsize=3)
        else:
            ax.plot(curve.x, curve.mean, linewidth=1.8, **style)
            band = curve.mean - curve.half, curve.mean + curve.half
            ax.fill_between(curve.x, *band, color=style["color"], alpha=alpha, linewidth=0)
        for run, (x, y) in zip(curve.runs, curve.seeds, strict=True):
            if run.status in _BROKEN and len(x):
                ax.plot(x[-1], y[-1], "x", color=style["color"], markersize=6, markeredgewidth=1.6)
    unusual = [c for c in panel if count_seeds(c.runs) != counts[c.label]]
    notes = [f"{drawable(c.label)}: {count_seeds(c.runs)}" for c in unusual]
    ax.set_title(drawable(title), pad=6 + 12 * len(notes))
    if notes:
        place = {"transform": ax.transAxes, "ha": "center", "va": "bottom"}
        ax.text(0.5, 1.02, "\n".join(notes), fontsize=8, color="0.35", **place)
    _limit_y(ax, panel)
    _thousands(ax)


def _limit_y(ax, panel):
    """Keep the lines readable: the interval of two seeds is 13 deviations wide, and may be cut."""
    values = [c.mean for c in panel] + [
        y[-1:]
        for c in panel
        for run, (_, y) in zip(c.runs, c.seeds, strict=True)
        if run.status in _BROKEN
    ]
    values = np.concatenate(values)
    ends = np.concatenate([sign * c.half + c.mean for c in panel for sign in (-1, 1)])
    values, ends = values[np.isfinite(values)], ends[np.isfinite(ends)]
    if not len(values) or not len(ends) or values.min() == values.max():
        return
    low, high = values.min(), values.max()
    room = (high - low) / 2
    low, high = max(low - room, min(low, ends.min())), min(high + room, max(high, ends.max()))
    ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))


def _thousands(ax):
    low, high = ax.dataLim.intervalx
    if 0 < low <= high < np.inf:
        ax.set_xlim(-0.03 * high, 1.03 * high)
    low, high = ax.get_xlim()
    set_ticker(ax, num=5)
    ticks = np.array([tick for tick in ax.get_xticks() if low <= tick <= high])
    unit = np.where(np.abs(ticks) >= 1e6, 1e6, np.where(np.abs(ticks) >= 1e3, 1e3, 1.0))
    set_ticker(ax, KM_format=True, integer=bool(np.all(ticks % unit == 0)))


def add_legend(figure, curves, shown, counts, num_label, y):
    """Below the panels: what each line is, how many seeds it has, and what band and cross mean.

    Args:
        figure (Figure): matplotlib figure in constrained layout.
        curves (list of Curve): what was drawn.
        shown (list of str): labels, in the order of their colours.
        counts (dict): label to the number of seeds in words.
        num_label (int): number of configurations, of which those in ``shown`` were drawn.
        y (str): column of the vertical axis.
    """
    from matplotlib.lines import Line2D

    mixed = len({curve.log for curve in curves if len(curve.x)}) == 2
    train = {curve.label for curve in curves if curve.log == "train"} if mixed else ()
    texts = [f"{drawable(k)}{'*' * (k in train)} ({counts[k]})" for k in shown]
    handles = [Line2D([], [], linewidth=2.2, **line_style(i)) for i in range(len(shown))]
    several = any(np.isfinite(curve.half).any() for curve in curves)
    notes = ["mean, 95 % Student-t interval over seeds" if several else "single seeds, no interval"]
    if any(run.status in _BROKEN for curve in curves for run in curve.runs):
        notes.append("× a seed that failed or diverged")
    if num_label > len(shown):
        notes.append(f"{len(shown)} of {num_label} configurations: the highest final {drawable(y)}")
    width = max(map(len, texts)) * 0.075 + 0.55  # inches: a character, the line and the gap
    num_col = max(1, min(len(texts), int(figure.get_figwidth() / width)))
    figure.set_figheight(figure.get_figheight() + 0.19 * ((len(texts) - 1) // num_col))
    figure.legend(
        handles,
        texts,
        title="   ".join(notes),
        loc="outside lower center",
        ncols=num_col,
        frameon=False,
        handlelength=2.2,
    )
