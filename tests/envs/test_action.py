import numpy as np
import pytest
from envs.count_env import CountEnv
from gymnasium.spaces import Box
from gymnasium.wrappers import ClipAction
from gymnasium.wrappers import RescaleAction as GymnasiumRescale

from lagom.envs import RescaleAction, VecEnv, make, make_vec_env

INF = np.inf


def box_env(low, high, dtype=np.float32):
    env = CountEnv(99)
    env.action_space = Box(np.array(low, dtype), np.array(high, dtype), dtype=dtype)
    return env


def test_by_hand():
    env = RescaleAction(VecEnv([lambda: box_env([-2, 0, -1], [2, 1, 1])] * 2))
    env.reset()

    env.step(np.array([[-1.0, 0.0, 0.3], [5.0, -7.0, 1.0]]))

    assert env.single_action_space == Box(-1, 1, (3,), np.float32)
    assert env.action_space == Box(-1, 1, (2, 3), np.float32)
    received = [row.actions[0] for row in env]
    np.testing.assert_allclose(received, [[-2, 0.5, 0.3], [2, 0, 1]], rtol=1e-6)
    assert {x.dtype for x in received} == {np.dtype(np.float32)}
    assert received[0][2] == np.float32(0.3)  # bounds of -1 and 1 change no bit


def test_infinite_bounds_keep_their_scale():
    env = RescaleAction(VecEnv([lambda: box_env([-INF, 0, -4], [INF, INF, 4])]))
    env.reset()

    env.step([[-30.0, 30.0, 0.5]])
    env.step([[7.0, -30.0, -3.0]])

    np.testing.assert_array_equal(env[0].actions, [[-30, 30, 2], [7, 0, -4]])
    np.testing.assert_array_equal(env.single_action_space.low, [-INF, 0, -1])
    np.testing.assert_array_equal(env.single_action_space.high, [INF, INF, 1])


def test_bounds_beyond_half_the_range_do_not_overflow():
    biggest = np.finfo(np.float32).max
    env = RescaleAction(VecEnv([lambda: box_env([-biggest], [biggest])]))
    env.reset()

    env.step([[0.5]])

    np.testing.assert_allclose(env[0].actions, [[0.5 * biggest]], rtol=1e-6)


def test_the_same_as_gymnasium():
    ours, theirs = CountEnv(99), CountEnv(99)
    ours.action_space = theirs.action_space = Box(
        np.array([-0.4, -3, 1], np.float32), np.array([0.4, 5, 9], np.float32)
    )
    env = RescaleAction(VecEnv([lambda: ours]))
    reference = ClipAction(GymnasiumRescale(theirs, np.float32(-1), np.float32(1)))
    env.reset()
    reference.reset()
    for action in np.random.default_rng(0).normal(scale=1.5, size=(50, 3)).astype(np.float32):
        env.step(action[None])
        reference.step(action)

    np.testing.assert_allclose(ours.actions, theirs.actions, rtol=1e-6, atol=1e-6)
    assert all(ours.action_space.contains(action) for action in ours.actions)


def test_single_environment():
    env = RescaleAction(box_env([-2], [2]))
    env.reset()
    env.step(np.array([0.5]))

    np.testing.assert_array_equal(env.unwrapped.actions, [[1.0]])
    assert env.action_space == Box(-1, 1, (1,), np.float32)


def test_sampling_is_seeded_and_part_of_the_state():
    a, b, c = (
        RescaleAction(make_vec_env(lambda: make("Pendulum-v1"), 2, seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(a.action_space.sample(), b.action_space.sample())
    a.single_action_space.sample()

    c.load_state_dict(a.state_dict())

    np.testing.assert_array_equal(a.action_space.sample(), c.action_space.sample())
    np.testing.assert_array_equal(a.single_action_space.sample(), c.single_action_space.sample())


def test_other_actions_are_refused():
    with pytest.raises(ValueError, match=r"RescaleAction: action space is Discrete\(2\); expected"):
        RescaleAction(CountEnv(3))
