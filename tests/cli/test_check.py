import json

import pytest

from lagom.cli.main import main


@pytest.fixture
def check(tmp_path, monkeypatch, capfd):
    """Call ``lagom check``; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = main(["check", *words])
        return code, *capfd.readouterr()

    return run


def test_environment(check):
    code, out, _ = check("env=CartPole-v1")

    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == [
        "make",
        "ok",
        "<TimeLimit<OrderEnforcing<CartPoleEnv<CartPole-v1>>>>",
    ]
    assert lines[-1] == "CartPole-v1: 16 checks: 16 ok"


BROKEN = """
import os
import gymnasium
from gymnasium.spaces import Box, Discrete

class Broken(gymnasium.Env):
    observation_space, action_space = Box(-1, 1, (1,)), Discrete(2)

    def __init__(self, crash=False):
        print("noise")
        self.crash = crash

    def reset(self, *, seed=None, options=None):
        if self.crash:
            os.abort()
        return self.observation_space.sample()

gymnasium.register("Broken-v0", Broken)
"""


def test_a_broken_environment_as_json(check, tmp_path):
    (tmp_path / "mine.py").write_text(BROKEN)

    code, out, _ = check("env=mine:Broken-v0", "--json")

    found = json.loads(out)
    assert code == 2
    assert (found["name"], found["ok"]) == ("mine:Broken-v0", False)
    (failed,) = (
        row for row in found["checks"] if row["outcome"] == "failed" and row["check"] == "reset"
    )
    assert failed["detail"] == "reset returned an observation alone"
    assert "return (observation, info)" in failed["advice"]
    code, out, _ = check("env=mine:Broken-v0", "env.kwargs.crash=true")
    assert code == 2
    assert "process  failed  its process died (killed by SIGABRT)" in out
    assert out.splitlines()[-1] == "mine:Broken-v0: 1 checks: 1 failed"


def test_failures_are_shown_with_advice(check):
    code, out, _ = check("env=CartPole-v9")

    assert code == 2
    first, last = out.splitlines()
    assert "make  failed  make: there is no environment 'CartPole-v9'; the nearest are" in first
    assert last == "CartPole-v9: 16 checks: 1 failed, 15 skipped"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "got nothing; expected env=ID or algo=NAME"),
        (["CartPole-v1"], "'CartPole-v1' is no key=value; expected env=ID or algo=NAME"),
        (["algo=ppo", "env=Ant-v2"], "got algo=ppo env=Ant-v2; expected env=ID or algo=NAME"),
        (["algo=pppo"], "algo=pppo is not one of"),
        (["algo=ppo", "agent.lrr=1"], "no such key: agent.lrr; did you mean agent.lr"),
        (["algo=ppo", "agent.lr=big"], "agent.lr: got 'big'; expected a number"),
        (["algo=ppo", "agent.lr=[1"], "cannot read 'agent.lr=[1'"),
        (["algo=ppo", "agent.lr=1,2"], "agent.lr=1,2: several values; expected one at a time"),
        (["algo=ppo", "--render"], "--render: algorithms have no pictures"),
    ],
)
def test_wrong_words(check, words, message):
    code, out, err = check(*words)

    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("lagom check: ")
    assert "Traceback" not in err
