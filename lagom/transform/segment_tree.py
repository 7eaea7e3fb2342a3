"""Segment trees: arrays that know the sum, the minimum, ... of any of their stretches."""

import operator
from itertools import pairwise

import numpy as np

_ARITY = 16  # children of a node, two cache lines; a binary tree takes three times as long
_TOP = 4096  # up to so many nodes of one level are searched at once, by bisection


class SegmentTree:
    """An array of numbers whose stretches are reduced in logarithmic time.

    Elements are read and written as those of an array: ``tree[3]``, or many at once, ``tree[index]
    = values``; where an index occurs twice its last value stays.  Nodes are computed from
    their children, never corrected by differences, so that rounding does not add up.

    Args:
        capacity (int): number of elements, a power of two.
        operation (callable): associative, of two arguments, such as ``operator.add`` or ``min``;
            NumPy's functions (``np.add``, ``np.minimum``) do the same many times faster.
        identity_element (float): what changes nothing, 0 for a sum; every element at first.

    Raises:
        ValueError: if ``capacity`` is not a power of two.

    Example:
        >>> tree = SegmentTree(4, max, float("-inf"))
        >>> tree[[0, 2, 3]] = [5.0, 1.0, 3.0]
        >>> tree.reduce(), tree.reduce(1, 3), tree[0]
        (5.0, 1.0, 5.0)
    """

    def __init__(self, capacity, operation, identity_element):
        capacity = operator.index(capacity)
        if capacity < 1 or capacity & (capacity - 1):
            raise ValueError(
                f"{type(self).__name__}: capacity {capacity} is not a power of two; "
                f"the next one is {1 << max(capacity, 0).bit_length()}"
            )
        self.capacity = capacity
        self.operation = operation
        self.identity_element = identity_element
        ufunc = operation if isinstance(operation, np.ufunc) else np.frompyfunc(operation, 2, 1)
        self._reduce = ufunc.reduce
        sizes = [capacity]
        while sizes[-1] > 1:
            sizes.append(max(sizes[-1] // _ARITY, 1))
        self._levels = [np.full(size, identity_element, np.float64) for size in sizes]  # leaves up

    def __getitem__(self, index):
        """Return the element at ``index`` (int), or the array of those at many (ints, a slice)."""
        x = self._levels[0][self._integers(index)]
        return float(x) if x.ndim == 0 else x

    def __setitem__(self, index, value):
        """Write ``value``, one for all or one each, at ``index`` (int, ints or a slice)."""
        index = self._integers(index)
        self._levels[0][index] = value
        for level, parents in pairwise(self._levels):
            rows = level.reshape(len(parents), -1)  # a row of children per parent
            if index.size < len(parents):
                index = index // rows.shape[1]
                parents[index] = self._reduce(rows.take(index, axis=0), axis=-1)
            else:
                parents[:] = self._reduce(rows, axis=-1)

    def _integers(self, index):
        """``index`` as an array of integers."""
        if isinstance(index, slice):
            return np.arange(self.capacity)[index]
        integers = np.asarray(index)
        if integers.dtype.kind not in "iu":  # booleans would select, not address
            raise TypeError(
                f"{type(self).__name__}: index is {index!r}; expected integers or a slice"
            )
        return integers

    def reduce(self, start=0, end=None):
        """Combine the elements from ``start`` to ``end``, in their order.

        Args:
            start (int): the first one; negative counts from the capacity.
            end (int, optional): the one after the last, as in a slice; by default the capacity.

        Returns:
            float: ``identity_element`` if there are none.
        """
        start, end, _ = slice(start, end).indices(self.capacity)
        left, right = [], []  # stretches at both ends that nodes of the next level do not cover
        for level in self._levels:
            first, last = -(-start // _ARITY), end // _ARITY
            if first >= last:
                break
            left.append(level[start : first * _ARITY])
            right.append(level[last * _ARITY : end])
            start, end = first, last
        pieces = np.concatenate([*left, level[start:end], *reversed(right)])
        return float(self._reduce(pieces, initial=self.identity_element))

    def state_dict(self):
        """Return the elements."""
        return {"elements": self._levels[0].copy()}

    def load_state_dict(self, state):
        """Go on from what ``state_dict`` returned.

        Raises:
            ValueError: if it was taken from a tree of another capacity.
        """
        elements = np.asarray(state["elements"])
        if elements.shape != (self.capacity,):
            raise ValueError(
                f"{type(self).__name__}: got elements of shape {elements.shape}; "
                f"expected ({self.capacity},)"
            )
        self[:] = elements


class SumTree(SegmentTree):
    """Priorities, their sums, and draws in proportion to them.

    Args:
        capacity (int): number of priorities, a power of two; all are 0 at first.

    Raises:
        ValueError: if ``capacity`` is not a power of two, or a priority written is negative or NaN.

    Example:
        >>> tree = SumTree(4)
        >>> tree[[2, 3]] = [1.0, 3.0]
        >>> tree.sum(), tree.sum(0, 3)
        (4.0, 1.0)
        >>> tree.find_prefixsum_index([0.0, 0.99, 1.0, 4.0])
        array([2, 2, 3, 3])

    Reference:
        Schaul et al., Prioritized Experience Replay, 2016 (arXiv:1511.05952), appendix B.2.1.
    """

    def __init__(self, capacity):
        super().__init__(capacity, np.add, 0.0)

    def __setitem__(self, index, value):
        value = np.asarray(value, np.float64)
        if not (value >= 0).all():
            wrong = value[~(value >= 0)]
            raise ValueError(f"SumTree: priority is {float(wrong[0])!r}; expected 0 or more")
        super().__setitem__(index, value)

    def sum(self, start=0, end=None):
        """Return the sum of the priorities from ``start`` to ``end``, as in a slice."""
        return self.reduce(start, end)

    def find_prefixsum_index(self, prefixsum):
        """Return the highest index before which the priorities sum up to ``prefixsum`` or less.

        With ``prefixsum`` uniform in ``[0, sum())`` each index is drawn in proportion to its
        priority, and one of priority 0 never, not at the very end either.

        Args:
            prefixsum (float or ndarray): ``[...]``, from 0 to ``sum()``; an excess of 1e-5 (times
                the sum, if that is above 1) counts as rounding.

        Returns:
            int or ndarray: ``[...]`` int64.

        Raises:
            ValueError: if ``prefixsum`` is out of range, or there is no positive priority.
        """
        prefixsum = np.asarray(prefixsum, np.float64)
        total = float(self._levels[-1][0])
        if not total > 0:
            raise ValueError("SumTree: every priority is 0; expected a positive one to find")
        wrong = ~((prefixsum >= 0) & (prefixsum <= total + 1e-5 * max(total, 1.0)))
        if wrong.any():
            raise ValueError(
                f"SumTree: prefixsum is {float(prefixsum[wrong][0])!r}; "
                f"expected a number from 0 to {total!r}"
            )
        depth = next(i for i, level in enumerate(self._levels) if len(level) <= _TOP)
        sums = _sums_before(self._levels[depth])
        rest = _below(prefixsum.ravel(), sums[-1])  # [N]
        node = sums.searchsorted(rest, side="right") - 1  # [N]
        rest -= sums[node]
        N = np.arange(len(node))
        for level in reversed(self._levels[:depth]):
            sums = _sums_before(level.reshape(-1, _ARITY).take(node, axis=0).T)  # [_ARITY + 1, N]
            rest = _below(rest, sums[-1])
            child = (sums[1:] <= rest).sum(0)
            rest -= sums[child, N]
            node = node * _ARITY + child
        return node.reshape(prefixsum.shape) if prefixsum.ndim else int(node[0])


def _sums_before(x):
    """Sums of what stands before each row of ``x`` ``[K, ...]``, and of all: ``[K + 1, ...]``."""
    sums = np.zeros((len(x) + 1, *x.shape[1:]))
    np.cumsum(x, axis=0, out=sums[1:])
    return sums


def _below(x, total):
    """``x``, or if it is not less than ``total``, the number next to that."""
    return np.minimum(x, np.nextafter(total, 0.0))


class MinTree(SegmentTree):
    """Numbers and their minima.

    Args:
        capacity (int): number of elements, a power of two; all are infinite at first.

    Raises:
        ValueError: if ``capacity`` is not a power of two.

    Example:
        >>> tree = MinTree(4)
        >>> tree[[0, 2, 3]] = [1.0, 0.5, 3.0]
        >>> tree.min(), tree.min(0, 2), tree.min(1, 2)
        (0.5, 1.0, inf)
    """

    def __init__(self, capacity):
        super().__init__(capacity, np.minimum, np.inf)

    def min(self, start=0, end=None):
        """Return the smallest element from ``start`` to ``end``, as in a slice; ``inf`` of none."""
        return self.reduce(start, end)
