"""Configurations: fixed values, grids, samples and conditions, expanded into plain dictionaries."""

import copy
import inspect
import itertools
import zlib

import numpy as np


class Grid(list):
    """Values to be combined with those of all other grids.

    Args:
        values (list): the values.
    """


class Sample:
    """A value drawn anew for every configuration.

    Args:
        f (callable): called without arguments, or with a ``numpy.random.Generator`` if it takes one
            argument; such draws are seeded, and depend on nothing but the seed, the key, the grid
            values and the number of the sample.
    """

    def __init__(self, f):
        self.f = f
        self.takes_rng = bool(_positional(f))

    def __call__(self, *args):
        """The next value."""
        return self.f(*args)


class Condition:
    """A value computed from the other values of its configuration.

    Args:
        f (callable): called with the configuration so far: all fixed, grid and sampled values, and
            the conditions before this one.

    Raises:
        TypeError: ``f`` is not callable.
    """

    def __init__(self, f):
        if not callable(f):
            raise TypeError(f"Condition: got {f!r}; expected a function of the configuration")
        self.f = f

    def __call__(self, config):
        """The value that fits ``config``."""
        return self.f(config)


class Config:
    """All configurations of an experiment.

    Args:
        items (dict): key -> fixed value, :class:`Grid`, :class:`Sample` or :class:`Condition`.  A
            plain list is a fixed value.
        num_sample (int): draws of each sample, for every combination of grid values; without a
            sample, 1.
        keep_dict_order (bool): keep the order of ``items``; otherwise fixed values come first, then
            grids, then samples.
        seed (int): of samples that take a generator.

    Raises:
        TypeError: ``items`` is not a dictionary.

    Example:
        >>> config = Config({"log.dir": "some path", "network.lr": Grid([1e-3, 5e-3]),
        ...                  "env.id": Grid(["CartPole-v1", "Ant-v2"])})
        >>> for c in config.make_configs():
        ...     print(c["ID"], c["network.lr"], c["env.id"])
        0 0.001 CartPole-v1
        1 0.001 Ant-v2
        2 0.005 CartPole-v1
        3 0.005 Ant-v2
    """

    def __init__(self, items, num_sample=1, keep_dict_order=False, seed=0):
        if not isinstance(items, dict):
            raise TypeError(f"Config: items is a {type(items).__name__}; expected a dict")
        self.items, self.num_sample = items, num_sample
        self.keep_dict_order, self.seed = keep_dict_order, seed

    def make_configs(self):
        """A list of dictionaries with ``ID`` 0, 1, ...; the last grid key varies fastest."""
        items = self.items
        grid = {key: x for key, x in items.items() if isinstance(x, Grid)}
        samples = {key: x for key, x in items.items() if isinstance(x, Sample)}
        conditions = {key: x for key, x in items.items() if isinstance(x, Condition)}
        order = [*items]
        if not self.keep_dict_order:
            order.sort(key=lambda key: (key in samples) * 2 + (key in grid))  # stable

        configs = []
        for i in range(self.num_sample if samples else 1):
            for values in itertools.product(*grid.values()):
                point = dict(zip(grid, values, strict=True))
                drawn = {key: self._draw(x, key, point, i) for key, x in samples.items()}
                config = {"ID": len(configs)}
                for key in order:  # conditions keep their place until they are resolved
                    config[key] = copy.deepcopy({**items, **point, **drawn}[key])
                for key, condition in conditions.items():
                    config[key] = condition(config)
                configs.append(config)
        return configs

    def _draw(self, sample, key, point, i):
        if not sample.takes_rng:
            return sample()
        words = [zlib.crc32(text.encode()) for text in (key, repr(sorted(point.items())))]
        return sample(np.random.default_rng([self.seed, *words, i]))


def _positional(f):
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):  # builtins without a signature
        return []
    required = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p for p in parameters if p.kind in required and p.default is p.empty]
