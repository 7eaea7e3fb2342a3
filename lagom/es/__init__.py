"""Evolution strategies: ask for candidates, tell their function values."""

from lagom.es.base import BaseES, Result
from lagom.es.cem import CEM
from lagom.es.cmaes import CMAES

__all__ = ["CEM", "CMAES", "BaseES", "Result"]
