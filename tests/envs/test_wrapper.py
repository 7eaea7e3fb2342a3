import copy

import gymnasium
import numpy as np
import pytest
from envs.count_env import CountEnv
from gymnasium.spaces import Dict, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv

from lagom.envs import NormalizeObservation, RecordEpisodeStatistics, VecEnv, VecEnvWrapper


class Double(VecEnvWrapper):
    """Twice the reward; keeps a number."""

    color = "red"

    def step(self, actions):
        observations, rewards, *rest = self.env.step(actions)
        return observations, 2 * rewards, *rest


def count_env(*args, num_env=2):
    return VecEnv([lambda: CountEnv(*args)] * num_env)


def test_looks_like_what_it_wraps():
    inner = VecEnv([lambda: gymnasium.make("CartPole-v1")] * 2)
    env = VecEnvWrapper(inner)

    assert isinstance(env, VectorEnv)
    assert len(env) == env.num_envs == 2
    assert env.unwrapped is inner
    assert repr(env) == "<VecEnvWrapper, <VecEnv: 2, CartPole-v1>>"
    assert env[1] is inner[1]
    assert list(env) == list(inner)
    assert env.single_action_space is inner.single_action_space
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


def test_unknown_public_attributes_come_from_inside():
    env = VecEnvWrapper(Double(count_env(3)))

    assert env.color == "red"
    assert env.seeds is None
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        env.colour  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute '_dtype'"):
        env._dtype  # noqa: B018
    assert not hasattr(Double.__new__(Double), "color2")  # nothing inside yet: no endless recursion


def test_closes_what_it_wraps():
    inner = count_env(3)
    with VecEnvWrapper(inner) as env:
        assert not env.closed
    env.close()

    assert inner.closed
    assert [row.num_close for row in inner] == [1, 1]


def test_pictures_pass_through_and_may_be_changed():
    class Dark(VecEnvWrapper):
        def get_images(self):
            return self.env.get_images() // 2

    inner = VecEnv([lambda: CountEnv(3, render_mode="rgb_array")] * 2)
    env = VecEnvWrapper(Dark(inner))
    env.reset()
    env.step([0, 0])

    assert inner.render().max() == 10
    np.testing.assert_array_equal(env.get_images(), np.full((2, 4, 6, 3), 5))
    assert env.render().shape == (14, 27, 3)
    assert env.render().max() == 5
    env.close_extras()
    assert [row.num_close for row in inner] == [1, 1]


def test_can_be_copied():
    env = Double(count_env(3))
    env.reset()
    twin = copy.deepcopy(env)
    env.step([0, 0])

    assert twin.step([0, 0])[0].tolist() == [[1], [1]]


def test_state_nests():
    inner = VecEnv([lambda: gymnasium.make("CartPole-v1")])
    env = Double(inner)
    env.reset(seed=0)

    state = env.state_dict()
    first = env.step([0])[0]
    env.load_state_dict(state)

    assert list(state) == ["env"]
    np.testing.assert_array_equal(env.step([0])[0], first)


def test_single_environment_stays_single():
    sub = CountEnv(3)
    env = Double(sub)

    assert isinstance(env, gymnasium.Env)
    assert not isinstance(env, VectorEnv)
    assert env.unwrapped is sub
    assert env.action_space == Discrete(2)
    assert env.color == "red"
    observation, info = env.reset(seed=4, options={"size": 1})
    np.testing.assert_array_equal(observation, [0])
    assert info == {"k": 0, "size": 1}
    assert sub.seeds == [4]
    for k in (1, 2, 3):
        observation, reward, terminated, truncated, info = env.step(1)
        np.testing.assert_array_equal(observation, [k])
        assert reward == pytest.approx(0.2 * k)
        assert (terminated, truncated) == (k == 3, False)
        assert info == {"k": k}
        assert [type(x) for x in (reward, terminated, truncated)] == [float, bool, bool]
    assert sub.actions == [1, 1, 1]
    assert sub.num_reset == 1  # who steps it resets it
    env.close()
    assert sub.num_close == 1
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        env.colour  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute '_dtype'"):
        env._dtype  # noqa: B018


def test_single_wrappers_stack_without_nesting():
    sub = CountEnv(3)
    env = Double(Double(RecordEpisodeStatistics(sub)))

    assert env.env is sub
    assert repr(env) == "<Double<Double<RecordEpisodeStatistics<CountEnv instance>>>>"
    env.reset()
    assert env.step(0)[1] == pytest.approx(0.4)


def test_single_environment_may_have_any_observation():
    class Nested(CountEnv):
        def reset(self, **kwargs):
            return {"k": super().reset(**kwargs)[0]}, {}

        def step(self, action):
            observation, *rest = super().step(action)
            return {"k": observation}, *rest

    sub = Nested(2)
    sub.observation_space = Dict(k=sub.observation_space)
    env = RecordEpisodeStatistics(sub)

    assert env.observation_space == sub.observation_space
    assert list(env.reset()[0]) == ["k"]
    assert list(env.step(0)[0]) == ["k"]
    assert env.step(0)[4]["episode"]["horizon"] == 2


def test_single_and_vectorized_agree_within_an_episode():
    single, batch = NormalizeObservation(CountEnv(5)), NormalizeObservation(count_env(5, num_env=1))

    np.testing.assert_array_equal(single.reset()[0], batch.reset()[0][0])
    for _ in range(4):
        np.testing.assert_array_equal(single.step(0)[0], batch.step([0])[0][0])


def test_anything_else_is_refused():
    with pytest.raises(TypeError, match="VecEnvWrapper: got 3; expected a VecEnv"):
        VecEnvWrapper(3)
