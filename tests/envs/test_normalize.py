import gymnasium
import numpy as np
import pytest
from envs.count_env import CountEnv
from gymnasium.spaces import Box, Discrete

from lagom.envs import NormalizeObservation, NormalizeReward, VecEnv
from lagom.transform import RunningMeanVar


class Script(gymnasium.Env):
    """Plays back episodes of (observation, reward); the first reward of each goes nowhere."""

    action_space = Discrete(1)

    def __init__(self, *episodes):
        self.episodes = episodes
        self.observation_space = Box(-np.inf, np.inf, np.shape(episodes[0][0][0]), np.float64)
        self.num_reset = 0

    def reset(self, *, seed=None, options=None):
        self.rest = list(self.episodes[self.num_reset])
        self.num_reset += 1
        return np.array(self.rest.pop(0)[0], np.float64), {}

    def step(self, action):
        observation, reward = self.rest.pop(0)
        return np.array(observation, np.float64), reward, not self.rest, False, {}


def observations_only(*values):
    return Script([(value, 0.0) for value in values])


def rewards_only(*episodes):
    return Script(*[[([0.0], reward) for reward in (0.0, *rewards)] for rewards in episodes])


def play(env, num_step):
    return [env.reset()[0], *(env.step(0)[0] for _ in range(num_step))]


def test_observations_by_hand():
    outputs = play(NormalizeObservation(observations_only([0], [1], [2], [10])), 3)

    expected = [[0.0], [0.9999499938], [1.2247448639], [1.7042510030]]
    np.testing.assert_allclose(outputs, expected, atol=1e-6)
    assert {x.dtype for x in outputs} == {np.dtype(np.float32)}


def test_observations_are_clipped():
    values = [[0.0]] * 40 + [[1.0]]

    assert play(NormalizeObservation(observations_only(*values)), 40)[-1] == 5.0
    wide = play(NormalizeObservation(observations_only(*values), clip=10), 40)[-1]
    np.testing.assert_allclose(wide, 6.3242, atol=1e-4)
    values[-1] = [-1.0]
    assert play(NormalizeObservation(observations_only(*values)), 40)[-1] == -5.0


def test_constant_moments():
    env = NormalizeObservation(
        observations_only([3.0, -100.0], [1.0, 0.5]), constant_moments=([1, 0], [4, 1])
    )

    outputs = play(env, 1)

    np.testing.assert_allclose(outputs, [[1.0, -5.0], [0.0, 0.5]], atol=1e-6)
    np.testing.assert_array_equal(env.obs_moments.mean, [1, 0])
    np.testing.assert_array_equal(env.obs_moments.var, [4, 1])


def test_a_batch_shares_its_moments_and_final_observations_use_them():
    env = NormalizeObservation(VecEnv([lambda: CountEnv(2), lambda: CountEnv(9)]))
    moments = RunningMeanVar((1,))
    for k, returned in enumerate([[[0], [0]], [[1], [1]], [[0], [2]]]):
        observations, info = env.reset() if k == 0 else env.step([0, 0])[::4]
        moments(returned)
        expected = (np.array(returned) - moments.mean) / np.sqrt(moments.var + 1e-8)
        np.testing.assert_allclose(observations, expected, rtol=1e-6)
        assert observations.dtype == np.float32

    expected = (2 - moments.mean) / np.sqrt(moments.var + 1e-8)
    np.testing.assert_allclose(info["final_obs"][0], expected, rtol=1e-6)
    assert info["final_obs"][1] is None
    assert env.obs_moments.n == 6


def test_eval_freezes_and_train_goes_on():
    env = NormalizeObservation(VecEnv([lambda: CountEnv(100)]))
    env.reset()
    env.eval()
    env.step([0])
    assert env.obs_moments.n == 1
    env.train()
    env.step([0])
    assert env.obs_moments.n == 2
    env.train(False)
    env.step([0])
    assert env.obs_moments.n == 2


def test_shared_moments_are_live_and_never_updated():
    train = NormalizeObservation(VecEnv([lambda: CountEnv(100)]))
    other = NormalizeObservation(VecEnv([lambda: CountEnv(100)]), moments=train.obs_moments)
    other.train()
    train.reset()
    other.reset()
    first, *_ = other.step([0])
    assert train.obs_moments.n == 1

    for _ in range(10):
        train.step([0])
    moments = train.obs_moments
    (second,), *_ = other.step([0])

    np.testing.assert_allclose(second, (2 - moments.mean) / np.sqrt(moments.var + 1e-8), rtol=1e-6)
    assert first == 5.0  # 1 after a single 0
    assert moments.n == 11


