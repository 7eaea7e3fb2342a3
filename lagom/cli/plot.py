"""``lagom plot``: the figure, the table and the data of all runs below some folders."""

import difflib
import math
import os
import re
import sys
import time
from collections import Counter
from pathlib import Path

from lagom.cli.progress import columns
from lagom.experiment.storage import is_storage_full, write_bytes
from lagom.vis.curves import end_row, make_curves
from lagom.vis.load import tidy
from lagom.vis.plot import figure_bytes, plot_curves
from lagom.vis.references import read_references
from lagom.vis.runs import read_runs, split_key
from lagom.vis.style import plain, shorten

_SUFFIXES = (".png", ".pdf", ".svg")
_MAX_MESSAGE = 10
_INCHES = (1.0, 60.0)  # width and height of a figure; 9,000 pixels at most
_PAUSE = 10.0  # seconds between two looks


def plot(
    paths,
    output=None,
    x="timestep",
    y=None,
    group=None,
    csv=None,
    *,
    facet="env.id",
    band="t",
    smooth=1,
    reference=None,
    ylim=None,
    live=False,
    **options,
):
    """Draw the runs at or below ``paths``; the table goes to stdout, messages to stderr.

    Args:
        paths (list of Path): outputs roots, experiments, configurations or seeds, in any mix; with
            ``live``, a number that is no folder is the seconds between two looks, by default 10.
        output (Path): PNG, PDF or SVG; by default ``curve.png`` in the first of ``paths``.
        x, y (str): columns; ``y`` is ``return`` by default.
        group (str): configuration keys between commas that make a curve.
        csv (Path): file for the rows that were drawn, as one long table.
        facet, band, smooth: as in ``make_curves``.  The table is not smoothed.
        reference (Path): CSV file of lines to compare with, see ``read_references``.
        ylim (str): ``LOW,HIGH``, one of which may be empty.
        live (bool): draw again until no run runs or waits.
        **options: as in ``plot_curves``.

    Returns:
        int: exit code: 0 drawn, 2 wrong words, 4 cannot write, 5 nothing readable, 6 storage full,
        130 looking was ended.
    """
    paths, pause = [Path(path) for path in paths], _PAUSE
    seconds = [p for p in paths if re.fullmatch(r"\d+(\.\d+)?", str(p)) and not p.exists()]
    if live and seconds:
        paths, pause = [p for p in paths if p not in seconds], float(str(seconds[-1]))
    paths, y = paths or [Path()], y or "return"
    first = paths[0] if os.path.isdir(paths[0]) else Path()
    output = first / "curve.png" if output is None else Path(output)
    keys = [key.strip() for key in group.split(",") if key.strip()] if group else None
    made = {"band": band, "smooth": smooth}

    def read(whole=False):
        runs, messages = read_runs(paths, x, y, whole)
        return runs, make_curves(runs, x, y, keys, facet, **made), messages

    def draw(curves):
        figure = plot_curves(curves, x, y, **made, references=references, **options)
        return {output: figure_bytes(figure, output.suffix.lower())}

    try:
        for path in paths:
            check_path(path)
        check_figure(output, options)
        options["ylim"] = _parse_ylim(ylim)
        references = _read_references(reference)
        code = _watch(paths, pause, lambda: read()[1], draw) if live else 0
        if code:
            return code
        runs, curves, messages = read(whole=csv is not None)
        report([*messages, *_unused(references, runs)])
        if not _is_any(curves):
            what = f"no run in {', '.join(map(str, paths))} has logged {x} and {y} yet"
            return complain(f"error: nothing to draw: {what}", 5)
        files = draw(curves)
    except ValueError as error:
        return complain(f"error: {error}", 2)
    if csv is not None:
        files[Path(csv)] = tidy(runs, x, y).to_csv(index=False).encode(errors="replace")
    if smooth > 1:  # what is smooth is the picture
        curves = make_curves(runs, x, y, keys, facet)
    _print_table([end_row(curve) for curve in curves], x, split_key(y)[1], facet)
    return write_files(files)


