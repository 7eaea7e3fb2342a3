import subprocess
from pathlib import Path

import pytest

from lagom.cli.completion import complete
from lagom.cli.main import main

FLAGS = {"train": [], "es": [], "eval": ["--json", "--episodes"], "list": [], "completion": []}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["completion", "es", "eval", "list", "train"]),
        (["e"], ["es", "eval"]),
        (["eval", ""], []),
        (["eval", "outputs", "--e"], ["--episodes"]),
        (["list", ""], ["algos", "envs"]),
        (["list", "algos", ""], []),
        (["completion", "z"], ["zsh"]),
        (["train", "algo=vp"], ["algo=vpg"]),
        (["train", "algo=ppo,vp"], ["algo=ppo,vpg"]),
        (["train", "env=Ha"], ["env=HalfCheetah-v2"]),
        (["train", "agent.lr=3"], []),
        (["train", "agent.alp"], []),
        (["train", "algo=sac", "agent.alp"], ["agent.alpha="]),
        (["train", "algo=nothing", "eval.ep"], ["eval.episodes="]),
        (["train", "--config-dir=nowhere", "a"], []),
        (["es", "cma"], ["cmaes"]),
        (["es", "cmaes", "es.sig"], ["es.sigma0="]),
        (["nothing", "--x"], []),
    ],
)
def test_what_is_offered(words, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert complete(words, FLAGS) == expected


def test_names_of_the_user(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("conf/experiment/mine.yaml", "conf/algo/own.yaml"):
        Path(path).parent.mkdir(parents=True)
        Path(path).write_text("agent: {beta: 1}\n")

    assert complete(["train", "experiment=m"], FLAGS) == ["experiment=mine"]
    assert complete(["train", "algo=own", "agent.bet"], FLAGS) == ["agent.beta="]


def test_commands(capsys):
    assert main(["complete", "--", "train", "algo=vp"]) == 0
    assert capsys.readouterr().out == "algo=vpg\n"
    assert main(["complete", "--", "eval", "--ep"]) == 0
    assert capsys.readouterr().out == "--episodes\n"
    assert main(["complete", "--", "comp"]) == 0
    assert capsys.readouterr().out == "compare\ncompletion\n"
    assert main(["completion", "basch"]) == 2
    assert capsys.readouterr().err == (
        "lagom completion: nothing for 'basch'; expected one of bash, zsh, fish; "
        "did you mean bash?\n"
    )


def test_bash_replaces_what_is_behind_the_last_equals_sign(capsys):
    main(["completion", "bash"])
    script = capsys.readouterr().out
    program = """
    lagom() { echo algo=ppo,vpg; }
    COMP_LINE='lagom train  agent.lr=1 algo=ppo,v more' COMP_POINT=34
    _lagom_completion
    echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script + program],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == "ppo,vpg\n"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_scripts_ask_lagom(shell, capsys):
    assert main(["completion", shell]) == 0
    assert "lagom complete -- " in capsys.readouterr().out
