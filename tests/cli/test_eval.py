import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from policies import write_run

from lagom.cli import eval as module
from lagom.cli.main import main
from lagom.experiment import evaluate as played


@pytest.fixture
def lagom(tmp_path, monkeypatch, capsys):
    """Run the program in ``tmp_path``: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = main([*map(str, words)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def returns(monkeypatch):
    """What each policy earns, instead of playing; with a film, two pictures of CartPole's size."""
    earned = {}

    def play(policy, episodes, seed, film):
        if film is not None:
            env = SimpleNamespace(get_image=lambda b: np.zeros((4, 6, 3), np.uint8))
            film(env, np.array([False]))
            film(env, np.array([False]))
        if isinstance(earned.get(policy.parent.name), Exception):
            raise earned[policy.parent.name]
        values = earned.get(policy.parent.name, [1.0, 2.0, 3.0])
        return {"returns": values, "lengths": [7] * len(values), "seeds": [seed]}

    monkeypatch.setattr(played, "evaluate", play)
    monkeypatch.setattr(played, "film_rate", lambda policy: 10.0)
    return earned


def test_one_job(lagom, tmp_path, returns):
    write_run(tmp_path / "outputs/x/0/1")

    code, out, err = lagom("eval", "outputs/x/0/1")

    assert (code, err) == (0, "")
    header, row = out.splitlines()
    assert header.split() == [
        *("run", "algorithm", "environment", "steps", "episodes", "return", "95", "%", "length"),
    ]
    # Student's t with two degrees of freedom: 4.303 of sd 1 / sqrt(3) on each side.
    assert row.split() == [
        *("outputs/x/0/1", "ppo", "CartPole-v1", "1000", "3"),
        *("2.00", "±", "0.82", "-0.48", "to", "4.48", "7.0"),
    ]


def test_several_seeds_and_configurations(lagom, tmp_path, returns):
    returns |= {"1": [1.0, 3.0], "2": [5.0, 7.0], "3": [9.0]}
    for path in ("0/1", "0/2", "1/3"):
        write_run(tmp_path / "outputs/x" / path)

    code, out, err = lagom("eval", "outputs")

    assert (code, err) == (0, "")
    *_, header, line = out.splitlines()
    assert header.split()[:5] == ["over", "seeds", "algorithm", "environment", "seeds"]
    assert line.split() == [
        *("x/0", "ppo", "CartPole-v1", "2", "4.0", "±", "2.0", "-21.4", "to", "29.4"),
    ]
    data = json.loads(lagom("eval", "outputs", "--json")[1])
    assert [run["return"] for run in data["runs"]] == [2.0, 6.0, 9.0]
    assert [run["low"] for run in data["runs"]][2] is None
    assert [run["seed"] for run in data["runs"]] == [1, 2, 3]
    first, second = data["configurations"]
    assert (first["ID"], first["seeds"], first["return"]) == (0, [1, 2], 4.0)
    assert (second["seeds"], second["low"]) == ([3], None)


def test_it_plays_and_films(lagom, tmp_path):
    write_run(tmp_path / "outputs/x/0/1")

    code, out, err = lagom(
        *("eval", "outputs/x", "--episodes", 3, "--cells", 2, "--video", "film.webp", "--json"),
    )

    assert code == 0, err
    (row,) = json.loads(out)["runs"]
    assert row["return"] == np.mean(row["returns"]) == row["length"]  # CartPole pays 1 a step
    assert row["video"] == "film.webp"
    assert err == f"wrote film.webp ({max(row['lengths'][:2]) / 50:.1f} s)\n"
    with Image.open("film.webp") as film:
        assert film.size == (1206, 404)


def test_a_film_for_each_of_several_runs(lagom, tmp_path, returns, monkeypatch):
    monkeypatch.setattr("lagom.vis.video.find_ffmpeg", lambda: None)
    for seed in (1, 2):
        write_run(tmp_path / f"outputs/x/0/{seed}")

    code, _, err = lagom("eval", "outputs", "--video", "film.mp4")

    assert code == 0
    instead = ", as there is no ffmpeg for .mp4: pip install 'lagom[video]'"
    assert err.splitlines() == [f"wrote film-0-{k}.webp (0.2 s){instead}" for k in (1, 2)]


