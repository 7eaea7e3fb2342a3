import errno
import json
import os
import pickle
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
from configs import TINY, TINY_ES, TINY_REPLAY, compose

from lagom.experiment import checkpoint, fingerprint, guard, job, policy, storage
from lagom.experiment.guard import Stopped, execute
from lagom.experiment.job import run
from lagom.experiment.journal import read_logs
from lagom.experiment.scheduler import call

CARTPOLE = compose("ppo", **TINY)
PENDULUM = compose("ppo", "Pendulum-v1", **TINY | {"train.timestep": 480})  # 200 steps an episode
CMAES = compose("cmaes", **TINY_ES)
CEM = compose("cem", **TINY_ES | {"es.popsize": 3})
DRIFT = compose("ppo", "gym", **TINY, **{"env.id": "configs:Drift-v0"})  # cannot be captured
DQN = compose("dqn", **TINY_REPLAY, **{"replay.prioritized": True})
SAC = compose("sac", "Pendulum-v1", **TINY_REPLAY)
REPLAY_DRIFT = compose("sac", "gym", **TINY_REPLAY, **{"env.id": "configs:Drift-v0"})
CONFIGS = {
    **{"ppo": CARTPOLE, "normalizers": PENDULUM, "cmaes": CMAES, "cem": CEM, "no capture": DRIFT},
    **{"vpg": compose("vpg", **TINY), "dqn": DQN, "sac": SAC, "replay, no capture": REPLAY_DRIFT},
}
EACH = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def train(logdir, config=CARTPOLE, seed=1):
    """Run a job; return its outcome and, if it is done, its files."""
    outcome, result = execute(run, config, seed, "cpu", logdir)
    assert outcome != "failed" or isinstance(result, Exception)
    return outcome


def files(logdir):
    """Name -> bytes of what must not depend on clocks, interruptions or earlier checkpoints."""
    last = max((logdir / "checkpoints").glob("[0-9]*"), key=lambda path: int(path.name))
    folders = logdir, logdir / "policy", last, *(logdir / "checkpoints").glob("rows/*")
    paths = [path for folder in folders for path in folder.iterdir() if path.is_file()]
    clocked = {"status.json", "fingerprint.json", "job.log", "timing.journal", "timing_logs.pkl"}
    return {
        str(path.relative_to(logdir)): path.read_bytes()
        for path in paths
        if path.name not in clocked | {".lock"}
    }


_uninterrupted = {}


@pytest.fixture
def uninterrupted(tmp_path_factory):
    """The files of a whole run of a configuration, trained once for all tests."""

    def get(config):
        key = json.dumps(config)
        if key not in _uninterrupted:
            logdir = tmp_path_factory.mktemp("whole")
            assert train(logdir, config) == "done"
            _uninterrupted[key] = files(logdir)
        return _uninterrupted[key]

    return get


def status(logdir):
    return storage.read_json(logdir / "status.json")


def column(logdir, name, key):
    return read_logs(logdir, name)[0][key]


# What a job leaves --------------------------------------------------------------------------------


def test_folder(tmp_path):
    assert train(tmp_path) == "done"
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    checkpoint = ["arrays.safetensors", "manifest.json", "state.json"]
    assert names == {
        *(
            f"{log}{end}"
            for log in ("train", "eval", "timing")
            for end in (".journal", "_logs.pkl")
        ),
        *(f"checkpoints/{timestep}/{name}" for timestep in (64, 128) for name in checkpoint),
        *("policy/policy.json", "policy/policy.safetensors"),
        *("status.json", "fingerprint.json", "job.log", ".lock"),
    }
    state = status(tmp_path)
    assert (state["status"], state["timestep"], state["budget"]) == ("done", 128, 128)
    assert (state["pid"], state["host"], state["error"]) == (os.getpid(), os.uname()[1], None)
    assert state["started"] <= state["updated"]
    assert state["return"] == column(tmp_path, "eval", "return")[-1]
    written = storage.read_json(tmp_path / "fingerprint.json")
    assert written["sources"] == fingerprint.sources_digest()
    assert written["versions"]["torch"] == torch.__version__
    assert written["threads"] == 1


