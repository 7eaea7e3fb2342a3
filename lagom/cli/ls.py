"""``lagom ls`` and ``lagom status``: what became of the runs below some folders, from their state.

No lock is taken and nothing is written: looking disturbs nobody.
"""

import difflib
import json
import math
import os
import re
import shutil
import statistics
import sys
import time
import unicodedata
from collections import Counter, defaultdict
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path

from lagom.cli.plot import _check_path, _complain, _report, _say
from lagom.cli.progress import duration
from lagom.vis.runs import iteration_seconds, read_state, read_states
from lagom.vis.style import plain, shorten

_STALE_SECONDS = 600.0  # a job on another host that has not reported for so long may be gone
_STALL_SECONDS = 300.0  # a job may be silent for so long, or for ten of its iterations
_MAX_ETA = 1e8  # seconds, three years: more is no estimate
_BROKEN = ("failed", "diverged")
_LOST = ("interrupted", "stale", "unreadable")
_MAX_WRONG = 10  # runs shown of each experiment
_FLEXIBLE = {"run", "algo", "env", "configuration", "state", "where"}  # columns that may be cut
_MIN_WIDTH = 8  # of those


def ls(paths=None, seeds=False, as_json=False, sort=None, filters=(), failed=False):
    """Print a table of the runs at or below ``paths``: a row for each configuration.

    Args:
        paths (list of Path): outputs roots, experiments, configurations or seeds; by default
            ``outputs``.
        seeds (bool): a row for each run instead.
        as_json (bool): print one JSON document instead, a list with everything about each run.
        sort (str): a field such as ``return``, or a key of the configuration; ``-return`` puts
            the highest first.  What lacks it comes last.
        filters (list of str): ``key=value``; only runs for which all of them hold.  ``*`` in a
            value stands for anything.
        failed (bool): only runs that failed or diverged.

    Returns:
        int: exit code: 0 printed, 2 wrong words, 5 nothing readable.
    """
    paths = [Path(path) for path in paths or ["outputs"]]
    try:
        records, messages = read_records(paths)
        conditions = [_condition(records, text) for text in filters]
        if failed:
            conditions.append(lambda record: record["status"] in _BROKEN)
        chosen = [record for record in records if all(holds(record) for holds in conditions)]
        rows = chosen if seeds or as_json else _configurations(chosen)
        if sort:
            rows = _sort(rows, sort)
    except ValueError as error:
        return _complain(f"error: {error}", 2)
    if as_json:
        print(json.dumps([_document(record) for record in rows], indent=1))
    elif rows:
        names = _experiment_names(rows)
        cells = [_row(row, names, seeds) for row in rows]
        for line in _table(cells, header=True):
            _say(line, sys.stdout)
    return _end(records, rows, messages, paths)


def _end(records, rows, messages, paths):
    """The exit code, after the reasons for it."""
    _report(messages)
    known = [record for record in records if record["status"] != "unreadable"]
    if messages and not any(r["config"] or r["status"] != "waiting" for r in known):
        return 5
    if not rows:
        _complain(f"no runs to show in {plain(', '.join(map(str, paths)))}")
    return 0


def read_records(paths):
    """What is known about each run, as plain dictionaries.

    Args:
        paths (list of Path): see ``lagom.vis.find_runs``.

    Returns:
        tuple: list of dict, and a list of messages.  A dictionary holds ``path``, ``experiment``
        (its folder), ``name``, ``ID``, ``seed`` (None: planned, not begun), ``algo``, ``env``,
        ``status``, ``stalled``, ``timestep`` and ``budget`` (environment steps),
        ``steps_per_second``, ``eta`` (seconds left), ``return``, ``started`` and ``updated``
        (seconds since 1970), ``host``, ``pid``, ``error``, ``config`` and ``varying``, the keys
        that differ within the experiment.  What is not known is None.

    Raises:
        ValueError: there is no such path.
    """
    for path in paths:
        _check_path(path)
    runs, tables, messages = read_states(paths)
    varying = {experiment: _varying(configs) for experiment, configs in tables.items()}
    return [_record(run, run.experiment, varying, time.time()) for run in runs], messages


def _varying(configs):
    """Keys whose values differ among the configurations of an algorithm and an environment."""
    cells, keys = defaultdict(list), {}
    for config in configs:
        cells[_names(config)].append(config)
    for same in cells.values():
        first = same[0]
        for key in dict.fromkeys(key for config in same for key in config):
            value = repr(first.get(key, ...))
            if key != "ID" and any(repr(config.get(key, ...)) != value for config in same):
                keys[key] = None
    return [*keys]


def _names(config):
    """Algorithm and environment."""
    algo = config.get("algo.name", config.get("algo", "-"))
    return str(algo), str(config.get("env.id", config.get("env", "-")))


