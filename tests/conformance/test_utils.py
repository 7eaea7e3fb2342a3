"""Behaviours that must hold, by their ids: lagom.utils."""

import io
import multiprocessing
import pickle
import random
import re
import sys
import time

import numpy as np
import pytest
import torch

from lagom.utils import (
    CloudpickleWrapper,
    IntervalConditioner,
    NConditioner,
    ProcessMaster,
    ProcessWorker,
    Seeder,
    ask_yes_or_no,
    color_str,
    numpify,
    pickle_dump,
    pickle_load,
    set_global_seeds,
    tensorify,
    timed,
    timeit,
    yaml_dump,
    yaml_load,
)

T, F = True, False
LINE = r"Total time: 0:00:00 at \d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}"


def lines(text):
    """The lines that are not empty, without escape codes."""
    return [line for line in re.sub(r"\x1b\[\d+m", "", text).splitlines() if line]


def test_UTI_01_seeds():
    seeder = Seeder(init_seed=0)

    assert seeder(size=5) == [209652396, 398764591, 924231285, 1478610112, 441365315]


def test_UTI_02_seeds_go_on():
    seeder = Seeder(0)

    assert seeder() == [209652396]
    assert seeder(5) == [398764591, 924231285, 1478610112, 441365315, 1537364731]


def test_UTI_04_another_seed():
    assert Seeder(10)(3) == [1165313289, 1283169405, 89128932]


def test_UTI_05_global_state_is_left_alone():
    before = np.random.get_state(legacy=False)
    seeds = Seeder(0)(5)
    after = np.random.get_state(legacy=False)

    np.testing.assert_equal(after, before)
    assert {type(seed) for seed in seeds} == {int}


def test_UTI_06_global_seeds():
    draws = []
    for _ in range(2):
        set_global_seeds(3)
        draws.append((torch.rand(1).item(), np.random.rand(), random.random()))

    assert draws[0] == draws[1]


def test_UTI_07_tensorify():
    assert tensorify([1, 2, 3], "cpu").dtype == torch.float32
    assert tensorify(np.array([1.0, 2.0]), "cpu").dtype == torch.float32
    assert tensorify(torch.tensor([1, 2]), "cpu").dtype == torch.int64


def test_UTI_09_numpify():
    for x in (torch.tensor([1.0, 2.5], requires_grad=True), [1.0, 2.5], np.array([1.0, 2.5])):
        out = numpify(x, np.float32)
        assert type(out) is np.ndarray
        assert out.dtype == np.float32
        np.testing.assert_allclose(out, [1.0, 2.5], rtol=0, atol=1e-7)


def test_UTI_11_pickles_of_lambdas(tmp_path):
    pickle_dump(lambda x: x + 1, tmp_path / "f")

    assert pickle_load(tmp_path / "f.pkl")(2) == 3


def test_UTI_13_yaml(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = [{"one": 1, "two": [2, 3]}, {"three": 3, "four": [4, 5]}]
    yaml_dump(x, "items")

    read = yaml_load("items.yaml")
    assert read == x
    assert [list(item) for item in read] == [["one", "two"], ["three", "four"]]


def test_UTI_14_wrapper():
    w = CloudpickleWrapper(lambda x: x * 2)
    w2 = pickle.loads(pickle.dumps(w))

    assert w2(4) == 8


def test_UTI_15_color(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")

    assert color_str("lagom", "green", bold=True) == "\x1b[32m\x1b[1mlagom\x1b[0m"


@pytest.mark.parametrize("force", ["", "1"])
def test_UTI_17_timed(capsys, monkeypatch, force):
    monkeypatch.setenv("FORCE_COLOR", force)
    with timed("red", bold=True):
        pass

    (line,) = lines(capsys.readouterr().out)
    assert re.fullmatch(LINE, line)


@pytest.mark.parametrize("decorate", [timeit, timeit(color="blue")])
def test_UTI_18_timeit(capsys, decorate):
    @decorate
    def f(a):
        return a + 1

    assert f(1) == 2
    assert f.__name__ == "f"
    (line,) = lines(capsys.readouterr().out)
    assert re.fullmatch(LINE, line)


def test_UTI_20_interval_of_a_counter():
    conditioner = IntervalConditioner(10, "accumulative")

    results = [conditioner(n) for n in [0, 1, 5, 9, 10, 11, 19, 20, 29, 30, 31]]
    assert results == [T, F, F, F, T, F, F, T, F, T, F]


def test_UTI_22_interval_of_increments():
    conditioner = IntervalConditioner(10, "incremental")

    results = [conditioner(n) for n in [0, 3, 3, 3, 3, 8, 1, 0, 30, 1, 1, 1]]
    assert results == [T, F, F, F, T, T, F, T, T, T, T, F]


def test_UTI_24_moments():
    conditioner = NConditioner(100, 4, "accumulative")

    results = [conditioner(n) for n in [0, 1, 24, 25, 26, 50, 74, 75, 99, 100, 101, 200, 0]]
    assert results == [T, F, F, T, F, T, F, T, F, T, F, F, F]


def test_UTI_26_moments_between_multiples():
    conditioner = NConditioner(1e6, 3, "accumulative")

    times = [n for n in range(0, 1001472 + 1, 2048) if conditioner(n)]
    assert times == [0, 333824, 667648, 1001472]


class IsPrime(ProcessWorker):
    def work(self, task_id, task):
        return all(task % k for k in range(2, int(task**0.5) + 1))


class Fails(ProcessWorker):
    def work(self, task_id, task):
        raise ValueError(f"{task} in task {task_id}")


class Master(ProcessMaster):
    tasks = (16127, 23251, 5853, 29611, 7179, 6957, 37199)

    def make_tasks(self):
        return list(self.tasks)


@pytest.mark.parametrize("num_worker", [1, 3, 10])
def test_UTI_27_process_master(num_worker):
    master = Master(IsPrime, num_worker)

    assert master() == [T, T, F, T, F, F, T]
    assert len(master.list_process) == min(num_worker, 7)
    assert not any(p.is_alive() for p in master.list_process)
    assert multiprocessing.active_children() == []
    assert all(conn.closed for conn in [*master.master_conns, *master.worker_conns])


def test_UTI_29_failures_and_no_tasks():
    master = Master(Fails, 1)
    master.tasks = ("something went wrong",)
    start = time.monotonic()

    with pytest.raises(ValueError, match="something went wrong in task 0"):
        master()
    assert time.monotonic() - start < 10
    assert multiprocessing.active_children() == []
    master.tasks = ()
    assert master() == []


@pytest.mark.parametrize(("typed", "answer"), [("maybe\nYes\n", True), ("\nno\n", False)])
def test_UTI_30_yes_or_no(monkeypatch, typed, answer):
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))

    assert ask_yes_or_no("Sure?") is answer
