"""What became of each run, from its state, and how that is written in a cell.

No lock is taken and nothing is written: looking disturbs nobody.
"""

import math
import os
import shutil
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

from lagom.cli.plot import check_path
from lagom.vis.runs import iteration_seconds, read_state, read_states
from lagom.vis.style import plain, shorten

BROKEN = ("failed", "diverged")
MAX_ETA = 1e8  # seconds, three years: more is no estimate
_STALE_SECONDS = 600.0  # a job on another host that has not reported for so long may be gone
_STALL_SECONDS = 300.0  # a job may be silent for so long, or for ten of its iterations


def read_records(paths):
    """What is known about each run, as plain dictionaries.

    Args:
        paths (list of Path): see ``lagom.vis.find_runs``.

    Returns:
        tuple: list of dict, and a list of messages.  A dictionary holds ``path``, ``experiment``
        (its folder), ``name``, ``ID``, ``seed``, ``algo``, ``env``, ``status``, ``stalled``,
        ``timestep`` and ``budget`` (environment steps), ``return``, ``started`` and ``updated``
        (seconds since 1970), ``host``, ``pid``, ``error``, ``config``, ``varying``, the keys that
        differ within the experiment, ``steps_per_second`` and ``eta`` (seconds left).  What is
        not known is None.

    Raises:
        ValueError: there is no such path.
    """
    for path in paths:
        check_path(path)
    runs, tables, messages = read_states(paths)
    varying = {experiment: _varying(configs) for experiment, configs in tables.items()}
    now = time.time()
    return [_record(run, varying[run.experiment], now) for run in runs], messages


def _varying(configs):
    """Keys whose values differ among the configurations of an algorithm and an environment."""
    kinds, keys = defaultdict(list), {}
    for config in configs:
        kinds[_names(config)].append(config)
    for first, *others in kinds.values():
        for key in dict.fromkeys(key for config in (first, *others) for key in config):
            value = repr(first.get(key, ...))
            if key != "ID" and any(repr(config.get(key, ...)) != value for config in others):
                keys[key] = None
    return [*keys]


def _names(config):
    """Algorithm and environment."""
    algo = config.get("algo.name", config.get("algo", "-"))
    return str(algo), str(config.get("env.id", config.get("env", "-")))


def _record(run, varying, now):
    status, state = _true_status(run, now)
    algo, env = _names(run.config)
    updated = number(state.get("updated"))
    record = {
        "path": str(run.path),
        "experiment": run.experiment,
        "name": run.name,
        "ID": run.ID,
        "seed": run.seed,
        "algo": algo,
        "env": env,
        "status": status,
        "stalled": status == "running" and _is_stalled(run.path, updated, now),
        "timestep": number(state.get("timestep")),
        "budget": number(state.get("budget", run.config.get("train.timestep"))),
        "return": number(state.get("return")),
        "started": number(state.get("started")),
        "updated": updated,
        "host": _only(str, state.get("host")),
        "pid": _only(int, state.get("pid")),
        "error": _only(str, state.get("error")),
        "config": run.config,
        "varying": [key for key in varying if key in run.config],
    }
    return record | _pace(record, number(state.get("resumed")) or 0)


def _only(kind, value):
    return value if isinstance(value, kind) else None


def number(value):
    """``value`` if it is an ordinary number, else None."""
    return value if type(value) in (int, float) and abs(value) < 1e100 else None


def _pace(record, resumed):
    """Steps per second since the job began, and the seconds left; None where they make no sense."""
    pace, eta = None, None
    timestep, started, updated = record["timestep"], record["started"], record["updated"]
    if record["status"] == "running" and None not in (timestep, started, updated):
        num_step, seconds = timestep - resumed, updated - started
        if num_step > 0 and seconds > 0:  # the clock may have been set back
            pace = num_step / seconds
            if record["budget"] is not None and not record["stalled"]:
                eta = (record["budget"] - timestep) * seconds / num_step
    is_sound = eta is not None and 0 <= eta < MAX_ETA
    return {"steps_per_second": pace, "eta": eta if is_sound else None}


def _true_status(run, now):
    """(status, state) of a run: a job whose process is gone does not run, whatever it wrote."""
    state = run.state
    if _is_gone(state):
        state = read_state(run.path) or state  # perhaps it has ended, as it should, meanwhile
        if _is_gone(state):
            return "interrupted", state
    status = state.get("status", run.status)
    is_far = status == "running" and state.get("host") != os.uname().nodename
    silent = now - (number(state.get("updated")) or 0)
    return ("stale" if is_far and silent > _STALE_SECONDS else status), state


def _is_gone(state):
    """Whether a job of this host says that it runs, and its process does not.

    The lock would tell as well, but trying it could take it from a job that is about to start.
    """
    if state.get("status") != "running" or state.get("host") != os.uname().nodename:
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
    begun, updated = _process_start(pid), number(state.get("updated"))
    # A process that began after the last report has got the number of the job's.
    return updated is not None and begun > updated + 5


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
    return silent > _STALL_SECONDS and silent > 10 * iteration_seconds(path)


def cell(value):
    """A value on one short line, as it stands on a command line."""
    if isinstance(value, bool) or value is None:
        value = {True: "true", False: "false", None: "null"}[value]
    elif isinstance(value, float):
        value = f"{value:.6g}"
    return shorten(plain(str(value).replace(", ", ",")))


def settings(record):
    """What is special about a configuration: ``lr=0.001 clip=0.2``."""
    short = Counter(key.rpartition(".")[2] for key in record["varying"])
    parts = []
    for key in record["varying"]:
        last = key.rpartition(".")[2]
        parts.append(f"{cell(last if short[last] == 1 else key)}={cell(record['config'][key])}")
    return " ".join(parts)


def state_of(record):
    """Its status in a word."""
    return "stalled?" if record["stalled"] else record["status"]


def percent(record):
    """How much of its budget a run has used; 100% is all of it."""
    timestep, budget = record["timestep"], record["budget"]
    if timestep is None or budget is None or budget < 1:
        return "-"
    return f"{math.floor(100 * timestep / budget)}%"


def ago(moment):
    """How long ago, in the largest unit."""
    seconds = time.time() - (moment or 0)
    if moment is None or seconds > 1e9:
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def screen_width():
    """Places in a line of the terminal; 200 where there is none."""
    return shutil.get_terminal_size((200, 24)).columns