def _record(run, experiment, varying, now):
    status, state = _true_status(run, now)
    algo, env = _names(run.config)
    updated = _number(state.get("updated"))
    record = {
        "path": str(run.path),
        "experiment": experiment,
        "name": run.name,
        "ID": run.ID,
        "seed": run.seed,
        "algo": algo,
        "env": env,
        "status": status,
        "stalled": status == "running" and _is_stalled(run.path, updated, now),
        "timestep": _number(state.get("timestep")),
        "budget": _number(state.get("budget", run.config.get("train.timestep"))),
        "return": _number(state.get("return")),
        "started": _number(state.get("started")),
        "updated": updated,
        "host": _only(str, state.get("host")),
        "pid": _only(int, state.get("pid")),
        "error": _only(str, state.get("error")),
        "config": run.config,
        "varying": [key for key in varying[experiment] if key in run.config],
    }
    return record | _pace(record, _number(state.get("resumed")) or 0)


def _only(kind, value):
    return value if isinstance(value, kind) else None


def _number(value):
    """``value`` if it is an ordinary number, else None."""
    return value if type(value) in (int, float) and abs(value) < 1e100 else None


def _pace(record, resumed):
    """Steps per second since the job began, and the seconds left; None where they make no sense."""
    pace = {"steps_per_second": None, "eta": None}
    timestep, budget, started, updated = (
        record[key] for key in ("timestep", "budget", "started", "updated")
    )
    if record["status"] != "running" or None in (timestep, started, updated):
        return pace
    num_step, seconds = timestep - resumed, updated - started
    if num_step > 0 and seconds > 0:  # the clock may have been set back
        pace["steps_per_second"] = num_step / seconds
        eta = -1 if budget is None else (budget - timestep) * seconds / num_step
        if 0 <= eta < _MAX_ETA and not record["stalled"]:
            pace["eta"] = eta
    return pace


def _true_status(run, now):
    """(status, state) of a run: a job whose process is gone does not run, whatever it wrote."""
    status, state = run.status, run.state
    if _is_gone(status, state):
        # Perhaps it has ended, as it should, since its state was read.
        state = read_state(run.path) or state
        status = state["status"]
        if _is_gone(status, state):
            return "interrupted", state
    updated = _number(state.get("updated")) or 0
    is_far = status == "running" and state.get("host") != os.uname().nodename
    return ("stale" if is_far and now - updated > _STALE_SECONDS else status), state


def _is_gone(status, state):
    """Whether a job of this host says that it runs, and its process does not.

    The lock would tell as well, but trying it could take it from a job that is about to start.
    """
    if status != "running" or state.get("host") != os.uname().nodename:
        return False
    pid = state.get("pid")
    if type(pid) is not int or not 0 < pid < 2**31:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # somebody else's process
    begun = _process_start(pid)
    updated = _number(state.get("updated"))
    # A process that began after the last report has got the number of the job's.
    return begun == math.inf or (updated is not None and begun > updated + 5)


def _process_start(pid):
    """When a process began, in seconds since 1970; ``inf`` for a zombie, ``-inf`` if unknown."""
    if not sys.platform.startswith("linux"):
        return -math.inf
    try:
        # Behind the name, which may hold anything: the state, ..., the 20th field the start.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        ticks = int(fields[19])
    except (OSError, IndexError, ValueError):
        return -math.inf
    if fields[0] in (b"Z", b"X"):
        return math.inf
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def _is_stalled(path, updated, now):
    """Whether a job has been silent for ten of its iterations, and five minutes at least."""
    silent = now - (updated or 0)
    return silent > _STALL_SECONDS and silent > 10 * iteration_seconds(Path(path))


def _configurations(records):
    """A record for each configuration: sums of the steps, the mean of the returns."""
    rows = []
    for _, same in groupby(records, lambda r: (r["experiment"], r["ID"])):
        same = [*same]
        returns = [r["return"] for r in same if r["return"] is not None]
        begun = [r for r in same if r["seed"] is not None]
        row = {
            **same[0],
            "status": _summary(same),
            "seeds": f"{sum(r['status'] == 'done' for r in same)}/{len(begun)}",
            "return": statistics.fmean(returns) if returns else None,
            "sd": statistics.stdev(returns) if len(returns) > 1 else None,
        }
        for key in ("timestep", "budget"):
            known = [r[key] for r in begun if r[key] is not None]
            row[key] = sum(known) if known else None
        for key in ("started", "updated"):
            row[key] = max((r[key] for r in same if r[key] is not None), default=None)
        rows.append(row)
    return rows


