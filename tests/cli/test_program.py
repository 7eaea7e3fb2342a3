"""The program as a user meets it: real processes, exit codes, messages, files."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lagom import __version__ as version
from lagom.experiment import storage

README = Path(__file__).parents[2] / "README.md"
TINY = ["train.timestep=256", "env.num_env=2", "train.num_step=64", "agent.batch_size=64",
        "eval.episodes=2", "agent.num_epoch=1"]  # fmt: skip


def lagom(folder, *words, **kwargs):
    """Run the program in ``folder``; return the finished process."""
    return subprocess.run(
        [sys.executable, "-m", "lagom", *words],
        cwd=folder, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, **kwargs,
    )  # fmt: skip


def jobs(folder):
    """status.json of each job, by ``ID/seed``."""
    return {
        f"{path.parts[-3]}/{path.parts[-2]}": storage.read_json(path)["status"]
        for path in folder.glob("outputs/*/*/*/status.json")
    }


def test_train_alone_needs_no_words_but_a_budget(tmp_path, monkeypatch):
    done = lagom(tmp_path, "train", *TINY)

    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(tmp_path)
    (policy,) = re.findall(r"```python\n([^`]*read_policy[^`]*)```", README.read_text())
    exec(policy, names := {})
    assert names["action"] in names["env"].action_space
    assert jobs(tmp_path) == {"0/209652396": "done"}
    assert "1 job: 1 done" in done.stdout
    assert "next: lagom plot outputs/ppo-CartPole-v1" in done.stdout
    assert "[1/1] 0/209652396: done at 256 steps" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr  # no terminal, no control characters
    assert not list(tmp_path.glob("outputs/*/*/*/.hydra"))


def test_sweep_resume_and_extension_keep_their_ids(tmp_path):
    words = ["train", *TINY, "name=sweep", "-m"]  # -m changes nothing, anywhere
    first = lagom(tmp_path, *words, "agent.lr=1e-3,3e-4", "seeds=2")
    again = lagom(tmp_path, *words, "agent.lr=1e-3,3e-4", "seeds=2")
    more = lagom(tmp_path, *words, "agent.lr=3e-4,1e-4", "seeds=[7]")

    assert [p.returncode for p in (first, again, more)] == [0, 0, 0], more.stderr
    assert "4 of 4 jobs are done already" in again.stderr
    both = {f"{ID}/{seed}": "done" for ID in (0, 1) for seed in (209652396, 398764591)}
    assert jobs(tmp_path) == both | {"1/7": "done", "2/7": "done"}
    table = (tmp_path / "outputs/sweep/configs.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in table] == [
        ["ID", "agent.lr"], ["0", "0.001"], ["1", "0.0003"], ["2", "0.0001"],
    ]  # fmt: skip


def test_intervals_are_drawn(tmp_path):
    done = lagom(
        tmp_path, "train", *TINY, "agent.clip=interval(0.1,0.3)", "hydra.sweeper.num_sample=3"
    )

    assert done.returncode == 0, done.stderr
    clips = [storage.read_yaml(p)["agent.clip"] for p in tmp_path.glob("outputs/*/*/config.yml")]
    assert len({*clips}) == 3
    assert all(0.1 <= clip <= 0.3 for clip in clips)


def test_algorithms_and_any_environment_in_one_sweep(tmp_path):
    done = lagom(tmp_path, "train", "algo=ppo,cmaes", "env=CartPole-v1,Acrobot-v1",
                 "train.timestep=1100", "eval.episodes=1")  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "outputs/ppo+cmaes-CartPole-v1+Acrobot-v1").is_dir()
    assert list(jobs(tmp_path).values()) == ["done"] * 4


@pytest.mark.parametrize("launcher", ["basic", "lagom"])
def test_launchers_give_the_same_files(tmp_path, launcher):
    done = lagom(tmp_path, "es", "cmaes", "train.timestep=500", f"hydra/launcher={launcher}")

    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("outputs/cmaes-CartPole-v1/0/*/")
    assert {path.name for path in folder.iterdir()} == {
        "status.json", "train.journal", "eval.journal", "timing.journal", "train_logs.pkl",
        "eval_logs.pkl", "timing_logs.pkl", "checkpoints", "policy", "fingerprint.json", "job.log",
        ".lock",
    }  # fmt: skip


REFUSED = [  # words, what the message must say
    (["trian"], "Did you mean 'train'"),
    (["train", "algo=pppo"], r"algo=pppo is not one of the \d+ there are; did you mean ppo"),
    (["train", "agent.lrr=1"], "no such key: agent.lrr; did you mean agent.lr"),
    (["train", "lr=1"], "no such key: lr; did you mean agent.lr"),
    (["train", "+foo=1"], "no such key: foo"),
    (["train", "agent.lr=[1"], r"cannot read 'agent.lr=\[1'"),
    (
        ["train", "agent.lr=abc", "agent.gamma=1.5"],
        r"agent.lr: got 'abc'(?s:.*)agent.gamma: got 1.5",
    ),
    (["train", "agent.lr=1e-3,-1"], "agent.lr: got -1.*greater than 0"),
    (["train", "agent._target_=os.system"], "_target_ is not used"),
    (["train", "--cfgg", "job"], "no such flag: --cfgg; did you mean --cfg"),
    (["train", "seed=3"], r"seed=3: seed is set for each job; for seeds say seeds=\[3\]"),
    (["train", "seeds=0"], "seeds: got 0; expected a number of seeds"),
    (["train", "name=../x"], "leads out of outputs"),
    (["train", "env=CartPol-v1"], "no environment 'CartPol-v1'; the nearest are CartPole-v1"),
    (["train", "env.kwargs.foo=1"], "unexpected keyword argument 'foo'"),
    (["train", "agent.batch_size=5000"], "agent.batch_size: got 5000; expected at most"),
    (["train", "device=cuda"], "device: cuda is not available here"),
    (["train", "hydra.launcher.workers=0"], "workers: got 0"),
    (["train", "hydra.launcher.worker=2"], "did you mean hydra.launcher.workers"),
    (["train", "hydra.launcher.gpus=0"], r"gpus: got 0; expected a list such as \[0,1\]"),
    (["train", "hydra.launcher.gpus=[0]"], "device: cuda:0 is not available here"),
    (["train", "env=Pendulum-v1", "agent.gamma=0.9,1"], "gamma is 1.0"),
    (["train", "hydra.mode=RUN"], "hydra.mode: expected MULTIRUN"),
    (["train", "--config-dir", "nowhere"], "--config-dir: no such folder 'nowhere'"),
    (["train", "experiment=none"], r"experiment=none is not one of the \d+ there are: a2c"),
    (["es"], "which strategy"),
    (["es", "cmae"], "no strategy 'cmae'; did you mean cmaes"),
    (["es", "ppo"], "ppo is not an evolution strategy; lagom train algo=ppo"),
    (["es", "cmaes", "es.workers=0"], "es.workers: got 0; expected at least 1"),
    (["list", "algoz"], "expected algos or envs"),
    (["plot", "nowhere"], "nowhere"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED, ids=[" ".join(w) for w, _ in REFUSED])
def test_wrong_words_are_answered_in_a_line(tmp_path, words, message):
    done = lagom(tmp_path, *words)

    assert done.returncode == 2, done.stderr

    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 6
    assert done.stdout == ""
    assert not (tmp_path / "outputs").exists()  # nothing was started


ENVS = '''
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

class Fragile(CartPoleEnv):
    """Breaks down, or gives a reward that is no number, after 50 steps."""

    def __init__(self, how="raise"):
        super().__init__()
        self.how, self.n = how, 0

    def step(self, action):
        self.n += 1
        obs, reward, *rest = super().step(action)
        if self.n > 50:
            if self.how == "raise":
                raise OverflowError("the motor is on fire")
            if self.how == "nonsense":
                reward = float("nan")
            if self.how == "die":
                import os, signal
                os.kill(os.getpid(), signal.SIGKILL)
        return obs, reward, *rest

gymnasium.register("Fragile-v0", Fragile, max_episode_steps=200)
'''


def test_a_job_that_fails_harms_nobody_else(tmp_path):
    (tmp_path / "fragile.py").write_text(ENVS)

    done = lagom(
        tmp_path, "train", *TINY, "env=fragile:Fragile-v0", "env.kwargs.how=raise,nonsense,die,fine"
    )

    assert done.returncode == 3, done.stderr
    assert jobs(tmp_path) == {
        "0/209652396": "failed", "1/209652396": "diverged", "2/209652396": "failed",
        "3/209652396": "done",
    }  # fmt: skip
    assert "OverflowError: the motor is on fire" in done.stderr
    assert "killed by SIGKILL" in done.stderr
    assert "Traceback" not in done.stderr
    (log,) = tmp_path.glob("outputs/*/0/*/job.log")
    assert "Traceback" in log.read_text()


def test_a_users_own_algorithm_and_configuration(tmp_path):
    (tmp_path / "conf/algo").mkdir(parents=True)
    (tmp_path / "conf/algo/mine.yaml").write_text(
        "# @package _global_\ndefaults: [ppo, _self_]\nalgo: {name: mine}\nagent: {lr: 0.005}\n"
    )

    done = lagom(tmp_path, "train", "algo=mine", *TINY)

    assert done.returncode == 0, done.stderr
    (config,) = tmp_path.glob("outputs/mine-CartPole-v1/0/config.yml")
    assert storage.read_yaml(config)["agent.lr"] == 0.005


def test_the_readmes_algorithm_runs_as_it_stands(tmp_path):
    readme = README.read_text()
    (tmp_path / "conf/algo").mkdir(parents=True)
    for language, file in (("python", "reinforce.py"), ("yaml", "conf/algo/reinforce.yaml")):
        (text,) = re.findall(rf"```{language}\n([^`]*reinforce[^`]*)```", readme)
        (tmp_path / file).write_text(text)

    done = lagom(tmp_path, "train", "algo=reinforce", "train.timestep=2048", "eval.episodes=1")

    assert done.returncode == 0, done.stderr
    assert "reinforce\n" in lagom(tmp_path, "list", "algos").stdout


def test_the_output_folder_cannot_be_made(tmp_path):
    (tmp_path / "outputs").write_text("a file")

    done = lagom(tmp_path, "train", *TINY)

    assert done.returncode == 4
    assert "outputs" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_configuration_in_the_folder_is_named(tmp_path):
    (tmp_path / "outputs/mine/0").mkdir(parents=True)
    (tmp_path / "outputs/mine/0/config.yml").write_text("a: [1")

    done = lagom(tmp_path, "train", *TINY, "name=mine")

    assert done.returncode == 4
    assert "config.yml: not readable as YAML" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_saves_and_the_same_command_continues(tmp_path):
    words = ["train", "train.timestep=160000", "train.num_step=32", "agent.num_epoch=1",
             "eval.every=0", "eval.episodes=1"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "lagom", *words, "name=stopped"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _wait_until(lambda: _timestep(tmp_path) > 0)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130, err
    assert "the same command continues" in err
    assert [*jobs(tmp_path).values()] == ["stopped"]
    again = lagom(tmp_path, *words, "name=stopped")
    assert again.returncode == 0, again.stderr
    assert "(resumed at timestep " in again.stderr
    assert lagom(tmp_path, *words, "name=whole").returncode == 0
    (stopped,), (whole,) = (tmp_path.glob(f"outputs/{n}/0/*/") for n in ("stopped", "whole"))
    assert "resumed at timestep" in (stopped / "job.log").read_text()
    for name in ("train.journal", "train_logs.pkl", "eval.journal", "policy/policy.safetensors"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes(), name


def test_nothing_survives_a_killed_parent(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "lagom", "train", "train.timestep=1e7", "seeds=2"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _wait_until(lambda: list(jobs(tmp_path).values()) == ["running"] * 2)
    pids = [json.loads(p.read_text())["pid"] for p in tmp_path.glob("outputs/*/*/*/status.json")]
    process.kill()
    process.wait()

    assert len(pids) == 2
    _wait_until(lambda: not any(_alive(pid) for pid in pids), seconds=5)


def test_the_second_of_two_equal_commands_is_told_who_works_there(tmp_path):
    first = subprocess.Popen(
        [sys.executable, "-m", "lagom", "train", "train.timestep=1e7"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _wait_until(lambda: "running" in jobs(tmp_path).values())
    second = lagom(tmp_path, "train", "train.timestep=1e7")
    first.kill()
    first.wait()

    assert second.returncode == 4
    assert "in use by pid" in second.stderr


def test_configuration_is_printed_without_starting_anything(tmp_path):
    done = lagom(tmp_path, "train", "agent.lr=0.5", "--cfg", "job", "-p", "agent")

    assert done.returncode == 0
    assert "lr: 0.5" in done.stdout
    assert not (tmp_path / "outputs").exists()


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    command = f"{sys.executable} -m lagom train --hydra-help; echo code $? >&2"
    done = subprocess.run(
        f"({command}) | true", shell=True, cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stderr == "code 0\n"


def test_lists_and_help(tmp_path):
    assert lagom(tmp_path, "--version").stdout == f"{version}\n"
    assert "ppo\n" in lagom(tmp_path, "list", "algos").stdout
    assert "Ant-v2\n" in lagom(tmp_path, "list", "envs").stdout
    for words in (["--help"], ["train", "--help"], ["es", "--help"], ["plot", "--help"]):
        done = lagom(tmp_path, *words)
        assert done.returncode == 0
        assert "Usage" in done.stdout


def _wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def _timestep(folder):
    states = [*folder.glob("outputs/*/*/*/status.json")]
    return min((storage.read_json(path).get("timestep", 0) for path in states), default=0)


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
