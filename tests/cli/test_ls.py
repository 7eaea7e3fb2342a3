import json
import os
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lagom.cli import ls as module
from lagom.cli.main import main
from lagom.experiment.journal import Journal
from lagom.experiment.storage import lock, write_json, write_pickle, write_yaml
from lagom.vis import read_runs
from lagom.vis.runs import iteration_seconds, read_states

HOST = os.uname().nodename
CONFIG = {"algo.name": "ppo", "env.id": "CartPole-v1", "train.timestep": 1000, "agent.gamma": 0.9}


def write_config(folder, **config):
    """A configuration, ``<name>/<ID>``, that has not begun."""
    folder.mkdir(parents=True, exist_ok=True)
    write_yaml(folder / "config.yml", {"ID": int(folder.name), **CONFIG, **config})


def write_run(folder, status="done", config=None, **state):
    """A run ``<name>/<ID>/<seed>`` of this process, 100 s old, at 400 of 1000 steps."""
    write_config(folder.parent, **(config or {}))
    folder.mkdir()
    now = time.time()
    content = {
        "status": status, "timestep": 400, "budget": 1000, "started": now - 100, "updated": now,
        "pid": os.getpid(), "host": HOST, "error": None,
    }  # fmt: skip
    write_json(folder / "status.json", content | state)
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The working directory, with a terminal of 120 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("LINES", "20")
    return tmp_path / "outputs"


@pytest.fixture
def lagom(capsys):
    """Run the program: exit code, lines of stdout, stderr."""

    def run(*words):
        code = main([*map(str, words)])
        out, err = capsys.readouterr()
        assert "\x1b" not in out + err
        return code, out.splitlines(), err

    return run


def read():
    """The only record below ``outputs``."""
    (record,), _ = module.read_records([Path("outputs")])
    return record


def test_ls_has_a_row_for_each_configuration(here, lagom):
    ago = time.time() - 61
    for seed, value in ((1, 10.0), (2, 20.0)):
        state = {"timestep": 1000, "updated": ago, "return": value}
        write_run(here / "x/0" / str(seed), config={"agent.lr": 0.1}, **state)
    write_run(here / "x/1/1", "failed", error="ValueError: no", updated=ago)
    write_run(here / "x/1/2", "running")
    write_run(here / "x/1/30", timestep=1000, config={"agent.lr": 0.01}, updated=ago)

    code, lines, err = lagom("ls")

    assert (code, err) == (0, "")
    assert [" ".join(line.split()) for line in lines] == [
        "run algo env configuration seeds state steps return updated",
        "x/0 ppo CartPole-v1 lr=0.1 2/2 done 100% 15 ± 7.07 1 min ago",
        "x/1 ppo CartPole-v1 lr=0.01 1/3 1 failed, 1 running 60% - 0 s ago",
    ]
    assert lines[0].index("seeds") == lines[1].index("2/2") == lines[2].index("1/3")


def test_ls_has_a_row_for_each_run_if_asked(here, lagom):
    write_run(here / "x/0/2", updated=time.time() - 7300, **{"return": 12.3456})
    write_run(here / "x/0/10", "stopped", updated=time.time() - 3 * 86400, timestep=999)

    _, lines, _ = lagom("ls", "--seeds")

    assert [" ".join(line.split()) for line in lines] == [
        "run algo env state steps return updated",
        "x/0/2 ppo CartPole-v1 done 40% 12.35 2 h ago",
        "x/0/10 ppo CartPole-v1 stopped 99% - 3 d ago",
    ]


def test_a_planned_configuration_is_there_without_seeds(here, lagom):
    write_run(here / "x/0/1")
    write_config(here / "x/1")
    (here / "x/0/2").mkdir()  # a seed that waits

    _, lines, _ = lagom("ls")

    assert lines[1].split()[3:6] == ["1/2", "1", "waiting"]
    assert lines[2].split()[:6] == ["x/1", "ppo", "CartPole-v1", "0/0", "not", "started"]
    assert lagom("ls", "--seeds")[1][3].split()[:4] == ["x/1", "ppo", "CartPole-v1", "waiting"]


def test_what_is_no_configuration_is_passed_over(here, lagom):
    write_run(here / "x/0/1")
    for name in ("notes", "old-1-1", ".2", "²"):
        (here / "x" / name).mkdir()
        (here / "x" / name / "config.yml").write_text("a: 1")

    assert names(lagom("ls")[1]) == ["x/0"]


