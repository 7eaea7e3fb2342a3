"""Long tables of rows on disk, for checkpoints: files are appended to, so a save costs what is new.

A table is cut into segments, ``<folder>/<name>/<segment>-<first row>``, that hold its bytes alone.
What of them counts, and its checksum, stands in the manifest of each checkpoint: bytes behind that
are of a save that was never finished, and are overwritten by the next.
"""

import zlib
from pathlib import Path

import numpy as np

from lagom.experiment import storage

_SEGMENT = 2**24  # bytes; a segment goes when no checkpoint needs any of its rows


class RowFiles:
    """The row tables in ``folder``; it knows what has been saved, by itself or before it.

    Args:
        folder (Path): made when needed.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.saved = {}  # name -> entry of the last save

    def write(self, name, rows):
        """Append to table ``name`` the rows that it lacks; return the entry for the manifest.

        Args:
            name (str): becomes the name of a folder.
            rows (Rows): the newest rows, and how many there ever were.
        """
        saved = self.saved.get(name, {"count": 0, "segments": {}})
        per_segment = max(1, _SEGMENT // rows.width)
        start = max(saved["count"], rows.oldest)
        segments = {
            k: entry
            for k, entry in saved["segments"].items()
            if int(k) >= rows.oldest // per_segment and start == saved["count"]
        }
        data = rows.since(start)
        stop = -(-rows.count // per_segment) if start < rows.count else 0
        for k in range(start // per_segment, stop):
            at = max(start, k * per_segment)  # the first new row of this segment
            part = data[at - start : (k + 1) * per_segment - start].tobytes()
            first, checksum = segments.get(str(k), (at, 0))
            storage.append_bytes(
                self.folder / name / f"{k}-{first}", part, offset=(at - first) * rows.width
            )
            segments[str(k)] = [first, zlib.crc32(part, checksum)]
        entry = {
            "count": rows.count,
            "capacity": rows.capacity,
            "width": rows.width,
            "segments": segments,
        }
        self.saved[name] = entry
        return entry

    def read(self, name, entry):
        """The :class:`Rows` that ``entry`` of a manifest describes.

        Raises:
            ValueError: a file is damaged; the message names it.
        """
        from lagom.data.rows import Rows

        if Path(name).name != name:
            raise ValueError(f"{self.folder}: no table can have the name {name!r}")
        count, capacity, width = entry["count"], entry["capacity"], entry["width"]
        rows = Rows(np.zeros((capacity, width), np.uint8), count)
        per_segment, oldest = max(1, _SEGMENT // width), rows.oldest
        for k, (first, checksum) in entry["segments"].items():
            stop = min((int(k) + 1) * per_segment, count)
            path = self.folder / name / f"{k}-{first}"
            with open(path, "rb") as file:
                data = file.read((stop - first) * width)
            if len(data) < (stop - first) * width or zlib.crc32(data) != checksum:
                raise ValueError(f"{path}: damaged (checksum differs)")
            table = np.frombuffer(data, np.uint8).reshape(-1, width)
            keep = max(first, oldest)
            if keep < stop:
                rows.ring[rows.slots(keep, stop)] = table[keep - first :]
        self.saved[name] = entry
        return rows

    def remove_all_but(self, manifests):
        """Remove the files that no manifest, a dictionary of name to entry each, speaks of."""
        needed = {
            f"{name}/{k}-{first}"
            for manifest in manifests
            for name, entry in manifest.items()
            for k, (first, _) in entry["segments"].items()
        }
        for path in [*self.folder.glob("*/*")]:
            if f"{path.parent.name}/{path.name}" not in needed:
                path.unlink()
        for folder in [*self.folder.glob("*"), self.folder]:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
