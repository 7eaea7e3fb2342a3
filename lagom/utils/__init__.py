"""Small helpers without a better home."""

from lagom.utils.convert import numpify, tensorify
from lagom.utils.seed import Seeder, set_global_seeds

__all__ = ["Seeder", "numpify", "set_global_seeds", "tensorify"]
