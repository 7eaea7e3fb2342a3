"""Small helpers without a better home."""

from lagom.utils.convert import numpify, tensorify
from lagom.utils.own import import_from_here
from lagom.utils.seed import (
    Seeder,
    load_random_state,
    random_state,
    set_global_seeds,
    undisturbed_random_state,
)

__all__ = [
    "Seeder",
    "import_from_here",
    "load_random_state",
    "numpify",
    "random_state",
    "set_global_seeds",
    "tensorify",
    "undisturbed_random_state",
]