def test_a_key_that_some_configurations_lack_varies(here):
    write_run(here / "x/0/1")
    write_run(here / "x/1/1", config={"agent.extra": None})

    records, _ = module.read_records([here])

    assert [module._settings(record) for record in records] == ["", "extra=null"]


def test_only_what_varies_is_shown_and_the_name_as_short_as_is_clear(here, lagom):
    write_run(here / "x/0/1", config={"agent.lr": 0.1, "critic.lr": 1, "agent.clip": [1, 2]})
    write_run(here / "x/1/1", config={"agent.lr": 0.2, "critic.lr": 1, "agent.clip": True})
    # Another algorithm lacks keys, another environment has other defaults: nobody varied them.
    write_run(here / "x/2/1", config={"algo.name": "cem", "es.std": 1})
    write_run(here / "x/3/1", config={"env.id": "Ant-v2", "train.timestep": 9})
    write_run(here / "y/0/1", config={"agent.lr": 0.1, "critic.lr": 1})
    write_run(here / "y/1/1", config={"agent.lr": 0.2, "critic.lr": 2})

    records, _ = module.read_records([here])

    assert [module._settings(record) for record in records] == [
        "lr=0.1 clip=[1,2]", "lr=0.2 clip=true", "", "",
        "agent.lr=0.1 critic.lr=1", "agent.lr=0.2 critic.lr=2",
    ]  # fmt: skip


def test_what_varies_is_known_where_one_configuration_is_asked_for(here, lagom):
    for i, lr in enumerate((0.1, 0.2)):
        write_run(here / f"x/{i}/1", config={"agent.lr": lr})
    write_pickle(here / "x/configs.pkl", [{"ID": i, **CONFIG, "agent.lr": i} for i in (0, 1)])

    assert "lr=1" in lagom("ls", here / "x/1")[1][1].split()  # the table, not config.yml
    assert "lr=1" in lagom("ls", here / "x/1/1")[1][1].split()


def test_a_configuration_that_the_table_lacks_comes_from_its_own_file(here, lagom):
    for i in (0, 1):
        write_run(here / f"x/{i}/1", config={"agent.lr": i + 5})
    write_pickle(here / "x/configs.pkl", [{"ID": 0, **CONFIG, "agent.lr": 0}, {"ID": True}])

    _, lines, err = lagom("ls")

    assert ["lr=0" in lines[1].split(), "lr=6" in lines[2].split(), err] == [True, True, ""]


def test_json_has_everything_about_each_run(here, lagom):
    now = time.time()
    write_run(here / "x/3/7", "failed", {"agent.lr": 0.5}, error="E: \x1b[31m\nno", timestep=40,
              started=now - 9, updated=now, **{"return": float("nan")})  # fmt: skip
    write_config(here / "x/4", **{"agent.lr": float("inf")})

    code, lines, _ = lagom("ls", "outputs", "--json")
    run, planned = json.loads("\n".join(lines), parse_constant=pytest.fail)

    assert code == 0
    assert run == {
        "path": "outputs/x/3/7", "experiment": str(here / "x"), "name": "x", "ID": 3, "seed": 7,
        "algo": "ppo", "env": "CartPole-v1", "status": "failed", "stalled": False, "timestep": 40,
        "budget": 1000, "steps_per_second": None, "eta": None, "return": None, "started": now - 9,
        "updated": now, "host": HOST, "pid": os.getpid(), "error": "E: \x1b[31m\nno",
        "config": {"agent.lr": 0.5},
    }  # fmt: skip
    assert planned["path"] == "outputs/x/4"
    assert (planned["seed"], planned["status"], planned["budget"]) == (None, "waiting", 1000)
    assert planned["config"] == {"agent.lr": None}


def test_json_takes_any_value(here, lagom):
    (here / "x/0").mkdir(parents=True)
    text = "a: {2020-01-01: [!!set {b}, .nan, 1]}\n"
    (here / "x/0/config.yml").write_text(text)
    write_config(here / "x/1", a=1)
    (here / "x/1/config.yml").write_text("a: 1\n")

    documents = json.loads("\n".join(lagom("ls", "--json")[1]))

    assert documents[0]["config"] == {"a": {"2020-01-01": ["{'b'}", None, 1]}}


def names(lines):
    return [line.split()[0] for line in lines[1:]]


