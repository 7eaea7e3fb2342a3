"""State on disk: trees of plain values and arrays, and checkpoints of them.

A checkpoint is a folder that counts once its manifest stands in it, and only while every file has
the hash noted there.  Text is JSON, numbers are safetensors: nothing read here can run code.
"""

import hashlib
import os
import re
import shutil
from pathlib import Path

import numpy as np

from lagom.experiment import storage
from lagom.experiment.row_files import RowFiles

_LEFTOVER = ".[0-9]*.*"  # what a killed process did not finish, or did not finish removing
_MARKS = {"__array__", "__tensor__", "__tuple__", "__items__", "__rows__"}


def pack(tree):
    """Split a tree of state into JSON values and named arrays.

    Args:
        tree (object): nested dictionaries, lists and tuples of numbers, strings, None, NumPy
            arrays, tensors and :class:`Rows`.

    Returns:
        tuple: the tree with arrays replaced by their names, and a dictionary of NumPy arrays, which
        are copies, and of Rows, which are not.

    Raises:
        TypeError: the tree holds anything else; the message names the place.
    """
    from lagom.data.rows import Rows

    arrays = {}

    def store(x, where):
        name = f"{where}~{len(arrays)}" if where in arrays else where  # "a.b" and "a" -> "b"
        arrays[name] = x.copy(order="C") if isinstance(x, np.ndarray) else x
        return name

    def walk(x, where):
        if x is None or isinstance(x, bool | int | float | str):
            return x
        if isinstance(x, np.generic) and x.dtype.kind in "biufU":
            return x.item()
        if isinstance(x, np.ndarray) and x.dtype.kind in "biuf":
            return {"__array__": store(x, where)}
        if isinstance(x, Rows):
            return {"__rows__": store(x, where)}
        if type(x).__module__.split(".")[0] == "torch" and hasattr(x, "detach"):
            return {"__tensor__": store(x.detach().cpu().numpy(), where)}
        if isinstance(x, dict):
            if all(isinstance(key, str) for key in x) and not _MARKS & x.keys():
                return {key: walk(value, f"{where}.{key}") for key, value in x.items()}
            items = [[walk(key, f"{where}.key"), walk(v, f"{where}.{key}")] for key, v in x.items()]
            return {"__items__": items}
        if isinstance(x, list | tuple):
            values = [walk(value, f"{where}.{i}") for i, value in enumerate(x)]
            return values if isinstance(x, list) else {"__tuple__": values}
        raise TypeError(f"state{where}: cannot save a {type(x).__name__}; expected plain values")

    return walk(tree, ""), arrays


def unpack(tree, arrays):
    """The tree that ``pack`` took apart, with tensors on the CPU."""
    if isinstance(tree, list):
        return [unpack(value, arrays) for value in tree]
    if not isinstance(tree, dict):
        return tree
    if "__array__" in tree or "__rows__" in tree:
        return arrays[tree.get("__array__", tree.get("__rows__"))]
    if "__tensor__" in tree:
        import torch

        return torch.from_numpy(arrays[tree["__tensor__"]])
    if "__tuple__" in tree:
        return tuple(unpack(value, arrays) for value in tree["__tuple__"])
    if "__items__" in tree:
        return {unpack(key, arrays): unpack(value, arrays) for key, value in tree["__items__"]}
    return {key: unpack(value, arrays) for key, value in tree.items()}


def write_arrays(path, arrays):
    """Replace ``path`` by a safetensors file of named NumPy arrays."""
    from safetensors.numpy import save

    storage.write_bytes(path, save({key: arrays[key] for key in sorted(arrays)}))


