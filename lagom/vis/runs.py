"""The runs below a folder: which there are, what they logged, how they ended.

Reading disturbs no writer and runs no code, and one bad file never stops it: what cannot be read
becomes a message.
"""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lagom.experiment.journal import read_logs
from lagom.experiment.storage import read_json, read_yaml

_STATUS = ("waiting", "running", "done", "failed", "diverged", "stopped")
_NUMBER = re.compile(r"[0-9]{1,18}")
_MAX_CONFIG = 1_000_000  # bytes
_IDENTITY = ("run", "name", "ID", "seed", "status", "log")


@dataclass(frozen=True)
class Run:
    """One seed of one configuration.

    Args:
        path (Path): its folder, ``<name>/<ID>/<seed>``.
        name (str): the experiment.
        ID (int): the configuration, within the experiment.
        seed (int): the seed.
        status (str): as in ``status.json``; ``"unknown"`` without one, ``"unreadable"`` where a
            log is.
        config (dict): dotted key to value.
        logs (dict): ``"eval"`` and, where needed, ``"train"``: column to list, of equal length.
    """

    path: Path
    name: str
    ID: int
    seed: int
    status: str
    config: dict
    logs: dict

    @property
    def environment(self):
        """The environment id; without one, the name of the experiment."""
        return str(self.config.get("env.id", self.name))

    @property
    def algo(self):
        """The name of the algorithm; without one, the name of the experiment."""
        return str(self.config.get("algo.name", self.config.get("algo", self.name)))


def find_runs(paths):
    """The folders ``<ID>/<seed>`` at or below ``paths``, each once.

    Folders set aside (``old-*``) and hidden ones are passed over, links are followed once.

    Args:
        paths (list of Path): outputs roots, experiments, configurations or seeds, in any mix.

    Returns:
        tuple: the folders in the order of experiment, ID and seed, and a list of messages.
    """
    found, messages, seen = [], [], set()
    stack = [Path(path) for path in paths]
    stack = [Path(os.path.abspath(p)) if p.name in ("", "..") else p for p in stack]
    while stack:
        folder = stack.pop()
        try:
            info = folder.stat()
            if (info.st_dev, info.st_ino) in seen:
                continue
            seen.add((info.st_dev, info.st_ino))
            if _is_seed(folder):
                found.append(folder)
                continue
            with os.scandir(folder) as entries:
                names = [e.name for e in entries if not e.name.startswith((".", "old-"))]
            stack += [folder / name for name in names if os.path.isdir(folder / name)]
        except OSError as error:
            messages.append(f"{folder}: {error.strerror}")
    return sorted(found, key=_natural), messages


def _is_seed(folder):
    parts = Path(os.path.abspath(folder)).parts
    if len(parts) < 4 or not all(_NUMBER.fullmatch(part) for part in parts[-2:]):
        return False
    files = ("status.json", "train.journal", "eval.journal")
    return os.path.exists(folder.parent / "config.yml") or any(
        os.path.exists(folder / file) for file in files
    )


def _natural(folder):
    path = Path(os.path.abspath(folder))
    return str(path.parent.parent), int(path.parent.name), int(path.name)


def read_runs(paths, x="timestep", y="return"):
    """The runs at or below ``paths``, also those that are running, failed or have logged nothing.

    Args:
        paths (list of Path): see ``find_runs``.
        x (str): column that is wanted.
        y (str): column that is wanted against it.  The evaluation log is read first and the
            training log, which may be large, only if that lacks a column; ``train.return`` asks for
            the training log, ``eval.return`` for the other.

    Returns:
        tuple: list of Run, and a list of messages about what could not be read.
    """
    folders, messages = find_runs(paths)
    configs, runs = {}, []
    for folder in folders:
        if folder.parent not in configs:
            configs[folder.parent] = _read_config(folder.parent / "config.yml", messages)
        if configs[folder.parent] is not None:
            status, logs = _read_status(folder, messages), {}
            for log in split_key(y)[0]:
                logs[log] = _read_log(folder, log, messages)
                if logs[log] is None:
                    status, logs[log] = "unreadable", {}
                if has_columns(logs[log], x, y):
                    break
            name, ID, seed = Path(os.path.abspath(folder)).parts[-3:]
            config = configs[folder.parent]
            runs.append(Run(folder, name, int(ID), int(seed), status, config, logs))
    return runs, messages


def split_key(y):
    """Which logs may hold ``y``, in the order of preference, and the column it names there."""
    log, _, column = y.partition(".")
    return ((log,), column) if log in ("eval", "train") and column else (("eval", "train"), y)


