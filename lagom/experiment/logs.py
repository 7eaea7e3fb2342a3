"""The logs of a job: journals while it runs, Logger pickles at checkpoints."""

import math
from contextlib import suppress
from pathlib import Path

import numpy as np

from lagom.experiment.journal import Journal, read_journal
from lagom.logger import Logger


class JobLogs:
    """The three logs of a job: a journal and a Logger each; open as a context manager."""

    names = ("train", "eval", "timing")

    def __init__(self, logdir):
        self.logdir = Path(logdir)
        self.loggers = {name: Logger() for name in self.names}
        self.journals = {}
        self.num_row = dict.fromkeys(self.names, 0)

    def __enter__(self):
        """Open the journals, cut back to the rows that the loggers hold."""
        for name in self.names:
            self.journals[name] = Journal(self.logdir / f"{name}.journal", self.num_row[name])
        return self

    def __exit__(self, kind, *exc):
        """Close the journals; after an exception, first bring the pickles up to date."""
        if kind is not None:
            with suppress(OSError):  # the exception matters more
                self.save()
        for journal in self.journals.values():
            journal.close()

    def write(self, name, row):
        """Append ``row`` without its wall-clock columns."""
        self._append(name, {k: v for k, v in row.items() if not k.endswith("_seconds")})

    def write_timing(self, row, num_step, eval_seconds):
        """Append the wall-clock columns of an iteration."""
        seconds = {k: v for k, v in row.items() if k.endswith("_seconds")}
        self._append(
            "timing",
            {
                "timestep": row["timestep"],
                **seconds,
                "eval_seconds": eval_seconds,
                "steps_per_second": num_step / max(sum(seconds.values()), 1e-9),
            },
        )

    def _append(self, name, row):
        row = {k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
        logs = self.loggers[name].logs
        if logs and row.keys() != logs.keys():
            raise KeyError(
                f"{name} log: got columns {sorted(row)}; expected {sorted(logs)}; an engine "
                "returns the same keys at every iteration"
            )
        self.journals[name].append(row)
        for key, value in row.items():
            self.loggers[name](key, value)

    def latest(self):
        """The return to show while the job runs: of the last evaluation, else of training."""
        for name in ("eval", "train"):
            values = self.loggers[name].logs.get("return", [])
            if values and not math.isnan(values[-1]):
                return {"return": values[-1]}
        return {}

    def save(self):
        """Write the Logger pickles, and wait until the journals are on the disk."""
        for name, logger in self.loggers.items():
            logger.save(self.logdir / f"{name}_logs")
            self.journals[name].sync()

    def state_dict(self):
        """How many rows each log has; the rows themselves are in the journals."""
        return {name: journal.num_row for name, journal in self.journals.items()}

    def load_state_dict(self, state):
        """Read back as many rows as ``state`` says."""
        self.num_row = state
        for name, num_row in state.items():
            rows, _ = read_journal(self.logdir / f"{name}.journal")
            for row in rows[:num_row]:
                for key, value in row.items():
                    self.loggers[name](key, value)
