"""Evolution strategies: ask for candidates, tell their function values."""

from lagom.es.base import BaseES, Result
from lagom.es.cmaes import CMAES

__all__ = ["CMAES", "BaseES", "Result"]
