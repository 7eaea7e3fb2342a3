import os
import subprocess
import time
from pathlib import Path

import pytest
from cli import test_ls
from cli.test_ls import HOST, write_run

from lagom.cli import records as module
from lagom.experiment.journal import Journal
from lagom.experiment.storage import write_json
from lagom.vis.runs import iteration_seconds, read_states

here, lagom = test_ls.here, test_ls.lagom  # fixtures


def read():
    """The only record below ``outputs``."""
    (record,), _ = module.read_records([Path("outputs")])
    return record


def test_a_key_that_some_configurations_lack_varies(here):
    write_run(here / "x/0/1")
    write_run(here / "x/1/1", config={"agent.extra": None})

    records, _ = module.read_records([here])

    assert [module.settings(record) for record in records] == ["", "extra=null"]


def test_only_what_varies_is_shown_and_the_name_as_short_as_is_clear(here, lagom):
    write_run(here / "x/0/1", config={"agent.lr": 0.1, "critic.lr": 1, "agent.clip": [1, 2]})
    write_run(here / "x/1/1", config={"agent.lr": 0.2, "critic.lr": 1, "agent.clip": True})
    # Another algorithm lacks keys, another environment has other defaults: nobody varied them.
    write_run(here / "x/2/1", config={"algo.name": "cem", "es.std": 1})
    write_run(here / "x/3/1", config={"env.id": "Ant-v2", "train.timestep": 9})
    write_run(here / "y/0/1", config={"agent.lr": 0.1, "critic.lr": 1})
    write_run(here / "y/1/1", config={"agent.lr": 0.2, "critic.lr": 2})

    records, _ = module.read_records([here])

    assert [module.settings(record) for record in records] == [
        "lr=0.1 clip=[1,2]", "lr=0.2 clip=true", "", "",
        "agent.lr=0.1 critic.lr=1", "agent.lr=0.2 critic.lr=2",
    ]  # fmt: skip


def finished_process():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_running_means_that_the_process_lives(here, lagom):
    write_run(here / "x/0/1", "running")
    assert read()["status"] == "running"

    for pid in (finished_process(), 0, -1, True, 2**40, "1", None):
        state = {"status": "running", "host": HOST, "updated": time.time(), "pid": pid}
        write_json(here / "x/0/1/status.json", state)
        assert read()["status"] == "interrupted", pid


def test_a_zombie_does_not_run(here):
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, nobody has asked
    write_run(here / "x/0/1", "running", pid=process.pid)

    assert read()["status"] == "interrupted"
    process.wait()


def test_a_process_with_the_number_of_the_job_is_not_the_job(here):
    """This process began after the job's last report."""
    begun = module._process_start(os.getpid())
    assert abs(begun - time.time()) < 3600
    write_run(here / "x/0/1", "running", updated=begun - 60, started=begun - 100)
    assert read()["status"] == "interrupted"

    write_run(here / "x/0/2", "running", updated=begun + 1, started=begun - 100)
    assert module.read_records([here / "x/0/2"])[0][0]["status"] == "running"


def test_a_process_of_another_user_lives(here, monkeypatch):
    def refuse(pid, number):
        raise PermissionError

    write_run(here / "x/0/1", "running")
    monkeypatch.setattr(os, "kill", refuse)

    assert read()["status"] == "running"


def test_without_proc_the_number_alone_decides(here, monkeypatch):
    write_run(here / "x/0/1", "running", updated=1.0, started=0.0)
    monkeypatch.setattr(module.sys, "platform", "darwin")
    assert read()["status"] == "running"

    assert module._process_start(os.getpid()) == -float("inf")
    monkeypatch.undo()
    assert module._process_start(2**31 - 1) == -float("inf")


def test_a_job_that_ends_while_it_is_looked_at_is_not_called_interrupted(here, monkeypatch):
    folder = write_run(here / "x/0/1", "running", pid=finished_process())

    def read_then_end(paths):
        result = read_states(paths)
        write_json(folder / "status.json", {"status": "done", "timestep": 1000})
        return result

    monkeypatch.setattr(module, "read_states", read_then_end)

    assert (read()["status"], read()["timestep"]) == ("done", 1000)


