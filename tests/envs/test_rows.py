"""Episodes that begin in one row alone, and rows that rest, on every backend."""

import gymnasium
import numpy as np
import pytest
from envs.count_env import CountEnv
from envs.same import assert_equal_infos

from lagom.envs import (
    AsyncVecEnv,
    NormalizeObservation,
    RecordEpisodeStatistics,
    RescaleAction,
    VecEnv,
    make,
)
from lagom.envs.backend import vectorize


def vec(id, backend, num_env=3):
    make_env = lambda: make(id, disable_env_checker=True)
    return vectorize(make_env, num_env, list(range(num_env)), backend=backend)


def play(env, num_step, awake, seed=0):
    """Observations, rewards and ends of the rows ``awake``; actions are the same each time."""
    rng, out = np.random.default_rng(seed), []
    for _ in range(num_step):
        obs, reward, terminated, truncated, _ = env.step(draw(env, rng))
        out.append((obs[awake].copy(), reward[awake], terminated[awake], truncated[awake]))
    return out


def draw(env, rng):
    space = env.single_action_space
    if isinstance(space, gymnasium.spaces.Discrete):
        return rng.integers(space.n, size=env.num_envs)
    return rng.uniform(space.low, space.high, (env.num_envs, *space.shape)).astype(np.float32)


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    ("id", "backend"),
    [
        ("CartPole-v1", "serial"),
        ("CartPole-v1", "classic"),
        ("Hopper-v2", "serial"),
        ("Hopper-v2", "mujoco"),
        ("Ant-v5", "mujoco"),  # simulations with an MjData each
    ],
)
def test_a_row_begins_as_an_environment_of_its_own(id, backend):
    env, alone = vec(id, backend), make(id, disable_env_checker=True)
    env.reset()
    play(env, 3, [0])
    before = env.state_dict()["envs"]

    obs, info = env.reset_row(1, seed=7)
    expected, expected_info = alone.reset(seed=7)

    np.testing.assert_array_equal(obs, expected.astype(np.float32))
    assert obs.dtype == np.float32
    assert_equal_infos({"row_infos": [info]}, {"row_infos": [expected_info]})
    after = env.state_dict()["envs"]
    assert repr(after[0]) == repr(before[0])
    assert repr(after[2]) == repr(before[2])
    assert repr(after[1]) != repr(before[1])
    rng = np.random.default_rng(1)
    for _ in range(5):
        actions = draw(env, rng)
        obs, reward, *_ = env.step(actions)
        expected, expected_reward, *_ = alone.step(actions[1])
        np.testing.assert_array_equal(obs[1], expected.astype(np.float32))
        assert reward[1] == expected_reward
    once, again = env.reset_row(1)[0], env.reset_row(1)[0]  # the random stream goes on
    np.testing.assert_array_equal(once, alone.reset()[0].astype(np.float32))
    np.testing.assert_array_equal(again, alone.reset()[0].astype(np.float32))


@pytest.mark.parametrize(
    ("id", "backend", "threads"),
    [
        ("CartPole-v1", "serial", 1),
        ("CartPole-v1", "classic", 1),
        ("Hopper-v2", "mujoco", 1),
        ("Ant-v5", "mujoco", 2),
    ],
)
def test_rows_that_rest_change_nothing_for_the_others(id, backend, threads):
    make_env = lambda: make(id, disable_env_checker=True)
    env, other = (
        vectorize(make_env, 4, [3, 1, 4, 1], backend=backend, threads=threads) for _ in range(2)
    )
    for e in (env, other):
        e.reset()
    env.rest(0)
    env.rest(2)
    steps = play(env, 40, slice(None))
    assert_same([[x[[1, 3]] for x in step] for step in steps], play(other, 40, [1, 3]))
    assert not any((terminated | truncated)[[0, 2]].any() for *_, terminated, truncated in steps)

    for e in (env, other):
        e.reset_row(0, seed=5)
    assert_same(play(env, 30, [0, 1, 3], 1), play(other, 30, [0, 1, 3], 1))
    for e in (env, other):
        e.reset(seed=9)  # wakes all
    assert_same(play(env, 30, [0, 1, 2, 3], 2), play(other, 30, [0, 1, 2, 3], 2))


def test_who_rests_is_not_stepped():
    env = VecEnv([lambda: CountEnv(3)] * 2)
    env.reset()
    steps = []
    for b, row in enumerate(env.envs):
        step = row.step
        row.step = lambda action, b=b, step=step: steps.append(b) or step(action)
    env.rest(0)
    obs, *_ = env.step([0, 0])

    assert steps == [1]
    assert obs.shape == env.observation_space.shape


def test_a_row_in_another_process():
    makers = [lambda: gymnasium.make("CartPole-v1")] * 3
    serial = VecEnv(makers, [1, 2, 3])
    with AsyncVecEnv(makers, [1, 2, 3], workers=2) as env:
        for e in (env, serial):
            e.reset()
        for b in (2, 1):
            obs, info = env.reset_row(b, seed=7, options={"low": -0.01, "high": 0.01})
            expected, _ = serial.reset_row(b, seed=7, options={"low": -0.01, "high": 0.01})
            np.testing.assert_array_equal(obs, expected)
            assert info == {}
        env.rest(1)  # steps it all the same
        assert_same(play(env, 30, [0, 1, 2]), play(serial, 30, [0, 1, 2]))


def test_wrappers_of_actions_let_it_through_and_those_of_batches_refuse():
    env = vec("Pendulum-v1", "classic")
    env.reset()
    expected = vec("Pendulum-v1", "serial")
    expected.reset()

    obs, _ = RescaleAction(env).reset_row(2, seed=4)
    np.testing.assert_array_equal(obs, expected.reset_row(2, seed=4)[0])
    for wrapper in (RecordEpisodeStatistics, NormalizeObservation):
        with pytest.raises(TypeError, match=f"{wrapper.__name__}.reset_row: it sees resets of the"):
            wrapper(env).reset_row(2)
