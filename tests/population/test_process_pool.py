"""Workers, among them some that die."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from configs import flat_config
from populations import build, columns

from lagom.experiment.journal import read_journal
from lagom.population import process_pool
from lagom.population.evaluate import Generation
from lagom.population.process_pool import ProcessPool
from lagom.population.worker import pieces

WORDS = ["env.num_env=3", "es.opts.lr=0.3"]


def test_results_do_not_depend_on_workers_nor_on_their_deaths(capsys):
    alone, engine = build(*WORDS), build(*WORDS, "es.workers=2")
    expected = [alone.train(n) for n in range(3)]

    rows = [engine.train(0)]
    victim = engine.pool._workers[0][0]
    os.kill(victim.pid, signal.SIGKILL)
    rows += [engine.train(n) for n in (1, 2)]
    assert not victim.is_alive()

    assert columns(rows) == columns(expected)
    assert engine.agent.to_vec().tolist() == alone.agent.to_vec().tolist()
    assert engine.moments.mean.tolist() == alone.moments.mean.tolist()
    assert "a worker died (killed by SIGKILL); its candidates are evaluated again" in (
        capsys.readouterr().out
    )
    processes = [process for process, _ in engine.pool._workers]
    engine.pool = None  # the end of the pool is that of its workers
    for process in processes:
        process.join(10)
        assert not process.is_alive()


def test_candidates_that_kill_every_worker_are_given_up(monkeypatch, capfd):
    monkeypatch.setattr(process_pool, "_main", os._exit)  # called with two arguments, it fails
    pool = ProcessPool({}, 1)

    message = r"3 workers died at candidates 0 to 1 \(exit code 1\); expected episodes"
    with pytest.raises(RuntimeError, match=message):
        pool(Generation(np.zeros((4, 1), np.float32)), 4, np.zeros((4, 1), int))


def test_what_a_worker_raises_arrives():
    pool = ProcessPool(flat_config("algo=ars") | {"algo.agent": "nowhere:Agent"}, 1)

    with pytest.raises(ModuleNotFoundError, match="nowhere") as error:
        pool(Generation(np.zeros((4, 1), np.float32)), 4, np.zeros((4, 1), int))
    assert "es.workers: in a worker:" in error.value.__notes__[0]


def test_pieces_cover_all_and_cut_no_pair():
    for num in (2, 7, 16, 256):
        for num_worker in (1, 2, 3, 64):
            cuts = pieces(num, num_worker)
            assert [k for start, stop in cuts for k in range(start, stop)] == list(range(num))
            assert all(start % 2 == 0 for start, _ in cuts)
    assert pieces(16, 2) == [(0, 4), (4, 8), (8, 12), (12, 16)]


@pytest.mark.slow
def test_a_killed_job_loses_nothing(tmp_path):
    """kill -9 of the job and so of its workers; the same command ends with the same bytes."""
    words = ["ars", "env=CartPole-v1", "seeds=[1]", "es.workers=2", "train.timestep=60000"]
    words += [*WORDS, "es.popsize=8", "checkpoint.every=2000", "eval.every=5000"]

    quiet = subprocess.DEVNULL

    def command(name):
        line = [sys.executable, "-m", "lagom", "es", *words, f"name={name}"]
        return subprocess.Popen(line, cwd=tmp_path, stdout=quiet, stderr=quiet)

    assert command("whole").wait(300) == 0
    program = command("killed")
    folder = tmp_path / "outputs/killed/0/1"
    while not list(folder.glob("checkpoints/*/manifest.json")) and program.poll() is None:
        time.sleep(0.05)
    pid = int(_status(folder)["pid"])
    workers = _children(pid)
    os.kill(pid, signal.SIGKILL)
    assert program.wait(300) == 3
    deadline = time.monotonic() + 10
    while any(map(_lives, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(workers) >= 2
    assert not any(map(_lives, workers))

    assert command("killed").wait(300) == 0
    whole = tmp_path / "outputs/whole/0/1"
    for name in ("train.journal", "eval.journal", "policy/policy.safetensors"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    rows, _ = read_journal(folder / "train.journal")
    assert rows[-1]["timestep"] >= 60_000


def _status(folder):
    return json.loads((folder / "status.json").read_text())


def _children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _lives(pid):
    return Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in (
        Path(f"/proc/{pid}/status").read_text()
    )
