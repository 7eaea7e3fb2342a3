"""Observations and actions of any kind: arrays, or dictionaries and tuples of arrays, nested.

As in Gymnasium's vector environments, ``B`` nested observations are not a list but one structure
whose leaves are arrays ``[B, ...]``.  Everything that is neither a dictionary nor a tuple is a
leaf, so all of this also works on a single array, at the price of one call.
"""

from operator import setitem

import numpy as np


def map_leaves(f, x, *others):
    """The structure of ``x`` with ``f(leaf, *other leaves)`` in the place of each leaf.

    Args:
        f (function): of as many arguments as there are structures.
        x (object): a leaf, or a dictionary or tuple of such, nested.
        *others (object): structured alike; keys that ``x`` lacks are left out.

    Example:
        >>> map_leaves(lambda a, b: a + b, {"x": 1, "y": (2, 3)}, {"y": (20, 30), "x": 10})
        {'x': 11, 'y': (22, 33)}
    """
    if isinstance(x, dict):
        return {k: map_leaves(f, part, *(other[k] for other in others)) for k, part in x.items()}
    if isinstance(x, tuple):
        return tuple(map_leaves(f, *parts) for parts in zip(x, *others, strict=True))
    return f(x, *others)


def flat(x) -> list:
    """The leaves of ``x``, in order."""
    if isinstance(x, dict | tuple):
        parts = x.values() if isinstance(x, dict) else x
        return [leaf for part in parts for leaf in flat(part)]
    return [x]


def names(x, name=""):
    """The structure of ``x`` with the leaves' own dotted names in their place.

    Example:
        >>> names({"x": 1, "y": (2, 3)}, "observation")
        {'x': 'observation.x', 'y': ('observation.y.0', 'observation.y.1')}
    """
    if not isinstance(x, dict | tuple):
        return name
    parts = x.items() if isinstance(x, dict) else enumerate(x)
    named = {key: names(part, f"{name}.{key}" if name else str(key)) for key, part in parts}
    return named if isinstance(x, dict) else tuple(named.values())


def simple_spaces(space):
    """A Gymnasium space as dictionaries and tuples of the spaces that are neither."""
    from gymnasium.spaces import Dict, Tuple

    if isinstance(space, Dict):
        return {key: simple_spaces(part) for key, part in space.spaces.items()}
    if isinstance(space, Tuple):
        return tuple(simple_spaces(part) for part in space.spaces)
    return space


def joint_space(x):
    """The Gymnasium space of dictionaries and tuples of spaces; undoes :func:`simple_spaces`."""
    from gymnasium.spaces import Dict, Tuple

    if isinstance(x, dict):
        return Dict([(key, joint_space(part)) for key, part in x.items()])  # a dict it would sort
    return Tuple([joint_space(part) for part in x]) if isinstance(x, tuple) else x


def index(x, i):
    """``leaf[i]`` of each leaf; ``i`` may be anything that arrays are indexed with."""
    return map_leaves(lambda leaf: leaf[i], x)


def assign(x, i, value):
    """``leaf[i] = value`` for each leaf, in place."""
    if type(x) is np.ndarray:  # half the time
        x[i] = value
        return
    map_leaves(lambda leaf, part: setitem(leaf, i, part), x, value)


def num_rows(x) -> int:
    """The length of the leaves along their first axis, as the first one has it."""
    while isinstance(x, dict | tuple):
        x = x[0] if isinstance(x, tuple) else next(iter(x.values()))
    return len(x)


def stack(rows):
    """One structure of arrays with a new first axis from a list of structures."""
    return map_leaves(lambda *parts: np.array(parts), *rows)  # several times as fast as np.stack


def concatenate(batches):
    """One structure of arrays, joined along the first axis, from a list of structures."""
    return map_leaves(lambda *parts: np.concatenate(parts), *batches)


def rows(x) -> list:
    """The structures of single rows that ``x`` is made of; undoes :func:`stack`."""
    return [index(x, i) for i in range(num_rows(x))]


def split(x, size) -> list:
    """Structures of at most ``size`` rows each, from one of tensors."""
    parts = map_leaves(lambda leaf: [*leaf.split(size)], x)
    return [index(parts, i) for i in range(num_rows(parts))]


def to_tensors(x, device):
    """Tensors on ``device`` in the place of arrays; floats become float32, all else stays."""
    import torch

    def convert(leaf):
        leaf = np.asarray(leaf)
        leaf = leaf.astype(np.float32, copy=False) if leaf.dtype.kind == "f" else leaf
        return torch.as_tensor(leaf, device=device)

    return map_leaves(convert, x)