def test_a_job_elsewhere_is_believed_for_ten_minutes(here):
    now = time.time()
    for seed, age in enumerate((590, 610, -5000)):
        state = {"host": "elsewhere", "pid": 1, "updated": now - age}
        write_run(here / "x/0" / str(seed), "running", **state)
    write_run(here / "x/0/4", "done", host="elsewhere", updated=now - 1e6)
    write_run(here / "x/0/5", "running", host="elsewhere", updated=None)

    records, _ = module.read_records([here])

    assert [record["status"] for record in records] == [
        "running", "stale", "running", "done", "stale"
    ]  # fmt: skip


def test_a_silent_job_is_flagged_after_ten_iterations_and_five_minutes(here, monkeypatch):
    now = time.time()
    monkeypatch.setattr(module, "_process_start", lambda pid: 0.0)  # this process is young

    def write(seed, silent, iterations):
        folder = write_run(here / "x/0" / seed, "running", updated=now - silent)
        journal = Journal(folder / "timing.journal")
        for seconds in iterations:
            journal.append({"timestep": 1, "collect_seconds": seconds - 1, "learn_seconds": 1.0,
                            "steps_per_second": 1e9})  # fmt: skip
        journal.close()

    write("1", 290, [1.0])
    write("2", 310, [1.0, 1.0, 500.0])
    write("3", 310, [40.0, 40.0, 1.0])
    write("4", 410, [40.0, 40.0, 1.0])
    write("5", 310, [])

    records, _ = module.read_records([here])

    assert [record["stalled"] for record in records] == [False, True, False, True, True]
    assert {record["status"] for record in records} == {"running"}
    assert iteration_seconds(here / "x/0/4") == 40.0
    assert iteration_seconds(here / "x/0/5") == 0.0


PACES = {  # what status.json says -> steps per second, seconds left
    "half": ({"timestep": 500, "started": 1000, "updated": 1100}, (5.0, 100.0)),
    "resumed": ({"timestep": 500, "resumed": 400, "started": 1000, "updated": 1100}, (1.0, 500.0)),
    "at its end": ({"timestep": 1000, "started": 1000, "updated": 1100}, (10.0, 0.0)),
    "beyond": ({"timestep": 1500, "started": 1000, "updated": 1100}, (15.0, None)),
    "no step": ({"timestep": 0, "started": 1000, "updated": 1100}, (None, None)),
    "resumed, no step": (
        {"timestep": 0, "resumed": 9, "started": 1000, "updated": 1100},
        (None, None),
    ),
    "clock set back": ({"timestep": 500, "started": 1000, "updated": 900}, (None, None)),
    "no time": ({"timestep": 500, "started": 1000, "updated": 1000}, (None, None)),
    "slow": ({"timestep": 1, "budget": 10**9, "started": 0, "updated": 1000}, (0.001, None)),
    "no budget": ({"timestep": 5, "budget": None, "started": 0, "updated": 10}, (0.5, None)),
    "nonsense": ({"timestep": "5", "started": [], "updated": 10**400}, (None, None)),
    "nan": ({"timestep": float("nan"), "started": 0, "updated": 1}, (None, None)),
}


@pytest.mark.parametrize("name", PACES)
def test_pace(here, monkeypatch, name):
    state, expected = PACES[name]
    write_run(here / "x/0/1", "running", **state)
    monkeypatch.setattr(module, "_process_start", lambda pid: 0.0)
    monkeypatch.setattr(module, "_is_stalled", lambda path, updated, now: False)

    record = read()

    assert (record["steps_per_second"], record["eta"]) == expected


def test_only_running_jobs_have_a_pace(here):
    write_run(here / "x/0/1", "done")

    assert (read()["steps_per_second"], read()["eta"]) == (None, None)
