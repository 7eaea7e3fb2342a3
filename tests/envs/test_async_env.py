import gc
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from envs.count_env import CountEnv
from envs.slow_env import Orders, SlowStep, Trap
from gymnasium.spaces import Discrete, Text

from lagom.envs import RecordEpisodeStatistics, VecEnv, make
from lagom.envs.async_env import AsyncVecEnv
from lagom.utils.nested import flat, rows

SEEDS = [3, 1, 4, 1, 5]


def make_cartpole():
    return gymnasium.make("CartPole-v1")


def both(maker, num_env=5, workers=2, seeds=SEEDS):
    return AsyncVecEnv([maker] * num_env, seeds, workers), VecEnv([maker] * num_env, seeds)


def assert_same(a, b):
    """Two results of reset or step, infos and all."""
    *arrays, info = a
    *others, other = b
    assert len(arrays) == len(others)
    for x, y in zip(flat(tuple(arrays)), flat(tuple(others)), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)
    assert info.keys() == other.keys()
    assert repr(info) == repr(other)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    "maker", [make_cartpole, partial(make, "Pendulum-v1", max_episode_steps=30)]
)
def test_the_same_numbers_and_states_as_vec_env(maker):
    a, b = both(maker)
    with a, b:
        assert_same(a.reset(), b.reset())
        num_end = 0
        for _ in range(70):
            actions = b.action_space.sample()
            np.testing.assert_array_equal(a.action_space.sample(), actions)
            there, here = a.step(actions), b.step(actions)
            assert_same(there, here)
            num_end += "final_obs" in here[-1]
        assert num_end >= 2
        assert repr(a.state_dict()) == repr(b.state_dict())
        assert_same(a.reset(seed=9), b.reset(seed=9))
        assert_same(a.reset(), b.reset())


def test_nested_observations_and_actions():
    a, b = both(Orders, num_env=3, seeds=[1, 2, 3])
    with a, b:
        assert a.single_observation_space == b.single_observation_space
        assert_same(a.reset(), b.reset())
        for k in range(6):
            actions = b.action_space.sample()
            out = a.step(actions if k % 2 else rows(actions))
            assert_same(out, b.step(actions))
            assert out[0] in a.observation_space


def test_the_same_spaces_and_facts_as_vec_env():
    a, b = both(partial(CountEnv, 3, render_mode="rgb_array", dtype=np.float64))
    with a, b:
        names = ("num_envs", "seeds", "spec", "render_mode", "metadata", "can_capture")
        spaces = ("observation_space", "action_space")
        for name in (*names, *spaces, *(f"single_{name}" for name in spaces)):
            assert getattr(a, name) == getattr(b, name)
        assert isinstance(a, VecEnv)
        assert len(a) == 5
        assert repr(a) == "<AsyncVecEnv: 5, CountEnv>"
        a.reset(options={"size": 2})
        a.step([0] * 5)
        b.reset()
        b.step([0] * 5)
        np.testing.assert_array_equal(a.render(), b.render())
        assert a.get_images().shape == (5, 4, 6, 3)
        with pytest.raises(TypeError, match="its environments live in other processes"):
            a[0]


def test_options_and_infos_arrive():
    with AsyncVecEnv([lambda: CountEnv(2)] * 3, workers=2) as env:
        _, info = env.reset(options={"size": 2})
        assert info == {"row_infos": [{"k": 0, "size": 2}] * 3}
        env.step([0, 1, 0])
        *_, info = env.step([0, 1, 0])
    assert info["final_info"] == [{"k": 2}] * 3
    assert info["row_infos"] == [{"k": 0}] * 3
    np.testing.assert_array_equal(info["final_obs"], [[2], [2], [2]])


def test_a_result_is_not_written_into_later():
    with AsyncVecEnv([lambda: CountEnv(9)] * 2, workers=1) as env:
        first, _ = env.reset()
        one = env.step(np.array([0, 1]))
        env.step(np.array([0, 1]))
    assert first.tolist() == [[0], [0]]
    assert one[0].tolist() == [[1], [1]]
    assert one[1].tolist() == [0.1, 0.1]


class Remembers(CountEnv):
    """Tells its actions and their types, when the episode is over."""

    def step(self, action):
        *out, _ = super().step(action)
        return *out, {"actions": [(int(a), type(a).__name__) for a in self.actions]}


