"""``lagom plot --aggregate`` and ``lagom plot --sweep``: whole suites, and hyperparameters."""

import csv
import io
import math
import os
from pathlib import Path

from lagom.cli.plot import check_figure, check_path, complain, echo, report, write_files
from lagom.cli.progress import columns
from lagom.vis import aggregate, aggregate_figure, sweep_figure, sweeps
from lagom.vis.curves import make_curves
from lagom.vis.normalize import SCORES, read_scores
from lagom.vis.plot import figure_bytes
from lagom.vis.runs import read_runs, split_key
from lagom.vis.style import count_seeds, plain, shorten

_NUM_BEST = 10  # rows of a table
_DEFAULTS = {"facet": "env.id", "band": "t", "smooth": 1}


def plot_other(aggregate, sweep, paths, output, x, y, group, table, scores, others):
    """The figure that ``--aggregate`` or ``--sweep`` asks for, instead of curves.

    Args:
        aggregate, sweep (bool): which.
        paths, output, x, y, group, table, scores: as in ``plot_aggregate``.
        others (dict): the other options of ``lagom plot``.

    Returns:
        int: exit code, as of ``plot_aggregate``; 2 for an option that is for other figures.
    """
    flag = "--aggregate" if aggregate else "--sweep"
    if aggregate == sweep:
        what = "--aggregate and --sweep are two figures" if sweep else "--scores is for --aggregate"
        return complain(f"error: {what}; expected one of the two flags", 2)
    options = {name: others.pop(name) for name in ("title", "style")}
    others |= {} if aggregate else {"group": group, "scores": scores}
    for name, value in others.items():
        if value not in (None, False, _DEFAULTS.get(name)):
            return complain(f"error: --{name} is not for {flag}; leave it out", 2)
    if aggregate:
        return plot_aggregate(paths, output, x, y, group, table, scores, **options)
    return plot_sweep(paths, output, x, y, table, **options)


def plot_aggregate(
    paths, output=None, x="timestep", y=None, group=None, table=None, scores=None, **options
):
    """Draw scores over several environments; the tables go to stdout, messages to stderr.

    Args:
        paths (list of Path): outputs roots, experiments, configurations or seeds, in any mix.
        output (Path): PNG, PDF or SVG; by default ``aggregate.png`` in the first of ``paths``.
        x, y (str): columns; ``y`` is ``return`` by default.
        group (str): configuration keys between commas that make a configuration.
        table (Path): CSV file for the scores of all seeds.
        scores (Path): CSV file of ``env,low,high``, reference scores beside those of lagom.
        **options: title and style, as in ``plot_curves``.

    Returns:
        int: exit code: 0 drawn, 2 wrong words or too few environments, 4 cannot write, 5 nothing
        readable, 6 storage full.
    """

    def draw(curves):
        references = dict(SCORES) if split_key(y)[1] == "return" else {}
        references |= read_scores(scores) if scores is not None else {}
        found = aggregate.make_aggregate(curves, references, x)
        rows = aggregate.measure(found)
        tables = [_final_rows(found, y), _metric_rows(found, rows)]
        notes = [*aggregate.describe(found), *found.notes]
        figure = aggregate_figure.plot_aggregate(found, rows, **options)
        return figure, tables, notes, _score_rows(found)

    y = y or "return"
    keys = [key.strip() for key in group.split(",") if key.strip()] if group else None
    return _plot(paths, output, "aggregate.png", table, x, y, keys, draw)


def plot_sweep(paths, output=None, x="timestep", y=None, table=None, **options):
    """Draw what each key of a sweep does to the score; the best go to stdout.

    Args:
        paths, output, x, y, **options: as in ``plot_aggregate``; by default to ``sweep.png``.
        table (Path): CSV file for the scores of all seeds of all configurations.

    Returns:
        int: exit code, as of ``plot_aggregate``.
    """

    def draw(curves):
        sweep = sweeps.make_sweep(curves, y)
        figure = sweep_figure.plot_sweep(sweep, **options)
        rows = [[shorten(cell) for cell in row] for row in sweeps.best_rows(sweep, _NUM_BEST)]
        tables = [_key_rows(sweep), rows] if sweep.R2 > 0 else [rows]
        return figure, tables, sweeps.describe(sweep), _trial_rows(sweep)

    y = y or "return"
    return _plot(paths, output, "sweep.png", table, x, y, None, draw)


def _plot(paths, output, name, table, x, y, keys, draw):
    """Read, draw and write; ``draw`` makes figure, tables, notes and rows for a CSV file."""
    paths = [Path(path) for path in paths]
    first = paths[0] if os.path.isdir(paths[0]) else Path()
    output = first / name if output is None else Path(output)
    try:
        for path in paths:
            check_path(path)
        check_figure(output, {})
        runs, messages = read_runs(paths, x, y)
        curves = make_curves(runs, x, y, keys)
        report(messages)
        if not any(len(curve.x) for curve in curves):
            where = ", ".join(map(str, paths))
            what = f"nothing to draw: no run in {where} has logged {x} and {y} yet"
            return complain(f"error: {what}", 5)
        figure, tables, notes, rows = draw(curves)
    except ValueError as error:
        return complain(f"error: {plain(error)}", 2)
    for cells in tables:
        for line in columns(cells):
            echo(line)
        echo("")
    for note in notes:
        echo(plain(note))
    files = {output: figure_bytes(figure, output.suffix.lower())}
    if table is not None:
        files[Path(table)] = _to_csv(rows)
    return write_files(files)


def _to_csv(rows):
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue().encode(errors="replace")


def _final_rows(found, y):
    """What each configuration ends at, and the scale on which that is 0 and 1."""
    final = f"final {split_key(y)[1]}"
    rows = [["environment", "configuration", "seeds", final, "normalized", "0 is", "1 is"]]
    for k, environment in enumerate(found.environments):
        ends = [f"{end:g}" for end in found.references[environment]]
        for method in found.methods:
            names = [shorten(plain(text)) for text in (environment, method.label)]
            means = [f"{method.finals[k].mean():.4g}", f"{method.scores[k].mean():.3f}"]
            rows.append([*names, count_seeds(method.runs[k]), *means, *ends])
    return rows


def _metric_rows(found, measured):
    table = [["configuration", *measured]]
    for i, method in enumerate(found.methods):
        cells = [_interval(*measured[name][i]) for name in measured]
        table.append([shorten(plain(method.label)), *cells])
    return table


def _interval(point, low, high):
    return "-" if math.isnan(point) else f"{point:.3f} [{low:.3f}, {high:.3f}]"


def _score_rows(found):
    yield ["environment", "configuration", "run", "seed", "status", "final", "normalized"]
    for k, environment in enumerate(found.environments):
        for method in found.methods:
            values = zip(method.runs[k], method.finals[k], method.scores[k], strict=True)
            for run, final, score in values:
                yield [environment, method.label, run.path, run.seed, run.status, final, score]


def _key_rows(sweep):
    shares = [f"{100 * max(share, 0):.0f} %" for share in sweep.shares]
    names = [shorten(plain(key.name)) for key in sweep.keys]
    return [["key", "share of the variance"], *map(list, zip(names, shares, strict=True))]


def _trial_rows(sweep):
    yield ["ID", *[key.name for key in sweep.keys], "run", "seed", "status", f"final {sweep.y}"]
    for i, trial in enumerate(sweep.trials):
        values = [key.texts[i] for key in sweep.keys]
        for run, score in zip(trial.runs, trial.scores, strict=True):
            yield [trial.ID, *values, run.path, run.seed, run.status, score]
