"""Where Hydra looks for plugins; the work is done in :mod:`lagom.cli.plugins`."""

from lagom.cli.plugins import Launcher, Sweeper


class LagomSweeper(Sweeper):
    """Configurations x seeds, checked before the first job."""


class LagomLauncher(Launcher):
    """Local processes, one a job."""
