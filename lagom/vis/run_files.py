"""The files of a run and of its configuration, also where a stranger wrote them.

Each reader adds to ``messages`` what it could not read, and goes on.
"""

import math
import os
import stat
from functools import partial

from lagom.experiment.journal import read_logs
from lagom.experiment.storage import read_json, read_pickle, read_yaml
from lagom.vis.series import DERIVED, derive, numbers, read_columns

_STATUS = ("waiting", "running", "done", "failed", "diverged", "stopped")
_MAX_CONFIG = 1_000_000  # bytes; of status.json too
_MAX_TABLE = 100_000_000  # bytes, and values and characters, of an experiment's configurations


def read_config(path, messages):
    """The flat configuration in the file ``path``; None, and why in ``messages``, without one."""
    try:
        config = read_yaml(_file(path, _MAX_CONFIG, "a configuration"))
        _check_config(path, config)
        if not _is_small(config):
            raise ValueError(f"{path}: too deep or too many values; expected a flat configuration")
        return config
    except (OSError, ValueError) as error:
        messages.append(_reason(error))


def read_table(path, messages):
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


def read_status(folder, messages):
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


def read_xy_log(folder, log, x, y, whole, messages):
    """The columns of a log, ``x`` among them; as ``read_log``."""
    derived = x in DERIVED and not (log == "train" and x != "seconds")
    names = None if whole else dict.fromkeys(["timestep" if derived else x, y])
    columns = read_log(folder, log, messages, names)
    if not derived or not columns or x in columns:
        return columns
    other, names = ("timing", ()) if x == "seconds" else ("train", ("timestep", x))
    clock = read_log(folder, other, messages, names) or {}
    steps = numbers(columns.get("timestep", []))
    return {**columns, x: derive(x, steps, clock)} if len(steps) else columns


def read_log(folder, log, messages, names=None):
    """The columns; {} if nothing is logged yet; None and a message if they cannot be read.

    Args:
        folder (Path): the run.
        log (str): ``"train"``, ``"eval"`` or ``"timing"``.
        messages (list): what could not be read is added.
        names (iterable of str): see ``read_columns``; by default all columns as they were logged.
    """
    journal = folder / f"{log}.journal"
    try:
        read = read_logs if names is None else partial(read_columns, names=names)
        columns, num_damaged = read(folder, log)
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
