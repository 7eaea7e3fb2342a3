"""Behaviours that must hold, by their ids: lagom.experiment."""

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from lagom.experiment import Condition, Config, Grid, Sample, run_experiment

LR_AND_ENV = {
    "log.dir": "some path",
    "network.lr": Grid([1e-3, 5e-3]),
    "env.id": Grid(["CartPole-v1", "Ant-v2"]),
}


def uniform(low, high, seed=0):
    rng = np.random.default_rng(seed)
    return Sample(lambda: float(rng.uniform(low, high)))


def record(config, seed, device, logdir):
    return config, seed, device, logdir, logdir.is_dir()


def experiment(tmp_path, run=record, items=LR_AND_ENV, max_workers=None, **kwargs):
    return run_experiment(run, Config(items), [1, 2, 3], tmp_path / "logs", max_workers, **kwargs)


def test_EXP_01_grid():
    grid = Grid([1, 2, 3])

    assert isinstance(grid, list)
    assert len(grid) == 3
    assert [*grid] == [1, 2, 3]


def test_EXP_02_sample():
    assert Sample(lambda: 5)() == 5
    sample = uniform(3, 7)
    assert all(3 <= sample() < 7 for _ in range(1000))


def test_EXP_03_condition():
    condition = Condition(lambda x: 10 if x["one"] == "ten" else -1)

    assert condition({"one": "ten"}) == 10
    assert condition({"one": 10}) == -1


def test_EXP_05_documented_example():
    configs = Config(LR_AND_ENV).make_configs()

    assert [(c["ID"], c["network.lr"], c["env.id"]) for c in configs] == [
        (0, 0.001, "CartPole-v1"),
        (1, 0.001, "Ant-v2"),
        (2, 0.005, "CartPole-v1"),
        (3, 0.005, "Ant-v2"),
    ]


def test_EXP_07_grids_repeat():
    items = {
        "a": Grid([1, 2]),
        "s": uniform(0, 1),
        "b": Grid(["x", "y", "z"]),
        "c": Condition(lambda x: x["a"]),
    }
    configs = Config(items, num_sample=5).make_configs()
    grid = [*itertools.product([1, 2], ["x", "y", "z"])]

    assert len(configs) == 30
    for n, config in enumerate(configs):
        assert config["ID"] == n
        assert (config["a"], config["b"]) == grid[n % 6]


def test_EXP_08_order_of_keys():
    items = {
        "log.dir": "some path",
        "beta": Condition(lambda x: 1),
        "network.type": "MLP",
        "network.hidden_size": [64, 64],
        "network.lr": Grid([1e-3, 5e-3]),
        "env.id": "CartPole-v1",
        "iter": Grid([10, 20]),
        "alpha": uniform(0, 10),
    }
    (config, *_) = Config(items, keep_dict_order=False).make_configs()

    fixed = ["log.dir", "beta", "network.type", "network.hidden_size", "env.id"]
    assert [*config] == ["ID", *fixed, "network.lr", "iter", "alpha"]


def test_EXP_10_conditions_agree_with_their_sample():
    items = {
        "beta": Condition(lambda x: "small" if x["alpha"] < 5 else "large"),
        "alpha": uniform(0, 10),
    }
    configs = Config(items, num_sample=50).make_configs()

    assert {c["beta"] for c in configs} == {"small", "large"}
    assert all(c["beta"] == ("small" if c["alpha"] < 5 else "large") for c in configs)


def test_EXP_12_only_fixed_values():
    configs = Config({"a": 1, "sizes": [64, 32]}, num_sample=10).make_configs()

    assert configs == [{"ID": 0, "a": 1, "sizes": [64, 32]}]


def test_EXP_14_conditions_in_order():
    items = {
        "a": 2,
        "b": Condition(lambda x: x["a"] + 1),
        "c": Condition(lambda x: 10 * x["b"]),
    }

    assert Config(items).make_configs()[0]["c"] == 30


def test_EXP_16_seeded_samples():
    before = np.random.get_state()
    own = [Config({"a": uniform(0, 1, seed)}, num_sample=3).make_configs() for seed in (1, 1, 2)]
    items = {"a": Sample(lambda rng: rng.uniform())}
    seeded = [Config(items, num_sample=3, seed=seed).make_configs() for seed in (1, 1, 2)]

    for first, again, other in (own, seeded):
        assert first == again != other
    for x, y in zip(before, np.random.get_state(), strict=True):
        np.testing.assert_array_equal(x, y)


def test_EXP_17_tree(tmp_path):
    experiment(tmp_path)
    logs = tmp_path / "logs"

    assert {path.name for path in logs.iterdir()} == {*"0123", "configs.pkl", "source_files"}
    for ID in "0123":
        assert {path.name for path in (logs / ID).iterdir()} == {"config.yml", *"123"}


def test_EXP_19_arguments(tmp_path):
    results = experiment(tmp_path, use_gpu=False)

    assert len(results) == 12
    pairs = itertools.product(range(4), (1, 2, 3))
    for (ID, seed), (config, *rest) in zip(pairs, results, strict=True):
        logdir = tmp_path / "logs" / str(ID) / str(seed)
        assert config["ID"] == ID
        assert rest == [seed, torch.device("cpu"), logdir, True]


@pytest.mark.parametrize(
    ("num_gpu", "gpu_ids", "expected"),
    [(2, [1, 0], [1, 0, 1, 0, 1, 0]), (7, [3, 5, 6], [3, 5, 6, 3, 5, 6])],
)
def test_EXP_21_gpus_in_turn(tmp_path, monkeypatch, num_gpu, gpu_ids, expected):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_gpu)
    results = experiment(tmp_path, items={"a": Grid([1, 2])}, use_gpu=True, gpu_ids=gpu_ids)

    assert [device.index for _, _, device, *_ in results] == expected
    assert {device.type for _, _, device, *_ in results} == {"cuda"}


def test_EXP_23_configurations(tmp_path):
    experiment(tmp_path)
    logs = tmp_path / "logs"

    assert yaml.safe_load((logs / "2" / "config.yml").read_text()) == {
        "ID": 2,
        "log.dir": "some path",
        "network.lr": 0.005,
        "env.id": "CartPole-v1",
    }
    configs = pickle.loads((logs / "configs.pkl").read_bytes())
    assert configs == Config(LR_AND_ENV).make_configs()


def test_EXP_24_sources(tmp_path):
    experiment(tmp_path)
    kept = {path.name for path in (tmp_path / "logs" / "source_files").iterdir()}

    assert kept == {path.name for path in Path(__file__).parent.glob("*.py")}


@pytest.mark.parametrize("max_workers", [None, 2])
def test_EXP_26_one_job_fails(tmp_path, max_workers):
    def run(config, seed, device, logdir):
        if (config["ID"], seed) == (2, 1):
            raise ZeroDivisionError("it went wrong")
        (logdir / "result").write_text("x")

    with pytest.raises(RuntimeError, match=r"logs/2/1: failed: ZeroDivisionError: it went wrong"):
        experiment(tmp_path, run, max_workers=max_workers)

    results = {path.parent for path in tmp_path.glob("logs/*/*/result")}
    jobs = {path for path in tmp_path.glob("logs/*/*") if path.name in "123"}
    assert jobs - results == {tmp_path / "logs" / "2" / "1"}
    assert len(results) == 11
    log = (tmp_path / "logs" / "2" / "1" / "job.log").read_text()
    assert "Traceback" in log
    assert "ZeroDivisionError: it went wrong" in log
