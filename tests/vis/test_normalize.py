import os

import gymnasium
import numpy as np
import pytest

from lagom.vis.normalize import SCORES, normalize, read_scores


def test_scale():
    np.testing.assert_allclose(
        normalize(np.array([-289.4, 10574.0]), *SCORES["HalfCheetah-v4"]), [0, 1]
    )
    assert normalize(-100.0, -200.0, -110.0) == pytest.approx(100 / 90)
    assert normalize(3.0, 4.0, 2.0) == 0.5  # less is better


def test_references_are_what_gymnasium_calls_solved():
    other = ("Pendulum", "HalfCheetah", "Hopper", "Walker2d", "Ant", "Humanoid")
    for env, (low, high) in SCORES.items():
        spec = gymnasium.registry.get(env)
        assert low < high
        if spec and spec.reward_threshold and not env.startswith(other):
            assert spec.reward_threshold == high, env


def test_versions_that_cannot_be_compared_have_no_scale():
    assert not {"Ant-v2", "Ant-v5", "Humanoid-v5", "Walker2d-v5", "CartPole-v0"} & SCORES.keys()


def test_own_scores(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("\ufeffenv, low, high\r\n my:Env-v0 ,-1e3,0\n\nB,5,1.5\n")

    assert read_scores(path) == {"my:Env-v0": (-1000.0, 0.0), "B": (5.0, 1.5)}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"the first line is \[\]; expected env,low,high"),
        (b"A,0,1\n", r"the first line is \['A', '0', '1'\]; expected env,low,high"),
        (b"env,low,high\nA,0\n", "'A,0'; expected an environment and two different numbers"),
        (b"env,low,high\nA,0,1,2\n", "'A,0,1,2'; expected an environment"),
        (b"env,low,high\n,0,1\n", "',0,1'; expected an environment"),
        (b"env,low,high\nA,1,1\n", "'A,1,1'; expected an environment"),
        (b"env,low,high\nA,0,nan\n", "'A,0,nan'; expected an environment"),
        (b"env,low,high\nA,-inf,0\n", "'A,-inf,0'; expected an environment"),
        (b"env,low,high\nA,x,1\n", "'A,x,1'; expected an environment"),
        (b"env,low,high\nA,0,1\nA,0,2\n", "'A' stands there twice; expected one line for each"),
        (b"env,low,high\n\xff,0,1\n", "not readable as CSV"),
        (b"env,low,high\n" + b"A" * 200_000 + b",0,1\n", "not readable as CSV"),
        (b"x" * 1_000_001, "larger than 1000000 bytes"),
    ],
)
def test_files_that_are_no_scores(tmp_path, data, message):
    path = tmp_path / "scores.csv"
    path.write_bytes(data)

    with pytest.raises(ValueError, match=message) as error:
        read_scores(path)
    assert str(error.value).startswith(f"{path}: ")


def test_paths_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path, message in (("fifo", "not a file"), (".", "not a file"), ("x", "No such file")):
        with pytest.raises(ValueError, match=message):
            read_scores(tmp_path / path)
