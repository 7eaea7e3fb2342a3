"""Jobs by launchers that are not lagom's: the same folders, summary, exit codes and resuming."""

import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import time
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import hydra
import pytest

from lagom.cli.plugins import need_extra
from lagom.cli.prepare import register_resolvers
from lagom.cli.words import Refused, check_groups, flags_first
from lagom.experiment import storage

TINY = ["train.timestep=256", "env.num_env=2", "train.num_step=64", "agent.batch_size=64",
        "eval.episodes=2", "agent.num_epoch=1"]  # fmt: skip
LONG = ["train.timestep=60000", "train.num_step=32", "agent.num_epoch=1", "eval.every=0",
        "eval.episodes=1", "checkpoint.every=0"]  # fmt: skip
SLOW = pytest.mark.slow
FAKE_SLURM = Path(__file__).parent / "fake_slurm"
ENV = '''
import os, signal
from pathlib import Path
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

class Unlucky(CartPoleEnv):
    """In one job alone, whichever comes first, something happens after 50 steps."""

    def __init__(self, how):
        super().__init__()
        self.how, self.n = how, 0

    def step(self, action):
        self.n += 1
        if self.n == 50 and not Path("happened").exists():
            try:
                os.close(os.open("happened", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return super().step(action)
            if self.how == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OverflowError("the motor is on fire")
        return super().step(action)

gymnasium.register("Unlucky-v0", Unlucky, max_episode_steps=200)
'''


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A Slurm of one node."""
    assert all(path.stat().st_mode & stat.S_IXUSR for path in FAKE_SLURM.iterdir())
    (tmp_path / "states").mkdir()
    monkeypatch.setenv("FAKE_SLURM", str(tmp_path / "states"))
    monkeypatch.setenv("PATH", f"{FAKE_SLURM}:{os.environ['PATH']}")


def start(folder, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "lagom", *words], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def lagom(folder, *words):
    """Exit code, stdout and stderr of the program."""
    process = start(folder, *words)
    out, err = process.communicate(timeout=200)
    return process.returncode, out, err


def states(folder):
    """status.json of each job, by seed."""
    return {
        int(path.parent.name): storage.read_json(path)
        for path in folder.glob("outputs/*/0/*/status.json")
    }


def wait_until(condition, process):
    deadline = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


@pytest.mark.parametrize(
    "launcher",
    ["joblib", "submitit_slurm", *(pytest.param(x, marks=SLOW) for x in ("submitit_local", "ray"))],
)
def test_a_failure_stays_where_it_happens_and_the_same_command_goes_on(tmp_path, slurm, launcher):
    if launcher == "ray":
        pytest.importorskip("hydra_plugins.hydra_ray_launcher")
    (tmp_path / "unlucky.py").write_text(ENV)
    words = ["train", *TINY, "env=unlucky:Unlucky-v0", "env.kwargs.how=raise", "seeds=[1,2]",
             f"hydra/launcher={launcher}", "name=\"it's here\""]  # fmt: skip

    code, out, err = lagom(tmp_path, *words)

    assert code == 3, err
    assert sorted(state["status"] for state in states(tmp_path).values()) == ["done", "failed"]
    assert "OverflowError: the motor is on fire" in err
    assert "1/2" in out
    assert "next: lagom plot" in out
    assert "Traceback" not in err
    assert "deprecated" not in err
    done = next(seed for seed, state in states(tmp_path).items() if state["status"] == "done")
    folder = tmp_path / f"outputs/it's here/0/{done}"
    assert {path.name for path in folder.iterdir()} == {
        "status.json", "train.journal", "eval.journal", "timing.journal", "train_logs.pkl",
        "eval_logs.pkl", "timing_logs.pkl", "checkpoints", "policy", "fingerprint.json", "job.log",
        ".lock",
    }  # fmt: skip
    failed = folder.parent / str(3 - done) / "job.log"
    assert "Traceback" in failed.read_text()
    assert "submitit" not in failed.read_text()  # what the launcher says is not the job's

    code, out, err = lagom(tmp_path, *words)

    assert code == 0, err
    assert "1 of 2 jobs are done already" in err
    assert {state["status"] for state in states(tmp_path).values()} == {"done"}
    listed = lagom(tmp_path, "ls", "outputs", "--json")[1]
    assert "submitit" not in listed


@SLOW
def test_joblib_a_killed_job_is_said_to_have_died(tmp_path):
    (tmp_path / "unlucky.py").write_text(ENV)
    words = ["train", *TINY, "env=unlucky:Unlucky-v0", "env.kwargs.how=die", "seeds=2",
             "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]  # fmt: skip

    code, out, err = lagom(tmp_path, *words)

    assert code == 3, err
    assert "JoblibLauncher: TerminatedWorkerError" in err
    assert "RuntimeError: its process died" in err
    assert "running" not in out
    assert lagom(tmp_path, *words)[0] == 0


def test_slurm_time_limit_saves_and_requeues_other_stops_save_and_wait(tmp_path, slurm):
    words = ["train", *LONG, "seeds=[1,2]", "hydra/launcher=submitit_slurm"]
    process = start(tmp_path, *words)
    train = lambda: [s for s in states(tmp_path).values() if s.get("timestep", 0) > 0]
    wait_until(lambda: len(train()) == 2, process)
    os.kill(states(tmp_path)[1]["pid"], signal.SIGUSR2)  # as Slurm does before the time limit
    os.kill(states(tmp_path)[2]["pid"], signal.SIGUSR1)
    _, err = process.communicate(timeout=200)

    assert process.returncode == 130, err
    assert {seed: state["status"] for seed, state in states(tmp_path).items()} == {
        1: "done", 2: "stopped",
    }  # fmt: skip
    (folder,) = tmp_path.glob("outputs/*/0/")
    assert "resumed at timestep" in (folder / "1/job.log").read_text()
    assert "resumed" in states(tmp_path)[1]

    code, _, err = lagom(tmp_path, *words)

    assert code == 0, err
    assert "1 of 2 jobs are done already" in err
    assert "resumed at timestep" in (folder / "2/job.log").read_text()


def test_without_slurm_nothing_is_started(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    code, _, err = lagom(tmp_path, "train", "hydra/launcher=submitit_slurm")

    assert code == 2
    assert "there is no Slurm here (sbatch, srun)" in err
    assert not (tmp_path / "outputs").exists()


def test_gpus_are_looked_for_where_the_jobs_run(tmp_path, slurm):
    (tmp_path / "outputs").write_text("in the way")  # it comes so far, and no job starts

    code, _, err = lagom(tmp_path, "train", "device=cuda", "hydra/launcher=submitit_slurm")

    assert code == 4, err
    assert "outputs" in err


def test_a_missing_extra_is_named():
    with pytest.raises(Refused, match=r'launcher=x needs lagom\[x\]: pip install "lagom\[x\]"'):
        need_extra("hydra/launcher=x", "hydra_plugins.hydra_x_launcher", "x")


@pytest.mark.skipif(find_spec("ray") is not None, reason="ray is installed")
def test_a_missing_extra_starts_nothing(tmp_path):
    code, _, err = lagom(tmp_path, "train", "hydra/launcher=ray")

    assert code == 2
    assert err == 'lagom: hydra/launcher=ray needs lagom[ray]: pip install "lagom[ray]"\n'
    assert not (tmp_path / "outputs").exists()


def test_keys_of_launchers_are_checked_too(tmp_path):
    words = ["hydra/launcher=submitit_local", "hydra.launcher.timeout_mi=3"]
    code, _, err = lagom(tmp_path, "train", *words)

    assert code == 2
    assert "no such key: hydra.launcher.timeout_mi; did you mean hydra.launcher.timeout_min" in err


PAGE = Path(__file__).parents[2] / "docs/scaling.md"
COMMANDS = [
    shlex.split(line.removeprefix("$ lagom train"), comments=True)
    for line in PAGE.read_text().splitlines()
    if line.startswith("$ lagom train")
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.filterwarnings("ignore:\\s*'hydra/launcher/")
def test_commands_of_the_page_on_scaling_compose(words):
    register_resolvers()
    _, words = flags_first(words)
    check_groups(words, ())
    with hydra.initialize_config_module("lagom.conf", version_base="1.3"):
        # A sweep's first value: every key is one that there is.
        words = [re.sub(r"=[\w(,]*\(([^,]*),.*|=([^\[,]*),.*", r"=\1\2", word) for word in words]
        config = hydra.compose("config", words, return_hydra_config=True)

    assert config.hydra.launcher._target_


def test_keys_of_the_page_on_scaling_exist():
    conf = Path(str(resources.files("lagom.conf")))
    slurm, optuna = (
        storage.read_yaml(conf / f"hydra/{name}.yaml")
        for name in ("launcher/submitit_slurm", "sweeper/optuna")
    )
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|", PAGE.read_text(), flags=re.MULTILINE)
    named = {key: default for keys, default in rows for key in re.findall(r"`(\w+)`", keys)}

    assert {key for key in slurm if key in named} >= {"timeout_min", "mem_gb", "partition", "setup"}
    assert {key for key in optuna if key in named} >= {"n_trials", "statistic", "validate"}
    for key in ("timeout_min", "signal_delay_s", "max_num_timeout", "array_parallelism"):
        assert named[key] == str(slurm[key])
    for key in ("n_trials", "validate"):
        assert named[key] == str(optuna[key])
    for key in ("statistic", "sampler", "pruner"):
        assert f"`{optuna[key]}`" in named[key]