def test_filters_and_sorting(here, lagom):
    for i, (lr, value) in enumerate(((1e-3, 5.0), (1e-4, -7.0), (3e-4, None), (1e-2, 30.0))):
        state = {} if value is None else {"return": value}
        config = {"agent.lr": lr, "agent.hidden": [64, i], "agent.on": i > 1, "env.num_env": "a"}
        write_run(here / f"x/{i}/1", "failed" if i == 1 else "done", config, **state)
    write_run(here / "y/0/3", "diverged", {"env.id": "Ant-v2"})

    def ls(*words):
        code, lines, err = lagom("ls", *words)
        assert (code, err) == (0, "")
        return names(lines)

    assert ls("--sort", "return") == ["x/1", "x/0", "x/3", "x/2", "y/0"]
    assert ls("--sort", "-return") == ["x/3", "x/0", "x/1", "x/2", "y/0"]
    assert ls("--sort", "agent.lr") == ["x/1", "x/2", "x/0", "x/3", "y/0"]
    assert ls("--sort", "-env") == ["x/0", "x/1", "x/2", "x/3", "y/0"]
    assert ls("--failed") == ["x/1", "y/0"]
    assert ls("--failed", "--filter", "name=x") == ["x/1"]
    assert ls("--filter", "lr=0.001") == ["x/0"]
    assert ls("--filter", "lr=1e-3") == ["x/0"]
    assert ls("--filter", "on=true", "--filter", "ID=2") == ["x/2"]
    assert ls("--filter", "hidden=[64,1]") == ["x/1"]
    assert ls("--filter", "env=Ant*") == ["y/0"]
    assert ls("--filter", "seed=3") == ["y/0"]
    assert ls("--filter", "gamma=0.9", "--seeds", "--sort", "seed")[-1] == "y/0/3"
    documents = json.loads("\n".join(lagom("ls", "--json", "--filter", "lr=0.01")[1]))
    assert [document["ID"] for document in documents] == [3]


def test_nothing_that_fits_is_said(here, lagom):
    write_run(here / "x/0/1")

    assert lagom("ls", "--failed") == (0, [], "no runs to show in outputs\n")
    assert lagom("ls", "--failed", "--json") == (0, ["[]"], "no runs to show in outputs\n")
    (here.parent / "empty").mkdir()
    assert lagom("ls", "empty", "--filter", "a=1", "--sort", "b")[0] == 0
    assert lagom("status", "empty") == (0, [], "no runs to show in empty\n")


WRONG = [
    (["ls", "outputz"], "error: PATH: no such folder 'outputz'; did you mean 'outputs'"),
    (["status", "nowhere"], "error: PATH: no such folder 'nowhere'; expected a folder that"),
    (["status", "5"], "error: PATH: no such folder '5'"),
    (["ls", "--filter", "done"], "error: --filter: got 'done'; expected key=value, such as"),
    (["ls", "--filter", "statu=done"], "error: --filter: no key 'statu' in these runs; .* status"),
    (["ls", "--sort", "rate"], "error: --sort: no key 'rate' .* agent.rate, critic.rate$"),
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(w) for w, _ in WRONG])
def test_wrong_words_are_answered_in_a_line(here, lagom, words, message):
    write_run(here / "x/0/1", config={"agent.rate": 1, "critic.rate": 2})

    code, lines, err = lagom(*words)

    assert (code, lines, err.count("\n")) == (2, [], 1)
    assert re.match(message, err.strip()), err


def test_outputs_need_not_be_there(lagom):
    assert lagom("ls")[0] == 2


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


def test_looking_takes_no_lock_and_writes_nothing(here, lagom):
    folder = write_run(here / "x/0/1", "running")
    with lock(folder):
        before = {path: path.stat().st_mtime_ns for path in here.rglob("*")}
        assert "running" in lagom("ls")[1][1]
        assert lagom("status")[0] == 0
        assert {path: path.stat().st_mtime_ns for path in here.rglob("*")} == before


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


@pytest.mark.parametrize("budget", [0, -5, 1e-300, "100", None, float("inf")])
def test_without_a_budget_there_is_no_percentage(here, lagom, budget):
    write_run(here / "x/0/1", "running", timestep=1e99, budget=budget)

    assert lagom("ls")[1][1].split()[5:7] == ["running", "-"]
    assert lagom("status")[0] == lagom("ls", "--json")[0] == 0


def test_only_running_jobs_have_a_pace(here):
    write_run(here / "x/0/1", "done")

    assert (read()["steps_per_second"], read()["eta"]) == (None, None)


