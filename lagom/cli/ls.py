"""``lagom ls``: the configurations or runs below some folders, as a table or as JSON."""

import difflib
import json
import math
import os
import statistics
from collections import Counter
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path

from lagom.cli.plot import complain, echo
from lagom.cli.progress import columns
from lagom.cli.records import (
    BROKEN,
    ago,
    cell,
    number,
    percent,
    read_records,
    screen_width,
    settings,
    state_of,
)
from lagom.cli.status import finish
from lagom.vis.style import plain, shorten

_COLUMNS = ("run", "algo", "env", "configuration", "seeds", "state", "steps", "return", "updated")
_FLEXIBLE = (0, 1, 2, 3, 5)  # of those, may be cut


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
            conditions.append(lambda record: record["status"] in BROKEN)
        rows = [record for record in records if all(holds(record) for holds in conditions)]
        if not (seeds or as_json):
            rows = _configurations(rows)
        if sort:
            rows = _sort(rows, sort)
    except ValueError as error:
        return complain(f"error: {error}", 2)
    if as_json:
        echo(json.dumps([_document(record) for record in rows], indent=1))
    elif rows:
        for line in _table(rows, seeds):
            echo(line)
    return finish(paths, records, rows, messages)


def _condition(records, text):
    """The function that tells whether ``key=value`` holds for a record."""
    key, equals, wanted = text.partition("=")
    if not equals:
        raise ValueError(f"--filter: got {text!r}; expected key=value, such as status=running")
    value = _lookup(records, key, "--filter")
    return lambda record: _matches(value(record), wanted)


def _lookup(records, key, where):
    """The function from a record to its ``key``, which may be short: ``lr`` for ``agent.lr``."""
    fields = {k for record in records for k in record} - {"config", "varying"}
    keys = {k for record in records for k in record["config"]}
    full = [key] if key in keys else [k for k in sorted(keys) if k.endswith(f".{key}")]
    if key in fields or not records:
        return lambda record: record.get(key)
    if len(full) == 1:
        return lambda record: record["config"].get(full[0])
    known = sorted(fields | keys)
    near = full or difflib.get_close_matches(key, known, 3, 0.5) or known
    near = ", ".join(map(cell, near[:20]))
    raise ValueError(f"{where}: no key {key!r} in these runs; expected for example {near}")


def _matches(value, wanted):
    with suppress(ValueError):
        if number(value) is not None:
            return value == float(wanted)  # 1e-3 is 0.001
    return cell(value) == wanted or fnmatchcase(cell(value), wanted)


def _sort(rows, key):
    """The rows by ``key``, numbers before text; missing ones last in either direction."""
    value = _lookup(rows, key.removeprefix("-"), "--sort")
    known = [row for row in rows if value(row) is not None]

    def order(row):
        x = number(value(row))
        return (1, 0, cell(value(row))) if x is None else (0, x, "")

    known.sort(key=order, reverse=key.startswith("-"))
    return known + [row for row in rows if value(row) is None]


def _configurations(records):
    """A record for each configuration: sums of the steps, the mean of the returns."""
    rows = []
    for _, group in groupby(records, lambda record: (record["experiment"], record["ID"])):
        same = [*group]
        known = {key: [r[key] for r in same if r[key] is not None] for key in same[0]}
        states, returns = Counter(map(state_of, same)), known["return"]
        row = {
            **same[0],
            "seeds": f"{states.pop('done', 0)}/{len(same)}",
            "status": ", ".join(f"{num} {state}" for state, num in states.items()) or "done",
            "stalled": False,  # the status tells
            "return": statistics.fmean(returns) if returns else None,
            "sd": statistics.stdev(returns) if len(returns) > 1 else None,
        }
        row |= {key: sum(known[key]) if known[key] else None for key in ("timestep", "budget")}
        row |= {key: max(known[key], default=None) for key in ("started", "updated")}
        rows.append(row)
    return rows


def _document(record):
    """Everything about a run as strict JSON has it; of its configuration, what varies."""
    config = {key: record["config"][key] for key in record["varying"]}
    return _plain_json({k: v for k, v in record.items() if k != "varying"} | {"config": config})


def _plain_json(value):
    """``value`` without NaN and infinities, keys as text."""
    if isinstance(value, dict):
        return {str(key): _plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_json(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


def _table(records, seeds):
    """Lines with a header, as wide as the terminal at most."""
    names = _experiment_names(records)
    rows = [_row(record, names[record["experiment"]], seeds) for record in records]
    used = [any(column) for column in zip(*rows, strict=True)]
    header = [name if is_used else "" for name, is_used in zip(_COLUMNS, used, strict=True)]
    return columns([header, *rows], screen_width(), _FLEXIBLE)


def _experiment_names(records):
    """Experiment to what it is called: its name, or its path where others have the same name."""
    names = {record["experiment"]: record["name"] for record in records}
    count = Counter(names.values())
    return {
        path: name if count[name] == 1 else os.path.relpath(path) for path, name in names.items()
    }


def _row(record, name, seeds):
    """The cells of a record, in the order of the columns."""
    where = f"{name}/{record['ID']}" + f"/{record['seed']}" * seeds
    value, sd = record["return"], record.get("sd")
    deviation = "" if sd is None else f" ± {sd:.3g}"
    return [
        shorten(plain(where)),
        cell(record["algo"]),
        cell(record["env"]),
        settings(record),
        record.get("seeds", ""),
        state_of(record),
        percent(record),
        "-" if value is None else f"{value:.4g}{deviation}",
        ago(record["updated"]),
    ]
