"""How curves are named and drawn: labels that say what differs, colours that all can tell apart."""

from collections import Counter, defaultdict
from dataclasses import dataclass

# Okabe & Ito, 2008, Color Universal Design, without the yellow, which white paper swallows
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Their light ones, and the dark ones brightened: 5 : 1 against the background at least
_BRIGHT = ("#56B4E9", "#FF7F3A", "#2BC79A", "#E79AC6", "#F0E442", "#6F9BFF", "#F2F2F2")
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
    "lines.linewidth": 1.8,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}
_TALK = RC | {
    "font.size": 15,
    "axes.titlesize": 16,
    "axes.labelsize": 15,
    "axes.linewidth": 1.2,
    "grid.linewidth": 1.0,
    "legend.fontsize": 14,
    "legend.title_fontsize": 12,
    "lines.linewidth": 3.0,
    "xtick.labelsize": 13,
    "ytick.labelsize": 13,
}
_LIGHT = dict.fromkeys(
    ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), "#E8E8E8"
)
_BACKGROUND = dict.fromkeys(("figure.facecolor", "axes.facecolor"), "#15171C")
_DARK = _TALK | _LIGHT | _BACKGROUND | {"grid.color": "#353A45"}


@dataclass(frozen=True)
class Look:
    """How a figure looks.

    Args:
        rc (dict): matplotlib's settings.
        colors (tuple): of the configurations.
        muted (str): colour of what stands beside them: notes and references.
        scale (float): size of a panel, as a multiple of that on paper.
    """

    rc: dict
    colors: tuple
    muted: str
    scale: float


LOOKS = {
    "paper": Look(RC, _COLORS, "#595959", 1.0),
    "talk": Look(_TALK, _COLORS, "#595959", 1.35),
    "dark": Look(_DARK, _BRIGHT, "#B4B8C0", 1.35),
}

# What does not change the result of a run, or is told elsewhere in the figure
_ASIDE = ("ID", "name", "seed", "seeds", "fresh", "device", "threads", "env.id", "algo.name")
_ASIDE_GROUPS = ("hydra.", "checkpoint.", "log.")
BROKEN = ("failed", "diverged", "unreadable")  # what a run ended as that counts with its last value


def line_style(i, colors=_COLORS):
    """Colour and dashes of the ``i``-th configuration; 28 of them differ."""
    dashes = _LINESTYLES[i // len(colors) % len(_LINESTYLES)]
    return {"color": colors[i % len(colors)], "linestyle": dashes}


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


def label_runs(runs, group=None, facet="env.id"):
    """What tells the configuration of each run from the others in its panel.

    The algorithm comes first if there are several, then the keys whose values differ among its
    configurations, as ``ppo lr=0.001``.  Where that is not enough, the environment, the experiment,
    the ID or the folder follows.

    Args:
        runs (list of Run): the runs of one figure.
        group (list of str): keys to use instead; runs that agree in them get one label, unless
            their environments differ.
        facet (str): the key whose values make the panels.

    Returns:
        list of str: one label per run, of any length.
    """
    if group:
        labels = [_join(run, group) or plain(run.algo) for run in runs]
    else:
        labels = _label_configurations(runs, facet)
    extras = [lambda run: run.environment]
    if not group:
        extras += [lambda run: run.name, lambda run: f"ID={run.ID}", lambda run: run.path.parent]
    panels = [panel_of(run, facet) for run in runs]
    for extra in extras:
        variants = defaultdict(set)
        for run, panel, label in zip(runs, panels, labels, strict=True):
            variants[panel, label].add(extra(run))
        labels = [
            f"{label} {plain(extra(run))}".strip() if len(variants[panel, label]) > 1 else label
            for run, panel, label in zip(runs, panels, labels, strict=True)
        ]
    return [label or plain(run.algo) for run, label in zip(runs, labels, strict=True)]


def _label_configurations(runs, facet):
    cells, keys = defaultdict(list), defaultdict(dict)
    for run in runs:
        cells[panel_of(run, facet), run.environment, run.algo].append(run)
    for (_, _, algo), members in cells.items():
        found = differing([run.config for run in members])
        keys[algo] |= dict.fromkeys(key for key in found if key != facet)
    labels = [_join(run, keys[run.algo]) for run in runs]
    if facet == "algo.name":
        return labels
    return [
        f"{plain(run.algo)} {label}".strip() if len(keys) > 1 or not label else label
        for run, label in zip(runs, labels, strict=True)
    ]


def panel_of(run, facet="env.id"):
    """What stands above the panel of a run: its environment, or ``lr=0.001`` for ``agent.lr``."""
    return run.environment if facet == "env.id" else _join(run, [facet]) or f"no {plain(facet)}"


def differing(configs):
    """The keys that make the results of flat configurations differ, in their order."""
    keys = dict.fromkeys(key for config in configs for key in config)
    keys = [key for key in keys if key not in _ASIDE and not key.startswith(_ASIDE_GROUPS)]
    return differing_keys(configs, keys)


def differing_keys(configs, keys):
    """Those of ``keys`` whose values are not the same in all flat configurations."""
    configs = [*{id(config): config for config in configs}.values()]  # seeds share one
    texts = [{key: text_of(config[key]) for key in keys if key in config} for config in configs]
    return [key for key in keys if len({text.get(key) for text in texts}) > 1]


def lookup(run, key):
    """The value of ``key`` for a run, None if its configuration lacks it."""
    return getattr(run, key) if key in ("name", "ID", "seed") else run.config.get(key)


def _join(run, keys):
    parts = []
    for key in keys:
        value = lookup(run, key)
        short = key.removeprefix("agent.")
        name = key if short in keys and short != key else short
        if value is not None:
            bare = key in ("algo.name", "env.id")
            parts.append(plain(value if bare else f"{name}={text_of(value)}"))
    return " ".join(parts)


def text_of(value):
    """A value of a configuration as it stands in a label."""
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
