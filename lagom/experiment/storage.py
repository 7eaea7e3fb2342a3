"""Every write to disk, and the reading of what was written.

A file is replaced whole or not at all; a journal grows by whole, checksummed lines.  Nothing read
here can run code: text is JSON or YAML, and pickles may hold plain values only.
"""

import errno
import fcntl
import io
import json
import os
import pickle
import re
import time
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml

FORMAT = 1  # of journals, checkpoints and policies; raised when an older lagom could not read them
_SYNC_SECONDS = 5.0  # a power cut may cost this much of a journal
_ROW = re.compile(rb"[0-9a-f]{8} \d+ \{")  # how the line of a row begins


# Whole files --------------------------------------------------------------------------------------


def write_bytes(path, data, sync=True):
    """Replace the file ``path`` by ``data``: readers see the old or the new content, never a part.

    ``sync=False`` skips waiting for the disk, for files that are rewritten every moment.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(path.parent)


def write_json(path, value, sync=True):
    """Replace ``path`` by ``value`` as indented JSON; NaN and infinities are kept."""
    write_bytes(path, (json.dumps(value, indent=1) + "\n").encode(), sync)


def read_json(path):
    """What the JSON file ``path`` holds.

    Raises:
        ValueError: the file is not JSON; the message names it.
    """
    try:
        return json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not readable as JSON ({error})") from None


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_multi_representer(np.generic, lambda dumper, x: dumper.represent_data(x.item()))


def write_yaml(path, value):
    """Replace ``path`` by ``value`` as YAML: keys in order, NumPy's scalars as plain numbers."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    write_bytes(path, text.encode())


def read_yaml(path):
    """What the YAML file ``path`` holds: plain values only.

    Raises:
        ValueError: the file is not YAML or asks for objects; the message names it.
    """
    try:
        return yaml.safe_load(Path(path).read_bytes())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not readable as YAML ({error})") from None


def write_pickle(path, value):
    """Replace ``path`` by a pickle of plain ``value``; equal values give equal bytes."""
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol=5)
    pickler.fast = True  # no memo: the bytes depend on the values alone, not on shared objects
    pickler.dump(value)
    write_bytes(path, file.getvalue())


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        raise ValueError(f"asks for {module}.{name}")


def read_pickle(path):
    """What the pickle ``path`` holds, provided that this is plain values only.

    Raises:
        ValueError: the file is damaged, or asks for a class or function; the message names it.
    """
    try:
        with open(path, "rb") as file:
            return _PlainUnpickler(file).load()
    except OSError:
        raise
    except Exception as error:  # damaged pickles raise nearly everything
        raise ValueError(f"{path}: refused, not a pickle of plain values ({error})") from None


