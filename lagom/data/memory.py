"""How much memory there is for replay buffers."""

import os
from pathlib import Path


def check_memory(num, width, what="rows"):
    """Refuse to reserve ``num`` times ``width`` bytes where there cannot be as many.

    Raises:
        ValueError: there is less memory than that.
    """
    needed, there = num * width, _memory()
    if needed > there:
        raise ValueError(
            f"ReplayBuffer: {num} {what} take {needed / 1e9:.1f} GB; expected at most "
            f"the {there / 1e9:.1f} GB of memory here; lower the capacity"
        )


def _memory():
    """Bytes of memory for this process: the machine's, or its share of that in a container."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = Path("/sys/fs/cgroup/memory.max")
    share = limit.read_text().strip() if limit.exists() else "max"
    return total if share == "max" else min(total, int(share))
