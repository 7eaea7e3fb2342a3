"""The runs below a folder: which there are, what they logged, how they ended.

Reading disturbs no writer and runs no code, and one bad file never stops it: what cannot be read
becomes a message.
"""

import math
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lagom.experiment.journal import read_logs
from lagom.experiment.storage import read_json, read_pickle, read_yaml

_STATUS = ("waiting", "running", "done", "failed", "diverged", "stopped")
_NUMBER = re.compile(r"[0-9]{1,18}")
_MAX_CONFIG = 1_000_000  # bytes; of status.json too
_MAX_TABLE = 100_000_000  # bytes, and values and characters, of an experiment's configurations
_IDENTITY = ("run", "name", "ID", "seed", "status", "log")


@dataclass(frozen=True)
class Run:
    """One seed of one configuration.

    Args:
        path (Path): its folder, ``<name>/<ID>/<seed>``.
        name (str): the experiment.
        ID (int): the configuration, within the experiment.
        seed (int): the seed; None where ``path`` is a configuration that has none yet.
        status (str): as in ``status.json``; ``"unknown"`` without one, ``"unreadable"`` where a
            log is.
        config (dict): dotted key to value.
        logs (dict): ``"eval"`` and, where needed, ``"train"``: column to list, of equal length.
        state (dict): all of ``status.json``; filled by ``read_states`` only.
    """

    path: Path
    name: str
    ID: int
    seed: int
    status: str
    config: dict
    logs: dict
    state: dict = field(default_factory=dict)

    @property
    def environment(self):
        """The environment id; without one, the name of the experiment."""
        return str(self.config.get("env.id", self.name))

    @property
    def algo(self):
        """The name of the algorithm; without one, the name of the experiment."""
        return str(self.config.get("algo.name", self.config.get("algo", self.name)))

    @property
    def experiment(self):
        """The absolute path of the experiment's folder, as text."""
        return os.path.abspath(self.path).rsplit(os.sep, 1 if self.seed is None else 2)[0]


def find_runs(paths):
    """The folders ``<ID>/<seed>`` at or below ``paths``, each once.

    Folders set aside (``old-*``) and hidden ones are passed over, links are followed once.

    Args:
        paths (list of Path): outputs roots, experiments, configurations or seeds, in any mix.

    Returns:
        tuple: the folders in the order of experiment, ID and seed, and a list of messages.
    """
    runs, _, messages = _walk(paths)
    return runs, messages


def _walk(paths):
    """The seeds as ``find_runs`` gives them, the configurations on the way, and messages."""
    found, configs, messages, seen = [], [], [], set()
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
            if "config.yml" in names and _NUMBER.fullmatch(folder.name):
                configs.append(folder)
            stack += [folder / name for name in names if os.path.isdir(folder / name)]
        except OSError as error:
            messages.append(f"{folder}: {error.strerror}")
    return sorted(found, key=_natural), configs, messages


def _is_seed(folder):
    parts = os.path.abspath(folder).split(os.sep)
    if len(parts) < 4 or not all(_NUMBER.fullmatch(part) for part in parts[-2:]):
        return False
    files = ("status.json", "train.journal", "eval.journal")
    return os.path.exists(f"{folder.parent}/config.yml") or any(
        os.path.exists(folder / file) for file in files
    )


def _natural(folder):
    experiment, ID, seed = os.path.abspath(folder).rsplit(os.sep, 2)
    return experiment, int(ID), int(seed)


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


def read_states(paths):
    """The runs at or below ``paths`` with their states, but without their logs.

    Ten thousand runs take a second: a configuration comes from ``configs.pkl`` of its experiment,
    and from its ``config.yml`` only where it is not in there.

    Args:
        paths (list of Path): see ``find_runs``.

    Returns:
        tuple: list of Run, in the order of experiment, ID and seed, and a list of messages.
        Configurations without a seed are among them.  ``status`` is ``"waiting"`` without
        ``status.json`` and ``"unreadable"`` where that cannot be read, ``config`` is empty where it
        cannot.  Between them stands a dictionary: experiment to list of its configurations.
    """
    folders, configs, messages = _walk(paths)
    seeds = {folder: [] for folder in configs}
    for folder in folders:
        seeds.setdefault(folder.parent, []).append(folder)
    tables, runs = {}, []
    for config_folder in sorted(seeds, key=lambda folder: _natural(folder / "0")):
        experiment, ID, _ = _natural(config_folder / "0")
        if experiment not in tables:
            tables[experiment] = _read_table(Path(experiment, "configs.pkl"), messages)
        table, name = tables[experiment], os.path.basename(experiment)
        if ID not in table:
            table[ID] = _read_config(config_folder / "config.yml", messages) or {}
        if not seeds[config_folder]:
            runs.append(Run(config_folder, name, ID, None, "waiting", table[ID], {}))
        for folder in seeds[config_folder]:
            state = _read_state(folder, messages)
            status = "unreadable" if state is None else state.get("status", "waiting")
            seed = _natural(folder)[2]
            runs.append(Run(folder, name, ID, seed, status, table[ID], {}, state or {}))
    return runs, {name: [*table.values()] for name, table in tables.items()}, messages


