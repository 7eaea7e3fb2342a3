import gymnasium
import numpy as np
import pytest
from envs.count_env import CountEnv
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.wrappers import TransformReward

from lagom.envs import (
    NormalizeObservation,
    NormalizeReward,
    RecordEpisodeStatistics,
    VecEnv,
    make,
    make_vec_env,
)
from lagom.envs.state import can_capture, capture, restore


def only_plain(x):
    if isinstance(x, dict):
        return all(type(key) is str and only_plain(value) for key, value in x.items())
    if isinstance(x, list):
        return all(only_plain(value) for value in x)
    if isinstance(x, np.ndarray):
        return x.dtype != object
    return type(x) in (bool, int, float, str)


def assert_goes_on_alike(a, b, actions):
    """Step both; everything they return must be equal. Returns how many episodes ended."""
    num_end = 0
    for action in actions:
        *xs, x_info = a.step(action)
        *ys, y_info = b.step(action)
        for x, y in zip(xs, ys, strict=True):
            np.testing.assert_array_equal(x, y)
        assert ("final_obs" in x_info) == ("final_obs" in y_info)
        num_end += int((xs[2] | xs[3]).sum())
    return num_end


@pytest.mark.parametrize(
    ("id", "kwargs", "num_step"),
    [
        ("CartPole-v1", {}, 1500),
        ("CartPole-v1", {"disable_env_checker": True}, 300),
        ("Pendulum-v1", {}, 1500),
        ("Acrobot-v1", {}, 1500),
        ("MountainCar-v0", {}, 1500),
        ("MountainCarContinuous-v0", {}, 2500),
        ("HalfCheetah-v5", {"max_episode_steps": 300}, 1000),
        ("Hopper-v4", {}, 1000),
        ("Ant-v2", {"max_episode_steps": 100}, 400),
        ("Humanoid-v2", {}, 200),
        ("Reacher-v2", {}, 200),
        ("Pusher-v2", {}, 250),
        ("InvertedDoublePendulum-v2", {}, 200),
    ],
)
@pytest.mark.parametrize("num_before", [0, 37])
def test_continues_bit_for_bit_in_a_fresh_environment(id, kwargs, num_step, num_before):
    def make_env():
        return make_vec_env(lambda: make(id, **kwargs), 2, init_seed=3)

    env, fresh = make_env(), make_env()
    env.action_space.seed(0)
    env[1].action_space.sample()
    env.reset()
    for _ in range(num_before):
        env.step(env.action_space.sample())

    state = env.state_dict()
    fresh.load_state_dict(state)

    assert only_plain(state)
    np.testing.assert_array_equal(env.action_space.sample(), fresh.action_space.sample())
    assert env[1].action_space.sample() == pytest.approx(fresh[1].action_space.sample())
    actions = [env.action_space.sample() for _ in range(num_step)]
    assert assert_goes_on_alike(env, fresh, actions) >= 2  # resets are compared too


def test_state_is_a_copy():
    env = make_vec_env(lambda: make("HalfCheetah-v5"), 1, 0)
    env.reset()
    state = env.state_dict()
    first = [env.step([np.ones(6)])[0] for _ in range(5)]

    env.load_state_dict(state)
    env.step([np.zeros(6)])
    env.load_state_dict(state)
    again = [env.step([np.ones(6)])[0] for _ in range(5)]

    np.testing.assert_array_equal(first, again)


def test_before_the_first_reset():
    env, fresh = (make_vec_env(lambda: make("CartPole-v1"), 2, seed) for seed in (0, 1))

    fresh.load_state_dict(env.state_dict())

    np.testing.assert_array_equal(env.reset()[0], fresh.reset()[0])


def test_a_whole_stack_goes_on_alike():
    def make_env(seed):
        env = RecordEpisodeStatistics(make_vec_env(lambda: make("CartPole-v1"), 3, seed))
        return NormalizeReward(NormalizeObservation(env))

    env, fresh = make_env(0), make_env(1)
    rng = np.random.default_rng(0)
    env.reset()
    for _ in range(100):
        env.step(rng.integers(2, size=3))

    state = env.state_dict()
    fresh.load_state_dict(state)

    assert only_plain(state)
    assert assert_goes_on_alike(env, fresh, rng.integers(2, size=(300, 3))) > 10
    assert env.pop_episodes() == fresh.pop_episodes()
    assert env.num_episode == fresh.num_episode
    assert list(env.return_queue) == list(fresh.return_queue)
    assert list(env.horizon_queue) == list(fresh.horizon_queue)


def test_single_environment_in_wrappers():
    env, fresh = (RecordEpisodeStatistics(gymnasium.make("CartPole-v1")) for _ in range(2))
    env.reset(seed=0)
    env.step(0)

    fresh.load_state_dict(env.state_dict())

    for action in (1, 1, 0):
        np.testing.assert_array_equal(env.step(action)[0], fresh.step(action)[0])


class MyCartPole(CartPoleEnv):
    """May keep anything."""


@pytest.mark.parametrize(
    "env",
    [
        CountEnv(3),
        MyCartPole(),
        TransformReward(gymnasium.make("CartPole-v1"), lambda reward: 2 * reward),
    ],
)
def test_unknown_environments_are_refused_by_name(env):
    assert not can_capture(env)
    with pytest.raises(NotImplementedError, match=f"the state of .*{type(env).__name__}"):
        capture(env)


def test_the_state_of_unknown_environments_is_left_out():
    env, fresh = (RecordEpisodeStatistics(VecEnv([lambda: CountEnv(3)])) for _ in range(2))
    env.reset()
    for _ in range(4):
        env.step([0])

    state = env.state_dict()
    fresh.load_state_dict(state)

    assert not env.can_capture
    assert state["env"]["envs"] is None
    assert fresh.num_episode == 1


def test_known_environments_say_so():
    assert make_vec_env(lambda: make("CartPole-v1"), 2, 0).can_capture
    assert RecordEpisodeStatistics(make_vec_env(lambda: make("Ant-v2"), 1, 0)).can_capture


def test_state_of_another_environment_is_refused():
    state = capture(gymnasium.make("CartPole-v1"))
    with pytest.raises(ValueError, match=r"state is of .*CartPoleEnv.* expected .*Pendulum"):
        restore(gymnasium.make("Pendulum-v1"), state)
    with pytest.raises(ValueError, match=r"restore: the state is of .*PassiveEnvChecker"):
        restore(gymnasium.make("CartPole-v1", disable_env_checker=True), state)


def test_state_of_another_number_is_refused():
    one, two = (make_vec_env(lambda: make("CartPole-v1"), n, 0) for n in (1, 2))
    with pytest.raises(ValueError, match="got the state of 1 environments; expected 2"):
        two.load_state_dict(one.state_dict())