def _experiment_names(records):
    """Experiment to what it is called: its name, or its path where others have the same name."""
    names = {record["experiment"]: record["name"] for record in records}
    count = Counter(names.values())
    return {
        path: name if count[name] == 1 else os.path.relpath(path) for path, name in names.items()
    }


def _summary(records):
    """``done``, or what became of those that are not."""
    if all(r["seed"] is None for r in records):
        return "not started"
    states = Counter(_state(r) for r in records)
    del states["done"]
    return ", ".join(f"{num} {state}" for state, num in states.items()) or "done"


def _state(record):
    return "stalled?" if record["stalled"] else record["status"]


def _lookup(records, key, where):
    """The function from a record to its ``key``, which may be short: ``lr`` for ``agent.lr``."""
    if not records:
        return lambda record: None
    fields = {k for record in records for k in record} - {"config", "varying"}
    keys = {k for record in records for k in record["config"]}
    if key in fields:
        return lambda record: record.get(key)
    full = [k for k in sorted(keys) if k == key or k.endswith(f".{key}")]
    if key in keys or len(full) == 1:
        name = key if key in keys else full[0]
        return lambda record: record["config"].get(name)
    known = sorted(fields | keys)
    near = full or difflib.get_close_matches(key, known, 3, 0.5) or known
    near = ", ".join(map(_text, near[:20]))
    raise ValueError(f"{where}: no key {key!r} in these runs; expected for example {near}")


def _condition(records, text):
    """The function that tells whether ``key=value`` holds for a record."""
    key, equals, wanted = text.partition("=")
    if not equals:
        raise ValueError(f"--filter: got {text!r}; expected key=value, such as status=running")
    value = _lookup(records, key, "--filter")
    return lambda record: _matches(value(record), wanted)


def _matches(value, wanted):
    with suppress(ValueError):
        if _number(value) is not None:
            return value == float(wanted)  # 1e-3 is 0.001
    return _text(value) == wanted or fnmatchcase(_text(value), wanted)


def _sort(rows, key):
    """The rows by ``key``, numbers before text; missing ones last in either direction."""
    value = _lookup(rows, key.removeprefix("-"), "--sort")
    known = [row for row in rows if value(row) is not None]

    def order(row):
        number = _number(value(row))
        return (1, 0, _text(value(row))) if number is None else (0, number, "")

    known.sort(key=order, reverse=key.startswith("-"))
    return known + [row for row in rows if value(row) is None]


def _text(value):
    """A value on one short line, as it stands on a command line."""
    if isinstance(value, bool) or value is None:
        value = {True: "true", False: "false", None: "null"}[value]
    elif isinstance(value, float):
        value = f"{value:.6g}"
    return shorten(plain(str(value).replace(", ", ",")))


def _document(record):
    config = {key: record["config"][key] for key in record["varying"]}
    return _plain_json({k: v for k, v in record.items() if k != "varying"} | {"config": config})


