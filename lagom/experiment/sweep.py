"""From override words to configurations, and from configurations and seeds to jobs.

One grammar, Hydra's own, serves the command line and YAML: ``a=1,2`` is a grid, ``a=interval(0,1)``
(also ``int(...)``, ``tag(log,...)``) a sample, everything else a fixed value.
"""

import csv
import hashlib
import io
import json
import math
import re
from pathlib import Path
from typing import NamedTuple

from lagom.experiment import storage
from lagom.experiment.config import Config, Grid, Sample
from lagom.utils import Seeder

_LOCK = ".plan.lock"  # a study holds .lock of the folder, and plans within it
_BOOKKEEPING = {"seed", "seeds", "name", "fresh", "experiment", "sweep"}  # no hyperparameters


class Job(NamedTuple):
    """One configuration, one seed, one folder."""

    config: dict  # flat, with "ID"
    seed: int
    logdir: Path


def expand(words, num_sample=1, sample_seed=0):
    """Configurations as lists of plain override words.

    Args:
        words (list): overrides; a later word for the same key replaces an earlier one.
        num_sample (int): draws of every interval for each grid point.
        sample_seed (int): seed of the draws.

    Returns:
        tuple: a list with one list of words per configuration, and the keys that vary.

    Raises:
        ValueError: a sweep that is not understood.

    Example:
        >>> expand(["agent.lr=1e-3,3e-4", "seed=1"])
        ([['agent.lr=0.001', 'seed=1'], ['agent.lr=0.0003', 'seed=1']], ['agent.lr'])
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    items = {}
    for override in OverridesParser.create().parse_overrides(words):
        key = override.get_key_element().lstrip("+")  # +a and ++a are a
        items.pop(key, None)
        if not override.is_sweep_override():
            items[key] = override.input_line
        elif override.is_interval_sweep():
            items[key] = Sample(_Interval(key, override.value()))
        else:
            items[key] = Grid(f"{key}={value}" for value in override.sweep_string_iterator())
    configs = Config(items, num_sample, keep_dict_order=True, seed=sample_seed).make_configs()
    varying = [key for key, x in items.items() if isinstance(x, Grid | Sample)]
    return [[config[key] for key in items] for config in configs], varying


class _Interval:
    """A seeded draw from one of Hydra's intervals, as an override word."""

    def __init__(self, key, interval):
        self.key, self.low, self.high = key, interval.start, interval.end
        self.log = "log" in interval.tags
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(
                f"{key}: interval({self.low},{self.high}) is empty; expected low < high"
                + (", both > 0 for a logarithmic one" if self.log else "")
            )

    def __call__(self, rng):
        whole = isinstance(self.low, int)
        low, high = self.low, self.high + whole  # a whole-number interval includes its end
        if self.log:
            x = math.exp(rng.uniform(math.log(low), math.log(high)))
        else:
            x = rng.uniform(low, high)
        return f"{self.key}={min(math.floor(x), self.high) if whole else float(f'{x:.6g}')}"


def parse_seeds(seeds):
    """The list of seeds that ``seeds`` asks for: a number of them, or the list itself.

    Raises:
        ValueError: neither a positive whole number nor a list of different whole numbers.
    """
    if type(seeds) is int and seeds >= 1:
        return Seeder(0)(seeds)
    if isinstance(seeds, list) and seeds and all(type(s) is int and 0 <= s < 2**32 for s in seeds):
        return list(dict.fromkeys(seeds))
    raise ValueError(
        f"seeds: got {seeds!r}; expected a number of seeds such as 5, or a list such as [1,2,3]"
    )


def experiment_name(configs):
    """``<algo>-<env id>`` of the configurations, joined by ``+`` where they differ."""
    parts = []
    for key in ("algo.name", "env.id"):
        values = list(dict.fromkeys(str(config[key]).split(":")[-1] for config in configs))
        parts.append(
            "+".join(values) if len(values) <= 3 else f"{len(values)}-{key.split('.')[0]}s"
        )
    return re.sub(r"[^\w.+-]+", "-", "-".join(parts))


def experiment_folder(root, name):
    """``root/name``.

    Raises:
        ValueError: the name would lead out of ``root``.
    """
    path = Path(str(name))
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"name: {name!r} leads out of {root}; expected a folder name")
    return Path(root) / path


def number(folder, configs):
    """Give each configuration its ID.

    A configuration that ``folder`` knows keeps its ID; a new one gets the next.  Seeds are no part
    of a configuration, so more seeds, samples or grid values extend an experiment.

    Args:
        folder (Path): the experiment's folder; it may be missing.
        configs (list): flat configurations.

    Returns:
        tuple: the configurations with ``ID``, each once, without what is no hyperparameter; and all
        that ``folder`` then knows, by ID.

    Raises:
        ValueError: a configuration in ``folder`` is damaged; the message names it.
    """
    known = {}
    for path in folder.glob("*/config.yml"):
        if path.parent.name.isdigit():
            config = storage.read_yaml(path)
            if not isinstance(config, dict):
                raise ValueError(f"{path}: not a configuration; expected keys and values")
            known[identity(config)] = {**config, "ID": int(path.parent.name)}
    ID = 1 + max((config["ID"] for config in known.values()), default=-1)
    numbered = {}
    for config in configs:
        config = {k: v for k, v in config.items() if k not in _BOOKKEEPING and k != "ID"}
        digest = identity(config)
        if digest not in known:
            known[digest] = {"ID": ID, **config}
            ID += 1
        numbered[digest] = known[digest]
    return [*numbered.values()], sorted(known.values(), key=lambda config: config["ID"])


def plan(folder, configs, varying):
    """Number the configurations, and write them and the table of the experiment.

    Args:
        folder (Path): the experiment's folder; made if missing.
        configs (list): flat configurations.
        varying (list): keys to show first in the table.

    Returns:
        list: the configurations as :func:`number` gives them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Two sweeps that start together give no two configurations the same ID.
    with storage.lock(folder, _LOCK, wait=True):
        for below in (".", "*"):
            storage.remove_leftovers(folder, below)
        planned, table = number(folder, configs)
        for config in planned:
            path = folder / str(config["ID"]) / "config.yml"
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                storage.write_yaml(path, config)
        storage.write_pickle(folder / "configs.pkl", table)
        storage.write_bytes(folder / "configs.csv", _csv(table, varying).encode())
    return planned


def _csv(table, varying):
    keys = dict.fromkeys(["ID", *varying, *(key for config in table for key in config)])
    keys = [key for key in keys if any(key in config for config in table)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(keys)
    writer.writerows([config.get(key, "") for key in keys] for config in table)
    return text.getvalue()


def identity(config):
    """A digest of everything in ``config`` but its ID."""
    items = sorted((key, value) for key, value in config.items() if key != "ID")
    return hashlib.sha256(json.dumps(items, sort_keys=True, default=str).encode()).hexdigest()


def make_jobs(folder, configs, seeds):
    """The jobs of all configurations and seeds; seeds vary fastest."""
    return [
        Job(config, seed, folder / str(config["ID"]) / str(seed))
        for config in configs
        for seed in seeds
    ]