def test_columns(tmp_path):
    train(tmp_path)
    agents = ["policy_loss", "value_loss", "entropy", "grad_norm", "approx_kl", "clip_frac"]
    seconds = ["collect_seconds", "learn_seconds", "eval_seconds"]
    expected = {
        "train": ["iteration", "timestep", "episode", "return", "length", *agents],
        "eval": ["timestep", "return", "return_std", "length", "episodes", "returns"],
        "timing": ["timestep", *seconds, "steps_per_second"],
    }
    for name, keys in expected.items():
        with open(tmp_path / f"{name}_logs.pkl", "rb") as file:
            logs = pickle.load(file)
        assert list(logs) == keys
        assert repr(logs) == repr(read_logs(tmp_path, name)[0])
        frame = pandas.DataFrame(pandas.read_pickle(tmp_path / f"{name}_logs.pkl"))
        assert list(frame.columns) == keys
    assert column(tmp_path, "train", "iteration") == [1, 2, 3, 4]
    assert column(tmp_path, "train", "timestep") == [32, 64, 96, 128]
    assert column(tmp_path, "eval", "timestep") == [64, 128]
    for returns, mean in zip(
        column(tmp_path, "eval", "returns"), column(tmp_path, "eval", "return"), strict=True
    ):
        assert sum(returns) / 2 == mean
    seconds = column(tmp_path, "timing", "eval_seconds")
    assert [x > 0 for x in seconds] == [False, True, False, True]


@pytest.mark.parametrize(
    ("every", "checkpoints", "evaluations"),
    [(0, ["128"], [128]), (40, ["128", "96"], [64, 96, 128]), (1000, ["128"], [128])],
)
def test_evaluations_and_checkpoints_come_at_multiples_and_at_the_end(
    tmp_path, every, checkpoints, evaluations
):
    train(tmp_path, CARTPOLE | {"eval.every": every, "checkpoint.every": every})
    assert sorted(os.listdir(tmp_path / "checkpoints")) == checkpoints
    assert column(tmp_path, "eval", "timestep") == evaluations


# Determinism --------------------------------------------------------------------------------------


@EACH
def test_same_seed_same_bytes_other_seed_other_numbers(tmp_path, uninterrupted, config):
    train(tmp_path / "again", config)
    assert files(tmp_path / "again") == uninterrupted(config)
    train(tmp_path / "other", config, seed=2)
    other = files(tmp_path / "other")
    assert other["train.journal"] != uninterrupted(config)["train.journal"]


@EACH
def test_evaluation_does_not_disturb_training(tmp_path, uninterrupted, config):
    train(tmp_path, config | {"eval.every": 0, "eval.episodes": 3})
    for name in ("train.journal", "train_logs.pkl", "policy/policy.safetensors"):
        assert files(tmp_path)[name] == uninterrupted(config)[name]


# Resume -------------------------------------------------------------------------------------------


def act_at_report(monkeypatch, act, number=1):
    """Call ``act`` in the ``number``-th iteration, when the row of the iteration is written."""
    report, count = job.report, [0]

    def counting(logdir, force=False, **fields):
        report(logdir, force, **fields)
        count[0] += not force
        if count[0] == number and not force:
            act()

    monkeypatch.setattr(job, "report", counting)


@EACH
def test_stopped_in_every_iteration_equals_uninterrupted(
    tmp_path, monkeypatch, capsys, uninterrupted, config
):
    if config in (DRIFT, REPLAY_DRIFT):  # new episodes begin at scheduled checkpoints only
        every = config["env.num_env"] * config["train.num_step"]
        config = config | {"checkpoint.every": every}
    expected, outcomes = uninterrupted(config), []
    while not outcomes or outcomes[-1] == "stopped":
        with monkeypatch.context() as patch:
            act_at_report(patch, lambda: os.kill(os.getpid(), signal.SIGTERM))
            outcomes.append(train(tmp_path, config))
    assert outcomes == ["stopped"] * (len(outcomes) - 1) + ["done"]
    assert len(outcomes) == expected["train.journal"].count(b"\n") > 3
    assert files(tmp_path) == expected
    resumed = [line for line in capsys.readouterr().out.splitlines() if "resumed at" in line]
    timesteps = column(tmp_path, "train", "timestep")
    assert resumed[: len(timesteps) - 1] == [f"resumed at timestep {t}" for t in timesteps[:-1]]


