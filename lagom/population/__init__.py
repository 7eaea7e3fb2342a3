"""Evolution of policies and points: engines that evaluate whole populations, anywhere."""

from lagom.population.blackbox import BlackBoxEngine
from lagom.population.engine import ESEngine

__all__ = ["BlackBoxEngine", "ESEngine"]