def test_the_evaluation_happens_without_the_film(lagom, tmp_path, returns, monkeypatch):
    write_run(tmp_path / "outputs/x/0/1")
    words = ("eval", "outputs", "--video", "film.gif")

    def refuse(policy):
        raise ValueError("MuJoCo cannot draw here")

    monkeypatch.setattr(played, "film_rate", refuse)
    code, out, err = lagom(*words)
    assert (code, len(out.splitlines())) == (0, 2)
    assert err == "no video: MuJoCo cannot draw here; the evaluation goes on without\n"

    class Broken:
        def __call__(self, *args):
            raise OSError("the screen is gone")

    monkeypatch.setattr(played, "film_rate", lambda policy: 10.0)
    monkeypatch.setattr(module, "Film", lambda writer, num: Broken())
    code, out, err = lagom(*words)
    assert (code, len(out.splitlines())) == (3, 2)
    assert err == "error: no video: OSError: the screen is gone\n"


def test_a_film_that_cannot_be_written(lagom, tmp_path, returns):
    write_run(tmp_path / "outputs/x/0/1")
    (tmp_path / "film.gif").mkdir()

    code, out, err = lagom("eval", "outputs", "--video", "film.gif")

    assert (code, len(out.splitlines())) == (4, 2)
    assert "cannot write film.gif (Is a directory); choose another file with --video" in err


def test_runs_without_a_policy_and_damaged_ones(lagom, tmp_path, returns):
    for seed in (1, 2, 3):
        write_run(tmp_path / f"outputs/x/0/{seed}", state="running")
    os.remove(tmp_path / "outputs/x/0/1/policy/policy.json")
    (tmp_path / "outputs/x/0/2/policy/policy.json").write_text("{}")

    code, out, err = lagom("eval", "outputs")

    assert (code, len(out.splitlines())) == (5, 2)
    assert "outputs/x/0/1: no policy; the run is running" in err
    assert "outputs/x/0/2/policy: policy refused: KeyError('config')" in err
    returns["3"] = ZeroDivisionError("the simulation exploded")
    assert lagom("eval", "outputs/x/0/3")[::2] == (
        3,
        "error: outputs/x/0/3: ZeroDivisionError: the simulation exploded\n",
    )
    returns["3"] = ValueError("policy refused")
    assert lagom("eval", "outputs/x/0/3")[::2] == (5, "error: policy refused\n")
    code, _, err = lagom("eval", "outputs/x/0/1")
    assert code == 5
    assert "no policy in outputs/x/0/1; a policy is written when a run is done" in err


def test_a_policy_alone(lagom, tmp_path, returns):
    write_run(tmp_path / "outputs/x/0/1")

    code, out, _ = lagom("eval", "outputs/x/0/1/policy", "--json")

    data = json.loads(out)
    assert (code, data["configurations"]) == (0, [])
    assert (data["runs"][0]["path"], data["runs"][0]["ID"]) == ("outputs/x/0/1/policy", None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["outputz"], "no such folder 'outputz'; did you mean 'outputs'?"),
        (["outputs", "--episodes", "0"], "--episodes: got 0; expected at least 1"),
        (["outputs", "--cells", "11"], "--cells: got 11; expected 1 to 10"),
        (["outputs", "--seed", "-1"], "--seed: got -1; expected 0 to 1073741823"),
        (["outputs", "--video", "a.avi"], "--video: 'a.avi' is no film; expected a name in .mp4"),
        (["outputs", "--video", "no/a.gif"], "--video: no such folder 'no'; make it first"),
    ],
)
def test_wrong_words(lagom, words, message):
    Path("outputs").mkdir()
    code, out, err = lagom("eval", *words)

    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
