"""What a report takes from the folders of the runs: logs, ends of output, films, fingerprints.

A folder may come from a stranger: what is shown is read from files in it only, never through links.
"""

import base64
import errno
import json
import os
import stat
from collections import defaultdict
from dataclasses import replace

import numpy as np

from lagom.vis.report_curves import LOGS
from lagom.vis.run_files import read_log
from lagom.vis.runs import read_states
from lagom.vis.series import derive, numbers
from lagom.vis.style import BROKEN, plain, shorten

_MAX_SOURCE, _MAX_KEY = 8, 200  # fingerprints side by side, and lines of them
_MAX_TAIL, _MAX_LINE = 20, 25  # ends of job.log in the page, and lines of each
_MAX_FILE = 1_000_000  # bytes
_MAX_VIDEO, _MAX_VIDEOS = 5_000_000, 20_000_000  # bytes of one, and of all
_VIDEOS = {
    **{".mp4": "video/mp4", ".webm": "video/webm"},
    **{".gif": "image/gif", ".webp": "image/webp"},  # what is written without ffmpeg
}


def read_report_runs(paths):
    """The runs at or below ``paths`` with all numbers that they logged.

    Args:
        paths (list of Path): see ``lagom.vis.find_runs``.

    Returns:
        tuple: list of Run, and a list of messages.  ``logs`` holds ``"eval"`` and ``"train"``,
        column to ``[T]`` float64, with ``seconds`` and ``episode`` in both where they are known.
    """
    runs, _, messages = read_states(paths)
    for i, run in enumerate(runs):
        logs = {log: read_log(run.path, log, messages, ()) for log in (*LOGS, "timing")}
        status = "unreadable" if None in logs.values() else run.status
        logs = {log: _numeric(columns or {}) for log, columns in logs.items()}
        clocks = {"seconds": logs.pop("timing"), "episode": logs["train"]}
        for columns in logs.values():
            for x, clock in clocks.items():
                if x not in columns and "timestep" in columns:
                    columns |= _numeric({x: derive(x, columns["timestep"], clock)})
        config = run.config
        if (path := run.path.parent / "config.yml").is_symlink():
            config = {}
            messages.append(_linked(path))
        runs[i] = replace(run, status=status, config=config, logs=logs)
    return runs, messages


def _numeric(columns):
    """The columns that hold numbers, ``[T]`` each."""
    arrays = {key: numbers(column) for key, column in columns.items()}
    return {key: x for key, x in arrays.items() if (np.abs(x) < 1e100).any()}


def _read_end(path, max_bytes, messages):
    """The last bytes of a file; None without one, and with a message where it cannot be read.

    Links are refused: a folder from elsewhere could bring a file of the reader's into the page.
    """
    try:
        with open(path, "rb", opener=_open) as file:
            info = os.fstat(file.fileno())
            if stat.S_ISREG(info.st_mode):
                file.seek(max(0, info.st_size - max_bytes))
                return file.read(max_bytes)
        messages.append(f"{path}: not a file; expected one")
    except FileNotFoundError:
        pass
    except OSError as error:
        is_link = error.errno == errno.ELOOP  # that of O_NOFOLLOW
        messages.append(_linked(path) if is_link else f"{path}: {error.strerror}")


def _open(path, flags):
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)  # a FIFO would wait for ever


def _linked(path):
    return f"{path}: a link; expected a file, since the page shows what it holds"


def failures(curves, names, messages):
    """Runs that broke, with their errors and the ends of what they printed.

    Args:
        curves (list of Curve): all runs.
        names (dict): path of a run to what it is called.
        messages (list of str): what cannot be read is added.

    Returns:
        list of dict: plain JSON.
    """
    rows = []
    for curve in curves:
        for run in curve.runs:
            if run.status in BROKEN:
                error, log = run.state.get("error"), None
                if len(rows) < _MAX_TAIL:
                    log = _read_end(run.path / "job.log", 20_000, messages)
                rows.append(
                    {
                        "name": shorten(names[run.path], 200),
                        "label": shorten(curve.label, 100),
                        "status": run.status,
                        "error": "\n".join(_lines(error)) if isinstance(error, str) else None,
                        "log": _lines((log or b"").decode(errors="replace")),
                    }
                )
    return rows


