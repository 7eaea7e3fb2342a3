"""Batches of classic control beside Gymnasium's own environments, to the last bit."""

from copy import deepcopy

import numpy as np
import pytest
from envs.same import assert_begin_alike, assert_go_on_alike

from lagom.envs import VecEnv, make
from lagom.envs.classic import ClassicVecEnv

IDS = ["CartPole-v1", "Pendulum-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Acrobot-v1"]


def both(id, num_env=5, seeds=(3, 1, 4, 1, 5), **kwargs):
    make_env = lambda: make(id, disable_env_checker=True, **kwargs)
    seeds = list(seeds[:num_env])
    return (
        VecEnv([make_env] * num_env, seeds=list(seeds)),
        ClassicVecEnv(make_env, num_env, seeds=list(seeds)),
    )


def draw(space, num_step, beyond=1.0):
    """Actions ``[T, B, ...]``; continuous ones beyond the bounds too."""
    space = deepcopy(space)  # that of the environments is part of their state
    actions = np.array([space.sample() for _ in range(num_step)])
    return actions * np.float32(beyond) if actions.dtype.kind == "f" else actions


@pytest.mark.parametrize(
    ("id", "kwargs"),
    [
        *((id, {"max_episode_steps": 150}) for id in IDS),
        ("CartPole-v1", {"sutton_barto_reward": True}),
        ("Pendulum-v1", {"g": 9.81}),
        ("MountainCar-v0", {"goal_velocity": 0.01}),
        ("MountainCarContinuous-v0", {"max_episode_steps": 4}),
    ],
)
def test_equal_to_gymnasium(id, kwargs):
    serial, batch = both(id, **kwargs)
    assert serial.single_observation_space == batch.single_observation_space
    assert serial.action_space == batch.action_space
    assert_begin_alike(serial, batch)

    assert assert_go_on_alike(serial, batch, draw(serial.action_space, 500, beyond=1.3)) >= 10
    # Observations are rounded; the states, float64, are not.
    states = np.array([env.unwrapped.state for env in serial.envs], float).T
    np.testing.assert_array_equal(batch.task.state, states)


def test_one_bit_is_not_lost_in_a_long_episode():
    serial, batch = both("Acrobot-v1", max_episode_steps=10_000)
    assert_begin_alike(serial, batch)
    assert_go_on_alike(serial, batch, draw(serial.action_space, 1500))

    states = np.array([env.unwrapped.state for env in serial.envs]).T
    np.testing.assert_array_equal(batch.task.state, states)


@pytest.mark.parametrize("id", ["MountainCar-v0", "MountainCarContinuous-v0"])
def test_the_summit(id):
    """Where both walls and the goal are reached: push along with the motion."""
    serial, batch = both(id)
    serial.reset(), batch.reset()
    obs, _ = serial.reset(seed=0)
    batch.reset(seed=0)
    ended = 0
    for _ in range(400):
        push = np.where(obs[:, 1] < 0, -1, 1)
        action = push + 1 if id == "MountainCar-v0" else push[:, None].astype(np.float32) * 1.5
        ended += assert_go_on_alike(serial, batch, [action])
        obs = np.array([env.unwrapped.state for env in serial.envs], np.float32)
    assert ended >= 5


def test_actions_with_more_digits():
    serial, batch = both("MountainCarContinuous-v0", max_episode_steps=30)
    assert_begin_alike(serial, batch)
    actions = np.random.default_rng(0).uniform(-1.5, 1.5, (100, 5, 1))
    assert_go_on_alike(serial, batch, actions)


@pytest.mark.parametrize("id", IDS)
def test_resets(id):
    serial, batch = both(id)
    assert_begin_alike(serial, batch)
    assert_begin_alike(serial, batch)  # goes on with the random streams
    assert_begin_alike(serial, batch, seed=7)
    assert_begin_alike(serial, batch, seed=[9, 8, 7, 6, 5])
    if id == "CartPole-v1":
        assert_begin_alike(serial, batch, options={"low": -0.01, "high": 0.02})
    assert_go_on_alike(serial, batch, draw(serial.action_space, 20))


@pytest.mark.parametrize("id", IDS)
def test_states_are_those_of_the_serial_one(id):
    serial, batch = both(id, max_episode_steps=70)
    _, other = both(id, seeds=(0, 0, 0, 0, 0), max_episode_steps=70)
    assert batch.state_dict().keys() == serial.state_dict().keys()
    other.load_state_dict(serial.state_dict())  # before the first reset
    assert_begin_alike(serial, other)
    batch.reset()
    actions = draw(serial.action_space, 200)
    assert_go_on_alike(serial, batch, actions[:90])

    fresh, _ = both(id, seeds=(0, 0, 0, 0, 0), max_episode_steps=70)
    fresh.load_state_dict(batch.state_dict())
    other.load_state_dict(serial.state_dict())

    for x in (fresh, other):
        np.testing.assert_equal(x.state_dict(), serial.state_dict())
    assert_go_on_alike(serial, fresh, actions[90:140])
    assert_go_on_alike(batch, other, actions[90:])


def test_pictures():
    serial, batch = both("Pendulum-v1", 2, render_mode="rgb_array")
    for env in (serial, batch):
        env.reset()
        env.step(np.array([[0.5], [-1.0]], np.float32))

    np.testing.assert_array_equal(batch.get_images(), serial.get_images())
    assert batch.render().ndim == 3
    serial.close(), batch.close()
    with pytest.raises(ValueError, match="render_mode=None; expected 'rgb_array'"):
        both("Pendulum-v1")[1].get_images()


def test_copies_of_single_environments():
    serial, batch = both("CartPole-v1")
    serial.reset(), batch.reset()
    assert_go_on_alike(serial, batch, draw(serial.action_space, 7))

    copies = list(batch)

    for b in (-1, 0, 3):
        np.testing.assert_array_equal(batch[b].unwrapped.state, serial[b].unwrapped.state)
        np.testing.assert_array_equal(copies[b].step(1)[0], serial[b].step(1)[0])
    assert serial[2].action_space.sample() == batch[2].action_space.sample()
    assert len(batch) == 5
    assert repr(batch) == "<ClassicVecEnv: 5, CartPole-v1>"
    with pytest.raises(IndexError):
        batch[5]


@pytest.mark.parametrize(
    ("id", "actions", "match"),
    [
        ("CartPole-v1", [0, 1, 2, 0, 0], r"actions are array\(.*; expected integers from 0 to 1"),
        ("CartPole-v1", [0, -1, 0, 0, 0], "expected integers from 0 to 1"),
        ("CartPole-v1", [0.0] * 5, "expected integers from 0 to 1"),
        ("Acrobot-v1", [3] * 5, "expected integers from 0 to 2"),
        ("Pendulum-v1", np.zeros(5), r"actions have shape \(5,\); expected \(5, 1\)"),
        ("Pendulum-v1", np.zeros((4, 1)), "got 4 actions; expected 5"),
    ],
)
def test_wrong_actions_are_refused(id, actions, match):
    _, batch = both(id)
    batch.reset()
    with pytest.raises(ValueError, match=match):
        batch.step(actions)
