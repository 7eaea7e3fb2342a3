"""A table of bytes that only grows, of which a ring keeps the newest rows."""

import numpy as np


class Rows:
    """A ring of byte rows, and how many rows were ever written to it.

    Row ``r``, counted from the beginning, lies in ``ring[r % capacity]``.  Once counted it does not
    change until it is overwritten, so who saved ``count`` rows before needs only the later ones.
    The slot of row ``count`` is open: its owner may be writing there, hence the oldest row that can
    be relied on is ``oldest``.

    It is a window on the ring of its owner, not a copy: save it before the owner goes on.

    Args:
        ring (ndarray): ``[capacity, width]`` uint8, not necessarily contiguous.
        count (int): number of rows ever completed.

    Raises:
        ValueError: if the ring is not such an array, or the count is negative.

    Example:
        >>> rows = Rows(np.zeros((3, 1), np.uint8), count=0)
        >>> rows.extend(np.array([[1], [2], [3], [4]], np.uint8))
        >>> rows.count, rows.oldest, rows.since(0).tolist()
        (4, 2, [[3], [4]])
    """

    def __init__(self, ring, count=0):
        if ring.ndim != 2 or ring.dtype != np.uint8 or len(ring) < 2:
            raise ValueError(
                f"Rows: ring is {ring.dtype} of shape {ring.shape}; expected uint8 "
                "[capacity, width] with a capacity of at least 2"
            )
        if count < 0:
            raise ValueError(f"Rows: count is {count!r}; expected a number of rows")
        self.ring, self.count = ring, int(count)

    @property
    def capacity(self):
        """Slots of the ring; one of them is open."""
        return len(self.ring)

    @property
    def width(self):
        """Bytes in a row."""
        return self.ring.shape[1]

    @property
    def oldest(self):
        """Number of the oldest row that still is in the ring."""
        return max(0, self.count - self.capacity + 1)

    def since(self, start):
        """Copy of the rows ``max(start, oldest) ... count - 1``, ``[N, width]`` uint8.

        Raises:
            ValueError: if ``start`` is beyond ``count``.
        """
        if start > self.count:
            raise ValueError(f"Rows.since: start is {start!r}; expected at most {self.count}")
        return self.ring[self.slots(max(start, self.oldest), self.count)]

    def extend(self, rows):
        """Append ``rows``, ``[N, width]`` uint8; only the newest stay in the ring.

        Raises:
            ValueError: if ``rows`` has another width or dtype.
        """
        if rows.ndim != 2 or rows.dtype != np.uint8 or rows.shape[1] != self.width:
            raise ValueError(
                f"Rows.extend: got {rows.dtype} of shape {rows.shape}; "
                f"expected uint8 [N, {self.width}]"
            )
        self.count += len(rows)
        kept = rows[-self.capacity :]
        self.ring[self.slots(self.count - len(kept), self.count)] = kept

    def slots(self, start, stop):
        """Where in the ring the rows ``start ... stop - 1`` lie."""
        return np.arange(start, stop) % self.capacity
