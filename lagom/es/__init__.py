"""Evolution strategies: ask for candidates, tell their function values."""

from lagom.es.ars import ARS
from lagom.es.base import BaseES, Result
from lagom.es.cem import CEM
from lagom.es.cmaes import CMAES
from lagom.es.native_cmaes import NativeCMAES
from lagom.es.noise import Recipe, draw
from lagom.es.openaies import OpenAIES
from lagom.es.pgpe import PGPE
from lagom.es.problems import PROBLEMS, Problem
from lagom.es.restarts import Restarts, make_cmaes
from lagom.es.snes import SNES

__all__ = [
    "ARS",
    "CEM",
    "CMAES",
    "PGPE",
    "PROBLEMS",
    "SNES",
    "BaseES",
    "NativeCMAES",
    "OpenAIES",
    "Problem",
    "Recipe",
    "Restarts",
    "Result",
    "draw",
    "make_cmaes",
]