def test_actions_are_fresh_and_keep_their_type():
    with AsyncVecEnv([lambda: Remembers(9)] * 2, workers=2) as env:
        env.reset()
        env.step(np.array([0, 1]))
        env.step(np.array([1, 0], np.int32))
        *_, info = env.step([1, 1])
    told = [[(0, "int64"), (1, "int32"), (1, "int")], [(1, "int64"), (0, "int32"), (1, "int")]]
    assert [row["actions"] for row in info["row_infos"]] == told


def test_states_go_from_one_to_the_other():
    a, b = both(make_cartpole, workers=3)
    with a, b:
        b.reset()
        for _ in range(15):
            b.step(b.action_space.sample())
        a.load_state_dict(b.state_dict())
        for _ in range(15):
            actions = a.action_space.sample()
            assert_same(a.step(actions), b.step(actions))
        with pytest.raises(ValueError, match="got the state of 4 environments; expected 5"):
            a.load_state_dict({**b.state_dict(), "envs": b.state_dict()["envs"][:4]})
        b.load_state_dict(a.state_dict())


def test_states_that_cannot_be_captured():
    a, b = both(Trap, workers=2)
    with a, b:
        assert not a.can_capture
        assert a.state_dict() == b.state_dict()
        a.load_state_dict(a.state_dict())
        np.testing.assert_array_equal(a.reset()[0], b.reset()[0])


