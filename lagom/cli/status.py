"""``lagom status``: how far experiments are, what runs, and what went wrong."""

import os
import re
import shutil
import sys
import time
from collections import Counter
from itertools import groupby
from pathlib import Path

from lagom.cli.plot import complain, echo, report
from lagom.cli.progress import clip, columns, duration
from lagom.cli.records import (
    BROKEN,
    MAX_ETA,
    ago,
    cell,
    percent,
    read_records,
    screen_width,
    settings,
    state_of,
)
from lagom.vis.style import plain

_WRONG = (*BROKEN, "interrupted", "stale", "unreadable")
_MAX_WRONG = 10  # runs shown of each experiment
_FLEXIBLE = (0, 1, 6)  # run, configuration, job: columns of running jobs that may be cut


def status(paths=None, watch=False):
    """Print how far the experiments at or below ``paths`` are, what runs and what failed.

    Args:
        paths (list of Path): as for ``ls``; with ``watch``, a number that is no folder is the
            seconds between two looks, by default 2.
        watch (bool): on a terminal, look again until no job runs or waits.

    Returns:
        int: exit code: 0 printed, 2 wrong words, 5 nothing readable, 130 watching was ended.
    """
    paths, pause = [Path(path) for path in paths or ()], 2.0
    numbers = [p for p in paths if re.fullmatch(r"\d+(\.\d+)?", str(p)) and not p.exists()]
    if watch and numbers:
        paths, pause = [path for path in paths if path not in numbers], float(str(numbers[-1]))
    paths = paths or [Path("outputs")]
    watch = watch and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    try:
        while True:
            records, messages = read_records(paths)
            lines = _overview(records)
            if watch:
                height = shutil.get_terminal_size((200, 24)).lines - 1
                if len(lines) > height:
                    lines = [*lines[: height - 1], f"... and {len(lines) - height + 1} lines more"]
                echo("\x1b[H\x1b[2J" + "\n".join(lines))
            if not watch or not any(r["status"] in ("running", "waiting") for r in records):
                break
            time.sleep(pause)
    except ValueError as error:
        return complain(f"error: {error}", 2)
    except KeyboardInterrupt:
        return 130
    if not watch:
        for line in lines:
            echo(line)
    return finish(paths, records, records, messages)


def _overview(records):
    """Lines about each experiment: a summary, the jobs that run, and what went wrong."""
    lines, width = [], screen_width()
    for folder, group in groupby(records, lambda record: record["experiment"]):
        same, folder = [*group], plain(os.path.relpath(folder))
        lines.append(clip(f"{folder}: {_progress(same)}", width))
        running = [_running_row(record) for record in same if record["status"] == "running"]
        lines += columns(running, width, _FLEXIBLE) if running else []
        wrong = [record for record in same if record["status"] in _WRONG]
        for record in wrong[:_MAX_WRONG]:
            where = f"{record['ID']}/{record['seed']} {settings(record)}".rstrip()
            text = f"  {record['status']} {where} at {percent(record)}: {_cause(record)}"
            lines += [clip(text, width), f"    {plain(Path(record['path'], 'job.log'))}"]
        if len(wrong) > _MAX_WRONG:
            lines.append(f"  and {len(wrong) - _MAX_WRONG} more: lagom ls --seeds {folder}")
    return lines


def _progress(records):
    """``3 of 10 done (ETA 12 min 0 s), 2 running, 5 waiting``."""
    states, eta = Counter(map(state_of, records)), _eta(records)
    text = f"{states.pop('done', 0)} of {len(records)} done"
    if eta is not None:
        text += f" (ETA {duration(eta)})"
    return text + "".join(f", {num} {state}" for state, num in states.items())


def _eta(records):
    """Seconds until all that runs or waits is done at the present pace; None if nobody knows."""
    running = [record for record in records if record["status"] == "running"]
    waiting = [record for record in records if record["status"] == "waiting"]
    etas = [record["eta"] for record in running]
    if not etas or None in etas or any(record["budget"] is None for record in waiting):
        return None
    pace = sum(record["steps_per_second"] for record in running)
    left = sum(record["budget"] - record["timestep"] for record in running)
    left += sum(record["budget"] for record in waiting)
    eta = max(*etas, left / pace)
    return eta if eta < MAX_ETA else None


def _running_row(record):
    pace, eta, value = record["steps_per_second"], record["eta"], record["return"]
    return [
        f"  {record['ID']}/{record['seed']}",
        settings(record),
        percent(record),
        "" if pace is None else f"{pace:.4g} steps/s",
        "" if eta is None else f"ETA {duration(eta)}",
        "" if value is None else f"return {value:.4g}",
        _job(record),
        f"stalled? last seen {ago(record['updated'])}" if record["stalled"] else "",
    ]


def _job(record):
    return f"{cell(record['host'])}:{cell(record['pid'])}"


def _cause(record):
    if record["error"] is not None:
        return plain(record["error"][:1000])
    return {
        "interrupted": f"{_job(record)} is gone; the same command continues",
        "stale": f"{_job(record)} was last seen {ago(record['updated'])}",
    }.get(record["status"], "its status.json cannot be read")


def finish(paths, records, shown, messages):
    """Say what is missing in what was printed; return the exit code of ``ls`` and ``status``."""
    report(messages)
    known = [record for record in records if record["status"] != "unreadable"]
    if messages and not any(r["config"] or r["status"] != "waiting" for r in known):
        return 5
    if not shown:
        complain(f"no runs to show in {plain(', '.join(map(str, paths)))}")
    return 0
