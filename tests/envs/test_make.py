from importlib import import_module

import gymnasium
import numpy as np
import pytest
from envs.count_env import CountEnv
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box

from lagom.envs import make_envs
from lagom.utils import Seeder

CONFIG = {
    "env.id": "CartPole-v1",
    "env.num_env": 3,
    "env.kwargs": {},
    "env.backend": "auto",
    "env.threads": 1,
    "env.workers": None,
    "env.timeout": 60.0,
    "env.normalize_obs": "auto",
    "env.normalize_reward": "auto",
    "agent.gamma": 0.9,
    "eval.episodes": 4,
}


def layers(env):
    names = []
    while hasattr(env, "env"):
        names.append(type(env).__name__)
        env = env.env
    return [*names, type(env).__name__]


def test_discrete_actions():
    env, eval_env = make_envs(CONFIG, seed=0)

    assert layers(env) == layers(eval_env) == ["RecordEpisodeStatistics", "ClassicVecEnv"]
    assert (env.num_envs, eval_env.num_envs) == (3, 4)


def test_box_actions():
    env, eval_env = make_envs({**CONFIG, "env.id": "Pendulum-v1"}, seed=0)

    common = ["NormalizeObservation", "RecordEpisodeStatistics", "RescaleAction", "ClassicVecEnv"]
    assert layers(env) == ["NormalizeReward", *common]
    assert layers(eval_env) == common
    assert env.gamma == 0.9
    assert env.single_action_space == eval_env.single_action_space == Box(-1, 1, (1,), np.float32)
    assert env.single_observation_space == Box(-5, 5, (3,), np.float32)


def test_switches_win_over_auto():
    on, _ = make_envs({**CONFIG, "env.normalize_obs": True, "env.normalize_reward": True}, 0)
    off = {**CONFIG, "env.id": "Pendulum-v1", "env.normalize_obs": False}
    off, _ = make_envs({**off, "env.normalize_reward": False}, 0)

    assert layers(on)[:2] == ["NormalizeReward", "NormalizeObservation"]
    assert layers(off)[0] == "RecordEpisodeStatistics"


def test_auto_leaves_pictures_alone(monkeypatch):
    def make_pictures(render_mode=None):
        env = CountEnv(3, dtype=np.uint8)
        env.action_space = Box(-1, 1, (2,))
        return env

    monkeypatch.setitem(gymnasium.registry, "Pic-v0", EnvSpec("Pic-v0", entry_point=make_pictures))

    env, _ = make_envs({**CONFIG, "env.id": "Pic-v0"}, 0)

    assert layers(env)[0] == "NormalizeReward"
    assert "NormalizeObservation" not in layers(env)
    assert env.reset()[0].dtype == np.uint8


def test_evaluation_sees_the_training_moments_and_leaves_them_alone():
    env, eval_env = make_envs({**CONFIG, "env.id": "Pendulum-v1"}, seed=0)
    env.reset()
    for _ in range(5):
        env.step(env.action_space.sample())
    n = env.obs_moments.n

    eval_env.train()
    eval_env.reset()
    eval_env.step(eval_env.action_space.sample())

    assert eval_env.obs_moments is env.obs_moments
    assert n == env.obs_moments.n == 18


def test_evaluations_begin_alike():
    _, eval_env = make_envs(CONFIG, seed=0)
    first, _ = eval_env.reset(seed=eval_env.seeds)
    eval_env.reset()
    again, _ = eval_env.reset(seed=eval_env.seeds)

    np.testing.assert_array_equal(first, again)


def test_seeds():
    env, eval_env = make_envs(CONFIG, seed=5)
    _, other = make_envs({**CONFIG, "env.num_env": 7}, seed=5)

    assert env.seeds == Seeder(5)(3)
    assert not set(env.seeds) & set(eval_env.seeds)
    assert eval_env.seeds == other.seeds  # whatever the number of training rows
    assert make_envs(CONFIG, seed=6)[1].seeds != eval_env.seeds


def test_seeds_of_evaluation_avoid_those_of_training(monkeypatch):
    class Same:
        def __init__(self, seed):
            self.seed = seed

        def __call__(self, size):
            return list(range(size))

    monkeypatch.setattr(import_module("lagom.envs.make"), "Seeder", Same)

    env, eval_env = make_envs(CONFIG, seed=0)

    assert (env.seeds, eval_env.seeds) == ([0, 1, 2], [3, 4, 5, 6])


def test_ten_rows_evaluate_at_most():
    assert make_envs({**CONFIG, "eval.episodes": 50}, 0)[1].num_envs == 10


def test_arguments_reach_the_environment():
    env, eval_env = make_envs({**CONFIG, "env.kwargs": {"max_episode_steps": 2}}, 0)

    for x in (env, eval_env):
        x.reset()
        x.step(np.zeros(x.num_envs, int))
        assert x.step(np.zeros(x.num_envs, int))[3].all()
    assert make_envs({**CONFIG, "env.kwargs": None}, 0)[0].num_envs == 3


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("env.backend", "warp", "env.backend: got 'warp'; expected one of 'auto', 'serial'"),
        (
            "env.normalize_obs",
            "yes",
            "env.normalize_obs: got 'yes'; expected true, false",
        ),
        ("env.num_env", 0, "env.num_env: got 0; expected at least 1"),
        ("eval.episodes", 0, "eval.episodes: got 0; expected at least 1"),
        ("env.id", "Nope-v0", "there is no environment 'Nope-v0'"),
    ],
)
def test_wrong_settings_are_refused(key, value, match):
    with pytest.raises(ValueError, match=match):
        make_envs({**CONFIG, key: value}, 0)
