import functools
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from lagom.experiment import Config, Grid, run_experiment, storage

GRID = {"network.lr": Grid([1e-3, 5e-3]), "env.id": Grid(["CartPole-v1", "Ant-v2"]), "x": [1]}


def record(config, seed, device, logdir):
    return config["ID"], seed, device, logdir, logdir.is_dir()


def call(tmp_path, run=record, config=None, seeds=(1, 2, 3), **kwargs):
    config = Config(GRID) if config is None else config
    return run_experiment(run, config, list(seeds), tmp_path / "logs", **kwargs)


def test_tree(tmp_path):
    call(tmp_path)
    logs = tmp_path / "logs"
    assert sorted(os.listdir(logs)) == ["0", "1", "2", "3", "configs.pkl", "source_files"]
    for ID in "0123":
        assert sorted(os.listdir(logs / ID)) == ["1", "2", "3", "config.yml"]
    statuses = [storage.read_json(path)["status"] for path in logs.glob("*/*/status.json")]
    assert statuses == ["done"] * 12


def test_run_gets_its_own_arguments_and_results_come_in_order(tmp_path):
    results = call(tmp_path)
    expected = [(ID, seed) for ID in range(4) for seed in (1, 2, 3)]
    assert [result[:2] for result in results] == expected
    for ID, seed, device, logdir, exists in results:
        assert logdir == tmp_path / "logs" / str(ID) / str(seed)
        assert exists
        assert device == torch.device("cpu")


@pytest.mark.parametrize(
    ("count", "gpu_ids", "indices"),
    [(2, [1, 0], [1, 0] * 3), (7, [3, 5, 6], [3, 5, 6] * 2), (4, None, [0, 1, 2, 3, 0, 1])],
)
def test_gpus_are_given_in_turn(tmp_path, monkeypatch, count, gpu_ids, indices):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    configs = Config({"a": Grid([1, 2])})
    results = call(tmp_path, config=configs, use_gpu=True, gpu_ids=gpu_ids)
    assert [device for _, _, device, *_ in results] == [torch.device("cuda", i) for i in indices]


@pytest.mark.parametrize(("count", "gpu_ids"), [(0, None), (2, [0, 2]), (2, [-1]), (2, [])])
def test_gpus_that_are_not_there_are_refused_before_anything(tmp_path, monkeypatch, count, gpu_ids):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(ValueError, match=f"gpu_ids: got .*; expected numbers below {count}"):
        call(tmp_path, use_gpu=True, gpu_ids=gpu_ids)
    assert os.listdir(tmp_path) == []


def test_configurations_are_written_without_seed(tmp_path):
    call(tmp_path)
    with open(tmp_path / "logs" / "configs.pkl", "rb") as file:
        assert pickle.load(file) == Config(GRID).make_configs()
    assert yaml.safe_load((tmp_path / "logs" / "2" / "config.yml").read_text()) == {
        "ID": 2,
        "x": [1],
        "network.lr": 5e-3,
        "env.id": "CartPole-v1",
    }


def test_grids_of_numpy_numbers_are_written_as_numbers(tmp_path):
    call(tmp_path, config=Config({"lr": Grid(np.array([0.5, 0.25]))}), seeds=[1])
    text = (tmp_path / "logs" / "1" / "config.yml").read_text()
    assert yaml.safe_load(text) == {"ID": 1, "lr": 0.25}


def test_sources_beside_run_are_kept(tmp_path):
    call(tmp_path, seeds=[1])
    here = Path(__file__).parent
    kept = tmp_path / "logs" / "source_files"
    assert {*os.listdir(kept)} == {path.name for path in here.glob("*.py")}
    assert (kept / "test_run.py").read_bytes() == Path(__file__).read_bytes()


class Record:
    def __call__(self, *args):
        return record(*args)


@pytest.mark.parametrize("run", [functools.partial(record), Record()])
def test_sources_of_other_callables(tmp_path, run):
    call(tmp_path, run, seeds=[1])
    assert (tmp_path / "logs" / "source_files" / "test_run.py").is_file()


@pytest.mark.parametrize("what", ["run", "Run()"])
def test_what_was_typed_in_has_no_sources(tmp_path, what):
    (tmp_path / "beside.py").touch()
    code = (
        "from lagom.experiment import run_experiment\n"
        "def run(config, seed, device, logdir): return seed + 1\n"
        "class Run: __call__ = lambda self, *args: run(*args)\n"
        f"print(run_experiment({what}, [{{'ID': 0}}], [1], 'logs'))\n"
    )
    args = {"cwd": tmp_path, "capture_output": True, "text": True, "check": True}
    assert subprocess.run([sys.executable, "-c", code], **args).stdout == "[2]\n"
    assert os.listdir(tmp_path / "logs" / "source_files") == []


@pytest.mark.parametrize("max_workers", [0, -1])
def test_no_workers_are_refused_before_anything(tmp_path, max_workers):
    with pytest.raises(ValueError, match="max_workers: got .*; expected at least 1, or None"):
        call(tmp_path, max_workers=max_workers)
    assert os.listdir(tmp_path) == []


def test_existing_work_is_set_aside(tmp_path):
    for n in range(3):
        call(tmp_path, seeds=[n], config=[{"ID": 0}])
    seeds = {path.name: path.name for path in tmp_path.glob("*/0/*/") if path.is_dir()}
    assert {*os.listdir(tmp_path)} == {"logs", "old-1-logs", "old-2-logs"}
    assert (tmp_path / "old-1-logs" / "0" / "0").is_dir()
    assert (tmp_path / "logs" / "0" / "2").is_dir()
    assert {*seeds} == {"0", "1", "2"}


@pytest.mark.parametrize("max_workers", [None, 2])
def test_one_failure_stops_nothing_and_is_named(tmp_path, max_workers):
    def run(config, seed, device, logdir):
        if (config["ID"], seed) == (2, 1):
            raise ZeroDivisionError("job went wrong")
        (logdir / "result").write_text("x")

    with pytest.raises(RuntimeError) as caught:
        call(tmp_path, run, max_workers=max_workers)
    failed = tmp_path / "logs" / "2" / "1"
    assert str(caught.value).splitlines() == [
        "1 of 12 jobs did not finish",
        f"{failed}: failed: ZeroDivisionError: job went wrong",
    ]
    assert len([*(tmp_path / "logs").glob("*/*/result")]) == 11
    log = (failed / "job.log").read_text()
    assert "Traceback" in log
    assert "job went wrong" in log
    assert storage.read_json(failed / "status.json")["status"] == "failed"


def test_workers_return_results_in_order(tmp_path):
    def run(config, seed, device, logdir):
        return config["ID"], seed, str(device), os.getpid()

    results = call(tmp_path, run, config=[{"ID": 0}, {"ID": 7}], seeds=[5, 6], max_workers=8)
    assert [result[:3] for result in results] == [
        (0, 5, "cpu"), (0, 6, "cpu"), (7, 5, "cpu"), (7, 6, "cpu")
    ]  # fmt: skip
    assert len({os.getpid(), *(pid for *_, pid in results)}) == 5


def test_control_c_ends_everything(tmp_path):
    calls = []

    def run(config, seed, device, logdir):
        calls.append(seed)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(tmp_path, run)
    assert calls == [1]
    assert storage.read_json(tmp_path / "logs" / "0" / "1" / "status.json")["status"] == "stopped"