@pytest.mark.parametrize(
    ("config", "number"),
    [(CARTPOLE, 1), *((config, 3) for config in CONFIGS.values())],
    ids=["before the first checkpoint", *CONFIGS],
)
def test_killed_job_equals_uninterrupted(tmp_path, uninterrupted, config, number):
    def kill(logdir):
        count, report = [0], job.report

        def counting(logdir, force=False, **fields):
            count[0] += not force
            if count[0] == number:
                os.kill(os.getpid(), signal.SIGKILL)
            report(logdir, force, **fields)

        job.report = counting
        guard.execute(job.run, config, 1, "cpu", logdir)

    with pytest.raises(RuntimeError, match="killed by SIGKILL"):
        call(kill, tmp_path)
    assert status(tmp_path)["status"] == "running"
    rows = (tmp_path / "train.journal").read_bytes()
    assert rows.count(b"\n") == number
    assert uninterrupted(config)["train.journal"].startswith(rows)
    assert train(tmp_path, config) == "done"
    assert files(tmp_path) == uninterrupted(config)


@EACH
def test_killed_before_the_policy_equals_uninterrupted(
    tmp_path, monkeypatch, uninterrupted, config
):
    def fail(*args):
        raise OSError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(policy, "write_policy", fail)
        assert train(tmp_path, config) == "failed"
    assert train(tmp_path, config) == "done"
    assert files(tmp_path) == uninterrupted(config)
    assert train(tmp_path, config) == "done"  # once more changes nothing
    assert files(tmp_path) == uninterrupted(config)


def test_what_a_kill_after_the_last_checkpoint_left_is_removed(tmp_path, uninterrupted):
    train(tmp_path, DQN)
    expected = sorted(tmp_path.rglob("*"))
    (tmp_path / "checkpoints/8").mkdir()
    (tmp_path / "checkpoints/.40.99").mkdir()
    (tmp_path / "checkpoints/rows/engine.replay.table.rows.0/0-5").touch()
    assert train(tmp_path, DQN) == "done"
    assert sorted(tmp_path.rglob("*")) == expected
    assert files(tmp_path) == uninterrupted(DQN)


def test_damaged_checkpoint_is_passed_over_and_said_so(tmp_path, capsys, uninterrupted):
    train(tmp_path)
    (tmp_path / "checkpoints" / "128" / "arrays.safetensors").write_bytes(b"")
    assert train(tmp_path) == "done"
    out = capsys.readouterr().out
    assert "checkpoint passed over: " in out
    assert "128: damaged (arrays.safetensors: hash differs)" in out
    assert "resumed at timestep 64" in out
    assert files(tmp_path) == uninterrupted(CARTPOLE)


def test_moved_folder_resumes(tmp_path, monkeypatch, uninterrupted):
    with monkeypatch.context() as patch:
        act_at_report(patch, lambda: os.kill(os.getpid(), signal.SIGINT), 2)
        assert train(tmp_path / "here") == "stopped"
    assert status(tmp_path / "here")["status"] == "stopped"
    (tmp_path / "here").rename(tmp_path / "there")
    assert train(tmp_path / "there") == "done"
    assert files(tmp_path / "there") == uninterrupted(CARTPOLE)


# What goes wrong ----------------------------------------------------------------------------------


def test_reward_that_is_not_finite_ends_the_job_as_diverged(tmp_path):
    config = DRIFT | {"env.kwargs": {"at": 53, "what": "nan"}}
    assert train(tmp_path, config) == "diverged"
    state = status(tmp_path)
    assert state["status"] == "diverged"
    assert state["error"].startswith("FloatingPointError: ")
    assert state["timestep"] == 96
    assert column(tmp_path, "train", "timestep") == [32, 64, 96]
    assert storage.read_pickle(tmp_path / "train_logs.pkl")["timestep"] == [32, 64, 96]


