"""Experiments: configurations, sweeps, jobs and the files that they leave."""

from importlib import import_module

_WHERE = {
    "Config": "config",
    "Grid": "config",
    "Sample": "config",
    "Condition": "config",
    "run_experiment": "run",
}
__all__ = list(_WHERE)


def __getattr__(name):
    if name not in _WHERE:
        raise AttributeError(f"module 'lagom.experiment' has no attribute {name!r}")
    return getattr(import_module(f"lagom.experiment.{_WHERE[name]}"), name)
