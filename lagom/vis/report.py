"""A report: what the runs below some folders came to, as one HTML page that needs nothing else.

Names, keys, values and messages may come from strangers.  They enter the page as JSON in a block
that is no script, and reach the screen as text nodes; a policy in the page lets no script run but
its own, and lets nothing be fetched.
"""

import base64
import hashlib
import json
import math
from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import combinations, count
from pathlib import Path
from string import Template

import numpy as np

from lagom.vis.arms import seed_values
from lagom.vis.contrast import holm, welch
from lagom.vis.curves import end_row
from lagom.vis.report_curves import axes, curves_of, drawing, seconds_of
from lagom.vis.report_files import (
    as_text,
    failures,
    provenance,
    read_report_runs,
    side_by_side,
    videos,
)
from lagom.vis.style import count_seeds, plain, shorten

_ASSETS = Path(__file__).with_suffix("")  # the folder beside this file
_MAX_COMPARED = 6  # configurations of an environment: 15 pairs


def make_report(paths):
    """The report on all runs at or below ``paths``, in whatever state they are.

    Args:
        paths (list of Path): outputs roots, experiments, configurations or seeds, in any mix.

    Returns:
        tuple: the page (bytes), the same for the same files, None without runs; what it is about in
        a sentence; and messages about what could not be read, which the page lists too.
    """
    runs, messages = read_report_runs(paths)
    if not runs:
        return None, "", messages
    data = report_data(runs, messages)
    return render(data), data["summary"], data["messages"]


def render(data):
    """The page that shows ``data``.

    Args:
        data (dict): as ``report_data`` gave it.

    Returns:
        bytes: HTML, UTF-8.
    """
    parts = {kind: (_ASSETS / f"report.{kind}").read_text("utf-8") for kind in ("css", "js")}
    style, script = (_hash(parts[kind]) for kind in ("css", "js"))
    policy = (
        f"default-src 'none'; script-src {script}; style-src {style}; img-src data:; "
        "media-src data:; base-uri 'none'; form-action 'none'"
    )
    # Inside the block only "<" could end it; the rest of ASCII stands for itself.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    template = Template((_ASSETS / "template.html").read_text("utf-8"))
    page = template.substitute(policy=policy, style=parts["css"], data=text, script=parts["js"])
    return page.encode()


def _hash(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def report_data(runs, messages=()):
    """What the page shows, as plain JSON.

    Args:
        runs (list of Run): with ``"eval"`` and ``"train"`` in ``logs``, column to ``[T]``.
        messages (list of str): what could not be read; what is found missing here is added.

    Returns:
        dict: lists, dictionaries, texts, finite numbers and None.
    """
    messages = list(messages)
    experiments = _unique_names({run.experiment for run in runs})
    names = {run.path: f"{experiments[run.experiment]}/{run.ID}/{run.seed}" for run in runs}
    _, ys = axes(runs)
    y = ys[0][1] if ys else "return"
    curves = curves_of(runs, "timestep", y)
    return {
        "title": _title([*experiments.values()]),
        "summary": _summary(runs),
        "experiments": _experiments(runs, experiments),
        "y": shorten(plain(y), 60),
        **drawing(runs, curves),
        "table": [_result(curve) for curve in curves],
        "differences": _differences(curves),
        "configs": _configs(runs, experiments),
        "failures": failures(curves, names, messages),
        "videos": videos(runs, names, messages),
        "provenance": provenance(runs, names, messages),
        "messages": [shorten(plain(message), 300) for message in dict.fromkeys(messages)],
    }


def _unique_names(paths):
    """Path to the shortest end of it that tells all apart."""
    paths = sorted(paths)
    for num in count(1):
        names = {path: plain("/".join(Path(path).parts[-num:])) for path in paths}
        if len(set(names.values())) == len(paths) or num > max(map(len, paths)):
            return names


def _title(names):
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"lagom: {', '.join(shorten(name) for name in names[:3])}{more}"


def _summary(runs):
    """``2 configurations, 8 runs: 7 done, 1 diverged; 2026-11-21 12:05 to 12:30 UTC``."""
    states = Counter(run.status for run in runs)
    states = ", ".join(f"{num} {word}" for word, num in states.most_common())
    num_config = len({run.path.parent for run in runs})
    text = f"{_plural(num_config, 'configuration')}, {_plural(len(runs), 'run')}: {states}"
    times = [run.state.get(key) for run in runs for key in ("started", "updated")]
    times = [time for time in times if type(time) in (int, float) and 0 < time < 4e9]
    if not times:
        return text
    first, last = (datetime.fromtimestamp(time, UTC) for time in (min(times), max(times)))
    return f"{text}; {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"


def _plural(num, word):
    return f"{num} {word}{'s' * (num != 1)}"


def _experiments(runs, names):
    rows = []
    for experiment, name in names.items():
        own = [run for run in runs if run.experiment == experiment]
        algos = dict.fromkeys(plain(run.algo) for run in own)
        environments = dict.fromkeys(plain(run.environment) for run in own)
        rows.append(
            {
                "name": shorten(name, 100),
                "algos": shorten(", ".join(algos), 200),
                "environments": shorten(", ".join(environments), 200),
                "configurations": len({run.ID for run in own}),
                "count": count_seeds(own),
            }
        )
    return rows


def _result(curve):
    """The row of a configuration."""
    seconds = [value for run in curve.runs if (value := seconds_of(run)) is not None]
    row = end_row(curve)
    mark = " (training)" if row["log"] == "train" else ""
    row |= {
        "label": shorten(curve.label, 100) + mark,
        "environment": shorten(plain(curve.environment), 100),
        "seconds": float(np.mean(seconds)) if seconds else None,
    }
    return {key: None if value != value else value for key, value in row.items()}  # NaN


def _differences(curves):
    """Pairs of configurations of an environment, each against each; and where they are too many."""
    environments, pairs, skipped = defaultdict(list), [], []
    for curve in curves:
        final = seed_values(curve)
        final = final[np.isfinite(final)]
        if len(final) > 1:
            environments[curve.environment].append((curve.label, final))
    for environment, arms in environments.items():
        name = shorten(plain(environment), 100)
        if len(arms) > _MAX_COMPARED:
            skipped.append(name)
            continue
        for (a, x), (b, y) in combinations(arms, 2):
            estimate = welch(x, y)
            pairs.append(
                {
                    "environment": name,
                    "a": shorten(a, 100),
                    "b": shorten(b, 100),
                    "difference": estimate.value,
                    "low": estimate.low,
                    "high": estimate.high,
                    "p": None if math.isnan(estimate.p) else estimate.p,
                    "n": len(x),
                    "m": len(y),
                }
            )
    corrected = holm([math.nan if pair["p"] is None else pair["p"] for pair in pairs])
    for pair, p in zip(pairs, corrected.tolist(), strict=True):
        pair["p_holm"] = None if math.isnan(p) else p
    return {"pairs": pairs, "skipped": skipped, "most": _MAX_COMPARED}


def _configs(runs, experiments):
    """Configurations side by side."""
    configs = {run.path.parent: run for run in runs}.values()
    texts = [{k: as_text(v) for k, v in run.config.items() if k != "ID"} for run in configs]
    names = [f"ID {run.ID}" for run in configs]
    if len(experiments) > 1:
        names = [shorten(f"{experiments[run.experiment]}/{run.ID}", 100) for run in configs]
    return {"names": names, "keys": side_by_side(texts)}