def test_modules_of_the_working_directory_are_found_here_too(tmp_path, monkeypatch):
    (tmp_path / "only_there.py").write_text(
        "import gymnasium\nfrom envs.slow_env import Trap\n"
        "class Env(Trap): pass\ngymnasium.register('There-v0', Env)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with AsyncVecEnv([partial(make, "only_there:There-v0")]) as env:
        env.reset()
        assert env.spec.entry_point.__module__ == "only_there"
    monkeypatch.delitem(sys.modules, "only_there")


def test_wrappers_and_statistics_go_around_it():
    with RecordEpisodeStatistics(AsyncVecEnv([lambda: CountEnv(2)] * 2, workers=1)) as env:
        env.reset()
        for _ in range(4):
            env.step([0, 0])
        assert env.pop_episodes() == [(pytest.approx(0.3), 2)] * 4


def test_wrong_words_are_refused():
    makers = [lambda: CountEnv(3)] * 2
    with pytest.raises(ValueError, match="AsyncVecEnv: got no environment"):
        AsyncVecEnv([])
    with pytest.raises(ValueError, match="AsyncVecEnv: workers is 0; expected 1 or more"):
        AsyncVecEnv(makers, workers=0)
    with pytest.raises(
        ValueError, match="AsyncVecEnv: timeout is 0; expected seconds, more than 0"
    ):
        AsyncVecEnv(makers, timeout=0)
    with pytest.raises(ValueError, match="VecEnv: got 3 seeds; expected 2"):
        AsyncVecEnv(makers, seeds=[1, 2, 3])
    lock = threading.Lock()
    with pytest.raises(ValueError, match=r"cannot be sent to another .*=serial"):
        AsyncVecEnv([lambda: lock])
    with AsyncVecEnv(makers, workers=1) as env:
        with pytest.raises(ValueError, match=r"VecEnv.step: got 1 actions; expected 2"):
            env.step([0])
        with pytest.raises(ValueError, match="made with render_mode=None; expected 'rgb_array'"):
            env.get_images()


class Other(CountEnv):
    def __init__(self, n):
        super().__init__(n)
        self.action_space = Discrete(3)


class Words(CountEnv):
    def __init__(self):
        super().__init__(3)
        self.observation_space = Text(5)


def test_environments_that_do_not_fit_are_refused():
    for workers in (1, 2):  # found in a worker, and between two
        with pytest.raises(ValueError, match=r"VecEnv: action_space is Discrete\(2\) and Discrete"):
            AsyncVecEnv([lambda: CountEnv(3), lambda: Other(3)], workers=workers)
    with pytest.raises(ValueError, match="VecEnv: observation space Text"):
        AsyncVecEnv([Words], workers=1)
    with pytest.raises(ValueError, match="no such robot") as caught:
        AsyncVecEnv([Trap, Trap, partial(Trap, "make")], workers=2)
    assert "AsyncVecEnv.make: sub-environment 2, in its process:" in caught.value.__notes__[0]


def trapped(what, at=3, timeout=60.0):
    """Three environments, the second of which is a trap, and the ids of their processes."""
    env = AsyncVecEnv([Trap, partial(Trap, what, at), Trap], workers=2, timeout=timeout)
    return env, [process.pid for process in env._pool.processes]


def spring(env):
    env.reset()
    for _ in range(3):
        env.step([0, 0, 0])


@pytest.mark.parametrize(
    ("what", "at", "error", "match"),
    [
        ("raise", 3, ZeroDivisionError, r"^the simulation exploded\n"),
        ("raise", 0, ZeroDivisionError, r"^the simulation exploded\n"),
        ("odd", 3, RuntimeError, r"AsyncVecEnv.step: sub-environment 1: Odd: odd 1 2"),
        (
            "kill",
            3,
            RuntimeError,
            r"step: the process of sub-environment 1 died \(killed by SIGKILL, ",
        ),
        ("exit", 0, RuntimeError, r"reset: the process of sub-environment 1 died \(exit code 3\)"),
        (
            "hang",
            3,
            TimeoutError,
            r"step: sub-environment 1 gave no answer for 0.4 s; .* env.timeout",
        ),
    ],
)
def test_what_goes_wrong_is_told_and_nobody_stays(what, at, error, match):
    env, pids = trapped(what, at, timeout=0.4 if what == "hang" else 60.0)
    with pytest.raises(error, match=match) as caught:
        spring(env)

    assert not any(map(alive, pids))
    if what == "raise":
        (note,) = caught.value.__notes__
        assert "sub-environment 1, in its process:" in note
        assert "in look\n" in note
    with pytest.raises(RuntimeError, match="worker processes have been stopped; expected"):
        env.reset()
    env.close()
    env.close()


def test_the_timeout_is_of_one_environment_not_of_all():
    with AsyncVecEnv([partial(SlowStep, 0.3)] * 4, workers=1, timeout=0.8) as env:
        env.reset()
        assert env.step([0] * 4)[1].tolist() == [1.0] * 4  # 1.2 s


def test_a_worker_killed_from_outside_is_noticed_at_once():
    env, (_, second) = trapped(None, timeout=600.0)
    env.reset()
    os.kill(second, signal.SIGKILL)
    with pytest.raises(RuntimeError, match=r"sub-environment 2 died \(killed by SIGKILL, perhaps"):
        env.step([0, 0, 0])


def test_stop_signals_are_for_the_parent():
    env, pids = trapped(None)
    with env:
        env.reset()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
            for pid in pids:
                os.kill(pid, number)
        env.step([0, 0, 0])
    assert not any(map(alive, pids))


def test_nobody_stays_when_it_is_forgotten():
    env, pids = trapped(None)
    del env
    gc.collect()

    assert not any(map(alive, pids))


PROGRAM = """
import os, sys, threading
from functools import partial
from lagom.envs.async_env import AsyncVecEnv
from envs.slow_env import Helper, Trap

def work():
    env = AsyncVecEnv([Trap, partial(Trap, "hang")], workers=2)
    env.reset()
    print(*[process.pid for process in env._pool.processes], flush=True)
    if sys.argv[1] in ("busy", "thread"):
        threading.Timer(0.2, lambda: print(sys.argv[1], flush=True)).start()
        for _ in range(3):
            env.step([0, 0])
    if sys.argv[1] == "idle":
        print("idle", flush=True)
        threading.Event().wait()
    if sys.argv[1] == "raise":
        raise SystemExit(7)

if __name__ == "__main__":
    if sys.argv[1] == "thread":  # in which the kernel is not asked to kill
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    else:
        work()
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("end", ["busy", "thread", "idle", "raise"])
def test_nobody_stays_when_the_parent_ends(tmp_path, end):
    (tmp_path / "program.py").write_text(PROGRAM)
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    program = subprocess.Popen(
        [sys.executable, tmp_path / "program.py", end],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    with program:
        pids = program.stdout.readline().split()
        assert len(pids) == 2
        if end != "raise":
            assert all(map(alive, pids))
            assert program.stdout.readline() == f"{end}\n"
            program.kill()
        assert program.wait(30) == (7 if end == "raise" else -signal.SIGKILL)
    wait_until(lambda: not any(map(alive, pids)), seconds=3.0)