def _lines(text):
    """The last lines, without characters that turn the writing around."""
    lines = text[-20_000:].splitlines()[-_MAX_LINE:]
    return ["".join(c if c.isprintable() else " " for c in line)[:300] for line in lines]


def videos(runs, names, messages):
    """Films in the folders of the runs and one level below, as Base64 while there is room.

    Args:
        runs (list of Run): whose films.
        names, messages: as in ``failures``.

    Returns:
        list of dict: plain JSON; ``data`` is None for films that are only named.
    """
    rows, left = [], _MAX_VIDEOS
    for run in runs:
        for path in sorted((*run.path.glob("*.*"), *run.path.glob("[!.]*/*.*"))):
            kind = _VIDEOS.get(path.suffix.lower())
            if path.parent != run.path and path.parent.is_symlink():
                continue  # see _read_end
            data = _read_end(path, _MAX_VIDEO + 1, messages) if kind else None
            if data is None:
                continue
            is_small = len(data) <= min(_MAX_VIDEO, left)
            left -= len(data) if is_small else 0
            rows.append(
                {
                    "name": shorten(plain(f"{names[run.path]}/{path.relative_to(run.path)}"), 200),
                    "type": kind,
                    "bytes": path.stat().st_size,
                    "data": base64.b64encode(data).decode() if is_small else None,
                }
            )
    return rows


def provenance(runs, names, messages):
    """What made the runs: fingerprints side by side, the most common one first.

    Args:
        runs (list of Run): whose fingerprints.
        names, messages: as in ``failures``.

    Returns:
        dict: plain JSON.
    """
    sources = defaultdict(list)
    for run in runs:
        path = run.path / "fingerprint.json"
        data = _read_end(path, _MAX_FILE, messages)
        if data is None:
            continue
        try:
            sources[tuple(_flat(json.loads(data))[:_MAX_KEY])].append(names[run.path])
        except (ValueError, RecursionError) as error:
            messages.append(f"{path}: not readable as JSON ({error})")
    known = sum(map(len, sources.values()))
    common = sorted(sources, key=lambda source: -len(sources[source]))[:_MAX_SOURCE]
    return {
        "sources": [
            {
                "num": len(sources[source]),
                "runs": shorten(", ".join(sources[source]), 1000),
            }
            for source in common
        ],
        "num": len(sources),
        "missing": len(runs) - known,
        "keys": side_by_side([dict(source) for source in common]),
    }


def _flat(value, key=""):
    """(dotted key, text) of each leaf."""
    if isinstance(value, dict) and value:
        return [leaf for k, v in value.items() for leaf in _flat(v, f"{key}.{k}" if key else k)]
    return [(key, "none" if value is None else as_text(value))]


def as_text(value):
    """A value as it stands on a command line, in a line of sensible length."""
    if value is None or isinstance(value, bool):
        value = {None: "null", True: "true", False: "false"}[value]
    return shorten(plain(f"{value:.6g}" if isinstance(value, float) else value), 200)


def side_by_side(columns):
    """Keys of dictionaries with the text of each, those that differ first.

    Args:
        columns (list of dict): key to text.

    Returns:
        list: ``[key, texts]``; a single text where it is the same in all.
    """
    rows = []
    for key in dict.fromkeys(key for column in columns for key in column):
        texts = [column.get(key, "–") for column in columns]
        rows.append([shorten(plain(key), 100), texts if len(set(texts)) > 1 else texts[:1]])
    return sorted(rows, key=lambda row: len(row[1]) == 1)