def test_normalized_observation_space():
    env = NormalizeObservation(VecEnv([lambda: CountEnv(3)] * 2), clip=3.0)

    assert env.single_observation_space == Box(-3, 3, (1,), np.float32)
    assert env.observation_space == Box(-3, 3, (2, 1), np.float32)
    assert NormalizeObservation(CountEnv(3)).observation_space == Box(-5, 5, (1,), np.float32)


def test_wrong_moments_are_refused():
    with pytest.raises(ValueError, match="got constant_moments and moments; expected at most one"):
        NormalizeObservation(CountEnv(3), constant_moments=([0], [1]), moments=RunningMeanVar((1,)))
    with pytest.raises(ValueError, match=r"got moments of shape \(2,\); expected \(1,\)"):
        NormalizeObservation(CountEnv(3), moments=RunningMeanVar((2,)))
    with pytest.raises(ValueError, match=r"moments of shape \(2,\) and \(2,\); expected \(1,\)"):
        NormalizeObservation(CountEnv(3), constant_moments=([0, 0], [1, 1]))


def test_rewards_by_hand():
    env = NormalizeReward(rewards_only([1, 1, 1], [1]), gamma=0.99)
    env.reset()
    rewards = [env.step(0)[1] for _ in range(3)]
    env.reset()
    rewards.append(env.step(0)[1])

    expected = [10.0, 2.0195860098, 1.2431897373, 1.2237092800]
    np.testing.assert_allclose(rewards, expected, atol=1e-6)


def test_first_reward_unclipped():
    env = NormalizeReward(rewards_only([1, -1]), clip=100)
    env.reset()

    assert env.step(0)[1] == pytest.approx(70.714, abs=1e-3)


def test_negative_rewards_are_clipped():
    env = NormalizeReward(rewards_only([-1, 1]))
    env.reset()

    assert env.step(0)[1] == -10.0


def test_a_reset_forgets_the_running_return():
    env, other = NormalizeReward(rewards_only([1, 1], [1])), NormalizeReward(rewards_only([1], [1]))
    for x in (env, other):
        x.reset()
        x.step(0)
        x.reset()

    assert env.step(0)[1] == other.step(0)[1]


def test_rewards_of_a_batch():
    env = NormalizeReward(VecEnv([lambda: CountEnv(2), lambda: CountEnv(9, limit=3)]), gamma=0.5)
    env.reset()
    R, moments = np.zeros(2), RunningMeanVar(())
    for rewards, done in [
        ([0.1, 0.1], [0, 0]),
        ([0.2, 0.2], [1, 0]),
        ([0.1, 0.3], [0, 1]),
        ([0.2, 0.1], [1, 0]),
    ]:
        R = rewards + 0.5 * R
        moments(R)
        expected = np.clip(np.array(rewards) / np.sqrt(moments.var + 1e-8), -10, 10)
        outputs = env.step([0, 0])[1]
        np.testing.assert_allclose(outputs, expected, rtol=1e-12)
        assert outputs.dtype == np.float64
        R = R * (1 - np.array(done))


def test_constant_variance():
    env = NormalizeReward(rewards_only([3, 100]), constant_var=4.0)
    env.reset()

    np.testing.assert_allclose([env.step(0)[1] for _ in range(2)], [1.5, 10.0])
    assert env.reward_moments is None


@pytest.mark.parametrize("gamma", [0.0, 1.0, -0.5, 2])
def test_wrong_gamma_is_refused(gamma):
    with pytest.raises(ValueError, match=f"NormalizeReward: gamma is {gamma}; expected"):
        NormalizeReward(CountEnv(3), gamma=gamma)


@pytest.mark.parametrize("wrapper", [NormalizeObservation, NormalizeReward])
def test_constant_and_shared_moments_are_not_state(wrapper):
    make_env = lambda: VecEnv([lambda: gymnasium.make("CartPole-v1")])
    if wrapper is NormalizeReward:
        env = NormalizeReward(make_env(), constant_var=1.0)
    else:
        env = NormalizeObservation(make_env(), moments=RunningMeanVar((4,)))
    env.reset()

    state = env.state_dict()
    env.load_state_dict(state)

    assert list(state) == ["env"]
