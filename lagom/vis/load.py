"""What was logged, as one long table for pandas and seaborn."""

import os
import warnings
from itertools import chain

from lagom.vis.runs import has_columns, read_logged
from lagom.vis.style import differing_keys

_IDENTITY = {
    "run": lambda run: str(run.path),
    "experiment": lambda run: run.name,
    "ID": lambda run: run.ID,
    "seed": lambda run: run.seed,
    "status": lambda run: run.status,
    "environment": lambda run: run.environment,
    "algo": lambda run: run.algo,
}


def load_runs(paths, log=None, all=False):
    """What the runs at or below ``paths`` have logged, a row for each seed and step.

    Evaluations and training iterations are different rows: choose one of the logs before taking
    a mean.  A run that has logged nothing keeps one row, so that it still counts.

    Args:
        paths (Path or list of Path): outputs roots, experiments, configurations or seeds.
        log (str): ``"eval"`` or ``"train"``, which may be large; by default both are read.
        all (bool): every configuration key, not only those that differ among the runs.

    Returns:
        DataFrame: with the columns ``run`` (the folder), ``experiment``, ``ID``, ``seed``,
        ``status``, ``environment``, ``algo`` and ``log`` (``"eval"`` or ``"train"``, empty where
        nothing was logged); then all columns of the logs, such as ``timestep``, ``return`` and
        ``length``, missing where a log lacks them; then the configuration keys.  What could not
        be read is told in ``attrs["messages"]``, and in a warning.

    Raises:
        ValueError: ``log`` is another word.

    Example:
        ::

            from lagom.vis import load_runs

            runs = load_runs("outputs/")
            evals = runs[runs.log == "eval"]

            # what each configuration ends at: mean over seeds of the last evaluation
            last = evals.sort_values("timestep").groupby(["run", "environment", "agent.lr"]).last()
            last.groupby(["environment", "agent.lr"])["return"].agg(["mean", "std", "count"])

            # a curve per learning rate; every seed as a thin line
            import seaborn as sns
            sns.relplot(evals, kind="line", x="timestep", y="return", hue="agent.lr",
                        col="environment", units="run", estimator=None, lw=0.5)

            # each of the ten episodes of an evaluation
            evals.explode("returns")
    """
    if log not in ("eval", "train", None):
        raise ValueError(f"load_runs: log is {log!r}; expected 'eval', 'train' or None for both")
    paths = [paths] if isinstance(paths, str | os.PathLike) else paths
    runs, messages = read_logged(paths, [log] if log else ["eval", "train"])
    parts = []
    for run in runs:
        logged = [(run, name, columns) for name, columns in run.logs.items() if columns]
        parts += logged or [(run, "", {})]
    configs = [run.config for run in runs]
    known = dict.fromkeys(chain.from_iterable(configs))
    table = _table(parts, known if all else differing_keys(configs, known))
    table.attrs["messages"] = messages
    if messages:
        more = f" and {len(messages) - 1} more, see attrs['messages']" if len(messages) > 1 else ""
        warnings.warn(f"load_runs: left out: {messages[0]}{more}", stacklevel=2)
    return table


def tidy(runs, x="timestep", y="return"):
    """What a figure of ``y`` against ``x`` shows, as ``load_runs`` gives it, for a file.

    Args:
        runs (list of Run): as ``read_runs`` gave them.
        x, y (str): decide which log of a run is taken: the first that has both columns.

    Returns:
        DataFrame: as of ``load_runs``, with the whole configuration and without lists.
    """
    parts = []
    for run in runs:
        log = next((log for log in run.logs if has_columns(run.logs[log], x, y)), "")
        columns = {k: v for k, v in run.logs.get(log, {}).items() if not _has_list(v)}
        parts.append((run, log, columns))
    return _table(parts, dict.fromkeys(chain.from_iterable(run.config for run in runs)))


def _has_list(column):
    return any(isinstance(value, list | dict) for value in column)


def _table(parts, keys):
    """The table of ``(run, log, columns)``, with the configuration's ``keys``."""
    import pandas as pd

    logged = chain.from_iterable(columns for _, _, columns in parts)
    data = {key: [] for key in dict.fromkeys([*_IDENTITY, "log", *logged, *keys])}
    for run, log, columns in parts:
        T = max([1, *map(len, columns.values())])
        known = {**{key: get(run) for key, get in _IDENTITY.items()}, "log": log}
        for key, column in data.items():
            if key in known or not len(columns.get(key, ())):
                column += [known.get(key, run.config.get(key))] * T
            else:
                column += [*columns[key]]
    return pd.DataFrame(data)
