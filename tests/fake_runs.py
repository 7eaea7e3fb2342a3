"""Runs that were never run: in memory, and their files."""

from lagom.experiment.journal import Journal
from lagom.experiment.storage import write_json, write_yaml
from lagom.vis.runs import Run

CONFIG = {"algo.name": "ppo", "env.id": "CartPole-v1", "agent.lr": 0.001}


def make_run(path, rows=((0, 1.0), (10, 2.0)), status="done", log="eval", **config):
    """A run of ``name/ID/seed`` with (timestep, return) rows; ``__`` in a key stands for a dot."""
    name, ID, seed = path.parts[-3:]
    config = {"ID": int(ID), **CONFIG, **{k.replace("__", "."): v for k, v in config.items()}}
    columns = {"timestep": [x for x, _ in rows], "return": [y for _, y in rows]}
    return Run(path, name, int(ID), int(seed), status, config, {log: columns} if rows else {})


def write(run):
    """The files of a run."""
    run.path.mkdir(parents=True)
    write_yaml(run.path.parent / "config.yml", run.config)
    write_json(run.path / "status.json", {"status": run.status, "timestep": 0})
    for log, columns in run.logs.items():
        journal = Journal(run.path / f"{log}.journal")
        for x, y in zip(columns["timestep"], columns["return"], strict=True):
            journal.append({"timestep": x, "return": y})
        journal.close()
