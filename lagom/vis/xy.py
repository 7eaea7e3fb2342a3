"""Curves of an experiment as one long table, also of an experiment that lagom 0.0.3 ran."""

import re
import warnings
from pathlib import Path

import numpy as np

from lagom.experiment.journal import read_journal
from lagom.experiment.storage import read_pickle
from lagom.transform import interp_curves, smooth_filter
from lagom.vis.run_files import read_config
from lagom.vis.series import numbers

_NUMBER = re.compile(r"[0-9]{1,18}")


def read_xy(
    log_folder,
    file_name,
    get_x,
    get_y,
    smooth_out=False,
    smooth_kws=None,
    point_step=1,
    no_extrapolate=False,
):
    """Read a curve per seed, those of one configuration on a common grid, for seaborn or pandas.

    The grid holds every ``x`` that one of the seeds has.  Between its own points a curve is a
    straight line; before the first and after the last it keeps their values.

    Reading runs no code.  What cannot be read, or asks for code to be run, is left out with a
    warning that names it.

    Args:
        log_folder (Path): an experiment, with ``<ID>/config.yml`` and ``<ID>/<seed>/``; everything
            in it whose name is no number is ignored.
        file_name (str): which log of a seed, ``"eval.journal"`` or ``"train_logs.pkl"`` for
            instance.  If there is a journal of that log, it is read and the pickle is not.  A
            pickle may hold columns, or a list with one dictionary per iteration.
        get_x, get_y (function or str): what gives the number of a row, which is a dictionary; or
            the name of its column.  Rows without both numbers are left out, a list of one number
            counts as that number, and of rows with equal ``x`` the last one counts.
        smooth_out (bool): smooth each curve on the grid, see :func:`lagom.transform.smooth_filter`.
        smooth_kws (dict): arguments for that; by default ``window_length=51, polyorder=3``.
        point_step (int): keep each ``point_step``-th point of the grid, from the first on.
        no_extrapolate (bool): leave out the points outside of a seed's own range.

    Returns:
        DataFrame: a row per point: columns ``x``, ``y``, ``ID``, ``seed``, then the configuration,
        in which lists have become tuples.

    Raises:
        ValueError: no curve can be read, no row of a log has the column, ``point_step`` is not
            positive, or a curve has fewer points than the window that smooths it.
    """
    import pandas as pd

    if point_step < 1:
        raise ValueError(f"read_xy: point_step is {point_step!r}; expected at least 1")
    smooth_kws = smooth_kws or {"window_length": 51, "polyorder": 3}
    parts, messages = [], []
    for folder in _numbered(Path(log_folder)):
        config = read_config(folder / "config.yml", messages)
        if config is None:
            continue
        config = {key: _tuples(value) for key, value in config.items()}
        curves = _read_curves(folder, file_name, get_x, get_y, messages)
        for seed, i, x, y in _on_common_grid(curves, no_extrapolate):
            y = smooth_filter(y, **smooth_kws) if smooth_out else y
            kept = i % point_step == 0
            parts.append((x[kept], y[kept], {**config, "ID": int(folder.name), "seed": seed}))
    if not parts:
        reason = messages[0] if messages else "no run"
        raise ValueError(
            f"read_xy: {log_folder}: no curve could be read ({reason}); "
            f"expected <ID>/config.yml and <ID>/<seed>/{file_name}"
        )
    for message in messages:
        warnings.warn(f"read_xy: left out: {message}", stacklevel=2)
    xs, ys, configs = zip(*parts, strict=True)
    table = {"x": np.concatenate(xs), "y": np.concatenate(ys)}
    for key in dict.fromkeys(["ID", "seed", *(key for config in configs for key in config)]):
        if key not in table:
            table[key] = [c.get(key) for x, c in zip(xs, configs, strict=True) for _ in x]
    return pd.DataFrame(table)


def _numbered(folder):
    """The folders in ``folder`` that have numbers for names, in their order."""
    found = [path for path in folder.iterdir() if _NUMBER.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name))


def _tuples(value):
    """Lists as tuples, all the way down: what tables are grouped by must be hashable."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _read_curves(folder, file_name, get_x, get_y, messages):
    """From seed to ``(x, y)``, ``[T]`` each, increasing in ``x``; T > 0."""
    curves = {}
    for path in _numbered(folder):
        try:
            rows = _read_rows(path, file_name, messages)
        except (OSError, ValueError) as error:
            messages.append(str(error))
            continue
        x, y = _column(rows, get_x), _column(rows, get_y)
        good = np.isfinite(x) & np.isfinite(y)
        x, first = np.unique(x[good][::-1], return_index=True)
        if len(x):
            curves[int(path.name)] = x, y[good][::-1][first]
        else:
            messages.append(f"{path / file_name}: no row with both numbers")
    return curves


def _on_common_grid(curves, no_extrapolate):
    """For each seed: itself, indices into the grid ``[T]``, and there ``x`` and ``y``, ``[T]``."""
    if not curves:
        return
    (grid, *_), ys = interp_curves(*zip(*curves.values(), strict=True))
    for (seed, (x, _)), y in zip(curves.items(), ys, strict=True):
        i = np.arange(len(grid))
        if no_extrapolate:
            i = i[(x[0] <= grid) & (grid <= x[-1])]
        yield seed, i, grid[i], y[i]


def _read_rows(folder, file_name, messages):
    """The rows of a log, a dictionary each."""
    log = file_name.removesuffix(".pkl").removesuffix(".journal").removesuffix("_logs")
    journal = folder / f"{log}.journal"
    if journal.is_file():
        rows, num_damaged = read_journal(journal)
        if num_damaged:
            messages.append(f"{journal}: {num_damaged} damaged lines")
        return rows
    path = folder / (file_name if file_name.endswith(".pkl") else f"{log}_logs.pkl")
    if not path.is_file():  # to open a FIFO would wait for ever
        raise FileNotFoundError(f"{folder / file_name}: no such file")
    logs = read_pickle(path)
    if isinstance(logs, list) and all(isinstance(row, dict) for row in logs):
        return logs
    columns = list(logs.values()) if isinstance(logs, dict) else [None]
    if not all(isinstance(x, list) and len(x) == len(columns[0]) for x in columns):
        raise ValueError(
            f"{path}: not a log; expected a list with a dictionary per iteration, or a dictionary "
            "of lists of equal length"
        )
    return [dict(zip(logs, row, strict=True)) for row in zip(*columns, strict=True)]


def _column(rows, get):
    """What ``get`` finds in each row, ``[T]`` float64, NaN where that is no number."""
    if isinstance(get, str):
        known = dict.fromkeys(key for row in rows for key in row)
        if rows and get not in known:
            raise ValueError(f"read_xy: no row has {get!r}; expected one of {list(known)}")
        values = [row.get(get) for row in rows]
    else:
        values = [get(row) for row in rows]
    return numbers([v[0] if isinstance(v, list) and len(v) == 1 else v for v in values])