def check_figure(output, options):
    """Raise ValueError if ``output`` is no name of a figure, or its size out of range."""
    if output.suffix.lower() not in _SUFFIXES:
        expected = "expected a name in " + ", ".join(_SUFFIXES)
        raise ValueError(f"-o: {str(output)!r} is no figure; {expected}")
    for name in ("width", "height"):
        inches = options.get(name)
        if inches is not None and not _INCHES[0] <= inches <= _INCHES[1]:
            low, high = _INCHES
            raise ValueError(f"--{name}: got {inches:g}; expected {low:g} to {high:g} inches")


def _parse_ylim(text):
    """``LOW,HIGH`` as two numbers, None for an empty one."""
    if text is None:
        return None, None
    try:
        low, high = (float(part) if part.strip() else None for part in text.split(","))
        limits = [value for value in (low, high) if value is not None]
        if all(abs(value) < 1e100 for value in limits) and limits == sorted(set(limits)):
            return low, high
    except ValueError:
        pass
    raise ValueError(f"--ylim: got {text!r}; expected LOW,HIGH such as 0,500 or 0,")


def _read_references(path):
    try:
        return [] if path is None else read_references(path)
    except OSError as error:
        raise ValueError(f"--reference: {path}: {error.strerror}; expected a CSV file") from None
    except ValueError as error:
        raise ValueError(f"--reference: {error}") from None


def _unused(references, runs):
    """Messages about references that no panel shows."""
    environments = {"", *(run.environment for run in runs)}
    return [
        f"reference {line.label!r} is for {line.environment!r}, which no run has"
        for line in references
        if line.environment not in environments
    ]


def _is_any(curves):
    return any(len(curve.x) for curve in curves)


def _watch(paths, pause, read, draw):
    """Draw, a line each time, until no run runs or waits; return the exit code."""
    from lagom.cli.status import read_records  # which imports this file

    try:
        while True:
            status = Counter(record["status"] for record in read_records(paths)[0])
            if status and not status["running"] and not status["waiting"]:
                return 0
            began, curves = time.monotonic(), read()
            states = ", ".join(f"{num} {word}" for word, num in status.items()) or "no runs"
            echo(f"{time.strftime('%H:%M:%S')}  {states}", end="  ")
            if _is_any(curves):
                code = write_files(draw(curves))
                if code:
                    return code
            else:
                echo("nothing to draw yet")
            # Looking takes no more than half of a core, however many runs there are.
            time.sleep(max(pause, time.monotonic() - began))
    except KeyboardInterrupt:
        return 130


def write_files(files):
    """Write the files, path to bytes; return the exit code."""
    for path, data in files.items():
        try:
            write_bytes(path, data)
        except OSError as error:
            code = 6 if is_storage_full(error) else 4
            remedy = "choose another file with -o or --csv"
            return complain(f"error: cannot write {path} ({error.strerror}); {remedy}", code)
        echo(f"wrote {path}")
    return 0


def check_path(path):
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


def _print_table(ends, x, y, facet):
    panel, last = "environment" if facet == "env.id" else facet, "steps" if x == "timestep" else x
    header = (panel, "configuration", "seeds", f"final {y}", f"best mean {y}", last)
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
    for line in columns([header, *rows]):
        echo(line)


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


def report(messages):
    """Say what could not be read."""
    if messages:
        complain(f"{len(messages)} problems in what was read:")
    for message in messages[:_MAX_MESSAGE]:
        complain(f"  {shorten(plain(message), 200)}")
    if len(messages) > _MAX_MESSAGE:
        complain(f"  and {len(messages) - _MAX_MESSAGE} more")


def complain(text, code=0):
    """Print ``text`` to stderr; return the exit code."""
    echo(text, sys.stderr)
    return code


def echo(text, file=None, end="\n"):
    """Print to stdout or ``file``, terminals of any encoding."""
    file = file or sys.stdout
    encoding = file.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), file=file, end=end, flush=True)
