import json
import os
import sys
import time
from pathlib import Path

import pytest
from cli import test_ls
from cli.test_ls import HOST, write_run, write_waiting
from cli.test_records import finished_process

from lagom.cli import records
from lagom.cli import status as module
from lagom.cli.main import main
from lagom.experiment.storage import write_json

here, lagom = test_ls.here, test_ls.lagom  # fixtures


def test_status_shows_what_runs_and_what_went_wrong(here, lagom, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    write_run(here / "x/0/1", "running", {"agent.lr": 0.1}, **{"return": 7.5})
    write_run(here / "x/0/2", config={"agent.lr": 0.1})
    write_run(here / "x/1/1", "failed", {"agent.lr": 0.2}, error="OSError: no\n\x1b[31mspace")
    write_run(here / "x/1/2", "running", {"agent.lr": 0.2}, pid=finished_process())
    write_run(here / "x/1/3", "stopped", {"agent.lr": 0.2})
    for seed in (1, 2):
        write_waiting(here / f"x/2/{seed}", **{"agent.lr": 0.3})
    write_run(here / "y/0/1")

    code, lines, err = lagom("status")

    assert (code, err) == (0, "")
    pid = json.loads((here / "x/1/2/status.json").read_text())["pid"]
    assert lines == [
        # 600 + 1000 + 1000 steps at 4 in a second
        "outputs/x: 1 of 7 done (ETA 10 min 50 s), 1 running, 1 failed, 1 interrupted, 1 stopped, "
        "2 waiting",
        f"  0/1  lr=0.1  40%  4 steps/s  ETA 2 min 30 s  return 7.5  {HOST}:{os.getpid()}",
        "  failed 1/1 lr=0.2 at 40%: OSError: no [31mspace",
        "    outputs/x/1/1/job.log",
        f"  interrupted 1/2 lr=0.2 at 40%: {HOST}:{pid} is gone; the same command continues",
        "    outputs/x/1/2/job.log",
        "outputs/y: 1 of 1 done",
    ]


def test_status_says_why_the_others_are_lost(here, lagom, monkeypatch):
    ago = time.time() - 1000
    write_run(here / "x/0/1", "running", host="far", pid=7, updated=ago)
    write_run(here / "x/0/2")
    (here / "x/0/2/status.json").write_text("{")
    write_run(here / "x/0/3", "running", updated=ago, started=ago - 1)
    monkeypatch.setattr(records, "_process_start", lambda pid: 0.0)

    code, lines, err = lagom("status")

    assert code == 0
    assert "1 problems in what was read" in err
    assert lines == [
        "outputs/x: 0 of 3 done, 1 stale, 1 unreadable, 1 stalled?",
        f"  0/3  40%  400 steps/s  {HOST}:{os.getpid()}  stalled? last seen 16 min ago",
        "  stale 0/1 at 40%: far:7 was last seen 16 min ago",
        "    outputs/x/0/1/job.log",
        "  unreadable 0/2 at -: its status.json cannot be read",
        "    outputs/x/0/2/job.log",
    ]


def test_a_column_that_one_job_lacks_stays(here, lagom):
    for seed, timestep in enumerate((0, 400, 0)):
        write_run(here / "x/0" / str(seed), "running", timestep=timestep)

    _, lines, _ = lagom("status")

    assert ["steps/s" in line for line in lines[1:]] == [False, True, False]
    assert ["ETA 2 min 30 s" in line for line in lines[1:]] == [False, True, False]
    assert len({line.index(HOST) for line in lines[1:]}) == 1


def test_many_failures_are_counted(here, lagom):
    for seed in range(12):
        write_run(here / "x/0" / str(seed), "failed", error="E")

    _, lines, _ = lagom("status")

    assert len(lines) == 1 + 2 * 10 + 1
    assert lines[-1] == "  and 2 more: lagom ls --seeds outputs/x"


def running(timestep, pace, budget=1000):
    seconds = (budget - timestep) / pace
    return {"status": "running", "timestep": timestep, "budget": budget,
            "steps_per_second": pace, "eta": seconds}  # fmt: skip


def test_time_until_everything_is_done():
    waiting = {"status": "waiting", "budget": 1000}

    assert module._eta([]) is None
    assert module._eta([waiting]) is None
    assert module._eta([running(400, 6.0)]) == 100.0
    assert module._eta([running(0, 1.0), running(0, 100.0)]) == 1000.0  # the slow one alone
    assert module._eta([running(400, 5.0), running(600, 5.0), waiting]) == 2000 / 10
    assert module._eta([running(400, 5.0), waiting | {"budget": None}]) is None
    assert module._eta([running(400, 5.0), waiting | {"budget": 1e99}]) is None
    assert module._eta([running(400, 5.0), running(400, 5.0) | {"eta": None}]) is None


class Terminal:
    """Stands for stdout; remembers the screens that were drawn."""

    encoding = "utf-8"

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True

    @property
    def screens(self):
        return self.text.split("\x1b[H\x1b[2J")[1:]


def test_watching_redraws_until_all_is_done(here, monkeypatch):
    folder, sleeps = write_run(here / "x/0/1", "running"), []

    def sleep(seconds):
        sleeps.append(seconds)
        status = "waiting" if len(sleeps) == 1 else "stopped"
        write_json(folder / "status.json", {"status": status})

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(module.time, "sleep", sleep)

    assert main(["status", "--watch"]) == 0
    assert sleeps == [2.0, 2.0]
    assert [screen.splitlines()[0] for screen in terminal.screens] == [
        "outputs/x: 0 of 1 done (ETA 2 min 30 s), 1 running",
        "outputs/x: 0 of 1 done, 1 waiting",
        "outputs/x: 0 of 1 done, 1 stopped",
    ]


def test_watching_fits_the_screen_and_ends_with_ctrl_c(here, monkeypatch):
    for seed in range(30):
        write_run(here / "x/0" / str(seed), "running")

    def sleep(seconds):
        assert seconds == 0.5
        raise KeyboardInterrupt

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(module.time, "sleep", sleep)

    assert main(["status", "--watch", "0.5", "outputs"]) == 130
    (screen,) = terminal.screens
    assert len(screen.splitlines()) == 19  # of 20, the last is for the cursor
    assert screen.splitlines()[-1] == "... and 13 lines more"


def test_a_folder_called_like_a_number_is_a_folder(here, monkeypatch, lagom):
    write_run(Path("5") / "0" / "1")

    assert lagom("status", "--watch", "5")[1] == ["5: 1 of 1 done"]


@pytest.mark.parametrize("words", [["status", "--watch"], ["status"]])
def test_without_a_terminal_it_is_printed_once(here, lagom, monkeypatch, words):
    write_run(here / "x/0/1", "running")
    monkeypatch.setattr(module.time, "sleep", pytest.fail)

    assert lagom(*words)[1][0].startswith("outputs/x: 0 of 1 done (ETA 2 min 30 s), 1 run")