def has_columns(columns, x, y):
    """Whether a log holds rows of both ``x`` and ``y``."""
    return bool(columns.get(x) and columns.get(split_key(y)[1]))


def _read_config(path, messages):
    """The flat configuration, or None and a message."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # to open a FIFO would wait for ever
            raise ValueError(f"{path}: not a file; expected a configuration")
        if path.stat().st_size > _MAX_CONFIG:
            raise ValueError(f"{path}: larger than {_MAX_CONFIG} bytes; expected a configuration")
        config = read_yaml(path)
        if not isinstance(config, dict) or not all(isinstance(key, str) for key in config):
            raise ValueError(f"{path}: not a configuration; expected a mapping of keys to values")
        if not _is_small(config):
            raise ValueError(f"{path}: too deep or too many values; expected a flat configuration")
        return config
    except (OSError, ValueError) as error:
        messages.append(_reason(error))


def _is_small(tree, num_max=200_000):
    """Whether the tree written out stays short: YAML aliases may unfold to billions of values."""
    stack, size = [tree], 0
    while stack and size <= num_max:
        node = stack.pop()
        size += 1 + (len(node) if isinstance(node, str | list | dict) else 0)
        if size <= num_max:
            stack += [*node, *node.values()] if isinstance(node, dict) else ()
            stack += node if isinstance(node, list) else ()
    return size <= num_max


def _read_status(folder, messages):
    path = folder / "status.json"
    try:
        if not path.is_file():
            return "unknown"
        status = read_json(path)
        status = status.get("status") if isinstance(status, dict) else None
        if status not in _STATUS:
            raise ValueError(f"{path}: status is {status!r:.40}; expected one of {_STATUS}")
        return status
    except (OSError, ValueError) as error:
        messages.append(_reason(error))
        return "unknown"


def _read_log(folder, log, messages):
    """The columns; {} if nothing is logged yet; None and a message if they cannot be read."""
    journal = folder / f"{log}.journal"
    try:
        columns, num_damaged = read_logs(folder, log)
    except FileNotFoundError:
        if not os.path.lexists(journal):
            return {}
        messages.append(f"{journal}: not a file; expected a journal")
        return None
    except (OSError, ValueError) as error:
        messages.append(_reason(error))
        return None
    if num_damaged:
        messages.append(f"{journal}: {num_damaged} damaged lines left out")
    return columns if columns or not num_damaged else None


def _reason(error):
    is_os = isinstance(error, OSError) and error.filename
    return f"{error.filename}: {error.strerror}" if is_os else str(error)


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


def tidy(runs, x="timestep", y="return"):
    """Runs as one long table, for pandas, seaborn or a file.

    Args:
        runs (list of Run): as ``read_runs`` gave them.
        x, y (str): decide which log of a run is taken: the first that has both columns.

    Returns:
        DataFrame: a row for each logged row, with columns ``run`` (the folder), ``name``, ``ID``,
        ``seed``, ``status``, ``log``, the configuration, and the log's scalar columns.  A run that
        has logged nothing keeps one row, so that it still counts.
    """
    import pandas as pd

    tables = []
    for run in runs:
        log = next((log for log in run.logs if has_columns(run.logs[log], x, y)), "")
        columns = {k: v for k, v in run.logs.get(log, {}).items() if not _has_list(v)}
        T = max([1, *map(len, columns.values())])
        identity = (str(run.path), run.name, run.ID, run.seed, run.status, log)
        known = {k: [v] * T for k, v in zip(_IDENTITY, identity, strict=True)}
        tables.append({**{k: [v] * T for k, v in run.config.items()}, **columns, **known})
    order = [*_IDENTITY, *(k for run in runs for k in run.config), *(k for t in tables for k in t)]
    data = {key: [] for key in order}
    for table in tables:
        for key, column in data.items():
            column += table.get(key) or [None] * len(table["run"])
    return pd.DataFrame(data)


def _has_list(column):
    return any(isinstance(value, list | dict) for value in column)


def load_runs(paths, x="timestep", y="return"):
    """The runs at or below ``paths`` as one long table; see ``read_runs`` and ``tidy``.

    Returns:
        DataFrame: a row for each evaluation of each seed; what could not be read is told in
        ``attrs["messages"]``.
    """
    runs, messages = read_runs(paths, x, y)
    table = tidy(runs, x, y)
    table.attrs["messages"] = messages
    return table