def test_metric_that_is_not_finite_ends_the_job_as_diverged(tmp_path, monkeypatch):
    from lagom.algorithms.ppo.agent import Agent

    learn, rows = Agent.learn, []

    def broken(self, D, **kwargs):
        rows.append(learn(self, D, **kwargs))
        return rows[-1] | ({"entropy": np.float32("inf")} if len(rows) == 2 else {})

    monkeypatch.setattr(Agent, "learn", broken)
    assert train(tmp_path) == "diverged"
    error = "FloatingPointError: iteration 2, timestep 64: entropy not finite"
    assert status(tmp_path)["error"] == error
    assert column(tmp_path, "train", "timestep") == [32, 64]  # the row that shows it is kept


def test_exception_of_the_environment_fails_the_job(tmp_path):
    config = DRIFT | {"env.kwargs": {"at": 20, "what": "raise"}}
    outcome, error = execute(run, config, 1, "cpu", tmp_path)
    assert outcome == "failed"
    assert isinstance(error, ZeroDivisionError)
    state = status(tmp_path)
    assert state["status"] == "failed"
    assert state["error"] == "ZeroDivisionError: the simulation exploded"
    assert state["storage_full"] is False
    log = (tmp_path / "job.log").read_text()
    assert log.startswith("Traceback")
    assert "in step" in log
    assert log.endswith("ZeroDivisionError: the simulation exploded\n")
    with storage.lock(tmp_path):  # free again
        pass


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_full_storage_is_flagged_and_resume_works(tmp_path, monkeypatch, uninterrupted, code):
    write, count = os.write, [0]

    def full(file, data):
        count[0] += b'"policy_loss"' in data
        if count[0] == 3 and b'"policy_loss"' in data:
            os.write = write
            raise OSError(code, os.strerror(code))
        return write(file, data)

    monkeypatch.setattr(os, "write", full)
    assert train(tmp_path) == "failed"
    assert status(tmp_path)["storage_full"] == (code != errno.EIO)
    assert column(tmp_path, "train", "timestep") == [32, 64]
    assert train(tmp_path) == "done"
    assert files(tmp_path) == uninterrupted(CARTPOLE)


def test_nothing_can_be_written_at_all(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "replace", full)
    outcome, error = execute(run, CARTPOLE, 1, "cpu", tmp_path)
    assert outcome == "failed"
    assert storage.is_storage_full(error)


def test_job_in_use_is_not_touched(tmp_path):
    with (
        storage.lock(tmp_path),
        pytest.raises(BlockingIOError, match=f"in use by pid {os.getpid()}"),
    ):
        train(tmp_path)
    assert os.listdir(tmp_path) == [".lock"]


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (SystemExit(3), "failed"),
        (KeyboardInterrupt(), "stopped"),
        (Stopped(15), "stopped"),
        (MemoryError("much"), "failed"),
    ],
)
def test_every_end_has_its_status(tmp_path, end, outcome):
    def run(config, seed, device, logdir):
        (logdir / ".x.1.tmp").touch()
        raise end

    assert execute(run, {"train.timestep": 5}, 0, "cpu", tmp_path)[0] == outcome
    assert status(tmp_path)["status"] == outcome
    assert (status(tmp_path)["error"] is None) == (outcome == "stopped")
    assert execute(lambda *args: "result", {}, 0, "cpu", tmp_path) == ("done", "result")
    assert not (tmp_path / ".x.1.tmp").exists()


def test_warnings_go_to_the_log_and_raise_nothing(tmp_path, recwarn):
    import warnings

    def run(*args):
        warnings.warn("mind this", stacklevel=1)

    assert execute(run, {}, 0, "cpu", tmp_path)[0] == "done"
    assert [str(w.message) for w in recwarn] in ([], ["mind this"])