def read_state(folder):
    """``status.json`` of a run as it is now; empty if there is none that can be read."""
    return _read_state(Path(folder), []) or {}


def iteration_seconds(folder):
    """How long an iteration of a run takes, evaluation included.

    Args:
        folder (Path): a run, ``<ID>/<seed>``.

    Returns:
        float: the median over those of ``timing.journal``, in seconds; 0 if there are none.
    """
    logs = _read_log(folder, "timing", []) or {}
    columns = [numbers(logs[key]) for key in logs if key.endswith("_seconds")]
    seconds = np.sum(columns, axis=0) if columns else np.empty(0)  # [T]
    seconds = seconds[np.isfinite(seconds)]
    return float(np.median(seconds)) if len(seconds) else 0.0


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
        config = read_yaml(_file(path, _MAX_CONFIG, "a configuration"))
        _check_config(path, config)
        if not _is_small(config):
            raise ValueError(f"{path}: too deep or too many values; expected a flat configuration")
        return config
    except (OSError, ValueError) as error:
        messages.append(_reason(error))


def _read_table(path, messages):
    """The configurations of an experiment by ID; those that are missing are no problem."""
    try:
        table = read_pickle(_file(path, _MAX_TABLE, "the configurations of an experiment"))
        if not isinstance(table, list):
            raise ValueError(f"{path}: not a table; expected a list of configurations")
        if not _is_small(table, _MAX_TABLE):
            raise ValueError(f"{path}: too deep or too many values; expected flat configurations")
        for config in table:
            _check_config(path, config)
        return {config["ID"]: config for config in table if type(config.get("ID")) is int}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        messages.append(_reason(error))
        return {}


def _file(path, max_bytes, expected):
    """``path``, if it is a file of no more than ``max_bytes``."""
    info = path.stat()
    if not stat.S_ISREG(info.st_mode):  # to open a FIFO would wait for ever
        raise ValueError(f"{path}: not a file; expected {expected}")
    if info.st_size > max_bytes:
        raise ValueError(f"{path}: larger than {max_bytes} bytes; expected {expected}")
    return path


def _check_config(path, config):
    if not isinstance(config, dict) or not all(isinstance(key, str) for key in config):
        raise ValueError(f"{path}: not a configuration; expected a mapping of keys to values")


def _is_small(tree, num_max=200_000):
    """Whether the tree written out stays short: YAML aliases may unfold to billions of values."""
    sizes = {}

    def size(node):
        if isinstance(node, str | bytes | bytearray):
            return len(node)
        if isinstance(node, int):
            return math.inf if node.bit_length() > 10_000 else 1  # Python refuses to write it
        if not isinstance(node, dict | list | tuple | set | frozenset):
            return 1
        if id(node) not in sizes:
            sizes[id(node)] = math.inf  # while it is measured: what holds itself has no end
            parts = [*node, *node.values()] if isinstance(node, dict) else node
            sizes[id(node)] = 2 * sum(map(size, parts), len(parts))  # deep is large, too
        return sizes[id(node)]

    try:
        return size(tree) <= num_max
    except RecursionError:
        return False


def _read_status(folder, messages):
    return (_read_state(folder, messages) or {}).get("status", "unknown")


def _read_state(folder, messages):
    """What ``status.json`` holds; {} without one; None and a message if it cannot be read."""
    path = folder / "status.json"
    try:
        state = read_json(_file(path, _MAX_CONFIG, "the status of a run"))
        status = state.get("status") if isinstance(state, dict) else None
        if status not in _STATUS:
            raise ValueError(f"{path}: status is {status!r:.40}; expected one of {_STATUS}")
        return state
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        messages.append(_reason(error))


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
