"""The logs of a job on disk: journals while it runs, and the reading of journals and pickles.

A journal grows by whole, checksummed lines; reading one runs no code.
"""

import errno
import io
import json
import os
import re
import time
import zlib
from pathlib import Path

from lagom.experiment import storage

_SYNC_SECONDS = 5.0  # a power cut may cost this much of a journal
_ROW = re.compile(rb"[0-9a-f]{8} \d+ \{")  # how the line of a row begins


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
    logs = storage.read_pickle(pickled)
    if (
        not isinstance(logs, dict)
        or not all(isinstance(k, str) and isinstance(v, list) for k, v in logs.items())
        or len({len(column) for column in logs.values()}) > 1
    ):
        raise ValueError(f"{pickled}: not a log; expected a dictionary of lists of equal length")
    return logs, 0
