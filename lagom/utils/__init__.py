"""Small helpers without a better home."""

from lagom.utils import nested
from lagom.utils.conditioner import IntervalConditioner, NConditioner
from lagom.utils.console import ask_yes_or_no, color_str, timed, timeit
from lagom.utils.convert import numpify, tensorify
from lagom.utils.own import import_from_here
from lagom.utils.process import ProcessMaster, ProcessWorker
from lagom.utils.seed import (
    Seeder,
    load_random_state,
    random_state,
    set_global_seeds,
    undisturbed_random_state,
)
from lagom.utils.serialize import (
    CloudpickleWrapper,
    pickle_dump,
    pickle_load,
    yaml_dump,
    yaml_load,
)
from lagom.utils.threads import set_num_threads

__all__ = [
    "CloudpickleWrapper",
    "IntervalConditioner",
    "NConditioner",
    "ProcessMaster",
    "ProcessWorker",
    "Seeder",
    "ask_yes_or_no",
    "color_str",
    "import_from_here",
    "load_random_state",
    "nested",
    "numpify",
    "pickle_dump",
    "pickle_load",
    "random_state",
    "set_global_seeds",
    "set_num_threads",
    "tensorify",
    "timed",
    "timeit",
    "undisturbed_random_state",
    "yaml_dump",
    "yaml_load",
]
