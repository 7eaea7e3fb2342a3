"""``lagom compare``: which configuration is better, and how sure that is."""

import json
import math
import os
import re
from pathlib import Path

from lagom.cli.plot import check_path, complain, echo, report
from lagom.cli.progress import columns
from lagom.experiment.storage import is_storage_full, write_bytes
from lagom.vis.compare import compare_curves, label_curves
from lagom.vis.normalize import read_scores
from lagom.vis.runs import read_runs, split_key
from lagom.vis.style import plain
from lagom.vis.verdicts import (
    aggregate_sentences,
    name,
    number,
    pair_sentence,
    probability,
    spread_of,
)

_FORMATS = ("text", "markdown", "latex", "json")
_SUFFIXES = {".md": "markdown", ".tex": "latex", ".json": "json"}
_TEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"},
    **{"±": r"$\pm$", "…": r"\ldots{}", "[": "{[}", "]": "{]}"},  # "[" after "\\" is an option
}


def compare(
    paths,
    output=None,
    y=None,
    at=None,
    group=None,
    baseline=None,
    format=None,
    scores=None,
):
    """Compare the configurations at or below ``paths``; messages go to stderr.

    Args:
        paths (list of Path): experiments, configurations or outputs roots; each is a configuration
            unless it is the only one.
        output (Path): where to write what is otherwise printed.
        y (str): column; ``return`` by default.
        at (float): environment steps to compare at, instead of the last 10 % of the rows.
        group (str): configuration keys between commas that make a configuration.
        baseline (str): the configuration, or its path, that the others are compared with; the first
            by default.
        format (str): ``text``, ``markdown``, ``latex`` or ``json``; by default as the name of
            ``output`` says, else text.
        scores (Path): CSV file of ``env,low,high``, reference scores beside those of lagom.

    Returns:
        int: exit code: 0 compared, 2 wrong words, 4 cannot write, 5 nothing to compare, 6 storage
        full.
    """
    paths, y = list(dict.fromkeys(Path(path) for path in paths)), y or "return"
    keys = [key.strip() for key in group.split(",") if key.strip()] if group else None
    suffix = "" if output is None else Path(output).suffix.lower()
    format = format or _SUFFIXES.get(suffix, "text")
    try:
        for path in paths:
            check_path(path)
        if format not in _FORMATS:
            raise ValueError(f"--format: got {format!r}; expected one of {', '.join(_FORMATS)}")
        if at is not None and not 0 < at < math.inf:
            raise ValueError(f"--at: got {at!r}; expected a positive number of steps")
        own = read_scores(scores) if scores is not None else {}
        runs_of, messages = _read(paths, y)
        report(messages)
        if not any(runs_of.values()):
            return complain(f"error: no runs in {', '.join(map(str, paths))}", 5)
        curves = label_curves(runs_of, y=y, group=keys)
        baseline = {str(path): _names(paths)[path] for path in paths}.get(baseline, baseline)
        document = compare_curves(curves, y, baseline, at, own)
    except ValueError as error:
        return complain(f"error: {plain(error)}", 2)
    pairs = [(pair, part) for part in document["environments"] for pair in part["comparisons"]]
    if all(pair["method"] is None for pair, _ in pairs):
        where = f"at {at:.10g} steps" if at is not None else "yet"
        what = f"no environment has {y} of two configurations {where}"
        return complain(f"error: nothing to compare: {what}", 5)
    for pair, part in pairs:
        pair["sentence"] = pair_sentence(pair, part, document)
    if document["aggregate"]:
        document["aggregate"]["sentences"] = aggregate_sentences(document["aggregate"])
    text = render(document, format)
    if output is None:
        echo(text)
        return 0
    try:
        write_bytes(output, f"{text}\n".encode(errors="replace"))
    except OSError as error:
        code = 6 if is_storage_full(error) else 4
        what = f"cannot write {output} ({error.strerror}); choose another file with -o"
        return complain(f"error: {what}", code)
    echo(f"wrote {output}")
    return 0


def _read(paths, y):
    """The runs of each path by its name, and messages; no run may be in two of them."""
    runs_of, messages, seen = {}, [], {}
    for path, short in _names(paths).items():
        runs_of[short], told = read_runs([path], y=y, whole=False)
        messages += told
        for run in runs_of[short]:
            first = seen.setdefault(os.path.realpath(run.path), path)
            if first != path:
                raise ValueError(
                    f"PATH: {str(first)!r} and {str(path)!r} both hold {run.path}; "
                    "expected different runs"
                )
    return runs_of, messages


def _names(paths):
    """From path to the end of its name, an ID not alone; to all of it where others end so too."""
    last = ["/".join(path.parts[-1 - path.name.isdigit() :]) or str(path) for path in paths]
    return {
        path: str(path) if last.count(part) > 1 else part
        for path, part in zip(paths, last, strict=True)
    }


