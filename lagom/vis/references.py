"""Lines to compare with, from a CSV file: thresholds, and curves that others published."""

import csv
import io
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_MAX_FILE = 10_000_000  # bytes
_COLUMNS = ("label", "env", "x", "y", "low", "high")


@dataclass(frozen=True)
class Reference:
    """A line to compare with.

    Args:
        label (str): its name.
        environment (str): where it belongs; everywhere if empty.
        x (ndarray): ``[T]``, increasing; empty for a horizontal line.
        y (ndarray): ``[T]``, or ``[1]`` for a horizontal line.
        low, high (ndarray): ``[T]``, ends of a band; NaN where there is none.
    """

    label: str
    environment: str
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray


def read_references(path):
    """The references in a CSV file.

    The first line names the columns: ``label``, ``env`` and ``y``, for a curve also ``x``, and for
    its band ``low`` and ``high``.  Rows of one label and environment are the points of one curve,
    in any order; a row without ``x`` is a horizontal line.  Empty ``env`` means every panel.

    Args:
        path (Path): the file, UTF-8.

    Returns:
        list of Reference: in the order of their first rows.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a table; the message names the line.
    """
    path = Path(path)
    if not path.is_file():  # to open a FIFO would wait for ever
        raise FileNotFoundError(2, "no such file", str(path))
    if path.stat().st_size > _MAX_FILE:
        raise ValueError(f"{path}: larger than {_MAX_FILE} bytes; expected a few curves")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8; expected a CSV file") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    points, header = defaultdict(list), None
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if header is None:
                header = _check_header(cells)
            elif any(cells):
                if len(cells) != len(header):
                    raise ValueError(f"{len(cells)} cells; expected {len(header)}, as the header")
                label, env, *point = _parse(dict(zip(header, cells, strict=True)))
                points[label, env, math.isnan(point[0])].append(point)
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}, line {max(reader.line_num, 1)}: {error}") from None
    if not points:
        raise ValueError(f"{path}: no row; expected a header label,env,y and rows")
    return [line for (label, env, _), rows in points.items() for line in _lines(label, env, rows)]


def _check_header(names):
    if not {"label", "y"} <= set(names) <= set(_COLUMNS) or len(set(names)) < len(names):
        raise ValueError(f"columns are {','.join(names)!r:.80}; expected label,env,x,y,low,high")
    if ("low" in names) != ("high" in names):
        raise ValueError("one of low and high is missing; expected both or none")
    return names


def _parse(cells):
    """``(label, env, x, y, low, high)`` of a row; NaN for an empty number."""
    if not cells["label"]:
        raise ValueError("label is empty; expected a name")
    numbers = []
    for name in ("x", "y", "low", "high"):
        text = cells.get(name, "")
        try:
            value = float(text or "nan")
        except ValueError:
            raise ValueError(f"{name} is {text!r:.40}; expected a number") from None
        if (text or name == "y") and not abs(value) < 1e100:
            raise ValueError(f"{name} is {text!r:.40}; expected a finite number")
        numbers.append(value)
    return cells["label"], cells.get("env", ""), *numbers


def _lines(label, env, rows):
    """A curve of all rows, or a horizontal line of each."""
    rows = np.array(rows)  # [T, 4]
    if np.isnan(rows[:, 0]).any():
        return [Reference(label, env, row[:0], *row[1:, None]) for row in rows]
    return [Reference(label, env, *rows[np.argsort(rows[:, 0], kind="stable")].T)]
