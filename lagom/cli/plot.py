"""``lagom plot``: the figure, the table and the data of all runs below some folders."""

import difflib
import math
import os
import sys
from pathlib import Path

from lagom.experiment.storage import is_storage_full, write_bytes
from lagom.vis.curves import end_row, make_curves
from lagom.vis.plot import figure_bytes, plot_curves
from lagom.vis.runs import read_runs, split_key, tidy
from lagom.vis.style import plain, shorten

_SUFFIXES = (".png", ".pdf", ".svg")
_MAX_MESSAGE = 10


def plot(paths, output=None, x="timestep", y=None, group=None, csv=None):
    """Draw the runs at or below ``paths``; the table goes to stdout, messages to stderr.

    Args:
        paths (list of Path): outputs roots, experiments, configurations or seeds, in any mix.
        output (Path): PNG, PDF or SVG; by default ``curve.png`` in the first of ``paths``.
        x, y (str): columns; ``y`` is ``return`` by default.
        group (str): configuration keys between commas that make a curve.
        csv (Path): file for the rows that were drawn, as one long table.

    Returns:
        int: exit code: 0 drawn, 2 wrong words, 4 cannot write, 5 nothing readable, 6 storage full.
    """
    paths, y = [Path(path) for path in paths], y or "return"
    first = paths[0] if os.path.isdir(paths[0]) else Path()
    output = first / "curve.png" if output is None else Path(output)
    keys = [key.strip() for key in group.split(",") if key.strip()] if group else None
    try:
        for path in paths:
            _check_path(path)
        if output.suffix.lower() not in _SUFFIXES:
            expected = "expected a name in " + ", ".join(_SUFFIXES)
            raise ValueError(f"-o: {str(output)!r} is no figure; {expected}")
        runs, messages = read_runs(paths, x, y)
        curves = make_curves(runs, x, y, keys)
    except ValueError as error:
        return _complain(f"error: {error}", 2)
    _report(messages)
    if not any(len(curve.x) for curve in curves):
        where = ", ".join(map(str, paths))
        return _complain(f"error: nothing to draw: no run in {where} has logged {x} and {y} yet", 5)
    files = {output: figure_bytes(plot_curves(curves, x, y), output.suffix.lower())}
    if csv is not None:
        files[Path(csv)] = tidy(runs, x, y).to_csv(index=False).encode(errors="replace")
    _print_table([end_row(curve) for curve in curves], split_key(y)[1])
    for path, data in files.items():
        try:
            write_bytes(path, data)
        except OSError as error:
            code = 6 if is_storage_full(error) else 4
            remedy = "choose another file with -o or --csv"
            return _complain(f"error: cannot write {path} ({error.strerror}); {remedy}", code)
        _say(f"wrote {path}", sys.stdout)
    return 0


def _check_path(path):
    """Raise ValueError with the nearest right name if there is no such path."""
    missing = next((p for p in (*reversed(path.parents), path) if not os.path.exists(p)), None)
    if missing is None:
        return
    try:
        names = sorted(os.listdir(missing.parent))
    except OSError:
        names = []
    near = difflib.get_close_matches(missing.name, names, 1)
    remedy = "expected a folder that lagom train wrote to, such as outputs/"
    if near:
        remedy = f"did you mean {str(missing.parent / near[0])!r}?"
    raise ValueError(f"PATH: no such folder {str(path)!r}; {remedy}")


def _print_table(ends, y):
    header = ("environment", "configuration", "seeds", f"final {y}", f"best mean {y}", "steps")
    rows = [_cells(end) for end in ends]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in header:
            table.add_column(Text(name))
        for row in rows:
            table.add_row(*map(Text, row))
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        _say("  ".join(cells).rstrip(), sys.stdout)


def _cells(end):
    final = _number(end["final"])
    final += f" ± {_number(end['half'])}" if math.isfinite(end["half"]) else ""
    best = "-" if math.isnan(end["best"]) else f"{_number(end['best'])} at {end['best_at']:.0f}"
    label = shorten(plain(end["label"])) + (" (training)" if end["log"] == "train" else "")
    steps = "-" if math.isnan(end["steps"]) else f"{end['steps']:.0f}"
    return shorten(plain(end["environment"])), label, end["count"], final, best, steps


def _number(value):
    if math.isnan(value):
        return "-"
    return f"{value:.1f}" if 100 <= abs(value) < 1e7 else f"{value:.3g}"


def _report(messages):
    if messages:
        _complain(f"{len(messages)} problems in what was read:")
    for message in messages[:_MAX_MESSAGE]:
        _complain(f"  {shorten(plain(message), 200)}")
    if len(messages) > _MAX_MESSAGE:
        _complain(f"  and {len(messages) - _MAX_MESSAGE} more")


def _complain(text, code=0):
    _say(text, sys.stderr)
    return code


def _say(text, file):
    """Print to terminals of any encoding."""
    encoding = file.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), file=file)