def test_second_signal_acts_at_once():
    with guard.stop_signals() as asked:
        os.kill(os.getpid(), signal.SIGINT)
        assert asked == [signal.SIGINT]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_report_is_written_at_most_twice_a_second(tmp_path, monkeypatch):
    now, seen = [0.0], []
    monkeypatch.setattr(guard.time, "monotonic", lambda: now[0])

    def run(config, seed, device, logdir):
        for i, now[0] in enumerate([0.1, 0.4, 0.6, 1.0, 1.2]):
            job.report(logdir, timestep=i)
            seen.append(status(logdir)["timestep"])

    execute(run, {}, 0, "cpu", tmp_path)
    assert seen == [0, 0, 2, 2, 4]
    job.report(tmp_path, timestep=99)  # nobody guards it any more
    assert status(tmp_path)["timestep"] == 4


def test_probe():
    job.probe(CARTPOLE)
    job.probe(CMAES)
    with pytest.raises(ValueError, match="there is no environment 'CartPol-v1'"):
        job.probe(CARTPOLE | {"env.id": "CartPol-v1"})
    with pytest.raises(ZeroDivisionError, match="exploded"):
        job.probe(DRIFT | {"env.kwargs": {"at": 1, "what": "raise"}})


def test_probe_refuses_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device: cuda:0 is not available here; use device=cpu"):
        job.probe(CARTPOLE | {"device": "cuda:0"})


@pytest.mark.parametrize("name", ["nowhere:X", "math:nothing", "1:2", ""])
def test_names_that_cannot_be_imported(name):
    with pytest.raises(ValueError, match=f"algo.agent: cannot import '{name}' .* expected 'pack"):
        job.resolve({"algo.agent": name}, "algo.agent")


def test_random_state_round_trip(tmp_path):
    draw = lambda: (random.random(), random.gauss(0, 1), np.random.rand(), torch.rand(()).item())
    draw()  # leaves a second Gaussian number behind
    checkpoint.write_checkpoint(tmp_path, 1, job.random_state(), keep=1)
    expected = [draw() for _ in range(3)]
    job.load_random_state(checkpoint.read_checkpoint(tmp_path)[0])
    assert [draw() for _ in range(3)] == expected


# Failpoints ---------------------------------------------------------------------------------------