def _plain_json(value):
    """``value`` as strict JSON has it: no NaN, keys of text."""
    if isinstance(value, dict):
        return {str(key): _plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_json(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


def _row(record, names, seeds):
    """The cells of a record, by column."""
    where = f"{names[record['experiment']]}/{record['ID']}"
    if seeds and record["seed"] is not None:
        where += f"/{record['seed']}"
    return {
        "run": shorten(plain(where)),
        "algo": _text(record["algo"]),
        "env": _text(record["env"]),
        "configuration": _settings(record),
        **({} if seeds else {"seeds": record["seeds"]}),
        "state": _state(record),
        "steps": _percent(record),
        "return": _return(record),
        "updated": _ago(record["updated"]),
    }


def _settings(record):
    """What is special about a configuration: ``lr=0.001 clip=0.2``."""
    short = Counter(key.rpartition(".")[2] for key in record["varying"])
    parts = []
    for key in record["varying"]:
        last = key.rpartition(".")[2]
        name = _text(last if short[last] == 1 else key)
        parts.append(f"{name}={_text(record['config'][key])}")
    return " ".join(parts)


def _percent(record):
    timestep, budget = record["timestep"], record["budget"]
    if timestep is None or budget is None or budget < 1:
        return "-"
    return f"{math.floor(100 * timestep / budget)}%"  # 100% is all of it


def _return(record):
    if record["return"] is None:
        return "-"
    sd = record.get("sd")
    return f"{record['return']:.4g}" + (f" ± {sd:.3g}" if sd is not None else "")


def _ago(moment):
    """How long ago, in the largest unit."""
    seconds = time.time() - (moment or 0)
    if moment is None or seconds > 1e9:
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def _table(rows, header=False):
    """Rows of cells as lines that fit the terminal; columns of empty cells are left out."""
    keys = [key for key in rows[0] if any(row[key] for row in rows)]
    rows = [{key: key for key in keys}, *rows] if header else rows
    widths = {key: max(_cells(row[key]) for row in rows) for key in keys}
    while sum(widths.values()) + 2 * (len(keys) - 1) > _screen_width():
        widest = max(widths.keys() & _FLEXIBLE, key=widths.get, default=None)
        if widest is None or widths[widest] <= _MIN_WIDTH:
            break
        widths[widest] -= 1
    lines = []
    for row in rows:
        cells = [_cut(row[key], widths[key]) for key in keys]
        padded = [c + " " * (widths[key] - _cells(c)) for key, c in zip(keys, cells, strict=True)]
        lines.append(_clip("  ".join(padded).rstrip()))
    return lines


def _screen_width():
    return shutil.get_terminal_size((200, 24)).columns


def _cells(text):
    """How many places ``text`` takes on a terminal."""
    if max(text, default="") < "\u0300":  # below are neither wide nor combining ones
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def _cut(text, width):
    """``text`` in ``width`` places, without its middle."""
    num = width
    while _cells(text) > width:
        text, num = shorten(text, num), num - 1
    return text


def _clip(text):
    """``text`` as wide as the terminal at most, without its end."""
    width = _screen_width()
    if _cells(text) <= width:
        return text
    text = text[: width - 1]
    while _cells(text) >= width:
        text = text[:-1]
    return f"{text}…"


def status(paths=None, watch=False):
    """Print how far the experiments at or below ``paths`` are, what runs and what failed.

    Args:
        paths (list of Path): as for :func:`ls`; with ``watch``, a number that is no folder is the
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
                _say("\x1b[H\x1b[2J" + "\n".join(lines), sys.stdout)
            if not watch or not any(r["status"] in ("running", "waiting") for r in records):
                break
            time.sleep(pause)
    except ValueError as error:
        return _complain(f"error: {error}", 2)
    except KeyboardInterrupt:
        return 130
    if not watch:
        for line in lines:
            _say(line, sys.stdout)
    return _end(records, records, messages, paths)


def _overview(records):
    """Lines about each experiment: a summary, the jobs that run, and what went wrong."""
    lines = []
    for path, same in groupby(records, lambda record: record["experiment"]):
        same = [*same]
        lines.append(_clip(f"{plain(os.path.relpath(path))}: {_progress(same)}"))
        running = [_running_row(record) for record in same if record["status"] == "running"]
        lines += _table(running) if running else []
        wrong = [record for record in same if record["status"] in (*_BROKEN, *_LOST)]
        for record in wrong[:_MAX_WRONG]:
            where = f"{record['ID']}/{record['seed']} {_settings(record)}".rstrip()
            text = f"  {record['status']} {where} at {_percent(record)}: {_cause(record)}"
            lines += [_clip(text), f"    {plain(Path(record['path'], 'job.log'))}"]
        if len(wrong) > _MAX_WRONG:
            more = f"and {len(wrong) - _MAX_WRONG} more: lagom ls --seeds {os.path.relpath(path)}"
            lines.append(f"  {plain(more)}")
    return lines


def _progress(records):
    """``3 of 10 done (ETA 12 min 0 s), 2 running, 5 waiting``."""
    begun = [record for record in records if record["seed"] is not None]
    planned, eta = len(records) - len(begun), _eta(begun)
    states = Counter(_state(record) for record in begun)
    text = f"{states.pop('done', 0)} of {len(begun)} done"
    if eta is not None:
        text += f" (ETA {'at least ' * (planned > 0)}{duration(eta)})"
    text += "".join(f", {num} {state}" for state, num in states.items())
    if planned:
        text += f", {planned} configuration{'s' * (planned > 1)} not started"
    return text


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
    return eta if eta < _MAX_ETA else None


def _running_row(record):
    pace, eta = record["steps_per_second"], record["eta"]
    return {
        "run": f"  {record['ID']}/{record['seed']}",
        "configuration": _settings(record),
        "steps": _percent(record),
        "pace": "" if pace is None else f"{pace:.4g} steps/s",
        "eta": "" if eta is None else f"ETA {duration(eta)}",
        "return": "" if record["return"] is None else f"return {_return(record)}",
        "where": f"{_text(record['host'])}:{_text(record['pid'])}",
        "state": f"stalled? last seen {_ago(record['updated'])}" if record["stalled"] else "",
    }


def _cause(record):
    if record["error"] is not None:
        return plain(record["error"][:1000])
    job = f"{_text(record['host'])}:{_text(record['pid'])}"
    return {
        "interrupted": f"{job} is gone; the same command continues",
        "stale": f"{job} was last seen {_ago(record['updated'])}",
    }.get(record["status"], "its status.json cannot be read")
