"""The columns that a figure needs, without the rest of their logs."""

import io
import json
import re
from pathlib import Path
from zlib import crc32

import numpy as np

from lagom.experiment.journal import read_logs

DERIVED = ("seconds", "episode", "iteration")  # what may be drawn against, beside logged columns

_NUMBER = rb"[-+.0-9eE]+|NaN|-?Infinity|null"
_ANYTHING = (
    rb'[^",\[\]{}\\\n]*|"[^"\\\n]*"|\[[^"\[\]{}\\\n]*\]'  # a number; text; a list of numbers
)


def read_columns(folder, log, names=()):
    """The columns ``names`` of a log, as ``read_logs`` reads them, in a fifth of the time.

    A regular expression made of the first row takes the numbers out of a journal whose lines all
    begin in that form, are numbered without gaps, and pass their checksums.  Any other log, also
    one that lacks one of ``names``, is left to ``read_logs``, with all of its columns.  The pickles
    of finished runs would be read faster still, but nothing tells whether one is damaged.

    Args:
        folder (Path): the folder of one job, ``<ID>/<seed>``.
        log (str): ``"train"``, ``"eval"`` or ``"timing"``.
        names (list of str): columns of numbers; none means all of them.

    Returns:
        tuple: a dictionary from column to ``[T]`` float64, NaN for ``null``, or to a list where
        ``read_logs`` was needed; and the number of damaged lines.

    Raises:
        FileNotFoundError, ValueError: see ``read_logs``.
    """
    journal = Path(folder) / f"{log}.journal"
    columns = _match(journal.read_bytes(), names) if journal.is_file() else None
    return read_logs(folder, log) if columns is None else (columns, 0)


def _match(data, names):
    """Column to ``[T]``; None where the lines are not all of one form, or damaged."""
    data = data[: data.rfind(b"\n") + 1]  # the line behind is being written
    lines = io.BytesIO(data).readlines()
    keys = _keys(lines[0]) if lines else []
    names = names or keys
    if not keys or not set(names) <= set(keys):
        return None
    found = _form(keys, names).findall(data)
    if len(found) != len(lines):
        return None
    checksums, rows, *values = zip(*found, strict=True)
    try:
        if [int(x, 16) for x in checksums] != [crc32(line[9:-1]) for line in lines]:
            return None
        if [*map(int, rows)] != [*range(len(lines))]:
            return None
        if b"null" in data:
            values = [[b"nan" if x == b"null" else x for x in column] for column in values]
        values = [np.fromiter(map(float, column), np.float64, len(lines)) for column in values]
    except ValueError:  # a row number of more digits than Python converts
        return None
    return dict(zip([key for key in keys if key in names], values, strict=True))


def _keys(line):
    """The keys of a row, in their order; none if the line is damaged."""
    try:
        row = json.loads(line[9:].split(b" ", 1)[1])
    except (ValueError, IndexError, RecursionError):
        return []
    return [*row] if isinstance(row, dict) else []


def _form(keys, names):
    """The expression for a line: checksum, row number, the columns ``names``, and what follows."""
    last = max(i for i, key in enumerate(keys) if key in names)
    cells = [
        re.escape(json.dumps(key).encode())
        + (b": (%s)" if key in names else b": (?:%s)") % (_NUMBER if key in names else _ANYTHING)
        for key in keys[: last + 1]
    ]
    return re.compile(b"^([0-9a-f]{8}) ([0-9]+) \\{%s[,}].*$" % b", ".join(cells), re.MULTILINE)


def derive(name, timesteps, log):
    """A clock of the training at the rows of another log of the same job.

    Args:
        name (str): ``"seconds"``, the wall time spent on collecting, learning and evaluating, in
            all iterations so far; or the name of a column, such as ``"episode"``.
        timesteps (ndarray): ``[T]``, of the rows.
        log (dict): column to list or ``[N]``: the timing log for seconds, else the training log.

    Returns:
        ndarray: ``[T]``, at the last iteration that had ended by each time step; 0 before the
        first, NaN after the last one known, and where the log has no such column.

    Example:
        >>> timing = {"timestep": [100, 200], "learn_seconds": [2, 3], "eval_seconds": [0, 0.5]}
        >>> derive("seconds", np.array([0, 200, 250]), timing).tolist()
        [0.0, 5.5, nan]
    """
    steps = numbers(log.get("timestep", []))
    if name == "seconds":
        parts = [numbers(log[key]) for key in log if key.endswith("_seconds")]
        clock = np.cumsum(np.sum(parts, axis=0)) if parts else np.empty(0)
    else:
        clock = numbers(log.get(name, []))
    if clock.shape != steps.shape or not np.isfinite(steps).any():
        return np.full(len(timesteps), np.nan)
    known = np.flatnonzero(np.isfinite(steps))
    known = known[np.argsort(steps[known], kind="stable")]
    steps, clock = steps[known], np.concatenate([[0.0], clock[known]])
    values = clock[np.searchsorted(steps, timesteps, side="right")]
    values[~(timesteps <= steps[-1])] = np.nan
    return values


def numbers(column):
    """A logged column as numbers.

    Args:
        column (list): numbers; anything else counts as missing.

    Returns:
        ndarray: ``[T]`` float64, NaN where there is no number.
    """
    try:
        values = np.array(column, dtype=np.float64)
        if values.ndim == 1:
            return values
    except (ValueError, TypeError, OverflowError):
        pass
    return np.array([_number(value) for value in column], dtype=np.float64)


def _number(value):
    try:
        return float(value) if isinstance(value, int | float) else np.nan
    except OverflowError:
        return np.nan
