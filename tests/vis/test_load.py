import numpy as np
import pandas as pd
import pytest

from lagom.experiment.journal import Journal
from lagom.experiment.storage import write_json, write_yaml
from lagom.vis.load import load_runs, tidy
from lagom.vis.runs import read_runs

CONFIG = {"ID": 0, "algo.name": "ppo", "env.id": "CartPole-v1", "agent.lr": 0.1, "device": "cpu"}
IDENTITY = ["run", "experiment", "ID", "seed", "status", "environment", "algo", "log"]


def write_run(folder, evals=((10, 1.0), (20, 2.0)), train=(), status="done", **config):
    """A run in ``<ID>/<seed>`` with rows of (timestep, return)."""
    folder.mkdir(parents=True)
    config = CONFIG | {key.replace("__", "."): value for key, value in config.items()}
    write_yaml(folder.parent / "config.yml", config)
    write_json(folder / "status.json", {"status": status, "timestep": 0})
    write_log(folder, "eval", [{"timestep": x, "return": y, "length": 7} for x, y in evals])
    write_log(folder, "train", [{"timestep": x, "return": y, "loss": -y} for x, y in train])
    return folder


def write_log(folder, log, rows):
    if rows:
        journal = Journal(folder / f"{log}.journal")
        for row in rows:
            journal.append(row)
        journal.close()


def test_a_row_for_each_logged_row(tmp_path):
    first = write_run(tmp_path / "x" / "0" / "3", train=[(5, 0.5)])
    write_run(tmp_path / "y" / "1" / "4", ID=1, env__id="Ant-v5", status="failed", name="other")

    table = load_runs(tmp_path)

    logged = ["timestep", "return", "length", "loss"]
    assert list(table) == [*IDENTITY, *logged, "env.id", "name"]
    assert table["run"].unique().tolist() == [str(first), str(tmp_path / "y" / "1" / "4")]
    assert table["experiment"].tolist() == ["x", "x", "x", "y", "y"]
    assert table["ID"].tolist() == [0, 0, 0, 1, 1]
    assert table["seed"].tolist() == [3, 3, 3, 4, 4]
    assert table["status"].tolist() == ["done"] * 3 + ["failed"] * 2
    assert table["environment"].tolist() == ["CartPole-v1"] * 3 + ["Ant-v5"] * 2
    assert table["algo"].unique().tolist() == ["ppo"]
    assert table["log"].tolist() == ["eval", "eval", "train", "eval", "eval"]
    assert table["timestep"].tolist() == [10, 20, 5, 10, 20]
    assert table["return"].tolist() == [1.0, 2.0, 0.5, 1.0, 2.0]
    assert table["loss"].fillna(9).tolist() == [9, 9, -0.5, 9, 9]
    assert table["timestep"].dtype == np.int64
    assert table.attrs["messages"] == []


def test_keys_that_differ_or_all(tmp_path):
    write_run(tmp_path / "x" / "0" / "1")
    write_run(tmp_path / "x" / "1" / "1", ID=1, agent__lr=0.2, agent__sizes=[64, 64])

    some, every = load_runs([tmp_path]), load_runs([tmp_path], all=True)

    assert list(some)[len(IDENTITY) :] == [
        *("timestep", "return", "length"),
        *("agent.lr", "agent.sizes"),
    ]
    assert some["agent.lr"].tolist() == [0.1, 0.1, 0.2, 0.2]
    assert some["agent.sizes"].tolist()[1:3] == [None, [64, 64]]
    assert list(every)[len(IDENTITY) + 3 :] == [
        *("algo.name", "env.id", "agent.lr", "device", "agent.sizes")
    ]


def test_one_log(tmp_path):
    write_run(tmp_path / "x" / "0" / "1", train=[(5, 0.5)])

    assert load_runs(tmp_path, log="train")["timestep"].tolist() == [5]
    assert load_runs(str(tmp_path), log="eval")["timestep"].tolist() == [10, 20]
    with pytest.raises(ValueError, match="load_runs: log is 'test'; expected 'eval', 'train' or"):
        load_runs(tmp_path, log="test")


def test_runs_that_logged_nothing_keep_a_row(tmp_path):
    write_run(tmp_path / "x" / "0" / "1", evals=(), status="failed")
    write_run(tmp_path / "x" / "0" / "2")

    table = load_runs(tmp_path)

    assert table["status"].tolist() == ["failed", "done", "done"]
    assert table["log"].tolist() == ["", "eval", "eval"]
    assert table["return"].isna().tolist() == [True, False, False]


def test_lists_and_names_that_collide(tmp_path):
    folder = write_run(tmp_path / "x" / "0" / "1", evals=(), seed=5, timestep=3)
    row = {"timestep": 1, "return": 2.0, "returns": [1.0, 3.0], "seed": 99, "log": "none"}
    write_log(folder, "eval", [row])

    table = load_runs(tmp_path, all=True)

    assert table["returns"].tolist() == [[1.0, 3.0]]
    assert table.explode("returns")["returns"].tolist() == [1.0, 3.0]
    assert table[["seed", "log", "timestep"]].values.tolist() == [[1, "eval", 1]]


def test_what_cannot_be_read_is_a_warning(tmp_path):
    for ID in range(3):
        write_run(tmp_path / "x" / str(ID) / "1")
    for ID in range(2):
        (tmp_path / "x" / str(ID) / "config.yml").write_text("a: [")

    with pytest.warns(UserWarning, match=r"left out: .*config.yml.* and 1 more, see attrs"):
        table = load_runs(tmp_path)

    assert table["ID"].tolist() == [2, 2]
    assert len(table.attrs["messages"]) == 2


def test_nothing_to_load(tmp_path):
    table = load_runs(tmp_path)

    assert table.empty
    assert list(table) == IDENTITY


def test_tidy_is_what_a_figure_shows(tmp_path):
    folder = write_run(tmp_path / "x" / "0" / "1", train=[(5, 0.5)])
    write_run(tmp_path / "x" / "0" / "2", evals=(), train=[(6, 0.5)])
    write_run(tmp_path / "x" / "0" / "3", evals=())
    write_log(folder, "timing", [{"timestep": t, "learn_seconds": 2.0} for t in (10, 20)])

    steps = tidy(read_runs([tmp_path])[0])
    clock = tidy(read_runs([tmp_path], "seconds")[0], "seconds")

    assert steps["log"].tolist() == ["eval", "eval", "train", ""]
    assert steps["timestep"].fillna(-1).tolist() == [10, 20, 6, -1]
    assert steps["device"].tolist() == ["cpu"] * 4
    assert clock["seconds"].tolist()[:2] == [2.0, 4.0]
    assert tidy([]).empty


def test_tidy_leaves_lists_out(tmp_path):
    folder = write_run(tmp_path / "x" / "0" / "1", evals=())
    write_log(folder, "eval", [{"timestep": 1, "return": 2.0, "returns": [1.0, 3.0]}])

    table = tidy(read_runs([tmp_path])[0])

    assert isinstance(table, pd.DataFrame)
    assert "returns" not in table
