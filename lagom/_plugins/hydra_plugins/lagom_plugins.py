"""Where Hydra looks for plugins; the work is done in :mod:`lagom.cli`."""

from lagom.cli.optuna_sweeper import OptunaSweeper
from lagom.cli.plugins import Launcher, Sweeper


class LagomSweeper(Sweeper):
    """Configurations x seeds, checked before the first job."""


class OptunaLagomSweeper(OptunaSweeper):
    """Configurations that Optuna chooses, one after the other."""


class LagomLauncher(Launcher):
    """Local processes, one a job."""