def sync_folder(path):
    """Wait until the names in the folder ``path`` are on the disk."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# Journals -----------------------------------------------------------------------------------------


class Journal:
    """An append-only file of rows, one line each: checksum, row number, JSON.

    A row is in the file when ``append`` returns, for other processes too; a crash can cost the last
    line at most, and a damaged line never gives a wrong number.

    Args:
        path (Path): the file; it is made if missing.
        num_row (int): rows to keep of an existing file; what follows them is cut off.
    """

    def __init__(self, path, num_row=0):
        self.path = Path(path)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        self.num_row, self._end = 0, 0
        self._synced = time.monotonic()
        for line in _lines(self.path):
            if self.num_row == num_row:
                break
            row = _parse(line)
            if row is None or row[0] != self.num_row:
                raise ValueError(
                    f"{path}: row {self.num_row} is damaged; expected {num_row} good rows"
                )
            self.num_row, self._end = self.num_row + 1, self._end + len(line)
        if self.num_row < num_row:
            raise ValueError(f"{path}: holds {self.num_row} rows; expected {num_row}")
        os.ftruncate(self._file, self._end)

    def append(self, row):
        """Add ``row``, a dictionary of numbers, strings, None and lists of these."""
        body = f"{self.num_row} {json.dumps(row)}".encode()
        line = b"%08x %s\n" % (zlib.crc32(body), body)
        try:
            written = os.write(self._file, line)
            if written < len(line):  # a full disk first shows as a short write
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        self.num_row, self._end = self.num_row + 1, self._end + len(line)
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            self.sync()

    def sync(self):
        """Wait until all rows are on the disk."""
        os.fsync(self._file)
        self._synced = time.monotonic()

    def close(self):
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _lines(path):
    """Lines with their ends; unlike with ``splitlines``, a damaged byte ``\\r`` ends none."""
    return io.BytesIO(Path(path).read_bytes()).readlines()


def _parse(line):
    """(number, row) of a journal line, or None if it is damaged."""
    body = line[9:-1]
    if line != b"%08x %s\n" % (zlib.crc32(body), body):
        return None
    try:
        number, body = body.split(b" ", 1)
        return int(number), json.loads(body)
    except (ValueError, RecursionError):
        return None


def read_journal(path):
    """The good rows of a journal, also of one that is being written or was damaged.

    Returns:
        tuple: the rows (list of dict), and how many lines were damaged (an unfinished last line is
        normal while a job runs, and does not count).
    """
    rows, damaged = {}, 0
    for line in _lines(path):
        parsed = _parse(line)
        if parsed is None:
            damaged += line.endswith(b"\n")
            # Where the end of a line was hit, the next one hangs on to it.
            starts = [match.start() for match in _ROW.finditer(line, 1)]
            parsed = next(filter(None, (_parse(line[start:]) for start in starts)), None)
        if parsed is not None and isinstance(parsed[1], dict):
            rows[parsed[0]] = parsed[1]
    return [rows[number] for number in sorted(rows)], damaged


def read_logs(folder, name):
    """The columns that a job has logged so far.

    The journal comes first, since it is complete while the job runs; without one the Logger pickle
    is read.

    Args:
        folder (Path): the folder of one job, ``<ID>/<seed>``.
        name (str): ``"train"``, ``"eval"`` or ``"timing"``.

    Returns:
        tuple: a dictionary from column to list, all of equal length (a value that a row lacks is
        ``None``), and the number of damaged lines.

    Raises:
        FileNotFoundError: the job has logged nothing.
        ValueError: what is there cannot be read; the message names the file.
    """
    journal, pickled = Path(folder) / f"{name}.journal", Path(folder) / f"{name}_logs.pkl"
    if journal.is_file():
        rows, damaged = read_journal(journal)
        keys = dict.fromkeys(key for row in rows for key in row)
        return {key: [row.get(key) for row in rows] for key in keys}, damaged
    if not pickled.is_file():
        raise FileNotFoundError(f"{journal}: no such file; the job has logged nothing yet")
    logs = read_pickle(pickled)
    if (
        not isinstance(logs, dict)
        or not all(isinstance(k, str) and isinstance(v, list) for k, v in logs.items())
        or len({len(column) for column in logs.values()}) > 1
    ):
        raise ValueError(f"{pickled}: not a log; expected a dictionary of lists of equal length")
    return logs, 0


# Folders ------------------------------------------------------------------------------------------


@contextmanager
def lock(folder):
    """Hold ``folder`` for this process alone; the lock dies with the process.

    Raises:
        BlockingIOError: another process holds it; the message names its pid and host.
    """
    path = Path(folder) / ".lock"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(file, 200).decode(errors="replace") or "another process"
            raise BlockingIOError(f"{folder}: in use by {owner}") from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"pid {os.getpid()} on {os.uname().nodename}".encode(), 0)
        yield
    finally:
        os.close(file)


def remove_leftovers(folder):
    """Remove the temporary files that killed processes left in ``folder``, which must be locked."""
    for leftover in Path(folder).rglob(".*.tmp"):
        leftover.unlink()


def set_aside(folder):
    """Rename ``folder`` to the first free ``old-<n>-<name>`` beside it; return the new path."""
    folder = Path(folder)
    n = 1
    while (target := folder.with_name(f"old-{n}-{folder.name}")).exists():
        n += 1
    folder.rename(target)
    return target


def is_storage_full(error):
    """Whether an ``OSError`` says that no more can be written (disk, quota, file-size limit)."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
