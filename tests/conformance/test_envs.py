"""Behaviours that must hold, by their ids: lagom.envs."""

import gymnasium
import numpy as np
import pytest
from envs.count_env import CountEnv
from gymnasium.spaces import Box, Discrete

from lagom.data import StepType
from lagom.envs import (
    NormalizeObservation,
    NormalizeReward,
    RecordEpisodeStatistics,
    TimeStepEnv,
    VecEnv,
    VecEnvWrapper,
    make_vec_env,
)


class Playback(gymnasium.Env):
    """Plays back lists, one per episode: what ``reset`` observes, then (observation, reward)."""

    action_space = Discrete(2)

    def __init__(self, *episodes):
        self.episodes = iter(episodes)
        self.observation_space = Box(-np.inf, np.inf, np.shape(episodes[0][0]), np.float32)

    def reset(self, *, seed=None, options=None):
        first, *self.rest = next(self.episodes)
        return np.array(first, np.float32), {}

    def step(self, action):
        observation, reward = self.rest.pop(0)
        return np.array(observation, np.float32), reward, not self.rest, False, {}


def observe(observations, **kwargs):
    """What NormalizeObservation makes of them; the wrapper, too."""
    first, *rest = observations
    env = NormalizeObservation(Playback([first, *((obs, 0.0) for obs in rest)]), **kwargs)
    return [env.reset()[0], *(env.step(0)[0] for _ in rest)], env


def make_cartpole():
    return gymnasium.make("CartPole-v1")


def test_ENV_01_timestep_env():
    env = TimeStepEnv(CountEnv(3))

    first = env.reset()
    steps = [env.step(0) for _ in range(3)]

    assert first.step_type == StepType.FIRST
    assert first.reward is None
    assert first.done is None
    assert first.info is None
    assert [step.step_type for step in steps] == [StepType.MID, StepType.MID, StepType.LAST]
    assert steps[-1].terminal() is True


@pytest.mark.parametrize("wrap", [lambda env: env, lambda env: VecEnv([lambda: env])])
def test_ENV_03_episode_statistics(wrap):
    env = RecordEpisodeStatistics(wrap(CountEnv(3)))
    env.reset()
    infos = [env.step([0] if isinstance(env, VecEnvWrapper) else 0)[4] for _ in range(3)]
    episode = infos[-1]["episode"]

    assert "episode" not in infos[0]
    assert "episode" not in infos[1]
    assert float(np.squeeze(episode["return"])) == pytest.approx(0.6, abs=1e-9)
    assert float(np.squeeze(episode["horizon"])) == 3
    time = float(np.squeeze(episode["time"]))
    assert time >= 0
    assert time == round(time, 4)


def test_ENV_05_aborted_episodes_are_not_recorded():
    env = RecordEpisodeStatistics(CountEnv(3))
    env.reset()
    env.step(0)
    env.reset()

    assert list(env.return_queue) == []
    assert list(env.horizon_queue) == []
    for _ in range(3):
        env.step(0)
    assert list(env.return_queue) == [pytest.approx(0.6, abs=1e-9)]
    assert list(env.horizon_queue) == [3]


def test_ENV_06_normalized_observations():
    outputs, _ = observe([[0.0], [1.0], [2.0], [10.0]])

    expected = [0.0, 0.9999499938, 1.2247448639, 1.7042510030]
    np.testing.assert_allclose(np.squeeze(outputs), expected, rtol=0, atol=1e-6)


def test_ENV_08_normalized_observations_are_clipped():
    observations = [[0.0]] * 40 + [[1.0]]

    assert observe(observations)[0][-1] == pytest.approx(5.0, abs=1e-6)
    unclipped = observe(observations, clip=100.0)[0][-1]
    np.testing.assert_allclose(unclipped, 6.3242, rtol=0, atol=5e-5)


def test_ENV_09_constant_moments():
    outputs, env = observe([[3.0, -100.0]], constant_moments=([1, 0], [4, 1]))

    np.testing.assert_allclose(outputs[0], [1.0, -5.0], rtol=0, atol=1e-6)
    assert env.obs_moments.mean.tolist() == [1, 0]
    assert env.obs_moments.var.tolist() == [4, 1]


def test_ENV_10_normalized_rewards():
    episodes = [[0.0], ([0.0], 1.0), ([0.0], 1.0), ([0.0], 1.0)], [[0.0], ([0.0], 1.0)]
    env = NormalizeReward(Playback(*episodes), gamma=0.99)
    env.reset()
    outputs = [env.step(0)[1] for _ in range(3)]
    env.reset()
    outputs.append(env.step(0)[1])

    expected = [10.0, 2.0195860098, 1.2431897373, 1.2237092800]
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-6)
    env = NormalizeReward(Playback(*episodes), gamma=0.99, clip=100.0)
    env.reset()
    assert env.step(0)[1] == pytest.approx(70.714, abs=5e-4)


def test_ENV_12_gamma_lies_between_zero_and_one():
    for gamma in (1.0, 0.0):
        with pytest.raises(ValueError, match="gamma is"):
            NormalizeReward(CountEnv(3), gamma=gamma)


def test_ENV_14_statistics_inside_see_raw_rewards():
    env = NormalizeReward(RecordEpisodeStatistics(CountEnv(3)))
    env.reset()
    rewards, infos = zip(*[env.step(0)[1::3] for _ in range(3)], strict=True)

    assert infos[-1]["episode"]["return"] == pytest.approx(0.6, abs=1e-9)
    assert sum(rewards) != pytest.approx(0.6)


def test_ENV_16_same_step_autoreset():
    env = VecEnv([lambda: CountEnv(3), lambda: CountEnv(3)])
    env.reset()
    for _ in range(3):
        observations, _, terminated, _, info = env.step([0, 0])

    assert observations.tolist() == [[0], [0]]
    assert terminated.tolist() == [True, True]
    assert [info["final_obs"][i].tolist() for i in range(2)] == [[3], [3]]


def test_ENV_18_close():
    with VecEnv([lambda: CountEnv(3)]) as env:
        env.close()
        env.close()
        assert env.closed is True
    assert env[0].num_close == 1


def test_ENV_19_repr():
    assert repr(make_vec_env(make_cartpole, 3, 0)) == "<VecEnv: 3, CartPole-v1>"


def test_ENV_20_seeds_of_the_first_reset():
    env = make_vec_env(lambda: CountEnv(3), 3, 0)
    env.reset()

    assert [sub.seeds[0] for sub in env] == [209652396, 398764591, 924231285]


def test_ENV_21_same_arguments_same_numbers():
    def draw():
        env = make_vec_env(make_cartpole, 3, 0)
        observations, _ = env.reset()
        return observations, [[sub.action_space.sample() for _ in range(50)] for sub in env]

    (observations, actions), (again, actions_again) = draw(), draw()

    assert observations.tolist() == again.tolist()
    assert actions == actions_again
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert observations[i].tolist() != observations[j].tolist()
        assert actions[i] != actions[j]


def test_ENV_22_wrapper_of_a_vec_env():
    inner = make_vec_env(make_cartpole, 2, 0)
    env = VecEnvWrapper(inner)

    assert len(env) == 2
    assert env.unwrapped is inner
    assert repr(env) == "<VecEnvWrapper, <VecEnv: 2, CartPole-v1>>"


def test_ENV_24_render():
    env = VecEnv([lambda: CountEnv(3, render_mode="rgb_array")] * 2)
    env.reset()

    assert env.render().shape == (14, 27, 3)
    assert env.render().dtype == np.uint8