def test_status_shows_what_runs_and_what_went_wrong(here, lagom, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    write_run(here / "x/0/1", "running", {"agent.lr": 0.1}, **{"return": 7.5})
    write_run(here / "x/0/2", config={"agent.lr": 0.1})
    write_run(here / "x/1/1", "failed", {"agent.lr": 0.2}, error="OSError: no\n\x1b[31mspace")
    write_run(here / "x/1/2", "running", {"agent.lr": 0.2}, pid=finished_process())
    write_run(here / "x/1/3", "stopped", {"agent.lr": 0.2})
    write_config(here / "x/2", **{"agent.lr": 0.3})
    write_run(here / "y/0/1")

    code, lines, err = lagom("status")

    assert (code, err) == (0, "")
    pid = json.loads((here / "x/1/2/status.json").read_text())["pid"]
    assert lines == [
        "outputs/x: 1 of 5 done (ETA at least 2 min 30 s), 1 running, 1 failed, 1 interrupted, "
        "1 stopped, 1 configuration not started",
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
    monkeypatch.setattr(module, "_process_start", lambda pid: 0.0)

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


DAMAGES = {
    "status is no JSON": ("x/0/1/status.json", b"{", "not readable as JSON"),
    "status is unknown": ("x/0/1/status.json", b'{"status": "fine"}', "status is 'fine'"),
    "status is huge": ("x/0/1/status.json", b" " * 1_000_001, "larger than 1000000 bytes"),
    "status is deep": ("x/0/1/status.json", b"[" * 100_000, "not readable as JSON"),
    "status is a FIFO": ("x/0/1/status.json", os.mkfifo, "not a file; expected the status"),
    "status is a folder": ("x/0/1/status.json", os.mkdir, "not a file; expected the status"),
    "table is a FIFO": ("x/configs.pkl", os.mkfifo, "not a file; expected the configurations"),
    "table asks for code": ("x/configs.pkl", b"cposix\nsystem\n(S'true'\ntR.", "asks for posix"),
    "table is cut": ("x/configs.pkl", b"\x80\x05\x95\xff", "not a pickle of plain values"),
    "table is a number": ("x/configs.pkl", pickle.dumps(1), "not a table; expected a list"),
    "table lists numbers": ("x/configs.pkl", pickle.dumps([1]), "not a configuration"),
    "config is no YAML": ("x/0/config.yml", b"a: [\n\t", "not readable as YAML"),
    "config has a number": ("x/0/config.yml", b"a: 0x" + b"f" * 5000, "too deep or too many"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_one_bad_file_is_a_message(here, lagom, name):
    write_run(here / "x/0/1", config={"agent.lr": 0.1})
    write_run(here / "x/1/1", config={"agent.lr": 0.2})
    file, damage, message = DAMAGES[name]
    (here / file).unlink(missing_ok=True)
    damage(here / file) if callable(damage) else (here / file).write_bytes(damage)

    code, lines, err = lagom("ls")

    assert code == 0
    assert [line.split()[0] for line in lines] == ["run", "x/0", "x/1"]
    assert err.startswith("1 problems in what was read:\n")
    assert err.count("\n") == 2
    assert message in err
    assert str(file) in err
    if "status" in name:
        assert "1 unreadable" in lines[1]
        assert read_runs([here])[0][0].status == "unknown"
    elif "table" in name:  # the configurations themselves are good
        assert [line.split()[3] for line in lines[1:]] == ["lr=0.1", "lr=0.2"]
    else:
        assert lines[1].split()[:5] == ["x/0", "-", "-", "1/1", "done"]


def nested(make):
    """``make`` of nine times the same of nine times the same ...: 9 ** 29 values in all."""
    value = make("x" for _ in range(9))
    for _ in range(29):
        value = make(value for _ in range(9))
    return value


def test_values_that_unfold_are_refused(here, lagom):
    write_run(here / "x/0/1", config={"a": 1})
    write_run(here / "x/1/1", config={"a": 2})
    for make in (tuple, list):
        table = pickle.dumps([{"ID": 0, "a": nested(make)}, {"ID": 1, "a": 1}])
        (here / "x/configs.pkl").write_bytes(table)

        _, lines, err = lagom("ls")

        assert "too many values; expected flat configurations" in err
        assert "a=1" in lines[1].split()


def test_values_of_any_depth(here, lagom):
    for depth in (10, 50, 300):
        deep = json.loads("[" * depth + "]" * depth)
        write_run(here / f"x{depth}/0/1", "failed", error=deep, host=deep, pid=deep)
        write_run(here / f"x{depth}/1/1", "failed")
        table = [{"ID": 0, "a": deep}, {"ID": 1, "a": 1}]
        (here / f"x{depth}/configs.pkl").write_bytes(pickle.dumps(table))

    code, lines, err = lagom("ls", "--json")

    assert (code, err.count("too deep or too many values")) == (0, 2)
    documents = json.loads("\n".join(lines))
    assert documents[0]["config"]["a"] == json.loads("[" * 10 + "]" * 10)
    assert [documents[0][key] for key in ("error", "host", "pid")] == [None, None, None]
    assert lagom("status")[0] == 0


def test_nothing_but_damaged_files(here, lagom):
    write_run(here / "x/0/1")
    (here / "x/0/1/status.json").write_text("{")
    assert [lagom(*words)[0] for words in (["ls"], ["ls", "--json"], ["status"])] == [5, 5, 5]

    (here / "x/0/1/status.json").unlink()
    assert lagom("ls")[0] == 0
    (here / "x/0/config.yml").write_text("[")
    assert lagom("ls")[0] == 5
    Path("file").write_text("")
    assert lagom("ls", "file")[0] == 5
    assert "file: Not a directory" in lagom("status", "file")[2]


def test_hostile_text_stays_on_its_line(here, lagom):
    evil = "a\x1b]0;x\x07\n\u202eb[bold]" + "c" * 500
    write_run(here / "x/0/1", "failed", {"env.id": evil, "algo.name": evil, evil: evil},
              error=evil * 100, host=evil, pid=[evil])  # fmt: skip
    write_run(here / "x/1/1", "running", {"env.id": evil, "algo.name": evil, evil: 1}, host=evil)
    (here / "x").rename(here / "y\x1b[31m\n")

    for words in (["ls"], ["ls", "--seeds"], ["status"]):
        _, lines, _ = lagom(*words)
        assert max(map(len, lines)) <= 120
        assert all(line.isprintable() for line in lines)
    assert len(lines) == 4


@pytest.mark.parametrize("width", [40, 80, 120])
def test_lines_fit_the_terminal(here, lagom, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    for i in (0, 1):
        config = {"agent.learning_rate_of_the_actor": 0.1 + i, "agent.text": "環境" * 20 + str(i)}
        write_run(here / "a-rather-long-name-of-an-experiment" / str(i) / "1", "running", config)

    for words in (["ls"], ["ls", "--seeds"], ["status"]):
        _, lines, _ = lagom(*words)
        assert max(map(module._cells, lines)) <= width
        assert len(lines) == 3
        if width == 120:
            assert "…" in lines[1]
            assert f"{HOST}:{os.getpid()}" in lines[1] or "s ago" in lines[1]  # the end is there


def test_places_on_a_terminal():
    assert module._cells("") == 0
    assert module._cells("a±b") == 3
    assert module._cells("環境e\u0301") == 5
    assert module._cut("0123456789", 7) == "0123…89"
    assert module._cells(module._cut("環境" * 9, 9)) <= 9


def test_experiments_of_one_name_are_told_apart(here, lagom):
    write_run(here / "a/x/0/1")
    write_run(here / "b/x/0/1")
    write_run(here / "b/y/0/1")

    assert names(lagom("ls")[1]) == ["outputs/a/x/0", "outputs/b/x/0", "y/0"]


def test_relative_places(here, lagom, monkeypatch):
    folder = write_run(here / "x/0/7")

    for where, path in ((folder, "."), (folder.parent, "7"), (folder.parent, "."), (folder, "..")):
        monkeypatch.chdir(where)
        assert names(lagom("ls", path)[1]) == ["x/0"]
        assert lagom("status", path)[1][0].endswith(": 1 of 1 done")


def test_terminals_of_any_encoding(here):
    for seed in (1, 2):
        write_run(here / "x/0" / str(seed), **{"return": float(seed)})
    done = subprocess.run(
        [sys.executable, "-m", "lagom", "ls"],
        capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip

    assert b"1.5 ? 0.707" in done.stdout


def test_nothing_heavy_is_loaded(here):
    write_run(here / "x/0/1")
    code = (
        "from lagom.cli.main import main; import sys\n"
        "main(['ls']); main(['status']); main(['ls', '--json'])\n"
        "print('LOADED', *sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in out.stdout.split("LOADED")[1].split()}

    heavy = {"torch", "pandas", "matplotlib", "scipy", "hydra", "omegaconf", "gymnasium", "rich"}
    assert not loaded & heavy