FAILPOINTS = '''
import builtins, errno, gc, os, shutil, signal, sys, warnings
from contextlib import suppress
from itertools import count
from pathlib import Path

import configs
from lagom.experiment import guard, job, journal, row_files, storage
from lagom.experiment.checkpoint import read_checkpoint
from lagom.experiment.journal import read_journal

os_write = os.write
warnings.simplefilter("error")
guard.fingerprint, os.fsync = lambda config: {}, lambda file: None  # slow
guard._STATUS_SECONDS = journal._SYNC_SECONDS = 1e9  # the same calls each time
row_files._SEGMENT = 400  # bytes, 12 transitions: segments come and go
root, name, stride = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
config = {
    "cmaes": configs.compose("cmaes", "gym", **{
        "env.id": "configs:Drift-v0", "es.popsize": 4, "eval.episodes": 1,  # 44 steps an iteration
        "train.timestep": 120, "eval.every": 80, "checkpoint.every": 40, "checkpoint.keep": 1,
    }),
    "dqn": configs.compose("dqn", **configs.TINY_REPLAY | {
        "replay.capacity": 64, "train.every": 8,
        "eval.every": 0, "eval.episodes": 1, "checkpoint.keep": 1,
    }),
}[name]
MODES = ["before", "torn", "after", "full", "filled"]
CREATING = {"open", "write", "pwrite", "mkdir", "fsync"}  # what a full disk refuses
calls, names = count(1), []


def failing(name, function):
    """Call number K of all such functions does what MODE says."""

    def wrapper(*args, **kwargs):
        k = next(calls)
        names.append(name)
        if k != K and not (MODE == "filled" and k > K and name in CREATING):
            return function(*args, **kwargs)
        if MODE == "after":
            with suppress(OSError):  # that a folder is there already
                result = function(*args, **kwargs)
        elif MODE != "before" and name == "write" and k == K:
            written = function(*args[:-1], args[-1][: len(args[-1]) // 2])
            if MODE != "torn" and function is os_write:
                return written  # a full disk says so with the next call
        if MODE in ("full", "filled"):
            raise OSError(errno.ENOSPC, "No space left on device")
        os.kill(os.getpid(), signal.SIGKILL)

    return wrapper


class File:
    """Without a buffer, so that each write is a call."""

    def __init__(self, *args):
        self.file = builtins.open(*args, buffering=0)
        self.write = failing("write", self.file.write)
        self.truncate = failing("ftruncate", self.file.truncate)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)


def fail_at(k, mode):
    global K, MODE
    K, MODE = k, mode
    for name in ["write", "pwrite", "replace", "rename", "mkdir", "rmdir", "unlink", "ftruncate",
                 "fsync"]:
        setattr(os, name, failing(name, getattr(os, name)))
    os_open, create = os.open, failing("open", os.open)
    os.open = lambda path, flags, *args, **kwargs: (
        create if flags & os.O_CREAT else os_open)(path, flags, *args, **kwargs)
    storage.open = lambda path, mode: (
        builtins.open(path, mode) if mode == "rb" else failing("open", File)(path, mode))


def fork(logdir, k=0, mode="before"):
    """Run the job in a process of its own; return whether it was done."""
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            fail_at(k, mode)
            outcome, _ = guard.execute(job.run, config, 1, "cpu", logdir)
            if not k:
                logdir.with_name("calls").write_text(" ".join(names))
            os._exit(0 if outcome == "done" else 1)
        except OSError:  # before there was a status to write it to
            os._exit(1)
        finally:
            os._exit(2)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 1, -9), code
    return code == 0


def files(logdir):
    clocked = {"status.json", "fingerprint.json", "job.log", "timing.journal", "timing_logs.pkl"}
    return {str(path.relative_to(logdir)): path.is_file() and path.read_bytes()
            for path in sorted(logdir.rglob("*")) if path.name not in clocked | {".lock"}}


# In this process, so that all imports are done when it is copied.
assert guard.execute(job.run, config, 1, "cpu", root / "imports") == ("done", None)
gc.freeze()
assert fork(root / "whole")
expected = files(root / "whole")
assert files(root / "imports") == expected
every = (root / "calls").read_text().split()
rows = read_journal(root / "whole" / "train.journal")[0]
points = [(k, mode) for k, name in enumerate(every, 1) for mode in MODES
          if not (mode == "torn" and name != "write")
          and not (mode in ("full", "filled") and name not in CREATING)]
for k, mode in points[::stride]:
    logdir = root / f"{k}-{mode}"
    assert not fork(logdir, k, mode) or mode in ("full", "filled"), (k, mode)
    if (logdir / "train.journal").exists():  # what is there is a gap-free, undamaged beginning
        found, damaged = read_journal(logdir / "train.journal")
        assert (found, damaged) == (rows[: len(found)], 0), (k, mode, every[k - 1])
    if (logdir / "status.json").exists():
        status = storage.read_json(logdir / "status.json")
        assert status["status"] in ("running", "done", "failed"), (k, mode)
        if status["status"] == "failed":
            assert status["storage_full"], (k, mode)
    for path in logdir.glob("*.pkl"):
        storage.read_pickle(path)
    if k > 1 + every.index("rename"):  # from the first checkpoint on there always is one
        assert read_checkpoint(logdir / "checkpoints")[0] is not None, (k, mode)
    assert fork(logdir, 0), (k, mode, every[k - 1])
    found = files(logdir)
    bad = [x for x in found.keys() | expected.keys() if found.get(x, 0) != expected.get(x, 0)]
    assert not bad, (k, mode, every[k - 1], bad)
    shutil.rmtree(logdir)
print(len(every), len(points))
'''


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("stride", [31, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["cmaes", "dqn"])
def test_job_survives_the_failure_of_every_single_call(tmp_path, name, stride):
    """Every call that writes, in every way that it can fail; of all these, each ``stride``-th."""
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", FAILPOINTS, str(tmp_path), name, str(stride)],
        capture_output=True,
        text=True,
        env=env,
    )
    assert done.returncode == 0, done.stderr
    num_call, num_point = map(int, done.stdout.splitlines()[-1].split())
    assert num_call > 150
    assert num_point > 3 * num_call