def read_arrays(path):
    """The named NumPy arrays of a safetensors file.

    Raises:
        ValueError: the file is damaged; the message names it.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:  # load gives read-only views
        return {key: array.copy() for key, array in load(Path(path).read_bytes()).items()}
    except SafetensorError as error:
        raise ValueError(f"{path}: not readable as safetensors ({error})") from None


def write_checkpoint(folder, timestep, state, keep, row_files=None):
    """Save ``state`` as ``folder/<timestep>`` and remove all but the newest ``keep`` checkpoints.

    The checkpoint is on the disk, under its name, before an older one goes.  Tables of rows lie in
    ``folder/rows``, shared by the checkpoints; ``row_files`` (RowFiles) knows what is there.
    """
    from lagom.data.rows import Rows

    folder = Path(folder)
    row_files = row_files or RowFiles(folder / "rows")
    folder.mkdir(exist_ok=True)
    for leftover in folder.glob(_LEFTOVER):
        shutil.rmtree(leftover)
    temporary = folder / f".{timestep}.{os.getpid()}"
    temporary.mkdir()
    tree, arrays = pack(state)
    rows = {name: arrays.pop(name) for name in [*arrays] if isinstance(arrays[name], Rows)}
    storage.write_json(temporary / "state.json", tree)
    write_arrays(temporary / "arrays.safetensors", arrays)
    files = {file.name: _hash(file) for file in sorted(temporary.iterdir())}
    entries = {name: row_files.write(name.lstrip("."), x) for name, x in rows.items()}
    manifest = {"format": storage.FORMAT, "timestep": timestep, "sha256": files, "rows": entries}
    storage.write_json(temporary / "manifest.json", manifest)
    final = folder / str(timestep)
    if final.exists():  # a damaged one that was passed over on resuming
        final.rename(folder / f".{timestep}.old")
    temporary.rename(final)
    storage.sync_folder(folder)
    remove_old(folder, keep, row_files)


def remove_old(folder, keep, row_files):
    """Remove all but the newest ``keep`` checkpoints in ``folder``, and what they alone need."""
    for old in [*_checkpoints(folder)[keep:], *folder.glob(_LEFTOVER)]:
        shutil.rmtree(old)
    if row_files.folder.is_dir():
        row_files.remove_all_but(map(_rows_of, _checkpoints(folder)))


def read_checkpoint(folder, row_files=None):
    """The newest undamaged checkpoint in ``folder``.

    Args:
        folder (Path): with checkpoints.
        row_files (RowFiles): learns which rows are there, for the next ``write_checkpoint``.

    Returns:
        tuple: the state, or None if there is no checkpoint; and a list of messages about damaged
        checkpoints that were passed over.

    Raises:
        ValueError: there are checkpoints, but all of them are damaged.
    """
    complaints = []
    row_files = row_files or RowFiles(Path(folder) / "rows")
    for path in _checkpoints(Path(folder)):
        row_files.saved = {}
        try:
            manifest = storage.read_json(path / "manifest.json")
            if manifest["format"] > storage.FORMAT:
                raise ValueError(f"{path}: written by a newer lagom")
            for name, digest in manifest["sha256"].items():
                if _hash(path / name) != digest:
                    raise ValueError(f"{path}: damaged ({name}: hash differs)")
            arrays = read_arrays(path / "arrays.safetensors")
            for name, entry in manifest.get("rows", {}).items():
                arrays[name] = row_files.read(name.lstrip("."), entry)
            return unpack(storage.read_json(path / "state.json"), arrays), complaints
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            complaints.append(str(error) if str(path) in str(error) else f"{path}: {error!r}")
    if complaints:
        raise ValueError(
            f"{folder}: no usable checkpoint; start anew with fresh=true\n" + "\n".join(complaints)
        )
    return None, []


def _checkpoints(folder):
    """Checkpoint folders, newest first."""
    found = [path for path in folder.glob("*") if re.fullmatch(r"\d+", path.name)]
    return sorted(found, key=lambda path: int(path.name), reverse=True)


def _rows_of(checkpoint):
    """What the manifest says of rows, by the names of their folders."""
    try:
        rows = storage.read_json(checkpoint / "manifest.json")["rows"]
        return {name.lstrip("."): entry for name, entry in rows.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # damaged; nothing can be read back by it


def _hash(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
