"""Every write to disk, and the reading of what was written.

A file is replaced whole or not at all.  Nothing read here can run code: text is JSON or YAML, and
pickles may hold plain values only.
"""

import errno
import fcntl
import io
import json
import os
import pickle
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml

FORMAT = 1  # of journals, checkpoints and policies; raised when an older lagom could not read them


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


def append_bytes(path, data, offset):
    """Write ``data`` into the file ``path`` at ``offset``, drop what lay behind, wait for the disk.

    The caller notes elsewhere, afterwards, how much of the file counts.
    """
    path = Path(path)
    is_new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        file.truncate(offset)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
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


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # 6x faster
    """Refuses deep values: the C loader would run out of stack, and end the process."""

    depth = 0

    def descend_resolver(self, parent, index):
        self.depth += 1
        if self.depth > 200:
            raise yaml.YAMLError("more than 200 levels deep")

    def ascend_resolver(self):
        self.depth -= 1


def read_yaml(path):
    """What the YAML file ``path`` holds: plain values only, no more than 200 levels deep.

    Raises:
        ValueError: the file is not YAML or asks for objects; the message names it.
    """
    data = Path(path).read_bytes()
    try:
        return yaml.load(data, _Loader)
    except Exception as error:  # a tag of a wrong value, such as !!bool x, raises nearly everything
        raise ValueError(f"{path}: not readable as YAML ({' '.join(str(error).split())})") from None


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


@contextmanager
def lock(folder, name=".lock", wait=False):
    """Hold ``folder`` for this process alone; the lock dies with the process.

    Args:
        folder (Path): what to hold.
        name (str): of the file in it that is locked; whoever locks another does not collide.
        wait (bool): until no other process holds it.

    Raises:
        BlockingIOError: another process holds it; the message names its pid and host.
    """
    path = Path(folder) / name
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            owner = os.read(file, 200).decode(errors="replace") or "another process"
            raise BlockingIOError(f"{folder}: in use by {owner}") from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"pid {os.getpid()} on {os.uname().nodename}".encode(), 0)
        yield
    finally:
        os.close(file)


def remove_leftovers(folder, below="**"):
    """Remove the temporary files that killed processes left in ``folder``, which must be locked.

    ``below`` is a pattern: of the folders in ``folder``, itself among them, where to look.
    """
    for leftover in Path(folder).glob(f"{below}/.*.tmp"):
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
