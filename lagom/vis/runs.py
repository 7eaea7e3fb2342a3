"""The runs below a folder: which there are, what they logged, how they ended.

Reading disturbs no writer and runs no code, and one bad file never stops it: what cannot be read
becomes a message.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lagom.vis.run_files import read_config, read_log, read_status, read_table, read_xy_log
from lagom.vis.series import numbers

_NUMBER = re.compile(r"[0-9]{1,18}")


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
        logs (dict): ``"eval"`` and, where needed, ``"train"``: column to list or array, of equal
            length.
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
        return _place(self.path)[0]


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
    return sorted(found, key=_place), messages


def _is_seed(folder):
    parts = os.path.abspath(folder).split(os.sep)
    if len(parts) < 4 or not all(_NUMBER.fullmatch(part) for part in parts[-2:]):
        return False
    files = ("status.json", "train.journal", "eval.journal")
    return os.path.exists(f"{folder.parent}/config.yml") or any(
        os.path.exists(folder / file) for file in files
    )


def _place(folder):
    """Experiment, ID and seed of a run."""
    experiment, ID, seed = os.path.abspath(folder).rsplit(os.sep, 2)
    return experiment, int(ID), int(seed)


def read_runs(paths, x="timestep", y="return", whole=True):
    """The runs at or below ``paths``, also those that are running, failed or have logged nothing.

    Args:
        paths (list of Path): see ``find_runs``.
        x (str): column that is wanted.  ``seconds``, ``episode`` and ``iteration`` of a log without
            such a column are found by its time steps in the other logs, see ``derive``.
        y (str): column that is wanted against it.  The evaluation log is read first and the
            training log, which may be large, only if that lacks a column; ``train.return`` asks for
            the training log, ``eval.return`` for the other.
        whole (bool): all columns of the logs, as lists; otherwise at least ``x`` and ``y``, as
            arrays where that can be had: in a tenth of the time.

    Returns:
        tuple: list of Run, and a list of messages about what could not be read.
    """

    def read(folder, messages):
        logs = {}
        for log in split_key(y)[0]:
            logs[log] = read_xy_log(folder, log, x, split_key(y)[1], whole, messages)
            if has_columns(logs[log] or {}, x, y):
                break
        return logs

    return _read_runs(paths, read)


def read_logged(paths, logs=("eval", "train")):
    """The runs at or below ``paths`` with all of their ``logs``; otherwise as ``read_runs``."""
    return _read_runs(
        paths, lambda folder, messages: {log: read_log(folder, log, messages) for log in logs}
    )


def _read_runs(paths, read):
    """The runs, with the logs that ``read(folder, messages)`` gives: None for an unreadable one."""
    folders, messages = find_runs(paths)
    configs, runs = {}, []
    for folder in folders:
        if folder.parent not in configs:
            configs[folder.parent] = read_config(folder.parent / "config.yml", messages)
        if configs[folder.parent] is not None:
            status = (read_status(folder, messages) or {}).get("status", "unknown")
            logs = read(folder, messages)
            status = "unreadable" if None in logs.values() else status
            logs = {log: columns or {} for log, columns in logs.items()}
            experiment, ID, seed = _place(folder)
            name, config = os.path.basename(experiment), configs[folder.parent]
            runs.append(Run(folder, name, ID, seed, status, config, logs))
    return runs, messages


def read_states(paths):
    """The runs at or below ``paths`` with their states, but without their logs.

    Ten thousand runs take a second: a configuration comes from ``configs.pkl`` of its experiment,
    and from its ``config.yml`` only where it is not in there.

    Args:
        paths (list of Path): see ``find_runs``.

    Returns:
        tuple: list of Run, in the order of experiment, ID and seed, and a list of messages.
        ``status`` is ``"waiting"`` without ``status.json`` and ``"unreadable"`` where that cannot
        be read, ``config`` is empty where it cannot.  Between them stands a dictionary: experiment
        to list of its configurations.
    """
    folders, messages = find_runs(paths)
    tables, runs = {}, []
    for folder in folders:
        experiment, ID, seed = _place(folder)
        if experiment not in tables:
            tables[experiment] = read_table(Path(experiment, "configs.pkl"), messages)
        table, name = tables[experiment], os.path.basename(experiment)
        if ID not in table:
            table[ID] = read_config(folder.parent / "config.yml", messages) or {}
        state = read_status(folder, messages)
        status = "unreadable" if state is None else state.get("status", "waiting")
        runs.append(Run(folder, name, ID, seed, status, table[ID], {}, state or {}))
    return runs, {name: [*table.values()] for name, table in tables.items()}, messages


def read_state(folder):
    """``status.json`` of a run as it is now; empty if there is none that can be read."""
    return read_status(Path(folder), []) or {}


def iteration_seconds(folder):
    """How long an iteration of a run takes, evaluation included.

    Args:
        folder (Path): a run, ``<ID>/<seed>``.

    Returns:
        float: the median over those of ``timing.journal``, in seconds; 0 if there are none.
    """
    logs = read_log(folder, "timing", []) or {}
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
    return bool(len(columns.get(x, ())) and len(columns.get(split_key(y)[1], ())))
