"""lagom: reinforcement learning and evolution strategies; not too much, not too little.

``import lagom`` loads nothing heavy; the documented names are imported when first used.
"""

import sys
from importlib import import_module
from pathlib import Path

from lagom import _checkout

__version__ = "0.1.0"

_checkout.install()

# Hydra finds its plugins in top-level packages called ``hydra_plugins``; ours lives in lagom, so
# that site-packages gets no second name, and in workers of any launcher importing lagom suffices.
_plugins = str(Path(__file__).resolve().parent / "_plugins")
if _plugins not in sys.path:
    sys.path.append(_plugins)

_WHERE = {
    "BaseAgent": "agent",
    "RandomAgent": "agent",
    "StepType": "data",
    "TimeStep": "data",
    "Trajectory": "data",
    "Logger": "logger",
    "BaseEngine": "engine",
    "OnPolicyEngine": "engine",
    "OffPolicyEngine": "engine",
    "ESEngine": "population",
    "BaseRunner": "runner",
    "EpisodeRunner": "runner",
    "StepRunner": "runner",
    "BaseES": "es",
    "CEM": "es",
    "CMAES": "es",
}
__all__ = ["__version__", *_WHERE]


def __getattr__(name):  # PEP 562: `import lagom` stays cheap, `lagom.BaseAgent` still works
    if name not in _WHERE:
        raise AttributeError(f"module 'lagom' has no attribute {name!r}")
    return getattr(import_module(f"lagom.{_WHERE[name]}"), name)