def render(document, format):
    """A comparison as text.

    Args:
        document (dict): as ``compare_curves`` gave it, with its sentences.
        format (str): ``text``, ``markdown``, ``latex`` or ``json``, in which NaN becomes null.

    Returns:
        str: without a newline at its end.
    """
    if format == "json":
        return json.dumps(_plain_json(document), indent=1, allow_nan=False)
    parts = [_heading(document), _table(document), _sentences(document)]
    aggregate = document["aggregate"]
    if aggregate:
        table = _aggregate_table(aggregate) if aggregate["configurations"] else []
        parts += [f"Over {len(aggregate['environments'])} environments", table]
        parts.append(aggregate["sentences"])
    parts.append([f"Note: {plain(note)}." for note in document["notes"]])
    draw = {"text": _text, "markdown": _markdown, "latex": _latex}[format]
    return "\n\n".join(draw(part) for part in parts if part)


def _plain_json(value):
    if isinstance(value, dict):
        return {key: _plain_json(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain_json(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _heading(document):
    y, at = name(split_key(document["y"])[1]), document["at"]
    what = (
        f"at {at:.10g} steps" if at is not None else "over the last 10 % of the rows of each seed"
    )
    return f"{y} {what}, compared with {name(document['baseline'])}"


def _table(document):
    several = document["num_test"] > 1
    header = ["environment", "configuration", "seeds", "mean ± SD", "95 % interval", "difference"]
    header += ["95 % interval", "test", "p (Holm)" if several else "p", "P(ahead)", "effect, SD"]
    rows = [[*header, "verdict"]]
    for part in document["environments"]:
        pairs = {pair["label"]: pair for pair in part["comparisons"]}
        spread = spread_of(part["configurations"])
        for cell in part["configurations"]:
            label = name(cell["label"]) + (" (training)" if cell["log"] == "train" else "")
            mean = number(cell["mean"], spread)
            mean += f" ± {number(cell['sd'], spread)}" if math.isfinite(cell["sd"]) else ""
            row = [name(part["environment"]), label, cell["count"], mean, _ends(cell, spread)]
            rows.append([*row, *_pair_cells(pairs.get(cell["label"]), spread)])
    return rows


def _pair_cells(pair, spread):
    if pair is None:
        return ["", "", "baseline", "", "", "", ""]
    return [
        number(pair["difference"], spread),
        _ends(pair, spread),
        pair["method"] or "-",
        probability(pair["p_holm"]),
        _share(pair),
        f"{pair['effect']:.2f}" if math.isfinite(pair["effect"]) else "-",
        pair["verdict"],
    ]


def _ends(row, spread, prefix=""):
    low, high = row[f"{prefix}low"], row[f"{prefix}high"]
    return "-" if math.isnan(low) else f"{number(low, spread)} to {number(high, spread)}"


def _share(row):
    """A probability of improvement, with its interval if it has one."""
    if math.isnan(row["probability"]):
        return "-"
    ends = _ends(row, 0.1, "probability_")
    return f"{row['probability']:.2f}" + (f" ({ends})" if ends != "-" else "")


def _sentences(document):
    return [
        f"{name(part['environment'])}: {pair['sentence']}"
        for part in document["environments"]
        for pair in part["comparisons"]
    ]


def _aggregate_table(aggregate):
    statistic = "IQM" if aggregate["statistic"] == "iqm" else "mean"
    header = ["configuration", statistic, "95 % interval", "optimality gap", "difference"]
    level = aggregate["comparisons"][0]["level"]
    rows = [[*header, f"{100 * level:.3g} % interval", "P(ahead)", "verdict"]]
    pairs = {pair["label"]: pair for pair in aggregate["comparisons"]}
    for cell in aggregate["configurations"]:
        gap = f"{cell['gap']:.2f}"
        gap += f" ({_ends(cell, 0.1, 'gap_')})" if math.isfinite(cell["gap_low"]) else ""
        row = [name(cell["label"]), f"{cell['value']:.2f}", _ends(cell, 0.1), gap]
        pair = pairs.get(cell["label"])
        tail = ["", "", "", "baseline"]
        if pair:
            tail = [f"{pair['difference']:.2f}", _ends(pair, 0.1), _share(pair), pair["verdict"]]
        rows.append(row + tail)
    return rows


def _text(part):
    if isinstance(part, str):
        return part
    return "\n".join(part if isinstance(part[0], str) else columns(part))


def _markdown(part):
    escape = lambda text: re.sub(r"([\\`*_{}\[\]<>#|&~])", r"\\\1", text)
    if isinstance(part, str):
        return f"**{escape(part)}**"
    if isinstance(part[0], str):
        return "\n".join(f"- {escape(line)}" for line in part)
    lines = ["| " + " | ".join(map(escape, row)) + " |" for row in part]
    return "\n".join([lines[0], "|" + " --- |" * len(part[0]), *lines[1:]])


def _latex(part):
    if isinstance(part, str):
        return rf"\textbf{{{_tex(part)}}}"
    if isinstance(part[0], str):
        return "\n\n".join(map(_tex, part))
    lines = [" & ".join(map(_tex, row)) + r" \\" for row in part]
    form = "l" * len(part[0])
    top = [rf"\begin{{tabular}}{{{form}}}", r"\hline", lines[0], r"\hline"]
    return "\n".join([*top, *lines[1:], r"\hline", r"\end{tabular}"])


def _tex(text):
    text = "".join(_TEX.get(c, c) for c in text)
    return re.sub(r"(?<![\w.])-(?=\d)", "$-$", text)  # a minus, not a hyphen
