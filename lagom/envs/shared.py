"""Arrays that several processes see, in memory without a name: nothing is left when all die."""

import mmap
import os
import tempfile

import numpy as np


def allocate(layout):
    """Return the descriptor of zeroed memory that holds the arrays of ``layout``."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("lagom")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, max(1, sum(_nbytes(*entry) for entry in layout)))
    return fd


def attach(fd, layout):
    """Return the arrays of ``layout`` in the memory behind ``fd``, which is closed.

    Args:
        fd (int): from :func:`allocate`, of this process or sent from another.
        layout (list): (shape, dtype) of each array.

    Returns:
        list: arrays that can be written to; the memory lives as long as any of them, anywhere.
    """
    size = max(1, sum(_nbytes(*entry) for entry in layout))
    memory, begin, arrays = mmap.mmap(fd, size), 0, []
    os.close(fd)
    for shape, dtype in layout:
        count = int(np.prod(shape))
        # Begins may be at odd places: NumPy reads and writes those as well, only slower.
        arrays.append(np.frombuffer(memory, dtype, count, begin).reshape(shape))
        begin += _nbytes(shape, dtype)
    return arrays


def _nbytes(shape, dtype):
    """Bytes of an array, in whole lines of the cache: two processes do not write into one."""
    return -(-int(np.prod(shape)) * np.dtype(dtype).itemsize // 64) * 64
